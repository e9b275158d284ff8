"""Classes of tasks with choices: what was taken for what, by every model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from harness.leaderboard.answers import values_of_column
from harness.leaderboard.charts import BarRow, Chart, ConfusionRow, confusion, grouped_bars
from harness.leaderboard.gather import Bench, BoardCell
from harness.leaderboard.views import TextTable
from harness.records import Sample, Score
from harness.results.answers import Answered
from harness.results.classes import classed, confusion_by, needs_rows
from harness.results.render import number
from harness.results.stats import mean_interval
from harness.scorers.choice import Confusion, per_class

MOST_CLASSES = 30
UNREADABLE = "(unreadable)"


def is_choice(metric: str) -> bool:
    """Whether a metric compares the choice that was taken with the right one."""
    return metric.partition("[")[0] == "choice"


def confusions(bench: Bench, models: Sequence[str]) -> dict[str, Confusion]:
    """Model -> its confusion matrix by the first metric whose answers are classes; empty if there
    is none, or no letter for the target of a choice.

    By the words of the choices where they are the same for every sample, else by letter.
    """
    known: dict[str, dict[str, Sample]] = {}
    found = {}
    for model in models:
        cell = bench.cells.get(model)
        names = [] if cell is None else [info.name for info in classed(cell.record)]
        if cell is None or not names or names[0] not in cell.metrics:
            continue
        if cell.samples not in known:
            known[cell.samples] = _samples(cell)
        table = _confusion(cell, names[0], known[cell.samples])
        if table is not None and len(table.labels) <= MOST_CLASSES:
            found[model] = table
    return found


def class_charts(
    bench: Bench, found: Mapping[str, Confusion], models: Sequence[str]
) -> list[Chart]:
    """Bars of each class's share recognised, and the matrices side by side."""
    if not found:
        return []
    bars = [
        BarRow(report.label, model, report.recall, *_interval(table, place))
        for model, table in found.items()
        for place, report in enumerate(per_class(table))
    ]
    cells = [
        ConfusionRow(model, truth, answer, table.counts[i][j])
        for model, table in found.items()
        for i, truth in enumerate(table.labels)
        for j, answer in enumerate((*table.labels, UNREADABLE))
        if answer != UNREADABLE or any(row[j] for row in table.counts)
    ]
    where = bench.column("classes")
    return [
        grouped_bars(f"{where}-bars", "Share of each class recognised", bars, models=models),
        confusion(f"{where}-matrix", "What was taken for what", cells, models=models),
    ]


def class_table(found: Mapping[str, Confusion]) -> TextTable | None:
    """Precision, recall and F1 of every class and model; None if there are no classes."""
    if not found:
        return None
    rows = tuple(
        (model, one.label, str(one.n), *map(number, (one.precision, one.recall, one.f1)))
        for model, table in found.items()
        for one in per_class(table)
    )
    columns = ("model", "class", "n", "precision", "recall", "F1")
    return TextTable("Classes", columns, rows, "llrrrr", "an unreadable answer is a miss")


def _interval(table: Confusion, place: int) -> tuple[float | None, float | None]:
    """Wilson's interval of a class's recall, as every proportion here has it."""
    import numpy as np

    hit, n = table.counts[place][place], sum(table.counts[place])
    if not n:
        return None, None
    found = mean_interval(np.array([1.0] * hit + [0.0] * (n - hit)), None, numeric=False)
    return found.low, found.high


def _samples(cell: BoardCell) -> dict[str, Sample]:
    where = {"task": cell.record.task, "variant": cell.record.variant}
    whole = any(needs_rows(info.name) for info in classed(cell.record))
    names = ("sample", "target", "choices", *["row"] * whole)
    table = cell.run.table("samples", names, where)
    columns = [values_of_column(table, name) for name in names]
    return {
        sample: Sample(
            sample, "", target, tuple(choices or ()), row=json.loads(row[0]) if any(row) else {}
        )
        for sample, target, choices, *row in zip(*columns, strict=True)
    }


def _confusion(cell: BoardCell, metric: str, samples: Mapping[str, Sample]) -> Confusion | None:
    names = ("sample", "epoch", "value", "status", "answer")
    table = cell.run.table("scores", names, {"cell": cell.record.cell, "scorer": metric})
    raws = zip(*(values_of_column(table, name) for name in names), strict=True)
    rows = [
        Answered(samples[sample], epoch, "", None, Score(value, status, answer))
        for sample, epoch, value, status, answer in raws
    ]
    return confusion_by(metric, rows)
