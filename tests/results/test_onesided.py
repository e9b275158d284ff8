"""Published numbers and hand counts first, then properties that hold for any data."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results import onesided
from harness.results.corpus import bleu, perplexity

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = st.floats(-5, 5).map(lambda x: round(x, 2))
SCORES = st.one_of(NUMBERS, st.sampled_from([0.0, 1.0]))
PAIRS = st.lists(st.tuples(SCORES, SCORES), max_size=30)
CLUSTERS = st.lists(st.sampled_from("abcdefg"), min_size=30, max_size=30)
FIRST = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SECOND = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])  # Student's sleep data


def columns(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(pairs, dtype=float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def table(wins: int, losses: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([0.0, 1.0, 1.0, 0.0], [wins, losses, both, neither])
    return a, np.repeat([1.0, 0.0, 1.0, 0.0], [wins, losses, both, neither])


def test_equivalence_of_the_sleep_data_is_that_of_statsmodels() -> None:
    from statsmodels.stats.weightstats import ttost_paired

    p, lower, upper = ttost_paired(SECOND, FIRST, -1, 3)
    assert p == pytest.approx(0.0026555703, abs=1e-10)
    assert onesided.equivalence_p(FIRST, SECOND, -1, 3) == pytest.approx(p, rel=1e-9)
    assert onesided.non_inferiority_p(FIRST, SECOND, 1) == pytest.approx(lower[1], rel=1e-9)
    assert onesided.non_inferiority_p(SECOND, FIRST, 3) == pytest.approx(upper[1], rel=1e-9)


def test_airway_table_is_an_exact_binomial_test_and_a_wider_tango() -> None:
    found = onesided.paired(*table(wins=1, losses=7, both=1, neither=12))
    assert found.p_worse == pytest.approx(9 / 2**8)  # at most one win among eight
    assert found.value == pytest.approx(-6 / 21)
    assert found.high < 0
    two_sided_95 = (-0.51723, -0.02600)
    assert two_sided_95[0] < found.low < found.high < two_sided_95[1] + 0.5 / 21


@pytest.mark.parametrize(("losses", "p"), [(4, 1 / 16), (5, 1 / 32)])
def test_five_losses_and_no_win_are_the_fewest_that_show_a_drop(losses: int, p: float) -> None:
    assert onesided.paired(*table(0, losses, 10, 3)).p_worse == pytest.approx(p)


def test_sleep_data_backwards_are_worse_by_sign_flips() -> None:
    found = onesided.paired(SECOND, FIRST)
    assert found.p_worse == pytest.approx(1 / 2**9)  # nine differences, all one way
    assert found.p_method == "sign flips, counted"
    assert found.spread == pytest.approx((SECOND - FIRST).std(ddof=1))
    assert found.method == "bootstrap-t or t, the wider"
    assert onesided.paired(FIRST, SECOND).p_worse == 1.0


def test_from_a_hundred_pairs_on_bounds_and_p_are_students() -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(0)
    a = rng.random(150)
    b = a + rng.normal(-0.02, 0.1, 150)
    found, expected = onesided.paired(a, b), ttest_rel(b, a, alternative="less")
    assert found.p_worse == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.high == pytest.approx(expected.confidence_interval(0.95).high, rel=1e-9)
    assert found.low < -onesided.paired(b, a).high  # what was not seen counts here alone
    assert (found.method[:3], found.p_method) == ("t; ", "t")


def test_three_losses_among_five_hundred_are_no_proof_though_t_says_so() -> None:
    a = np.linspace(40, 90, 500)
    b = a.copy()
    b[:3] -= [10, 20, 15]
    found = onesided.paired(a, b, span=100.0)
    assert found.p_worse == pytest.approx(1 / 8)
    assert found.method == "t, widened: only 3 differ; low with a drop of 50 unseen"
    assert found.low < -20 * 3 / 500  # three like the worst of them would be no surprise


def test_equal_scores_bound_the_share_that_may_differ() -> None:
    scores = np.linspace(0.1, 0.9, 58)
    found = onesided.paired(scores, scores, span=1.0)
    share = 1 - 0.05 ** (1 / 58)
    assert (found.low, found.high) == (pytest.approx(-share), pytest.approx(share))
    assert (found.p_worse, found.spread) == (1.0, 0.0)
    unknown = onesided.paired(scores, scores)
    assert (unknown.low, unknown.high) == (None, None)
    assert "no range" in unknown.method
    in_two_videos = onesided.paired(scores, scores, ["a", "b"] * 29, span=1.0)
    assert in_two_videos.low == pytest.approx(-(1 - 0.05**0.5))


def test_equal_yes_and_no_have_tangos_bounds() -> None:
    found = onesided.paired(np.ones(16), np.ones(16))
    z = 1.6448536269514722
    assert found.low == pytest.approx(-(z**2) / (16 + z**2) - 0.5 / 16)
    assert found.low == pytest.approx(-found.high)
    assert found.p_worse == 1.0


def test_the_same_loss_everywhere_is_shown_by_the_sign_test() -> None:
    a = np.full(12, 50.0)
    found = onesided.paired(a, a - 1, span=100.0)
    share = 1 - 0.05 ** (1 / 12)
    assert found.p_worse == pytest.approx(1 / 2**12)
    assert found.low == pytest.approx(-1 + share * -99)
    assert found.high == pytest.approx(-1 + share * 101)
    many = onesided.paired(np.full(300, 50.0), np.full(300, 49.0), span=100.0)
    assert many.p_worse < 1e-80


def test_a_video_counts_once() -> None:
    a = np.ones(30)
    b = np.tile([0.1, 0.3, 0.2], 10)
    found = onesided.paired(a, b, ["v1"] * 10 + ["v2"] * 10 + ["v3"] * 10)
    assert found.p_worse == pytest.approx(1 / 2**3)
    assert (found.n, found.clusters) == (30, 3)
    alone = onesided.paired(a, b)
    assert alone.p_worse < 1e-3


def test_nothing_is_known_of_nothing_and_little_of_one() -> None:
    nothing = onesided.paired(np.array([]), np.array([]))
    assert (nothing.low, nothing.p_worse, nothing.spread, nothing.n) == (None, 1.0, None, 0)
    one = onesided.paired(np.array([3.0]), np.array([1.0]), span=5.0)
    assert one.p_worse == 0.5
    assert one.low == pytest.approx(-2 * 0.05 - 5 * 0.95)
    with pytest.raises(ValueError, match="3 values against 2"):
        onesided.paired(np.zeros(3), np.zeros(2))


@settings(deadline=None)
@given(PAIRS, CLUSTERS, st.booleans(), st.sampled_from([None, 10.0]))
def test_swapping_the_sides_mirrors_value_and_bounds(
    pairs: list[tuple[float, float]], clusters: list[str], grouped: bool, span: float | None
) -> None:
    a, b = columns(pairs)
    groups = clusters[: len(pairs)] if grouped else None
    there = onesided.paired(a, b, groups, span=span)
    back = onesided.paired(b, a, groups, span=span)
    assert there.value == -back.value
    assert 0 < there.p_worse <= 1
    drawn = 0.03 if "drawn" in there.p_method else 1e-9
    assert there.p_worse + back.p_worse >= 1 - drawn  # both cannot be worse than the other
    assert (there.low is None) == (back.high is None) == (there.high is None)
    if there.low is not None and there.high is not None:
        # the bound that lets a candidate pass reckons with what was not seen, the other does not
        if there.reach is None or not there.spread:
            assert there.low == pytest.approx(-back.high, rel=1e-9, abs=1e-12)
        assert there.low <= -back.high + 1e-9
        assert there.low <= there.value <= there.high
        assert math.isfinite(there.low)
        assert math.isfinite(there.high)
        assert there.low < there.high


@settings(deadline=None)
@given(PAIRS, CLUSTERS, st.randoms(use_true_random=False))
def test_order_does_not_matter(
    pairs: list[tuple[float, float]], clusters: list[str], random
) -> None:
    found = onesided.paired(*columns(pairs), clusters[: len(pairs)], span=10.0)
    rows = list(zip(pairs, clusters, strict=False))
    random.shuffle(rows)
    again = onesided.paired(*columns([row[0] for row in rows]), [row[1] for row in rows], span=10.0)
    assert again.value == found.value
    assert again.p_worse == pytest.approx(found.p_worse)
    assert (again.low, again.high) == (pytest.approx(found.low), pytest.approx(found.high))


def test_a_gate_starts_without_the_slow_libraries() -> None:
    code = """
import sys, numpy as np
from harness.results import multiple, onesided, power
a, b = np.random.default_rng(0).random((2, 50))
onesided.paired(a, b), onesided.paired(a > 0.5, b > 0.5), onesided.mean_bounds(a, (0.5, None))
onesided.corpus(a[:, None], b[:, None], lambda sums: sums[:, 0], upwards=True)
onesided.ratio_of_means(a, b), onesided.ratio_of_quantiles(a, b, 0.95)
multiple.holm([0.1, 0.2]), power.required_n(0.5, 0.1), power.minimum_detectable_effect(0.5, 50)
slow = {"scipy.stats", "statsmodels", "pandas", "torch", "sklearn"} & set(sys.modules)
sys.exit(f"imported {slow}" if slow else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# --------------------------------------------------------------------------- sums


def losses(rng: np.random.Generator, n: int, factor: float = 1.0) -> np.ndarray:
    tokens = rng.integers(5, 30, n).astype(float)
    return np.stack([tokens * rng.normal(3, 0.2, n) * factor, tokens], axis=1)


def test_a_perplexity_that_rises_is_worse() -> None:
    a = losses(np.random.default_rng(1), 40)
    b = a * [1.1, 1]
    found = onesided.corpus(a, b, perplexity, upwards=False)
    rise = math.exp(1.1 * a[:, 0].sum() / a[:, 1].sum()) - math.exp(a[:, 0].sum() / a[:, 1].sum())
    assert found.value == pytest.approx(-rise)
    assert found.high < 0
    assert found.p_worse == pytest.approx(1 / 10_000)
    upside_down = onesided.corpus(a, b, perplexity, upwards=True)
    assert upside_down.value == -found.value
    assert upside_down.low == pytest.approx(-found.high)
    assert upside_down.p_worse == 1.0


def test_swaps_of_a_few_samples_are_counted_out() -> None:
    a = losses(np.random.default_rng(2), 10)
    found = onesided.corpus(a, a * [1.1, 1], perplexity, upwards=False)
    assert found.p_worse == pytest.approx(1 / 2**10)
    in_pairs = onesided.corpus(
        a, a * [1.1, 1], perplexity, [i // 2 for i in range(10)], upwards=False
    )
    assert in_pairs.p_worse == pytest.approx(1 / 2**5)
    assert in_pairs.clusters == 5


def test_equal_sides_of_a_corpus_metric_say_nothing() -> None:
    a = losses(np.random.default_rng(3), 20)
    found = onesided.corpus(a, a, perplexity, upwards=False)
    assert (found.value, found.low, found.high, found.p_worse) == (0.0, None, None, 1.0)
    empty = onesided.corpus(a[:0], a[:0], perplexity, upwards=False)
    assert (empty.n, empty.p_worse) == (0, 1.0)
    one = onesided.corpus(a[:1], a[:1] * [1.5, 1], perplexity, upwards=False)
    assert (one.low, one.p_worse) == (None, 0.5)


def test_an_endless_perplexity_is_no_nan() -> None:
    a = losses(np.random.default_rng(4), 20)
    found = onesided.corpus(a * [1e6, 1], a * [2e6, 1], perplexity, upwards=False)
    assert (found.value, found.p_worse) == (0.0, 1.0)
    worse = onesided.corpus(a, a * [1e6, 1], perplexity, upwards=False)
    assert math.isfinite(worse.value)
    assert worse.value < -1e300


def test_order_does_not_matter_to_a_corpus_metric() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(1, 20, (2, 60, 10)).astype(float)
    found = onesided.corpus(a, b, bleu, upwards=True)
    order = rng.permutation(60)
    again = onesided.corpus(a[order], b[order], bleu, upwards=True)
    assert again == found


def test_spread_of_a_corpus_metric_of_means_is_that_of_the_differences() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 400, 1))
    found = onesided.corpus(a, b, lambda sums: sums[:, 0] / 400, upwards=True)
    assert found.spread == pytest.approx((b - a).std(ddof=1), rel=0.1)


# --------------------------------------------------------------------------- ratios


def test_twice_the_tokens_are_twice_the_cost() -> None:
    a = np.random.default_rng(7).integers(50, 90, 60).astype(float)
    b = 2 * a + np.random.default_rng(8).normal(0, 5, 60)
    found = onesided.ratio_of_means(a, b)
    assert found.value == pytest.approx(b.mean() / a.mean())
    assert 1.9 < found.low < found.value < found.high < 2.1
    assert found.p_worse < 0.001
    assert onesided.ratio_of_means(b, a).p_worse == 1.0
    same = onesided.ratio_of_means(a, a)
    assert (same.value, same.low, same.p_worse) == (1.0, None, 1.0)


def test_a_slower_tail_shows_in_its_quantile_alone() -> None:
    rng = np.random.default_rng(9)
    a = rng.gamma(20, 5, 800)
    b = a * rng.normal(1, 0.02, 800)
    b = np.where(a > np.quantile(a, 0.9), 1.5 * b, b)
    tail, middle = (onesided.ratio_of_quantiles(a, b, q) for q in (0.95, 0.5))
    assert tail.value == pytest.approx(np.quantile(b, 0.95) / np.quantile(a, 0.95))
    assert 1.3 < tail.low < tail.value < tail.high < 1.7
    assert tail.p_worse < 0.01
    assert middle.low < 1 < middle.high
    assert middle.p_worse > 0.05


def test_many_pairs_have_the_spread_of_their_number() -> None:
    rng = np.random.default_rng(10)
    a, b = rng.gamma(20, 5, (2, 10_000))
    few, many = (onesided.ratio_of_quantiles(a[:n], b[:n], 0.5) for n in (2500, 10_000))
    widths = [math.log(one.high / one.low) for one in (few, many)]
    assert widths[0] / widths[1] == pytest.approx(2, abs=0.4)


@pytest.mark.parametrize("ratio", [onesided.ratio_of_means, onesided.ratio_of_quantiles])
def test_ratios_of_zeros_and_of_nothing(ratio) -> None:
    more = (0.5,) if ratio is onesided.ratio_of_quantiles else ()
    zeros, ones = np.zeros(9), np.ones(9)
    assert ratio(zeros, zeros, *more).value == 1.0
    assert ratio(zeros, zeros, *more).p_worse == 1.0
    assert math.isfinite(ratio(zeros, ones, *more).value)
    assert ratio(zeros[:0], ones[:0], *more).value == 1.0
    assert ratio(ones, ones, *more).low is None
    assert ratio(ones, 2 * ones, *more).p_worse == pytest.approx(1 / 2**9)
