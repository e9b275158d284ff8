"""Two cells of one run, compared sample by sample: variants of a task, or models on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.results.aligned import align, read_sides
from harness.results.compare import Comparison, compare_metric
from harness.results.manifest import CellRecord
from harness.results.pairs import CellPair, Metric, Side
from harness.results.render import Value, interval, number
from harness.results.run import MetricRow, ScorerInfo
from harness.results.stats import Interval
from harness.results.store import RunReader


@dataclass(frozen=True)
class Measured:
    """One metric of one cell."""

    cell: CellRecord
    info: ScorerInfo
    row: MetricRow


def measurements(
    run: RunReader,
    cells: Sequence[CellRecord],
    metrics: Sequence[str] = (),
    *,
    criteria: bool = False,
) -> list[Measured]:
    """The metrics of some cells, in their order; without names of metrics all but what judges say
    of pairs and, unless they are wanted, their criteria."""
    rows = {(row.cell, row.metric): row for row in run.metrics()}
    return [
        Measured(cell, info, rows[cell.cell, info.name])
        for cell in cells
        for info in cell.scorers
        if (cell.cell, info.name) in rows and _asked(info, metrics, criteria=criteria)
    ]


def _asked(info: ScorerInfo, metrics: Sequence[str], *, criteria: bool) -> bool:
    if not metrics:
        return (criteria or not info.criterion) and not info.opponent
    return info.name in metrics or info.name.partition("[")[0] in metrics


def first_metrics(found: Sequence[Measured]) -> list[Measured]:
    """Of each task the first metric that has a better side, else its first."""
    chosen: dict[str, ScorerInfo] = {}
    for one in found:
        known = chosen.get(one.cell.task)
        if known is None or (known.neutral and not one.info.neutral):
            chosen[one.cell.task] = one.info
    return [one for one in found if chosen[one.cell.task].name == one.info.name]


def paired(run: RunReader, a: CellRecord, b: CellRecord, info: ScorerInfo) -> Comparison | None:
    """b against a on the samples that both have a score of, clustered where the data are; None if
    they share no sample. p values are those of this pair alone."""
    metric = paired_scores(run, (a, b), info)
    if metric is None:
        return None
    return compare_metric(Side(run, a.model), Side(run, b.model), CellPair(a, b, []), metric)


def paired_scores(
    run: RunReader, cells: tuple[CellRecord, CellRecord], info: ScorerInfo
) -> Metric | None:
    """One metric of two cells on the samples that both have; None if there is none."""
    sides = [(run, cells[0]), (run, cells[1])]
    (found,) = align(sides[0], [info], read_sides(sides, [info]))
    if not found.ids:
        return None
    a, b = found.sides
    return Metric(found.info, found.ids, a, b, found.clusters)


def verdict_words(found: Comparison | None) -> str:
    """The verdict, with a star if it does not hold among so many."""
    if found is None:
        return ""
    return found.verdict + (" *" if found.claimed and not found.holds else "")


def value_words(row: MetricRow) -> list[str]:
    """A value and its interval."""
    return [number(row.value), interval(Interval(row.low, row.high, row.method))]


def difference_words(found: Comparison | None) -> list[str]:
    """A difference, its interval and the verdict."""
    if found is None:
        return ["", "", ""]
    if not found.difference.n:
        return ["-", "-", verdict_words(found)]
    d = found.difference
    return [number(d.value, sign=True), interval(d.interval), verdict_words(found)]


def difference_record(found: Comparison | None) -> dict[str, Value]:
    """The same for programs; every key is there whether there is a difference or not."""
    d = found.difference if found is not None and found.difference.n else None
    return {
        "difference": d.value if d else None,
        "difference_low": d.low if d else None,
        "difference_high": d.high if d else None,
        "pairs": d.n if d else 0,
        "p": d.p if d else None,
        "p_holm": found.p_holm if found and d else None,
        "verdict": found.verdict if found else None,
    }
