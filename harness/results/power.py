"""How many samples would do, and how small an effect a data set can show.

``spread`` is everywhere the standard deviation of the paired differences for each independent
unit (the mean of a cluster, where samples have clusters), and n counts such units. The formulas
are Student's with the noncentral t, so that they hold for a few samples too; nothing here imports
``scipy.stats``.

What a gate's bounds add to Student's is reckoned with: a drop that no sample has shown, Tango's
bounds of yes and no, the exact binomial of a floor.

Sources: Cohen 1988 (Statistical Power Analysis, ch. 2); Owen 1965 (Biometrika 52:437, power of t
by the noncentral t); Julious 2004 (Stat. Med. 23:1921, non-inferiority with equal means).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

MOST = 10**9  # samples beyond which no number is given
EXACT = 1_000  # up to so many pairs that differ, all their numbers are counted out
PROFILE = 48  # normal quantiles that stand for any number of differences


def power_of_drop(
    spread: float, n: int, drop: float, alpha: float = 0.05, sides: Literal[1, 2] = 1
) -> float | None:
    """The chance that a true drop of this size is shown by a paired t test over n units.

    None without spread or with fewer than two units, where no t test can be made.
    """
    if n < 2 or not spread > 0:
        return None
    return _power(abs(drop) / spread * math.sqrt(n), n - 1, alpha, sides)


def required_n(
    spread: float, margin: float, alpha: float = 0.05, power: float = 0.8, reach: float = 0.0
) -> int | None:
    """Units after which equal models pass with this chance: one-sided non-inferiority.

    The smallest n whose lower (1 - alpha) bound lies above -margin with chance ``power`` if the
    true difference is zero; with ``reach`` the bound is the one that also reckons with a drop of
    so much unseen (``drop_bounds.numeric_bounds``). None for a margin of zero, which equal models
    cannot pass so, without spread (see ``required_n_identical``), or beyond a thousand million.
    """
    if not (math.inf > margin > 0 and math.inf > spread > 0):
        return None
    n = _students_n(spread, margin, alpha, power)
    if n is None or not reach > 0:
        return n

    def enough(n: int) -> bool:
        room = (margin - _unseen_width(spread, n, reach, alpha)) / spread * math.sqrt(n)
        return NormalDist().cdf(room) >= power

    return _first(enough, n)


def required_n_pairs(
    differing: float, margin: float, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """The same for answers that are right or wrong, of which a share of ``differing`` pairs differ.

    Counted out with Tango's bounds as the gate has them (``drop_bounds.tango_bounds``): wins and
    losses are equally likely. At least as many as must not differ at all. By Student's t where
    more than EXACT pairs would differ. None as above.
    """
    from harness.results.drop_bounds import rules_out

    if not margin > 0:
        return None
    n = 1
    while not rules_out(0, 0, n, margin, alpha):
        n *= 2
        if n > MOST:
            return None
    n = _first(lambda n: rules_out(0, 0, n, margin, alpha), n // 2 + 1)
    if not differing > 0:
        return n
    normal = _students_n(math.sqrt(differing), margin, alpha, power)
    if normal is None or normal * differing > EXACT:
        return normal
    return _first(lambda n: _pass_chance(n, differing, margin, alpha) >= power, n)


def required_n_share(
    value: float, limit: float, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Samples after which a true share of ``value`` is shown to lie beyond ``limit`` with this
    chance, by the exact binomial bound. None if both are equal, or beyond a thousand million."""
    from scipy.special import bdtrc

    if value < limit:
        value, limit = 1 - value, 1 - limit
    if not 0 < limit < value <= 1:
        return None

    def enough(n: int) -> bool:
        chance = _first(lambda k: k >= n or float(bdtrc(k, n, limit)) <= alpha, 0)  # the most
        return chance < n and float(bdtrc(chance, n, value)) >= power

    found = _first(enough, 1)
    return found if found <= MOST else None


def _students_n(spread: float, margin: float, alpha: float, power: float) -> int | None:
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


def _first(enough: Callable[[int], bool], n: int) -> int:
    """The first number from n on that is enough, if all after it are: doubled, then halved."""
    low = n - 1
    while not enough(n) and n <= MOST:
        low, n = n, 2 * n + 1
    while n - low > 1:
        middle = (low + n) // 2
        low, n = (low, middle) if enough(middle) else (middle, n)
    return n


def _unseen_width(spread: float, n: int, reach: float, alpha: float) -> float:
    """How far below the mean of n normal differences the bound lies that adds one drop more."""
    import numpy as np

    from harness.results.unseen import Weighted

    count = min(n, PROFILE)
    shape = np.array([_z((i + 0.5) / count) for i in range(count)])
    size = float(shape.std(ddof=1 if n == count else 0)) if count > 1 else 1.0
    shape *= spread / size
    weights = np.full(count, n / count)
    return -Weighted(shape, min(-reach, float(shape.min())), weights).quantile(alpha)


def _pass_chance(n: int, differing: float, margin: float, alpha: float) -> float:
    """The chance that equal models pass, over all numbers of pairs that differ and of losses."""
    import numpy as np
    from scipy.special import bdtr, gammaln

    from harness.results.drop_bounds import rules_out

    middle, spread = n * differing, math.sqrt(n * differing * (1 - differing))
    first, last = max(0, int(middle - 5 * spread) - 1), min(n, int(middle + 5 * spread) + 2)
    moved = np.arange(first, last + 1)
    most, losses = [], first  # losses that still pass: the more pairs differ, the more they are
    for m in range(first, last + 1):
        losses = min(losses, m)
        while losses < m and rules_out(m - losses - 1, losses + 1, n, margin, alpha):
            losses += 1
        while losses >= 0 and not rules_out(m - losses, losses, n, margin, alpha):
            losses -= 1
        most.append(losses)
        losses = max(losses, 0)
    log = gammaln(n + 1) - gammaln(moved + 1) - gammaln(n - moved + 1)
    log = log + moved * math.log(differing) + (n - moved) * math.log1p(-min(differing, 1 - 1e-12))
    kept = np.array(most)
    passes = np.where(kept < 0, 0.0, bdtr(np.maximum(kept, 0), moved, 0.5))
    return float(np.exp(log) @ np.where(moved == 0, kept >= 0, passes))


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
