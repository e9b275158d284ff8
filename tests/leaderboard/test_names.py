"""Names of files: safe on every system, and never those of another name."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.leaderboard.names import LENGTH, column_id, short_hash, slug

NAMES = st.text(st.characters(exclude_categories=()), max_size=200)
HOSTILE = [
    "",
    "../../etc/passwd",
    "..",
    ".",
    "C:\\Users\\me",
    "a/b",
    "con",
    "CON",
    "nul.txt",
    "com1",
    "lpt9.x",
    "-rf",
    ".hidden",
    "trailing.",
    "trailing ",
    "</script>",
    "<img src=x onerror=alert(1)>",
    "a\u2028b",
    "nul \x00 byte",
    "W" * 10_000,
    "w" * 10_000,
    "half \ud83d pair",
    "naïve",
    "Llama",
    "llama",
]
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@given(NAMES)
@example("con.a")
def test_slugs_are_safe(name: str) -> None:
    found = slug(name)
    assert re.fullmatch(r"[a-z0-9]+([-._][a-z0-9]+)*", found)
    assert len(found) <= LENGTH
    assert not DEVICES.match(found)


@given(NAMES, NAMES)
@example("a b", slug("a b"))  # whoever knows how slugs are made could call a model so
@example("Llama", "llama")
def test_two_names_never_share_a_slug(first: str, second: str) -> None:
    assert (slug(first) == slug(second)) == (first == second)


def test_hostile_names_never_share_a_slug() -> None:
    names = [*HOSTILE, *map(slug, HOSTILE)]
    assert len({slug(name) for name in names}) == len(set(names))


@pytest.mark.parametrize("name", ["vad-tiny", "llama-3.2_1b", "x-checkpoint-1200", "a"])
def test_a_good_name_stays(name: str) -> None:
    assert slug(name) == name


def test_a_name_of_two_letters_cases_is_two_files_on_every_disk() -> None:
    assert slug("Llama").lower() != slug("llama").lower()


def test_columns_are_told_apart() -> None:
    parts = [("a", "", "b"), ("a", "b", "c"), ("a", "", "b/c"), ("a-b", "", "c")]
    assert len({column_id(*one) for one in parts}) == len(parts)
    assert column_id("sums", "", "rouge_l") == column_id("sums", "", "rouge_l")


def test_a_hash_of_half_a_pair() -> None:
    assert len(short_hash("\ud83d", 12)) == 12
