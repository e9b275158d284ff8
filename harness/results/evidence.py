"""What a gate goes by: for each demand of its lines, the numbers of candidate and baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from harness.collect.gate_spec import GateSpec
from harness.results.corpus import aggregate_of
from harness.results.limits import Bounds, corpus_bounds, mean_bounds
from harness.results.metrics import SampleScores
from harness.results.onesided import (
    OneSided,
    corpus,
    paired,
    ratio_of_means,
    ratio_of_quantiles,
)
from harness.results.pairs import Metric
from harness.results.run import ScorerInfo
from harness.results.stats import TOO_LARGE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Key = Literal["max_drop", "min", "max", "max_ratio", "limits"]
WORST = 3
"""Samples that are named under a failure."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that one line asks of one cell (and class): `key` is what must keep to `limit`."""

    spec: GateSpec
    key: Key
    limit: float
    metric: str
    """The metric's full name, as scores have it."""
    task: str
    variant: str
    model: str
    cell: str
    baseline: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data say to one demand.

    Of ``drop`` the difference is oriented: positive means that the candidate is better. ``error``
    is why nothing can be decided; then there are no numbers.
    """

    demand: Demand
    error: str = ""
    n: int = 0
    units: int = 0
    """Independent samples, or clusters of them."""
    before: float | None = None
    after: float | None = None
    upwards: bool = True
    identical: str = ""
    """Why nothing needs to be estimated, as ``same_answers`` says it; empty if something does."""
    drop: OneSided | None = None
    bounds: Bounds | None = None
    ratio: OneSided | None = None
    span: float | None = None
    """The most that two values of the metric can differ by."""
    worst: tuple[str, ...] = ()
    said: str = ""
    """What there is to say of a demand about limits that are kept."""
    remark: str = ""
    """What there is to say beside a decision: that not all samples stand in it."""

    @property
    def p(self) -> float | None:
        """The p value that can fail the candidate; None if chance plays no part."""
        if self.error or self.demand.spec.rule == "point":
            return None
        if self.after is not None and math.isinf(self.after) and self.bounds is not None:
            return None  # no other samples would make up for it
        if self.drop is not None:
            return None if self.identical else self.drop.p_worse
        if self.ratio is not None:
            return self.ratio.p_worse
        if self.bounds is not None:
            return self.bounds.p_below if self.demand.key == "min" else self.bounds.p_above
        return None


@dataclass(frozen=True)
class Trial:
    """A demand before its data: the metric on both sides, and the samples ``at`` that count.

    ``same`` says that nothing needs to be estimated, and why; ``remark`` goes into the evidence.
    What needs no data of samples, or has none, is ``settled``.
    """

    demand: Demand
    metric: Metric | None = None
    at: Sequence[int] = ()
    same: str = ""
    settled: Evidence | None = None
    remark: str = ""

    def weigh(self) -> Evidence:
        """The evidence."""
        if self.settled is not None or self.metric is None:
            return self.settled or Evidence(self.demand, error="there are no data")
        if self.demand.key == "max_drop":
            found = drop_evidence(self.demand, self.metric, self.at, self.same)
        else:
            found = floor_evidence(self.demand, self.metric, self.at)
        return replace(found, remark=self.remark)


def settled(demand: Demand, *, error: str = "", said: str = "") -> Trial:
    """A demand on which there is nothing to compute."""
    return Trial(demand, settled=Evidence(demand, error=error, said=said))


def drop_evidence(demand: Demand, metric: Metric, at: Sequence[int], same: str) -> Evidence:
    """The candidate (b) against the baseline (a) on the samples ``at`` that both have scores of.

    ``same`` as of a Trial. A baseline without a finite mean decides nothing.
    """
    info, upwards = metric.info, metric.info.higher_is_better
    a, b = metric.a.take(at), metric.b.take(at)
    before, after = _mean(a, info), _mean(b, info)
    if before is not None and not math.isfinite(before):
        return Evidence(demand, error=f"the baseline's {info.name} is {before}: no drop from there")
    groups = [metric.clusters[i] for i in at]
    if info.aggregate == "mean":
        left, right = (a.value, b.value) if upwards else (-a.value, -b.value)
        # 1 and 0 are proportions in either direction; the negative of them are not
        numeric = info.kind == "number"
        if not upwards and not numeric:
            left, right = left + 1.0, right + 1.0
        found = paired(left, right, groups, numeric=numeric, span=info.span)
    else:
        aggregate = aggregate_of(info.aggregate)
        found = corpus(a.detail, b.detail, aggregate, groups, upwards=upwards)
    if found.method == TOO_LARGE:
        return Evidence(demand, error=f"{info.name}: {TOO_LARGE}")
    return Evidence(
        demand,
        n=len(at),
        units=found.clusters,
        before=before,
        after=after,
        upwards=upwards,
        identical=same,
        drop=found,
        span=info.span,
        worst=worst_samples(metric, at),
    )


def floor_evidence(demand: Demand, metric: Metric, at: Sequence[int]) -> Evidence:
    """The candidate (b) alone against a floor or a ceiling."""
    info, b = metric.info, metric.b.take(at)
    groups = [metric.clusters[i] for i in at]
    limits = (demand.limit, None) if demand.key == "min" else (None, demand.limit)
    value = _mean(b, info)
    if info.aggregate == "mean":
        numeric, span = info.kind == "number", (info.low, info.high)
        found = mean_bounds(b.value, limits, groups, numeric=numeric, span=span)
    else:
        found = corpus_bounds(b.detail, aggregate_of(info.aggregate), limits, groups)
    if found.method == TOO_LARGE and not math.isinf(value or 0.0):
        return Evidence(demand, error=f"{info.name}: {TOO_LARGE}")
    return Evidence(
        demand,
        n=len(at),
        units=found.clusters,
        after=value,
        upwards=info.higher_is_better,
        bounds=found,
    )


def ratio_evidence(
    demand: Demand, a: Floats, b: Floats, clusters: Sequence[str | None]
) -> Evidence:
    """What answers cost, one value for each sample of both sides, in pairs.

    The test is of "the ratio is at most the limit", so that a rise within it is none.
    """
    import numpy as np

    quantile = {"latency_p95_ms": 0.95, "latency_p50_ms": 0.5}.get(demand.spec.metric)
    scaled = a * demand.limit
    if quantile is None:
        found = ratio_of_means(scaled, b, clusters)
    else:
        found = ratio_of_quantiles(scaled, b, quantile)
    if found.method == TOO_LARGE:
        return Evidence(demand, error=f"{demand.spec.metric}: {TOO_LARGE}")
    if quantile is None:
        before, after = mean_of(a), mean_of(b)
    else:
        before, after = (float(np.quantile(x, quantile)) for x in (a, b))
    return Evidence(demand, n=len(a), before=before, after=after, upwards=False, ratio=found)


def worst_samples(metric: Metric, at: Sequence[int]) -> tuple[str, ...]:
    """Those samples whose value fell most, worst first; none that did not fall."""
    import numpy as np

    places = np.asarray(at, dtype=np.intp)
    lost = metric.a.value[places] - metric.b.value[places]
    lost = lost if metric.info.higher_is_better else -lost
    order = np.argsort(-np.nan_to_num(lost, nan=-np.inf), kind="stable")[:WORST]
    return tuple(metric.ids[int(places[i])] for i in order if lost[i] > 0)


def mean_of(values: Floats) -> float:
    """The mean, so exact that three times 0.7 has a mean of 0.7."""
    import numpy as np

    if not np.isfinite(values).all():
        with np.errstate(invalid="ignore"):
            return float(values.mean())
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(values / len(values))


def _mean(scores: SampleScores, info: ScorerInfo) -> float | None:
    if not len(scores.ids):
        return None
    if info.aggregate == "mean":
        return mean_of(scores.value)
    return float(aggregate_of(info.aggregate)(scores.detail.sum(axis=0, keepdims=True))[0])
