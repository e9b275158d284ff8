"""What is left of a metric when the input is degraded: degraded/clean on the same samples.

The ratio is of two means (or two corpus values) over the samples that have a score of both, its
interval a paired percentile bootstrap over samples, or over clusters where the data have them. A
ratio needs a clean value above zero: where a resample may have none, there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from harness.results import stats
from harness.results.classes import sample_classes
from harness.results.compare import Comparison, adjusted, kept, kept_clusters
from harness.results.corpus import aggregate_of
from harness.results.manifest import CellRecord
from harness.results.metrics import SampleScores
from harness.results.pairs import Metric
from harness.results.run import ScorerInfo
from harness.results.stats import Interval
from harness.results.store import RunReader
from harness.results.variants import DEGRADE, NONE, natural, settings_of, without
from harness.results.within import Measured, paired, paired_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = "level"
RARE = 0.025
"""Share of resamples without a clean value up to which they are left out."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """degraded/clean over ``n`` samples; ``value`` is None where the clean value is not above 0."""

    clean: float | None
    degraded: float | None
    value: float | None
    interval: Interval
    n: int


@dataclass(frozen=True)
class Robust:
    """One metric of one degraded cell against its clean one; ``by_class`` the same of each class
    of the samples, none if they have no classes."""

    clean: Measured
    degraded: Measured
    ratio: Ratio
    comparison: Comparison
    by_class: Mapping[str, Ratio]

    @property
    def settings(self) -> str:
        """What both have in common."""
        return without(self.degraded.cell.variant, (DEGRADE, LEVEL))

    @property
    def how(self) -> str:
        """Kind and level as they were set."""
        return degradation(self.degraded.cell)


def degradation(cell: CellRecord) -> str:
    """Kind and level of a cell's degradation, "none" for a clean one."""
    own = settings_of(cell.variant)
    kind = own.get(DEGRADE) or NONE
    level = own.get(LEVEL, "")
    return f"{kind}:{level}" if level and kind != NONE else kind


def robustness(run: RunReader, found: Sequence[Measured]) -> list[Robust]:
    """Every degraded cell against the clean one of the same task, model and settings, kinds and
    levels in their order; those without a clean cell are left out, as are metrics that have no
    better side. p values of the differences are adjusted for all of them."""
    groups: dict[tuple[str, ...], dict[str, Measured]] = {}
    for one in found:
        if not one.info.neutral:
            rest = without(one.cell.variant, (DEGRADE, LEVEL))
            key = (one.cell.task, one.cell.model, rest, one.info.name)
            groups.setdefault(key, {})[degradation(one.cell)] = one
    rows: list[Robust] = []
    for group in groups.values():
        clean = group.pop(NONE, None)
        for how in natural(group, none_first=True) if clean is not None else ():
            row = None if clean is None else against_clean(run, clean, group[how])
            rows += [] if row is None else [row]
    holm = adjusted([row.comparison for row in rows])
    return [
        Robust(row.clean, row.degraded, row.ratio, pair, row.by_class)
        for row, pair in zip(rows, holm, strict=True)
    ]


def against_clean(run: RunReader, clean: Measured, degraded: Measured) -> Robust | None:
    """One degraded cell against its clean one; None if they share no sample."""
    cells, info = (clean.cell, degraded.cell), clean.info
    metric = paired_scores(run, cells, info)
    comparison = paired(run, *cells, info)
    if metric is None or comparison is None:
        return None
    classes = sample_classes(run, clean.cell)
    return Robust(clean, degraded, ratio_of(metric), comparison, ratios_by_class(metric, classes))


def ratios_by_class(metric: Metric, classes: Mapping[str, str]) -> dict[str, Ratio]:
    """The ratio within each class; ``classes`` are sample -> class, none of some or of all."""
    import numpy as np

    own = [classes.get(sample) for sample in metric.ids]
    found = {}
    for label in natural(sorted({name for name in own if name is not None})):
        at = np.array([name == label for name in own])
        ids = list(compress(metric.ids, at.tolist()))
        clusters = kept_clusters(metric.clusters, at)
        part = Metric(metric.info, ids, kept(metric.a, at), kept(metric.b, at), clusters)
        found[label] = ratio_of(part)
    return found


def ratio_of(metric: Metric) -> Ratio:
    """b/a of a metric over the samples that have a score on both sides."""
    both = metric.a.ok & metric.b.ok
    a, b = kept(metric.a, both), kept(metric.b, both)
    clusters = kept_clusters(metric.clusters, both)
    (before, aggregate), (after, _) = statistics(metric.info, a), statistics(metric.info, b)
    return paired_ratio(before, after, aggregate, clusters)


def statistics(info: ScorerInfo, scores: SampleScores) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Rows of sums, one for each sample, and the function from their sum to the metric."""
    import numpy as np

    if info.aggregate != "mean":
        return scores.detail, aggregate_of(info.aggregate)
    return np.column_stack([scores.value, np.ones(len(scores.value))]), mean_of_sums


def mean_of_sums(sums: Floats) -> Floats:
    """Means from rows of (sum of values, number of values)."""
    import numpy as np

    found: Floats = sums[:, 0] / np.maximum(sums[:, 1], 1e-300)
    return found


def paired_ratio(
    a: Floats,
    b: Floats,
    aggregate: Callable[[Floats], Floats],
    clusters: Sequence[object] | None = None,
    *,
    level: float = stats.LEVEL,
    seed: int = 0,
) -> Ratio:
    """aggregate(sum of b) / aggregate(sum of a) with its paired bootstrap interval.

    ``a[i]`` and ``b[i]`` are the statistics of sample i; with clusters whole clusters are drawn.
    """
    import numpy as np

    if len(a) != len(b):
        raise ValueError(f"{len(a)} values against {len(b)}")
    n, width = a.shape
    if n == 0:
        return Ratio(None, None, None, Interval(None, None, "no samples"), 0)
    counts = stats.sum_groups(np.concatenate([a, b], axis=1), stats.group_codes(clusters, n))
    whole = counts.sum(axis=0, keepdims=True)
    clean, degraded = float(aggregate(whole[:, :width])[0]), float(aggregate(whole[:, width:])[0])
    if not clean > 0:
        return Ratio(clean, degraded, None, Interval(None, None, "clean value not above 0"), n)
    if len(counts) < 2:
        one = Interval(None, None, "one sample" if n == 1 else "one cluster")
        return Ratio(clean, degraded, degraded / clean, one, n)
    drawn = stats.resampled_sums(counts, seed)
    below, above = aggregate(drawn[:, :width]), aggregate(drawn[:, width:])
    live = below > 0
    found = Interval(None, None, "clean value too near 0")
    if np.mean(~live) <= RARE:
        how = "paired bootstrap" + (f", {len(counts)} clusters" if len(counts) < n else "")
        found = stats.percentiles(above[live] / below[live], level, how)
    return Ratio(clean, degraded, degraded / clean, _around(found, degraded / clean), n)


def _around(found: Interval, value: float) -> Interval:
    if found.low is None or found.high is None:
        return found
    return Interval(min(found.low, value), max(found.high, value), found.method)
