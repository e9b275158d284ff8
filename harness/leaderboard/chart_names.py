"""Where the names of points have room in the chart of quality against cost.

Vega-Lite moves no labels out of each other's way, so it is done here, for a plot of about the size
that a page gives it. Whoever finds no room has no name at its point and is told by a legend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from harness.leaderboard.chart_grammar import far_apart

WIDTH, HEIGHT = 300, 280
"""px of the plot that names are placed for: a narrow one; what has room there has room wider."""
LABEL = 160  # px: a longer name is cut
SIDES: dict[str, tuple[float, float]] = {
    "right": (13, 0),
    "left": (-13, 0),
    "upper left": (-9, -13),
    "lower right": (9, 13),
    "upper right": (9, -13),
    "lower left": (-9, 13),
}
"""Side of the point -> where the name starts (or ends, on a left side) from it, in px."""
NO_ROOM = "none"
LETTER, LINE = 6.2, 13.0  # px: the width of a letter, the height of a line
RADIUS = 8.0  # px of a point with its ring
MARGIN = 14.0  # px by which a name may leave the plot

Box = tuple[float, float, float, float]  # left, top, right, bottom in px


@dataclass(frozen=True, slots=True)
class Spot:
    """A point to name, in the units of the axes, with its interval if it has one."""

    name: str
    cost: float
    quality: float
    low: float | None = None
    high: float | None = None


def place_names(spots: Sequence[Spot], front: Set[int]) -> list[str]:
    """A side for each spot's name, or ``NO_ROOM``: greedily, the front's first, then by cost.

    A name keeps clear of the points, the whiskers, the step line of the front (from the cheapest:
    first along, then to the next quality) and of other names; a name of the front may cross a line
    rather than be missing.
    """
    places = _places(spots)
    taken = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y, _, _ in places]
    lines = [(x - 1, top, x + 1, bottom) for x, _, top, bottom in places]
    steps = sorted((places[i][0], places[i][1]) for i in front)
    lines += [box for a, b in pairwise(steps) for box in _step(a, b)]
    sides = [NO_ROOM] * len(spots)
    for i in sorted(range(len(spots)), key=lambda i: (i not in front, places[i], i)):
        others = [*taken[:i], *taken[i + 1 :]]
        free = [
            (sum(_common(box, line) for line in lines), rank, side, box)
            for rank, (side, box) in enumerate(_boxes(*places[i][:2], spots[i].name))
            if _inside(box) and not any(_common(box, other) for other in others)
        ]
        crossed, _, side, box = min(free, default=(0.0, 0, NO_ROOM, None))
        if box is not None and (crossed == 0 or i in front):
            sides[i] = side
            taken.append(box)
    return sides


def _places(spots: Sequence[Spot]) -> list[tuple[float, float, float, float]]:
    """x, y and the upper and lower end of the whisker of each spot, in px."""
    costs = [spot.cost for spot in spots]
    if far_apart(costs):
        costs = [math.log(cost) for cost in costs]
    middle = [spot.quality for spot in spots]
    low = [spot.quality if spot.low is None else spot.low for spot in spots]
    high = [spot.quality if spot.high is None else spot.high for spot in spots]
    down = [(1 - share) * HEIGHT for share in _scaled([*middle, *low, *high])]
    n = len(spots)
    return [
        (share * WIDTH, down[i], down[2 * n + i], down[n + i])
        for i, share in enumerate(_scaled(costs))
    ]


def _scaled(values: Sequence[float]) -> list[float]:
    least, most = min(values), max(values)
    span = most / 2 - least / 2
    return [(value / 2 - least / 2) / span if span else 0.5 for value in values]


def _step(a: tuple[float, float], b: tuple[float, float]) -> tuple[Box, Box]:
    top, bottom = sorted((a[1], b[1]))
    return (a[0], a[1] - 1, b[0], a[1] + 1), (b[0] - 1, top, b[0] + 1, bottom)


def _boxes(x: float, y: float, name: str) -> Iterator[tuple[str, Box]]:
    wide = min(LABEL, LETTER * len(name))
    for side, (dx, dy) in SIDES.items():
        left = x + dx if dx > 0 else x + dx - wide
        yield side, (left, y + dy - LINE / 2, left + wide, y + dy + LINE / 2)


def _inside(box: Box) -> bool:
    left, top, right, bottom = box
    return left >= 0 and right <= WIDTH + MARGIN and top >= -MARGIN and bottom <= HEIGHT


def _common(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, across) * max(0.0, down)
