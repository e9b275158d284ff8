"""Colours that can be seen, and told apart, on the grounds that they are for."""

from __future__ import annotations

from itertools import combinations

import altair
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.leaderboard.chart_theme import (
    BACKGROUND,
    FLIP,
    HEAT,
    MODEL_COLOURS,
    MODES,
    VERDICT_COLOURS,
    Mode,
    theme,
)

Vector = NDArray[np.float64]

# Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB
SIGHT = {
    "full": np.eye(3),
    "no red": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no green": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no blue": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Ottosson, OKLab: distances that are about even to the eye
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour: str) -> Vector:
    part = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's ratio."""
    low, high = sorted(float(linear(x) @ [0.2126, 0.7152, 0.0722]) for x in (a, b))
    return (high + 0.05) / (low + 0.05)


def distance(a: str, b: str, sight: Vector) -> float:
    seen = (np.clip(sight @ linear(x), 0, 1) for x in (a, b))
    first, second = (LAB @ np.cbrt(CONES @ x) for x in seen)
    return float(np.linalg.norm(first - second))


def mixed(ends: tuple[str, str], share: float) -> str:
    low, high = ([int(end[i : i + 2], 16) for i in (1, 3, 5)] for end in ends)
    parts = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{part:02X}" for part in parts)


def test_the_measures_are_the_published_ones() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)
    # red and green are one to who lacks the green cones, blue and yellow are not
    red, green = "#B86B00", "#7E8A00"
    assert distance(red, green, SIGHT["no green"]) < distance(red, green, SIGHT["full"]) / 3


@pytest.mark.parametrize("mode", MODES)
def test_marks_stand_out_from_the_ground(mode: Mode) -> None:
    for colour in (*MODEL_COLOURS[mode], *VERDICT_COLOURS[mode]):
        assert contrast(colour, BACKGROUND[mode]) >= 3, colour


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_can_be_told_apart(mode: Mode, sight: str) -> None:
    # 0.07 is what Okabe and Ito's own eight have at the least (0.076)
    for colours in (MODEL_COLOURS[mode], VERDICT_COLOURS[mode]):
        for a, b in combinations(colours, 2):
            assert distance(a, b, SIGHT[sight]) >= 0.07, (a, b)


@pytest.mark.parametrize("mode", MODES)
def test_text_can_be_read(mode: Mode) -> None:
    config = theme(mode)
    ground = BACKGROUND[mode]
    for colour in (
        config["axis"]["labelColor"],
        config["axis"]["titleColor"],
        config["legend"]["labelColor"],
        config["legend"]["titleColor"],
        config["header"]["labelColor"],
        config["style"]["label"]["color"],
        config["style"]["aside"]["color"],
    ):
        assert contrast(colour, ground) >= 4.5, colour


@pytest.mark.parametrize("mode", MODES)
def test_numbers_can_be_read_on_every_shade_of_a_cell(mode: Mode) -> None:
    style = theme(mode)["style"]
    for share in np.linspace(0, 1, 101):
        ink = style["on-high" if share >= FLIP else "on-low"]["color"]
        assert contrast(ink, mixed(HEAT[mode], float(share))) >= 4.5, share


@pytest.mark.parametrize("mode", MODES)
def test_the_theme_is_a_config_of_vega_lite(mode: Mode) -> None:
    altair.Config.from_dict(theme(mode))  # raises on what the schema does not know
    assert theme("paper")["axis"]["labelFontSize"] == 9
