"""Which moments are wanted, and which frames show them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MediaError
from harness.media.sampling import Sampling, Timeline, take, times

SECOND = Timeline(tuple(range(0, 1000, 100)), 0.001, 1.0)
"""Ten frames in a second."""

timelines = st.builds(
    lambda gaps, tick, last: Timeline(
        tuple(sum(gaps[:n]) for n in range(len(gaps) + 1)), tick, (sum(gaps) + last) * tick
    ),
    st.lists(st.integers(1, 500), max_size=40),
    st.sampled_from([0.001, 1 / 90000, 1 / 16000, 0.04]),
    st.integers(1, 500),
)
samplings = st.one_of(
    st.builds(Sampling, fps=st.floats(0.1, 60)),
    st.builds(Sampling, frames=st.integers(1, 40)),
    st.builds(Sampling, fps=st.floats(0.1, 60), max_frames=st.integers(1, 9)),
    st.builds(Sampling, max_frames=st.integers(1, 40)),
)


def test_frames_a_second_start_at_the_start() -> None:
    assert times(Sampling(fps=4), 1.0, 99) == (0.0, 0.25, 0.5, 0.75)
    assert take(Sampling(fps=4), SECOND, 99).indices == (0, 2, 5, 7)


def test_a_number_of_frames_is_the_middles_of_equal_parts() -> None:
    assert times(Sampling(frames=4), 1.0, 99) == (0.125, 0.375, 0.625, 0.875)
    assert take(Sampling(frames=1), SECOND, 99).indices == (5,)


def test_neither_is_every_frame() -> None:
    assert take(Sampling(), SECOND, 99).indices == tuple(range(10))
    assert take(Sampling(start=0.3, end=0.6), SECOND, 99).indices == (3, 4, 5)


def test_a_span_between_two_frames_shows_the_one_on_display() -> None:
    assert take(Sampling(start=0.31, end=0.39), SECOND, 99).indices == (3,)


def test_more_than_max_frames_are_spread_over_the_span() -> None:
    assert times(Sampling(fps=100, max_frames=2), 1.0, 99) == (0.25, 0.75)
    assert take(Sampling(max_frames=5), SECOND, 99).indices == (1, 3, 5, 7, 9)
    assert times(Sampling(fps=2, max_frames=2), 1.0, 99) == (0.0, 0.5)


def test_start_and_end_cut_the_span() -> None:
    assert times(Sampling(fps=2, start=0.5), 2.0, 99) == (0.5, 1.0, 1.5)
    assert times(Sampling(frames=2, start=1, end=9), 2.0, 99) == (1.25, 1.75)


def test_a_clip_that_ends_before_the_start_is_an_error() -> None:
    with pytest.raises(MediaError, match=r"start is 3 s, the clip ends at 2.000 s"):
        times(Sampling(fps=1, start=3), 2.0, 99)


def test_a_time_is_rounded_to_a_tick_as_the_container_does() -> None:
    """30 fps in Matroska: frame 5 is stored as 167 ms, later than 1/6 s."""
    thirty = Timeline(tuple(round(n * 1000 / 30) for n in range(60)), 0.001, 2.0)
    assert take(Sampling(fps=6), thirty, 99).indices == tuple(range(0, 60, 5))


def test_a_slow_video_shows_a_frame_as_long_as_it_lasts() -> None:
    slow = Timeline((0, 1000), 0.001, 2.0)
    assert take(Sampling(fps=3), slow, 99).indices == (0, 0, 0, 1, 1, 1)


def test_too_many_frames_are_an_error_before_they_are_counted_out() -> None:
    with pytest.raises(MediaError, match="set max_frames"):
        times(Sampling(fps=1e12), 1e6, 1000)
    with pytest.raises(MediaError, match="10 frames would be taken, the limit is 9"):
        take(Sampling(), SECOND, 9)


@given(samplings, timelines)
def test_the_frame_taken_is_the_last_that_began(sampling: Sampling, timeline: Timeline) -> None:
    taken = take(sampling, timeline, 1_000_000)
    assert len(taken.wanted) == len(taken.indices) >= 1
    assert all(a <= b for a, b in pairwise(taken.indices))
    for time, index in zip(taken.wanted, taken.indices, strict=True):
        assert timeline.ticks[index] * timeline.tick <= time + 0.51 * timeline.tick
        if index + 1 < len(timeline.ticks):
            assert time < (timeline.ticks[index + 1] - 0.49) * timeline.tick


@given(st.floats(0.1, 60), st.floats(0.05, 100))
def test_frames_a_second_fill_the_span(fps: float, duration: float) -> None:
    wanted = times(Sampling(fps=fps), duration, 10_000)
    assert wanted[-1] < duration
    assert wanted[-1] + 1 / fps >= duration - 1e-5
    assert all(math.isclose(b - a, 1 / fps, abs_tol=1e-6) for a, b in pairwise(wanted))


@given(samplings, timelines, st.integers(1, 9))
def test_max_frames_is_never_exceeded(sampling: Sampling, line: Timeline, most: int) -> None:
    capped = Sampling(fps=sampling.fps, frames=sampling.frames, max_frames=most)
    whole = take(Sampling(fps=sampling.fps, frames=sampling.frames), line, 1_000_000)
    assert len(take(capped, line, 1_000_000).indices) == min(most, len(whole.indices))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps": 1, "frames": 2}, "cannot both be set"),
        ({"fps": 0}, "fps must be above 0"),
        ({"fps": float("nan")}, "fps must be above 0"),
        ({"frames": 0}, "frames must be a whole number from 1"),
        ({"frames": 2.5}, "frames must be a whole number"),
        ({"frames": True}, "frames must be a whole number"),
        ({"start": -1}, "start must be at least 0"),
        ({"start": 2, "end": 2}, "end .* must be after start"),
        ({"resolution": 100_000}, "resolution must be a whole number from 1 to 8192"),
        ({"resolution": "12xx"}, "resolution cannot be '12xx'"),
        ({"fps": "fast"}, "fps cannot be 'fast'"),
    ],
)
def test_a_sampling_that_makes_no_sense(settings: dict[str, object], message: str) -> None:
    with pytest.raises(MediaError, match=message):
        Sampling.of(settings)


def test_settings_of_a_variant_are_read_and_others_left_alone() -> None:
    read = Sampling.of({"fps": "6", "resolution": "320x240", "degrade": "blur", "frames": None})
    assert read == Sampling(fps=6.0, resolution=(320, 240))
    assert Sampling.of({"fps": 6}).key() == Sampling(fps=6.0).key() != Sampling(fps=7).key()


def test_the_short_side_is_the_resolution() -> None:
    assert Sampling(resolution=224).size(854, 480) == (399, 224)
    assert Sampling(resolution=224).size(480, 854) == (224, 399)
    assert Sampling(resolution=(7, 9)).size(480, 854) == (7, 9)
    assert Sampling().size(480, 854) == (480, 854)
