"""One-sided bounds of a mean difference of pairs.

Where no exact one is to be had, the wider of two is given. The lower bound of numbers, by which a
gate lets a candidate pass, reckons with a drop that no sample has shown (``unseen``).

Sources: Tango 1998 (Stat. Med. 17:891) with half a sample's continuity correction; Efron &
Tibshirani 1993, ch. 12 (bootstrap-t); Miller 2024 (arXiv 2411.00640, clusters); Clopper & Pearson
1934 (Biometrika 26:404, what samples without any difference show).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.results import stats
from harness.results.differences import difference_interval, tango, tango_score
from harness.results.unseen import lower_bound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

SPARSE = 20  # fewer differences than these, and among at most a quarter of the pairs: see _sparse
COLLAPSE = 0.5
"""The drop of a single sample, as a share of the metric's span, that is reckoned with unseen.

With the whole span, equal models could not pass at n = 50 and a margin of a twentieth of the span;
see ``numeric_bounds`` for what the half costs and what it leaves open."""


def tango_bounds(wins: int, losses: int, n: int, alpha: float) -> stats.Interval:
    """Tango's bounds of (wins - losses) / n, half a sample further out.

    Without that, a model that is worse by exactly the margin passes up to 8.5 % of the time where
    it should 5 % (counted out for n from 8 to 100 and margins from 0.02 to 0.3); with it at most
    5.3 %, but for 6.0 % at n = 25 and margin 0.3.
    """
    found = tango(wins, losses, n, 1 - 2 * alpha)
    low = None if found.low is None else found.low - 0.5 / n
    high = None if found.high is None else found.high + 0.5 / n
    return stats.Interval(low, high, "tango, corrected for continuity").within(-1.0, 1.0)


def rules_out(wins: int, losses: int, n: int, margin: float, alpha: float) -> bool:
    """Whether the lower one of ``tango_bounds`` lies above -margin, without looking for it."""
    edge = 0.5 / n - margin  # where Tango's own bound has to lie above
    if edge >= (wins - losses) / n:
        return False
    return edge < -1 or tango_score(wins, losses, n, edge) > stats.normal_quantile(1 - 2 * alpha)


def numeric_bounds(
    d: Floats, groups: Ints | None, span: float | None, alpha: float
) -> stats.Interval:
    """The bounds of a mean difference that is no proportion; ``span`` as in ``onesided.paired``.

    Below 100 the wider of t and bootstrap-t; clusters have the wider of the clustered error and
    the jackknife's (the first alone let a model that is worse by the margin pass 6 to 7 % of the
    time with 3 to 10 clusters of one to six samples).

    ``low`` also reckons with one sample more that fell by ``reach``: a few answers that collapse
    are what usually goes wrong, and a small data set often shows none of them. How often a model
    passes margin m, in % (span 1; 600 to 800 simulations each; behind the stroke without this):

        n                                  16     30      50     100     200     500
        worse by exactly m (5 would be right)
        5 % fall by 1.0, m .05           0|44  18|25    7|7    3|13    2|10    5|9
        10 % fall by .5, m .05           0|19   5|6     2|2    3|9     3|7     4|7
        3 % of .8 fall to 0, m .025      0|33   0|36    3|22   5|15    2|10    3|7
        all fall by .05, sd .1, m .05    0|5    0|6     0|5    2|7     2|5     4|5
        as good as the baseline
        sd .05, m .05                    0|98  50|100 100|100 100|100 100|100 100|100
        sd .1, m .05                     2|55  36|82   80|97  100|100 100|100 100|100
        sd .15, m .05                    6|33  29|54   55|73   91|95  100|100 100|100
        sd .1, m .1                     59|98 100|100 100|100 100|100 100|100 100|100
        sd .1, m .02                     0|19   2|28   10|39   39|64   77|88  100|100

    So below about 1.5 span / m samples nobody passes, and up to 3 span / m drops of more than half
    of the span (first row, n = 30 and 50) still slip through more often than they should.
    ``high`` takes no account of what is unseen: what fails a candidate is the p value beside it,
    which is exact.
    """
    import numpy as np
    from scipy.special import stdtrit

    if stats.is_flat(d):
        units = float(len(d)) if groups is None else stats.effective_clusters(groups)
        return _equal(float(d[0]), units, span, alpha)
    parts = d
    if groups is not None:  # each cluster's part in the mean
        sums = np.bincount(groups, weights=d).astype(np.float64)
        parts = sums * (len(sums) / len(d))
    level = 1 - 2 * alpha
    found = difference_interval(d, groups, level)
    if not found.known:
        return found
    if groups is None and len(d) < stats.LARGE:
        other = stats.t_interval(d, level)
        name = "t" if found.method == "t" else "bootstrap-t or t, the wider"
        found = wider(found, stats.Interval(other.low, other.high, name))
    if groups is not None:
        error, df = stats.few_clusters_error(d, groups)
        half, mean = float(stdtrit(df, 1 - alpha)) * error, float(d.mean())
        found = wider(found, stats.Interval(mean - half, mean + half, found.method))
    found = _sparse(parts, found, alpha)
    most = reach(d, groups, span)
    low = lower_bound(parts, -most, alpha)
    if found.low is None or low >= found.low:
        return found
    return stats.Interval(low, found.high, f"{found.method}; low with a drop of {most:.3g} unseen")


def reach(d: Floats, groups: Ints | None, span: float | None) -> float:
    """How large a drop of one unit is reckoned with: the largest difference there is, or that of
    one sample that falls by COLLAPSE of the span. A cluster counts by its part in the mean."""
    import numpy as np

    units, size = d, 1.0
    if groups is not None:
        sums = np.bincount(groups, weights=d).astype(np.float64)
        size = len(sums) / len(d)
        units = sums * size
    return max(float(abs(units).max()), COLLAPSE * size * (span or 0.0))


def _equal(value: float, n: float, span: float | None, alpha: float) -> stats.Interval:
    """The bounds if every sample differs by the same: others have a share of 1 - alpha^(1/n)."""
    if span is None:
        return stats.Interval(None, None, f"{stats.DEGENERATE}, and the metric has no range")
    share, span = -math.expm1(math.log(alpha) / n), max(span, abs(value))
    low, high = (1 - share) * value - share * span, (1 - share) * value + share * span
    return stats.Interval(low, high, f"all differences equal: at most {share:.1%} are otherwise")


def _sparse(units: Floats, found: stats.Interval, alpha: float) -> stats.Interval:
    """Widened where hardly any pair differs, so that the spread is known from a handful.

    Then the largest difference is what each of them may be, and how many there are is bounded by
    Tango. Measured: with 2 % of 200 samples dropping by half of the range, t alone lets a model
    that is worse by the margin pass 7 % of the time.
    """
    wins, losses = int((units > 0).sum()), int((units < 0).sum())
    if wins + losses >= SPARSE or 4 * (wins + losses) > len(units):
        return found
    share, most = tango_bounds(wins, losses, len(units), alpha), float(abs(units).max())
    if share.low is None or share.high is None:
        return found
    name = f"{found.method}, widened: only {wins + losses} differ"
    return wider(found, stats.Interval(most * share.low, most * share.high, name))


def wider(one: stats.Interval, other: stats.Interval) -> stats.Interval:
    """The lower low and the higher high of two known intervals, under the second's name."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return one
    return stats.Interval(min(one.low, other.low), max(one.high, other.high), other.method)


def around(found: stats.Interval, value: float) -> tuple[float | None, float | None]:
    """The bounds, holding the value that rounding may have put a hair outside."""
    low = None if found.low is None else min(found.low, value)
    return low, None if found.high is None else max(found.high, value)
