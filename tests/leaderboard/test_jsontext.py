"""JSON for pages and scripts: nothing in it ends the <script> around it."""

from __future__ import annotations

import json

import pytest

from harness.leaderboard.jsontext import json_text

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]>",
    "a\u2028b\u2029c",
    "&lt;b&gt;",
    "\ud800 alone",
    'quote " and \\ and \x00',
    "ключ 鍵 🔑",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_and_no_mark_of_html_is_left(text: str) -> None:
    written = json_text({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert not set("<>&\u2028\u2029\n") & set(written)
    written.encode()  # half a surrogate pair would have no UTF-8


def test_other_scripts_are_written_as_they_are() -> None:
    assert json_text({"b": "é鍵", "a": [1, 0.5, None]}) == '{"b":"é鍵","a":[1,0.5,null]}'


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text([float("nan")])
