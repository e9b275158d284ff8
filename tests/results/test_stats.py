"""Published numbers first, then properties that hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results import stats
from harness.results.corpus import perplexity

VALUES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=40)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
        (0, 20, 0.0, 0.1611),
        (16, 16, 0.8064, 1.0),
    ],
)
def test_wilson_agrees_with_newcombe(k: int, n: int, low: float, high: float) -> None:
    found = stats.wilson(k, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_t_interval_of_students_sleep_data() -> None:
    extra = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    found = stats.t_interval(extra)
    assert (found.low, found.high) == (
        pytest.approx(0.70011, abs=1e-5),
        pytest.approx(2.45989, abs=1e-5),
    )


def test_groups_of_one_give_the_usual_standard_error() -> None:
    values = np.array([0.1, 0.4, 0.4, 0.9, 0.3])
    usual = values.std(ddof=1) / np.sqrt(5)
    assert stats.clustered_error(values, np.arange(5)) == pytest.approx(usual)


def test_clustered_error_is_millers_formula_with_the_small_sample_factor() -> None:
    values = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    groups = np.array([0, 0, 1, 1, 2, 2])
    residual_sums = [1.0, 0.0, -1.0]  # of each group around the mean of 1/2
    miller = np.sqrt(sum(x * x for x in residual_sums)) / 6
    assert stats.clustered_error(values, groups) == pytest.approx(miller * np.sqrt(3 / 2))


def test_the_method_follows_the_values() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.random(30), rng.random(100)
    yes_no = np.array([1.0, 0.0, 1.0, 1.0])
    assert stats.mean_interval(yes_no).method == "wilson"
    assert stats.mean_interval(few).method == "bootstrap-t"
    assert stats.mean_interval(many).method == "t"
    assert stats.mean_interval(many, ["a", "b"] * 50).method == "clustered t, 2 clusters"
    assert stats.mean_interval(many, [f"video {i}" for i in range(100)]).method == "t"


def test_a_cluster_of_samples_widens_the_interval() -> None:
    values = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0], 20)
    alone = stats.mean_interval(values)
    grouped = stats.mean_interval(values, [f"video {i // 20}" for i in range(100)])
    assert alone.low is not None
    assert grouped.low is not None
    assert grouped.low < alone.low - 0.2


@pytest.mark.parametrize("values", [[], [0.5], [0.5] * 9, [0.1 + 0.2, 0.3]])
def test_without_spread_there_is_no_interval_rather_than_a_point(values: list[float]) -> None:
    found = stats.mean_interval(np.array(values))
    assert (found.low, found.high) == (None, None)
    assert not found.excludes(100.0)


def test_all_right_answers_are_not_certainty() -> None:
    found = stats.mean_interval(np.ones(16))
    assert (found.low, found.high) == (pytest.approx(0.8064, abs=1e-4), 1.0)
    in_four_videos = stats.mean_interval(np.ones(16), ["a", "b", "c", "d"] * 4)
    assert in_four_videos.low == pytest.approx(stats.wilson(4, 4).low)


def test_bootstrap_t_shows_skew_and_falls_back_where_it_cannot() -> None:
    skewed = np.array([0.9, 0.95, 0.85, 0.92, 0.99, 0.97, 0.93, 0.4, 0.91, 0.96, 0.7, 0.88])
    found = stats.bootstrap_t(skewed)
    assert found.low is not None
    assert found.high is not None
    assert skewed.mean() - found.low > 1.5 * (found.high - skewed.mean())
    one_odd = np.array([1.0] * 15 + [0.5])  # a third of the resamples has no spread
    assert stats.bootstrap_t(one_odd).method == "t"


@settings(deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_interval_holds_its_mean_whatever_the_order(values: list[float], random) -> None:
    found = stats.mean_interval(np.array(values))
    if found.low is None or found.high is None:
        assert max(values) - min(values) < 1e-9
        return
    assert found.low <= np.mean(values) + 1e-12
    assert found.high >= np.mean(values) - 1e-12
    assert found.low < found.high
    random.shuffle(values)
    again = stats.mean_interval(np.array(values))
    assert (again.low, again.high) == (pytest.approx(found.low), pytest.approx(found.high))


def test_corpus_interval_draws_samples_with_all_their_counts() -> None:
    rng = np.random.default_rng(1)
    counts = np.stack([rng.gamma(9, 2, 300), np.full(300, 9.0)], axis=1)
    found = stats.corpus_interval(counts, perplexity)
    value = perplexity(counts.sum(axis=0, keepdims=True))[0]
    assert found.low is not None
    assert found.high is not None
    # delta method: the spread of exp(mean) is exp(mean) times the spread of the mean
    error = value * (counts[:, 0] / 9).std(ddof=1) / np.sqrt(300)
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)


def test_many_samples_are_resampled_in_groups_with_the_same_spread() -> None:
    counts = np.random.default_rng(2).random((20_000, 2))
    found = stats.corpus_interval(counts, lambda sums: sums[:, 0])
    assert found.low is not None
    assert found.high is not None
    error = counts[:, 0].std(ddof=1) * np.sqrt(20_000)
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)


def test_corpus_interval_of_equal_samples_is_no_point() -> None:
    found = stats.corpus_interval(np.ones((9, 2)), perplexity)
    assert (found.low, found.high) == (None, None)


def test_corpus_clusters_are_drawn_whole() -> None:
    counts = np.repeat([[1.0, 1], [5, 1], [2, 1], [4, 1]], 25, axis=0)
    alone = stats.corpus_interval(counts, lambda sums: sums[:, 0] / sums[:, 1])
    grouped = stats.corpus_interval(
        counts, lambda sums: sums[:, 0] / sums[:, 1], [i // 25 for i in range(100)]
    )
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_clusters_as_statsmodels_has_them() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(8), rng.integers(1, 6, 8))
    values = rng.random(len(groups)) + groups / 10
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    miller = float(fit.bse[0])
    assert stats.clustered_error(values, groups) == pytest.approx(miller * np.sqrt(8 / 7))
    error, df = stats.few_clusters_error(values, groups)
    sizes = np.bincount(groups)
    assert df == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum() - 1)
    left_out = [values[groups != one].mean() for one in range(8)]
    assert error == pytest.approx(
        np.sqrt(7 / 8 * sum((one - values.mean()) ** 2 for one in left_out))
    )


def test_jackknife_error_of_a_mean_is_the_usual_one() -> None:
    values = np.random.default_rng(8).random(30)
    left_out = (values.sum() - values) / 29
    usual = values.std(ddof=1) / np.sqrt(30)
    assert stats.jackknife_error(left_out) == pytest.approx(usual)


def test_bca_shows_skew_and_has_no_nan_where_scipy_has() -> None:
    skewed = np.array([0.9, 0.95, 0.85, 0.92, 0.99, 0.97, 0.93, 0.4, 0.91, 0.96, 0.7, 0.88])
    found = stats.bca(skewed)
    assert found.method == "bca"
    assert found.low is not None
    assert found.high is not None
    assert skewed.mean() - found.low > found.high - skewed.mean()
    assert stats.bca(skewed[::-1]) == found
    for values in (np.ones(16), np.ones(1), np.ones(0), np.array([0.1 + 0.2, 0.3])):
        assert (stats.bca(values).low, stats.bca(values).high) == (None, None)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (3, 15), (16, 16)])
def test_clopper_and_pearson_as_scipy_has_them(k: int, n: int) -> None:
    from scipy.stats import binomtest

    exact = binomtest(k, n).proportion_ci(0.9, method="exact")
    assert stats.clopper_pearson_ends(k, n, 0.05) == (
        pytest.approx(exact.low, rel=1e-9),
        pytest.approx(exact.high, rel=1e-9),
    )


@given(st.integers(1, 3000), st.floats(0.001, 0.9999))
def test_students_quantile_is_scipys(df: int, level: float) -> None:
    from scipy.special import stdtrit

    assert stats.t_quantile(df, level) == pytest.approx(stdtrit(df, (1 + level) / 2), rel=1e-9)


def test_students_quantile_of_one_and_two_degrees_is_in_closed_form() -> None:
    assert stats.t_quantile(1, 0.5) == pytest.approx(1.0, rel=1e-13)
    assert stats.t_quantile(2, 0.5) == pytest.approx((2 / 3) ** 0.5, rel=1e-13)
    assert stats.t_quantile(10**9, 0.95) == pytest.approx(stats.normal_quantile(0.95), rel=1e-8)


def test_endless_resamples_have_no_interval_and_no_warning() -> None:
    drawn = np.full(100, np.inf)
    assert not stats.percentiles(drawn, 0.95, "bootstrap").known
    assert not stats.percentiles(np.append(drawn, 1.0), 0.95, "bootstrap").known
    assert stats.overflows(drawn)
    assert not stats.overflows(drawn[:0], np.ones(3))
