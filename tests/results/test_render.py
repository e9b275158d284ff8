from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results.render import (
    FORMATS,
    Report,
    Table,
    interval,
    narrowest,
    number,
    render,
    shorten,
    visible,
    width,
    wrap_name,
)
from harness.results.stats import Interval

HOSTILE = "a|b_c & 50% <img src=x onerror=alert(1)> `x` *y* [l](http://e) \\cmd {z}"


def report(text: str, value: float | None = 0.5) -> Report:
    table = Table("Title", ("name", "value"), [[text, "0.500"]], "lr")
    return Report([table], {"rows": [{"name": text, "value": value}]}, ["a note"])


def test_terminal() -> None:
    assert render(report("rouge_l"), "table") == (
        "Title\n\nname     value\n-------  -----\nrouge_l  0.500\n\na note"
    )


def test_markdown_shows_user_text_as_it_is() -> None:
    found = render(report(HOSTILE), "markdown")
    (line,) = [line for line in found.splitlines() if "50%" in line]
    assert line.count("|") - line.count("\\|") == 3  # two cells, whatever stands in them
    assert "\\<img" in line
    assert "\\`x\\` \\*y\\*" in line
    assert "](http" not in line
    assert "\\\\cmd" in line


def test_latex_escapes_its_special_characters() -> None:
    found = render(report(HOSTILE), "latex")
    assert "\\begin{tabular}{lr}" in found
    assert "\\toprule" in found
    assert "b\\_c \\& 50\\%" in found
    assert "\\cmd" not in found


def test_csv_and_json_hold_what_was_given() -> None:
    text = 'quote " comma , line\nend'
    (row,) = csv.DictReader(io.StringIO(render(report(text), "csv")))
    assert row == {"name": text, "value": "0.5"}
    body = json.loads(render(report(text), "json"))
    assert body == {"rows": [{"name": text, "value": 0.5}], "notes": ["a note"]}


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), None])
def test_what_is_no_number_is_null(odd: float | None) -> None:
    assert json.loads(render(report("x", odd), "json"))["rows"][0]["value"] is None


def test_lines_of_a_cell_stay_together_where_a_format_has_one_line() -> None:
    table = Table("T", ("a",), [["0.5\n[0.1, 0.9]"]], "l")
    assert "| 0.5 [0.1, 0.9] |" in render(Report([table], {}), "markdown")
    assert "0.5 [0.1, 0.9] \\\\" in render(Report([table], {}), "latex")


def test_nothing_to_show_is_empty_text() -> None:
    for form in FORMATS:
        assert render(Report([Table("T", ("a",), [])], {"rows": []}), form) in (
            "",
            '{\n  "rows": [],\n  "notes": []\n}',
        )


def test_blocks_name_each_part_and_leave_out_empty_ones() -> None:
    table = Table("Worst", ("sample", "input", "answer"), [["q1", "Why?", ""]], "lll", blocks=True)
    assert render(Report([table], {}), "table") == "Worst\n\n  q1\n    input   Why?"


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (None, "-", "-"),
        (0.0, "0.000", "0.000"),
        (-0.0001, "0.000", "0.000"),
        (0.12345, "0.123", "+0.123"),
        (-12.345, "-12.35", "-12.35"),
        (123.456, "123.5", "+123.5"),
        (123456.7, "123457", "+123457"),
        (float("inf"), "inf", "inf"),
    ],
)
def test_numbers_have_about_three_figures(value: float | None, plain: str, signed: str) -> None:
    assert number(value) == plain
    assert number(value, sign=True) == signed


def test_intervals() -> None:
    assert interval(Interval(0.1, 0.25, "t")) == "[0.100, 0.250]"
    assert interval(Interval(None, None, "one sample")) == "-"


def test_control_characters_are_written_out() -> None:
    assert visible("red\x1b[31m\n\tnull\x00") == "red\\x1b[31m\\n\\tnull\\x00"
    assert visible("\u202egnp.exe") == "\\u202egnp.exe"  # would be read backwards
    assert visible("क्\u200dष 你好 é") == "क्\u200dष 你好 é"


@settings(deadline=None)
@given(st.text(), st.integers(8, 60))
def test_any_text_fits_its_columns_and_cannot_move_the_cursor(text: str, columns: int) -> None:
    found = shorten(text, columns)
    assert width(found) <= columns
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in found)


def test_only_long_text_is_cut() -> None:
    assert shorten("short", 10) == "short"
    assert shorten("x" * 50, 10) == "xxxxxxx..."
    assert shorten("你好你好你好", 9) == "你好你..."
    assert shorten("x" * 10 + "\u0301" * 200, 10).startswith("x" * 7)


def test_long_names_break_before_their_bracket() -> None:
    assert wrap_name("semantic_similarity[all-MiniLM-L6-v2]", 22) == (
        "semantic_similarity\n  [all-MiniLM-L6-v2]"
    )
    assert wrap_name("m" * 30, 22) == "m" * 22 + "\n  " + "m" * 8
    assert wrap_name("m" * 60, 22) == "m" * 22 + ("\n  " + "m" * 20) + "\n  " + "m" * 18
    assert wrap_name("rouge_l", 22) == "rouge_l"


def test_names_of_criteria_break_before_their_dot_and_never_within_a_word() -> None:
    name = "vad_rubric_open.completeness[embedding judge, not an LLM]"
    assert wrap_name(name, 25) == (
        "vad_rubric_open\n  .completeness\n  [embedding judge, not \n  an LLM]"
    )
    assert wrap_name("vad_rubric.accuracy[minilm]", 22) == "vad_rubric.accuracy\n  [minilm]"
    model = "researcher-llama-3.2-3b-instruct"
    assert wrap_name(model, 20) == "researcher-llama-\n  3.2-3b-instruct"
    assert narrowest([name, "rouge_l"]) == len("vad_rubric_open")
    lines = wrap_name(name, narrowest([name])).split("\n")
    assert "  .completeness" in lines
    assert "vad_rubric_open" in lines


def test_the_second_line_of_a_name_is_indented_and_joins_where_there_is_one_line() -> None:
    name = wrap_name("similarity[minilm]", 12) + "\nn=16"
    found = Report([Table("T", ("metric", "value"), [[name, "0.5"], ["x", "1"]], "lr")], {})
    assert "\n  [minilm]" in render(found, "table")
    assert "| similarity[minilm] n=16 |" in render(found, "markdown")
    assert "similarity[minilm] n=16 &" in render(found, "latex")


@pytest.mark.parametrize("cell", ["[0.1, 0.9]", "*", "[12]"])
def test_no_latex_row_begins_with_what_the_line_end_would_swallow(cell: str) -> None:
    found = render(Report([Table("T", ("a", "b"), [[cell, "x"], [cell, "y"]], "ll")], {}), "latex")
    rows = found.partition("\\midrule")[2].splitlines()
    assert not [row for row in rows if row.strip().startswith(("[", "*"))]
    assert found.count("{" + cell[0] + "}" + cell[1:]) == 2


def test_json_writes_out_what_a_terminal_would_obey() -> None:
    text = "a\u009b31m\u202eb\x7f\u2066\U000e0041 Größe 你好 क्\u200dष\n"
    found = render(report(text), "json")
    assert not set(found) & set("\u009b\u202e\x7f\u2066\U000e0041")
    assert "\\u009b31m\\u202eb\\u007f" in found
    assert "Größe 你好 क्\u200dष" in found
    assert json.loads(found)["rows"][0]["name"] == text


def test_notes_are_wrapped_to_the_terminal() -> None:
    found = Report([], {}, ["many words " * 30])
    assert max(map(len, render(found, "table", 40).splitlines())) <= 40
    assert 80 < max(map(len, render(found, "table", 300).splitlines())) <= 100
