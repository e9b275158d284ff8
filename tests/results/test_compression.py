"""Quantization: what it costs against the reference, by sizes that say what they are of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results.compression import Weighed, compression

MEMORY, DISK, PEAK = "weights in memory", "weights on disk", "peak memory"


def test_drop_ratio_speed_and_resilience_are_against_the_first() -> None:
    done = compression(
        [
            Weighed("none", 0.80, 100.0, {MEMORY: 4000.0, DISK: 4000.0}),
            Weighed("int8", 0.78, 80.0, {MEMORY: 2000.0, DISK: 4000.0}),
            Weighed("nf4", 0.70, 125.0, {MEMORY: 1000.0, DISK: 4000.0}),
        ]
    )
    none, int8, nf4 = done.rows
    assert done.size == MEMORY
    assert (none.drop, none.ratio, none.speed_up, none.resilience) == (0, 1, 1, 0)
    assert (int8.ratio, int8.speed_up) == (2, 1.25)
    assert int8.resilience == pytest.approx(0.01)
    assert (nf4.drop, nf4.ratio, nf4.speed_up) == (pytest.approx(0.1), 4, 0.8)
    assert done.greatest(0.05) is int8
    assert done.greatest(0.2) is nf4
    assert done.greatest(0.001) is none


@pytest.mark.parametrize(
    ("sizes", "kind", "ratio"),
    [
        ([{DISK: 8.0}, {DISK: 2.0, MEMORY: 2.0}], DISK, 4),  # in memory known of one only
        ([{DISK: 8.0, PEAK: 90.0}, {DISK: 8.0, PEAK: 60.0}], PEAK, 1.5),  # quantized on loading
        ([{DISK: 8.0}, {DISK: 8.0}], None, None),
        ([{}, {}], None, None),
    ],
)
def test_sizes_are_those_that_tell_something(
    sizes: list[dict[str, float]], kind: str | None, ratio: float | None
) -> None:
    done = compression([Weighed(str(i), 0.5, None, one) for i, one in enumerate(sizes)])  # type: ignore[arg-type]
    assert (done.size, done.rows[1].ratio) == (kind, ratio)
    assert done.rows[1].speed_up is None


def test_without_a_score_nothing_can_be_recommended() -> None:
    done = compression([Weighed(name, None, 1.0, {MEMORY: 2.0}) for name in ("none", "nf4")])
    assert done.rows[1].drop is None
    assert done.greatest(1.0) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1, 1e4)), min_size=1, max_size=6),
    st.floats(0, 1),
)
def test_nothing_within_the_tolerance_is_smaller_than_the_greatest(
    found: list[tuple[float, float]], tolerance: float
) -> None:
    done = compression([Weighed(str(i), s, 1.0, {MEMORY: mb}) for i, (s, mb) in enumerate(found)])
    best = done.greatest(tolerance)
    assert best is not None  # the reference at least
    for score, mb in found:
        if found[0][0] - score <= tolerance:
            assert mb >= (best.size_mb or 0) * (1 - 1e-9)
