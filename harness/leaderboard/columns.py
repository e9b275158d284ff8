"""Metrics of benches as columns, and a model's numbers in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from urllib.parse import quote

from harness.leaderboard.badges import cell_badges, model_badges
from harness.leaderboard.deltas import Deltas
from harness.leaderboard.gather import Bench, Board, BoardCell, fields_of
from harness.leaderboard.names import slug
from harness.leaderboard.scripts import real
from harness.leaderboard.views import CellView, Column, Delta, Link, ModelRow
from harness.results.answers import task_label
from harness.results.render import interval, number
from harness.results.run import MetricRow, ScorerInfo
from harness.results.stats import Interval


def task_href(task: str) -> str:
    """A task's page."""
    return f"task-{slug(task)}.html"


def model_href(model: str) -> str:
    """A model's page."""
    return f"model-{slug(model)}.html"


def samples_href(bench: Bench, models: Sequence[str], metric: str = "") -> str:
    """The samples of some models on a bench, worst first by a metric."""
    words = [("task", bench.task), ("variant", bench.variant), ("metric", metric)]
    words += [("m", model) for model in models]
    return "samples.html#" + "&".join(f"{k}={quote(v, safe='')}" for k, v in words if v)


@dataclass(frozen=True)
class Standing:
    """One metric of one bench: its column, and every model's place in it."""

    board: Board
    bench: Bench
    info: ScorerInfo
    deltas: Deltas

    @cached_property
    def column(self) -> Column:
        """The column's head."""
        bench, info = self.bench, self.info
        spec = bench.newest.spec_text("task", bench.task)
        return Column(
            id=bench.column(info.name),
            task=bench.task,
            variant=bench.variant,
            metric=info.name,
            label=info.name.replace("_", " ") if not info.judge else info.name,
            task_label=task_label(bench.task, bench.variant),
            href=task_href(bench.task),
            higher_is_better=info.higher_is_better,
            neutral=info.neutral,
            primary=info.name == bench.primary,
            tags=_tags(spec),
            note=_note(info),
            low=info.low,
            high=info.high,
        )

    @cached_property
    def _ranked(self) -> dict[str, MetricRow]:
        """The models that may be ranked against each other."""
        rows: dict[str, MetricRow] = {}
        for model, cell in self.bench.cells.items():
            row = cell.metrics.get(self.info.name)
            ranked = self.bench.comparable(cell) and not self.board.is_checkpoint(model)
            if row is not None and row.value is not None and ranked:
                rows[model] = row
        alone = len(rows) < 2  # nobody to be ranked among
        return {} if alone or self.info.neutral or self.info.opponent else rows

    @property
    def is_ranked(self) -> bool:
        """Whether there are places in this column."""
        return bool(self._ranked)

    def rank(self, model: str) -> int | None:
        """1 + the models with a better value."""
        own = self._ranked.get(model)
        if own is None or own.value is None:
            return None
        return 1 + sum(
            self._sign * ((row.value or 0.0) - own.value) > 0 for row in self._others(model)
        )

    def ranks(self, model: str) -> tuple[int, int] | None:
        """The best and the worst place that the intervals allow: 1 + the models whose interval lies
        wholly above the model's own, and all models less those whose interval lies below it (as
        LMArena ranks by bounds). Models are compared by their own intervals here, which is
        stricter than sample by sample; None where an interval is missing."""
        own = self._ranked.get(model)
        if own is None or own.low is None or own.high is None:
            return None
        better = worse = 0
        for row in self._others(model):
            if row.low is None or row.high is None:
                return None
            above, below = row.low > own.high, row.high < own.low
            better += above if self._sign > 0 else below
            worse += below if self._sign > 0 else above
        # a bootstrap's interval need not hold its value
        place = self.rank(model) or 1
        return min(1 + better, place), max(len(self._ranked) - worse, place)

    def differ(self, a: str, b: str) -> bool:
        """Whether two models are shown to differ, sample by sample."""
        return self.deltas.differ(self.bench, self.info.name, a, b)

    def cell(self, model: str) -> CellView | None:
        """A model's number, or None if it was not run."""
        if model not in self._known:
            self._known[model] = self._cell(model)
        return self._known[model]

    @cached_property
    def _known(self) -> dict[str, CellView | None]:
        return {}

    def _cell(self, model: str) -> CellView | None:
        cell = self.bench.cells.get(model)
        row = None if cell is None else cell.metrics.get(self.info.name)
        if cell is None or row is None:
            return None
        found = Interval(row.low, row.high, row.method)
        return CellView(
            value=real(row.value),
            low=row.low,
            high=row.high,
            text=number(row.value),
            interval="" if not found.known else interval(found),
            n=row.n,
            failed=row.n_error + row.n_skipped,
            truncated=row.n_truncated,
            control="" if row.control is None else number(row.control),
            delta=self._delta(model),
            rank=self.rank(model),
            ranks=self.ranks(model),
            badges=cell_badges(self.bench, cell, self.info, row),
            href=samples_href(self.bench, [model], self.info.name),
        )

    def _delta(self, model: str) -> Delta | None:
        base = self.board.baselines.get(model)
        if base is None or self.info.opponent:
            return None
        return self.deltas.of(self.bench, self.info.name, base, model)

    def _others(self, model: str) -> Iterator[MetricRow]:
        return (row for name, row in self._ranked.items() if name != model)

    @property
    def _sign(self) -> int:
        return 1 if self.info.higher_is_better else -1


@dataclass(frozen=True)
class Standings:
    """All columns of a board, and its lines."""

    board: Board
    deltas: Deltas

    @cached_property
    def all(self) -> list[Standing]:
        """Every metric of every bench, the primary one of each first."""
        return [
            Standing(self.board, bench, info, self.deltas)
            for bench in self.board.scored
            for info in sorted(bench.scorers, key=lambda one: one.name != bench.primary)
        ]

    @cached_property
    def primary(self) -> list[Standing]:
        """One column a bench."""
        return [one for one in self.all if one.column.primary]

    def of_task(self, task: str) -> list[Standing]:
        """The columns of a task's page."""
        return [one for one in self.all if one.bench.task == task]

    def row(self, model: str, standings: Sequence[Standing]) -> ModelRow:
        """A model's line in these columns."""
        cells = tuple(one.cell(model) for one in standings)
        base = self.board.baselines.get(model)
        known = base in self.board.models
        places = [one.rank(model) for one in self.primary]
        bounds = [one.ranks(model) for one in self.primary]
        ranks = [place for place in places if place is not None]
        spans = [one for one in bounds if one is not None]
        # a rank on some tasks is no rank among models that were run on all
        ran = {one.bench.task for one in self.primary if one.rank(model) is not None}
        whole = len(ran) == len({one.bench.task for one in self.primary if one.is_ranked})
        card = self.board.newest_of(model)
        return ModelRow(
            id=slug(model),
            model=Link(model, model_href(model)),
            badges=model_badges(self.board, card),
            baseline=None if base is None else Link(base, model_href(base) if known else ""),
            cells=cells,
            tags=card_tags(card),
            mean_rank=fmean(ranks) if ranks and whole else None,
            mean_ranks=_mean_span(spans) if whole and spans and len(spans) == len(ranks) else None,
            scored=sum(cell is not None and cell.value is not None for cell in cells),
        )

    def rows(self, standings: Sequence[Standing]) -> tuple[ModelRow, ...]:
        """The lines of all models that have anything in these columns."""
        models = (m for m in self.board.models if any(m in one.bench.cells for one in standings))
        return tuple(self.row(model, standings) for model in models)


def without_details(row: ModelRow) -> ModelRow:
    """A line without the long sentences, which the overview does not need fifty times."""
    cells = tuple(
        cell and replace(cell, delta=cell.delta and replace(cell.delta, title=""))
        for cell in row.cells
    )
    return replace(row, cells=cells)


def _mean_span(spans: Sequence[tuple[int, int]]) -> tuple[float, float]:
    return fmean(low for low, _ in spans), fmean(high for _, high in spans)


def _tags(spec: str) -> tuple[str, ...]:
    found = fields_of(spec).get("tags")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def card_tags(cell: BoardCell) -> tuple[str, ...]:
    """The tags of a model's card."""
    return _tags(cell.spec_text("model", cell.record.model))


def _note(info: ScorerInfo) -> str:
    parts = []
    if info.neutral:
        parts.append("neither side is better")
    elif not info.higher_is_better:
        parts.append("lower is better")
    if info.opponent:
        parts.append(f"how often {info.opponent} is beaten, pair by pair")
    if info.judge:
        parts.append(f"judged by {info.judged_by}")
        if info.kappa is None:
            parts.append("agreement with people not measured")
        else:
            parts.append(f"kappa with people {number(info.kappa)} (n={info.kappa_n})")
    return "; ".join(parts)
