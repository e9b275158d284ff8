"""Tables of the classes that a metric's answers are: each by itself, and what was confused."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.answers import Answered, task_label
from harness.results.classes import LETTERED, confusion_by, fixed
from harness.results.manifest import CellRecord
from harness.results.render import Record, Table, number, shorten
from harness.results.run import ScorerInfo
from harness.scorers.choice import ClassReport, Confusion, per_class

NO_CLASSES = "{task}: its choices differ by sample, so letters are positions, not classes."
ONE_AGAINST_REST = (
    "accuracy of a class: one against the rest, where every sample counts that is rightly in it or "
    "rightly not; of a rare class it is high even if it is never recognised, as its recall shows."
)
SHORT_LABELS = 60
"""Letters of all labels together, up to which a matrix has them above its columns."""


def class_tables(
    cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]
) -> tuple[list[Table], list[Record]]:
    """Precision and recall by class, and what was answered in place of what; nothing where the
    answers are no classes."""
    table = None if only_positions(info, rows) else confusion_by(info.name, rows)
    if table is None:
        return [], []
    reports = per_class(table)
    where = heading(cell, info)
    tables = [class_table(where, reports), confusion_table(where, table)]
    return tables, [_class_record(cell, info, report) for report in reports]


def only_positions(info: ScorerInfo, rows: Sequence[Answered]) -> bool:
    """Whether the answers are letters of choices that differ by sample."""
    return bool(rows) and info.name.partition("[")[0] in LETTERED and not fixed(rows)


def heading(cell: CellRecord, info: ScorerInfo) -> str:
    """Task, variant and model, and the metric if it does not read choices."""
    where = f"{task_label(cell.task, cell.variant)}: {cell.model}"
    return where if info.name.partition("[")[0] in LETTERED else f"{where}, {info.name}"


def one_against_rest(tables: Sequence[Table]) -> list[str]:
    """A note on the accuracy of a class, if one of these tables tells it."""
    told = any(tuple(one.columns[:3]) == ("class", "n", "accuracy") for one in tables)
    return [ONE_AGAINST_REST] * told


def class_table(where: str, reports: Sequence[ClassReport]) -> Table:
    """Each class against all others."""
    rows = [
        [
            shorten(one.label, 30),
            str(one.n),
            number(one.accuracy),
            number(one.precision),
            number(one.recall),
            number(one.f1),
        ]
        for one in reports
    ]
    columns = ("class", "n", "accuracy", "precision", "recall", "f1")
    return Table(f"{where}, by class", columns, rows, "lrrrrr")


def confusion_table(where: str, table: Confusion) -> Table:
    """Targets down, answers across. Columns are numbered when there are many classes, so that the
    table stays narrow."""
    short = sum(map(len, table.labels)) <= SHORT_LABELS
    names = [shorten(label, 20) if short else str(i) for i, label in enumerate(table.labels, 1)]
    rows = []
    for i, (label, counts) in enumerate(zip(table.labels, table.counts, strict=True), 1):
        head = shorten(label, 24) if short else f"{i} {shorten(label, 24)}"
        rows.append([head, *(str(count) if count else "." for count in counts)])
    title = f"{where}, target (row) and answer (column)"
    return Table(title, ["", *names, "unreadable"], rows, "l" + "r" * (len(names) + 1))


def _class_record(cell: CellRecord, info: ScorerInfo, report: ClassReport) -> Record:
    return {
        "cell": cell.cell,
        "task": cell.task,
        "variant": cell.variant,
        "model": cell.model,
        "metric": info.name,
        "class": report.label,
        "n": report.n,
        "accuracy": report.accuracy,
        "precision": report.precision,
        "recall": report.recall,
        "f1": report.f1,
    }
