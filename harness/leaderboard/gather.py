"""Runs to a board: which cell stands for a model on a task today, and which are history."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from harness.collect.yamlio import parse
from harness.leaderboard.counting import Weight, is_less, is_profile, weight
from harness.leaderboard.names import column_id, short_hash, slug
from harness.leaderboard.scripts import real
from harness.results.manifest import CellRecord
from harness.results.run import MetricRow, ModelInfo, ScorerInfo
from harness.results.store import RunReader
from harness.results.stored_judges import measured
from harness.results.tables import text

Place = tuple[str, str, str]
"""Task, variant, model."""
SAMPLE_COLUMNS = (
    "task", "variant", "sample", "split", "input", "target", "choices", "media", "cluster", "row",
)  # fmt: skip


@dataclass(frozen=True)
class BoardCell:
    """One cell of one run, with its metrics. ``samples`` is a hash of the samples' contents: cells
    that share it were asked the same, in the same order."""

    run: RunReader
    record: CellRecord
    metrics: Mapping[str, MetricRow]
    samples: str

    @property
    def place(self) -> Place:
        """Whose result it is."""
        return self.record.task, self.record.variant, self.record.model

    @cached_property
    def key(self) -> str:
        """The cell's folder below its run's."""
        return short_hash(self.record.cell)

    @property
    def folder(self) -> str:
        """Where the site keeps its answers."""
        return f"data/runs/{self.run.run_id}/{self.key}"

    @property
    def samples_folder(self) -> str:
        """Where the site keeps what was asked."""
        return f"data/samples/{self.samples}"

    @property
    def model(self) -> ModelInfo:
        """What the run says of the model."""
        found = (one for one in self.run.manifest.models if one.model == self.record.model)
        return next(found, ModelInfo(self.record.model, ""))

    def spec_text(self, kind: str, name: str) -> str:
        """A spec's text as the run keeps it; "" if it does not."""
        specs = self.run.manifest.specs
        found = next((one.text for one in specs if (one.kind, one.name) == (kind, name)), "")
        return text(found) or ""


@dataclass(frozen=True)
class Bench:
    """A task with one variant of its settings: what models are compared on.

    ``cells`` are those that count, by model; ``newest`` says which task version and which data are
    today's: the highest version, and of its cells the one with the most samples, then the latest
    (harness/leaderboard/counting.py).
    """

    task: str
    variant: str
    cells: Mapping[str, BoardCell]

    @cached_property
    def newest(self) -> BoardCell:
        """The cell by which the others are seen to be stale or partial."""
        return functools.reduce(_later, sorted(self.cells.values(), key=lambda one: _age(one.run)))

    @cached_property
    def scorers(self) -> list[ScorerInfo]:
        """Scorers of all cells by name, those of the newest first."""
        known: dict[str, ScorerInfo] = {}
        for cell in (self.newest, *self.cells.values()):
            for info in cell.record.scorers:
                known.setdefault(info.name, info)
        return list(known.values())

    @property
    def primary(self) -> str:
        """The metric that stands for the task: the first that its file names, of those that have a
        better side and say something of a model alone; "" if there is none."""
        other = (i for i in self.scorers if not (i.criterion or i.opponent))
        return min(other, key=lambda info: info.neutral, default=ScorerInfo("")).name

    def column(self, metric: str) -> str:
        """The id of a column."""
        return column_id(self.task, self.variant, metric)

    def is_stale(self, cell: BoardCell) -> bool:
        """Whether a cell is of an older version of the task, or of other data."""
        own, now = cell.record, self.newest.record
        if own.task_version != now.task_version:
            return True
        return own.data_hash != now.data_hash and not self.is_partial(cell)

    def is_partial(self, cell: BoardCell) -> bool:
        """Whether a cell was asked only the first samples (--limit) of what the newest was."""
        own, now = cell.record, self.newest.record
        return own.task_version == now.task_version and is_less(cell.run, own, now.samples)

    def is_profile(self, cell: BoardCell) -> bool:
        """Whether a cell only measured speed, where others measured scores."""
        return is_profile(cell.run) and not is_profile(self.newest.run)

    def comparable(self, cell: BoardCell) -> bool:
        """Whether a cell may be ranked among the others."""
        return not (self.is_stale(cell) or self.is_partial(cell) or self.is_profile(cell))


@dataclass(frozen=True)
class Board:
    """All runs of a site: benches in order of appearance, models in order of appearance.

    ``past`` holds all cells, those that count and those that others took the place of, oldest
    first.
    """

    runs: tuple[RunReader, ...]
    benches: tuple[Bench, ...]
    past: tuple[BoardCell, ...]
    baselines: Mapping[str, str] = field(default_factory=dict)
    """Model -> the model it is compared with."""

    @cached_property
    def models(self) -> list[str]:
        """Names of all models: baselines first, then those that have one, each in their order."""
        names = dict.fromkeys(name for bench in self.benches for name in bench.cells)
        named = {base for base in self.baselines.values() if base in names}
        bases = [name for name in names if name in named]
        return [*bases, *(name for name in names if name not in bases)]

    @cached_property
    def scored(self) -> list[Bench]:
        """The benches whose scores are results: where others were scored, the few rows of a profile
        tell of speed alone."""
        found = [bench for bench in self.benches if not is_profile(bench.newest.run)]
        return found or list(self.benches)

    @cached_property
    def tasks(self) -> dict[str, list[Bench]]:
        """Benches by task."""
        found: dict[str, list[Bench]] = {}
        for bench in self.benches:
            found.setdefault(bench.task, []).append(bench)
        return found

    def cells_of(self, model: str) -> Iterator[tuple[Bench, BoardCell]]:
        """The cells of a model that count."""
        for bench in self.benches:
            if model in bench.cells:
                yield bench, bench.cells[model]

    def is_checkpoint(self, model: str) -> bool:
        """Whether a model is a checkpoint of a training: history, and no competitor."""
        return model in self._checkpoints

    @cached_property
    def _checkpoints(self) -> frozenset[str]:
        found = []
        for model in self.models:
            card = fields_of(self.newest_of(model).spec_text("model", model))
            tags = card.get("tags")
            if isinstance(tags, list) and "checkpoint" in tags:
                found.append(model)
        # with nothing but checkpoints to show, they are what is shown
        return frozenset() if len(found) == len(self.models) else frozenset(found)

    def newest_of(self, model: str) -> BoardCell:
        """The latest cell of a model: whose card is today's."""
        cells = (cell for _, cell in self.cells_of(model))
        return max(cells, key=lambda cell: cell.run.manifest.started)


IN_MEMORY = "# made in memory"
"""How the card of a checkpoint begins; its lines are comments, since no file has them."""


def fields_of(text: str) -> Mapping[str, object]:
    """A spec's fields, of a text that a run keeps; empty if it is no longer readable."""
    if text.startswith(IN_MEMORY):
        text = "\n".join(line.removeprefix("# ") for line in text.splitlines()[1:])
    document, _ = parse(Path("spec"), text)
    return document.data if document is not None and isinstance(document.data, dict) else {}


def gather(runs: Sequence[RunReader]) -> Board:
    """The board of runs; they may be given in any order, and twice.

    Raises StoreError for a run that is damaged.
    """
    ordered = sorted({run.run_id: run for run in runs}.values(), key=_age)
    past = [cell for run in ordered for cell in _cells(run)]
    best: dict[Place, BoardCell] = {}
    for cell in past:
        known = best.get(cell.place)
        best[cell.place] = cell if known is None else _later(known, cell)
    benches: dict[tuple[str, str], dict[str, BoardCell]] = {}
    for (task, variant, model), cell in best.items():
        benches.setdefault((task, variant), {})[model] = cell
    found = tuple(Bench(task, variant, cells) for (task, variant), cells in benches.items())
    return Board(tuple(ordered), found, tuple(past), _baselines(past))


def _later(known: BoardCell, cell: BoardCell) -> BoardCell:
    """Which of two cells counts: a result before a profile, then what is of the higher version of
    the task, then as the report has it."""
    return max(known, cell, key=_weight)


def _weight(cell: BoardCell) -> tuple[bool, int, Weight]:
    version = cell.record.task_version
    return not is_profile(cell.run), version, weight(cell.run, cell.record)


def _age(run: RunReader) -> tuple[str, str]:
    return run.manifest.started, run.run_id


def _baselines(past: Sequence[BoardCell]) -> dict[str, str]:
    """Whom each model is compared with, by its latest card that says so."""
    found = {}
    for cell in past:
        base = cell.model.baseline
        if base and base != cell.record.model:
            found[cell.record.model] = base
    return found


def _cells(run: RunReader) -> Iterator[BoardCell]:
    rows: dict[str, dict[str, MetricRow]] = {}
    for row in run.metrics():
        # a perplexity may be endless, and so may its interval
        row = replace(row, low=real(row.low), high=real(row.high))
        rows.setdefault(row.cell, {})[row.metric] = row
    keys = sample_keys(run)
    for record in measured(run, run.manifest.cells):
        samples = keys.get((record.task, record.variant), slug(record.task))
        yield BoardCell(run, record, rows.get(record.cell, {}), samples)


def sample_keys(run: RunReader) -> dict[tuple[str, str], str]:
    """(task, variant) -> a hash of its samples as the run has them."""
    table = run.table("samples", SAMPLE_COLUMNS)
    columns = {name: table.column(name).to_pylist() for name in SAMPLE_COLUMNS}
    digests: dict[tuple[str, str], hashlib._Hash] = {}
    names = [name for name in SAMPLE_COLUMNS if name not in ("task", "variant")]
    lines = zip(*(columns[name] for name in names), strict=True)
    for task, variant, line in zip(columns["task"], columns["variant"], lines, strict=True):
        known = digests.get((task, variant))
        if known is None:
            known = digests[task, variant] = hashlib.sha256(task.encode())
        known.update(repr(line).encode("utf-8", "backslashreplace"))
    return {
        place: f"{slug(place[0])}-{digest.hexdigest()[:12]}" for place, digest in digests.items()
    }
