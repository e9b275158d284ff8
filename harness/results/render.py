"""Rows to text: the one place that knows how a terminal, Markdown, LaTeX, CSV and JSON look.

Model output is shown through ``visible``, so that it can neither move the cursor of a terminal
nor break out of its cell.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

from harness.results.stats import Interval

Format = Literal["table", "markdown", "latex", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
Value = str | int | float | bool | None | Sequence[str]
Record = Mapping[str, Value]
NOTE_COLUMNS = 100  # longer lines are hard to read, however wide the terminal
CONTINUED = "\n  "  # between the lines of one name
INDENT = len(CONTINUED) - 1

_BEFORE_PART = re.compile(r"(?=\.[^\W\d])")  # "rubric.criterion", but not "llama-3.2"
_UP_TO_SPACE, _UP_TO_JOINT = re.compile(r".* "), re.compile(r".+[_-]")
_JOINERS = "\u200c\u200d"  # zero-width, but part of how some scripts are written
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True)
class Table:
    """Cells as they are to be read, already text; a cell may have several lines.

    ``lead`` are lines that stand above the title, for this table and those that follow.
    ``align`` has a letter for each column, "l" or "r". ``blocks`` asks a terminal to print each
    row as lines of "column  cell": for long texts.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str = ""
    blocks: bool = False
    lead: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    """What a command prints: tables for people, records (raw numbers) for programs.

    CSV is the first list of records, JSON all of them by name. LaTeX has ``papers`` in place of the
    tables, if there are any: one number a cell.
    """

    tables: Sequence[Table]
    records: Mapping[str, Sequence[Record]]
    notes: Sequence[str] = field(default=())
    papers: Sequence[Table] = field(default=())


def render(report: Report, form: Format, columns: int = NOTE_COLUMNS) -> str:
    """The report as text, without a line end; a terminal's notes are wrapped to its columns."""
    if form == "csv":
        return _csv(next(iter(report.records.values()), []))
    if form == "json":
        return _json(report)
    draw = {"table": _terminal, "markdown": _markdown, "latex": _latex}[form]
    tables = report.papers if form == "latex" and report.papers else report.tables
    parts = [draw(table) for table in tables if table.rows]
    wrapped = partial(_wrapped, columns=min(max(columns, 20), NOTE_COLUMNS))
    forms: dict[str, Callable[[str], str]] = {
        "table": wrapped,
        "markdown": "- {}".format,
        "latex": "% {}".format,
    }
    note = forms[form]
    notes = [_escape(text) if form == "markdown" else visible(text) for text in report.notes]
    return "\n\n".join([*parts, "\n".join(map(note, notes))] if notes else parts)


# --------------------------------------------------------------------------- cells


def number(value: float | None, *, sign: bool = False) -> str:
    """A number to about three figures; "-" for none. ``sign`` also shows a plus."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    digits = 3 if size < 10 else 2 if size < 100 else 1 if size < 10_000 else 0
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    # what rounds to zero has no sign
    return text.lstrip("+-") if float(text) == 0 else text


def interval(found: Interval) -> str:
    """[low, high], or "-" where the data give none."""
    if found.low is None or found.high is None:
        return "-"
    return f"[{number(found.low)}, {number(found.high)}]"


def visible(text: str) -> str:
    r"""Text on one line with every control character written out (``\n``, ``\x1b``, ``\u202e``)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def quoted(text: str) -> str:
    """A text as it stands, line by line, each behind a bar so that no space and no empty line is
    lost; control characters but line ends are written out."""
    return "\n".join(f"| {visible(line)}" for line in text.split("\n")) if text else ""


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def shorten(text: str, columns: int) -> str:
    """The visible text, cut to a number of columns with "..." at the end."""
    shown = visible(text[: 4 * columns + 4])
    if len(text) <= 4 * columns + 4 and width(shown) <= columns:
        return shown
    kept, used = [], 0
    for char in shown:
        used += _columns(char)
        if used > columns - 3:
            break
        kept.append(char)
    return "".join(kept) + "..."


def wrap_name(name: str, columns: int) -> str:
    """A long name on several lines: broken before "[", before the "." of a criterion, after a
    space, after "_" or "-", or where it must be, the first of these that is enough.

    All lines but the first are indented, so that they do not look like names of their own.
    """
    name = visible(name)
    if len(name) <= columns:
        return name
    head, bracket, tail = name.partition("[")
    parts = [head] if len(head) <= columns else _BEFORE_PART.split(head)
    lines: list[str] = []
    for piece in (*parts, bracket + tail):
        while piece:
            size = columns - INDENT * bool(lines)
            part = piece[:size]
            if len(piece) > size:
                within = _UP_TO_SPACE.match(part) or _UP_TO_JOINT.match(part)
                part = within[0] if within else part
            lines.append(part)
            piece = piece[len(part) :]
    return CONTINUED.join(lines)


def narrowest(names: Iterable[str]) -> int:
    """How wide a column must be for `wrap_name` to break none of the names within a word."""
    found = 0
    for name in map(visible, names):
        head, bracket, tail = name.partition("[")
        pieces = [*_BEFORE_PART.split(head), *re.findall(r"[^ ]+ ?", bracket + tail)]
        found = max(found, *(width(one) + INDENT * bool(i) for i, one in enumerate(pieces)))
    return found


def columns_left(rows: Sequence[Sequence[str]], headers: Sequence[str], at: int, total: int) -> int:
    """How wide column ``at`` of a terminal's table may be for the whole to have ``total``."""
    cells = [column for i, column in enumerate(zip(headers, *rows, strict=True)) if i != at]
    widths = [max(width(line) for cell in column for line in cell.split("\n")) for column in cells]
    return total - sum(widths) - 2 * len(widths)


def _visible(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if not _hidden(char):
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _hidden(char: str) -> bool:
    """Whether a character may move the cursor, turn the direction of writing, or stay unseen."""
    if " " <= char <= "~":
        return False
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in _JOINERS


def _columns(char: str) -> int:
    if unicodedata.combining(char) or char in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# --------------------------------------------------------------------------- formats


def _terminal(table: Table) -> str:
    head = "\n".join([*table.lead, *([""] if table.lead else []), table.title])
    if table.blocks:
        return "\n".join([head, *(_block(table.columns, row) for row in table.rows)])
    return f"{head}\n\n{_tabulate(table, table.rows, table.columns, 'simple')}"


def _wrapped(note: str, columns: int) -> str:
    return textwrap.fill(note, columns, subsequent_indent="  ", break_on_hyphens=False)


def _block(columns: Sequence[str], row: Sequence[str]) -> str:
    """The first cell as a heading, the others named below it; empty ones left out."""
    names = max(map(len, columns[1:]), default=0)
    pairs = zip(columns[1:], row[1:], strict=True)
    lines = [f"    {name:{names}}  {_indented(cell, names)}" for name, cell in pairs if cell]
    return "\n".join(["", f"  {row[0]}", *lines])


def _indented(cell: str, names: int) -> str:
    """A cell of several lines stays in its column."""
    return cell.replace("\n", "\n" + " " * (names + 6))


def _markdown(table: Table) -> str:
    rows = [[_escape(cell) for cell in row] for row in table.rows]
    columns = [_escape(column) for column in table.columns]
    head = "".join(f"{_escape(line)}\n\n" for line in table.lead)
    return f"{head}### {_escape(table.title)}\n\n{_tabulate(table, rows, columns, 'github')}"


def _latex(table: Table) -> str:
    rows = [[_one_line(cell) for cell in row] for row in table.rows]
    lines = (*table.lead, table.title, r"needs \usepackage{booktabs}")
    head = "".join(f"% {_one_line(line)}\n" for line in lines)
    body = _tabulate(table, rows, table.columns, "latex_booktabs")
    # after the end of a row, "[" would begin a length and "*" forbid a page break
    return head + re.sub(r"(?m)^(\s*)([\[*])", r"\1{\2}", body)


def _tabulate(
    table: Table, rows: Sequence[Sequence[str]], columns: Sequence[str], form: str
) -> str:
    import tabulate as library

    library.MIN_PADDING = 0  # it would make each column two wider than its heading
    align = [{"l": "left", "r": "right"}[letter] for letter in table.align]
    return library.tabulate(
        rows, headers=columns, tablefmt=form, disable_numparse=True, colalign=align or None
    )


def _escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    escaped = re.sub(r"([\\`*|<>])", r"\\\1", _one_line(text))
    return escaped.replace("](", "]\\(")


def _one_line(text: str) -> str:
    return " ".join(text.replace(CONTINUED, "").split("\n"))


def _csv(records: Sequence[Record]) -> str:
    if not records:
        return ""
    target = io.StringIO()
    writer = csv.DictWriter(target, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in records)
    return target.getvalue().rstrip("\n")


def _json(report: Report) -> str:
    named = {
        name: [{key: _plain(value) for key, value in row.items()} for row in rows]
        for name, rows in report.records.items()
    }
    body = {**named, "notes": list(report.notes)}
    text = json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False)
    # what is left of them stands in strings, where an escape means the same
    return "".join(json.dumps(c)[1:-1] if _hidden(c) and c != "\n" else c for c in text)


def _plain(value: Value) -> Value:
    """JSON has no infinity; a missing number says it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
