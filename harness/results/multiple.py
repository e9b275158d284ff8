"""Many tests at once: p values adjusted so that more tests do not mean more false alarms.

Written out, because the gate starts without statsmodels; the tests compare both.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: they control the chance of any false alarm.

    Holm 1979 (Scand. J. Stat. 6:65): the i-th smallest of m is multiplied by m - i + 1, and none
    may be smaller than one before it. Holds under any dependence of the tests.
    """
    _check(p)
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, running = [1.0] * len(p), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p values, in the order given: they control the expected
    share of false alarms among the alarms.

    Benjamini & Hochberg 1995 (JRSS B 57:289): the i-th smallest of m is multiplied by m / i, and
    none may be larger than one after it. Holds for independent or positively dependent tests.
    """
    _check(p)
    order = sorted(range(len(p)), key=lambda i: p[i], reverse=True)
    adjusted, running = [1.0] * len(p), 1.0
    for rank, i in enumerate(order):
        running = min(running, len(p) / (len(p) - rank) * p[i])
        adjusted[i] = running
    return adjusted


def _check(p: Sequence[float]) -> None:
    if not all(0 <= one <= 1 for one in p):
        raise ValueError(f"a p value lies outside 0 to 1: {list(p)}")
