"""Tables of the facts, statsmodels, and inverses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results import power

SPREADS = st.floats(0.01, 100)


@pytest.mark.parametrize(
    ("n", "effect"), [(16, 0.35), (20, 0.31), (100, 0.14), (500, 0.063), (1000, 0.044)]
)
def test_table_of_normal_quantiles(n: int, effect: float) -> None:
    found = power.normal_detectable_effect(0.5, n)
    assert found == pytest.approx(effect, abs=0.005 if n < 500 else 0.0005)


@pytest.mark.parametrize(("n", "effect"), [(16, 0.749), (20, 0.660), (500, 0.1255)])
def test_table_of_students(n: int, effect: float) -> None:
    assert power.minimum_detectable_effect(1.0, n) == pytest.approx(effect, abs=0.0006)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("n", "effect"), [(2, 3.0), (5, 1.2), (16, 0.5), (500, 0.1)])
def test_power_is_that_of_statsmodels(n: int, effect: float, sides: int) -> None:
    from statsmodels.stats.power import TTestPower

    side = "two-sided" if sides == 2 else "larger"
    expected = TTestPower().power(effect, n, 0.05, alternative=side)
    found = power.power_of_drop(1.0, n, -effect, sides=sides)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [3, 16, 100, 20_000])
def test_the_smallest_effect_has_just_the_power(n: int) -> None:
    from statsmodels.stats.power import TTestPower

    effect = power.minimum_detectable_effect(1.0, n)
    assert TTestPower().power(effect, n, 0.05) == pytest.approx(0.8, abs=1e-9)


@settings(deadline=None)
@given(SPREADS, st.floats(0.02, 5))
def test_required_n_is_the_first_that_does(spread: float, ratio: float) -> None:
    n = power.required_n(spread, ratio * spread)
    assert n is not None
    assert n >= 2
    assert power.power_of_drop(spread, n, ratio * spread) >= 0.8 - 1e-9
    if n > 2:
        assert power.power_of_drop(spread, n - 1, ratio * spread) < 0.8 + 1e-9


@settings(deadline=None)
@given(SPREADS, st.integers(2, 500))
def test_effect_scales_with_the_spread_and_falls_with_n(spread: float, n: int) -> None:
    found = power.minimum_detectable_effect(spread, n)
    assert found == pytest.approx(spread * power.minimum_detectable_effect(1.0, n))
    assert power.minimum_detectable_effect(spread, n + 1) < found
    assert power.minimum_detectable_effect(spread, n, sides=1) < found


def test_equal_models_pass_at_the_required_n_four_times_in_five() -> None:
    rng, spread, margin = np.random.default_rng(0), 0.3, 0.1
    n = power.required_n(spread, margin)
    d = rng.normal(0, spread, (4000, n))
    from scipy.special import stdtrit

    low = d.mean(axis=1) - stdtrit(n - 1, 0.95) * d.std(axis=1, ddof=1) / np.sqrt(n)
    assert np.mean(low > -margin) == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(
    ("margin", "span", "n"), [(0.1, 1.0, 29), (0.02, 1.0, 149), (2.0, 100.0, 149), (1.0, 1.0, 1)]
)
def test_samples_that_never_differ(margin: float, span: float, n: int) -> None:
    assert power.required_n_identical(margin, span) == n
    assert (1 - 0.05 ** (1 / n)) * span < margin
    if n > 1:
        assert (1 - 0.05 ** (1 / (n - 1))) * span >= margin


def test_where_nothing_can_be_said() -> None:
    assert power.required_n(0.5, 0.0) is None
    assert power.required_n(0.0, 0.1) is None
    assert power.required_n(1.0, 1e-9) is None
    assert power.required_n_identical(0.0) is None
    assert power.minimum_detectable_effect(0.5, 1) is None
    assert power.minimum_detectable_effect(0.0, 50) is None
    assert power.power_of_drop(0.0, 50, 0.1) is None
    assert power.power_of_drop(1.0, 2_000_000, 0.01) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("margin", "n"), [(0.01, 319), (0.02, 158), (0.05, 62), (0.1, 30), (1.0, 2)]
)
def test_pairs_that_never_differ_need_what_tangos_bound_needs(margin: float, n: int) -> None:
    from harness.results.drop_bounds import tango_bounds

    assert power.required_n_pairs(0.0, margin) == n
    assert tango_bounds(0, 0, n, 0.05).low > -margin
    assert tango_bounds(0, 0, n - 1, 0.05).low <= -margin


def test_the_more_pairs_differ_the_more_are_needed() -> None:
    found = [power.required_n_pairs(share, 0.05) for share in (0.0, 0.01, 0.05, 0.2, 0.5)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(power.required_n(0.5**0.5, 0.05), rel=0.03)
    assert power.required_n_pairs(0.3, 0.001) == power.required_n(0.3**0.5, 0.001)  # by t
    assert power.required_n_pairs(0.1, 0.0) is None


@settings(deadline=None)
@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
def test_required_samples_of_a_share_are_enough_by_scipys_binomial(
    value: float, limit: float
) -> None:
    from scipy.stats import binom

    found = power.required_n_share(value, limit)
    assert found == power.required_n_share(1 - value, 1 - limit) or abs(value - limit) < 0.02
    if found is None or found > 5000:
        assert abs(value - limit) < 0.05
        return
    high, low = (value, limit) if value > limit else (1 - value, 1 - limit)
    counts = np.arange(found + 1)
    shows = binom.sf(counts - 1, found, low) <= 0.05
    assert binom.pmf(counts, found, high)[shows].sum() >= 0.8 - 1e-9


def test_a_drop_that_is_reckoned_with_unseen_takes_more_samples() -> None:
    plain, wary, strict = (power.required_n(0.1, 0.05, reach=reach) for reach in (0.0, 0.5, 1.0))
    assert (plain, wary, strict) == (27, 51, 83)
    assert power.required_n(math.inf, 0.1) is None
    assert power.required_n_share(0.9, 0.9) is None
