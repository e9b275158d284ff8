"""Runs for a site, made by hand, and readers of what a site is made of.

from siteruns import Cell, store, put, tree
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from harness.leaderboard.publish import Published, PublishOptions, publish
from harness.records import Completion, FinishReason, Sample, Score, Verdict
from harness.results.run import (
    CellResult,
    CompletionRow,
    ModelInfo,
    Run,
    ScorerInfo,
    SpecText,
    StageRow,
    VerdictRow,
)
from harness.results.store import RunReader, read_run, write_run

START = datetime(2026, 11, 20, 16, 15, 2, tzinfo=UTC)
YES_NO = ScorerInfo("exact_match", kind="proportion", low=0.0, high=1.0)
JUDGED = ScorerInfo(
    "strict[nli]", kind="number", low=0.0, high=1.0, judge="strict", judged_by="nli", template="t"
)
Value = float | None | Score


@dataclass
class Cell:
    """What a test cares about; a value of None is a sample that failed. With several ``epochs``
    each sample has that many values, one after the other."""

    model: str = "base"
    task: str = "sums"
    values: Mapping[str, Sequence[Value]] = field(default_factory=lambda: {"exact_match": [1, 0]})
    variant: str = ""
    infos: Mapping[str, ScorerInfo] = field(default_factory=dict)
    version: int = 1
    epochs: int = 1
    samples: Sequence[Sample] = ()
    texts: Sequence[str] = ()
    prompts: Sequence[str] = ()
    errors: Mapping[int, str] = field(default_factory=dict)
    finish: FinishReason = "stop"
    verdicts: Sequence[Sequence[Verdict]] = ()
    """Of each completion."""

    @property
    def id(self) -> str:
        inside = ",".join(filter(None, [self.model, self.variant]))
        return f"tasks/{self.task}.task.yaml::{self.task}[{inside}]"

    def build(self) -> CellResult:
        first = next(iter(self.values.values()))
        samples = self.samples or questions(len(first) // self.epochs)
        places = [(at // self.epochs, at % self.epochs) for at in range(len(first))]
        done = [
            CompletionRow(
                samples[i].id,
                epoch,
                self._completion(at, value),
                prompt=self.prompts[at] if self.prompts else f"Q: {samples[i].input} A:",
            )
            for (at, value), (i, epoch) in zip(enumerate(first), places, strict=True)
        ]
        said = [
            VerdictRow(samples[i].id, epoch, 1, "t", verdict)
            for (i, epoch), all_of_it in zip(places, self.verdicts, strict=False)
            for verdict in all_of_it
        ]
        return CellResult(
            cell_id=self.id,
            cell_hash=f"hash {self.id}",
            task=self.task,
            task_hash="task-hash",
            task_version=self.version,
            model=self.model,
            variant=self.variant,
            samples=samples,
            completions=done,
            scores={name: [_score(one) for one in of] for name, of in self.values.items()},
            scorers=[
                self.infos.get(name, YES_NO if name == YES_NO.name else ScorerInfo(name))
                for name in self.values
            ],
            verdicts=said,
        )

    def _completion(self, at: int, value: Value) -> Completion:
        if at in self.errors or value is None:
            error = self.errors.get(at, "no answer")
            return Completion("", error=error, finish_reason="error")
        text = self.texts[at] if self.texts else f"answer {at} of {self.model}"
        return Completion(
            "", text, self.finish, prompt_tokens=9, completion_tokens=4, latency_ms=10.0 + at
        )


def _score(value: Value) -> Score:
    if isinstance(value, Score):
        return value
    return Score(None, "error", explanation="no answer") if value is None else Score(float(value))


def questions(count: int) -> list[Sample]:
    """Samples s000, s001, ..."""
    return [Sample(f"s{n:03}", f"Question {n}?", f"Reference {n}") for n in range(count)]


def verdict(value: float | None = 0.8, judge: str = "strict", **more: Any) -> Verdict:
    """A judge's word; None is a reply that could not be read."""
    if value is None:
        return Verdict(judge, "nli", 0, "error", **{"error": "the reply is empty", **more})
    parts = {"accuracy": 40 * value}
    return Verdict(judge, "nli", 0, "ok", parts, 100 * value, value, **more)


def store(
    root: Path,
    *cells: Cell,
    after: float = 0,
    limit: int | None = None,
    baselines: Mapping[str, str] | None = None,
    specs: Sequence[SpecText] = (),
    profile: Sequence[StageRow] = (),
    settings: Mapping[str, str] | None = None,
) -> RunReader:
    """Store the cells as one run below ``root`` that began so many seconds after START."""
    started = START + timedelta(seconds=after)
    bases = baselines or {}
    models = [
        ModelInfo(name, f"weights of {name}", "transformers", "float32", "cpu", bases.get(name))
        for name in dict.fromkeys(cell.model for cell in cells)
    ]
    run = Run(
        [cell.build() for cell in cells],
        started,
        started + timedelta(seconds=30),
        models=models,
        specs=specs,
        profile=profile,
        settings={"limit": str(limit or ""), **(settings or {})},
    )
    return read_run(write_run(root, run))


def site(runs: Sequence[RunReader], to: Path, **options: Any) -> Published:
    """Publish the runs as a new process would: nothing is remembered of them."""
    return publish([read_run(run.path) for run in runs], to, PublishOptions(**options))


# --------------------------------------------------------------------------- readers


def put(file: Path | bytes) -> Any:
    """The value that a data script puts; AssertionError if it is anything but that one call."""
    return call(file)[1]


def call(file: Path | bytes) -> tuple[str, Any]:
    """The name and the value of a data script."""
    text = (file if isinstance(file, bytes) else file.read_bytes()).decode("utf-8")
    assert (text[:12], text[-3:]) == ("harness.put(", ");\n")
    inside = text[len("harness.put(") : -len(");\n")].replace('["__proto__"]:', '"__proto__":')
    assert not re.search("[\n\r\u2028\u2029<]", inside)
    decoder = json.JSONDecoder(parse_constant=_no_number)
    name, end = decoder.raw_decode(inside)
    assert inside[end] == ","
    value, end = decoder.raw_decode(inside, end + 1)
    assert end == len(inside)
    assert isinstance(name, str)
    return name, value


def _no_number(word: str) -> float:
    raise AssertionError(f"{word} is no JSON")


def tree(root: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def everything(root: Path) -> str:
    """All that a site tells, its tables' values included, as one text."""
    import pyarrow.parquet as pq

    parts = []
    for path in sorted(root.rglob("*")):
        if path.suffix == ".parquet":
            parts.append(repr(pq.read_table(path).to_pylist()))
        elif path.is_file() and path.name != "vega.js":
            parts.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(parts)


class Words(HTMLParser):
    """The text of a page, without scripts and styles."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._inside = False
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(data)


def words(page: Path) -> str:
    """What a reader without scripts reads."""
    return " ".join(" ".join(Words(page).parts).split())
