"""Bounds with one bad sample more: known cases, drawn weights, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results.stats import clopper_pearson_ends
from harness.results.unseen import Weighted, lower_bound

VALUES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=1, max_size=30)


@pytest.mark.parametrize(("k", "n"), [(16, 16), (15, 16), (3, 5), (98, 100), (495, 500)])
def test_shares_have_clopper_and_pearsons_bound(k: int, n: int) -> None:
    exact, _ = clopper_pearson_ends(k, n, 0.05)
    assert lower_bound(np.repeat([1.0, 0.0], [k, n - k]), 0.0, 0.05) == pytest.approx(
        exact, rel=3e-3
    )


@pytest.mark.parametrize("end", [-0.2, -0.5, -1.0])
@pytest.mark.parametrize("n", [8, 50])
def test_the_quantile_is_that_of_drawn_weights(n: int, end: float) -> None:
    rng = np.random.default_rng(n)
    values = np.append(rng.normal(0, 0.05, n), end)
    weights = rng.standard_exponential((100_000, n + 1))
    drawn = np.quantile(weights @ values / weights.sum(axis=1), 0.05)
    assert lower_bound(values[:-1], end, 0.05) == pytest.approx(drawn, rel=0.02)


def test_many_values_have_students_bound() -> None:
    values = np.random.default_rng(0).normal(0, 1, 100_000)
    student = values.mean() - 1.6449 * values.std() / np.sqrt(len(values))
    assert lower_bound(values, -10.0, 0.05) == pytest.approx(student, abs=2e-4)


@settings(deadline=None)
@given(VALUES, st.floats(0, 20), st.floats(0.01, 0.3), st.randoms(use_true_random=False))
def test_the_bound_lies_below_the_mean_and_its_chance_is_alpha(
    values: list[float], beyond: float, alpha: float, random
) -> None:
    end = min(values) - beyond
    found = lower_bound(np.array(values), end, alpha)
    assert end <= found <= np.mean(values) + 1e-9
    if max(values) > end + 1e-9:
        assert Weighted(np.array(values), end).below(found) == pytest.approx(alpha, rel=1e-3)
        assert lower_bound(np.array(values), end - 1, alpha) <= found
    shuffled = list(values)
    random.shuffle(shuffled)
    assert lower_bound(np.array(shuffled), end, alpha) == found


def test_counts_stand_for_as_many_values() -> None:
    few = Weighted(np.array([0.0, 1.0]), -1.0, np.array([3.0, 5.0]))
    assert few.quantile(0.05) == lower_bound(np.repeat([0.0, 1.0], [3, 5]), -1.0, 0.05)


def test_equal_values_at_the_end_and_none_at_all() -> None:
    assert lower_bound(np.full(5, 2.0), 2.0, 0.05) == 2.0
    same = Weighted(np.full(5, 2.0), 2.0)
    assert (same.below(1.0), same.below(2.0), same.below(3.0)) == (0.0, 1.0, 1.0)
    assert lower_bound(np.full(5, 2.0), 2.0 - 1e-15, 0.05) == 2.0 - 1e-15  # rounding is no spread
    with pytest.raises(ValueError, match="no values"):
        lower_bound(np.array([]), 0.0, 0.05)
