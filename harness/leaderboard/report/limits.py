"""How far models are above the minimums that tasks declare, and how much degraded input costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.leaderboard.report.choosing import Chosen
from harness.leaderboard.report.evidence import Entry, Evidence, bare
from harness.leaderboard.report.master import INTERVAL
from harness.leaderboard.report.paper import PaperCell, PaperTable, Row, value_cell
from harness.leaderboard.report.study_tables import settings
from harness.results.aligned import align, read_sides
from harness.results.answers import task_label
from harness.results.classes import sample_classes
from harness.results.compare import Comparison, adjusted, compare_metric
from harness.results.headroom import RULE, Headroom, headroom, headroom_record
from harness.results.pairs import CellPair, Metric
from harness.results.render import Record, number
from harness.results.robustness import Ratio, ratio_of, ratios_by_class
from harness.results.within import Measured, verdict_words

# --------------------------------------------------------------------------- headroom


def headroom_table(evidence: Evidence) -> PaperTable | None:
    """Every metric with a declared minimum (`min` of a gate line in its task); None without any."""
    groups: dict[tuple[str, str], list[Row]] = {}
    records: list[Record] = []
    for entry in evidence.entries:
        for found in headroom(entry.side.run, [Measured(entry.cell, entry.info, entry.row)]):
            rows = groups.setdefault(entry.key[:2], [])
            rows.append(_headroom_row(entry, found, first=not rows))
            records.append(_headroom_record(found))
    if not groups:
        return None
    return PaperTable(
        name="headroom",
        headed=True,
        caption="How far above the declared minimum",
        columns=("task", "metric", "model", "minimum", "value", "headroom", "minimum is"),
        align="lllrrrl",
        groups=list(groups.values()),
        records=records,
        notes=[INTERVAL, f"Minimum is {RULE}"],
    )


def _headroom_row(entry: Entry, found: Headroom, *, first: bool) -> Row:
    label = f" ({found.column} {found.label})" if found.label else ""
    return (
        PaperCell(task_label(*entry.key[:2]) if first else ""),
        PaperCell(entry.base_name + label),
        PaperCell(entry.cell.model),
        PaperCell(f"{found.least:g}"),
        value_cell(found.value, (found.interval.low, found.interval.high)),
        PaperCell(number(found.above, sign=True)),
        PaperCell(found.reached),
    )


def _headroom_record(found: Headroom) -> Record:
    record = headroom_record(found)
    last = ("class_column", "class")  # what most have not
    kept = {name: value for name, value in record.items() if name not in last}
    return {**kept, **{name: record[name] for name in last}}


# --------------------------------------------------------------------------- robustness

DEGRADED = "degrade="
LEVEL = "level="


@dataclass(frozen=True)
class Degraded:
    """A cell with degraded input, beside the clean one."""

    clean: Chosen
    degraded: Chosen
    comparison: Comparison
    ratio: Ratio
    by_class: Mapping[str, Ratio]


def degraded(evidence: Evidence) -> list[Degraded]:
    """Every degraded variant of every model, by the first metric of the task, paired with the
    clean one by sample; p values are corrected for all of them."""
    cells = {
        (one.cell.task, one.cell.model, _clean(one)): one
        for one in evidence.cells
        if _is_clean(one)
    }
    found = []
    for chosen in evidence.cells:
        clean = cells.get((chosen.cell.task, chosen.cell.model, _clean(chosen)))
        if clean is not None and not _is_clean(chosen):
            row = _compared(evidence, clean, chosen)
            if row is not None:
                found.append(row)
    rows = adjusted([one.comparison for one in found])
    return [replace(one, comparison=row) for one, row in zip(found, rows, strict=True)]


def _is_clean(chosen: Chosen) -> bool:
    named = [one for one in settings(chosen.cell.variant) if one.startswith(DEGRADED)]
    return all(one.removeprefix(DEGRADED) in ("none", "") for one in named)


def _clean(chosen: Chosen) -> tuple[str, ...]:
    """The settings without those that degrade."""
    own = settings(chosen.cell.variant)
    return tuple(one for one in own if not one.startswith((DEGRADED, LEVEL)))


def _compared(evidence: Evidence, clean: Chosen, other: Chosen) -> Degraded | None:
    names = [one.info for one in evidence.primary if one.cell.cell == clean.cell.cell]
    known = {info.name for info in other.cell.scorers}
    infos = [info for info in names if info.name in known]
    if not infos:
        return None
    sides = [(clean.side.run, clean.cell), (other.side.run, other.cell)]
    (metric,) = align(sides[0], infos, read_sides(sides, infos))
    pair = CellPair(clean.cell, other.cell, [])
    before, after = metric.sides
    cut = Metric(metric.info, metric.ids, before, after, metric.clusters)
    by_class = ratios_by_class(cut, sample_classes(clean.side.run, clean.cell))
    comparison = compare_metric(clean.side, other.side, pair, cut)
    return Degraded(clean, other, comparison, ratio_of(cut), by_class)


def robustness_table(found: Sequence[Degraded]) -> PaperTable | None:
    """Degraded input against clean; None if no run has any."""
    if not found:
        return None
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in found:
        rows = groups.setdefault((one.clean.cell.task, one.clean.cell.model), [])
        rows.append(_robust_row(one, first=not rows))
    return PaperTable(
        name="robustness",
        caption="Degraded input against clean",
        columns=(
            "task",
            "model",
            "settings",
            "clean",
            "degraded",
            "kept (%)",
            "difference",
            "verdict",
        ),
        align="lllrrrrl",
        groups=list(groups.values()),
        records=[_robust_record(one) for one in found],
        notes=[
            INTERVAL,
            "Kept: degraded in % of clean, its interval a paired bootstrap. Difference: paired by "
            "sample; the verdict is of it, "
            f"* where it does not survive Holm's correction for {len(found)} comparisons.",
        ],
    )


def _robust_row(one: Degraded, *, first: bool) -> Row:
    row = one.comparison
    cell = one.degraded.cell
    return (
        PaperCell(f"{cell.task}: {bare(row.metric)}" if first else ""),
        PaperCell(cell.model if first else ""),
        PaperCell(cell.variant),
        value_cell(row.before.value, (row.before.interval.low, row.before.interval.high)),
        value_cell(row.after.value, (row.after.interval.low, row.after.interval.high)),
        value_cell(one.ratio.value, _ends(one.ratio), times=100),
        value_cell(row.difference.value, (row.difference.low, row.difference.high), sign=True),
        PaperCell(verdict_words(row)),
    )


def _robust_record(one: Degraded) -> Record:
    row = one.comparison
    return {
        "task": row.task,
        "model": one.degraded.cell.model,
        "clean_variant": one.clean.cell.variant,
        "degraded_variant": one.degraded.cell.variant,
        "metric": row.metric,
        "n": row.n,
        "clean": row.before.value,
        "degraded": row.after.value,
        **_kept(one.ratio),
        "difference": row.difference.value if row.n else None,
        "difference_low": row.difference.low,
        "difference_high": row.difference.high,
        "p_holm": row.p_holm,
        "verdict": row.verdict,
    }


def _ends(found: Ratio) -> tuple[float | None, float | None]:
    return found.interval.low, found.interval.high


def _kept(found: Ratio) -> dict[str, float | None]:
    values = {"kept_percent": found.value, "kept_low": found.interval.low}
    values["kept_high"] = found.interval.high
    return {name: None if one is None else 100 * one for name, one in values.items()}


def robustness_by_class_table(found: Sequence[Degraded]) -> PaperTable | None:
    """What degraded input leaves of each class; None if no task with classes has any."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in found:
        cell = one.degraded.cell
        for label, ratio in one.by_class.items():
            rows = groups.setdefault((cell.task, cell.model), [])
            names = [f"{cell.task}: {bare(one.comparison.metric)}", cell.model]
            rows.append(
                (
                    *(PaperCell("" if rows else name) for name in names),
                    PaperCell(cell.variant),
                    PaperCell(label),
                    PaperCell(str(ratio.n)),
                    PaperCell(number(ratio.clean)),
                    PaperCell(number(ratio.degraded)),
                    value_cell(ratio.value, _ends(ratio), times=100),
                )
            )
    if not groups:
        return None
    return PaperTable(
        name="robustness_by_class",
        caption="Degraded input against clean, by class",
        columns=("task", "model", "settings", "class", "n", "clean", "degraded", "kept (%)"),
        align="llllrrrr",
        groups=list(groups.values()),
        records=[
            {
                "task": one.degraded.cell.task,
                "model": one.degraded.cell.model,
                "clean_variant": one.clean.cell.variant,
                "degraded_variant": one.degraded.cell.variant,
                "metric": one.comparison.metric,
                "class": label,
                "n": ratio.n,
                "clean": ratio.clean,
                "degraded": ratio.degraded,
                **_kept(ratio),
            }
            for one in found
            for label, ratio in one.by_class.items()
        ],
        notes=["Kept: degraded in % of clean, its interval a paired bootstrap over the class."],
    )
