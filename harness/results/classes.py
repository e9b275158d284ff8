"""The class of each sample, for gates that hold class by class."""

from __future__ import annotations

import json

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError
from harness.results.manifest import CellRecord
from harness.results.pairs import Side


def classes_of(side: Side, cell: CellRecord, column: str) -> dict[str, str]:
    """Sample id -> its class: its target, its cluster, or the text of a column of its data.

    Raises SelectionError if the data have no such column.
    """
    where = {"task": cell.task, "variant": cell.variant}
    own = column in ("target", "cluster")
    table = side.run.table("samples", ["sample", column if own else "row"], where)
    names, values = (table.column(name).to_pylist() for name in (0, 1))
    if own:
        return {name: str(value) for name, value in zip(names, values, strict=True)}
    rows = [json.loads(value) if value else {} for value in values]
    known = {key for row in rows for key in row}
    if column not in known:
        hint = known_or_near(column, {*known, "target", "cluster"})
        raise SelectionError(f"gate of {cell.task}: the data have no column '{column}'{hint}")
    return {name: str(row[column]) for name, row in zip(names, rows, strict=True) if column in row}
