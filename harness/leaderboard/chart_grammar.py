"""What all charts are made of: the record of a chart, its one dataset, the scales of models.

Names, classes and labels come from outside and may hold anything. They enter a spec as values: in
the dataset, in the domain of a scale, among the values of a legend. Fields have fixed names, and no
expression is made of text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.results.render import number, visible

if TYPE_CHECKING:
    import altair as alt

Cell = str | float | int | None

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
DATASET = "rows"
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES: tuple[tuple[int, ...], ...] = (
    (1, 0),
    (6, 3),
    (2, 2),
    (8, 3, 2, 3),
    (10, 4),
    (1, 3),
    (4, 1),
)
WIDEST = 640  # px of anything with a fixed size
LEGEND_WIDTH = 240  # px: what the names of lines leave on a phone or in a column of a paper
NOTHING = "nothing to draw"
MOST_TICKS = 7
FAR_APART = 30  # the ratio of largest to smallest from which an axis is logarithmic


@dataclass(frozen=True)
class Chart:
    """A drawing, what it says in words, and the table of exactly what is drawn.

    ``name`` is file-safe and unique among the charts of a page. ``alt`` is one to three plain
    sentences with the numbers that matter. ``spec`` is Vega-Lite without a ``config`` (see
    ``chart_theme.theme``); its data are one dataset ``{"name": "rows", "values": [...]}`` at the
    top, so that a page draws other data by replacing ``spec.data.values``. Its width is
    "container" unless it is a grid of cells, and nothing in it is wider than 640 px.
    """

    name: str
    title: str
    alt: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Axes:
    """What the axes say (``z``: what a heat map's colour says); plain text, units included."""

    x: str = ""
    y: str = ""
    z: str = "value"

    def __post_init__(self) -> None:
        for field in ("x", "y", "z"):
            object.__setattr__(self, field, visible(getattr(self, field)))


@dataclass(frozen=True)
class Table:
    """Columns and rows for people, and the records of the same rows for the drawing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    values: list[dict[str, Cell]]


def chart(name: str, title: str, alt_text: str, table: Table, drawing: Any) -> Chart:
    """The chart of an altair drawing of ``dataset()``, with the table's values put in."""
    spec = drawing.to_dict()
    # after the validation of the drawing, which takes its time with each value
    spec["data"]["values"] = table.values
    # the theme is the page's or the paper's, and a version of altair must not show in the bytes
    for key in ("config", "usermeta"):
        spec.pop(key, None)
    spec["$schema"] = SCHEMA
    spec["description"] = alt_text
    # through JSON: nothing of altair or of the caller stays in the spec
    plain = json.loads(json.dumps(spec, ensure_ascii=True, allow_nan=False))
    return Chart(name, title, alt_text, table.columns, table.rows, plain)


def nothing(name: str, title: str, columns: tuple[str, ...]) -> Chart:
    """The chart of no data: a valid spec that says so."""
    import altair as alt

    empty = Table(columns, (), [{"text": NOTHING}])
    drawing = (
        alt.Chart(dataset())
        .mark_text(style="aside")
        .encode(text=alt.Text("text:N"))
        .properties(width="container", height=40)
    )
    return chart(name, title, f"There is {NOTHING}: no data.", empty, drawing)


def dataset() -> alt.InlineData:
    """The one dataset of a spec, still without values."""
    import altair as alt

    return alt.InlineData(values=[], name=DATASET)


def layers(*marks: Any, height: Any) -> Any:
    """Layers over the one dataset, as wide as what holds them."""
    import altair as alt

    return alt.layer(*marks, data=dataset()).properties(
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )


# --------------------------------------------------------------------------- values


def finite(value: float | None) -> float | None:
    """The number, or None if it is none: JSON and axes have no infinity."""
    return value if value is not None and math.isfinite(value) else None


def bounds(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Both ends of an interval, or none: half an interval is not drawn."""
    low, high = finite(low), finite(high)
    return (low, high) if low is not None and high is not None else (None, None)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """``0.810 [0.780, 0.840]``, as in the tables of the command line."""
    shown = number(value)
    return shown if low is None or high is None else f"{shown} [{number(low)}, {number(high)}]"


def distinct(labels: Iterable[str]) -> list[str]:
    """Visible labels, a number behind each that was there before: two rows never share a line."""
    used: set[str] = set()
    found = []
    for label in map(visible, labels):
        unique, count = label, 1
        while unique in used:
            count += 1
            unique = f"{label} ({count})"
        used.add(unique)
        found.append(unique)
    return found


def in_order(names: Iterable[str], first: Sequence[str] = ()) -> list[str]:
    """Each visible name once: those of ``first``, in its order, then the others as they come."""
    return list(dict.fromkeys([*map(visible, first), *map(visible, names)]))


def drawn(models: Sequence[str], order: Sequence[str]) -> list[str]:
    """The models that occur, in the page's order."""
    occur = set(map(visible, models))
    return [model for model in order if model in occur]


def listed(parts: Sequence[str], most: int = 3) -> str:
    """The first parts, and how many more there are."""
    more = len(parts) - most
    return "; ".join([*parts[:most], *([f"{more} more in the table"] if more > 0 else [])])


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 model``, ``2 models``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


# --------------------------------------------------------------------------- scales and axes


def present(field: str) -> Any:
    """A filter for rows that have a number in the field; no expression."""
    import altair as alt

    return alt.FieldValidPredicate(field=field, valid=True)


def equal(field: str, value: str | bool) -> Any:
    """A filter for rows with this value; no expression."""
    import altair as alt

    return alt.FieldEqualPredicate(field=field, equal=value)


def model_colour(
    order: Sequence[str], shown: Sequence[str], field: str = "model", least: int = 2
) -> alt.Color:
    """A model's colour by its place on the page; the legend has only those that are shown."""
    import altair as alt

    return alt.Color(
        f"{field}:N",
        scale=alt.Scale(domain=list(order), range="category"),
        legend=names_legend(shown, least),
    )


def model_shape(
    order: Sequence[str], shown: Sequence[str], field: str = "model", least: int = 2
) -> alt.Shape:
    """A model's shape: seven shapes over eight colours tell 56 models apart."""
    import altair as alt

    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(order))]
    return alt.Shape(
        f"{field}:N",
        scale=alt.Scale(domain=list(order), range=shapes),
        legend=names_legend(shown, least),
    )


def model_dash(order: Sequence[str], shown: Sequence[str]) -> alt.StrokeDash:
    """A model's dash: the first eight are solid, the next eight share another one."""
    import altair as alt

    dashes = [list(DASHES[i // 8 % len(DASHES)]) for i in range(len(order))]
    return alt.StrokeDash(
        "model:N", scale=alt.Scale(domain=list(order), range=dashes), legend=names_legend(shown)
    )


def names_legend(shown: Sequence[str], least: int = 2) -> alt.Legend | None:
    """A legend in as many columns as a phone has room for; none for fewer than ``least`` names."""
    import altair as alt

    if len(shown) < least:
        return None
    longest = min(max(map(len, shown)), 34)
    columns = max(1, min(len(shown), int(LEGEND_WIDTH / (6.2 * longest + 34))))
    return alt.Legend(title=None, values=list(shown), columns=columns, symbolLimit=0)


def kind_scales(kinds: Sequence[str], shapes: Sequence[str], shown: Sequence[str]) -> Any:
    """Colour and shape of a verdict: the same legend says both."""
    import altair as alt

    legend = names_legend(shown, least=1)
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=list(kinds), range="ordinal"), legend=legend
    )
    shape = alt.Shape(
        "kind:N", scale=alt.Scale(domain=list(kinds), range=list(shapes)), legend=legend
    )
    return colour, shape


def far_apart(values: Sequence[float]) -> bool:
    """Whether an axis of these values is logarithmic: positive and far from one another."""
    return min(values) > 0 and max(values) / min(values) >= FAR_APART


def number_axis(values: Sequence[float], title: str, *, zero: bool = False) -> dict[str, Any]:
    """Scale and axis of a horizontal channel; logarithmic where values lie far apart.

    The ticks of a logarithmic axis (1, 2, 5, 10, ...) are those of these values.
    """
    import altair as alt

    if not far_apart(values):
        scale = alt.Scale(zero=zero, nice=zero, padding=0 if zero else 10)
        return {"scale": scale, "title": title}
    scale = alt.Scale(type="log", nice=False, padding=10)
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in ticks if min(values) <= tick <= max(values)]
        if len(ticks) <= MOST_TICKS:
            break
    return {"scale": scale, "title": title, "axis": alt.Axis(values=ticks, format="~g")}


def lines_of(field: str, title: str | None = None) -> alt.Y:
    """A vertical axis with one line a row, in the order of the data."""
    import altair as alt

    return alt.Y(f"{field}:N", sort=None, axis=alt.Axis(title=title, labelPadding=6))
