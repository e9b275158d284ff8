"""The least that suffices: how few frames, or how small, before a metric is shown to be worse.

The rule: the best value of a setting is the one with the best metric. Every value whose paired
difference to it has an interval with zero in it, or is zero in every pair, suffices; the least of
them is the minimum. That a loss was not shown does not show that there is none: with few samples
everything suffices, which is why the difference and its interval are told as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.results.differences import Difference
from harness.results.run import ScorerInfo
from harness.results.variants import less

COSTLY = ("fps", "frames", "max_frames", "resolution")
"""Settings of which less is cheaper."""
T = TypeVar("T")
Place = tuple[str, ...]
"""A value of each setting."""


@dataclass(frozen=True, slots=True)
class Sufficient:
    """``least`` are the places that suffice in place of the best and of which none has less of
    everything, the best itself only if there is no other; ``not_worse`` all that suffice, the best
    among them. ``differences`` are those to the best."""

    best: Place
    least: tuple[Place, ...]
    not_worse: tuple[Place, ...]
    differences: dict[Place, Difference]


def best_place(values: dict[Place, float], info: ScorerInfo) -> Place | None:
    """Where the metric is best, the first of equals; None for one without a better side."""
    if not values or info.neutral:
        return None
    pick = max if info.higher_is_better else min
    return pick(values, key=lambda place: values[place])


def suffices(found: Difference) -> bool:
    """Whether a difference to the best is not shown: its interval has zero in it, or where there
    is none, every pair is a tie."""
    if found.n == 0:
        return False
    if found.interval.known:
        return not found.interval.excludes(0.0)
    return found.value == 0.0


def sufficient(
    values: dict[Place, float],
    info: ScorerInfo,
    difference: Callable[[Place, Place], Difference | None],
) -> Sufficient | None:
    """What suffices of the places; ``difference(best, other)`` is other minus best. None if the
    metric has no better side or there is nothing to choose from."""
    best = best_place(values, info)
    if best is None or len(values) < 2:
        return None
    known = {place: difference(best, place) for place in values if place != best}
    differences = {place: one for place, one in known.items() if one is not None}
    kept = [place for place in values if place == best or _fits(differences.get(place))]
    least = [one for one in kept if not any(less(other, one) for other in kept)]
    # where the best is not on one scale with what suffices in its place, it is no alternative
    others = tuple(one for one in least if one != best)
    return Sufficient(best, others or (best,), tuple(kept), differences)


def _fits(found: Difference | None) -> bool:
    return found is not None and suffices(found)
