"""Bars of parts that follow one another: where the time of an answer goes, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.chart_grammar import (
    Axes,
    Cell,
    Chart,
    Table,
    chart,
    counted,
    drawn,
    finite,
    in_order,
    layers,
    lines_of,
    listed,
    model_colour,
    nothing,
    present,
)
from harness.results.render import number, visible

STACKED = Axes("milliseconds, mean", "answers of")


@dataclass(frozen=True, slots=True)
class StackRow:
    """How long one stage of a bar takes on average (``mean``) and in the middle (``p50``)."""

    bar: str
    stage: str
    mean: float
    p50: float | None = None


def stacked_bars(
    name: str,
    title: str,
    rows: Sequence[StackRow],
    totals: Sequence[tuple[str, float]] = (),
    axes: Axes = STACKED,
    order: Sequence[str] = (),
) -> Chart:
    """One bar a line, its stages in their ``order``, each from where the last one ends.

    ``totals`` are marked with a tick: what the whole took as it was measured, which is less than
    all stages together where some run beside one another. Means are stacked, since medians do not
    add up; the table has both.
    """
    columns = (axes.y, "stage", "mean", "p50", "share")
    rows = [row for row in rows if (finite(row.mean) or 0) > 0]
    if not rows:
        return nothing(name, title, columns)
    bars = in_order(row.bar for row in rows)
    stages = drawn([row.stage for row in rows], in_order((row.stage for row in rows), order))
    whole = {visible(bar): value for bar, value in totals if finite(value) is not None}
    values: list[dict[str, Cell]] = []
    for bar in bars:
        own = sorted(
            (row for row in rows if visible(row.bar) == bar),
            key=lambda row: stages.index(visible(row.stage)),
        )
        together, start = sum(row.mean for row in own), 0.0
        for row in own:
            values.append(
                {
                    "bar": bar,
                    "stage": visible(row.stage),
                    "mean": row.mean,
                    "p50": finite(row.p50),
                    "share": round(row.mean / together, 4),
                    "start": start,
                    "end": start + row.mean,
                    "total": whole.get(bar) if start == 0 else None,
                    "text": f"{number(row.mean)} ms ({row.mean / together:.0%})",
                }
            )
            start += row.mean
    keys = ("bar", "stage", "mean", "p50", "share")
    table = Table(columns, tuple(tuple(row[key] for key in keys) for row in values), values)
    return chart(name, title, _alt(values, bars), table, _drawing(table, stages, axes))


def _alt(values: Sequence[dict[str, Cell]], bars: Sequence[str]) -> str:
    said = []
    for bar in bars:
        own = [row for row in values if row["bar"] == bar]
        most = max(own, key=lambda row: float(row["mean"] or 0))
        said.append(f"{bar}: most in {most['stage']}, {most['text']}")
    return f"Mean milliseconds by stage of {counted(len(bars), 'bar')}. {listed(said)}."


def _drawing(table: Table, stages: Sequence[str], axes: Axes) -> Any:
    import altair as alt

    y = lines_of("bar")
    base = alt.Chart()
    # ends are numbers of the data: stacked by vega-lite, stages would stand in its expressions
    bar = base.mark_bar().encode(
        y=y,
        x=alt.X("start:Q", scale=alt.Scale(zero=True, nice=True), title=axes.x),
        x2="end:Q",
        color=model_colour(stages, stages, "stage", least=1),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("bar", "stage", "text")],
    )
    if not any(row["total"] is not None for row in table.values):
        return layers(bar, height=alt.Step(24))
    tick = (
        base.transform_filter(present("total"))
        .mark_tick(style="front-mark", thickness=2, size=20)
        .encode(y=y, x="total:Q", tooltip=[alt.Tooltip("total:Q", title="whole answer")])
    )
    return layers(bar, tick, height=alt.Step(24))
