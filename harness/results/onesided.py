"""One-sided answers for a gate: is b worse than a, and is it at most a margin worse?

Two questions, two tools. ``p_worse`` is the answer to the first; its tests are exact when both
models are exchangeable (``harness.results.flips``), so that a gate stops an identical model no
more often than it says. ``low`` answers the second (non-inferiority: the lower bound lies above
minus the margin); where no exact bound is to be had, the wider of two is given. How often both
are wrong is measured in tests/results/test_gate_simulation.py. No scipy.stats: a gate starts fast.

Nothing here returns nan; bounds are None where nothing can be said, and ``method`` says why.

Sources: Koehn 2004 (EMNLP, paired bootstrap); Efron & Tibshirani 1993, ch. 11 (jackknife); Bickel,
Goetze & van Zwet 1997 (Stat. Sinica 7:1, m out of n bootstrap); Schuirmann 1987 (J. Pharmacokin.
Biopharm. 15:657, non-inferiority and equivalence); those of the bounds in ``drop_bounds``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results import stats
from harness.results.differences import (
    mcnemar_worse_p,
    sign_flip_method,
    sign_flip_p,
    without_rounding,
)
from harness.results.drop_bounds import around, numeric_bounds, reach, tango_bounds, wider
from harness.results.flips import UNITS, swap_p
from harness.results.limits import Bounds, corpus_bounds, mean_bounds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = [
    "Bounds",
    "OneSided",
    "corpus",
    "corpus_bounds",
    "equivalence_p",
    "mean_bounds",
    "non_inferiority_p",
    "paired",
    "ratio_of_means",
    "ratio_of_quantiles",
]


@dataclass(frozen=True, slots=True)
class OneSided:
    """What paired samples say about b against a.

    ``value`` is b - a, oriented by the caller so that more is better (a ratio: b / a, where more
    is worse). ``low`` and ``high`` are bounds of one side each, at 1 - alpha. ``p_worse`` is the
    p value of "b is not worse than a"; 1.0 if nothing can be said. ``spread`` is the standard
    deviation of the differences for each independent unit: with ``clusters`` units it gives the
    standard error spread / sqrt(clusters). None below two units, and for quantiles.

    ``discordant`` is the number of pairs that differ where values are yes or no and not clustered.
    ``reach`` is how large an unseen drop of one unit ``low`` reckons with, if it does.
    """

    value: float
    low: float | None
    high: float | None
    p_worse: float
    n: int
    clusters: int
    spread: float | None
    method: str
    p_method: str
    discordant: int | None = None
    reach: float | None = None


def paired(
    a: Floats,
    b: Floats,
    clusters: Sequence[object] | None = None,
    *,
    numeric: bool = False,
    span: float | None = None,
    alpha: float = 0.05,
) -> OneSided:
    """The mean of b - a over pairs that are in the same order.

    0 and 1, not ``numeric``, no clusters: Tango's bounds, exact binomial p. Otherwise sign flips
    (by cluster) and t bounds from 100 pairs on, below that the wider of bootstrap-t and t; with
    clusters clustered t. ``span`` is the most that one pair can differ (1 for 0/1 values): it is
    needed where all differences are equal, for then at most 1 - alpha^(1/n) of all samples can
    be otherwise, each by at most the span. ``low`` of numbers lies below -``high`` of the sides
    swapped: it alone reckons with drops that no sample shows (``drop_bounds.numeric_bounds``).
    Of values that are not finite, or whose squares are not, nothing is said (``stats.TOO_LARGE``).

    Raises ValueError if the sides have different lengths.
    """
    import numpy as np

    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if stats.overflows(a, b):
        return _nothing(0.0, len(a), stats.TOO_LARGE)
    d = without_rounding(a, b)
    groups = stats.group_codes(clusters, len(d))
    if len(d) == 0:
        return _nothing(0.0, 0, "no samples")
    binary = not numeric and stats.is_binary(a) and stats.is_binary(b)
    value = math.fsum(d) / len(d)
    count = len(d) if groups is None else int(groups.max()) + 1
    spread = _spread(d, groups, count)
    discordant = most = None
    if binary and groups is None:
        wins, losses = int((d > 0).sum()), int((d < 0).sum())
        p = mcnemar_worse_p(wins, losses)
        discordant = wins + losses
        found = tango_bounds(wins, losses, len(d), alpha)
        test = "exact binomial of the pairs that differ"
    else:
        sums = d if groups is None else np.bincount(groups, weights=d).astype(np.float64)
        span = 1.0 if binary and span is None else span
        p, test = sign_flip_p(sums, sides=1), sign_flip_method(sums)
        test += "" if groups is None else f", {count} clusters"
        found, most = numeric_bounds(d, groups, span, alpha), reach(d, groups, span)
    low, high = around(found, value)
    return OneSided(
        value, low, high, p, len(d), count, spread, found.method, test, discordant, most
    )


def non_inferiority_p(a: Floats, b: Floats, margin: float) -> float:
    """One-sided p of "b is worse than a by the margin or more", by the paired t test.

    As ``statsmodels.stats.weightstats.ttost_paired`` has it for its lower end. 1.0 with fewer
    than two pairs; without spread, 0.0 or 1.0 would pretend knowledge: 1.0.
    """
    from scipy.special import stdtr

    d = without_rounding(a, b)
    if len(d) < 2 or stats.is_flat(d):
        return 1.0
    error = float(d.std(ddof=1)) / math.sqrt(len(d))
    return float(stdtr(len(d) - 1, -(float(d.mean()) + margin) / error))


def equivalence_p(a: Floats, b: Floats, low: float, high: float) -> float:
    """p of "the mean of b - a lies outside low to high": two one-sided paired t tests.

    Schuirmann 1987 (J. Pharmacokin. Biopharm. 15:657); 1.0 as in ``non_inferiority_p``.
    """
    return max(non_inferiority_p(a, b, -low), non_inferiority_p(b, a, high))


# --------------------------------------------------------------------------- sums


def corpus(
    a: Floats,
    b: Floats,
    aggregate: Callable[[Floats], Floats],
    clusters: Sequence[object] | None = None,
    *,
    upwards: bool,
    alpha: float = 0.05,
) -> OneSided:
    """aggregate(sum of b) - aggregate(sum of a); its negative unless the metric goes ``upwards``.

    Bounds: paired percentile bootstrap over samples (or clusters), below 100 of them the wider of
    it and the jackknife's t. p: random swaps of the two sides' rows. Rows as in
    ``differences.paired_corpus_difference``.
    """
    import numpy as np

    sign = 1.0 if upwards else -1.0

    def better(sums_a: Floats, sums_b: Floats) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.nan_to_num(sign * (aggregate(sums_b) - aggregate(sums_a)))

    return _of_sums(a, b, better, clusters, alpha)


def ratio_of_means(
    a: Floats,
    b: Floats,
    clusters: Sequence[object] | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> OneSided:
    """The mean of b over the mean of a, where more is worse: tokens, time, memory.

    ``p_worse`` is of "the ratio is at most 1"; bounds and p as in ``corpus``. Values must not be
    negative. A mean of zero under a positive one counts as the largest number there is, and zero
    against zero as 1. Values that are not finite say nothing (``stats.TOO_LARGE``).
    """
    import numpy as np

    a, b = np.asarray(a, dtype=np.float64)[:, None], np.asarray(b, dtype=np.float64)[:, None]
    if stats.overflows(a, b):
        return _nothing(1.0, len(a), stats.TOO_LARGE)

    def better(sums_a: Floats, sums_b: Floats) -> Floats:
        return -_ratio(sums_a[:, 0], sums_b[:, 0])

    found = _of_sums(a, b, better, clusters, alpha, seed)
    low = None if found.high is None else -found.high
    high = None if found.low is None else -found.low
    value = -found.value if found.n else 1.0
    return OneSided(
        value,
        low,
        high,
        found.p_worse,
        found.n,
        found.clusters,
        found.spread,
        found.method,
        found.p_method,
    )


def ratio_of_quantiles(
    a: Floats, b: Floats, q: float, alpha: float = 0.05, seed: int = 0
) -> OneSided:
    """b's q-quantile over a's, where more is worse: latency at the 95th percentile.

    Paired percentile bootstrap of the logarithm. From more than 2,500 pairs, as many are drawn
    and the spread is scaled by sqrt(drawn / n). ``p_worse`` of "the ratio is at most 1" is the
    share of resamples at or below 1. Values must not be negative; if they are not finite, nothing
    is said (``stats.TOO_LARGE``).
    """
    import numpy as np

    pairs = np.stack([np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)])
    n = pairs.shape[1]
    if stats.overflows(*pairs) or n == 0:
        return _nothing(1.0, n, stats.TOO_LARGE if n else "no samples")
    pairs = pairs[:, np.lexsort(pairs)]  # the order of the samples must not matter
    before, after = np.quantile(pairs, q, axis=1)
    value = float(_ratio(before[None], after[None])[0])
    if n < 2 or not (before > 0 and after > 0):
        why = "one sample" if n < 2 else "a quantile is zero"
        return OneSided(value, None, None, 1.0, n, n, None, why, "")
    size = min(n, UNITS)
    drawn = np.random.default_rng(seed).integers(0, n, (stats.RESAMPLES // 2, size))
    quantiles = [np.maximum(np.quantile(side[drawn], q, axis=1), 1e-300) for side in pairs]
    logs = (np.log(quantiles[1] / quantiles[0]) - math.log(value)) * math.sqrt(size / n)
    logs += math.log(value)
    p = (int((logs <= 0).sum()) + 1) / (len(logs) + 1)
    found = stats.percentiles(logs, 1 - 2 * alpha, "paired bootstrap")
    low = None if found.low is None else min(math.exp(found.low), value)
    high = None if found.high is None else max(math.exp(found.high), value)
    if low is None:  # no spread at all: two equal sides are no evidence, two constants are
        p = 1.0 if value <= 1 else 0.5**n
    return OneSided(value, low, high, p, n, n, None, found.method, "paired bootstrap")


def _of_sums(
    a: Floats,
    b: Floats,
    better: Callable[[Floats, Floats], Floats],
    clusters: Sequence[object] | None,
    alpha: float,
    seed: int = 0,
) -> OneSided:
    """A statistic of the sums of two sides' rows: bootstrap bounds, p by swaps."""
    import numpy as np

    if len(a) != len(b):
        raise ValueError(f"{len(a)} values against {len(b)}")
    n, width = a.shape
    if n == 0 or stats.overflows(a, b):
        return _nothing(0.0, n, stats.TOO_LARGE if n else "no samples")
    counts = np.concatenate([a, b], axis=1)
    counts = stats.sum_groups(counts, stats.group_codes(clusters, n))
    units = len(counts)
    counts = counts[np.lexsort(counts.T)]  # the order of the samples must not matter
    left, right = counts[:, :width], counts[:, width:]
    value = float(better(left.sum(axis=0, keepdims=True), right.sum(axis=0, keepdims=True))[0])
    p, test = swap_p(left, right, better, seed), "random swaps"
    if units < 2:
        return OneSided(value, None, None, p, n, units, None, "one sample", test)
    sums = stats.resampled_sums(counts, seed)
    drawn = better(sums[:, :width], sums[:, width:])
    if stats.overflows(drawn, np.array([value])):  # an endless perplexity: ranks still say a p
        return OneSided(value, None, None, p, n, units, None, "no finite interval", test)
    found = stats.percentiles(drawn, 1 - 2 * alpha, "paired bootstrap")
    spread = float(drawn.std()) * math.sqrt(units) if found.known else 0.0
    if found.known and units < stats.LARGE:
        whole = counts.sum(axis=0)
        error = stats.jackknife_error(better(whole[:width] - left, whole[width:] - right))
        half = stats.t_quantile(units - 1, 1 - 2 * alpha) * error
        name = "paired bootstrap or jackknife t, the wider"
        found = wider(found, stats.Interval(value - half, value + half, name))
    low, high = around(found, value)
    return OneSided(value, low, high, p, n, units, spread, found.method, test)


def _nothing(value: float, n: int, why: str) -> OneSided:
    return OneSided(value, None, None, 1.0, n, n, None, why, "")


def _ratio(before: Floats, after: Floats) -> Floats:
    """after / before; 1 for zero over zero, the largest number for anything else over zero."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.nan_to_num(after / before, nan=1.0)


def _spread(d: Floats, groups: Ints | None, count: int) -> float | None:
    """See OneSided; zero where all differences are equal."""
    if count < 2:
        return None
    if stats.is_flat(d):
        return 0.0
    if groups is None:
        return float(d.std(ddof=1))
    return stats.clustered_error(d, groups) * math.sqrt(count)
