"""Batch sizes: which one to take, and what bounds the speed, each by its stated rule."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.results.scaling import BatchPoint, Scaling


def scaling(**per_second: float) -> Scaling:
    """Samples a second by batch size, as b1=..., b2=..."""
    return Scaling.of(BatchPoint(int(name[1:]), 1e3 / rate) for name, rate in per_second.items())


def test_the_optimal_batch_is_the_smallest_that_is_nearly_the_best() -> None:
    found = scaling(b8=100, b1=20, b4=96, b2=40, b16=94)
    assert [one.batch for one in found.points] == [1, 2, 4, 8, 16]
    assert found.optimal.batch == 4
    assert found.speed_up(found.optimal) == pytest.approx(4.8)


@pytest.mark.parametrize(
    ("rates", "border", "words"),
    [
        ({"b1": 10, "b2": 20, "b4": 39}, 4, "memory-bound up to batch 4, the largest"),
        ({"b1": 10, "b2": 11, "b4": 12}, 1, "compute-bound from batch 1 on"),
        ({"b1": 10, "b2": 19, "b4": 20, "b8": 15}, 2, "up to batch 2, compute-bound beyond"),
        ({"b2": 10, "b4": 10, "b8": 16}, 8, "memory-bound up to batch 8"),
    ],
)
def test_what_bounds_the_speed(rates: dict[str, float], border: int, words: str) -> None:
    found = scaling(**rates)
    assert found.border == border
    assert words in found.verdict


def test_a_step_of_several_doublings_counts_what_one_brings() -> None:
    (step,) = scaling(b1=10, b8=20).steps
    assert step.gain == pytest.approx(2 ** (1 / 3))
    assert step.bound == "memory-bound"
    assert scaling(b1=10, b8=15).steps[0].bound == "compute-bound"


def test_times_that_spread_beyond_their_mean_are_told() -> None:
    found = Scaling.of([BatchPoint(1, 10.0, 10.5), BatchPoint(2, 5.0, 5.0), BatchPoint(4, 5.0)])
    assert found.unsteady == [1]


def test_one_size_or_one_twice_is_no_sweep() -> None:
    for sizes in ([1], [1, 1, 2]):
        with pytest.raises(ValueError, match="two different batch sizes"):
            Scaling.of(BatchPoint(size, 1.0) for size in sizes)


@given(st.dictionaries(st.integers(1, 512), st.floats(0.01, 1e5), min_size=2, max_size=8))
def test_no_smaller_batch_is_nearly_as_good_as_the_optimal_one(found: dict[int, float]) -> None:
    made = Scaling.of(BatchPoint(batch, ms) for batch, ms in found.items())
    best = 1e3 / min(found.values())
    assume(all(abs(1e3 / ms / best - 0.95) > 1e-9 for ms in found.values()))
    good = [batch for batch, ms in found.items() if 1e3 / ms >= 0.95 * best]
    assert made.optimal.batch == min(good)
    assert made.border in found
