"""What answers cost, stage by stage, and which model to take for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.leaderboard.pareto import Point, recommend
from harness.leaderboard.report.choosing import Chosen
from harness.leaderboard.report.evidence import Entry, Evidence
from harness.leaderboard.report.master import by_place, entry_cell, metric_label
from harness.leaderboard.report.paper import PaperCell, PaperTable, Row, plain
from harness.results.answers import task_label
from harness.results.arrays import rows_of
from harness.results.render import Record, number
from harness.results.speed import JUDGE_STAGE, OLD_TOTAL, TOTAL

COLUMNS = {
    "n": "n",
    "mean": "mean",
    "std": "std",
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
    "tokens_per_s": "tokens/s",
    "frames_per_s": "frames/s",
    "peak_memory_mb": "MB",
    "size_mb": "disk MB",
}
IF_KNOWN = ("n", "frames_per_s", "size_mb")
"""Columns that runs of before there were stages do not have: left out if all are empty."""
BATCHED = (
    "Milliseconds a sample: the wall time of a batch divided by its size, so answers of one batch "
    "share a latency and percentiles are those of batches."
)
MACHINES = "These runs are of different machines; latencies are to be compared within one only."


@dataclass(frozen=True)
class Stage:
    """One stage of one cell; milliseconds, tokens a second, megabytes."""

    chosen: Chosen
    stage: str
    values: dict[str, float | None]


def stages(evidence: Evidence) -> list[Stage]:
    """Every stage of every cell but those of judges, in the order of the report."""
    found = []
    for chosen in [*evidence.cells, *evidence.profiled]:
        for row in rows_of(chosen.side.run.table("profile")):
            if row["cell"] == chosen.cell.cell and not row["stage"].startswith(JUDGE_STAGE):
                values = {name: row.get(name) for name in COLUMNS}
                if row["stage"] == OLD_TOTAL and values["mean"] is None:
                    values |= _spread(chosen)
                if any(value is not None for value in values.values()):
                    found.append(Stage(chosen, row["stage"], values))
    return found


def _spread(chosen: Chosen) -> dict[str, float | None]:
    """Mean and standard deviation over samples, which the profile does not hold."""
    from statistics import fmean, stdev

    columns = ["latency_ms", "error"]
    table = chosen.side.run.table("completions", columns, {"cell": chosen.cell.cell})
    rows: list[Any] = [row for row in rows_of(table) if row["error"] is None]
    times = [row["latency_ms"] for row in rows if row["latency_ms"] is not None]
    return {
        "mean": fmean(times) if times else None,
        "std": stdev(times) if len(times) > 1 else None,
    }


def latency_table(found: Sequence[Stage]) -> PaperTable | None:
    """Latency by stage, throughput and memory; None if nothing was measured."""
    if not found:
        return None
    names = [
        name
        for name in COLUMNS
        if name not in IF_KNOWN or any(one.values[name] is not None for one in found)
    ]
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in found:
        rows = groups.setdefault(one.chosen.place, [])
        where = "" if rows else task_label(*one.chosen.place)
        numbers = [_text(name, one.values[name]) for name in names]
        rows.append(plain(where, one.chosen.cell.model, one.stage, *numbers))
    return PaperTable(
        name="latency",
        headed=True,
        caption="Latency by stage, throughput and peak memory",
        columns=("task", "model", "stage", *(COLUMNS[name] for name in names)),
        align="lll" + "r" * len(names),
        groups=list(groups.values()),
        records=[_record(one) for one in found],
        notes=[BATCHED, *_machines(found)],
    )


def _text(name: str, value: float | None) -> str:
    return f"{value:.0f}" if name == "n" and value is not None else number(value)


def _record(one: Stage) -> Record:
    cell, manifest = one.chosen.cell, one.chosen.side.run.manifest
    info = next((model for model in manifest.models if model.model == cell.model), None)
    return {
        "task": cell.task,
        "variant": cell.variant,
        "model": cell.model,
        "stage": one.stage,
        **one.values,
        "device": info.device if info else "",
        "dtype": info.dtype if info else "",
        "machine": manifest.machine,
        "run": manifest.run_id,
    }


def _machines(found: Sequence[Stage]) -> list[str]:
    names = dict.fromkeys(one.chosen.side.run.manifest.machine for one in found)
    return [MACHINES] if len(names) > 1 else [f"Machine: {name}." for name in names if name]


# --------------------------------------------------------------------------- guidance


def guidance_table(evidence: Evidence, found: Sequence[Stage]) -> PaperTable | None:
    """For each task which model to take for low latency, best quality and a balance of both; None
    where no task has two models with a latency."""
    groups = []
    records: list[Record] = []
    for group in by_place(evidence.primary):
        priced = [(one, cost) for one in group if (cost := median_ms(one, found)) is not None]
        # of models that are equal in all that counts, the better one is told first
        priced.sort(key=lambda one: -_point(*one).quality)
        if len(priced) > 1 and len({one.side.run.manifest.machine for one, _ in priced}) == 1:
            rows = list(_advice(evidence, priced, records))
            groups.append(rows)
    if not groups:
        return None
    return PaperTable(
        name="guidance",
        headed=True,
        caption="Which model to take for what",
        columns=("task", "wanted", "model", "metric", "value", "ms a sample", "remark"),
        align="llllrrl",
        groups=groups,
        records=records,
        notes=[
            "Of the models that no other one beats in both quality and median latency: the "
            "fastest, the best, and the one nearest to the ideal of both (each scaled to 0 to 1 "
            "over these models).",
            "Where the two best are not shown to differ, the balance takes them as equal, so that "
            "the faster one wins.",
        ],
    )


def median_ms(entry: Entry, found: Sequence[Stage]) -> float | None:
    """Median milliseconds of the whole answer; in runs without that, of all stages together."""
    own = [one for one in found if one.chosen.cell.cell == entry.cell.cell]
    whole = [one for one in own if one.stage == TOTAL] or own
    known = [value for one in whole if (value := one.values["p50"]) is not None]
    return sum(known) if known and entry.row.value is not None else None


def _advice(
    evidence: Evidence, priced: Sequence[tuple[Entry, float]], records: list[Record]
) -> Iterator[Row]:
    points = [_point(entry, cost) for entry, cost in priced]
    choice = recommend(points)
    lead = evidence.leads.get(priced[0][0].key[:3])
    if lead is not None and not lead.shown:
        quality = {point.model: point.quality for point in points}
        equal = [
            replace(one, quality=quality[lead.best])
            if one.model == lead.second and lead.best in quality
            else one
            for one in points
        ]
        choice = {**choice, "balanced": recommend(equal)["balanced"]}
    first = True
    for wish, at in choice.items():
        entry, cost = priced[at]
        where = task_label(*entry.key[:2]) if first else ""
        first = False
        remark = _remark(evidence, entry) if wish == "best quality" else ""
        cells = [where, wish, entry.cell.model, metric_label(entry)]
        value = entry_cell(evidence, entry)
        yield (*plain(*cells), value, PaperCell(number(cost)), PaperCell(remark))
        records.append(
            {
                "task": entry.cell.task,
                "variant": entry.cell.variant,
                "wanted": wish,
                "model": entry.cell.model,
                "metric": entry.info.name,
                "value": entry.row.value,
                "latency_p50_ms": cost,
                "remark": remark,
            }
        )


def _point(entry: Entry, cost: float) -> Point:
    sign = 1 if entry.info.higher_is_better else -1
    return Point(entry.cell.model, sign * (entry.row.value or 0.0), cost)


def _remark(evidence: Evidence, entry: Entry) -> str:
    lead = evidence.leads.get(entry.key[:3])
    if lead is None:
        return ""
    word = "shown" if lead.shown and lead.best == entry.cell.model else "not shown"
    return f"{word} to be better than {lead.second}"
