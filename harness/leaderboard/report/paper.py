"""A table as a paper prints it: cells with a style, a caption, notes below, raw numbers beside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from harness.results.render import Record, Report, number, render

Style = Literal["", "best", "reported"]
DAGGER = "\u2020"


@dataclass(frozen=True, slots=True)
class PaperCell:
    """A text and how it is set: the best where that is shown, or a number that others reported.

    ``around`` is the interval that belongs to a value, never set in bold.
    """

    text: str
    style: Style = ""
    around: str = ""


Row = tuple[PaperCell, ...]


@dataclass(frozen=True)
class PaperTable:
    """One table of the report.

    ``name`` is its file name and LaTeX label. ``align`` has a letter for each column: "l", "r",
    or "p" for a long text. ``groups`` are rows that a rule parts from each other. ``records`` are
    the same numbers unrounded, for CSV: every record has the same keys. ``headed`` says that the
    first column only names the group, in its first row.
    """

    name: str
    caption: str
    columns: Sequence[str]
    align: str
    groups: Sequence[Sequence[Row]]
    records: Sequence[Record]
    notes: Sequence[str] = field(default=())
    headed: bool = False
    series: str = ""
    """What this table and others of the same kind are together: a list names them in one line."""
    part: str = ""
    """Which of its series it is."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if not len(row) == len(self.columns) == len(self.align):
                raise ValueError(f"{self.name}: {len(row)} cells in {len(self.columns)} columns")

    @property
    def rows(self) -> list[Row]:
        """All rows, whatever their group."""
        return [row for group in self.groups for row in group]

    @property
    def reported(self) -> bool:
        """Whether any number of it was reported by others."""
        return any(cell.style == "reported" for row in self.rows for cell in row)


def plain(*texts: str) -> Row:
    """A row of cells without a style."""
    return tuple(PaperCell(text) for text in texts)


def csv_text(table: PaperTable) -> str:
    """The records as CSV, ending in a line end."""
    return render(Report([], {"rows": table.records}), "csv") + "\n"


def value_cell(
    value: float | None,
    around: tuple[float | None, float | None] = (None, None),
    style: Style = "",
    *,
    times: float = 1.0,
    sign: bool = False,
) -> PaperCell:
    """0.30 [0.26, 0.32], in as many digits as the size of each number asks for; "-" for none.

    ``sign`` also shows a plus, as of a difference; ``times`` is 100 for percent, which have one
    decimal.
    """
    if value is None:
        return PaperCell("-")
    show = partial(_percent if times == 100 else number, sign=sign)
    ends = [show(end * times) for end in around if end is not None]
    interval = f"[{', '.join(ends)}]" if len(ends) == 2 else ""
    return PaperCell(show(value * times), style, interval)


def percent_text(share: float | None) -> str:
    """A share as percent with one decimal; "-" for none."""
    return "-" if share is None else _percent(100 * share)


def _percent(value: float, *, sign: bool = False) -> str:
    text = f"{value:+.1f}" if sign else f"{value:.1f}"
    return text.lstrip("+-") if float(text) == 0 else text


def listed(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    found = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def plural(count: int, noun: str) -> str:
    """ "1 sample", "2 samples"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def slug(*words: str) -> str:
    """A name for a file and a label out of words that may hold anything."""
    kept = re.sub(r"[^A-Za-z0-9.=-]+", "_", "_".join(word for word in words if word))
    return re.sub(r"\.{2,}", ".", kept).strip("._")[:80] or "table"
