"""The chart of quality against cost, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.leaderboard import pareto
from harness.leaderboard.chart_grammar import (
    Axes,
    Cell,
    Chart,
    Table,
    bounds,
    chart,
    counted,
    drawn,
    equal,
    finite,
    in_order,
    layers,
    listed,
    model_colour,
    model_shape,
    nothing,
    number_axis,
    present,
    with_interval,
)
from harness.leaderboard.chart_names import HEIGHT, LABEL, NO_ROOM, SIDES, Spot, place_names
from harness.results.render import number, visible


@dataclass(frozen=True, slots=True)
class TradeOffRow:
    """A model's quality with its interval, and what it costs (latency, memory, size, money)."""

    model: str
    quality: float
    cost: float
    low: float | None = None
    high: float | None = None


def trade_off(
    name: str,
    title: str,
    rows: Sequence[TradeOffRow],
    axes: Axes,
    models: Sequence[str] = (),
    lower_is_better: bool = False,
) -> Chart:
    """Quality (``axes.y``) against cost (``axes.x``); the front as a step line, its models ringed.

    ``lower_is_better`` is said of the quality. Models whose name finds no room are told by the
    legend alone; those of the front are named first.
    """
    columns = ("model", axes.x, axes.y, "low", "high", "on the front")
    rows = [r for r in rows if finite(r.quality) is not None and finite(r.cost) is not None]
    if not rows:
        return nothing(name, title, columns)
    sign = -1 if lower_is_better else 1
    front = pareto.front([pareto.Point(r.model, sign * r.quality, r.cost) for r in rows])
    order = in_order((row.model for row in rows), models)
    shown = drawn([row.model for row in rows], order)
    spots = [Spot(visible(r.model), r.cost, r.quality, *bounds(r.low, r.high)) for r in rows]
    sides = place_names(spots, front)
    values: list[dict[str, Cell]] = []
    for i, row in sorted(enumerate(rows), key=lambda pair: (pair[1].cost, pair[0])):
        low, high = bounds(row.low, row.high)
        values.append(
            {
                "model": visible(row.model),
                "cost": row.cost,
                "quality": row.quality,
                "low": low,
                "high": high,
                "front": i in front,
                "side": sides[i],
                "text": with_interval(row.quality, low, high),
                "price": number(row.cost),
            }
        )
    keys = ("model", "cost", "quality", "low", "high")
    cells = tuple((*(row[key] for key in keys), "yes" if row["front"] else "no") for row in values)
    table = Table(columns, cells, values)
    text = _alt(values, axes)
    return chart(name, title, text, table, _drawing(table, order, shown, axes))


def _alt(values: Sequence[dict[str, Cell]], axes: Axes) -> str:
    on_front = [
        f"{row['model']} ({row['text']} at {row['price']})" for row in values if row["front"]
    ]
    return (
        f"{axes.y} against {axes.x}: {len(on_front)} of "
        f"{counted(len(values), 'model')} on the Pareto front, cheapest first. "
        f"{listed(on_front, 4)}."
    )


def _drawing(table: Table, order: Sequence[str], shown: Sequence[str], axes: Axes) -> Any:
    import altair as alt

    x = alt.X("cost:Q", **number_axis([float(row["cost"] or 0) for row in table.values], axes.x))
    y = alt.Y("quality:Q", scale=alt.Scale(zero=False, nice=True), title=axes.y)
    nameless = {row["model"] for row in table.values if row["side"] == NO_ROOM}
    told = [model for model in shown if model in nameless]
    colour, shape = model_colour(order, told, least=1), model_shape(order, told, least=1)
    base = alt.Chart()
    on_front = base.transform_filter(equal("front", True))
    step = on_front.mark_line(style="front", interpolate="step-after").encode(x=x, y=y)
    ring = on_front.mark_point(style="front-mark", size=230, shape="circle", opacity=1)
    whisker = base.transform_filter(present("low")).mark_rule(style="whisker", opacity=0.7)
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip("model:N"), alt.Tooltip("text:N"), alt.Tooltip("price:N")],
    )
    marks = [
        step,
        whisker.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour),
        ring.encode(x=x, y=y),
        point,
        *_names(base, x, y),
    ]
    return layers(*marks, height=HEIGHT)


def _names(base: Any, x: Any, y: Any) -> list[Any]:
    return [
        base.transform_filter(equal("side", side))
        .mark_text(
            style="label",
            limit=LABEL,
            align="left" if across > 0 else "right",
            baseline="middle",
            dx=across,
            dy=down,
        )
        .encode(x=x, y=y, text="model:N")
        for side, (across, down) in SIDES.items()
    ]
