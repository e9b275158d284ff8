"""What answers cost, for gates: latency and tokens sample by sample, the memory of the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

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
    "completion_tokens": "completion_tokens",
}
QUANTILE = {"latency_p95_ms": 0.95, "latency_p50_ms": 0.5}


def cost_evidence(demand: Demand, sides: tuple[Side, Side], cell: CellRecord) -> Evidence:
    """The candidate's cost against a ceiling or a floor, or against its baseline's."""
    baseline, candidate = sides
    if demand.key == "max_ratio":
        return _relative(demand, baseline, candidate, cell)
    value = _value(demand, candidate, cell)
    if value is None:
        return Evidence(demand, error=f"no {demand.spec.metric} was measured")
    # one number of one process on one machine: there is nothing to resample
    return Evidence(demand, after=value, upwards=False, n=cell.samples)


def _relative(demand: Demand, baseline: Side, candidate: Side, cell: CellRecord) -> Evidence:
    metric = demand.spec.metric
    there = baseline.run.manifest.machine
    here = candidate.run.manifest.machine
    if metric != "completion_tokens" and there != here:
        what = f"{metric} of the baseline was measured on another machine ({there}; here {here})"
        return Evidence(demand, error=what)
    other = _same_cell(baseline, cell)
    if other is None:
        return Evidence(demand, error=f"the baseline {baseline.name} has no such cell")
    if metric == "peak_memory_mb":
        before, after = _value(demand, baseline, other), _value(demand, candidate, cell)
        if before is None or after is None:
            return Evidence(demand, error=f"no {metric} was measured")
        return Evidence(demand, before=before, after=after, upwards=False, n=cell.samples)
    a, b = _by_sample(demand, baseline, other), _by_sample(demand, candidate, cell)
    common = sorted(a.keys() & b.keys())
    if not common:
        return Evidence(demand, error=f"no sample has a {metric} on both sides")
    import numpy as np

    left, right = (np.array([side[one] for one in common]) for side in (a, b))
    return ratio_evidence(demand, left, right, _clusters(candidate, cell, common))


def _value(demand: Demand, side: Side, cell: CellRecord) -> float | None:
    import numpy as np

    metric = demand.spec.metric
    if metric == "peak_memory_mb":  # of the whole process
        table = side.run.table("profile", ["stage", "peak_memory_mb"], {"cell": cell.cell})
        known = [value for value in table.column(1).to_pylist() if value is not None]
        return max(known, default=None)
    values = list(_by_sample(demand, side, cell).values())
    if not values:
        return None
    return float(np.quantile(values, QUANTILE[metric]) if metric in QUANTILE else np.mean(values))


def _by_sample(demand: Demand, side: Side, cell: CellRecord) -> dict[str, float]:
    """Sample -> mean over its epochs; failed answers cost nothing that could be compared."""
    column = COLUMN[demand.spec.metric]
    table = side.run.table("completions", ["sample", column, "error"], {"cell": cell.cell})
    sums: dict[str, list[float]] = {}
    for sample, value, error in zip(*(table.column(i).to_pylist() for i in range(3)), strict=True):
        if error is None and value is not None:
            sums.setdefault(sample, []).append(float(value))
    return {sample: sum(values) / len(values) for sample, values in sums.items()}


def _clusters(side: Side, cell: CellRecord, samples: list[str]) -> list[str | None]:
    where = {"task": cell.task, "variant": cell.variant}
    table = side.run.table("samples", ["sample", "cluster"], where)
    names, groups = (table.column(i).to_pylist() for i in (0, 1))
    known: Mapping[str, str | None] = dict(zip(names, groups, strict=True))
    return [known.get(sample) for sample in samples]


def _same_cell(side: Side, cell: CellRecord) -> CellRecord | None:
    found = [
        one
        for one in side.run.manifest.cells
        if (one.model, one.task, one.variant) == (side.model, cell.task, cell.variant)
    ]
    return found[0] if found else None
