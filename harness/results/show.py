"""A run on one page: every metric with its interval, classes, and the samples to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.collect.suggest import did_you_mean, known_or_near
from harness.errors import SelectionError
from harness.results.answers import Listing, answers, pick_worst, task_label
from harness.results.class_tables import NO_CLASSES, class_tables, one_against_rest, only_positions
from harness.results.classes import classed, needs_rows
from harness.results.judged import badge, judge_notes
from harness.results.manifest import CellRecord
from harness.results.render import (
    INDENT,
    Record,
    Report,
    Table,
    Value,
    columns_left,
    interval,
    narrowest,
    number,
    wrap_name,
)
from harness.results.run import MetricRow, ScorerInfo
from harness.results.stats import Interval
from harness.results.store import RunReader
from harness.results.stored_judges import measured
from harness.scorers.overlap import NO_WORD

SHORTEST_NAME = 22
MODEL_COLUMNS, SHORTEST_MODEL = 26, 14
Infos = Mapping[tuple[str, str], ScorerInfo]
"""(cell, metric) -> what is known of it."""


@dataclass(frozen=True)
class ShowOptions:
    """Which cells and metrics (all if empty), how many worst samples, in how many columns.

    ``samples`` are shown in place of the worst; ``prompt`` adds what the model read.
    """

    tasks: Sequence[str] = ()
    models: Sequence[str] = ()
    metrics: Sequence[str] = ()
    worst: int = 5
    columns: int = 100
    samples: Sequence[str] = ()
    prompt: bool = False
    criteria: bool = False
    """Whether the criteria of judges stand in the table, too; JSON and CSV always have them."""


def show(run: RunReader, options: ShowOptions) -> Report:
    """Summary, class tables of choice tasks, and the worst samples of every cell, or those named.

    Raises SelectionError for a task, model, metric or sample that the run does not have,
    StoreError if it has no prompts and they are asked for.
    """
    cells = measured(run, select(run, options))
    rows = [row for row in run.metrics() if _shown(row, cells, options)]
    infos = _infos(cells)
    whole = options.criteria or bool(options.metrics)
    tables = _summary(_totals(rows, infos, whole=whole), infos, options.columns)
    classes: list[Record] = []
    listed: list[Record] = []
    lettered: list[str] = []
    for cell in cells:
        for info in classed(cell):
            if _wanted(info.name, options.metrics):
                rows_of = answers(run, cell, info, whole=needs_rows(info.name))
                found, records = class_tables(cell, info, rows_of)
                tables += found
                classes += records
                if only_positions(info, rows_of):
                    lettered.append(NO_CLASSES.format(task=cell.task))
        listing = _listing(run, cell, options)
        if listing is not None:
            tables.append(listing.table(options.columns))
            listed += listing.records()
    unknown = set(options.samples) - {str(one["sample"]) for one in listed}
    if unknown:
        raise SelectionError(_no_sample(run, cells, min(unknown)))
    metrics = [_metric_record(row, infos) for row in rows]
    name = "samples" if options.samples else "worst"
    everything = {"metrics": metrics, "classes": classes, name: listed}
    judges = {infos[row.cell, row.metric].judge for row in rows} if options.metrics else None
    notes = [
        *_notes(run, rows, cells),
        *dict.fromkeys(lettered),
        *one_against_rest(tables),
        *judge_notes(run, cells, judges),
    ]
    return Report(tables, everything, notes if whole else [*notes, *_more(infos)])


def summary(run: RunReader, columns: int = 100) -> Report:
    """The metrics of all cells alone: what `harness run` ends with."""
    rows, cells = run.metrics(), measured(run, run.manifest.cells)
    infos = _infos(cells)
    records = {"metrics": [_metric_record(row, infos) for row in rows]}
    notes = [*_notes(run, rows, cells), *judge_notes(run, cells), *_more(infos)]
    return Report(_summary(_totals(rows, infos), infos, columns), records, notes)


def _totals(rows: Sequence[MetricRow], infos: Infos, *, whole: bool = False) -> list[MetricRow]:
    """The rows without the criteria of judges, unless the whole is wanted."""
    return [row for row in rows if whole or not infos[row.cell, row.metric].criterion]


def _more(infos: Infos) -> list[str]:
    """What `_totals` left out."""
    hidden = any(info.criterion for info in infos.values())
    return ["--criteria shows what the totals of judges are made of."] * hidden


def _infos(cells: Sequence[CellRecord]) -> Infos:
    return {(cell.cell, info.name): info for cell in cells for info in cell.scorers}


# --------------------------------------------------------------------------- selection


def select(run: RunReader, options: ShowOptions) -> list[CellRecord]:
    """The cells that are asked for.

    Raises SelectionError for a task, model or metric that the run does not have.
    """
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


# --------------------------------------------------------------------------- listing


def _listing(run: RunReader, cell: CellRecord, options: ShowOptions) -> Listing | None:
    """The samples of a cell that are shown; None if none are to be."""
    first = _first_metric(cell, options)
    if first is None or not (options.worst or options.samples):
        return None
    rows = answers(run, cell, first, prompts=options.prompt)
    if options.samples:
        picked = [row for row in rows if row.sample.id in options.samples]
        return Listing(cell, first, picked, "samples", options.prompt)
    picked = pick_worst(rows, first, options.worst)
    return Listing(cell, first, picked, f"worst by {first.name}", options.prompt)


def _no_sample(run: RunReader, cells: Sequence[CellRecord], name: str) -> str:
    tasks = {cell.task for cell in cells}
    rows = run.table("samples", ["task", "sample"]).to_pylist()
    hint = did_you_mean(name, [row["sample"] for row in rows if row["task"] in tasks])
    return f"the run has no sample '{name}'{hint}"


# --------------------------------------------------------------------------- summary


def _summary(rows: Sequence[MetricRow], infos: Infos, room: int) -> list[Table]:
    """A table for each task and variant, models below each other."""
    groups: dict[tuple[str, str], list[MetricRow]] = {}
    for row in rows:
        groups.setdefault((row.task, row.variant), []).append(row)
    skipped = any(row.n_skipped for row in rows)
    tables = []
    for group in groups.values():
        judged = any(infos[row.cell, row.metric].judge for row in group)
        columns = ["model", "metric", "value", "95 % interval", "n", "errors"]
        columns += ["skipped"] * skipped
        # a judge's names are long: what says nothing makes room for them
        columns += ["truncated"] * (not judged or any(row.n_truncated for row in group))
        columns += ["control"] * (not judged or any(row.control is not None for row in group))
        columns += ["judge"] * judged
        tables.append(_summary_table(group, infos, columns, room))
    return tables


def _summary_table(rows: Sequence[MetricRow], infos: Infos, columns: list[str], room: int) -> Table:
    """The table, as narrow as it must be: the control goes below the interval first, and then
    names are wrapped, between their words if there is any room for that."""
    cells = _summary_rows(rows, infos, columns)
    least = min(narrowest(row.metric for row in rows), SHORTEST_NAME + INDENT)
    if "control" in columns and columns_left(cells, columns, 1, room) < least:
        columns = [name for name in columns if name != "control"]
        cells = _summary_rows(rows, infos, columns)
    space = columns_left(cells, columns, 1, room)
    models = max(MODEL_COLUMNS - max(least - space, 0), SHORTEST_MODEL)
    cells = [[wrap_name(row[0], models), *row[1:]] for row in cells]
    space = max(columns_left(cells, columns, 1, room), least)
    wrapped = [[row[0], wrap_name(row[1], space), *row[2:]] for row in cells]
    judged = "judge" in columns
    align = "ll" + "r" * (len(columns) - 2 - judged) + "l" * judged
    return Table(task_label(rows[0].task, rows[0].variant), columns, wrapped, align)


def _summary_rows(
    rows: Sequence[MetricRow], infos: Infos, columns: Sequence[str]
) -> list[list[str]]:
    found, last = [], None
    for row in rows:
        around = interval(Interval(row.low, row.high, row.method))
        if "control" not in columns and row.control is not None:
            around += f"\ncontrol {number(row.control)}"
        cells = {
            "model": "" if row.model == last else row.model,
            "metric": row.metric,
            "value": number(row.value),
            "95 % interval": around,
            "n": str(row.n),
            "errors": str(row.n_error),
            "skipped": str(row.n_skipped),
            "truncated": str(row.n_truncated),
            "control": "" if row.control is None else number(row.control),
            "judge": badge(infos[row.cell, row.metric], row.n_judge_error),
        }
        last = row.model
        found.append([cells[name] for name in columns])
    return found


def _notes(run: RunReader, rows: Sequence[MetricRow], cells: Sequence[CellRecord]) -> list[str]:
    """What the numbers mean; counts are those of the cells that are shown."""
    manifest = run.manifest
    counts: Counter[str] = Counter()
    for cell in cells:
        counts.update(cell.counts)
    total = sum(cell.completions for cell in cells)
    counted = ", ".join(f"{count} {status}" for status, count in counts.items())
    notes = [f"run {manifest.run_id}: {total} completions" + (f" ({counted})" if counted else "")]
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


def _metric_record(row: MetricRow, infos: Infos) -> Record:
    """All of a row and of its judge; what has no better side says so (None)."""
    info = infos[row.cell, row.metric]
    record: dict[str, Value] = {n: getattr(row, n) for n in MetricRow.__dataclass_fields__}
    for name in ("judge", "judged_by", "opponent", "template", "same_family", "kappa", "kappa_n"):
        record[name] = getattr(info, name)
    if info.neutral:
        record["higher_is_better"] = None
    return record
