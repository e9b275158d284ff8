"""Charts with one group of marks a line: bars by class and model, latency by stage and model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.chart_grammar import (
    Axes,
    Cell,
    Chart,
    Table,
    bounds,
    chart,
    counted,
    drawn,
    finite,
    in_order,
    layers,
    lines_of,
    listed,
    model_colour,
    model_shape,
    nothing,
    number_axis,
    present,
    with_interval,
)
from harness.results.render import number, visible

BARS = Axes("accuracy", "class")
LATENCY = Axes("milliseconds")


@dataclass(frozen=True, slots=True)
class BarRow:
    """A value of one model in one group: accuracy in a class, a judge's mean for a criterion."""

    group: str
    model: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """Percentiles of the time that a model spends in a stage, in one unit for all rows."""

    model: str
    stage: str
    p50: float
    p95: float
    p99: float


def grouped_bars(
    name: str,
    title: str,
    rows: Sequence[BarRow],
    axes: Axes = BARS,
    models: Sequence[str] = (),
) -> Chart:
    """Bars by group (a line, titled ``axes.y``) and model (a colour), from zero, with whiskers.

    Groups stand in the order of the rows, models in the page's (``models``). A value that is
    missing has no bar and no number.
    """
    columns = (axes.y, "model", axes.x, "low", "high")
    if not any(finite(row.value) is not None for row in rows):
        return nothing(name, title, columns)
    order = in_order((row.model for row in rows), models)
    shown = drawn([row.model for row in rows], order)
    found = {(visible(row.group), visible(row.model)): row for row in rows}
    values: list[dict[str, Cell]] = []
    for group in in_order(row.group for row in rows):
        # every model in every group, so that the bars stand in the same order everywhere
        for place, model in enumerate(shown):
            row = found.get((group, model))
            value = finite(row.value) if row else None
            low, high = bounds(row.low, row.high) if row and value is not None else (None, None)
            values.append(
                {
                    "group": group,
                    "model": model,
                    "place": place,
                    "value": value,
                    "low": low,
                    "high": high,
                    "text": with_interval(value, low, high),
                }
            )
    keys = ("group", "model", "value", "low", "high")
    table = Table(columns, tuple(tuple(row[key] for key in keys) for row in values), values)
    text = _bars_alt(values, shown, axes)
    return chart(name, title, text, table, _bars(table, order, shown, axes))


def _bars_alt(values: Sequence[dict[str, Cell]], shown: Sequence[str], axes: Axes) -> str:
    said = []
    for model in shown:
        own = [row for row in values if row["model"] == model and row["value"] is not None]
        if not own:
            said.append(f"{model}: no value")
            continue
        best = max(own, key=lambda row: float(row["value"] or 0))
        worst = min(own, key=lambda row: float(row["value"] or 0))
        said.append(
            f"{model}: highest {number(_number(best['value']))} ({best['group']}), "
            f"lowest {number(_number(worst['value']))} ({worst['group']})"
        )
    groups = len({row["group"] for row in values})
    return (
        f"{axes.x} by {axes.y} ({counted(groups, 'group')}) for {counted(len(shown), 'model')}. "
        f"{listed(said)}."
    )


def _number(cell: Cell) -> float | None:
    return None if cell is None else float(cell)


def _bars(table: Table, order: Sequence[str], shown: Sequence[str], axes: Axes) -> Any:
    import altair as alt

    # sorted by a field and not stacked: vega-lite would write names of models into expressions
    y, offset = lines_of("group"), alt.YOffset("place:O", sort="ascending")
    colour = model_colour(order, shown)
    base = alt.Chart()
    repeats = len(order) > 8  # colours do: thin bars, with a shape at the end that tells which
    bar = (base.mark_bar(size=2) if repeats else base.mark_bar()).encode(
        y=y,
        yOffset=offset,
        x=alt.X("value:Q", stack=None, scale=alt.Scale(zero=True, nice=True), title=axes.x),
        color=colour,
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("model", "group", "text")],
    )
    whisker = (
        base.transform_filter(present("low"))
        .mark_rule(style="bar-whisker")
        .encode(y=y, yOffset=offset, x=alt.X("low:Q"), x2="high:Q")
    )
    marks = [bar, whisker]
    if repeats:
        shape = model_shape(order, shown)
        ends = base.transform_filter(present("value"))
        end = ends.mark_point(filled=True, size=50, opacity=1)
        marks.append(end.encode(y=y, yOffset=offset, x="value:Q", color=colour, shape=shape))
    return layers(*marks, height=_step(len(shown)))


def _step(models: int) -> Any:
    import altair as alt

    return alt.Step(22) if models == 1 else alt.Step(10 if models > 3 else 12, **{"for": "offset"})


# --------------------------------------------------------------------------- latency


def latency(
    name: str,
    title: str,
    rows: Sequence[LatencyRow],
    axes: Axes = LATENCY,
    models: Sequence[str] = (),
) -> Chart:
    """p50 (point), p95 (tick) and p99 (end of the line) by stage and model."""
    columns = ("stage", "model", "p50", "p95", "p99")
    rows = [row for row in rows if _measured(row)]
    if not rows:
        return nothing(name, title, columns)
    order = in_order((row.model for row in rows), models)
    shown = drawn([row.model for row in rows], order)
    found = {(visible(row.stage), visible(row.model)): row for row in rows}
    values: list[dict[str, Cell]] = []
    for stage in in_order(row.stage for row in rows):
        for place, model in enumerate(shown):
            row = found.get((stage, model))
            p50, p95, p99 = (row.p50, row.p95, row.p99) if row else (None, None, None)
            values.append(
                {
                    "stage": stage,
                    "place": place,
                    "model": model,
                    "p50": p50,
                    "p95": p95,
                    "p99": p99,
                    "text": f"{number(p50)} / {number(p95)} / {number(p99)}",
                }
            )
    table = Table(columns, tuple(tuple(row[key] for key in columns) for row in values), values)
    text = _latency_alt(rows, axes)
    return chart(name, title, text, table, _latency(table, order, shown, axes))


def _measured(row: LatencyRow) -> bool:
    return all(finite(value) is not None for value in (row.p50, row.p95, row.p99))


def _latency_alt(rows: Sequence[LatencyRow], axes: Axes) -> str:
    slowest = sorted(rows, key=lambda row: -row.p95)
    said = [
        f"{visible(row.model)}, {visible(row.stage)}: p50 {number(row.p50)}, "
        f"p95 {number(row.p95)}, p99 {number(row.p99)}"
        for row in slowest
    ]
    models, stages = len({row.model for row in rows}), len({row.stage for row in rows})
    return (
        f"Latency in {axes.x} of {counted(models, 'model')} in "
        f"{counted(stages, 'stage')}, the slowest first. {listed(said)}."
    )


def _latency(table: Table, order: Sequence[str], shown: Sequence[str], axes: Axes) -> Any:
    import altair as alt

    y, offset = lines_of("stage"), alt.YOffset("place:O", sort="ascending")
    colour, shape = model_colour(order, shown), model_shape(order, shown)
    numbers = [_number(row[key]) for row in table.values for key in ("p50", "p95", "p99")]
    known = [value for value in numbers if value is not None]
    title = f"{axes.x} (point p50, tick p95, line to p99)"
    x = alt.X("p50:Q", **number_axis(known, title, zero=True))
    base = alt.Chart().transform_filter(present("p50"))
    whisker = base.mark_rule(style="whisker").encode(
        y=y, yOffset=offset, x=x, x2="p99:Q", color=colour
    )
    tick = base.mark_tick(thickness=2, size=9).encode(
        y=y, yOffset=offset, x=alt.X("p95:Q"), color=colour
    )
    point = base.mark_point(filled=True, size=55, opacity=1).encode(
        y=y,
        yOffset=offset,
        x=x,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("model", "stage", "text")],
    )
    return layers(whisker, tick, point, height=_step(len(shown)))
