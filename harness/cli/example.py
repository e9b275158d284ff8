"""What `harness run --dry-run` shows of a task's prompts: the first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.adapters.cache import CachedAdapter
from harness.adapters.registry import SEEING
from harness.collect.plan import variant_text
from harness.records import FrameSettings, Request
from harness.results.render import quoted, visible
from harness.runner.work import Work

MOST_LINES = 40
MOST_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with its heading; ``sent`` if there is a model that reads it like that."""

    text: str
    sent: bool


def add_example(examples: dict[str, Example], adapter: CachedAdapter, work: Work) -> None:
    """Keep the first prompt of a task and of each variant of its prompt; a model that is really
    sent something says better what it reads than one whose answers were recorded."""
    shown = [text for text in variant_text(work.cell.variant) if text.startswith("prompt")]
    variant = [text for text in shown if text[6:7] in (".", "=")]
    name = " ".join([work.cell.task.task, *([f"[{','.join(variant)}]"] if variant else [])])
    if name in examples and examples[name].sent:
        return
    example = _example(name, adapter, work)
    if name not in examples or example.sent:
        examples[name] = example


def _example(name: str, adapter: CachedAdapter, work: Work) -> Example:
    request, model = work.requests[0], work.cell.model
    (text,) = adapter.prompts(model, [request])
    reader = f"as {model.model} reads it"
    if text is None:
        reader = f"as the task asks it ({model.model} is sent nothing)"
    head = f"{name}, sample '{visible(work.samples[0].id)}', {reader}:"
    lines = [head, "", *_shortened(_plain(request) if text is None else text)]
    if request.media and request.frames:
        files = ", ".join(visible(Path(path).name) for path in request.media)
        what = f"  and sees of {files}: {frames_words(request.frames)}"
        blind = f"  and sees nothing of {files}: the adapter '{model.adapter}' takes no media"
        lines.append(_cut(what if model.adapter in SEEING else blind))
    if request.continuations:
        choices = ", ".join(f"'{visible(one)}'" for one in request.continuations)
        lines.append(_cut(f"  and weighs behind it: {choices}"))
    return Example("\n".join(lines), text is not None)


def frames_words(frames: FrameSettings) -> str:
    """What is taken of a file, in the names of the settings."""
    plain = FrameSettings()
    told = [
        f"{name}={_plainly(getattr(frames, name))}"
        for name in ("fps", "frames", "max_frames", "resolution", "start", "end", "degrade")
        if getattr(frames, name) != getattr(plain, name)
    ]
    if frames.fps is None and frames.frames is None:
        told.insert(0, "fps=1")
    return ", ".join(told)


def _plainly(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(request: Request) -> str:
    if isinstance(request.prompt, str):
        return request.prompt
    return "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in request.prompt)


def _shortened(text: str) -> list[str]:
    """The beginning and the end of a text that is too long for a screen."""
    lines = [f"  {line}" for line in quoted(text).split("\n")] if text else ["  (empty)"]
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES
        half = MOST_LINES // 2
        lines = [*lines[:half], f"  ... {left} lines left out ...", *lines[-half:]]
    return [_cut(line) for line in lines]


def _cut(line: str) -> str:
    left = len(line) - MOST_CHARACTERS
    return line if left <= 0 else f"{line[:MOST_CHARACTERS]} ... {left} characters left out"
