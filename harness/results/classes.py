"""The class of each sample, for gates that hold class by class, and what choices were confused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError
from harness.records import LETTERS, Sample
from harness.results.answers import Answered
from harness.results.manifest import CellRecord
from harness.results.pairs import Side
from harness.results.run import ScorerInfo
from harness.results.store import RunReader
from harness.scorers.choice import Confusion, confusion
from harness.scorers.classes import CLASSED, class_confusion

NONE = "(none)"
"""The class of samples that have none."""


LETTERED = ("choice", "choice_norm", "circular")
"""Metrics whose answer is the letter of a choice."""


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


CLASS_COLUMNS = ("class", "exercise")
"""Columns of the data that say which class a sample is of, the first that there is."""


def sample_classes(run: RunReader, cell: CellRecord) -> dict[str, str]:
    """Sample -> its class: the column `class` or `exercise` of its row, or the words of its target
    where all samples have the same choices. Empty if there are no classes."""
    where = {"task": cell.task, "variant": cell.variant}
    table = run.table("samples", ["sample", "target", "choices", "row"], where)
    raws = table.to_pylist()
    rows = {raw["sample"]: json.loads(raw["row"]) if raw["row"] else {} for raw in raws}
    for column in CLASS_COLUMNS:
        if any(isinstance(row.get(column), str) and row[column] for row in rows.values()):
            return {name: _class(row.get(column)) for name, row in rows.items()}
    samples = [
        Sample(raw["sample"], "", raw["target"] or "", tuple(raw["choices"] or ())) for raw in raws
    ]
    if not _lettered(samples) or len({frozenset(one.choices) for one in samples}) != 1:
        return {}
    return {one.id: one.choices[LETTERS.index(_letter(one))] for one in samples}


def confusion_of(rows: Sequence[Answered]) -> Confusion | None:
    """What was answered in place of what, by scores of `choice`; None where the targets are no
    letters of choices.

    The same choices for every sample are classes; of others only the letters are common.
    """
    samples = [row.sample for row in rows]
    if not _lettered(samples):
        return None
    return confusion(samples, [row.score for row in rows], "text" if fixed(rows) else "letter")


def fixed(rows: Sequence[Answered]) -> bool:
    """Whether every sample has the same choices, in whatever order."""
    return len({frozenset(row.sample.choices) for row in rows}) == 1


def classed(cell: CellRecord) -> list[ScorerInfo]:
    """The metrics of a cell whose answers are classes; of those that read the choice, the first."""
    found: dict[str, ScorerInfo] = {}
    for info in cell.scorers:
        base = info.name.partition("[")[0]
        if base in CLASSED:
            found.setdefault("choice" if base in LETTERED else base, info)
    return list(found.values())


def needs_rows(metric: str) -> bool:
    """Whether the classes of a metric stand in the rows of the data."""
    return metric.partition("[")[0] == "exercise_identification"


def confusion_by(metric: str, rows: Sequence[Answered]) -> Confusion | None:
    """The confusion of any metric whose answers are classes; None for another, or where the
    targets are no letters of choices."""
    if metric.partition("[")[0] in LETTERED:
        return confusion_of(rows) if rows else None
    table = class_confusion(metric, [row.sample for row in rows], [row.score for row in rows])
    return table if table is not None and table.labels else None


def _lettered(samples: Sequence[Sample]) -> bool:
    """Whether there are samples, and the target of each is the letter of one of its choices."""
    letters = [_letter(one) for one in samples]
    return bool(letters) and all(
        re.fullmatch("[A-Z]", letter) and LETTERS.index(letter) < len(one.choices)
        for letter, one in zip(letters, samples, strict=True)
    )


def _letter(sample: Sample) -> str:
    return sample.target.strip().upper()


def _class(value: object) -> str:
    return NONE if value is None or value == "" else str(value)
