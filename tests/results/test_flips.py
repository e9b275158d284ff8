"""Sign flips against scipy's permutation test, and against patterns written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results import flips

NUMBERS = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=1, max_size=9)
SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def test_students_sleep_data_are_those_of_scipy() -> None:
    from scipy.stats import permutation_test

    found = permutation_test((SLEEP,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert flips.sign_flip_p(SLEEP) == pytest.approx(0.00390625)
    assert flips.sign_flip_p(SLEEP) == pytest.approx(found.pvalue)
    assert flips.sign_flip_p(-SLEEP, sides=1) == pytest.approx(0.00390625 / 2)
    assert flips.sign_flip_p(SLEEP, sides=1) == 1.0


@settings(deadline=None)
@given(NUMBERS)
def test_counted_flips_are_all_patterns(values: list[float]) -> None:
    d = np.array(values)
    sums = [float(np.dot(signs, np.abs(d))) for signs in itertools.product((-1, 1), repeat=len(d))]
    below = np.mean([one <= d.sum() + 1e-9 for one in sums])
    far = np.mean([abs(one) >= abs(d.sum()) - 1e-9 for one in sums])
    assert flips.sign_flip_p(d, sides=1) == pytest.approx(below)
    assert flips.sign_flip_p(d) == pytest.approx(far)


def test_drawn_flips_are_near_the_counted_ones() -> None:
    d = np.random.default_rng(0).normal(0.3, 1, 24)
    counted = flips.sign_flip_p(d)
    more = np.append(d, [1e-7])  # one that changes nothing, but is one too many to count
    assert flips.sign_flip_method(d) == "sign flips, counted"
    assert flips.sign_flip_method(more) == "sign flips, drawn"
    assert flips.sign_flip_p(more) == pytest.approx(counted, abs=0.015)


def test_t_takes_over_only_where_a_hundred_differ() -> None:
    d = np.random.default_rng(1).normal(0, 1, 100)
    assert flips.sign_flip_method(d) == "t"
    padded = np.zeros(1000)
    padded[:4] = [-1, -2, -3, -4]
    assert flips.sign_flip_method(padded) == "sign flips, counted"
    assert flips.sign_flip_p(padded, sides=1) == pytest.approx(1 / 16)


def test_equal_steps_are_the_sign_test_of_any_number() -> None:
    from scipy.stats import binomtest

    d = np.repeat([0.5, -0.5, 0.0], [70, 50, 400])
    assert flips.sign_flip_p(d) == pytest.approx(binomtest(50, 120).pvalue, rel=1e-9)
    assert flips.sign_flip_p(np.zeros(9)) == 1.0
    assert flips.sign_flip_p(np.zeros(0)) == 1.0


def difference(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (right - left)[:, 0]


def test_swaps_of_sums_are_sign_flips_of_the_differences() -> None:
    rng = np.random.default_rng(2)
    a = rng.random((11, 1))
    b = a + rng.normal(-0.2, 0.5, (11, 1))
    expected = flips.sign_flip_p((b - a)[:, 0], sides=1)
    assert flips.swap_p(a, b, difference, 0) == pytest.approx(expected)


@pytest.mark.parametrize("n", [60, 4000])
def test_drawn_swaps_are_near_the_t_test_also_in_groups(n: int) -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(3)
    a = rng.random((n, 1))
    b = a + rng.normal(-1 / np.sqrt(n), 1, (n, 1))
    expected = ttest_rel(b[:, 0], a[:, 0], alternative="less").pvalue
    assert flips.swap_p(a, b, difference, 0) == pytest.approx(expected, abs=0.02)


def test_rows_that_are_equal_do_not_count() -> None:
    a = np.arange(200.0)[:, None]
    b = a.copy()
    b[:3] -= 1
    assert flips.swap_p(a, b, difference, 0) == pytest.approx(1 / 8)
    assert flips.swap_p(a, a, difference, 0) == 1.0
