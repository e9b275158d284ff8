"""The history page: every cell of every run, checkpoints by step, with what the gates say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.leaderboard.charts import Axes, Chart, HistoryRow, history
from harness.leaderboard.columns import Standings, model_href, task_href
from harness.leaderboard.gather import Bench, BoardCell
from harness.leaderboard.names import column_id
from harness.leaderboard.rulings import Gated, Key
from harness.leaderboard.scripts import real
from harness.leaderboard.views import Column, History, HistoryPoint, Link, TextTable
from harness.results.answers import task_label
from harness.results.render import interval, number
from harness.results.stats import Interval

CHECKPOINT = re.compile(r"(.+)-checkpoint-(\d+)")
MOST_ROWS = 500
"""Lines of the table that is read without scripts: the newest."""


def history_view(standings: Standings, rulings: Mapping[Key, Gated]) -> History:
    """The past of every column that is shown today."""
    columns = [one.column for one in standings.all if not one.info.criterion]
    known = {column.id: column for column in columns}
    benches = {(one.task, one.variant): one for one in standings.board.benches}
    points = [
        point
        for cell in standings.board.past
        for point in _points(cell, benches[cell.place[:2]], rulings)
        if point.column in known
    ]
    points.sort(key=lambda one: (one.column, one.series, one.step or 0, one.when))
    primary = {column.id for column in columns if column.primary}
    shown = [one for one in points if one.column in primary]
    shown = sorted(shown, key=lambda one: one.when, reverse=True)[:MOST_ROWS]
    return History(
        columns=tuple(columns),
        points=tuple(points),
        charts=tuple(_charts(columns, points)),
        table=_table(shown, known),
    )


def series_of(model: str) -> tuple[str, int | None]:
    """The training that a checkpoint is of, and its step; else the model itself."""
    found = CHECKPOINT.fullmatch(model)
    return (found[1], int(found[2])) if found else (model, None)


def _points(cell: BoardCell, bench: Bench, rulings: Mapping[Key, Gated]) -> list[HistoryPoint]:
    task, variant, model = cell.place
    series, step = series_of(model)
    whole = bench.newest.record.samples
    if bench.is_profile(cell):
        series = f"{series}, profile"
    elif bench.is_partial(cell):  # a few samples are no point of the whole's line
        series = f"{series}, {cell.record.samples} of {whole} samples"
    gated = rulings.get((cell.run.run_id, model, task))
    return [
        HistoryPoint(
            series=series,
            model=model,
            column=column_id(task, variant, name),
            run=cell.run.run_id,
            when=cell.run.manifest.started,
            step=step,
            value=real(row.value),
            low=row.low,
            high=row.high,
            n=row.n,
            outcome=None if gated is None else gated.outcome,
            reasons=() if gated is None else gated.reasons,
        )
        for name, row in cell.metrics.items()
    ]


def _charts(columns: Sequence[Column], points: Sequence[HistoryPoint]) -> list[Chart]:
    """The series of a first metric with the most points; the page draws the others."""
    counts: dict[tuple[str, str], int] = {}
    primary = {column.id: column for column in columns if column.primary}
    for point in points:
        if point.column in primary and point.value is not None:
            key = (point.column, point.series)
            counts[key] = counts.get(key, 0) + 1
    if not counts:
        return []
    column, series = max(counts, key=lambda key: counts[key])
    own = [p for p in points if (p.column, p.series) == (column, series)]
    steps = all(point.step is not None for point in own)
    rows = [
        HistoryRow(
            float(p.step) if steps and p.step is not None else p.when,
            p.model if steps else p.run,
            p.value,
            p.low,
            p.high,
            p.outcome,
        )
        for p in own
    ]
    head = primary[column]
    axes = Axes("step" if steps else "time", f"{head.task_label}: {head.label}")
    return [history("history", f"{series} over {'steps' if steps else 'time'}", rows, axes)]


def _table(points: Sequence[HistoryPoint], columns: Mapping[str, Column]) -> TextTable:
    rows = []
    for one in points:
        column = columns[one.column]
        where = Link(task_label(column.task, column.variant), task_href(column.task))
        span = Interval(one.low, one.high, "")
        words = (number(one.value), interval(span) if span.known else "", str(one.n))
        model = Link(one.model, model_href(one.model))
        rows.append(
            (
                one.when[:16].replace("T", " "),
                model,
                where,
                column.metric,
                *words,
                one.outcome or "-",
            )
        )
    heads = ("UTC", "model", "task", "metric", "value", "95 % interval", "n", "gate")
    return TextTable("Runs, newest first", heads, tuple(rows), "lllllrrl")
