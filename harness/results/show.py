"""A run on one page: every metric with its interval, classes, and the samples to look at first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError
from harness.records import LETTERS, Sample, Score
from harness.results.manifest import CellRecord
from harness.results.render import (
    Record,
    Report,
    Table,
    Value,
    columns_left,
    interval,
    number,
    shorten,
    visible,
    wrap_name,
)
from harness.results.run import MetricRow, ScorerInfo
from harness.results.stats import Interval
from harness.results.store import RunReader
from harness.scorers.choice import ClassReport, Confusion, confusion, per_class
from harness.scorers.overlap import NO_WORD

SHORTEST_NAME = 28


@dataclass(frozen=True)
class ShowOptions:
    """Which cells and metrics (all if empty), how many worst samples, in how many columns."""

    tasks: Sequence[str] = ()
    models: Sequence[str] = ()
    metrics: Sequence[str] = ()
    worst: int = 5
    columns: int = 100


@dataclass(frozen=True, slots=True)
class Answered:
    """One completion as it is listed: the sample, what was answered, how it was scored."""

    sample: Sample
    epoch: int
    text: str
    error: str | None
    score: Score
    wrote: bool = True
    """Whether it was asked to write, and not only to weigh given texts."""


def show(run: RunReader, options: ShowOptions) -> Report:
    """Summary, class tables of choice tasks, and the worst samples of every cell.

    Raises SelectionError for a task, model or metric that the run does not have.
    """
    cells = _select(run, options)
    rows = [row for row in run.metrics() if _shown(row, cells, options)]
    tables = _summary(rows, options.columns)
    classes: list[Record] = []
    worst: list[Record] = []
    for cell in cells:
        for info in cell.scorers:
            if _base(info.name) == "choice" and _wanted(info.name, options.metrics):
                found, records = _classes(cell, _answers(run, cell, info))
                tables += found
                classes += records
        first = _first_metric(cell, options)
        if first is not None and options.worst:
            picked = pick_worst(_answers(run, cell, first), first, options.worst)
            tables.append(_worst_table(cell, first, picked, options.columns))
            worst += [_worst_record(cell, first, one) for one in picked]
    metrics = [_metric_record(row) for row in rows]
    everything = {"metrics": metrics, "classes": classes, "worst": worst}
    return Report(tables, everything, _notes(run, rows))


def summary(run: RunReader, columns: int = 100) -> Report:
    """The metrics of all cells alone: what `harness run` ends with."""
    rows = run.metrics()
    records = {"metrics": [_metric_record(row) for row in rows]}
    return Report(_summary(rows, columns), records, _notes(run, rows))


def pick_worst(rows: Sequence[Answered], info: ScorerInfo, count: int) -> list[Answered]:
    """Up to ``count`` completions without a score, then up to ``count`` with the worst.

    A perfect 1 of a yes-or-no metric is never among the worst, however few others there are.
    """
    failed = [row for row in rows if row.score.value is None]
    scored = [row for row in rows if row.score.value is not None]
    values = {row.score.value for row in scored}
    if values <= {0.0, 1.0}:
        best = 1.0 if info.higher_is_better else 0.0
        scored = [row for row in scored if row.score.value != best]
    scored.sort(key=lambda row: row.score.value or 0.0, reverse=not info.higher_is_better)
    return failed[:count] + scored[:count]


# --------------------------------------------------------------------------- selection


def _select(run: RunReader, options: ShowOptions) -> list[CellRecord]:
    cells = run.manifest.cells
    metrics = {info.name for cell in cells for info in cell.scorers}
    _check("task", options.tasks, {cell.task for cell in cells})
    _check("model", options.models, {cell.model for cell in cells})
    _check("metric", options.metrics, metrics | {_base(name) for name in metrics})
    return [
        cell
        for cell in cells
        if _wanted(cell.task, options.tasks) and _wanted(cell.model, options.models)
    ]


def _check(kind: str, wanted: Sequence[str], known: set[str]) -> None:
    for name in wanted:
        if name not in known:
            hint = known_or_near(name, known)
            raise SelectionError(f"the run has no {kind} '{name}'{hint}")


def _shown(row: MetricRow, cells: Sequence[CellRecord], options: ShowOptions) -> bool:
    return row.cell in {cell.cell for cell in cells} and _wanted(row.metric, options.metrics)


def _wanted(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or name in wanted or _base(name) in wanted


def _base(name: str) -> str:
    return name.partition("[")[0]


def _first_metric(cell: CellRecord, options: ShowOptions) -> ScorerInfo | None:
    wanted = [one for one in cell.scorers if _wanted(one.name, options.metrics)]
    # of a neutral metric nothing is worst, so it is asked only if there is no other
    return min(wanted, key=lambda one: one.neutral, default=None)


# --------------------------------------------------------------------------- reading


def _answers(run: RunReader, cell: CellRecord, info: ScorerInfo) -> list[Answered]:
    """The completions of a cell with their scores by one scorer, in the order of the run."""
    samples = _samples(run, cell)
    done = run.table(
        "completions",
        ["sample", "epoch", "text", "error", "finish_reason"],
        {"cell": cell.cell},
    ).to_pylist()
    columns = ["sample", "epoch", "value", "status", "answer", "explanation"]
    scores = run.table("scores", columns, {"cell": cell.cell, "scorer": info.name}).to_pylist()
    by_key: dict[tuple[str, int], dict[str, Any]] = {
        (row["sample"], row["epoch"]): row for row in scores
    }
    found = []
    for row in done:
        raw = by_key[row["sample"], row["epoch"]]
        score = Score(raw["value"], raw["status"], raw["answer"], explanation=raw["explanation"])
        sample = samples[row["sample"]]
        wrote = row["error"] is None and row["finish_reason"] != "scored"
        found.append(Answered(sample, row["epoch"], row["text"], row["error"], score, wrote))
    return found


def _samples(run: RunReader, cell: CellRecord) -> dict[str, Sample]:
    where = {"task": cell.task, "variant": cell.variant}
    columns = ["sample", "input", "target", "choices"]
    return {
        row["sample"]: Sample(row["sample"], row["input"], row["target"], tuple(row["choices"]))
        for row in run.table("samples", columns, where).to_pylist()
    }


# --------------------------------------------------------------------------- summary


def _summary(rows: Sequence[MetricRow], room: int) -> list[Table]:
    """A table for each task and variant, models below each other."""
    groups: dict[tuple[str, str], list[MetricRow]] = {}
    for row in rows:
        groups.setdefault((row.task, row.variant), []).append(row)
    skipped = any(row.n_skipped for row in rows)
    columns = ["model", "metric", "value", "95 % interval", "n", "errors"]
    columns += ["skipped"] * skipped + ["truncated", "control"]
    align = "ll" + "r" * (len(columns) - 2)
    tables = []
    for key, group in groups.items():
        cells = _summary_rows(group, skipped)
        space = max(columns_left(cells, columns, 1, room), SHORTEST_NAME)
        wrapped = [[row[0], wrap_name(row[1], space), *row[2:]] for row in cells]
        tables.append(Table(_label(*key), columns, wrapped, align))
    return tables


def _summary_rows(rows: Sequence[MetricRow], skipped: bool) -> list[list[str]]:
    found, last = [], None
    for row in rows:
        name = "" if row.model == last else wrap_name(row.model, 26)
        last = row.model
        counts = [row.n, row.n_error, *([row.n_skipped] if skipped else []), row.n_truncated]
        span = interval(Interval(row.low, row.high, row.method))
        control = "" if row.control is None else number(row.control)
        found.append([name, row.metric, number(row.value), span, *map(str, counts), control])
    return found


def _notes(run: RunReader, rows: Sequence[MetricRow]) -> list[str]:
    manifest = run.manifest
    total = sum(cell.completions for cell in manifest.cells)
    counted = ", ".join(f"{count} {status}" for status, count in manifest.counts.items())
    notes = [f"run {manifest.run_id}: {total} completions ({counted})"]
    if any(row.n_error or row.n_skipped for row in rows):
        notes.append("Samples with errors or skipped stand in no value; they are counted beside n.")
    if any(row.control is not None for row in rows):
        notes.append("control: the same answers scored against other samples' references.")
        infos = [info for cell in manifest.cells for info in cell.scorers]
        whole = [one.name for one in infos if one.aggregate != "mean" and one.overlap]
        if whole:
            names = ", ".join(dict.fromkeys(whole))
            notes.append(f"{names}: a value of all answers together, a control of single ones.")
    notes += _unread(run, rows)
    unknown = sorted({row.method for row in rows if row.low is None and row.value is not None})
    if unknown:
        notes.append(f"no interval (-): {'; '.join(unknown)}.")
    return notes


def _unread(run: RunReader, rows: Sequence[MetricRow]) -> list[str]:
    """How many scores are 0 because the metric cannot read the reference at all."""
    import pyarrow.compute as pc

    cells = {(row.cell, row.metric) for row in rows}
    table = run.table("scores", ["cell", "scorer", "explanation"])
    told = pc.starts_with(table.column("explanation"), NO_WORD)
    counts: Counter[tuple[str, str]] = Counter()
    for one in table.filter(told).to_pylist():
        if (one["cell"], one["scorer"]) in cells:
            counts[one["scorer"], one["explanation"]] += 1
    return [f"{name}: {count} times 0, {why}." for (name, why), count in counts.items()]


def _metric_record(row: MetricRow) -> Record:
    names = MetricRow.__dataclass_fields__
    return {name: getattr(row, name) for name in names}


def _label(task: str, variant: str) -> str:
    return f"{task} [{variant}]" if variant else task


# --------------------------------------------------------------------------- classes


def _classes(cell: CellRecord, rows: Sequence[Answered]) -> tuple[list[Table], list[Record]]:
    """Precision and recall by class, and what was answered in place of what."""
    samples = [row.sample for row in rows]
    if not all(re.fullmatch("[A-Z]", one.target.strip().upper()) for one in samples):
        return [], []
    if any(LETTERS.index(one.target.strip().upper()) >= len(one.choices) for one in samples):
        return [], []
    # the same choices for every sample are classes; otherwise only the letters are common
    fixed = len({frozenset(one.choices) for one in samples}) == 1
    table = confusion(samples, [row.score for row in rows], "text" if fixed else "letter")
    reports = per_class(table)
    where = f"{_label(cell.task, cell.variant)}: {cell.model}"
    tables = [_class_table(where, reports), _confusion_table(where, table)]
    return tables, [_class_record(cell, report) for report in reports]


def _class_table(where: str, reports: Sequence[ClassReport]) -> Table:
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


def _confusion_table(where: str, table: Confusion) -> Table:
    """Columns are numbered when there are many classes, so that the table stays narrow."""
    short = sum(map(len, table.labels)) <= 60
    names = [shorten(label, 20) if short else str(i) for i, label in enumerate(table.labels, 1)]
    rows = []
    for i, (label, counts) in enumerate(zip(table.labels, table.counts, strict=True), 1):
        head = shorten(label, 24) if short else f"{i} {shorten(label, 24)}"
        rows.append([head, *(str(count) if count else "." for count in counts)])
    title = f"{where}, target (row) and answer (column)"
    return Table(title, ["", *names, "unreadable"], rows, "l" + "r" * (len(names) + 1))


def _class_record(cell: CellRecord, report: ClassReport) -> Record:
    return {
        "cell": cell.cell,
        "task": cell.task,
        "variant": cell.variant,
        "model": cell.model,
        "class": report.label,
        "n": report.n,
        "accuracy": report.accuracy,
        "precision": report.precision,
        "recall": report.recall,
        "f1": report.f1,
    }


# --------------------------------------------------------------------------- worst samples


def _worst_table(
    cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered], columns: int
) -> Table:
    room = max(columns - 15, 20)
    cells = [
        [
            visible(_place(row)) + f"   {info.name} {_outcome(row)}",
            shorten(row.sample.input, room),
            shorten(_target(row), room),
            shorten(_answer(row), room),
            shorten(row.error or row.score.explanation or "", room),
        ]
        for row in rows
    ]
    title = f"{_label(cell.task, cell.variant)}: {cell.model}, worst by {info.name}"
    return Table(title, ("sample", "input", "target", "answer", "remark"), cells, "lllll", True)


def _worst_record(cell: CellRecord, info: ScorerInfo, row: Answered) -> Record:
    found: dict[str, Value] = {
        "cell": cell.cell,
        "task": cell.task,
        "variant": cell.variant,
        "model": cell.model,
        "metric": info.name,
        "sample": row.sample.id,
        "epoch": row.epoch,
        "value": row.score.value,
        "status": row.score.status,
        "input": row.sample.input,
        "target": row.sample.target,
        "text": row.text,
        "answer": row.score.answer,
        "error": row.error,
        "explanation": row.score.explanation,
    }
    return found


def _place(row: Answered) -> str:
    return f"{row.sample.id} (epoch {row.epoch})" if row.epoch else row.sample.id


def _outcome(row: Answered) -> str:
    return row.score.status if row.score.value is None else number(row.score.value)


def _target(row: Answered) -> str:
    return _spelled(row.sample, row.sample.target.strip().upper()) or row.sample.target


def _answer(row: Answered) -> str:
    """The text, or the choice that a scored choice stands for."""
    if row.text.strip(" "):
        return row.text
    answer = row.score.answer or ""
    return _spelled(row.sample, answer) or answer or ("(empty)" if row.wrote else "")


def _spelled(sample: Sample, letter: str) -> str:
    """ "B: the choice's words", if the letter is one of the choices'."""
    at = LETTERS.find(letter) if len(letter) == 1 else -1
    return f"{letter}: {sample.choices[at]}" if 0 <= at < len(sample.choices) else ""
