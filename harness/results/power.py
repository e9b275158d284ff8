"""How many samples would do, and how small an effect a data set can show.

``spread`` is everywhere the standard deviation of the paired differences for each independent
unit (the mean of a cluster, where samples have clusters), and n counts such units. The formulas
are Student's with the noncentral t, so that they hold for a few samples too; nothing here imports
``scipy.stats``.

Sources: Cohen 1988 (Statistical Power Analysis, ch. 2); Owen 1965 (Biometrika 52:437, power of t
by the noncentral t); Julious 2004 (Stat. Med. 23:1921, non-inferiority with equal means).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

MOST = 10**9  # samples beyond which no number is given


def power_of_drop(
    spread: float, n: int, drop: float, alpha: float = 0.05, sides: Literal[1, 2] = 1
) -> float | None:
    """The chance that a true drop of this size is shown by a paired t test over n units.

    None without spread or with fewer than two units, where no t test can be made.
    """
    if n < 2 or not spread > 0:
        return None
    return _power(abs(drop) / spread * math.sqrt(n), n - 1, alpha, sides)


def required_n(spread: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Units after which equal models pass with this chance: one-sided non-inferiority.

    The smallest n whose lower (1 - alpha) bound lies above -margin with chance ``power`` if the
    true difference is zero. None for a margin of zero, which equal models cannot pass so, without
    spread (see ``required_n_identical``), or beyond a thousand million.
    """
    if not margin > 0 or not spread > 0:
        return None
    ratio = margin / spread

    def enough(n: int) -> bool:
        return _power(ratio * math.sqrt(n), n - 1, alpha, 1) >= power

    # Student's answer lies a little above the normal one
    normal = ((_z(1 - alpha) + _z(power)) / ratio) ** 2
    if normal > MOST:
        return None
    n = max(2, math.floor(normal) - 2)
    while enough(n) and n > 2:
        n -= 1
    while not enough(n):
        n += 1
    return n


def required_n_identical(margin: float, span: float = 1.0, alpha: float = 0.05) -> int | None:
    """Samples after which scores that never differ show that no drop of ``margin`` is there.

    If no one of n samples differs, at most 1 - alpha^(1/n) of all do, each by at most ``span``
    (the exact binomial bound: Clopper & Pearson 1934). None for a margin of zero; 1 for a margin
    of the whole span.
    """
    if not margin > 0 or not span > 0:
        return None
    if margin >= span:
        return 1
    n = max(1, math.floor(math.log(alpha) / math.log1p(-margin / span)))
    while not -math.expm1(math.log(alpha) / n) * span < margin:  # the bound must lie inside
        n += 1
    return n


def minimum_detectable_effect(
    spread: float, n: int, alpha: float = 0.05, power: float = 0.8, sides: Literal[1, 2] = 2
) -> float | None:
    """The smallest true difference that a paired t test over n units shows with this chance.

    None without spread or with fewer than two units, where nothing can be said.
    """
    if n < 2 or not spread > 0:
        return None
    low, high = 0.0, 10.0
    while _power(high, n - 1, alpha, sides) < power:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        if _power(middle, n - 1, alpha, sides) < power:
            low = middle
        else:
            high = middle
    return (low + high) / 2 * spread / math.sqrt(n)


def normal_detectable_effect(
    spread: float, n: int, alpha: float = 0.05, power: float = 0.8, sides: Literal[1, 2] = 2
) -> float | None:
    """The same by the normal quantiles alone, as tables of many textbooks have it: too small
    below some fifty samples. None as above."""
    if n < 2 or not spread > 0:
        return None
    return (_z(1 - alpha / sides) + _z(power)) * spread / math.sqrt(n)


def _power(shift: float, df: int, alpha: float, sides: int) -> float:
    """The chance that t, shifted by ``shift`` standard errors, passes its critical value."""
    from scipy.special import nctdtr, stdtrit

    if df > 10**6:  # there t is normal to seven digits, and its noncentral form slow
        limit = _z(1 - alpha / sides)
        found = NormalDist().cdf(shift - limit)
        return found + (NormalDist().cdf(-limit - shift) if sides == 2 else 0.0)
    limit = float(stdtrit(df, 1 - alpha / sides))
    found = 1.0 - float(nctdtr(df, shift, limit))
    if sides == 2:
        found += float(nctdtr(df, shift, -limit))
    return found


def _z(p: float) -> float:
    return NormalDist().inv_cdf(p)
