"""How far models are above the minimums that tasks declare, and how much degraded input costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.gate_spec import GateSpec
from harness.collect.yamlio import parse
from harness.leaderboard.report.evidence import Chosen, Entry, Evidence, bare
from harness.leaderboard.report.master import INTERVAL, verdict_words
from harness.leaderboard.report.paper import PaperCell, PaperTable, Row, percent_text, value_cell
from harness.leaderboard.report.study_tables import retention, settings
from harness.results.aligned import align, read_sides
from harness.results.answers import task_label
from harness.results.compare import Comparison, adjusted, compare_metric
from harness.results.pairs import CellPair, Metric
from harness.results.render import Record, number

# --------------------------------------------------------------------------- headroom


def headroom_table(evidence: Evidence) -> PaperTable | None:
    """Every metric with a declared minimum (`min` of a gate line in its task); None without any."""
    groups: dict[tuple[str, str], list[Row]] = {}
    records: list[Record] = []
    for entry in evidence.entries:
        for least in sorted(minimums(entry)):
            rows = groups.setdefault(entry.key[:2], [])
            rows.append(_headroom_row(entry, least, first=not rows))
            records.append(_headroom_record(entry, least))
    if not groups:
        return None
    return PaperTable(
        name="headroom",
        headed=True,
        caption="How far above the declared minimum",
        columns=("task", "metric", "model", "minimum", "value", "headroom", "reached"),
        align="lllrrrl",
        groups=list(groups.values()),
        records=records,
        notes=[
            INTERVAL,
            "Reached: yes if the whole interval lies at or above the minimum, no if it lies below, "
            "open if the minimum lies within.",
        ],
    )


def minimums(entry: Entry) -> set[float]:
    """What the entry's task, as its run keeps it, asks this metric to reach."""
    for spec in entry.side.run.manifest.specs:
        if spec.kind == "task" and spec.name == entry.cell.task:
            document, _ = parse(Path(spec.path), spec.text)
            lines = document.data.get("gate") if document else None
            return set(_floors(lines, entry)) if isinstance(lines, list) else set()
    return set()


def _floors(lines: Sequence[object], entry: Entry) -> Iterator[float]:
    for line in lines:
        try:
            gate = GateSpec.model_validate(line)
        except ValueError:
            continue  # an earlier or later version's line
        named = gate.metric in (entry.info.name, entry.base_name)
        if named and gate.min is not None and gate.task in (None, entry.cell.task):
            yield gate.min


def _headroom_row(entry: Entry, least: float, *, first: bool) -> Row:
    row = entry.row
    above = None if row.value is None else row.value - least
    return (
        PaperCell(task_label(*entry.key[:2]) if first else ""),
        PaperCell(entry.base_name),
        PaperCell(entry.cell.model),
        PaperCell(f"{least:g}"),
        value_cell(row.value, (row.low, row.high)),
        PaperCell(number(above, sign=True)),
        PaperCell(_reached(entry, least)),
    )


def _reached(entry: Entry, least: float) -> str:
    row = entry.row
    if row.value is None:
        return "-"
    low = row.value if row.low is None else row.low
    high = row.value if row.high is None else row.high
    return "yes" if low >= least else "no" if high < least else "open"


def _headroom_record(entry: Entry, least: float) -> Record:
    row = entry.row
    return {
        "task": row.task,
        "variant": row.variant,
        "model": row.model,
        "metric": entry.info.name,
        "minimum": least,
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "headroom": None if row.value is None else row.value - least,
        "reached": _reached(entry, least),
        "n": row.n,
    }


# --------------------------------------------------------------------------- robustness

DEGRADED = "degrade="
LEVEL = "level="


@dataclass(frozen=True)
class Degraded:
    """A cell with degraded input, beside the clean one."""

    clean: Chosen
    degraded: Chosen
    comparison: Comparison


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
                found.append(Degraded(clean, chosen, row))
    rows = adjusted([one.comparison for one in found])
    return [Degraded(one.clean, one.degraded, row) for one, row in zip(found, rows, strict=True)]


def _is_clean(chosen: Chosen) -> bool:
    named = [one for one in settings(chosen.cell.variant) if one.startswith(DEGRADED)]
    return all(one.removeprefix(DEGRADED) in ("none", "") for one in named)


def _clean(chosen: Chosen) -> tuple[str, ...]:
    """The settings without those that degrade."""
    own = settings(chosen.cell.variant)
    return tuple(one for one in own if not one.startswith((DEGRADED, LEVEL)))


def _compared(evidence: Evidence, clean: Chosen, other: Chosen) -> Comparison | None:
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
    return compare_metric(clean.side, other.side, pair, cut)


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
            "Kept: degraded in % of clean. Difference: paired by sample; the verdict is of it, "
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
        PaperCell(percent_text(retention(row))),
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
        "kept_percent": None if (kept := retention(row)) is None else 100 * kept,
        "difference": row.difference.value if row.n else None,
        "difference_low": row.difference.low,
        "difference_high": row.difference.high,
        "p_holm": row.p_holm,
        "verdict": row.verdict,
    }
