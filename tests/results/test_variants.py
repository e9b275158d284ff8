from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.results.variants import natural, number_of, settings_of, without


def test_a_value_keeps_its_commas() -> None:
    variant = "prompt.template=Say a, then b,fps=6,degrade=blur:0.5"
    found = {"prompt.template": "Say a, then b", "fps": "6", "degrade": "blur:0.5"}
    assert settings_of(variant) == found
    assert settings_of("") == {}


def test_settings_can_be_left_out() -> None:
    assert without("fps=6,degrade=blur:0.5,frames=8", ["degrade", "level"]) == "fps=6,frames=8"
    assert without("fps=6", ["fps"]) == ""


def test_values_stand_in_their_natural_order() -> None:
    assert natural(["10", "2", "0.5", "2"]) == ["0.5", "2", "10"]
    assert natural(["blur:10", "noise:1", "blur:2", "none"]) == [
        "none", "blur:2", "blur:10", "noise:1",
    ]  # fmt: skip
    assert natural(["448", "320x240", "224"]) == ["224", "320x240", "448"]
    assert natural(["stepwise", "default"]) == ["default", "stepwise"]


def test_numbers_are_read_and_words_are_none() -> None:
    assert [number_of(one) for one in ("6", "-0.5", "1e3", "640x360", "int8", "", "nan")] == [
        6.0, -0.5, 1000.0, 360.0, None, None, None,
    ]  # fmt: skip


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(repr), min_size=1))
def test_numbers_are_sorted_by_size(values: list[str]) -> None:
    assert [float(one) for one in natural(values)] == sorted(map(float, set(values)))
