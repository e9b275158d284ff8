"""The Pareto front and what is recommended from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.leaderboard.pareto import Point, front, recommend

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
# few distinct numbers: ties are what goes wrong
FEW = st.sampled_from([0.0, 0.5, 1.0, 2.0])
POINTS = st.lists(st.builds(Point, st.just("m"), NUMBER | FEW, NUMBER | FEW), max_size=30)


def dominates(a: Point, b: Point) -> bool:
    """As the textbook says it."""
    return (
        a.quality >= b.quality and a.cost <= b.cost and (a.quality > b.quality or a.cost < b.cost)
    )


@given(POINTS)
def test_the_front_is_exactly_what_nothing_dominates(points: list[Point]) -> None:
    kept = front(points)
    for i, point in enumerate(points):
        assert (i in kept) == (not any(dominates(other, point) for other in points))


def test_equal_points_are_on_the_front_together() -> None:
    twice = Point("m", 0.8, 10)
    assert front([twice, Point("worse", 0.7, 10), twice, Point("dearer", 0.8, 11)]) == {0, 2}


def test_a_point_without_numbers_is_not_on_the_front_and_hides_nobody() -> None:
    nan, inf = float("nan"), float("inf")
    points = [Point("a", nan, 1), Point("b", inf, 1), Point("c", 1, -inf), Point("d", 0.5, 2)]
    assert front(points) == {3}
    assert set(recommend(points).values()) == {3}
    assert recommend(points[:3]) == {} == recommend([])


def test_each_wish_has_its_model() -> None:
    points = [
        Point("small", 0.50, 40),
        Point("middle", 0.74, 99),
        Point("large", 0.83, 410),
        Point("wasteful", 0.70, 5_000),  # off the front: it does not stretch the scale
    ]
    assert recommend(points) == {"low latency": 0, "best quality": 2, "balanced": 1}


def test_ties_go_to_quality_and_then_to_the_first() -> None:
    ends = [Point("cheap", 0.0, 0.0), Point("good", 1.0, 1.0)]
    assert recommend(ends)["balanced"] == 1  # both are at distance 1 from the corner
    same = Point("m", 1.0, 1.0)
    assert set(recommend([same, same]).values()) == {0}


@given(POINTS.filter(bool))
def test_recommendations_are_on_the_front_and_what_they_say(points: list[Point]) -> None:
    chosen, kept = recommend(points), front(points)
    assert set(chosen.values()) <= kept
    assert points[chosen["low latency"]].cost == min(point.cost for point in points)
    assert points[chosen["best quality"]].quality == max(point.quality for point in points)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=20))
def test_units_do_not_change_the_balance(pairs: list[tuple[int, int]]) -> None:
    points = [Point("m", quality, cost) for quality, cost in pairs]
    scaled = [Point("m", quality / 4, cost * 1024) for quality, cost in pairs]
    assert recommend(points) == recommend(scaled)
