"""One mean against a floor or a ceiling: one-sided bounds and p values.

Shares of yes and no have exact ones (Clopper & Pearson 1934, Biometrika 26:404; the binomial
test): Wilson's interval is shorter, but lets a model just below its floor pass more often than it
says; in clusters the exact ones of the effective number of samples (Korn & Graubard 1998, Surv.
Methodol. 24:193). Other values have t, below 100 the wider of t and bootstrap-t (Efron &
Tibshirani 1993, ch. 12); clusters a clustered t (Miller 2024, arXiv 2411.00640). The bound by which
a gate lets them pass reckons with a value that no sample has shown (``unseen``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.results import stats
from harness.results.drop_bounds import COLLAPSE
from harness.results.unseen import lower_bound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What samples say about one mean; ``low`` and ``high`` are of one side each, at 1 - alpha.

    ``p_below`` is the p value of "the mean reaches the floor" (small: it lies below),
    ``p_above`` of "the mean keeps to the ceiling"; 1.0 without that limit, or if nothing can be
    said. ``spread`` is the standard deviation for each independent unit, None below two units.
    ``reach`` is how far from the mean, on the side of the limit, a value that was not seen is
    reckoned to lie, None if it is not; ``share`` says that the bounds are the exact binomial of n
    (or, if all values are equal, of the clusters).
    """

    value: float
    low: float | None
    high: float | None
    p_below: float
    p_above: float
    n: int
    clusters: int
    spread: float | None
    method: str
    reach: float | None = None
    share: bool = False


Limits = tuple[float | None, float | None]


def mean_bounds(
    values: Floats,
    limits: Limits = (None, None),
    clusters: Sequence[object] | None = None,
    *,
    numeric: bool = False,
    span: Limits = (None, None),
    alpha: float = 0.05,
) -> Bounds:
    """The mean of ``values`` against ``limits``, a floor and a ceiling.

    ``span`` is the range of the metric: bounds are cut to it, and where all values are equal it
    says how far the unseen ones may lie (at most 1 - alpha^(1/n) of all samples are unlike those
    seen). ``numeric`` as in ``stats.mean_interval``.

    Numbers that differ: ``low`` with a floor, and ``high`` with a ceiling, reckon with one value
    more that lies half of the span beyond the mean (or as far as the farthest of those seen).
    Without that, "5 % of all are 0, the others about 0.95" passed a floor that is its very mean
    44 % of the time at n = 16, 25 % at 30, 13 % at 100, 11 % at 200; with it 0, 12, 3, 3 %.
    What fails a candidate, the other bound and the p, takes no account of it: a model at its floor,
    of which 5 % are as far above the others as 1.0 above 0, is still failed that often.
    """
    import numpy as np

    values, n = np.asarray(values, dtype=np.float64), len(values)
    groups = stats.group_codes(clusters, n)
    if n == 0:
        return Bounds(0.0, None, None, 1.0, 1.0, 0, 0, None, "no samples")
    count = n if groups is None else int(groups.max()) + 1
    if stats.overflows(values):
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(np.nan_to_num(values.mean()))
        return Bounds(mean, None, None, 1.0, 1.0, n, count, None, stats.TOO_LARGE)
    yes_no = not numeric and stats.is_binary(values)
    if count < 2 and not yes_no and not stats.is_flat(values):
        return Bounds(float(values.mean()), None, None, 1.0, 1.0, n, 1, None, "one cluster")
    found = _fitting(values, groups, span, yes_no)
    low, high = found.bounds(alpha)
    reach = None
    if isinstance(found, _Student) and low is not None and high is not None:
        parts, half = _units(values, groups, span)
        if limits[0] is not None:
            reach = max(found.value - float(parts.min()), half)
            low = min(low, lower_bound(parts, found.value - reach, alpha))
        if limits[1] is not None:
            reach = max(float(parts.max()) - found.value, half)
            high = max(high, -lower_bound(-parts, -found.value - reach, alpha))
    elif isinstance(found, _Equal):
        end = span[1] if limits[0] is None else span[0]
        reach = None if end is None else abs(found.value - end)
    low, high = _cut((low, high), span, found.value)
    spread = _spread(values, groups, count)
    below = 1.0 if limits[0] is None else found.p_at_least(limits[0])
    above = 1.0 if limits[1] is None else found.p_at_most(limits[1])
    share = yes_no and (groups is None or stats.is_flat(values))
    return Bounds(
        found.value, low, high, below, above, n, count, spread, found.method, reach, share
    )


def corpus_bounds(
    counts: Floats,
    aggregate: Callable[[Floats], Floats],
    limits: Limits = (None, None),
    clusters: Sequence[object] | None = None,
    alpha: float = 0.05,
) -> Bounds:
    """A metric of summed statistics against ``limits``; rows as in ``stats.corpus_interval``.

    Percentile bootstrap over samples (or clusters); below 100 of them the wider of it and the
    jackknife's t, and the larger of both p values. Nothing is said without spread.
    """
    import numpy as np

    n = len(counts)
    if n == 0:
        return Bounds(0.0, None, None, 1.0, 1.0, 0, 0, None, "no samples")
    counts = stats.sum_groups(counts, stats.group_codes(clusters, n))
    counts, units = counts[np.lexsort(counts.T)], len(counts)
    whole = counts.sum(axis=0)
    value = float(np.nan_to_num(aggregate(whole[None])[0]))
    if units < 2:
        return Bounds(value, None, None, 1.0, 1.0, n, units, None, "one sample")
    if stats.overflows(counts):
        return Bounds(value, None, None, 1.0, 1.0, n, units, None, stats.TOO_LARGE)
    drawn = np.nan_to_num(aggregate(stats.resampled_sums(counts, 0)))
    if stats.overflows(drawn, np.array([value])):  # an endless perplexity
        return Bounds(value, None, None, 1.0, 1.0, n, units, None, "no finite interval")
    found = stats.percentiles(drawn, 1 - 2 * alpha, "bootstrap")
    if found.low is None or found.high is None:
        return Bounds(value, None, None, 1.0, 1.0, n, units, 0.0, found.method)
    low, high, method = found.low, found.high, found.method
    below = 1.0 if limits[0] is None else (int((drawn >= limits[0]).sum()) + 1) / (len(drawn) + 1)
    above = 1.0 if limits[1] is None else (int((drawn <= limits[1]).sum()) + 1) / (len(drawn) + 1)
    error = (
        stats.jackknife_error(np.nan_to_num(aggregate(whole - counts)))
        if units < stats.LARGE
        else 0.0
    )
    if error > 0:
        t = _Student(value, error, units - 1, None, "bootstrap or jackknife t, the wider")
        ends, method = t.bounds(alpha), t.method
        low, high = min(low, ends[0]), max(high, ends[1])
        below = 1.0 if limits[0] is None else max(below, t.p_at_least(limits[0]))
        above = 1.0 if limits[1] is None else max(above, t.p_at_most(limits[1]))
    spread = float(drawn.std()) * math.sqrt(units)
    low, high = min(low, value), max(high, value)
    return Bounds(value, low, high, below, above, n, units, spread, method)


class _Tests(Protocol):
    """One way to bound a mean, and to test whether it is at least or at most something."""

    @property
    def value(self) -> float: ...

    @property
    def method(self) -> str: ...

    def bounds(self, alpha: float) -> Limits: ...

    def p_at_least(self, floor: float) -> float: ...

    def p_at_most(self, ceiling: float) -> float: ...


@dataclass(frozen=True)
class _Exact:
    """A share of n samples; n need not be whole."""

    value: float
    n: float
    method: str

    def bounds(self, alpha: float) -> Limits:
        return stats.clopper_pearson_ends(self.value * self.n, self.n, alpha)

    def p_at_least(self, floor: float) -> float:
        from scipy.special import betainc

        k = self.value * self.n
        if not 0 < floor < 1:  # a share is never less than 0, and at least 1 only if all are
            return float(floor <= 0 or (floor == 1 and self.value == 1))
        return float(betainc(self.n - k, k + 1, 1 - floor)) if k < self.n else 1.0

    def p_at_most(self, ceiling: float) -> float:
        return _Exact(1 - self.value, self.n, "").p_at_least(1 - ceiling)


@dataclass(frozen=True)
class _Equal:
    """n samples of the same value, in a metric that has a range or none."""

    value: float
    n: float
    span: Limits
    method: str

    def bounds(self, alpha: float) -> Limits:
        share = -math.expm1(math.log(alpha) / self.n)
        low, high = (
            None if end is None else self.value + share * (end - self.value) for end in self.span
        )
        return low, high

    def p_at_least(self, floor: float) -> float:
        """The share of samples that must lie at the upper end, and the chance to see none."""
        top = self.span[1]
        if floor <= self.value or top is None:
            return 1.0
        return 0.0 if floor > top else (1 - (floor - self.value) / (top - self.value)) ** self.n

    def p_at_most(self, ceiling: float) -> float:
        low, high = (None if end is None else -end for end in self.span)
        return _Equal(-self.value, self.n, (high, low), "").p_at_least(-ceiling)


@dataclass(frozen=True)
class _Student:
    """A mean with its standard error; ``drawn`` are bootstrapped t statistics, if any."""

    value: float
    error: float
    df: float
    drawn: Floats | None
    method: str

    def bounds(self, alpha: float) -> tuple[float, float]:
        import numpy as np
        from scipy.special import stdtrit

        low = high = float(stdtrit(self.df, 1 - alpha))
        if self.drawn is not None:
            widest = stats.WIDEST * low
            ends = np.quantile(self.drawn, [alpha, 1 - alpha])
            low, high = (
                max(low, min(float(ends[1]), widest)),
                max(high, min(-float(ends[0]), widest)),
            )
        return self.value - low * self.error, self.value + high * self.error

    def p_at_least(self, floor: float) -> float:
        from scipy.special import stdtr

        t = (self.value - floor) / self.error
        p = float(stdtr(self.df, t))
        if self.drawn is None:
            return p
        return max(p, (int((self.drawn <= t).sum()) + 1) / (len(self.drawn) + 1))

    def p_at_most(self, ceiling: float) -> float:
        drawn = None if self.drawn is None else -self.drawn
        return _Student(-self.value, self.error, self.df, drawn, "").p_at_least(-ceiling)


def _fitting(values: Floats, groups: Ints | None, span: Limits, yes_no: bool) -> _Tests:
    """The way that suits the values; two clusters at least, unless they are yes or no or equal."""
    count = len(values) if groups is None else int(groups.max()) + 1
    units = float(count) if groups is None else stats.effective_clusters(groups)
    tail = "" if groups is None else f", {count} clusters"
    if yes_no:
        flat = stats.is_flat(values) or count < 2
        size = units if flat else _effective(values, groups, count)
        return _Exact(float(values.mean()), size, "exact binomial" + tail)
    if stats.is_flat(values):
        return _Equal(float(values[0]), units, span, f"all values equal{tail}")
    return _student(values, groups, count)


def _units(values: Floats, groups: Ints | None, span: Limits) -> tuple[Floats, float]:
    """Each unit's part in the mean, and what a sample that collapses would change in one."""
    import numpy as np

    half = 0.0 if span[0] is None or span[1] is None else COLLAPSE * (span[1] - span[0])
    if groups is None:
        return values, half
    sums = np.bincount(groups, weights=values).astype(np.float64)
    size = len(sums) / len(values)
    return sums * size, half * size


def _student(values: Floats, groups: Ints | None, count: int) -> _Student | _Equal:
    mean = float(values.mean())
    if groups is not None:
        error = stats.clustered_error(values, groups)
        method = f"clustered t, {count} clusters"
        if error <= 1e-12 * max(1.0, abs(mean)):  # every cluster has the same mean
            return _Equal(mean, 1.0, (None, None), f"{stats.DEGENERATE}, {count} clusters")
        jackknife, df = stats.few_clusters_error(values, groups)
        return _Student(mean, max(error, jackknife), df, None, method)
    error = float(values.std(ddof=1)) / math.sqrt(count)
    drawn = stats.bootstrapped_t(values) if count < stats.LARGE else None
    method = "t" if drawn is None else "bootstrap-t or t, the wider"
    return _Student(mean, error, count - 1, drawn, method)


def _effective(values: Floats, groups: Ints | None, count: int) -> float:
    """Korn & Graubard's number of independent samples that would bound the share as well."""
    n, mean = len(values), float(values.mean())
    if groups is None:
        return float(n)
    variance = stats.clustered_error(values, groups) ** 2
    size = min(float(n), mean * (1 - mean) / max(variance, 1e-300))
    ratio = stats.t_quantile(n - 1) / stats.t_quantile(count - 1)
    return max(1.0, size * ratio**2)


def _spread(values: Floats, groups: Ints | None, count: int) -> float | None:
    if count < 2:
        return None
    if groups is not None:
        return stats.clustered_error(values, groups) * math.sqrt(count)
    return 0.0 if stats.is_flat(values) else float(values.std(ddof=1))


def _cut(bounds: Limits, span: Limits, value: float) -> Limits:
    """Bounds within the metric's range, still holding the value."""
    low, high = bounds
    if low is not None:
        low = min(low if span[0] is None else max(low, span[0]), value)
    if high is not None:
        high = max(high if span[1] is None else min(high, span[1]), value)
    return low, high
