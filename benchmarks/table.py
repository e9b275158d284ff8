"""The rows of RESULTS.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    peer: str
    ratio: str
    target: str
    met: bool


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "| what | ours | peer | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        met = "yes" if row.met else "**no**"
        cells = (row.what, row.ours, row.peer, row.ratio, row.target, met)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
