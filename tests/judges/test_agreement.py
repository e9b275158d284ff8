"""Kappa, alpha, rank correlation, bias, corrected rates: against published numbers and oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from harness.judges.agreement import (
    Estimate,
    PassTable,
    alpha,
    mean_error,
    midranks,
    proportion,
    resampled,
    resampled_kappas,
    resampled_ranks,
    rogan_gladen,
    spearman,
    weighted_kappa,
)

ratings = st.integers(1, 5)
pairs = st.lists(st.tuples(ratings, ratings), min_size=1, max_size=40)


def columns(rows: list[tuple[int, int]]) -> tuple[list[float], list[float]]:
    return [float(a) for a, _ in rows], [float(b) for _, b in rows]


# --------------------------------------------------------------------------- two raters


@given(pairs)
def test_r13_kappa_is_sklearns_quadratic_weighted_kappa(rows: list[tuple[int, int]]) -> None:
    a, b = columns(rows)
    found = weighted_kappa(a, b)
    if len({*a, *b}) == 1:
        assert found is None
    else:
        oracle = cohen_kappa_score(a, b, weights="quadratic", labels=[1, 2, 3, 4, 5])
        assert found == pytest.approx(oracle, abs=1e-12)


def test_kappa_goes_by_the_distance_of_ratings_and_not_by_their_rank() -> None:
    """On 0..100, 48 for 50 is nearly right, though it may be the only value in between."""
    assert weighted_kappa([0, 50, 100], [0, 48, 100]) == pytest.approx(1, abs=1e-3)


def test_kappa_of_the_same_constant_is_unknown_and_of_two_constants_is_chance() -> None:
    assert weighted_kappa([0.1] * 7, [0.1] * 7) is None
    assert weighted_kappa([1, 1], [2, 2]) == 0
    assert weighted_kappa([], []) is None
    with pytest.raises(ValueError, match="2 ratings and 1 ratings"):
        weighted_kappa([1, 2], [1])


@given(pairs)
def test_spearman_is_scipys(rows: list[tuple[int, int]]) -> None:
    a, b = columns(rows)
    found = spearman(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-9)


@given(st.lists(st.integers(0, 6), max_size=30))
def test_midranks_are_scipys(values: list[int]) -> None:
    assert midranks(values) == list(stats.rankdata(values))


# --------------------------------------------------------------------------- many raters

_ = None
KRIPPENDORFF = [
    [1, 1, _, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [_, 5, 5, 5],
    [_, _, 1, 1],
    [_, _, 3, _],
]
"""Twelve items, four observers: the worked example of Krippendorff 2011."""


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_alpha_is_that_of_krippendorffs_example(level: str, published: float) -> None:
    assert alpha(KRIPPENDORFF, level) == pytest.approx(published, abs=5e-4)  # type: ignore[arg-type]


def test_interval_alpha_is_that_of_krippendorffs_example() -> None:
    assert alpha(KRIPPENDORFF) == pytest.approx(0.849, abs=5e-4)


def test_alpha_without_anything_to_compare_is_unknown() -> None:
    assert alpha([]) is None
    assert alpha([[1, _], [_, 2]]) is None
    assert alpha([[3, 3], [3, 3]]) is None


def test_alpha_of_opposed_raters_is_negative() -> None:
    found = alpha([[0, 1], [1, 0]])
    assert found is not None
    assert found < 0


@given(st.lists(st.lists(st.one_of(st.none(), ratings), min_size=2, max_size=4), max_size=12))
def test_alpha_is_at_most_one_and_does_not_know_the_raters_order(
    table: list[list[int | None]],
) -> None:
    for level in ("nominal", "ordinal", "interval"):
        found = alpha(table, level)  # type: ignore[arg-type]
        turned = alpha([row[::-1] for row in table], level)  # type: ignore[arg-type]
        assert (found is None) == (turned is None)
        if found is not None and turned is not None:
            assert found <= 1 + 1e-12
            assert found == pytest.approx(turned)


@given(pairs)
def test_interval_alpha_of_two_complete_raters_tends_to_kappa(rows: list[tuple[int, int]]) -> None:
    """Both are 1 - observed / expected; they differ in who chance is drawn from."""
    a, b = columns(rows)
    found = alpha([list(row) for row in rows])
    if found is None:
        return
    observed = math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / len(rows)
    pooled = float(np.var([*a, *b], ddof=1))
    assert found == pytest.approx(1 - observed / (2 * pooled))


# --------------------------------------------------------------------------- intervals


def test_resampled_interval_holds_the_value_and_is_the_same_twice() -> None:
    draw = np.random.default_rng(3)
    a = draw.integers(1, 6, 60).astype(float)
    b = np.clip(a + draw.integers(-1, 2, 60), 1, 5)
    found = resampled("kappa", a.tolist(), b.tolist())
    assert found == resampled("kappa", a.tolist(), b.tolist())
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.n == 60


@given(st.lists(st.lists(st.tuples(ratings, ratings), min_size=6, max_size=6), min_size=1))
def test_many_resamples_at_once_are_what_they_are_one_by_one(
    rows: list[list[tuple[int, int]]],
) -> None:
    a, b = np.array(rows, float)[:, :, 0], np.array(rows, float)[:, :, 1]
    for together, alone in ((resampled_kappas, weighted_kappa), (resampled_ranks, spearman)):
        found = [None if math.isnan(value) else value for value in together(a, b)]
        for value, x, y in zip(found, a.tolist(), b.tolist(), strict=True):
            assert value == (None if alone(x, y) is None else pytest.approx(alone(x, y)))


def test_few_or_flat_pairs_have_no_interval() -> None:
    few = resampled("kappa", [1, 2, 3], [1, 2, 2])
    assert few.value is not None
    assert (few.low, few.high) == (None, None)
    perfect = [float(n % 5) for n in range(20)]
    assert resampled("kappa", perfect, perfect) == Estimate(1.0, n=20)


def test_mean_error_has_students_interval() -> None:
    errors = [1.0, -2.0, 0.5, 3.0, -0.5, 2.0]
    found = mean_error(errors)
    low, high = stats.t.interval(0.95, 5, np.mean(errors), stats.sem(errors))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.value == pytest.approx(np.mean(errors))


def test_mean_error_without_spread_has_no_interval() -> None:
    assert mean_error([]) == Estimate(None)
    assert mean_error([2.0]) == Estimate(2.0, n=1)
    assert mean_error([2.0, 2.0]) == Estimate(2.0, n=2)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_proportion_is_wilsons(shares: tuple[int, int]) -> None:
    k, n = shares
    found = proportion(k, n)
    oracle = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert found.low == pytest.approx(oracle.low, abs=1e-12)
    assert found.high == pytest.approx(oracle.high, abs=1e-12)


# --------------------------------------------------------------------------- pass and fail


def test_r13_rogan_gladen_oracle() -> None:
    assert rogan_gladen(0.78, sensitivity=0.90, specificity=0.85) == pytest.approx(0.84)


def test_rogan_gladen_stays_a_share_and_refuses_a_coin() -> None:
    assert rogan_gladen(0.05, 0.9, 0.85) == 0.0
    assert rogan_gladen(0.99, 0.9, 0.85) == 1.0
    assert rogan_gladen(0.5, 0.5, 0.5) is None
    assert rogan_gladen(0.5, 0.2, 0.3) is None


@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
def test_rogan_gladen_undoes_what_an_imperfect_judge_does(
    rate: float, sensitivity: float, specificity: float
) -> None:
    judged = rate * sensitivity + (1 - rate) * (1 - specificity)
    assert rogan_gladen(judged, sensitivity, specificity) == pytest.approx(rate, abs=1e-9)


def test_pass_table_counts_at_or_above_the_threshold() -> None:
    table = PassTable.of(judge=[50, 60, 10, 90], human=[50, 40, 20, 45], threshold=50)
    assert table == PassTable(hits=1, positives=1, rejections=1, negatives=3)
    assert table.sensitivity.value == 1
    assert table.specificity.value == pytest.approx(1 / 3)


def test_a_set_of_one_kind_corrects_nothing() -> None:
    only_good = PassTable(hits=9, positives=10)
    assert only_good.specificity.value is None
    assert only_good.correct(7, 10) == Estimate(None, n=10)


def test_a_coin_corrects_nothing() -> None:
    assert PassTable(5, 10, 5, 10).correct(70, 100) == Estimate(None, n=100)


def test_a_small_calibration_set_makes_the_corrected_rate_unsure() -> None:
    """780 of 1,000 are a narrow interval only if the judge's own faults are well known."""

    def width(scale: int) -> float:
        found = PassTable(9 * scale, 10 * scale, 17 * scale, 20 * scale).correct(780, 1000)
        assert found.value == pytest.approx(0.84)
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    assert width(1) > 2 * width(20) > 0.02
    assert width(10_000) == pytest.approx(2 * 1.96 * math.sqrt(0.78 * 0.22 / 1000) / 0.75, rel=0.02)


@pytest.mark.parametrize(
    ("rate", "q1", "q0", "n", "items"),
    [(0.3, 0.9, 0.85, 500, 100), (0.84, 0.9, 0.85, 200, 60), (0.5, 0.7, 0.7, 1000, 200)],
)
def test_corrected_intervals_hold_the_truth_as_often_as_they_say(
    rate: float, q1: float, q0: float, n: int, items: int
) -> None:
    draw = np.random.default_rng(1)
    positives = draw.binomial(items, 0.5, 500)
    judged = rate * q1 + (1 - rate) * (1 - q0)
    held = 0
    for positive in positives.tolist():
        hits, rejected = draw.binomial(positive, q1), draw.binomial(items - positive, q0)
        table = PassTable(int(hits), positive, int(rejected), items - positive)
        found = table.correct(int(draw.binomial(n, judged)), n)
        held += found.low is not None and found.high is not None and found.low <= rate <= found.high
    assert held >= 0.93 * 500
