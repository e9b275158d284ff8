import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.columns import json_in, listed

COLUMN = {
    "list": (["a", 1], ["a", 1]),
    "tuple": (("a",), ["a"]),
    "empty list": ([], []),
    "json": ('["a", "b"]', ["a", "b"]),
    "json without items": ("[]", []),
    "broken json": ('["a"', ['["a"']),
    "text": ("a", ["a"]),
    "blank": (" ", None),
    "number": (3, [3]),
    "null": (None, None),
}


@pytest.mark.parametrize(("value", "expected"), COLUMN.values(), ids=COLUMN)
def test_a_column_holds_a_list(value, expected):
    assert listed({"x": value}, "x") == expected
    assert listed({}, "x") is None


ANSWER = {
    '{"a": 1}': {"a": 1},
    'so: ```json\n{"a": [1]}\n```': {"a": [1]},
    "see [1, 2] and [3]": [1, 2],
    "a [broken {one": None,
    "[1": None,
    "3": None,
    "[" * 100_000: None,
    '{"a":' * 100_000: None,
    "[" * 30 + "] {}": None,  # behind too many brackets
    "9" * 5000: None,
}


@pytest.mark.parametrize(("text", "expected"), ANSWER.items(), ids=range(len(ANSWER)))
def test_json_is_found_in_an_answer(text, expected):
    assert json_in(text) == expected


@given(st.text('[]{}":,1a ', max_size=40))
def test_any_text_can_be_read(text):
    assert json_in(text) is None or isinstance(json_in(text), dict | list)
