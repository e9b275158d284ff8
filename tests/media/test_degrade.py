"""Worse pictures on purpose: same shape, same seed same bytes, and worse with the level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from media.clips import picture

from harness.errors import MediaError
from harness.media.clip import Frame
from harness.media.degrade import KINDS, Degradation, degrade

CLIP = tuple(picture(number, (90, 70)) for number in range(6))  # no multiples of 16


def distance(one: Frame, other: Frame) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_shape_and_type_stay_and_the_frames_given_too(kind: str) -> None:
    before = [frame.tobytes() for frame in CLIP]
    worse = degrade(CLIP, Degradation.parse(f"{kind}:0.6"), seed=3)
    assert [(f.shape, f.dtype) for f in worse] == [(f.shape, f.dtype) for f in CLIP]
    assert [frame.tobytes() for frame in CLIP] == before
    assert all(distance(a, b) > 0.3 for a, b in zip(CLIP, worse, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_level_0_is_the_identity(kind: str) -> None:
    assert degrade(CLIP, Degradation.parse(f"{kind}:0")) == CLIP
    assert degrade(CLIP, Degradation.parse("none")) == CLIP
    assert degrade((), Degradation.parse(kind)) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_bytes_again(kind: str) -> None:
    how = Degradation.parse(f"{kind}:0.5")
    one, two = (b"".join(f.tobytes() for f in degrade(CLIP, how, seed=7)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("kind", ["motion_blur", "noise", "occlusion"])
def test_another_seed_gives_another_picture(kind: str) -> None:
    how = Degradation.parse(f"{kind}:0.5")
    one, two = (b"".join(f.tobytes() for f in degrade(CLIP, how, seed=n)) for n in (1, 2))
    assert one != two


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_level_is_worse(kind: str) -> None:
    levels = (0, 0.2, 0.5, 1)
    losses = [
        sum(map(distance, CLIP, degrade(CLIP, Degradation.parse(f"{kind}:{level}"), seed=5)))
        for level in levels
    ]
    assert all(a < b for a, b in pairwise(losses))


def test_noise_differs_from_frame_to_frame_and_has_the_size_it_says() -> None:
    grey = np.full((80, 80, 3), 128, np.uint8)
    one, two = degrade([grey, grey], Degradation("noise", 0.25), seed=1)
    assert distance(one, two) > 5
    assert float(one.astype(int).std()) == pytest.approx(16, rel=0.05)
    alone = degrade([grey], Degradation("noise", 0.25), seed=1)
    assert (alone[0] == one).all()


def test_what_is_in_the_way_stays_there_and_covers_what_it_says() -> None:
    white = [np.full((60, 100, 3), 255, np.uint8)] * 3
    covered = degrade(white, Degradation("occlusion", 0.25), seed=4)
    assert all((frame == covered[0]).all() for frame in covered)
    assert (covered[0] == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert (degrade(white, Degradation("occlusion", 1))[0] == 0).all()


def test_brightness_goes_both_ways() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    values = [
        degrade([grey], Degradation("brightness", level))[0][0, 0, 0]
        for level in (-1, -0.5, 0.5, 1)
    ]
    assert values == [0, 50, 150, 200]


def test_blur_keeps_what_is_even() -> None:
    even = np.full((64, 64, 3), 77, np.uint8)
    for kind in ("blur", "motion_blur"):
        (worse,) = degrade([even], Degradation.parse(f"{kind}:0.3"), seed=2)
        assert (worse == 77).all()


def test_the_study_s_rate_factors_are_levels() -> None:
    rough = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    clip = [np.roll(rough, number, 1) for number in range(4)]
    losses = [
        sum(map(distance, clip, degrade(clip, Degradation("compression", crf))))
        for crf in (20, 35, 40, 45)
    ]
    assert all(a < b for a, b in pairwise(losses))
    assert Degradation("compression", 40).name == "compression:40"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fog", "'fog' is none of blur, motion_blur"),
        ("blur:much", "'much' is no level; write blur:0.5"),
        ("blur:2", "the level of blur goes from 0 to 1"),
        ("noise:-0.1", "the level of noise goes from 0 to 1"),
        ("brightness:-2", "goes from -1 to 1"),
        ("compression:60", "goes from 0 to 51"),
        ("blur:nan", "the level of blur"),
    ],
)
def test_a_degradation_that_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        Degradation.parse(text)


def test_frames_of_several_sizes_are_no_clip() -> None:
    with pytest.raises(MediaError, match="must be of one size"):
        degrade([picture(0), picture(0, (64, 64))], Degradation("blur", 0.5))
