import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.columns import has, json_in, listed, names_in, numbers_in

COLUMN = {
    "list": (["a", 1], ["a", 1]),
    "tuple": (("a",), ["a"]),
    "empty list": ([], []),
    "json": ('["a", "b"]', ["a", "b"]),
    "json without items": ("[]", []),
    "broken json": ('["a"', None),
    "text": ("a", None),
    "blank": (" ", None),
    "number": (3, None),
    "null": (None, None),
}


@pytest.mark.parametrize(("value", "expected"), COLUMN.values(), ids=COLUMN)
def test_a_column_holds_a_list(value, expected):
    assert listed({"x": value}, "x") == expected
    assert listed({}, "x") is None


def test_a_blank_text_is_nothing_and_an_empty_list_is_something():
    values = ("", " \n", None, [], "[]", 0, "x")
    assert [has({"x": value}, "x") for value in values] == [False] * 3 + [True] * 4
    assert not has({}, "x")


NAMES = {
    "list": (["a b", "c"], ["a b", "c"]),
    "none": ([], []),
    "csv": ('["a", "c"]', ["a", "c"]),
    "one": ("a", ["a"]),
}
NO_NAMES = [
    5,
    True,
    {"a": 1},
    ["a", None],
    ["a", 1],
    [["a"]],
    [""],
    ["?"],
    "?",
    "[a",
    '{"a": 1}',
    "",
]


@pytest.mark.parametrize(("value", "expected"), NAMES.values(), ids=NAMES)
def test_names_are_a_list_or_one_alone(value, expected):
    assert names_in({"x": value}, "x") == expected


@pytest.mark.parametrize("value", NO_NAMES, ids=repr)
def test_what_are_no_names(value):
    assert names_in({"x": value}, "x") is None
    assert names_in({}, "x") is None


NO_NUMBERS = [
    "x",
    "5",
    5,
    [[1, 2]],
    [-1],
    [1e999],
    "[Infinity]",
    "[NaN]",
    [1, None],
    ["0:05"],
    [True],
]


def test_numbers_are_a_list():
    assert numbers_in({"x": [0, 1.5]}, "x") == numbers_in({"x": "[0, 1.5]"}, "x") == [0.0, 1.5]
    assert numbers_in({"x": []}, "x") == numbers_in({"x": "[]"}, "x") == []


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_are_no_numbers(value):
    assert numbers_in({"x": value}, "x") is None


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
