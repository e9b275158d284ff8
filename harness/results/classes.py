"""The class of each sample, for gates that hold class by class, and what choices were confused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError
from harness.records import LETTERS
from harness.results.answers import Answered
from harness.results.manifest import CellRecord
from harness.results.pairs import Side
from harness.scorers.choice import Confusion, confusion

NONE = "(none)"
"""The class of samples that have none."""


def classes_of(side: Side, cell: CellRecord, column: str) -> dict[str, str]:
    """Sample id -> its class: its target, its cluster, or the text of a column of its data.

    Samples without one are a class of their own, NONE: nobody drops out of a gate. Raises
    SelectionError if the data have no such column.
    """
    where = {"task": cell.task, "variant": cell.variant}
    own = column in ("target", "cluster")
    table = side.run.table("samples", ["sample", column if own else "row"], where)
    names, values = (table.column(name).to_pylist() for name in (0, 1))
    if own:
        return {name: _class(value) for name, value in zip(names, values, strict=True)}
    rows = [json.loads(value) if value else {} for value in values]
    known = {key for row in rows for key in row}
    if column not in known:
        hint = known_or_near(column, {*known, "target", "cluster"})
        raise SelectionError(f"gate of {cell.task}: the data have no column '{column}'{hint}")
    return {name: _class(row.get(column)) for name, row in zip(names, rows, strict=True)}


def confusion_of(rows: Sequence[Answered]) -> Confusion | None:
    """What was answered in place of what, by scores of `choice`; None where the targets are no
    letters of choices.

    The same choices for every sample are classes; of others only the letters are common.
    """
    samples = [row.sample for row in rows]
    if not all(re.fullmatch("[A-Z]", one.target.strip().upper()) for one in samples):
        return None
    if any(LETTERS.index(one.target.strip().upper()) >= len(one.choices) for one in samples):
        return None
    return confusion(samples, [row.score for row in rows], "text" if fixed(rows) else "letter")


def fixed(rows: Sequence[Answered]) -> bool:
    """Whether every sample has the same choices, in whatever order."""
    return len({frozenset(row.sample.choices) for row in rows}) == 1


def _class(value: object) -> str:
    return NONE if value is None or value == "" else str(value)
