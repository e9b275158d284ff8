"""Charts of lines: a metric over a numeric setting, and the losses of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.chart_grammar import (
    MOST_TICKS,
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
    listed,
    model_colour,
    model_dash,
    model_shape,
    names_legend,
    nothing,
    number_axis,
    present,
    with_interval,
)
from harness.results.render import number, visible

POINTS = 30  # of a line, drawn one by one
SPLITS = ("train", "validation")
LOSS = Axes("optimizer step", "loss (nats per token)")


@dataclass(frozen=True, slots=True)
class CurveRow:
    """A model's metric at one value of a numeric setting (fps, frames, degradation level)."""

    model: str
    x: float
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Losses at an optimizer step; what was not measured there is None."""

    step: int
    train: float | None
    validation: float | None


def curve(
    name: str,
    title: str,
    rows: Sequence[CurveRow],
    axes: Axes,
    models: Sequence[str] = (),
    line: str = "model",
) -> Chart:
    """One line a model over a setting, with points and bands; a missing value breaks no line.

    ``line`` is what a line stands for, if it is no model: a kind of degradation, say.
    """
    columns = (line, axes.x, axes.y, "low", "high")
    rows = [row for row in rows if finite(row.value) is not None and finite(row.x) is not None]
    if not rows:
        return nothing(name, title, columns)
    order = in_order((row.model for row in rows), models)
    shown = drawn([row.model for row in rows], order)
    values: list[dict[str, Cell]] = []
    for row in sorted(rows, key=lambda row: (shown.index(visible(row.model)), row.x)):
        low, high = bounds(row.low, row.high)
        values.append(
            {
                "model": visible(row.model),
                "x": row.x,
                "value": row.value,
                "low": low,
                "high": high,
                "text": with_interval(row.value, low, high),
            }
        )
    keys = ("model", "x", "value", "low", "high")
    table = Table(columns, tuple(tuple(row[key] for key in keys) for row in values), values)
    text = _curve_alt(values, shown, axes, line)
    return chart(name, title, text, table, _curve(table, order, shown, axes))


def _curve_alt(
    values: Sequence[dict[str, Cell]], shown: Sequence[str], axes: Axes, line: str
) -> str:
    said = []
    for model in shown:
        own = [row for row in values if row["model"] == model]
        said.append(
            f"{model}: {own[0]['text']} at {own[0]['x']:g}"
            + (f", {own[-1]['text']} at {own[-1]['x']:g}" if len(own) > 1 else "")
        )
    return f"{axes.y} over {axes.x} for {counted(len(shown), line)}. {listed(said)}."


def _curve(table: Table, order: Sequence[str], shown: Sequence[str], axes: Axes) -> Any:
    import altair as alt

    places = sorted({float(row["x"] or 0) for row in table.values})
    along = number_axis(places, axes.x)
    if len(places) <= MOST_TICKS + 1:
        along["axis"] = alt.Axis(values=places)
    x = alt.X("x:Q", **along)
    y = alt.Y("value:Q", scale=alt.Scale(zero=False, nice=True), title=axes.y)
    colour, shape = model_colour(order, shown), model_shape(order, shown)
    base = alt.Chart()
    line = base.mark_line(strokeWidth=2).encode(
        x=x, y=y, color=colour, strokeDash=model_dash(order, shown)
    )
    bounded = base.transform_filter(present("low"))
    between = {"x": x, "y": alt.Y("low:Q"), "y2": "high:Q", "color": colour}
    # a band needs a line: lone points have whiskers
    lonely = len(table.values) == len(shown)
    interval = (
        bounded.mark_rule(style="whisker").encode(**between)
        if lonely
        else bounded.mark_area(opacity=0.16).encode(**between)
    )
    point = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip("model:N"), alt.Tooltip("x:Q"), alt.Tooltip("text:N")],
    )
    return layers(interval, line, point, height=240)


# --------------------------------------------------------------------------- training


def training_curve(
    name: str,
    title: str,
    rows: Sequence[TrainingRow],
    axes: Axes = LOSS,
) -> Chart:
    """Train and validation loss over optimizer steps."""
    columns = (axes.x, "split", axes.y)
    values: list[dict[str, Cell]] = [
        {"step": row.step, "split": split, "loss": loss}
        for row in sorted(rows, key=lambda row: row.step)
        for split, loss in zip(SPLITS, (finite(row.train), finite(row.validation)), strict=True)
        if loss is not None
    ]
    if not values:
        return nothing(name, title, columns)
    table = Table(columns, tuple(tuple(row.values()) for row in values), values)
    return chart(name, title, _training_alt(values), table, _training(table, axes))


def _training_alt(values: Sequence[dict[str, Cell]]) -> str:
    said = []
    for split in SPLITS:
        own = [row for row in values if row["split"] == split]
        if own:
            first, last, least = own[0], own[-1], min(own, key=lambda row: float(row["loss"] or 0))
            said.append(
                f"The {split} loss goes from {_loss(first)} at step {first['step']} to "
                f"{_loss(last)} at step {last['step']}, its lowest is {_loss(least)} at step "
                f"{least['step']}."
            )
    return " ".join(said)


def _loss(row: dict[str, Cell]) -> str:
    return number(float(row["loss"] or 0))


def _training(table: Table, axes: Axes) -> Any:
    import altair as alt

    shown = [split for split in SPLITS if any(row["split"] == split for row in table.values)]
    x = alt.X("step:Q", scale=alt.Scale(zero=False, nice=False, padding=10), title=axes.x)
    y = alt.Y("loss:Q", scale=alt.Scale(zero=False, nice=True), title=axes.y)
    colour = model_colour(SPLITS, shown, "split")
    base = alt.Chart()
    line = base.mark_line(strokeWidth=2).encode(
        x=x,
        y=y,
        color=colour,
        strokeDash=alt.StrokeDash(
            "split:N",
            scale=alt.Scale(domain=list(SPLITS), range=[[1, 0], [6, 3]]),
            legend=names_legend(shown),
        ),
    )
    # of a dense line points say nothing
    few = [split for split in shown if _count(table, split) <= POINTS]
    sparse = base.transform_filter(alt.FieldOneOfPredicate(field="split", oneOf=few))
    point = sparse.mark_point(filled=True, size=40, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=model_shape(SPLITS, shown, "split"),
        tooltip=[alt.Tooltip("step:Q"), alt.Tooltip("split:N"), alt.Tooltip("loss:Q")],
    )
    return layers(line, point, height=220)


def _count(table: Table, split: str) -> int:
    return sum(row["split"] == split for row in table.values)
