"""What is allowed, and hardly ever meant: said once, before a run begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.records import Request, Sample
from harness.runner.work import Work

SHORTEST = 12  # letters; a shorter reference may well stand in a question


def hints(works: Sequence[Work]) -> Iterator[str]:
    """Lines about the tasks, each once."""
    yield from dict.fromkeys(hint for work in works for hint in _of(work))


def _of(work: Work) -> Iterator[str]:
    task = work.cell.task
    if work.epochs > 1 and task.output_type == "generate" and not task.generate.temperature:
        yield f"{task.task}: at temperature 0 all {work.epochs} epochs give the same answers"
    if task.output_type == "generate" and work.samples:
        first = work.requests[:: work.epochs]
        if all(map(_tells, work.samples, first)):
            yield f"{task.task}: every prompt contains its own target"


def _tells(sample: Sample, request: Request) -> bool:
    prompt = request.prompt
    turns = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
    target = sample.target.strip()
    return len(target) >= SHORTEST and any(target in turn for turn in turns)
