from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_effectsize

from harness.results.corpus import perplexity
from harness.results.effects import (
    cohens_h,
    d_z,
    effect_of_corpus,
    effect_of_means,
    pseudo_values,
    spread_of,
)
from harness.results.stats import clustered_error

# Student's sleep data: hours gained with two drugs
DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_d_z_is_students_t_over_the_root_of_n() -> None:
    assert d_z(DRUG_2 - DRUG_1) == pytest.approx(4.062127683382037 / math.sqrt(10))


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.25), (0.0, 1.0), (0.3, 0.3), (1.0, 0.95)])
def test_h_agrees_with_statsmodels(a: float, b: float) -> None:
    assert cohens_h(a, b) == pytest.approx(proportion_effectsize(b, a), abs=1e-12)


@pytest.mark.parametrize(("n", "in_spreads"), [(16, 0.749), (20, 0.660)])
def test_mde_of_few_pairs_is_students(n: int, in_spreads: float) -> None:
    b = np.random.default_rng(1).normal(0, 3, n)
    found = effect_of_means(np.zeros(n), b)
    assert found.mde == pytest.approx(in_spreads * float(b.std(ddof=1)), rel=2e-3)


def test_values_without_spread_have_no_effect_size() -> None:
    same = effect_of_means(np.full(9, 0.1), np.full(9, 0.3))
    assert (same.size, same.mde) == (None, None)
    alone = effect_of_means(np.array([0.1]), np.array([0.3]))
    assert (alone.size, alone.mde) == (None, None)
    nothing = effect_of_means(np.zeros(0), np.zeros(0), binary=True)
    assert (nothing.size, nothing.mde) == (None, None)


def test_yes_no_values_that_never_differ_still_have_a_spread() -> None:
    few = effect_of_means(np.ones(20), np.ones(20), binary=True)
    many = effect_of_means(np.ones(500), np.ones(500), binary=True)
    assert few.mde is not None
    assert many.mde is not None
    assert 0.005 < many.mde < few.mde < 0.3


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 5)), min_size=3, max_size=20))
def test_spread_over_the_root_of_the_units_is_the_standard_error(
    drawn: list[tuple[int, float]],
) -> None:
    groups, d = np.array([g for g, _ in drawn]), np.array([x for _, x in drawn])
    spread, units = spread_of(d, list(groups))
    assert units == len(set(groups))
    if spread is not None and units < len(d):
        codes = np.unique(groups, return_inverse=True)[1]
        assert spread / math.sqrt(units) == pytest.approx(clustered_error(d, codes))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_pseudo_values_of_a_mean_are_the_values(values: list[float]) -> None:
    counts = np.array([[value, 1.0] for value in values])
    found = pseudo_values(counts, lambda sums: sums[:, 0] / sums[:, 1])
    np.testing.assert_allclose(found, values, atol=1e-9)


def test_the_effect_of_a_corpus_metric_is_its_difference_in_standard_errors() -> None:
    rng = np.random.default_rng(0)
    a = np.stack([rng.gamma(20, 1, 400), rng.integers(5, 15, 400)], axis=1)
    b = a * [0.9, 1.0] + [[0.0, 0.0]]
    b[:, 0] += rng.normal(0, 1, 400)
    found = effect_of_corpus(a, b, perplexity)
    drawn = rng.integers(0, 400, (2000, 400))
    means = perplexity(b[drawn].sum(axis=1)) - perplexity(a[drawn].sum(axis=1))
    whole = float((perplexity(b.sum(0, keepdims=True)) - perplexity(a.sum(0, keepdims=True)))[0])
    assert found.size == pytest.approx(whole / means.std() / math.sqrt(400), rel=0.1)


def test_an_infinite_perplexity_has_no_effect_size() -> None:
    a = np.array([[1e6, 1.0], [1.0, 1.0], [2.0, 1.0]])
    found = effect_of_corpus(a, np.ones((3, 2)), perplexity)
    assert (found.size, found.mde) == (None, None)
