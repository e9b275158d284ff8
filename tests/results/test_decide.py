"""Numbers to a ruling: the corners where neither chance nor rounding may decide."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from harness.collect.gate_spec import GateSpec
from harness.results.decide import decide
from harness.results.evidence import (
    Demand,
    Evidence,
    Key,
    drop_evidence,
    floor_evidence,
    ratio_evidence,
)
from harness.results.metrics import SampleScores
from harness.results.pairs import Metric
from harness.results.power import required_n_pairs
from harness.results.rulings import Ruling
from harness.results.run import ScorerInfo

NUMBER = ScorerInfo("m", kind="number", low=0.0, high=1.0)
UNBOUNDED = ScorerInfo("m", kind="number")
YES_NO = ScorerInfo("m", low=0.0, high=1.0)
PERPLEXITY = ScorerInfo("m", kind="number", aggregate="perplexity", higher_is_better=False)


def demand(key: Key, limit: float, metric: str = "m", rule: str = "interval") -> Demand:
    spec = GateSpec(metric=metric, rule=rule, **{key: limit})  # type: ignore[arg-type]
    return Demand(spec, key, limit, metric, "task", "", "tuned", "cell")


def metric(a: Sequence[float], b: Sequence[float], info: ScorerInfo) -> Metric:
    ids = [f"q{i}" for i in range(len(a))]

    def side(values: Sequence[float]) -> SampleScores:
        found = np.array(values, dtype=float)
        detail = np.stack([found, np.ones(len(a))], axis=1)
        status = np.zeros(len(a), dtype=np.int8)
        return SampleScores(ids, found, np.full(len(a), math.nan), detail, status)

    return Metric(info, ids, side(a), side(b), [None] * len(a))


def ruled(found: Evidence) -> Ruling:
    return decide(found, found.p)


def drop(
    a: Sequence[float],
    b: Sequence[float],
    margin: float,
    info: ScorerInfo = NUMBER,
    rule: str = "interval",
) -> Ruling:
    asked = demand("max_drop", margin, rule=rule)
    return ruled(drop_evidence(asked, metric(a, b, info), range(len(a)), ""))


def limit(
    values: Sequence[float],
    key: Key,
    at: float,
    info: ScorerInfo = NUMBER,
    rule: str = "interval",
) -> Ruling:
    asked = demand(key, at, rule=rule)
    return ruled(floor_evidence(asked, metric(values, values, info), range(len(values))))


# --------------------------------------------------------------------------- no spread


def test_the_same_tiny_drop_everywhere_does_not_fail_where_more_is_allowed() -> None:
    found = drop([0.5] * 5, [0.499] * 5, 0.02)
    assert found.outcome == "INCONCLUSIVE"
    assert found.p is not None
    assert found.p < 0.05
    assert drop([0.5] * 500, [0.499] * 500, 0.02).outcome == "PASS"
    assert drop([0.5] * 500, [0.499] * 500, 0.02, UNBOUNDED).outcome == "INCONCLUSIVE"


def test_the_same_drop_everywhere_fails_beyond_the_margin() -> None:
    assert drop([0.5] * 5, [0.4] * 5, 0.02).outcome == "FAIL"
    assert drop([0.5] * 500, [0.4] * 500, 0.02, UNBOUNDED).outcome == "FAIL"


def test_a_drop_that_is_shown_fails_though_it_may_lie_within_the_margin() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.3, 0.9, 60)
    found = drop(base, base - 0.04 - rng.normal(0, 0.08, 60), 0.05)
    assert found.outcome == "FAIL"
    assert found.low is not None
    assert found.low < -0.05


# --------------------------------------------------------------------------- rounding


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_a_mean_of_the_floor_itself_reaches_it(count: int) -> None:
    assert limit([0.7] * count, "min", 0.7, rule="point").outcome == "PASS"
    assert limit([0.7] * count, "max", 0.7, rule="point").outcome == "PASS"
    assert limit([0.1, 0.2] * count, "max", 0.15, rule="point").outcome == "PASS"
    assert limit([0.7 - 1e-9] * count, "min", 0.7, rule="point").outcome == "FAIL"


def test_a_drop_of_the_margin_itself_is_within_it() -> None:
    assert drop([0.8] * 3, [0.7] * 3, 0.1, rule="point").outcome == "PASS"  # 0.1 and a bit
    assert drop([0.8] * 3, [0.6999] * 3, 0.1, rule="point").outcome == "FAIL"


def test_a_ratio_of_the_limit_itself_keeps_to_it() -> None:
    asked = demand("max_ratio", 1.1, "completion_tokens", "point")
    a = np.array([0.1, 0.2, 0.7])
    found = ratio_evidence(asked, a, a * 1.1, [None] * 3)
    assert ruled(found).outcome == "PASS"


# --------------------------------------------------------------------------- how many would do


def test_equal_yes_and_no_need_as_many_as_tangos_bound_does() -> None:
    found = drop([1.0] * 149, [1.0] * 149, 0.02, YES_NO)
    assert found.outcome == "INCONCLUSIVE"
    assert found.n_needed is not None
    assert found.n_needed >= 158 == required_n_pairs(0.0, 0.02)
    assert "needs about" in found.reason
    assert drop([1.0] * 158, [1.0] * 158, 0.02, YES_NO).outcome == "PASS"


def test_all_right_answers_say_how_many_would_reach_the_floor() -> None:
    found = limit([1.0] * 12, "min", 0.9, YES_NO)
    assert (found.outcome, found.n_needed) == ("INCONCLUSIVE", 29)
    assert limit([1.0] * 29, "min", 0.9, YES_NO).outcome == "PASS"
    assert limit([0.0] * 12, "max", 0.1, YES_NO).n_needed == 29
    numbers = limit([0.8] * 12, "min", 0.7)
    assert numbers.n_needed == 23  # an eighth of 0.8 less
    assert limit([0.8] * 23, "min", 0.7).outcome == "PASS"


# --------------------------------------------------------------------------- not finite


def test_values_too_large_to_compute_with_are_an_error_and_no_crash() -> None:
    huge = [1e308, 1.2e308, 0.9e308]
    for found in (
        limit(huge, "min", 1.0, UNBOUNDED),
        drop(huge, huge[::-1], 0.1, UNBOUNDED),
        drop([0.0] * 3, [math.inf] * 3, 0.1, UNBOUNDED),
    ):
        assert found.outcome == "ERROR"
        assert "too large" in found.reason


def test_an_infinite_perplexity_lies_beyond_every_ceiling() -> None:
    loss = [2.0] * 29 + [1e6]
    found = limit(loss, "max", 50.0, PERPLEXITY)
    assert (found.outcome, found.reason) == ("FAIL", "inf lies beyond 50")
    assert found.p is None
    assert limit([math.inf] * 9, "max", 50.0, PERPLEXITY).outcome == "FAIL"


def test_a_perplexity_that_becomes_infinite_has_no_difference() -> None:
    rng = np.random.default_rng(1)
    found = drop(rng.normal(3, 0.1, 20), [1e6] * 20, 0.5, PERPLEXITY)
    assert found.difference is None
    assert "nan" not in found.reason


@pytest.mark.parametrize("cost", ["latency_p95_ms", "completion_tokens"])
def test_costs_that_are_no_numbers_decide_nothing(cost: str) -> None:
    asked = demand("max_ratio", 1.5, cost)
    good = np.random.default_rng(2).gamma(9, 10, 40)
    for bad in (math.nan, math.inf):
        spoilt = np.append(good[1:], bad)
        for a, b in ((spoilt, good), (good, spoilt), (spoilt, spoilt)):
            found = ruled(ratio_evidence(asked, a, b, [None] * 40))
            assert (found.outcome, found.p) == ("ERROR", None)
            assert "nan" not in found.reason


@pytest.mark.parametrize("key", ["min", "max"])
def test_a_cost_that_is_not_a_number_neither_keeps_to_a_limit_nor_exceeds_it(key: Key) -> None:
    found = ruled(Evidence(demand(key, 5.0, "peak_memory_mb"), after=math.nan))
    assert (found.outcome, found.reason) == ("ERROR", "peak_memory_mb is not a number")
    infinite = demand("max_ratio", 1.5, "peak_memory_mb")
    assert ruled(Evidence(infinite, before=math.inf, after=3.0)).outcome == "ERROR"
