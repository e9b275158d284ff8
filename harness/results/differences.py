"""Paired differences and how sure they are: is one model better than another on these samples?

As in ``harness.results.stats``, nothing returns nan or an interval of zero width, everything is
seeded, and the order of the samples does not matter.

Sources: Tango 1998 (Stat. Med. 17:891); Fagerland, Lydersen & Laake 2013 (BMC Med. Res. Meth.
13:91, mid-p McNemar); Miller 2024 (arXiv 2411.00640, clusters); Koehn 2004 (EMNLP, paired
bootstrap of corpus metrics); Holm 1979 (Scand. J. Stat. 6:65).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.flips import sign_flip_method, sign_flip_p
from harness.results.multiple import holm
from harness.results.stats import (
    DEGENERATE,
    LEVEL,
    Interval,
    clustered_error,
    group_codes,
    is_binary,
    normal_quantile,
    numeric_interval,
    percentiles,
    resampled_sums,
    sum_groups,
    t_quantile,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = [
    "Difference",
    "best_possible_p",
    "difference_interval",
    "holm",
    "mcnemar_mid_p",
    "mcnemar_worse_p",
    "paired_corpus_difference",
    "paired_difference",
    "sign_flip_method",
    "sign_flip_p",
    "tango",
    "tango_score",
    "without_rounding",
]


@dataclass(frozen=True, slots=True)
class Difference:
    """b minus a over n pairs; ``wins`` are the pairs in which b is higher.

    ``clusters`` is the number of independent groups, n if samples are independent. ``method``
    names the interval, ``p_method`` the test.
    """

    value: float
    low: float | None
    high: float | None
    p: float
    n: int
    wins: int
    ties: int
    losses: int
    method: str
    clusters: int
    p_method: str = ""

    @property
    def interval(self) -> Interval:
        """The confidence interval alone."""
        return Interval(self.low, self.high, self.method)


def paired_difference(
    a: Floats,
    b: Floats,
    clusters: Sequence[object] | None = None,
    level: float = LEVEL,
    *,
    numeric: bool = False,
) -> Difference:
    """The mean of b - a over pairs, with interval and two-sided p.

    Values of 0 and 1 that are not declared ``numeric``: Tango's score interval and McNemar's
    mid-p. Otherwise: t from 100 pairs on,
    below that bootstrap-t, with a sign-flip p (``flips.sign_flip_p``). With groups: clustered
    standard error, and signs flipped by group. Swapping a and b flips the sign and nothing else.
    """
    import numpy as np

    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    d = without_rounding(a, b)
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    groups = group_codes(clusters, len(d))
    count = len(d) if groups is None else int(groups.max()) + 1
    if len(d) == 0:
        interval, p, test = Interval(None, None, "no samples"), 1.0, ""
    elif groups is not None:
        sums = np.bincount(groups, weights=d).astype(np.float64)
        interval, p = difference_interval(d, groups, level), sign_flip_p(sums)
        test = f"{sign_flip_method(sums)}, {count} clusters"
    elif not numeric and is_binary(a) and is_binary(b):
        interval, p = tango(wins, losses, len(d), level), mcnemar_mid_p(wins, losses)
        test = "mcnemar mid-p"
    else:
        interval, p, test = difference_interval(d, None, level), sign_flip_p(d), sign_flip_method(d)
    value = math.fsum(d) / max(len(d), 1)  # exact, so that order cannot matter
    ties = len(d) - wins - losses
    low, high, method = interval.low, interval.high, interval.method
    return Difference(value, low, high, p, len(d), wins, ties, losses, method, count, test)


def without_rounding(a: Floats, b: Floats) -> Floats:
    """b - a, where equal numbers that were computed in another order are a tie, not a win."""
    import numpy as np

    if len(a) != len(b):
        raise ValueError(f"{len(a)} values against {len(b)}")
    d: Floats = b - a
    d[np.abs(d) <= 1e-12 * np.maximum(1, np.maximum(np.abs(a), np.abs(b)))] = 0.0
    return d


def tango(wins: int, losses: int, n: int, level: float = LEVEL) -> Interval:
    """Tango's score interval of (wins - losses) / n for paired 0/1 values (Tango 1998).

    The ends are where the score statistic, with the nuisance probability at its maximum
    likelihood, passes the normal quantile; found by bisection, the statistic falls throughout.
    """
    z = normal_quantile(level)
    value = (wins - losses) / n

    def end(target: float, low: float, high: float) -> float:
        for _ in range(60):
            middle = (low + high) / 2
            if tango_score(wins, losses, n, middle) > target:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    low = -1.0 if losses == n else end(z, -1.0, value)
    high = 1.0 if wins == n else end(-z, value, 1.0)
    return Interval(low, high, "tango")


def mcnemar_mid_p(wins: int, losses: int) -> float:
    """Two-sided mid-p of McNemar's test: the exact binomial p less the weight of the table seen."""
    from scipy.special import bdtr, gammaln

    n, k = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    log_weight = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - n * math.log(2)
    return min(1.0, 2 * float(bdtr(k, n, 0.5)) - math.exp(float(log_weight)))


def mcnemar_worse_p(wins: int, losses: int) -> float:
    """One-sided exact p that b is not worse: the chance of at most ``wins`` wins among the pairs
    that differ, if each is as likely a loss (McNemar 1947; exact binomial). 1.0 without any."""
    from scipy.special import bdtr

    return float(bdtr(wins, wins + losses, 0.5)) if wins + losses else 1.0


def best_possible_p(n: int, *, binary: bool) -> float:
    """The p of n independent pairs that all point the same way: no data can give a smaller one."""
    return 0.5**n if binary else min(1.0, 2 * 0.5**n)


def difference_interval(d: Floats, groups: Ints | None, level: float) -> Interval:
    """The interval of a mean difference, computed so that -d gives exactly the mirrored one."""
    import numpy as np

    def interval(values: Floats) -> Interval:
        if len(values) < 2:
            return Interval(None, None, "one sample")
        if groups is None:
            return numeric_interval(values, level)
        # differences are never proportions, also when they happen to be 0 and 1
        error = clustered_error(values, groups) if groups.max() > 0 else 0.0
        if error <= 1e-12 * max(1.0, float(np.abs(values).max())):
            return Interval(None, None, DEGENERATE)
        count, mean = int(groups.max()) + 1, float(values.mean())
        half = t_quantile(count - 1, level) * error
        return Interval(mean - half, mean + half, f"clustered t, {count} clusters")

    up = np.sort(d)
    down = np.sort(-d)
    first = np.flatnonzero(up != down)
    if len(first) == 0:  # d mirrors itself: so must its interval
        found = interval(d)
        if found.low is None or found.high is None:
            return found
        half = (found.high - found.low) / 2
        return Interval(-half, half, found.method)
    return interval(d) if up[first[0]] > down[first[0]] else -interval(-d)


def tango_score(wins: int, losses: int, n: int, delta: float) -> float:
    """Tango's statistic for the hypothesis that the true difference is ``delta``."""
    a = 2.0 * n
    b = -wins - losses + (2 * n - wins + losses) * delta
    c = -losses * delta * (1 - delta)
    q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * q + delta * (1 - delta))
    distance = wins - losses - n * delta
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def paired_corpus_difference(
    a: Floats,
    b: Floats,
    aggregate: Callable[[Floats], Floats],
    clusters: Sequence[object] | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Difference:
    """aggregate(sum of b) - aggregate(sum of a), by paired percentile bootstrap over samples.

    With clusters, whole clusters are drawn. p is twice the smaller share of resamples on the far
    side of zero (Koehn 2004). Wins are counted on the metric of each sample alone.
    """
    import numpy as np

    if len(a) != len(b):
        raise ValueError(f"{len(a)} values against {len(b)}")
    n, width = a.shape
    if n == 0:
        return Difference(0.0, None, None, 1.0, 0, 0, 0, 0, "no samples", 0)
    d = aggregate(b) - aggregate(a)
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    counts = sum_groups(np.concatenate([a, b], axis=1), group_codes(clusters, n))

    def differences(sums: Floats) -> Floats:
        return aggregate(sums[:, width:]) - aggregate(sums[:, :width])

    value = float(differences(counts.sum(axis=0, keepdims=True))[0])
    interval, p = Interval(None, None, "one sample"), 1.0
    if len(counts) > 1:
        drawn = differences(resampled_sums(counts, seed))
        interval = percentiles(drawn, level, "paired bootstrap")
        far = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        p = min(1.0, 2 * (far + 1) / (len(drawn) + 1))
    low = None if interval.low is None else min(interval.low, value)
    high = None if interval.high is None else max(interval.high, value)
    ties = n - wins - losses
    method, test = interval.method, "paired bootstrap" if len(counts) > 1 else ""
    return Difference(value, low, high, p, n, wins, ties, losses, method, len(counts), test)
