"""How far a metric is above the minimum that its task declares (`min` of a gate line)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.gate_spec import GateSpec
from harness.collect.yamlio import parse
from harness.results.aligned import clusters_of, read_scores
from harness.results.answers import task_label
from harness.results.classes import classes_of
from harness.results.manifest import CellRecord
from harness.results.metrics import summary
from harness.results.pairs import Side
from harness.results.render import Record, Report, Table, interval, number, shorten
from harness.results.run import ScorerInfo
from harness.results.stats import Interval
from harness.results.store import RunReader
from harness.results.within import Measured

RULE = (
    "met: the whole interval lies at or above the minimum; not met: it lies below; undecided: the "
    "minimum lies within. Without an interval the value decides."
)


@dataclass(frozen=True)
class Headroom:
    """A metric of a cell against a minimum; ``label`` is the class that the line is about, of the
    column ``column``, both "" if it is about all samples."""

    cell: CellRecord
    info: ScorerInfo
    least: float
    value: float | None
    interval: Interval
    n: int
    column: str = ""
    label: str = ""

    @property
    def above(self) -> float | None:
        """Value less minimum."""
        return None if self.value is None else self.value - self.least

    @property
    def reached(self) -> str:
        """met, not met, undecided; "-" without a value."""
        return reached(self.value, self.interval, self.least)


def reached(value: float | None, around: Interval, least: float) -> str:
    """Whether a minimum is met, by the interval; where there is none, by the value."""
    if value is None:
        return "-"
    low = value if around.low is None else around.low
    high = value if around.high is None else around.high
    return "met" if low >= least else "not met" if high < least else "undecided"


def floors(run: RunReader, task: str, info: ScorerInfo) -> list[GateSpec]:
    """The gate lines with a `min` on a metric of a task, in any task that the run keeps; smallest
    first. Lines that cannot be read today are left out."""
    found = []
    for spec in run.manifest.specs:
        document = parse(Path(spec.path), spec.text)[0] if spec.kind == "task" else None
        lines = document.data.get("gate") if document else None
        for gate in _lines(lines if isinstance(lines, list) else []):
            named = gate.metric in (info.name, info.name.partition("[")[0])
            if named and gate.min is not None and (gate.task or spec.name) == task:
                found.append(gate)
    return sorted(found, key=lambda one: (one.per_class or "", one.min or 0.0))


def _lines(lines: Sequence[object]) -> Iterator[GateSpec]:
    for line in lines:
        try:
            yield GateSpec.model_validate(line)
        except ValueError:
            continue  # an earlier or later version's line


def headroom(run: RunReader, found: Sequence[Measured]) -> list[Headroom]:
    """Every declared minimum of these metrics; a line for each class is as many."""
    rows: list[Headroom] = []
    for one in found:
        for gate in floors(run, one.cell.task, one.info):
            if gate.per_class is not None:
                rows += _by_class(run, one, gate)
            elif gate.min is not None:
                row = one.row
                around = Interval(row.low, row.high, row.method)
                rows.append(Headroom(one.cell, one.info, gate.min, row.value, around, row.n))
    return list(
        {(one.cell.cell, one.info.name, one.least, one.label): one for one in rows}.values()
    )


def _by_class(run: RunReader, one: Measured, gate: GateSpec) -> Iterator[Headroom]:
    column, least = gate.per_class or "", gate.min or 0.0
    labels = classes_of(Side(run, one.cell.model), one.cell, column)
    scores = read_scores(run, one.cell, [one.info])[one.info.name]
    clusters = clusters_of(run, one.cell)
    for label in sorted({labels[sample] for sample in scores.ids if sample in labels}):
        at = [i for i, sample in enumerate(scores.ids) if labels.get(sample) == label]
        part = scores.take(at)
        groups = [clusters.get(sample) for sample in part.ids]
        value, around, _ = summary(part, one.info, groups)
        n = int(part.ok.sum())
        yield Headroom(one.cell, one.info, least, value, around, n, column, label)


def headroom_report(run: RunReader, found: Sequence[Measured]) -> Report:
    """A table for each task and variant."""
    rows = headroom(run, found)
    groups: dict[str, list[Headroom]] = {}
    for row in rows:
        groups.setdefault(task_label(row.cell.task, row.cell.variant), []).append(row)
    tables = [_table(where, group) for where, group in groups.items()]
    notes = [RULE] if rows else [_none_declared(found)]
    return Report(tables, {"headroom": [headroom_record(row) for row in rows]}, notes)


def _none_declared(found: Sequence[Measured]) -> str:
    first = next((one.info.name for one in found if one.info.higher_is_better), "choice")
    how = f"`gate: [{{metric: {first}, min: 0.5}}]`"
    return f"No task of this choice declares a minimum; a line in the task's file does: {how}."


def _table(where: str, rows: Sequence[Headroom]) -> Table:
    classes = any(row.label for row in rows)
    columns = ["model", "metric", *["class"] * classes, "minimum", "value", "95 % interval"]
    columns += ["headroom", "minimum is", "n"]
    cells = [
        [
            row.cell.model,
            row.info.name,
            *[shorten(row.label, 30)] * classes,
            f"{row.least:g}",
            number(row.value),
            interval(row.interval),
            number(row.above, sign=True),
            row.reached,
            str(row.n),
        ]
        for row in rows
    ]
    align = "ll" + "l" * classes + "rrrrlr"
    return Table(f"{where}, above the declared minimum", columns, cells, align)


def headroom_record(row: Headroom) -> Record:
    """All of a row."""
    return {
        "task": row.cell.task,
        "variant": row.cell.variant,
        "model": row.cell.model,
        "metric": row.info.name,
        "class_column": row.column,
        "class": row.label,
        "minimum": row.least,
        "value": row.value,
        "low": row.interval.low,
        "high": row.interval.high,
        "headroom": row.above,
        "reached": row.reached,
        "n": row.n,
    }
