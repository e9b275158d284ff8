"""Published numbers first, then properties that hold for any data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results import differences as diff
from harness.results.corpus import perplexity

NUMBERS = st.floats(-5, 5).map(lambda x: round(x, 3))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30)
YES_NO = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1)


def columns(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(pairs)
    return array[:, 0], array[:, 1]


def test_tango_and_mid_p_of_fagerlands_airway_table() -> None:
    found = diff.tango(wins=1, losses=7, n=21)
    assert (found.low, found.high) == (
        pytest.approx(-0.51723, abs=1e-5),
        pytest.approx(-0.02600, abs=1e-5),
    )
    assert diff.mcnemar_mid_p(1, 7) == pytest.approx(0.0390625)


def test_mid_p_is_the_exact_p_of_the_approval_table_less_its_own_weight() -> None:
    seen = math.comb(236, 86) / 2**236  # the weight of the table itself, which mid-p leaves out
    assert diff.mcnemar_mid_p(86, 150) + seen == pytest.approx(3.7159e-05, rel=1e-4)
    assert diff.mcnemar_mid_p(0, 0) == 1.0
    assert diff.mcnemar_mid_p(5, 5) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("wins", "losses", "rest", "plain", "corrected", "exact"),
    [
        (150, 86, 1364, 3.0993e-05, 4.1146e-05, 3.7159e-05),  # Agresti's approval ratings
        (15, 25, 9960, None, 0.154728, 0.153860),
        (1, 11, 9988, None, 0.0093748, 0.0063477),
        (1, 7, 13, 0.033895, None, 0.0703125),  # Fagerland's airways
    ],
)
def test_mcnemar_as_statsmodels_has_it(wins, losses, rest, plain, corrected, exact) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    table = [[rest, losses], [wins, 0]]
    ours = min(1.0, 2 * diff.mcnemar_worse_p(min(wins, losses), max(wins, losses)))
    assert ours == pytest.approx(exact, rel=1e-4)
    assert ours == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9)
    for correction, expected in ((False, plain), (True, corrected)):
        if expected is not None:
            found = mcnemar(table, exact=False, correction=correction).pvalue
            assert found == pytest.approx(expected, rel=1e-4)
            assert 0.3 < diff.mcnemar_mid_p(wins, losses) / found < 1.5
    assert diff.mcnemar_mid_p(wins, losses) < ours  # mid-p leaves out a part of the exact one
    assert diff.mcnemar_worse_p(0, 0) == 1.0


def test_students_sleep_data() -> None:
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = diff.paired_difference(first, second)
    assert found.value == pytest.approx(1.58)
    assert found.p == pytest.approx(0.00390625)  # two of 2^9 sign patterns; one pair is tied
    assert (found.wins, found.ties, found.losses) == (9, 1, 0)
    assert found.interval.excludes(0)


def test_from_a_hundred_pairs_on_it_is_the_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(4)
    a = rng.random(120)
    b = a + rng.normal(0.02, 0.1, 120)
    found, expected = diff.paired_difference(a, b), ttest_rel(b, a)
    low, high = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.method == "t"


def test_holm_of_the_list_of_benjamini_and_hochberg() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324]
    p += [0.4262, 0.5719, 0.6528, 0.759, 1.0]
    adjusted = diff.holm(p)
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1.0]
    assert adjusted[:10] == pytest.approx(expected)
    assert diff.holm(p[::-1]) == adjusted[::-1]
    assert diff.holm([]) == []


def test_identical_answers_are_no_difference_and_no_certainty() -> None:
    rouge = np.array([0.2, 0.4, 0.9, 0.1, 0.4, 0.6, 0.3])
    found = diff.paired_difference(rouge, rouge)
    assert (found.value, found.low, found.high, found.p) == (0.0, None, None, 1.0)
    assert found.method.startswith("degenerate")
    yes_no = np.array([1.0, 0, 1, 1, 0, 1, 0])
    found = diff.paired_difference(yes_no, yes_no)
    assert found.low < 0 < found.high


def test_the_same_gain_everywhere_has_a_p_but_no_interval() -> None:
    a = np.linspace(3, 9, 12)
    found = diff.paired_difference(a, a + 1)
    assert (found.low, found.high) == (None, None)
    assert found.p == pytest.approx(2 / 2**12)


def test_samples_of_one_video_count_once() -> None:
    a, b = np.zeros(30), np.tile([0.9, 1.1], 15)
    alone = diff.paired_difference(a, b)
    grouped = diff.paired_difference(a, b, ["v1"] * 10 + ["v2"] * 10 + ["v3"] * 10)
    assert alone.p < 0.001
    assert grouped.p == pytest.approx(2 / 2**3)
    assert grouped.clusters == 3


@settings(deadline=None)
@given(PAIRS)
def test_swapping_the_sides_mirrors_everything(pairs: list[tuple[float, float]]) -> None:
    a, b = columns(pairs)
    there, back = diff.paired_difference(a, b), diff.paired_difference(b, a)
    assert there.value == -back.value
    assert (there.wins, there.losses, there.p) == (back.losses, back.wins, back.p)
    assert there.interval.method == back.interval.method
    if there.interval.known:
        mirrored = (-back.interval.high, -back.interval.low)
        assert (there.low, there.high) == pytest.approx(mirrored, rel=1e-9, abs=1e-12)
    else:
        assert not back.interval.known


@settings(deadline=None)
@given(YES_NO)
def test_swapping_yes_and_no_mirrors_everything(pairs: list[tuple[float, float]]) -> None:
    a, b = columns(pairs)
    there, back = diff.paired_difference(a, b), diff.paired_difference(b, a)
    assert there.p == back.p
    assert there.low == pytest.approx(-back.high, abs=1e-12)
    assert there.high == pytest.approx(-back.low, abs=1e-12)
    assert there.low <= there.value <= there.high
    assert -1 <= there.low < there.high <= 1


@settings(deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_order_does_not_matter(pairs: list[tuple[float, float]], random) -> None:
    found = diff.paired_difference(*columns(pairs))
    random.shuffle(pairs)
    again = diff.paired_difference(*columns(pairs))
    assert again.p == pytest.approx(found.p)
    assert (again.value, again.low, again.high) == (
        found.value,
        pytest.approx(found.low),
        pytest.approx(found.high),
    )


@settings(deadline=None)
@given(PAIRS)
def test_the_interval_holds_the_difference(pairs: list[tuple[float, float]]) -> None:
    found = diff.paired_difference(*columns(pairs))
    assert 0 < found.p <= 1
    if found.low is not None and found.high is not None:
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12
        assert found.low < found.high


@pytest.mark.parametrize("n", [4, 5, 6])
def test_best_possible_p_is_reached_by_a_perfect_result(n: int) -> None:
    yes_no = diff.paired_difference(np.zeros(n), np.ones(n))
    assert yes_no.p == pytest.approx(diff.best_possible_p(n, binary=True))
    numeric = diff.paired_difference(np.zeros(n), np.arange(2.0, n + 2))
    assert numeric.p == pytest.approx(diff.best_possible_p(n, binary=False))


def test_corpus_difference_is_that_of_the_sums_and_mirrors() -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(3, 30, 40).astype(float)
    a = np.stack([tokens * rng.normal(3, 0.2, 40), tokens], axis=1)
    b = a * [0.8, 1]
    there = diff.paired_corpus_difference(a, b, perplexity)
    back = diff.paired_corpus_difference(b, a, perplexity)
    mean_a, mean_b = (x[:, 0].sum() / x[:, 1].sum() for x in (a, b))
    assert there.value == pytest.approx(np.exp(mean_b) - np.exp(mean_a))
    assert there.value == -back.value
    assert there.low == pytest.approx(-back.high)
    assert there.interval.excludes(0)
    assert there.p < 0.01
    assert (there.wins, there.losses) == (0, 40)


def test_corpus_difference_of_equal_sides_is_none() -> None:
    a = np.array([[3.0, 1.0], [8.0, 2.0], [4.0, 4.0]])
    found = diff.paired_corpus_difference(a, a, perplexity)
    assert (found.value, found.low, found.p) == (0.0, None, 1.0)
    empty = diff.paired_corpus_difference(a[:0], a[:0], perplexity)
    assert (empty.n, empty.low) == (0, None)


def test_sides_of_different_length_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="3 values against 2"):
        diff.paired_difference(np.zeros(3), np.zeros(2))
