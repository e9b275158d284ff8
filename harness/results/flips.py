"""Tests that swap the two models: if both are equal, any sample might as well be the other way.

All p values here are exact if both models are exchangeable: a p of at most alpha comes up with a
chance of at most alpha, whatever the scores look like. The one exception is Student's t, which
takes over where at least 100 differences are not zero. Everything is seeded.

Sources: Fisher 1935 (The Design of Experiments, ch. 3); Noreen 1989 (Computer-intensive Methods
for Testing Hypotheses: approximate randomisation); Riezler & Maxwell 2005 (MTSE, swaps for corpus
metrics); Phipson & Smyth 2010 (SAGMB 9:39, why the data's own pattern is counted among those
drawn); Horowitz & Sahni 1974 (J. ACM 21:277, sums of all subsets from two halves).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from harness.results.stats import LARGE, is_flat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EXACT_FLIPS = 24  # up to 2^24 sign patterns are counted out, from the 2^12 of each half
EXACT_SWAPS = 12  # corpus metrics do not add up: all patterns are made
DRAWN = 9_999  # with the data's own pattern 10,000: the smallest p is 0.0001
UNITS = 2_500  # more samples than these are swapped in random groups
CHUNK = 4_000_000  # numbers at a time: 32 MB


def sign_flip_p(d: Floats, seed: int = 0, sides: Literal[1, 2] = 2) -> float:
    """p that the mean of paired differences is zero; with ``sides=1``, that it is not below zero.

    Under the null every difference is as likely with the other sign. Counted out for up to 24
    differences that are not zero, and for any number of them that are equal but for the sign
    (the sign test); drawn below 100; Student's t from there on. Zeros do not count as many:
    among 500 samples of which three differ, t would call three losses significant.
    """
    import numpy as np
    from scipy.special import bdtr, stdtr

    moved = np.sort(np.abs(d[d != 0]))
    n, total = len(moved), math.fsum(d)
    if n == 0:
        return 1.0
    total = total if sides == 1 else -abs(total)
    if is_flat(moved):
        losses = int((d < 0).sum())
        wins = n - losses if sides == 1 else min(losses, n - losses)
        p = float(bdtr(wins, n, 0.5))
    elif n >= LARGE:
        t = total / len(d) / (float(d.std(ddof=1)) / math.sqrt(len(d)))
        p = float(stdtr(len(d) - 1, t))
    else:
        limit = total + 1e-9 * float(moved.sum())
        p = _counted(moved, limit) if n <= EXACT_FLIPS else _drawn(moved, limit, seed)
    return min(1.0, sides * p)


def sign_flip_method(d: Floats) -> str:
    """Which of the three tests of ``sign_flip_p`` these differences get."""
    moved = abs(d[d != 0])
    if len(moved) <= EXACT_FLIPS or is_flat(moved):
        return "sign flips, counted"
    return "t" if len(moved) >= LARGE else "sign flips, drawn"


def swap_p(a: Floats, b: Floats, statistic: Callable[[Floats, Floats], Floats], seed: int) -> float:
    """p that b is not worse than a in a statistic of sums, by swapping the rows of both sides.

    ``a`` and ``b`` are (units, statistics); ``statistic`` takes rows of sums of a's side and of
    b's and returns one number for each pair of rows, higher if b's side is better. Swapping
    random groups of samples instead of samples is as exact, and costs less power than one thinks.
    """
    import numpy as np

    delta = b - a
    delta = delta[np.any(delta != 0, axis=1)]
    if len(delta) == 0:
        return 1.0
    sums_a, sums_b = a.sum(axis=0), b.sum(axis=0)
    delta = delta[np.lexsort(delta.T)]  # the order of the samples must not matter
    rng = np.random.default_rng(seed)
    if len(delta) > UNITS:
        starts = np.linspace(0, len(delta), UNITS, endpoint=False).astype(np.intp)
        delta = np.add.reduceat(delta[rng.permutation(len(delta))], starts, axis=0)
    n = len(delta)
    if n <= EXACT_SWAPS:
        patterns = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)
        moved = patterns @ delta
    else:
        own = np.zeros((1, delta.shape[1]))
        moved = np.concatenate([own, *(signs @ delta for signs in _bits(rng, n))])
    found = statistic(sums_a + moved, sums_b - moved)  # the first row is the data's own
    reached = found <= found[0] + 1e-9 * float(np.abs(found).max())
    return float(reached.mean())


def _counted(moved: Floats, limit: float) -> float:
    """The share of sign patterns whose sum is at most ``limit``: every sum of one half of the
    differences, and how many sums of the other half stay below what is left."""
    import numpy as np

    def sums(half: Floats) -> Floats:
        found = np.zeros(1)
        for one in half:
            found = np.concatenate([found - one, found + one])
        return found

    left, right = sums(moved[0::2]), np.sort(sums(moved[1::2]))
    below = np.searchsorted(right, np.sort(limit - left), side="right")
    return float(below.sum()) / float(2 ** len(moved))


def _drawn(moved: Floats, limit: float, seed: int) -> float:
    """The same from drawn patterns, the data's own among them."""
    import numpy as np

    whole = float(moved.sum())
    rng = np.random.default_rng(seed)
    reached = sum(
        int((2 * (signs @ moved) - whole <= limit).sum()) for signs in _bits(rng, len(moved))
    )
    return (reached + 1) / (DRAWN + 1)


def _bits(rng: np.random.Generator, n: int) -> Iterator[Floats]:
    """DRAWN rows of n zeros and ones, a chunk at a time."""
    import numpy as np

    rows, width = max(1, CHUNK // n), (n + 7) // 8
    for start in range(0, DRAWN, rows):
        count = min(rows, DRAWN - start)
        raw = np.frombuffer(rng.bytes(count * width), np.uint8).reshape(count, width)
        yield np.unpackbits(raw, axis=1, count=n).astype(np.float64)
