"""YAML 1.2 in and out; ruamel.yaml is the oracle."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from harness.collect.core_schema import read_scalar, resolve_plain
from harness.collect.yamlio import Document, Value, dump, load, parse, read_text
from harness.errors import CollectError, SpecError

FILE = Path("x.task.yaml")


def read(text: str) -> Document:
    return load(FILE, text)


def mistakes(text: str) -> list[str]:
    return [str(error) for error in parse(FILE, text)[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("3e-4", 3e-4),
        ("3E+4", 3e4),
        ("1e5", 1e5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("0o14", 12),
        ("010", 10),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("+12", 12),
        ("-12", -12),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("", None),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("=", "="),
        (".", "."),
        ("-", "-"),
        ("1.2.3", "1.2.3"),
        ("meta-llama/Llama-3.2-3B", "meta-llama/Llama-3.2-3B"),
        ("nan", "nan"),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    assert read_scalar(text) == value
    assert type(read_scalar(text)) is type(value)
    if text != "-":
        assert read(f"a: {text}\n").data == {"a": value}


def test_not_a_number_is_a_float() -> None:
    value = read("a: .NaN").data["a"]
    assert isinstance(value, float)
    assert math.isnan(value)


def test_quotes_and_core_tags_decide_the_type() -> None:
    data = read("a: '12'\nb: \"true\"\nc: !!str 12\nd: !!float 1\ne: !!int '3'\n").data
    assert data == {"a": "12", "b": "true", "c": "12", "d": 1.0, "e": 3}
    assert type(data["d"]) is float


def test_lines_are_known_for_every_place() -> None:
    document = read("a: 1\nb:\n  - x\n  - c: 2\n\n    d: 3\n")
    assert document.line(("a",)) == 1
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "d")) == 6
    assert document.line(("b", 1, "nothing")) == 4
    assert document.line(("b", 7)) == 2
    assert document.get(("b", 1, "d")) == 3
    assert document.get(("b", 9, "d")) is None


def test_lines_within_a_block_of_text() -> None:
    document = read("a:\n  t: |\n    one\n\n    three\n  u: short\n")
    assert document.text_line(("a", "t"), 3) == 5
    assert document.text_line(("a", "u"), 1) == 6
    assert document.text_line(("a", "t", "x"), 1) == 2


def test_duplicate_keys_name_both_lines() -> None:
    assert mistakes("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "x.task.yaml:2: duplicate key 'c' (first on line 2)",
        "x.task.yaml:3: duplicate key 'a' (first on line 1)",
    ]
    with pytest.raises(CollectError, match="duplicate key 'c'"):
        read("a: 1\nb: {c: 1, c: 2}\na: 3\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.task.yaml: the file is empty"),
        ("# nothing\n", "x.task.yaml: the file is empty"),
        ("- a\n", "x.task.yaml:1: must consist of 'key: value' lines, not of a list"),
        ("\nword\n", "x.task.yaml:2: must consist of 'key: value' lines, not of a single value"),
        ("1: x\n", "x.task.yaml:1: a key must be text; write '1' in quotes"),
        ("a:\n  true: x\n", "x.task.yaml:2: a key must be text; write 'true' in quotes"),
        ("[a]: x\n", "x.task.yaml:1: a key must be text, not a list or a mapping"),
        ("t: {{ input }}\n", "a template such as {{ input }} needs quotes"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n", "x.task.yaml:3: merge keys"),
        ("a: !!python/name:os.system x\n", "the tag '!!python/name:os.system' is not allowed"),
        ("a: !ruby {b: c}\n", "the tag '!ruby' is not allowed"),
        ("a: !!set {b}\n", "the tag '!!set' is not allowed"),
        ("a: !!timestamp 2024-01-01\n", "the tag '!!timestamp' is not allowed"),
        ("a: !!int x\n", "x.task.yaml:1: 'x' is not of type int"),
        (f"a: {'9' * 5000}\n", "more than 1000 digits"),
        ("a: 1\nb:\n\t- c\n", "x.task.yaml:3: a tab cannot indent YAML; use spaces"),
        ("ü: 1\nb: @c\n", "x.task.yaml:2: a value cannot begin with '@'; put it in quotes"),
        ("a: b: c\n", "x.task.yaml:1: not valid YAML: ':' is not allowed here"),
        ("a: [1, 2\nb: 3\n", "(while parsing a flow sequence that began on line 1)"),
        ("a: 1\n---\nb: 2\n", "x.task.yaml:2: only one document a file"),
        ("a: *b\n", "x.task.yaml:1: not valid YAML: found undefined alias"),
        ("a: 1\nb: \x01\n", "x.task.yaml:2: a control character does not belong in YAML"),
        ("a: &a [*a]\n", "x.task.yaml:1: nested more than 50 levels deep"),
        ("a: " + "[" * 100_000, "x.task.yaml:1: nested more than 50 levels deep"),
        ("- " * 100_000, "x.task.yaml:1: nested more than 50 levels deep"),
        ("a: " + "[" * 60 + "]" * 60, "x.task.yaml:1: nested more than 50 levels deep"),
    ],
)
def test_bad_documents_are_one_clear_line(text: str, message: str) -> None:
    errors = mistakes(text)
    assert len(errors) == 1
    assert message in errors[0]
    assert "\n" not in errors[0]
    with pytest.raises(SpecError, match=re.escape(message)):
        read(text)


def test_aliases_are_allowed_and_bombs_are_not() -> None:
    assert read("a: &a [1, 2]\nb: *a\n").data == {"a": [1, 2], "b": [1, 2]}
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for name, inner in zip("bcdefgh", "abcdefg", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + inner] * 10)}]")
    assert mistakes("\n".join(lines)) == [
        "x.task.yaml:1: aliases expand to more than 100000 values"
    ]


def test_a_long_line_is_no_deep_nesting() -> None:
    text = "word " * 1000 + "end"
    assert read(f"a: {text}\nb: [[1], [2]]\n").data == {"a": text, "b": [[1], [2]]}


def test_only_line_feeds_and_carriage_returns_break_lines() -> None:
    document = read("a: x\u2028y\x85z\u2029q\nb: 1\n'c\u2028':\n  - 2\n")
    assert document.data == {"a": "x\u2028y\x85z\u2029q", "b": 1, "c\u2028": [2]}
    assert document.line(("c\u2028", 0)) == 4


def test_files_are_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("\ufeffa: ü\r\nb: 猫\r\n".encode())
    assert load(path, read_text(path)).data == {"a": "ü", "b": "猫"}
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(SpecError, match=r"x\.yaml:2: not UTF-8 text \(byte 0xff\)"):
        read_text(path)
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_text(tmp_path / "none.yaml")


# --------------------------------------------------------------------------- the oracle

texts = st.text(st.characters(codec="utf-8"), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, max_size=5)


def ruamel(text: str) -> object:
    return YAML(typ="safe", pure=True).load(text)


def exact(value: object) -> object:
    """Equal if and only if types are equal too: True is not 1, 1.0 is not 1."""
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    return type(value).__name__, value


@given(documents)
def test_what_is_written_reads_back_the_same(data: dict[str, Value]) -> None:
    assert exact(read(dump(data)).data if data else data) == exact(data)


@given(documents)
def test_ruamel_reads_what_we_write_the_same(data: dict[str, Value]) -> None:
    assert exact(ruamel(dump(data))) == exact(data)


@given(documents)
def test_we_read_what_ruamel_writes_the_same(data: dict[str, Value]) -> None:
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    out = io.StringIO()
    writer.dump(data, out)
    # ruamel folds lines at these, as YAML 1.1 did
    assume(data and not re.search("[\x85\u2028\u2029]", out.getvalue()))
    assert exact(read(out.getvalue()).data) == exact(data)


def beyond_the_core_schema(text: str) -> bool:
    """What ruamel.yaml resolves and YAML 1.2's core schema does not."""
    return "_" in text or bool(re.match(r"[-+]?0b|\d{4}-|<<$|=$", text))


@given(st.text("0123456789.eE+-xoabTRUEtruefalsnN~inf", min_size=1, max_size=8))
def test_plain_scalars_resolve_as_in_ruamel(text: str) -> None:
    if beyond_the_core_schema(text) or text in ("-", "---", "..."):
        return
    found, expected = read_scalar(text), ruamel(text)
    if isinstance(expected, float) and math.isnan(expected):
        assert isinstance(found, float)
        assert math.isnan(found)
    else:
        assert exact(found) == exact(expected)


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_is_more_than_a_list_of_lines_too_much(text: str) -> None:
    document, errors = parse(FILE, text)
    assert document is not None or errors
    assert all("\n" not in str(error) for error in errors)


def test_texts_are_written_as_people_would() -> None:
    assert dump({"a": "no", "b": "x\ny\n", "c": "é", "d": "2024-01-01", "e": [], "f": 1e-4}) == (
        "a: no\nb: |\n  x\n  y\nc: é\nd: '2024-01-01'\ne: []\nf: 0.0001\n"
    )


def test_resolution_is_by_the_whole_text() -> None:
    assert resolve_plain("1e") == "str"
    assert resolve_plain("0o8") == "str"
    assert resolve_plain("1\n") == "str"
