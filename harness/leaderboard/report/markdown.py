"""Text and tables as Markdown (GitHub's), whatever the text holds."""

from __future__ import annotations

import re

from harness.leaderboard.report.paper import DAGGER, PaperCell, PaperTable
from harness.results.render import visible

_SPECIAL = re.compile(r"[\\`*{}\[\]<>|&~$!]")
_AT_AN_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_AT_THE_BEGINNING = re.compile(r"^(\s*\d*)([#+=.)-])")
_LONGEST_FENCE = re.compile("`+")
REPORTED = f"{DAGGER} reported by the study's authors, not measured here."


def escaped(text: str) -> str:
    """Text that is shown as it stands, on one line: no table, link, emphasis, HTML or formula."""
    found = _SPECIAL.sub(r"\\\g<0>", visible(text))
    found = _AT_AN_EDGE.sub(r"\\_", found)
    # what looks like an address would become a link
    found = re.sub(r"(?i)(www)(?=\.)", r"\1\\", found.replace("://", ":\\//"))
    return found.replace("@", "\\@")


def paragraph(text: str) -> str:
    """As ``escaped``, for the beginning of a line."""
    return _AT_THE_BEGINNING.sub(r"\1\\\2", escaped(text))


def fenced(text: str) -> str:
    """A block of text that nothing within it can end; control characters are written out."""
    lines = [visible(line) for line in text.split("\n")]
    ticks = max((len(found) for found in _LONGEST_FENCE.findall(text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return "\n".join([f"{fence}text", *lines, fence])


def table_text(table: PaperTable, level: int = 1) -> str:
    """A heading, the table, its notes; ends in a line end."""
    head = f"{'#' * level} {escaped(table.caption)}"
    notes = [*([REPORTED] if table.reported else []), *table.notes]
    parts = [head, grid(table), "\n".join(f"- {paragraph(note)}" for note in notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def grid(table: PaperTable) -> str:
    """The table alone."""
    columns = [escaped(column) for column in table.columns]
    marks = ["---:" if letter == "r" else "---" for letter in table.align]
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, marks, *rows])


def _cell(cell: PaperCell) -> str:
    text = escaped(" ".join(cell.text.split("\n"))).strip()
    mark = {"": "", "best": "**", "reported": "*"}[cell.style] if text.strip("-") else ""
    return f"{mark}{text}{mark} {visible(cell.around)}".rstrip()
