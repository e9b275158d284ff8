"""Charts of what was decided: paired differences, and a metric's way over runs and checkpoints."""

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
    distinct,
    finite,
    in_order,
    kind_scales,
    layers,
    listed,
    nothing,
    present,
    with_interval,
)
from harness.results.render import number, visible
from harness.results.rulings import Outcome

# order of the theme's range `ordinal`: good, bad, open, broken, good with a caveat, different
CLAIMS = (
    "better",
    "worse",
    "no difference shown",
    "too few to say",
    "better, content not shown",
    "more or fewer",
)
OPEN = ("no difference shown", "too few to say")
CLAIM_SHAPES = ("triangle-up", "triangle-down", "circle", "cross", "triangle-right", "diamond")
DIFFERENCE = Axes("difference (B - A)")
HISTORY = Axes("step", "value")
OUTCOMES = ("PASS", "FAIL", "INCONCLUSIVE", "ERROR", "no gate")
OUTCOME_SHAPES = ("circle", "triangle-down", "diamond", "cross", "square")


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A paired difference: ``label`` is a metric, or "task: metric"; ``verdict`` the comparison's.

    An interval may be missing (one sample, a metric of no interval).
    """

    label: str
    difference: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A metric of one run or checkpoint.

    ``at`` is a step, or a UTC time as ISO 8601 ("2026-11-29T14:00:00Z"); one kind in all rows.
    """

    at: float | str
    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    outcome: Outcome | None = None


def claim_of(verdict: str) -> str:
    """Which of ``CLAIMS`` the verdict of a comparison is."""
    if verdict in CLAIMS:
        return verdict
    if verdict.startswith(("more", "fewer")):
        return "more or fewer"
    if verdict.startswith(("too few", "no pairs")):
        return "too few to say"
    return "no difference shown"


def forest(name: str, title: str, rows: Sequence[ForestRow], axes: Axes = DIFFERENCE) -> Chart:
    """Paired differences, one a line, with interval, zero line and verdict by colour and shape."""
    columns = ("label", "difference", "low", "high", "verdict")
    rows = [row for row in rows if finite(row.difference) is not None]
    if not rows:
        return nothing(name, title, columns)
    cells: list[tuple[Cell, ...]] = []
    values: list[dict[str, Cell]] = []
    for label, row in zip(distinct(row.label for row in rows), rows, strict=True):
        low, high = bounds(row.low, row.high)
        cells.append((label, row.difference, low, high, visible(row.verdict)))
        values.append(
            {
                "label": label,
                "difference": row.difference,
                "low": low,
                "high": high,
                "verdict": visible(row.verdict),
                "kind": claim_of(row.verdict),
                "text": _signed(row.difference, low, high),
            }
        )
    table = Table(columns, tuple(cells), values)
    return chart(name, title, _forest_alt(values), table, _forest(table, axes))


def _signed(value: float, low: float | None, high: float | None) -> str:
    ends = "" if low is None or high is None else f" [{number(low)}, {number(high)}]"
    return number(value, sign=True) + ends


def _forest_alt(values: Sequence[dict[str, Cell]]) -> str:
    counts = [
        f"{count} {kind}"
        for kind in CLAIMS
        if (count := sum(row["kind"] == kind for row in values))
    ]
    size = {row["label"]: abs(float(row["difference"] or 0)) for row in values}
    # what is claimed first, the largest first
    by_weight = sorted(values, key=lambda r: (r["kind"] in OPEN, -size[r["label"]]))
    said = [f"{row['label']} {row['text']} ({row['verdict']})" for row in by_weight]
    return (
        f"{counted(len(values), 'paired difference')} with intervals: {', '.join(counts)}. "
        f"{listed(said, 4)}."
    )


def _forest(table: Table, axes: Axes) -> Any:
    import altair as alt

    shown = [kind for kind in CLAIMS if any(row["kind"] == kind for row in table.values)]
    colour, shape = kind_scales(CLAIMS, CLAIM_SHAPES, shown)
    y = alt.Y("label:N", sort=None, axis=alt.Axis(title=None, labelPadding=8))
    x = alt.X("difference:Q", scale=alt.Scale(zero=True, nice=True), title=axes.x)
    tooltip = [alt.Tooltip(f"{key}:N") for key in ("label", "text", "verdict")]
    base = alt.Chart()
    zero = base.mark_rule(style="zero").encode(x=alt.datum(0))
    whisker = (
        base.transform_filter(present("low"))
        .mark_rule(style="whisker")
        .encode(y=y, x=alt.X("low:Q"), x2="high:Q", color=colour)
    )
    point = base.mark_point(filled=True, size=80, opacity=1).encode(
        y=y, x=x, color=colour, shape=shape, tooltip=tooltip
    )
    text = base.mark_text(style="label", align="left", dx=14).encode(
        y=y, x=alt.value("width"), text="text:N"
    )
    # the text before the whiskers: the first layer with all rows sets their order
    return layers(zero, text, whisker, point, height=alt.Step(24))


# --------------------------------------------------------------------------- history


def history(name: str, title: str, rows: Sequence[HistoryRow], axes: Axes = HISTORY) -> Chart:
    """A metric over steps or time, each point with its interval and what its gate said."""
    columns = ("run", axes.x, axes.y, "low", "high", "gate")
    times = any(isinstance(row.at, str) for row in rows)
    rows = sorted(
        (row for row in rows if isinstance(row.at, str) == times and _known(row)),
        key=lambda row: (str(row.at) if times else "", 0.0 if times else float(row.at)),
    )
    if not rows:
        return nothing(name, title, columns)
    values: list[dict[str, Cell]] = []
    for row in rows:
        low, high = bounds(row.low, row.high)
        values.append(
            {
                "label": visible(row.label),
                "at": row.at,
                "value": row.value,
                "low": low,
                "high": high,
                "kind": row.outcome or "no gate",
                "text": with_interval(row.value, low, high),
            }
        )
    keys = ("label", "at", "value", "low", "high", "kind")
    table = Table(columns, tuple(tuple(row[key] for key in keys) for row in values), values)
    return chart(name, title, _history_alt(values, axes), table, _history(table, axes, times))


def _known(row: HistoryRow) -> bool:
    at_known = isinstance(row.at, str) or finite(row.at) is not None
    return at_known and finite(row.value) is not None


def _history_alt(values: Sequence[dict[str, Cell]], axes: Axes) -> str:
    first, last = values[0], values[-1]
    kinds = [
        f"{kind} {count}"
        for kind in OUTCOMES
        if (count := sum(row["kind"] == kind for row in values))
    ]
    return (
        f"{axes.y} of {counted(len(values), 'run')}: {first['text']} at first "
        f"({first['label']}), {last['text']} at last ({last['label']}). "
        f"Gates: {', '.join(kinds)}."
    )


def _history(table: Table, axes: Axes, times: bool) -> Any:
    import altair as alt

    shown = in_order(str(row["kind"]) for row in table.values)
    colour, shape = kind_scales(OUTCOMES, OUTCOME_SHAPES, [k for k in OUTCOMES if k in shown])
    # whole dates: of a single run, the default would write the milliseconds alone
    when = alt.Axis(format="%Y-%m-%d %H:%M", labelOverlap="greedy", tickCount=4)
    x = (
        alt.X("at:T", scale=alt.Scale(type="utc", padding=10), title=axes.x, axis=when)
        if times
        else alt.X("at:Q", scale=alt.Scale(zero=False, nice=False, padding=10), title=axes.x)
    )
    y = alt.Y("value:Q", scale=alt.Scale(zero=False, nice=True), title=axes.y)
    base = alt.Chart()
    path = base.mark_line(style="path").encode(x=x, y=y)
    whisker = (
        base.transform_filter(present("low"))
        .mark_rule(style="whisker")
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour)
    )
    point = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("label", "text", "kind")],
    )
    return layers(path, whisker, point, height=240)
