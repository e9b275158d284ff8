"""What answers cost, for gates: latency and tokens sample by sample, the memory of the process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.results.aligned import read_clusters
from harness.results.evidence import Demand, Evidence, ratio_evidence
from harness.results.manifest import CellRecord
from harness.results.pairs import Side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLUMN = {
    "latency_p95_ms": "latency_ms",
    "latency_p50_ms": "latency_ms",
    "peak_memory_mb": "latency_ms",
    "completion_tokens": "completion_tokens",
}
QUANTILE = {"latency_p95_ms": 0.95, "latency_p50_ms": 0.5}
FRESH = "harness run --fresh measures"
FEW_BATCHES = 8
"""Times that differ, below which resampling them would only pretend to know their spread."""


@dataclass
class Answers:
    """The answers of a cell. ``costs`` are means over epochs of what was measured in this run:
    a cached answer tells of another time, and maybe of another machine; its tokens stay."""

    seen: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    costs: dict[str, float] = field(default_factory=dict)


def failures(demand: Demand, side: Side, cell: CellRecord) -> tuple[str, str]:
    """Too many failed samples, in words, and else how many there are."""
    found = _answers(demand, side, cell)
    limit, count = demand.spec.max_error_rate, len(found.failed)
    said = f"{count} of {len(found.seen)} samples failed"
    if not found.seen:
        return "there are no samples", ""
    if count > limit * len(found.seen):
        return f"{said}, more than {limit:.3g} of them: run it again", ""
    return "", said


def cost_evidence(demand: Demand, side: Side, cell: CellRecord) -> Evidence:
    """The candidate's cost against a ceiling or a floor."""
    import numpy as np

    metric, found = demand.spec.metric, _answers(demand, side, cell)
    wrong = _stale(metric, found, "")
    if wrong:
        return Evidence(demand, error=wrong)
    if metric == "peak_memory_mb":
        value = _memory(side, cell)
    else:
        values = list(found.costs.values())
        at = QUANTILE.get(metric)
        value = (
            float(np.mean(values) if at is None else np.quantile(values, at)) if values else None
        )
    if value is None:
        return Evidence(demand, error=f"no {metric} was measured")
    # one number of one process on one machine: there is nothing to resample
    said = _remark(len(found.costs), len(found.answered)) if metric in QUANTILE else ""
    return Evidence(demand, after=value, upwards=False, n=cell.samples, remark=said)


def ratio_to_baseline(
    demand: Demand, sides: tuple[Side, Side], cells: tuple[CellRecord, CellRecord]
) -> Evidence:
    """The candidate's cost against its baseline's; both cells are of the same task and data."""
    metric = demand.spec.metric
    there, here = (side.run.manifest.machine for side in sides)
    if metric != "completion_tokens" and there != here:
        what = f"{metric} of the baseline was measured on another machine ({there}; here {here})"
        return Evidence(demand, error=what)
    a, b = (_answers(demand, side, cell) for side, cell in zip(sides, cells, strict=True))
    wrong = _lost(demand, a, b) or _stale(metric, b, "") or _stale(metric, a, sides[0].name)
    if wrong:
        return Evidence(demand, error=wrong)
    if metric == "peak_memory_mb":
        before, after = (_memory(s, cell) for s, cell in zip(sides, cells, strict=True))
        if before is None or after is None:
            return Evidence(demand, error=f"no {metric} was measured")
        n = cells[1].samples
        return Evidence(demand, before=before, after=after, upwards=False, n=n)
    common = sorted(a.costs.keys() & b.costs.keys())
    both = len(a.answered & b.answered)
    if not common:
        return Evidence(demand, error=f"no sample has a {metric} on both sides")
    if metric in QUANTILE and 2 * len(common) < both:
        what = f"only {len(common)} of {both} answers were measured anew on both sides"
        return Evidence(demand, error=f"{what} ({FRESH})")
    import numpy as np

    left, right = (np.array([side.costs[one] for one in common]) for side in (a, b))
    clusters = read_clusters(sides[1].run, cells[1], common)
    found = ratio_evidence(demand, left, right, clusters)
    remark = _remark(len(common), both)
    batches = min(len(set(left.tolist())), len(set(right.tolist())))
    if metric in QUANTILE and batches < FEW_BATCHES:  # the samples of a batch share one time
        said = f"only {batches} times were measured" if batches > 1 else "one time was measured"
        found, remark = replace(found, ratio=None), "; ".join(filter(None, [remark, said]))
    return replace(found, remark=remark)


def _stale(metric: str, found: Answers, baseline: str) -> str:
    """That too little was measured in a run, in words; "" if enough was. Tokens do not age."""
    if metric == "completion_tokens" or not found.answered:
        return ""
    whose = f"of the baseline {baseline} " if baseline else ""
    if not found.fresh:
        what = (
            f"no {metric} {whose}was measured anew: all {len(found.answered)} answers were cached"
        )
        return f"{what} ({FRESH})"
    if 2 * len(found.fresh) < len(found.answered):
        share = f"{len(found.fresh)} of {len(found.answered)} answers {whose}"
        return f"only {share}were measured anew, the others were cached ({FRESH})"
    return ""


def _lost(demand: Demand, a: Answers, b: Answers) -> str:
    """That too many samples were answered on one side only; failures of the baseline are such."""
    both = a.seen & b.seen
    limit, lost, total = (
        demand.spec.max_error_rate,
        len((a.answered ^ b.answered) & both),
        len(both),
    )
    if lost <= limit * total:
        return ""
    return (
        f"{lost} of {total} samples were answered on one side only, more than {limit:.3g} of them"
    )


def _remark(n: int, total: int) -> str:
    return f"{n} of {total} answers measured anew" if n < total else ""


def _answers(demand: Demand, side: Side, cell: CellRecord) -> Answers:
    column = COLUMN[demand.spec.metric]
    names = ["sample", column, "error", "finish_reason", "cached"]
    table = side.run.table("completions", names, {"cell": cell.cell})
    found, sums = Answers(), dict[str, list[float]]()
    skipped = set[str]()
    rows = zip(*(table.column(i).to_pylist() for i in range(len(names))), strict=True)
    for sample, value, error, reason, cached in rows:
        found.seen.add(sample)
        if error is not None:
            (skipped if reason == "skipped" else found.failed).add(sample)
            continue
        if not cached:
            found.fresh.add(sample)
        known = value is not None and math.isfinite(value)
        if known and (not cached or column == "completion_tokens"):
            sums.setdefault(sample, []).append(float(value))
    found.answered = found.seen - found.failed - skipped
    found.fresh &= found.answered
    found.costs = {one: _mean(values) for one, values in sums.items() if one in found.answered}
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _memory(side: Side, cell: CellRecord) -> float | None:
    """Of the whole process."""
    table = side.run.table("profile", ["stage", "peak_memory_mb"], {"cell": cell.cell})
    known = [value for value in table.column(1).to_pylist() if value is not None]
    return max(known, default=None)
