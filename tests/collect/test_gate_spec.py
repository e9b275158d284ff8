"""What one line of a gate may ask, and which lines cannot both be meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.collect.gate_spec import ASKED, COSTS, GateSpec, contradictions


def test_a_line_in_the_words_of_its_file() -> None:
    line = GateSpec(metric="rouge_l", max_drop=0.02, min=0.4, max_error_rate=0.1, rule="point")
    assert line.words == "max_drop 0.02, min 0.4, max_error_rate 0.1, rule: point"
    assert GateSpec(metric="rouge_l", max_drop=0).words == "max_drop 0"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "asks for nothing"),
        ({"per_class": "target"}, "asks for nothing"),
        ({"max_drop": None}, "asks for nothing"),
        ({"min": None, "max_judge_error_rate": None}, "asks for nothing"),
        ({"min": 2.0, "max": 1.0}, "lies above"),
        ({"max_ratio": 1.1}, "is for costs"),
        ({"max_drop": -0.1}, "greater than or equal to 0"),
        ({"min": float("nan")}, "finite"),
        ({"max_drop": 0.1, "rule": "sometimes"}, "interval"),
    ],
)
def test_what_cannot_be_meant(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GateSpec.model_validate({"metric": "rouge_l", **keys})


@pytest.mark.parametrize("cost", COSTS)
def test_a_cost_rises_and_has_no_classes(cost: str) -> None:
    assert GateSpec(metric=cost, max_ratio=1.2).is_cost
    with pytest.raises(ValidationError, match="which rises"):
        GateSpec(metric=cost, max_drop=1)
    with pytest.raises(ValidationError, match="no cost lies below 0"):
        GateSpec(metric=cost, max=-1)
    with pytest.raises(ValidationError, match="no classes"):
        GateSpec(metric=cost, max=1, per_class="target")


@pytest.mark.parametrize("key", ASKED)
def test_each_of_these_is_enough(key: str) -> None:
    metric = "latency_p95_ms" if key == "max_ratio" else "rouge_l"
    assert GateSpec.model_validate({"metric": metric, key: 0.5}).words


def test_lines_complete_each_other_or_contradict() -> None:
    drop, floor = GateSpec(metric="m", max_drop=0.1), GateSpec(metric="m", min=0.5)
    assert contradictions({0: drop, 1: floor}) == []
    assert contradictions({0: drop, 2: GateSpec(metric="m", max_drop=0.2)}) == [
        (2, "'max_drop' of 'm' is given twice: 0.1 and 0.2")
    ]
    ((number, what),) = contradictions({0: floor, 1: GateSpec(metric="m", max=0.4)})
    assert number == 1
    assert "'min' (0.5) lies above 'max' (0.4)" in what
    elsewhere = GateSpec(metric="m", task="other", max=0.4)
    by_class = GateSpec(metric="m", per_class="target", max=0.4)
    assert contradictions({0: floor, 1: elsewhere, 2: by_class}) == []


LIMIT = st.floats(0, 1)


@given(low=LIMIT, high=LIMIT)
def test_a_floor_above_a_ceiling_is_found_in_one_line_as_in_two(low: float, high: float) -> None:
    found = contradictions({0: GateSpec(metric="m", min=low), 1: GateSpec(metric="m", max=high)})
    assert bool(found) == (low > high)
    if low > high:
        with pytest.raises(ValidationError):
            GateSpec(metric="m", min=low, max=high)
    else:
        GateSpec(metric="m", min=low, max=high)
