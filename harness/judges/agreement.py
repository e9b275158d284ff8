"""How far judges and people agree: numbers in, numbers out; nothing here knows of files or models.

Nothing returns nan. Where the data cannot say (no spread, one rating, no positives), the answer
is None. Resampling is seeded, so the same data give the same numbers. Everything is two-sided at
95 %.

Sources: Cohen 1968 (weighted kappa); Krippendorff 2004, ch. 11 (alpha); Rogan & Gladen 1978
(corrected prevalence); Lang & Reiczigel 2014 (its interval, which carries the noise of the
calibration set); Wilson 1927.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Level = Literal["nominal", "ordinal", "interval"]
"""Of what kind ratings are: names, ranks, or numbers whose differences mean something."""

Statistic = Literal["kappa", "spearman"]

LEVEL = 0.95
Z = 1.959963984540054  # the normal quantile of LEVEL
RESAMPLES, CHUNK = 1000, 100  # so many resamples, so many of them in memory at once
SMALL = 8  # fewer items have too few distinct resamples for an interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; each None where the data cannot say. ``n`` stand in it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


# --------------------------------------------------------------------------- two raters


def weighted_kappa(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Cohen's kappa with quadratic weights of two raters of the same items.

    The weights are the squared differences of the ratings themselves, so that a scale on which
    some values never occur, and means of several raters, are measured right; on whole numbers it
    is sklearn's ``cohen_kappa_score(weights="quadratic")`` with all labels of the scale. Its
    closed form is ``1 - mean (a_i - b_i)^2 / mean over all i, j of (a_i - b_j)^2``. None if that
    mean is 0: all ratings of both are one and the same.
    """
    n = len(a)
    if n != len(b):
        raise ValueError(f"{n} ratings and {len(b)} ratings")
    if is_flat([*a, *b]):
        return None
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    spread = (math.fsum((x - mean_a) ** 2 for x in a) + math.fsum((y - mean_b) ** 2 for y in b)) / n
    expected = spread + (mean_a - mean_b) ** 2
    observed = math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / n
    return 1 - observed / expected


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None without spread on both sides."""
    return pearson(midranks(a), midranks(b))


def pearson(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The linear correlation; None without spread on both sides."""
    n = len(a)
    if n != len(b):
        raise ValueError(f"{n} values and {len(b)} values")
    if n < 2:
        return None
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    var_a = math.fsum((x - mean_a) ** 2 for x in a)
    var_b = math.fsum((y - mean_b) ** 2 for y in b)
    size = math.sqrt(var_a) * math.sqrt(var_b)
    if size <= 0 or is_flat(a) or is_flat(b):
        return None
    both = math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return max(-1.0, min(1.0, both / size))


def is_flat(values: Sequence[float]) -> bool:
    """Whether all values are the same."""
    return not values or min(values) == max(values)


def midranks(values: Sequence[float]) -> list[float]:
    """The rank of every value, from 1; equal values share the mean of their ranks."""
    counts = Counter(values)
    ranks, below = {}, 0
    for value in sorted(counts):
        ranks[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    return [ranks[value] for value in values]


# --------------------------------------------------------------------------- many raters


def alpha(table: Sequence[Sequence[float | None]], level: Level = "interval") -> float | None:
    """Krippendorff's alpha: 1 is agreement, 0 is what chance would give.

    ``table`` has one row an item and one rating a rater, None where there is none; items with
    fewer than two ratings say nothing about agreement and are left out. None if nothing can be
    compared, or if all ratings are the same, so that there is no chance to be better than.
    """
    rows = [[x for x in row if x is not None] for row in table]
    rows = [row for row in rows if len(row) > 1]
    if level == "ordinal":  # Krippendorff's ordinal distance is that of the mean ranks, squared
        flat = [x for row in rows for x in row]
        rank = dict(zip(flat, midranks(flat), strict=True))
        rows = [[rank[x] for x in row] for row in rows]
    between = _unequal_pairs if level == "nominal" else _squared_distances
    everything = [x for row in rows for x in row]
    n = len(everything)
    if n < 2 or is_flat(everything):
        return None
    observed = math.fsum(between(row) / (len(row) - 1) for row in rows) / n
    expected = between(everything) / (n * (n - 1))
    return 1 - observed / expected


def _squared_distances(values: Sequence[float]) -> float:
    """The sum of (x_i - x_j)^2 over all ordered pairs."""
    mean = math.fsum(values) / len(values)
    return 2 * len(values) * math.fsum((x - mean) ** 2 for x in values)


def _unequal_pairs(values: Sequence[float]) -> float:
    """How many ordered pairs differ."""
    return float(len(values) ** 2 - sum(count**2 for count in Counter(values).values()))


# --------------------------------------------------------------------------- intervals


def resampled(statistic: Statistic, a: Sequence[float], b: Sequence[float]) -> Estimate:
    """`weighted_kappa` or `spearman` of paired ratings, with the percentile interval of a
    bootstrap over the pairs.

    Resamples without a value are left out; if they are more than one in a hundred, or if there
    are fewer than SMALL pairs, there is no interval.
    """
    import numpy as np

    n = len(a)
    value = weighted_kappa(a, b) if statistic == "kappa" else spearman(a, b)
    if value is None or n < SMALL:
        return Estimate(value, n=n)
    rows = resampled_kappas if statistic == "kappa" else resampled_ranks
    generator, x, y = np.random.default_rng(0), np.asarray(a), np.asarray(b)
    draws = (generator.integers(0, n, (CHUNK, n)) for _ in range(0, RESAMPLES, CHUNK))
    found = np.concatenate([rows(x[draw], y[draw]) for draw in draws])
    known = found[~np.isnan(found)]
    if len(known) < 0.99 * RESAMPLES or np.ptp(known) < 1e-12:
        return Estimate(value, n=n)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Estimate(value, min(low, value), max(high, value), n)


def resampled_kappas(a: Floats, b: Floats) -> Floats:
    """`weighted_kappa` of every row; nan where it is None."""
    import numpy as np

    observed = ((a - b) ** 2).mean(axis=1)
    expected = a.var(axis=1) + b.var(axis=1) + (a.mean(axis=1) - b.mean(axis=1)) ** 2
    flat = np.ptp(np.hstack([a, b]), axis=1) == 0
    return np.where(flat, np.nan, 1 - observed / np.where(flat, 1.0, expected))


def resampled_ranks(a: Floats, b: Floats) -> Floats:
    """`spearman` of every row; nan where it is None."""
    import numpy as np
    from scipy.stats import rankdata

    x, y = (rankdata(side, axis=1) - (side.shape[1] + 1) / 2 for side in (a, b))
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.where(size > 0, (x * y).sum(axis=1) / np.where(size > 0, size, 1.0), np.nan)


def mean_error(errors: Sequence[float]) -> Estimate:
    """The mean of signed errors with Student's interval; no interval without spread."""
    n = len(errors)
    if n == 0:
        return Estimate(None)
    mean = math.fsum(errors) / n
    if n < 2 or is_flat(errors):
        return Estimate(mean, n=n)
    from scipy.special import stdtrit

    variance = math.fsum((x - mean) ** 2 for x in errors) / (n - 1)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * math.sqrt(variance / n)
    return Estimate(mean, mean - half, mean + half, n)


def proportion(k: int, n: int) -> Estimate:
    """The share k/n with Wilson's interval."""
    if n == 0:
        return Estimate(None)
    p, spread = k / n, Z * Z / n
    centre = (p + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Estimate(p, low, high, n)


# --------------------------------------------------------------------------- pass and fail


def rogan_gladen(rate: float, sensitivity: float, specificity: float) -> float | None:
    """The true pass rate behind a judged one: (p + q0 - 1) / (q0 + q1 - 1), within [0, 1].

    None for a judge that is no better than a coin (q0 + q1 <= 1): its rate says nothing.
    """
    informed = sensitivity + specificity - 1
    if informed <= 0:
        return None
    return max(0.0, min(1.0, (rate + specificity - 1) / informed))


@dataclass(frozen=True, slots=True)
class PassTable:
    """Passes and fails of a judge against people's: ``hits`` of ``positives`` that people passed
    were passed by the judge, ``rejections`` of ``negatives`` that they failed were failed."""

    hits: int = 0
    positives: int = 0
    rejections: int = 0
    negatives: int = 0

    @classmethod
    def of(cls, judge: Sequence[float], human: Sequence[float], threshold: float) -> PassTable:
        """At or above the threshold is a pass, for both."""
        pairs = [(x >= threshold, y >= threshold) for x, y in zip(judge, human, strict=True)]
        counts = Counter(pairs)
        positives = counts[True, True] + counts[False, True]
        negatives = counts[True, False] + counts[False, False]
        return cls(counts[True, True], positives, counts[False, False], negatives)

    @property
    def n(self) -> int:
        """How many both judged."""
        return self.positives + self.negatives

    @property
    def judge_passed(self) -> int:
        """How many the judge passed, rightly or not."""
        return self.hits + self.negatives - self.rejections

    @property
    def sensitivity(self) -> Estimate:
        """The share of what people passed that the judge passed (q1)."""
        return proportion(self.hits, self.positives)

    @property
    def specificity(self) -> Estimate:
        """The share of what people failed that the judge failed (q0)."""
        return proportion(self.rejections, self.negatives)

    def correct(self, passed: int, n: int) -> Estimate:
        """The true pass rate behind ``passed`` of ``n`` judged samples.

        The interval is Lang and Reiczigel's: it is as wide as the judged samples *and* the
        calibration set make it. Without positives or negatives, or with a judge no better than a
        coin, there is no estimate.
        """
        q1, q0 = self.sensitivity.value, self.specificity.value
        if not n or q1 is None or q0 is None:
            return Estimate(None, n=n)
        value = rogan_gladen(passed / n, q1, q0)
        if value is None:
            return Estimate(None, n=n)
        # a normal interval, after the three shares were drawn a little towards the middle
        p, n_p = (passed + Z * Z / 2) / (n + Z * Z), n + Z * Z
        q1, n_1 = (self.hits + 1) / (self.positives + 2), self.positives + 2
        q0, n_0 = (self.rejections + 1) / (self.negatives + 2), self.negatives + 2
        informed = q1 + q0 - 1
        if informed <= 0:
            return Estimate(value, 0.0, 1.0, n)
        rate = max(0.0, min(1.0, (p + q0 - 1) / informed))
        noise_1, noise_0 = q1 * (1 - q1) / n_1, q0 * (1 - q0) / n_0
        shift = 2 * Z * Z * (rate * noise_1 - (1 - rate) * noise_0)
        variance = p * (1 - p) / n_p + (1 - rate) ** 2 * noise_0 + rate**2 * noise_1
        half = Z * math.sqrt(variance) / informed
        low, high = max(0.0, rate + shift - half), min(1.0, rate + shift + half)
        return Estimate(value, min(low, value), max(high, value), n)
