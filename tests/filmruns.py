"""A project with small films, and runs that have seen them.

films = Films(project); films.write("a.mp4"); run = films.run(film_cell("base", "fps=6"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conftest import UserProject
from media.clips import Style, write
from siteruns import Cell, Value, store

from harness.media.decode import decode
from harness.media.sampling import Sampling
from harness.media.source import sampling_of
from harness.records import Completion, FrameSettings, Sample, Stages
from harness.results.run import SpecText, StageRow
from harness.results.store import RunReader

TASK = """\
task: films
version: 1
tags: [video]
data:
  path: data/films.jsonl
  media_root: media
  fields: {input: question, target: answer, media: media, start: start, end: end}
media: {fps: 1, resolution: 48}
prompt: {template: "{{ input }}"}
score: [exact_match]
"""
ROOM = "tasks/films/media"


@dataclass
class FilmCell(Cell):
    """A cell whose models were given frames: ``seen`` are the times by sample."""

    seen: Mapping[int, tuple[float, ...]] = field(default_factory=dict)

    def _completion(self, at: int, value: Value) -> Completion:
        done = super()._completion(at, value)
        times = self.seen.get(at // self.epochs, ())
        if done.failed or not times:
            return done
        stages = Stages(12.0 + at, 4.0, 30.0, 50.0, len(times))
        return replace(done, frame_times=times, stages=stages)


def film_cell(
    model: str = "base", variant: str = "", samples: Sequence[Sample] = (), **more: object
) -> FilmCell:
    """One that answered every sample."""
    values = {"exact_match": [float(n % 2) for n in range(len(samples))]}
    given: dict[str, object] = {"values": values, "samples": samples, **more}
    return FilmCell(model, "films", variant=variant, **given)  # type: ignore[arg-type]


@dataclass
class Films:
    """The task `films` of a project. Films are 2 s of 10 frames a second, 96 x 64, and each frame
    bears its number (media.clips)."""

    project: UserProject

    def __post_init__(self) -> None:
        self.project.write("tasks/films/films.task.yaml", TASK)
        rows = [{"question": "?", "answer": "!", "media": ["a.mp4"], "start": None, "end": None}]
        self.project.write_rows("tasks/films/data/films.jsonl", rows)
        (self.project.root / ROOM).mkdir(parents=True, exist_ok=True)

    @property
    def room(self) -> Path:
        """The folder of the films."""
        return self.project.root / ROOM

    def film(self, name: str = "a.mp4", **style: object) -> Path:
        """Write one."""
        return write(self.room / name, Style(**style))  # type: ignore[arg-type]

    def times(self, name: str = "a.mp4", **frames: object) -> tuple[float, ...]:
        """The times of the frames that a model gets."""
        sampling: Sampling = sampling_of(FrameSettings(**frames))  # type: ignore[arg-type]
        return decode(self.room / name, sampling).times

    def run(self, *cells: Cell, given: str = "", profile: Sequence[StageRow] = ()) -> RunReader:
        """Store the cells as one run; ``given`` is what was set beside the task's file."""
        from harness.results.manifest import FILE_NAME
        from harness.results.store import read_run

        spec = SpecText("task", "films", "tasks/films/films.task.yaml", TASK)
        run = store(self.project.root / "runs", *cells, specs=[spec], profile=profile)
        if given:
            file = run.path / FILE_NAME
            text = file.read_text("utf-8")
            assert '"limit": ""' in text
            file.write_text(text.replace('"limit": ""', f'"limit": "", "set": "{given}"'))
        return read_run(run.path)


def films(*names: str, **row: object) -> list[Sample]:
    """A sample for each film."""
    return [
        Sample(f"v{n}", "What is seen?", f"thing {n}", media=(name,), row=row)
        for n, name in enumerate(names)
    ]
