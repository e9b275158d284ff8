"""What of the texts is published."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SelectionError
from harness.leaderboard.texts import REDACTED, Texts

TEXTS = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS)
def test_without_patterns_texts_stay(text: str) -> None:
    texts = Texts.of([])
    assert texts.clean(text) == text
    assert texts.whole
    assert texts.all([text, None]) == [text, None]


@given(TEXTS, TEXTS)
def test_what_a_pattern_finds_is_gone(before: str, after: str) -> None:
    found = Texts.of([r"secret\d"]).clean(f"{before}secret7{after}")
    assert "secret7" not in found
    assert REDACTED in found


def test_patterns_are_used_one_after_the_other() -> None:
    texts = Texts.of(["a+", "b"])
    assert texts.all(["aab", None, "c"]) == [f"{REDACTED}{REDACTED}", None, "c"]
    assert not texts.whole


@pytest.mark.parametrize(
    ("pattern", "what"),
    [("(", "is no regular expression: missing )"), ("x*", "matches the empty text")],
)
def test_a_pattern_that_is_none_is_refused(pattern: str, what: str) -> None:
    with pytest.raises(SelectionError) as error:
        Texts.of([pattern])
    assert what in str(error.value)
    assert str(error.value).startswith(f"--redact '{pattern}': ")


@given(JSON)
def test_json_stays_json(value: object) -> None:
    texts = Texts.of(["[a-f0-9]"])
    found = json.loads(texts.json(json.dumps(value)))
    assert found == texts.inside(value)


def test_numbers_names_of_fields_and_nested_texts_are_texts_too() -> None:
    texts = Texts.of([r"\d{7}", "Ann"])
    row = {"phone": 5551234, "Ann": [{"said": 'by "Ann" '}], "n": 12, "ok": True, "x": None}
    assert json.loads(texts.json(json.dumps(row))) == {
        "phone": REDACTED,
        REDACTED: [{"said": f'by "{REDACTED}" '}],
        "n": 12,
        "ok": True,
        "x": None,
    }


def test_what_stands_escaped_in_json_is_found() -> None:
    texts = Texts.of(['"quoted"\n', "é"])
    assert "quoted" not in texts.json(json.dumps({"a": 'so "quoted"\n'}))
    assert json.loads(texts.json(json.dumps({"a": "née"}))) == {"a": f"n{REDACTED}e"}


def test_what_is_no_json_is_cleaned_as_text() -> None:
    assert Texts.of(["b"]).json("{a b") == f"{{a {REDACTED}"
    assert Texts.of(["b"]).json("[" * 100_000 + "b").endswith(REDACTED)
