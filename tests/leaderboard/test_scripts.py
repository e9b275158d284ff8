"""Data scripts: one call each, whatever the texts in them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from siteruns import call

from harness.leaderboard.scripts import finite, script

TEXTS = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "\u2028alert(1)\u2029",
    '");alert(1);//',
    "\\",
    "\x00\x1b[31m\x7f",
    "half \ud83d pair",
    "\r\n",
]


@given(TEXTS, VALUES)
def test_what_is_put_is_what_was_given(name: str, value: object) -> None:
    assert call(script(name, value)) == (name, value)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_its_script(text: str) -> None:
    body = script(text, {text: [text]})
    assert call(body) == (text, {text: [text]})
    assert body.count(b"\n") == 1
    assert b"<" not in body
    assert body.isascii()


def test_no_key_says_what_an_object_inherits_from() -> None:
    value = {"__proto__": {"a": 1, "__proto__": ['{"__proto__":', "__proto__"]}}
    body = script("x", value)
    assert b'"__proto__":' not in body.replace(b'\\"', b"")
    assert call(body) == ("x", value)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        script("scores", [math.nan])


@given(st.floats(), st.integers(1, 9))
def test_numbers_keep_their_first_digits(value: float, digits: int) -> None:
    found = finite(value, digits)
    if not math.isfinite(value):
        assert found is None
    elif found is not None:
        assert found == value or abs(found - value) <= 0.5000001 * 10 ** (1 - digits) * abs(value)


def test_no_number_is_none() -> None:
    assert finite(None) is None
