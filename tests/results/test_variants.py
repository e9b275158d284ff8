from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.results.variants import less, natural, number_of, settings_of, shared, without


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
    assert natural(["noise:1", "blur:10", "blur:2", "none"], none_first=True) == [
        "none", "noise:1", "blur:2", "blur:10",
    ]  # fmt: skip
    assert natural(["448", "320x240", "224"]) == ["224", "320x240", "448"]


def test_words_keep_the_order_in_which_they_come() -> None:
    answers = ["likelihood", "letter", "text"]
    assert natural(answers) == answers
    assert natural(["float32", "bfloat16", "float32"]) == ["float32", "bfloat16"]
    assert natural(["int8", "none"]) == ["int8", "none"]
    assert natural(["5", "none", "2"]) == ["none", "2", "5"]  # no limit beside limits


def test_parts_of_the_source_rate_stand_by_their_size_behind_numbers() -> None:
    rates = ["source", "2", "source/2", "10", "source/16", "source/4"]
    assert natural(rates) == ["2", "10", "source/16", "source/4", "source/2", "source"]


def test_only_what_is_on_one_scale_is_less() -> None:
    assert less(["source/4"], ["source/2"])
    assert not less(["source/2"], ["source/4"])
    assert not less(["1"], ["source/2"])
    assert not less(["source/2"], ["1"])
    assert less(["source/2", "32"], ["source/2", "64"])
    assert not less(["1", "32"], ["source/2", "64"])
    assert not less(["6"], ["6.0"])


def test_what_variants_share_can_stand_above_them() -> None:
    assert shared(["a=1,fps=2", "a=1,fps=4"]) == ("a=1", ["fps=2", "fps=4"])
    assert shared(["a=1", ""]) == ("", ["a=1", ""])


def test_numbers_are_read_and_words_are_none() -> None:
    assert [number_of(one) for one in ("6", "-0.5", "1e3", "640x360", "int8", "", "nan")] == [
        6.0, -0.5, 1000.0, 360.0, None, None, None,
    ]  # fmt: skip


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(repr), min_size=1))
def test_numbers_are_sorted_by_size(values: list[str]) -> None:
    assert [float(one) for one in natural(values)] == sorted(map(float, set(values)))
