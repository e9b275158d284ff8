"""A mean against a floor or a ceiling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results.corpus import perplexity
from harness.results.limits import corpus_bounds, mean_bounds

VALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])), max_size=25)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (3, 15), (16, 16), (81, 263)])
def test_shares_have_the_exact_binomial_test_of_scipy(k: int, n: int) -> None:
    from scipy.stats import binomtest

    values = np.repeat([1.0, 0.0], [k, n - k])
    found = mean_bounds(values, (0.4, 0.1))
    below, above = binomtest(k, n, 0.4, "less"), binomtest(k, n, 0.1, "greater")
    assert found.p_below == pytest.approx(below.pvalue, rel=1e-9)
    assert found.p_above == pytest.approx(above.pvalue, rel=1e-9)
    assert found.high == pytest.approx(below.proportion_ci(0.95).high, rel=1e-9)
    assert found.low == pytest.approx(above.proportion_ci(0.95).low, rel=1e-9)


def test_scipys_own_example() -> None:
    found = mean_bounds(np.repeat([1.0, 0.0], [3, 12]), (None, 0.1))
    assert found.p_above == pytest.approx(0.18406106910639114, rel=1e-9)
    assert found.low == pytest.approx(0.05684686759024681, rel=1e-9)
    assert found.p_below == 1.0


def test_many_numbers_have_students_test() -> None:
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(0).random(120)
    found, expected = (
        mean_bounds(values, (0.55, None)),
        ttest_1samp(values, 0.55, alternative="less"),
    )
    assert found.p_below == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.high == pytest.approx(expected.confidence_interval(0.95).high, rel=1e-9)
    assert (found.method, found.clusters) == ("t", 120)


def test_a_few_numbers_have_the_wider_bounds() -> None:
    skewed = np.array([0.9, 0.95, 0.85, 0.92, 0.99, 0.97, 0.93, 0.4, 0.91, 0.96, 0.7, 0.88])
    found = mean_bounds(skewed, (0.95, None), span=(0.0, 1.0))
    assert found.method == "bootstrap-t or t, the wider"
    assert found.high < 1
    assert skewed.mean() - found.low > found.high - skewed.mean()


def test_equal_values_say_how_many_may_be_otherwise() -> None:
    found = mean_bounds(np.full(58, 40.0), (50.0, 30.0), numeric=True, span=(0.0, 100.0))
    share = 1 - 0.05 ** (1 / 58)
    assert (found.low, found.high) == (
        pytest.approx(40 - 40 * share),
        pytest.approx(40 + 60 * share),
    )
    assert found.p_below == pytest.approx((1 - 10 / 60) ** 58)  # a sixth would have to be 100
    assert found.p_above == pytest.approx((1 - 10 / 40) ** 58)
    unknown = mean_bounds(np.full(58, 40.0), (50.0, None), numeric=True)
    assert (unknown.low, unknown.high, unknown.p_below) == (None, None, 1.0)


def test_limits_at_and_beyond_the_ends_of_a_share() -> None:
    values = np.array([1.0] * 10)
    assert mean_bounds(values, (1.0, 0.0)).p_below == 1.0
    assert mean_bounds(values, (1.0, 0.0)).p_above == 0.0
    assert mean_bounds(values[:0], (0.5, 0.5)).p_below == 1.0


def test_clusters_widen_the_bounds() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 1.0, 1.0], 20)
    videos = [i // 20 for i in range(100)]
    alone, grouped = (mean_bounds(values, (0.9, None), groups) for groups in (None, videos))
    assert alone.p_below < 0.05 < grouped.p_below
    assert grouped.low < alone.low
    assert grouped.clusters == 5
    one = mean_bounds(values, (0.9, None), ["a"] * 100, numeric=True)
    assert (one.low, one.p_below, one.method) == (None, 1.0, "one cluster")


@settings(deadline=None)
@given(VALUES, st.booleans(), st.booleans(), st.floats(0, 1))
def test_bounds_hold_the_mean_and_agree_with_the_p(
    values: list[float], numeric: bool, grouped: bool, floor: float
) -> None:
    groups = [i // 3 for i in range(len(values))] if grouped else None
    found = mean_bounds(np.array(values), (floor, floor), groups, numeric=numeric, span=(0.0, 1.0))
    assert 0 <= found.p_below <= 1
    assert 0 <= found.p_above <= 1
    assert math.isfinite(found.value)
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.p_below + found.p_above >= 1 - 1e-9  # no mean lies below and above one limit


def test_a_perplexity_against_its_ceiling() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(5, 30, 60).astype(float)
    counts = np.stack([tokens * rng.normal(3, 0.2, 60), tokens], axis=1)
    found = corpus_bounds(counts, perplexity, (None, 18.0))
    assert found.low < found.value < found.high
    assert found.low > 18
    assert found.p_above < 0.01
    assert corpus_bounds(counts, perplexity, (None, 25.0)).p_above > 0.9
    assert corpus_bounds(counts[:0], perplexity).low is None
    assert corpus_bounds(counts[:1], perplexity, (1.0, None)).p_below == 1.0
    assert corpus_bounds(np.ones((9, 2)), perplexity, (None, 1.0)).low is None
