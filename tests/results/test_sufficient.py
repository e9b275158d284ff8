"""The least that suffices, by its stated rule."""

from __future__ import annotations

import numpy as np

from harness.results.differences import Difference, paired_difference
from harness.results.run import ScorerInfo
from harness.results.sufficient import Place, best_place, suffices, sufficient

ACCURACY = ScorerInfo("choice", kind="proportion")


def difference(wins: int, losses: int, n: int) -> Difference:
    a = np.array([0.0] * wins + [1.0] * losses + [1.0] * (n - wins - losses))
    b = np.array([1.0] * wins + [0.0] * losses + [1.0] * (n - wins - losses))
    return paired_difference(a, b)


def test_zero_in_the_interval_suffices_and_a_tie_in_every_pair() -> None:
    assert suffices(difference(1, 3, 40))  # Tango: about [-0.16, 0.06]
    assert not suffices(difference(0, 20, 40))
    assert suffices(difference(0, 0, 40))
    nothing = paired_difference(np.zeros(0), np.zeros(0))
    assert not suffices(nothing)


def test_the_same_loss_in_every_pair_does_not_suffice() -> None:
    found = paired_difference(np.full(20, 0.5), np.full(20, 0.4), numeric=True)
    assert not found.interval.known
    assert not suffices(found)


def test_the_least_of_a_curve() -> None:
    values = {("1",): 0.5, ("2",): 0.85, ("6",): 0.9, ("10",): 0.88}
    losses = {("1",): 16, ("2",): 2, ("10",): 1}
    found = sufficient(values, ACCURACY, lambda best, other: difference(0, losses[other], 40))
    assert found is not None
    assert (found.best, found.least) == (("6",), (("2",),))
    assert found.not_worse == (("2",), ("6",), ("10",))


def test_of_a_map_those_that_have_less_of_nothing_else() -> None:
    places: list[Place] = [("1", "4"), ("1", "16"), ("6", "4"), ("6", "16")]
    values = dict(zip(places, (0.5, 0.8, 0.8, 0.81), strict=True))
    losses = dict(zip(places, (20, 1, 1, 0), strict=True))
    found = sufficient(values, ACCURACY, lambda best, other: difference(0, losses[other], 40))
    assert found is not None
    assert found.least == (("1", "16"), ("6", "4"))


def test_the_best_follows_the_direction_of_the_metric() -> None:
    values: dict[Place, float] = {("1",): 9.0, ("6",): 4.0}
    cost = ScorerInfo("perplexity", higher_is_better=False)
    assert best_place(values, cost) == ("6",)
    assert best_place(values, ACCURACY) == ("1",)
    assert best_place(values, ScorerInfo("token_count", neutral=True)) is None
    assert sufficient({("1",): 1.0}, ACCURACY, lambda best, other: None) is None


def test_what_cannot_be_compared_does_not_suffice() -> None:
    found = sufficient({("1",): 0.9, ("6",): 0.91}, ACCURACY, lambda best, other: None)
    assert found is not None
    assert found.least == (("6",),)


def test_what_is_on_another_scale_suffices_beside_it_and_the_best_is_no_alternative() -> None:
    values: dict[Place, float] = {
        ("1", "32"): 0.8,
        ("source/4", "64"): 0.8,
        ("source/2", "32"): 0.81,
        ("source/2", "64"): 0.8,
    }
    found = sufficient(values, ACCURACY, lambda best, other: difference(0, 1, 40))
    assert found is not None
    assert found.best == ("source/2", "32")
    assert found.least == (("1", "32"), ("source/4", "64"))
