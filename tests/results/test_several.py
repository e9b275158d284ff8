"""Tests over several models, against statsmodels, scipy and a published table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway
from statsmodels.stats.contingency_tables import mcnemar

from harness.judges.agreement import weighted_kappa
from harness.results.several import cochran_q, one_way_anova, repeated_anova

MATRICES = st.integers(1, 8).flatmap(
    lambda n: st.lists(
        st.lists(st.sampled_from([0.0, 1.0]), min_size=3, max_size=3), min_size=n, max_size=n
    )
)


def test_cochran_q_by_hand() -> None:
    matrix = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0], [1, 1, 0.0]])
    columns, rows, k = matrix.sum(axis=0), matrix.sum(axis=1), 3
    top = (k - 1) * (k * (columns**2).sum() - matrix.sum() ** 2)
    found = cochran_q(matrix)
    assert found.statistic == pytest.approx(top / (k * rows.sum() - (rows**2).sum()))
    assert (found.df, found.n, found.k) == ((2.0,), 6, 3)
    assert found.p == pytest.approx(np.exp(-found.statistic / 2))  # chi-square with two df


def test_cochran_q_of_two_models_is_mcnemars_test() -> None:
    matrix = np.repeat([[1, 1], [0, 1], [1, 0], [0, 0.0]], [794, 86, 150, 570], axis=0)
    expected = mcnemar([[794, 86], [150, 570]], exact=False, correction=False)
    assert cochran_q(matrix).statistic == pytest.approx(17.3559, abs=1e-4)
    assert cochran_q(matrix).p == pytest.approx(expected.pvalue, rel=1e-9)


def test_repeated_anova_has_the_f_of_statsmodels() -> None:
    from statsmodels.stats.anova import AnovaRM

    rng = np.random.default_rng(0)
    matrix = rng.random((12, 4)) + rng.random((12, 1)) + [0, 0.1, 0.2, 0.4]
    rows = [{"sample": i, "model": j, "score": matrix[i, j]} for i in range(12) for j in range(4)]
    table = AnovaRM(pd.DataFrame(rows), "score", "sample", within=["model"]).fit().anova_table
    found = repeated_anova(matrix)
    assert found.statistic == pytest.approx(float(table["F Value"].iloc[0]), rel=1e-9)
    # epsilon after Box: from the covariance of the models, centred twice
    covariance = np.cov(matrix.T)
    centre = np.eye(4) - 0.25
    eigenvalues = np.linalg.eigvalsh(centre @ covariance @ centre)
    epsilon = eigenvalues.sum() ** 2 / (3 * (eigenvalues**2).sum())
    assert found.df == (pytest.approx(3 * epsilon), pytest.approx(33 * epsilon))
    assert found.p > float(table["Pr > F"].iloc[0])


def test_repeated_anova_of_two_models_is_the_paired_t_test() -> None:
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]  # Student's sleep data
    found = repeated_anova(np.array([first, second]).T)
    assert found.statistic == pytest.approx(4.062127683382037**2)
    assert found.p == pytest.approx(0.002832890197384273)
    assert found.df == (1.0, 9.0)


def test_models_that_do_not_vary_alike_lose_degrees_of_freedom() -> None:
    rng = np.random.default_rng(1)
    alike = rng.normal(size=(200, 4))
    wild = alike * [1, 1, 1, 9]
    assert repeated_anova(alike).df[0] == pytest.approx(3, abs=0.1)
    assert repeated_anova(wild).df[0] == pytest.approx(1, abs=0.2)


def test_one_way_anova_is_that_of_scipy() -> None:
    groups = [np.array([6.0, 8, 4, 5, 3, 4]), np.array([8.0, 12, 9, 11, 6, 8]), np.array([13.0, 9])]
    found, expected = one_way_anova(groups), f_oneway(*groups)
    assert (found.statistic, found.p) == (
        pytest.approx(expected.statistic),
        pytest.approx(expected.pvalue),
    )
    assert (found.df, found.n, found.k) == ((2.0, 11.0), 14, 3)


@pytest.mark.parametrize("test", [cochran_q, repeated_anova])
def test_models_that_never_differ_are_equal(test) -> None:
    same = np.repeat([[1.0], [0.0], [1.0]], 4, axis=1)
    assert (test(same).statistic, test(same).p) == (0.0, 1.0)
    assert test(same[:1]).p == 1.0
    assert "degenerate" in test(same).method


@settings(deadline=None)
@given(MATRICES)
def test_p_is_a_chance_whatever_the_scores(rows: list[list[float]]) -> None:
    matrix = np.array(rows)
    for found in (cochran_q(matrix), repeated_anova(matrix), one_way_anova(list(matrix.T))):
        assert 0 <= found.p <= 1
        assert np.isfinite(found.statistic)
        assert found.k == 3
    swapped = matrix[::-1, [2, 0, 1]]
    assert cochran_q(swapped).p == pytest.approx(cochran_q(matrix).p)
    assert repeated_anova(swapped).p == pytest.approx(repeated_anova(matrix).p)


def test_equal_models_are_found_different_once_in_twenty() -> None:
    rng, rounds = np.random.default_rng(2), 1000
    allowed = 0.05 + 2 * np.sqrt(0.05 * 0.95 / rounds)
    hard = rng.random((rounds, 40, 1)) - 0.5
    right = (rng.random((rounds, 40, 3)) < 0.75 + hard / 2).astype(float)
    score = rng.normal(size=(rounds, 40, 3)) * [1, 1, 4] + 3 * hard
    assert np.mean([cochran_q(one).p < 0.05 for one in right]) <= allowed
    assert np.mean([repeated_anova(one).p < 0.05 for one in score]) <= allowed


def test_what_is_no_matrix_of_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="scores of 0 and 1"):
        cochran_q(np.array([[0.5, 1.0]]))
    with pytest.raises(ValueError, match="two models"):
        repeated_anova(np.ones((4, 1)))
    with pytest.raises(ValueError, match="no samples"):
        repeated_anova(np.ones((0, 3)))
    with pytest.raises(ValueError, match="not finite"):
        repeated_anova(np.array([[np.nan, 1.0]]))
    with pytest.raises(ValueError, match="two models"):
        one_way_anova([np.ones(3)])
    with pytest.raises(ValueError, match="not finite"):
        one_way_anova([np.ones(3), np.array([np.inf])])


def test_kappa_of_the_textbook_table() -> None:
    first = [1.0] * 60 + [0.0] * 40
    second = [1.0] * 45 + [0.0] * 15 + [1.0] * 25 + [0.0] * 15
    assert weighted_kappa(first, second) == pytest.approx(0.130435, abs=1e-6)  # two grades: Cohen's
