"""What some metrics tell beside their value: POPE, named form errors, times of errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from harness.results.answers import Answered, task_label
from harness.results.class_tables import class_table, confusion_table
from harness.results.manifest import CellRecord
from harness.results.render import Record, Table, Value, number
from harness.results.run import ScorerInfo
from harness.scorers.form_errors import error_report
from harness.scorers.localization import mean_offset
from harness.scorers.pope import pope_report

Part = tuple[str, Table | None, list[Record]]
"""Name of the records, table, records."""


def metric_report(cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]) -> Iterator[Part]:
    """The report of a metric of METRIC_REPORTS on a cell; ``rows`` are whole."""
    yield from METRIC_REPORTS[info.name.partition("[")[0]](cell, info, rows)


def _pope(cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]) -> Iterator[Part]:
    found = pope_report([row.sample for row in rows], [row.score for row in rows])
    values: dict[str, Value] = {
        "accuracy": found.accuracy,
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "yes_ratio": found.yes_ratio,
    }
    table = _one_row(cell, "POPE, yes is what is to be found", found.n, found.n_error, values)
    yield "pope", table, [{**_place(cell), "n": found.n, "n_error": found.n_error, **values}]


def _errors(cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]) -> Iterator[Part]:
    found = error_report([row.sample for row in rows], [row.score for row in rows])
    where = f"{_where(cell)}, form errors"
    values: dict[str, Value] = {
        "precision": found.micro.precision,
        "recall": found.micro.recall,
        "f1": found.micro.f1,
        "macro_f1": found.macro_f1,
    }
    yield (
        "errors_overall",
        _one_row(cell, "form errors, all named together", found.n, found.n_error, values),
        [{**_place(cell), "n": found.n, "n_error": found.n_error, **values}],
    )
    records: list[Record] = [
        {
            **_place(cell),
            "error": one.label,
            "n": one.n,
            "precision": one.precision,
            "recall": one.recall,
            "f1": one.f1,
        }
        for one in found.by_error
    ]
    yield "errors", class_table(where, found.by_error), records
    yield "error_confusion", confusion_table(where, found.table), []


def _localization(cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]) -> Iterator[Part]:
    scores = [row.score for row in rows if row.score.value is not None]
    details = [score.detail for score in scores]
    # an answer that cannot be held against its row may have no details
    details = [detail for detail in details if len(detail) == 4]
    matched, told, true = (math.fsum(one[at] for one in details) for at in range(3))
    kept = [score for score in scores if len(score.detail) == 4]
    values: dict[str, Value] = {
        "matched": int(matched),
        "told": int(told),
        "true": int(true),
        "precision": matched / told if told else None,
        "recall": matched / true if true else None,
        "mean_offset": mean_offset(kept),
    }
    title = "places of errors in time; offsets in the unit of the data (s, or frames)"
    n_error = len(rows) - len(scores)
    table = _one_row(cell, f"{info.name}, {title}", len(scores), n_error, values)
    yield (
        "localization",
        table,
        [{**_place(cell), "metric": info.name, "n": len(scores), "n_error": n_error, **values}],
    )


METRIC_REPORTS: dict[str, Callable[[CellRecord, ScorerInfo, Sequence[Answered]], Iterator[Part]]]
METRIC_REPORTS = {"pope": _pope, "error_f1": _errors, "frame_localization": _localization}


def _one_row(cell: CellRecord, title: str, n: int, n_error: int, values: dict[str, Value]) -> Table:
    shown = [
        str(value)
        if isinstance(value, int)
        else number(value if isinstance(value, float) else None)
        for value in values.values()
    ]
    columns = ["n", "errors", *(name.replace("_", " ") for name in values)]
    row = [str(n), str(n_error), *shown]
    return Table(f"{_where(cell)}, {title}", columns, [row], "r" * len(columns))


def _where(cell: CellRecord) -> str:
    return f"{task_label(cell.task, cell.variant)}: {cell.model}"


def _place(cell: CellRecord) -> dict[str, Value]:
    return {"task": cell.task, "variant": cell.variant, "model": cell.model}
