"""How large a difference is in units of its own spread, and how small a one could have been found.

Sources: Cohen 1988 (Statistical Power Analysis, ch. 2 d_z, ch. 6 h); Bonett & Price 2012 (J. Educ.
Behav. Stat. 37:479, paired proportions with two pairs added); Efron & Tibshirani 1993 ch. 11
(jackknife, pseudo-values).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.results.stats import clustered_error, group_codes, is_flat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Kind = Literal["d_z", "h"]


@dataclass(frozen=True, slots=True)
class Effect:
    """``size`` is positive if b is higher; None where the differences have no spread.

    ``kind`` "d_z": the mean difference in standard deviations of the differences. "h": Cohen's h
    of two proportions, which is finite also where all answers of one side are right. ``mde`` is
    the difference that would be found 80 % of the time in so many pairs of such a spread (two-sided
    test at 5 %), in units of the metric; None if none would or the spread is unknown.
    """

    size: float | None
    kind: Kind
    mde: float | None


def effect_of_means(
    a: Floats, b: Floats, clusters: Sequence[object] | None = None, *, binary: bool = False
) -> Effect:
    """Of b - a over pairs; ``binary`` values are 0 or 1."""
    spread, units = spread_of(b - a, clusters, binary=binary)
    mde = _detectable(spread, units)
    if binary:
        size = cohens_h(float(a.mean()), float(b.mean())) if len(a) else None
        return Effect(size, "h", mde)
    return Effect(d_z(b - a), "d_z", mde)


def effect_of_corpus(
    a: Floats,
    b: Floats,
    aggregate: Callable[[Floats], Floats],
    clusters: Sequence[object] | None = None,
) -> Effect:
    """The same of a corpus metric: what each sample contributes to the difference stands for the
    sample's own difference."""
    import numpy as np

    if len(a) < 2:
        return Effect(None, "d_z", None)
    with np.errstate(invalid="ignore"):
        d = pseudo_values(b, aggregate) - pseudo_values(a, aggregate)
    if not np.isfinite(d).all():  # a perplexity may be infinite
        return Effect(None, "d_z", None)
    return Effect(d_z(d), "d_z", _detectable(*spread_of(d, clusters)))


def d_z(d: Floats) -> float | None:
    """Mean difference in standard deviations of the differences; None without spread."""
    if len(d) < 2 or is_flat(d):
        return None
    return float(d.mean()) / float(d.std(ddof=1))


def cohens_h(a: float, b: float) -> float:
    """Difference of two proportions after the arcsine transformation, -pi to pi."""
    return 2 * (math.asin(math.sqrt(b)) - math.asin(math.sqrt(a)))


def spread_of(
    d: Floats, clusters: Sequence[object] | None = None, *, binary: bool = False
) -> tuple[float | None, int]:
    """Standard deviation of the differences per independent unit, and how many units there are.

    The standard error of the mean difference is spread / sqrt(units), with clusters, too.
    Differences of ``binary`` values are never without spread, if only few pairs were seen: one win
    and one loss are added to them.
    """
    import numpy as np

    groups = group_codes(clusters, len(d))
    units = len(d) if groups is None else int(groups.max()) + 1
    if units < 2:
        return None, units
    if groups is not None:
        found = clustered_error(d, groups) * math.sqrt(units)
    elif binary:
        found = float(np.append(d, [1.0, -1.0]).std())
    else:
        found = float(d.std(ddof=1))
    return (None if found <= 1e-12 * max(1.0, float(np.abs(d).max())) else found), units


def pseudo_values(counts: Floats, aggregate: Callable[[Floats], Floats]) -> Floats:
    """What each sample contributes to a corpus metric: n * whole - (n - 1) * whole without it.

    Their mean is (nearly) the metric, their spread tells its standard error (the jackknife).
    """
    import numpy as np

    n, total = len(counts), counts.sum(axis=0, keepdims=True)
    with np.errstate(invalid="ignore"):
        found: Floats = n * aggregate(total) - (n - 1) * aggregate(total - counts)
    return found


def _detectable(spread: float | None, units: int) -> float | None:
    from harness.results.power import minimum_detectable_effect

    return None if spread is None else minimum_detectable_effect(spread, units)
