"""What a mean may be although no sample has shown it: bounds that add one bad sample.

A handful of scores with hardly any spread does not show that no answer ever collapses; Student's t
says it does. Gaffke's bound puts one more sample at the worst end, weighs all of them by a
Dirichlet(1, ..., 1) and takes the alpha quantile of the weighted mean. For values of 0 and 1 it
is Clopper and Pearson's, for equal values 1 - alpha^(1/n) of the way to the end, for many it is
Student's. It holds if no value can lie beyond that end (conjectured, no counterexample known).

The quantile is not drawn but computed: the weighted mean lies below c where a sum of exponential
variables times (value - c) lies below 0, and the saddlepoint approximation of that is better than
1 % of the probability.

Sources: Gaffke 2005 (Three test statistics for a nonparametric one-sided hypothesis on the mean of
a nonnegative variable, Math. Methods Stat. 14:451); Learned-Miller & Thomas 2019 (arXiv
1905.06208); Daniels 1987 (Int. Stat. Rev. 55:37, saddlepoints); Barndorff-Nielsen 1991 (Biometrika
78:557, the modified root); Owen 2001 (Empirical Likelihood, ch. 2, the same root).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CLOSE = 1e-7  # of the distance to the mean: how near the bound is found
NEAR = 1e-4  # a root below which the approximation divides nought by nought: there p is a half


class Weighted:
    """Values with one more at ``end``, under weights that are drawn anew: what their mean is.

    ``counts`` says how often each value came up (once); they need not be whole. Values beyond
    ``end`` are allowed: it is then their least that is the worst. Raises ValueError without values.
    """

    def __init__(self, values: Floats, end: float, counts: Floats | None = None) -> None:
        import numpy as np

        if len(values) == 0:
            raise ValueError("no values have no mean")
        if counts is None:
            values, found = np.unique(values, return_counts=True)  # sorted: order cannot matter
            counts = found.astype(np.float64)
        self._values = np.append(values, end)
        self._counts = np.append(counts, 1.0)
        self._least, self._most = float(self._values.min()), float(self._values.max())
        self._mean = float(self._counts @ self._values / self._counts.sum())
        size = max(abs(self._least), abs(self._most))
        self._flat = self._most - self._least <= max(1e-12 * size, 1e-150)  # rounding
        self._start = 0.0

    def below(self, limit: float) -> float:
        """The chance that the weighted mean lies at or below ``limit``."""
        if limit <= self._least or self._flat:
            return float(self._flat and self._least <= limit)
        return 1.0 if limit >= self._most else NormalDist().cdf(self._root(limit))

    def quantile(self, alpha: float) -> float:
        """Where the weighted mean lies below with a chance of ``alpha``, less than a half.

        Between the end and the mean, by the secant; bisected where that leaves the bracket.
        """
        low, high = self._least, self._mean
        if self._flat:
            return low
        target = NormalDist().inv_cdf(alpha)
        spread = math.sqrt(float(self._counts @ (self._values - high) ** 2)) / self._counts.sum()
        at, last = max(high + target * float(spread), (low + high) / 2), (high, -target)
        while high - low > CLOSE * (self._mean - self._least):
            gap = self._root(at) - target
            low, high = (at, high) if gap < 0 else (low, at)
            slope = (gap - last[1]) / (at - last[0]) if at != last[0] else 0.0
            last = (at, gap)
            step = at - gap / slope if slope > 0 else math.nan
            if abs(step - at) <= CLOSE * (self._mean - self._least):
                return step
            at = step if low < step < high else (low + high) / 2
        return low

    def _root(self, c: float) -> float:
        """The standard normal value with as large a chance below it as the mean has below c."""
        y = self._values - c
        s = self._saddle(y, 1 / float(y.min()), 1 / float(y.max()))
        import numpy as np

        inside = 1 - s * y
        r = math.copysign(math.sqrt(max(2 * float(self._counts @ np.log(inside)), 0.0)), s)
        if abs(r) < NEAR:
            return r
        v = s * math.sqrt(float(self._counts @ (y / inside) ** 2))
        return r + math.log(v / r) / r

    def _saddle(self, y: Floats, low: float, high: float) -> float:
        """Where the derivative of the cumulants, sum of y / (1 - s y), is nought: Newton's steps,
        halved towards the ends between which that sum rises from minus to plus infinity."""
        s = self._start if low < self._start < high else 0.0
        for _ in range(200):
            ratio = y / (1 - s * y)
            slope = float(self._counts @ ratio)
            low, high = (s, high) if slope < 0 else (low, s)
            step = s - slope / float(self._counts @ ratio**2)
            if not low < step < high:
                step = (low + high) / 2
            if abs(step - s) <= 1e-10 * abs(step):
                break
            s = step
        self._start = step
        return step


def lower_bound(values: Floats, end: float, alpha: float) -> float:
    """A bound that the mean of what the values were drawn from lies above, at 1 - alpha."""
    return Weighted(values, end).quantile(alpha)
