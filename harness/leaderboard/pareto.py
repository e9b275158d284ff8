"""Quality against cost: which models are worth having, and which to take for what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Wish = Literal["low latency", "best quality", "balanced"]
WISHES: tuple[Wish, ...] = get_args(Wish)


@dataclass(frozen=True, slots=True)
class Point:
    """A model: more ``quality`` is better (negate a metric of which less is), less ``cost`` is.

    ``cost`` is any one of latency, memory, size, money; all points of a call in the same unit.
    """

    model: str
    quality: float
    cost: float


def front(points: Sequence[Point]) -> set[int]:
    """Indices of the points that no other point dominates.

    A point dominates another if it is at least as good in both and better in one. So points that
    are equal in both stand or fall together, and of two with the same quality (cost) only the
    cheaper (better) one stays. A point with a number that is not finite is never on the front and
    dominates nothing.
    """
    order = sorted(
        (i for i, point in enumerate(points) if _finite(point)),
        key=lambda i: (points[i].cost, -points[i].quality),
    )
    kept: set[int] = set()
    best: Point | None = None
    for i in order:
        point = points[i]
        same = best is not None and (point.quality, point.cost) == (best.quality, best.cost)
        if best is None or point.quality > best.quality or same:
            kept.add(i)
            best = point
    return kept


def recommend(points: Sequence[Point]) -> dict[Wish, int]:
    """Index of the point to take for each wish; empty if there is no point with finite numbers.

    All three are on the front:

    - ``low latency``: the least cost (whatever the cost is: of a latency, the fastest model);
    - ``best quality``: the highest quality;
    - ``balanced``: the smallest Euclidean distance to the ideal corner (least cost, highest
      quality of the front) after quality and cost are each scaled to 0..1 over the front. A span
      of zero counts as distance 0. The scaling is over the front alone, so models that nobody
      should take do not move the choice.

    Ties: of equal distances (within 1e-12) the higher quality wins; of points equal in both
    numbers the one that is given first.
    """
    kept = sorted(front(points))
    if not kept:
        return {}
    least, most = min(points[i].cost for i in kept), max(points[i].cost for i in kept)
    best, worst = max(points[i].quality for i in kept), min(points[i].quality for i in kept)

    def distance(i: int) -> float:
        short, dear = _share(points[i].quality, best, worst), _share(points[i].cost, least, most)
        return round(math.hypot(short, dear), 12)

    return {
        "low latency": min(kept, key=lambda i: (points[i].cost, i)),
        "best quality": min(kept, key=lambda i: (-points[i].quality, i)),
        "balanced": min(kept, key=lambda i: (distance(i), -points[i].quality, i)),
    }


def _finite(point: Point) -> bool:
    return math.isfinite(point.quality) and math.isfinite(point.cost)


def _share(value: float, ideal: float, other: float) -> float:
    """How far a value is from the ideal one on the way to the other: 0 to 1, 0 if there is none."""
    # halves: two numbers of opposite sign may lie further apart than a float can say
    way = other / 2 - ideal / 2
    return (value / 2 - ideal / 2) / way if way else 0.0
