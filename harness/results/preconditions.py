"""What must hold before a gate may decide anything: enough answers, enough verdicts, judges that
can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.collect.gate_scales import Range, judge_key_fault, limit_fault
from harness.collect.gate_spec import GateSpec
from harness.results.evidence import Demand
from harness.results.manifest import CellRecord
from harness.results.pairs import CellPair, Metric, Side
from harness.results.render import number
from harness.results.run import MetricRow, ScorerInfo
from harness.results.stored_judges import measured, spec_as_judged

Trust = Mapping[str, tuple[str, ...]]
"""Judge -> why a gate must not go by its word, a line each."""


@dataclass(frozen=True, slots=True)
class Checked:
    """``error`` is what keeps the gate from deciding; ``kept`` says that nothing does."""

    error: str = ""
    kept: str = ""


def check(demand: Demand, side: Side, cell: CellRecord, trust: Trust) -> Checked:
    """The first thing that keeps a line from being decided on a cell, if there is one."""
    info, row = _info(side, cell, demand), _row(side, cell, demand)
    told = []
    for wrong, kept in (_failures(demand, row), *_judge(demand, side, info, row, trust)):
        if wrong:
            return Checked(error=wrong)
        told.append(kept)
    return Checked(kept=", ".join(filter(None, told)))


def check_baseline(demand: Demand, side: Side, cell: CellRecord) -> str:
    """Why a baseline's cell is too full of holes to compare with; "" if it is not."""
    row, limit = _row(side, cell, demand), demand.spec.max_error_rate
    total, failed = _total(row), row.n_error - row.n_judge_error
    if total and failed / total > limit:
        said = f"{failed} of {total} samples of the baseline {side.name} failed"
        return f"{said}, more than {limit:.3g} of them: set it again"
    info = _info(side, cell, demand)
    wrong = _errors(demand, side, info, row)[0] if info.judge and row.n_judge_error else ""
    return f"of the baseline {side.name}, {wrong}" if wrong else ""


def check_pairs(demand: Demand, sides: tuple[Side, Side], pair: CellPair, metric: Metric) -> str:
    """Why too many samples have a score on one side only; "" if they have not.

    What failed, or was skipped, on one side alone is no sample less but one that cannot be
    compared. Verdicts that are missing have a limit of their own.
    """
    a, b = metric.a.ok, metric.b.ok
    left, right, total = int((a & ~b).sum()), int((b & ~a).sum()), len(metric.ids)
    unjudged = sum(
        _row(side, cell, demand).n_judge_error
        for side, cell in zip(sides, (pair.a, pair.b), strict=True)
    )
    limit = demand.spec.max_error_rate
    if (left + right - unjudged) <= limit * total:
        return ""
    said = f"{left + right} of {total} samples have a score on one side only"
    return f"{said} (the baseline's {left}, the candidate's {right}), more than {limit:.3g} of them"


def hidden_failures(demand: Demand, side: Side, cell: CellRecord, span: float | None) -> str:
    """What to say of failures that may hide a drop; "" if there are none.

    Failed samples stand on neither side, so that a model that fails where it would lose passes.
    """
    row, rate = _row(side, cell, demand), demand.spec.max_error_rate
    failed, total = row.n_error - row.n_judge_error, _total(row)
    if not failed or rate <= demand.limit / (span or math.inf):
        return ""
    said = f"{failed} of {total} samples failed and count neither way"
    asked = f"max_error_rate {rate:g} allows more than max_drop {demand.limit:g}"
    return f"{demand.task}: {demand.metric}: {said}, and {asked}"


def check_meaning(spec: GateSpec, info: ScorerInfo) -> str:
    """Why a line cannot be meant of a metric, as limits beyond its scale; "" if it can."""
    found = limit_fault(spec, Range(info.low, info.high))
    if found is None and not info.judge:
        found = judge_key_fault(spec)
    return found[1] if found else ""


def _row(side: Side, cell: CellRecord, demand: Demand) -> MetricRow:
    return next(
        one for one in side.run.metrics() if (one.cell, one.metric) == (cell.cell, demand.metric)
    )


def _total(row: MetricRow) -> int:
    return row.n + row.n_error + row.n_skipped


def _info(side: Side, cell: CellRecord, demand: Demand) -> ScorerInfo:
    """The scorer with its judge's kappa as it is known today."""
    (known,) = measured(side.run, [cell])
    return next(one for one in known.scorers if one.name == demand.metric)


def _failures(demand: Demand, row: MetricRow) -> tuple[str, str]:
    total = _total(row)
    failed = row.n_error - row.n_judge_error
    limit = demand.spec.max_error_rate
    if not total:
        return "there are no samples", ""
    said = f"{failed} of {total} samples failed"
    if failed / total > limit:
        return f"{said}, more than {limit:.3g} of them: run it again", ""
    if row.n_skipped == total:
        return f"all {total} samples were skipped", ""
    return "", said


def _judge(
    demand: Demand, side: Side, info: ScorerInfo, row: MetricRow, trust: Trust
) -> list[tuple[str, str]]:
    """What is wrong, or what there is to say, of each thing that is asked of a judge."""
    if not info.judge:
        return []
    asked = demand.spec.min_kappa
    return [
        _errors(demand, side, info, row),
        (_not_believed(demand, side, info, trust), ""),
        ("", "") if asked is None else _kappa(info, asked),
    ]


def _errors(demand: Demand, side: Side, info: ScorerInfo, row: MetricRow) -> tuple[str, str]:
    spec = spec_as_judged(side.run, info)
    limit = demand.spec.max_judge_error_rate
    if limit is None:
        limit = spec.limits.max_judge_error_rate if spec else 0.02
    judged = row.n + row.n_judge_error
    said = f"{row.n_judge_error} of {judged} answers have no verdict"
    if judged and row.n_judge_error / judged <= limit:
        return "", said
    return f"{said}, more than {limit:.3g} of them: harness judge {side.run.run_id}", ""


def _kappa(info: ScorerInfo, asked: float) -> tuple[str, str]:
    if info.kappa is None:
        what = f"nobody has measured how far {info.judge} and people agree"
        return f"{what}: harness judge calibrate {info.judge} LABELS", ""
    kappa = number(info.kappa)
    if info.kappa < asked:
        return f"kappa of {info.judge} with people is {kappa}, below {asked:g}", ""
    return "", f"kappa {kappa}"


def _not_believed(demand: Demand, side: Side, info: ScorerInfo, trust: Trust) -> str:
    adapters = {one.model: one.adapter for one in side.run.manifest.models}
    embedding = any(adapters.get(name) == "embedding-judge" for name in info.judged_by.split(" + "))
    if embedding and not demand.spec.allow_embedding_judge:
        what = f"{info.judge} was judged by an embedding judge, not an LLM"
        return f"{what}: 'allow_embedding_judge: true' lets it count"
    reasons = trust.get(info.judge, ())
    return f"judge {info.judge}: {'; '.join(reasons)}" if reasons else ""
