"""What the runs of a report say: one cell for each task, variant and model, and which differences
between models are real.

Of several runs that hold the same cell one counts (harness/leaderboard/report/choosing.py).

The metric that stands for a task is the first of its ``score`` list
that has a better side: whoever writes the task decides what it is about, and a report that chose
the most flattering metric would be no report. Its comparisons are one family for Holm's
correction, those of all other metrics another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from harness.errors import StoreError
from harness.leaderboard.report.choosing import Chosen, choose, unlike, versions
from harness.leaderboard.report.paper import plural
from harness.leaderboard.report.sides import find_sides
from harness.results.compare import Comparison, adjusted, compare_metric
from harness.results.manifest import CellRecord
from harness.results.pairs import CompareOptions, Side, pair_cells
from harness.results.preferences import Preference, preferences
from harness.results.run import MetricRow, ScorerInfo
from harness.results.store import RunReader

Key = tuple[str, str, str, str]
"""Task, variant, metric, model."""
Place = tuple[str, str, str]
"""Task, variant, metric."""
PairKey = tuple[str, str, str, str, str]
"""Task, variant, metric, the model that is A, the one that is B."""


@dataclass(frozen=True)
class Entry:
    """One metric of one cell; ``primary`` is the one that stands for the task."""

    side: Side
    cell: CellRecord
    info: ScorerInfo
    row: MetricRow
    primary: bool

    @property
    def key(self) -> Key:
        """Where it belongs."""
        return self.cell.task, self.cell.variant, self.info.name, self.cell.model

    @property
    def base_name(self) -> str:
        """The metric without what stands in brackets behind it."""
        return bare(self.info.name)


@dataclass(frozen=True)
class Lead:
    """The best model of a metric, the second best, and how they differ (either may be its B)."""

    best: str
    second: str
    comparison: Comparison

    @property
    def shown(self) -> bool:
        """Whether the best is surely better than the second best."""
        word = "better" if self.comparison.b.model == self.best else "worse"
        return self.comparison.holds and self.comparison.verdict.startswith(word)


@dataclass(frozen=True)
class Evidence:
    """Everything that tables, figures and words are made of.

    ``deltas`` has the comparison of a model with its baseline, ``leads`` that of the two best
    models of a metric, by task, variant and metric.
    """

    cells: Sequence[Chosen]
    entries: Sequence[Entry]
    baselines: Mapping[str, str]
    deltas: Mapping[Key, Comparison]
    leads: Mapping[Place, Lead]
    families: tuple[int, int] = (0, 0)
    """Comparisons that p values were corrected for: of what stands for the tasks, of the rest."""
    preferred: Sequence[Preference] = ()
    notes: Sequence[str] = field(default=())
    profiled: Sequence[Chosen] = ()
    """Cells that tell of speed alone: of profiles, where whole runs are scored."""

    @cached_property
    def runs(self) -> list[RunReader]:
        """The runs that count, the oldest first."""
        found = {one.side.run.run_id: one.side.run for one in self.cells}
        return [found[name] for name in sorted(found)]

    @cached_property
    def models(self) -> list[str]:
        """All models, baselines first, else in the order of their first cells."""
        names = list(dict.fromkeys(one.cell.model for one in self.cells))
        bases = [name for name in names if name in self.baselines.values()]
        return list(dict.fromkeys([*bases, *names]))

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """Every task and variant, in the order of the runs."""
        return list(dict.fromkeys(one.place for one in self.cells))

    @cached_property
    def primary(self) -> list[Entry]:
        """What stands for each task, model by model."""
        return [one for one in self.entries if one.primary]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every comparison with a baseline, in the order of the entries."""
        return [self.deltas[one.key] for one in self.entries if one.key in self.deltas]

    def delta(self, entry: Entry) -> Comparison | None:
        """How the entry's model differs from its baseline; None if it has none here."""
        return self.deltas.get(entry.key)

    def is_best(self, entry: Entry) -> bool:
        """Whether the model is shown to be better than the second best."""
        lead = self.leads.get(entry.key[:3])
        return lead is not None and lead.shown and lead.best == entry.cell.model

    def is_primary(self, task: str, variant: str, metric: str) -> bool:
        """Whether a metric stands for its task."""
        return (task, variant, metric) in self._primary

    @cached_property
    def _primary(self) -> set[Place]:
        return {one.key[:3] for one in self.primary}


def bare(metric: str) -> str:
    """A metric's name without the encoder or judge that stands in brackets behind it."""
    return metric.partition("[")[0]


# --------------------------------------------------------------------------- gathering


def gather(root: Path, words: Sequence[str], baseline: str | None = None) -> Evidence:
    """What words on the command line mean (all whole runs below ``root`` if there are none).

    ``baseline`` is held against every other model, whatever their cards say. Raises StoreError if
    there are no runs, if one is damaged, and if two of them do not measure the same thing.
    """
    sides, notes = find_sides(root, words)
    cells, profiled, more = choose(sides, named=bool(words))
    _check_alike(cells)
    cells = _in_order(cells, _baselines(cells, baseline))
    entries = [entry for chosen in cells for entry in _entries(chosen)]
    baselines = _baselines(cells, baseline)
    rows, wanted = _compared(entries, cells, baselines)
    primary = {one.key[:3] for one in entries if one.primary}
    rows = _families(rows, primary)
    deltas = {(*k[:3], k[4]): row for k, row in rows.items() if baselines.get(k[4]) == k[3]}
    leads = {k[:3]: Lead(k[4], k[3], rows[at]) for k, at in wanted.items() if at in rows}
    first = sum(key[:3] in primary for key in rows)
    pairs = _same_run(cells, baselines)
    preferred = preferences(pairs, CompareOptions()) if pairs else []
    families = first, len(rows) - first
    notes = [*notes, *more]
    found = Evidence(cells, entries, baselines, deltas, leads, families, preferred, notes)
    return replace(found, profiled=profiled)


def _in_order(cells: Sequence[Chosen], baselines: Mapping[str, str]) -> list[Chosen]:
    """Task by task, the baseline before the models that are held against it."""
    places = {place: at for at, place in enumerate(dict.fromkeys(one.place for one in cells))}
    bases = set(baselines.values())
    models = {name: at for at, name in enumerate(dict.fromkeys(one.cell.model for one in cells))}
    return sorted(
        cells,
        key=lambda one: (
            places[one.place],
            one.cell.model not in bases,
            models[one.cell.model],
        ),
    )


def _check_alike(cells: Sequence[Chosen]) -> None:
    """All models were asked the same."""
    first: dict[tuple[str, str], Chosen] = {}
    for one in cells:
        other = first.setdefault(one.place, one)
        if one.cell.task_version != other.cell.task_version:
            raise unlike(other, one, versions(other, one))
        if one.cell.samples != other.cell.samples:
            counts = f"{other.cell.samples} and {plural(one.cell.samples, 'sample')}"
            raise unlike(other, one, counts)
        if one.cell.data_hash != other.cell.data_hash:
            raise unlike(other, one, "other data")


def _entries(chosen: Chosen) -> Iterator[Entry]:
    rows = {(row.cell, row.metric): row for row in chosen.side.run.metrics()}
    first = primary_metric(chosen.cell)
    for info in chosen.cell.scorers:
        row = rows.get((chosen.cell.cell, info.name))
        if row is not None:
            yield Entry(chosen.side, chosen.cell, info, row, info.name == first)


def primary_metric(cell: CellRecord) -> str | None:
    """The first of the task's metrics that has a better side; None if no metric has one."""
    sided = [one for one in cell.scorers if not one.neutral and not one.opponent]
    return sided[0].name if sided else None


def _baselines(cells: Sequence[Chosen], wanted: str | None) -> dict[str, str]:
    """Model -> its baseline, of those that stand in the report."""
    models = list(dict.fromkeys(one.cell.model for one in cells))
    if wanted is not None:
        if wanted not in models:
            raise StoreError(f"no model '{wanted}' in these runs; they hold {', '.join(models)}")
        return {name: wanted for name in models if name != wanted}
    said = {
        info.model: info.baseline
        for one in cells
        for info in one.side.run.manifest.models
        if info.baseline in models and info.model != info.baseline
    }
    return {name: str(said[name]) for name in models if name in said}


# --------------------------------------------------------------------------- comparing


def _compared(
    entries: Sequence[Entry], cells: Sequence[Chosen], baselines: Mapping[str, str]
) -> tuple[dict[PairKey, Comparison], dict[PairKey, PairKey]]:
    """Differences to the baselines and between the two best; (second best, best) of each metric and
    where their comparison is found."""
    by_key = {(*one.place, one.cell.model): one for one in cells}
    rows: dict[PairKey, Comparison] = {}
    for chosen in cells:
        base = by_key.get((*chosen.place, baselines.get(chosen.cell.model, "")))
        if base is not None:
            rows |= {_pair_key(row): row for row in _pairs(base, chosen, CompareOptions())}
    wanted: dict[PairKey, PairKey] = {}
    for place, (second, first) in _two_best(entries).items():
        key, turned = (*place, second, first), (*place, first, second)
        if key not in rows and turned not in rows:
            ends = by_key[*place[:2], second], by_key[*place[:2], first]
            options = CompareOptions(metrics=(place[2],))
            rows |= {_pair_key(row): row for row in _pairs(*ends, options)}
        wanted[key] = key if key in rows else turned
    return rows, wanted


def _pair_key(row: Comparison) -> PairKey:
    return row.task, row.variant, row.metric, row.a.model, row.b.model


def _pairs(a: Chosen, b: Chosen, options: CompareOptions) -> Iterator[Comparison]:
    """The comparisons of one cell with another of the same task and variant."""
    found = CompareOptions((a.cell.task,), options.metrics, criteria=True, collect_reasons=True)
    for pair in pair_cells(a.side, b.side, found):
        if (pair.a.task, pair.a.variant) != a.place:
            continue
        if pair.reasons:
            raise unlike(a, b, "; ".join(pair.reasons))
        yield from (compare_metric(a.side, b.side, pair, metric) for metric in pair.metrics)


def _two_best(entries: Iterable[Entry]) -> dict[Place, tuple[str, str]]:
    """(second best, best) model of every metric that has a better side and two models."""
    groups: dict[Place, list[Entry]] = {}
    for one in entries:
        if one.row.value is not None and not one.info.neutral and not one.info.opponent:
            groups.setdefault(one.key[:3], []).append(one)
    found = {}
    for place, group in groups.items():
        ordered = sorted(
            group, key=lambda one: (one.row.value or 0.0) * (1 if one.info.higher_is_better else -1)
        )
        if len(ordered) > 1:
            found[place] = ordered[-2].cell.model, ordered[-1].cell.model
    return found


def _families(
    rows: Mapping[PairKey, Comparison], primary: Collection[Place]
) -> dict[PairKey, Comparison]:
    """The comparisons with p values corrected within their family."""
    found: dict[PairKey, Comparison] = {}
    for wanted in (True, False):
        keys = [key for key in rows if (key[:3] in primary) is wanted]
        found |= dict(zip(keys, adjusted([rows[key] for key in keys]), strict=True))
    return {key: found[key] for key in rows}


def _same_run(cells: Sequence[Chosen], baselines: Mapping[str, str]) -> list[tuple[Side, Side]]:
    """Models and baselines that stand in one run, for judges of pairs."""
    sides = {one.side.name: one.side for one in cells}
    by_model = {(side.run.run_id, side.model): side for side in sides.values()}
    found = []
    for side in sides.values():
        base = by_model.get((side.run.run_id, baselines.get(side.model, "")))
        if base is not None and _share_a_cell(cells, base, side):
            found.append((base, side))
    return found


def _share_a_cell(cells: Sequence[Chosen], a: Side, b: Side) -> bool:
    places = [{one.place for one in cells if one.side.name == side.name} for side in (a, b)]
    return bool(places[0] & places[1])
