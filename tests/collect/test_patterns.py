"""Patterns find what `re` finds, and can be stopped."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.collect.patterns import compile_pattern

PIECES = r"""
\w \W \s \S \d \D \b \B \A \Z . ^ $ | ( ) (?: (?= (?! (?<= (?P<n> (?#c[) * + ? *? ++ {2} {,2}
{1,} {,} { } {e} {e<=1} {i} [ ] [^ [^] [] [\w-] [\W_] [\s\S] [\S] [^\w\s] [[] [[:alpha:]] [a-c]
|| -- && a b B ä ß ı _ - # & ~ \\ \[ \{ \# \- \< \> \u00e9 \x41 \N{DIGIT_ONE} \1
(?i) (?x) (?m) (?s) (?a)
"""
LETTERS = "aabBäß_- \n\x1c\x85é²½A1٣\u0903\u0301‿⁔＿{}e[]:#天𝟘\u2028"


def found_by_re(pattern: str, text: str) -> re.Match[str] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets that may be read otherwise one day
        return re.search(pattern, text)


patterns = st.lists(st.sampled_from([*PIECES.split(), " ", "\n"]), max_size=7).map("".join)


@settings(max_examples=2000)
@given(
    st.lists(st.sampled_from([*PIECES, " ", "\n"]), max_size=7).map("".join),
    st.text(LETTERS, max_size=12),
)
@example(r"[\w.]+", "x².½")
@example(r"\bनमस्ते\b", "नमस्ते जी")
@example(r"a{e<=1}", "a{e<=1}")
@example(r"[[:alpha:]]", "a]")
@example("(?x) a # [ not a set\n b", "ab")
def test_what_is_found_is_what_re_finds(pattern: str, text: str) -> None:
    assume(text or r"\B" not in pattern)  # Python 3.14 changed what \B means in an empty text
    try:
        expected = found_by_re(pattern, text)
    except re.error:
        with pytest.raises(ValueError, match=r"."):
            compile_pattern(pattern)
        return
    found = compile_pattern(pattern).search(text, timeout=10)
    assert (found and (found.span(), found.groups())) == (
        expected and (expected.span(), expected.groups())
    )


@pytest.mark.parametrize("escape", [r"\w", r"\W", r"\s", r"\S", r"[\w]", r"[\W]", r"[\s]", r"[\S]"])
def test_classes_hold_the_same_characters_wherever_both_know_them(escape: str) -> None:
    import unicodedata

    pattern = compile_pattern(escape)
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) != "Cn":  # an older Unicode does not know it
            assert bool(pattern.match(char)) == bool(re.match(escape, char)), hex(code)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing ), unterminated subpattern at position 1"),
        (r"a\q", r"bad escape \q at position 2"),
        (r"\p{L}", r"bad escape \p at position 1"),
        ("(?x:a b)", r"'(?x:' sets a flag for a part of the pattern"),
    ],
)
def test_what_re_does_not_take_is_told(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        compile_pattern(pattern)


def test_a_parenthesis_that_is_text_is_no_flag() -> None:
    assert compile_pattern(r"\(?x:").search("(x:")


def test_a_pattern_without_end_is_stopped() -> None:
    with pytest.raises(TimeoutError):
        compile_pattern("^(a|aa)+$").search("a" * 80 + "b", timeout=0.05)
