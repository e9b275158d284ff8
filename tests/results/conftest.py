"""Small runs, made by hand: what a runner would hand over to be stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.records import Completion, Sample, Score
from harness.results.run import CellResult, CompletionRow, ModelInfo, Run, ScorerInfo, SpecText
from harness.results.store import write_run

START = datetime(2026, 11, 20, 16, 15, 2, tzinfo=UTC)


@dataclass
class Cell:
    """The parts of a cell that a test cares about; ``build`` fills in the rest."""

    model: str = "tiny"
    task: str = "capitals"
    variant: str = ""
    values: dict[str, Sequence[float | None]] = field(default_factory=dict)
    controls: dict[str, Sequence[float]] = field(default_factory=dict)
    infos: dict[str, ScorerInfo] = field(default_factory=dict)
    version: int = 1
    clusters: Sequence[str | None] = ()
    samples: Sequence[Sample] = ()

    def build(self) -> CellResult:
        """One completion a sample; a value of None stands for a sample that failed."""
        size = len(next(iter(self.values.values())))
        clusters = self.clusters or [None] * size
        samples = self.samples or [
            Sample(f"q{i}", f"Capital of land {i}?", f"City {i}", cluster=clusters[i])
            for i in range(size)
        ]
        first = next(iter(self.values.values()))
        done = [
            Completion(s.id, error="no answer", finish_reason="error")
            if value is None
            else Completion(s.id, f"It is {value}", completion_tokens=4)
            for s, value in zip(samples, first, strict=True)
        ]
        return CellResult(
            cell_id=f"tasks/{self.task}.task.yaml::{self.task}[{self.model}{self.variant}]",
            cell_hash=f"hash-{self.task}-{self.model}{self.variant}",
            task=self.task,
            task_hash="task-hash",
            task_version=self.version,
            model=self.model,
            variant=self.variant,
            samples=samples,
            completions=[CompletionRow(s.id, 0, c) for s, c in zip(samples, done, strict=True)],
            scores={name: self._scores(name) for name in self.values},
            scorers=[self.infos.get(name, ScorerInfo(name)) for name in self.values],
        )

    def _scores(self, name: str) -> list[Score]:
        values = self.values[name]
        controls = self.controls.get(name, [None] * len(values))
        return [
            Score(None, "error", explanation="no answer")
            if value is None
            else Score(value, control=control)
            for value, control in zip(values, controls, strict=True)
        ]


@pytest.fixture
def cell() -> type[Cell]:
    return Cell


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A run of cells that started so many seconds after ``START``."""

    def make(*cells: CellResult, after: float = 0) -> Run:
        started = START + timedelta(seconds=after)
        models = dict.fromkeys(one.model for one in cells)
        return Run(
            cells,
            started,
            started + timedelta(seconds=30),
            models=[ModelInfo(name, f"weights of {name}", "transformers") for name in models],
            specs=[SpecText("task", "capitals", "tasks/capitals.task.yaml", "task: capitals\n")],
            seeds=(0,),
            settings={"limit": "5"},
            revision="0123abc",
            packages={"torch": "2.15.0"},
        )

    return make


@pytest.fixture
def store(tmp_path: Path, make_run: Callable[..., Run]) -> Callable[..., Path]:
    """Store cells as one run below ``tmp_path / 'runs'``."""

    def write(*cells: Cell, after: float = 0) -> Path:
        built = [one.build() for one in cells]
        return write_run(tmp_path / "runs", make_run(*built, after=after))

    return write
