"""Charts of cells with a number in each: confusion matrices, heat maps over two settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.chart_grammar import (
    WIDEST,
    Axes,
    Cell,
    Chart,
    Table,
    chart,
    counted,
    dataset,
    drawn,
    equal,
    finite,
    in_order,
    listed,
    nothing,
)
from harness.leaderboard.chart_theme import FLIP
from harness.results.render import number, visible

LARGEST, SMALLEST = 40, 6  # px, the side of a cell
ROOM_FOR_NUMBERS = 22  # px of a cell that may hold a count
LETTER = 6.5  # px
LABELS = 160  # px beside the panels for the classes' names


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """How many samples of class ``truth`` the model answered with ``answer``."""

    model: str
    truth: str
    answer: str
    count: int


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A value at two settings; texts stand in the order given, numbers in their own."""

    x: str | float
    y: str | float
    value: float | None


def confusion(
    name: str,
    title: str,
    rows: Sequence[ConfusionRow],
    models: Sequence[str] = (),
    panel: str = "model",
) -> Chart:
    """One matrix a model: truth in rows, answers in columns, colour the share of its row.

    ``panel`` is what a matrix stands for, if it is no model: a variant, say.

    Classes stand in the order in which they first are a truth, then what was only answered.
    Counts of the same cell are added.
    """
    columns = (panel, "truth", "answer", "count", "share of the row")
    if not any(row.count for row in rows):
        return nothing(name, title, columns)
    shown = drawn([row.model for row in rows], in_order((row.model for row in rows), models))
    truths = in_order(row.truth for row in rows)
    answers = in_order((row.answer for row in rows), truths)
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (visible(row.model), visible(row.truth), visible(row.answer))
        counts[key] = counts.get(key, 0) + row.count
    values: list[dict[str, Cell]] = []
    for place, model in enumerate(shown):
        for truth in truths:
            line = [counts.get((model, truth, answer), 0) for answer in answers]
            for answer, count in zip(answers, line, strict=True):
                share = count / sum(line) if sum(line) else 0.0
                values.append(
                    {
                        "model": model,
                        "truth": truth,
                        "answer": answer,
                        "count": count,
                        "share": share,
                        "place": place,
                        "ink": _ink(share),
                        "text": f"{count} ({share:.0%})",
                    }
                )
    keys = ("model", "truth", "answer", "count", "share")
    table = Table(columns, tuple(tuple(row[key] for key in keys) for row in values), values)
    drawing = _confusion(table, len(shown), len(answers))
    return chart(name, title, _confusion_alt(counts, shown, panel), table, drawing)


def _ink(shade: float) -> str:
    return "high" if shade >= FLIP else "low"


def _confusion_alt(
    counts: Mapping[tuple[str, str, str], int], shown: Sequence[str], panel: str
) -> str:
    said = []
    for model in shown:
        own = {cell[1:]: count for cell, count in counts.items() if cell[0] == model}
        right = sum(count for (truth, answer), count in own.items() if truth == answer)
        wrong = {cell: count for cell, count in own.items() if cell[0] != cell[1] and count}
        text = f"{model}: {right} of {sum(own.values())} right"
        if wrong:
            truth, answer = max(wrong, key=lambda cell: wrong[cell])
            text += f", most often wrong: {truth} taken for {answer} ({wrong[truth, answer]})"
        said.append(text)
    return f"Confusion matrices of {counted(len(shown), panel)}. {listed(said)}."


def _confusion(table: Table, panels: int, classes: int) -> Any:
    import altair as alt

    in_a_line = max(1, min(panels, 3, (WIDEST - LABELS) // (classes * ROOM_FOR_NUMBERS)))
    side = max(SMALLEST, min(LARGEST, (WIDEST - LABELS) // (classes * in_a_line)))
    longest = max(len(str(row["answer"])) for row in table.values)
    angle = 0 if LETTER * longest < side else -45
    x = alt.X(
        "answer:N", sort=None, axis=alt.Axis(title="answer", labelAngle=angle, orient="bottom")
    )
    y = alt.Y("truth:N", sort=None, axis=alt.Axis(title="truth"))
    base = alt.Chart()
    cell = base.mark_rect().encode(
        x=x,
        y=y,
        color=alt.Color(
            "share:Q",
            scale=alt.Scale(domain=[0, 1], range="heatmap"),
            legend=_ramp("share of the row", ".0%"),
        ),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("model", "truth", "answer", "text")],
    )
    marks = [cell]
    if side >= ROOM_FOR_NUMBERS:
        marks += _numbers(base, x, y, "count:N")
    panel = alt.layer(*marks).properties(width=alt.Step(side), height=alt.Step(side))
    facet = alt.Facet(
        "model:N", sort=alt.EncodingSortField("place", op="min"), header=alt.Header(title=None)
    )
    return panel.facet(facet, columns=in_a_line, data=dataset(), spacing=16)


def _ramp(title: str, form: str) -> Any:
    import altair as alt

    return alt.Legend(title=title, gradientLength=140, gradientThickness=10, format=form)


def _numbers(base: Any, x: Any, y: Any, text: str) -> list[Any]:
    # two layers: which ink can be read on which shade is the theme's business
    return [
        base.transform_filter(equal("ink", ink))
        .mark_text(style=f"on-{ink}", baseline="middle")
        .encode(x=x, y=y, text=text)
        for ink in ("low", "high")
    ]


# --------------------------------------------------------------------------- heat map


def heat_map(name: str, title: str, rows: Sequence[HeatRow], axes: Axes) -> Chart:
    """A value (``axes.z``) over two settings (``axes.x``, ``axes.y``), its number in its cell."""
    columns = (axes.x, axes.y, axes.z)
    known = [value for row in rows if (value := finite(row.value)) is not None]
    if not known:
        return nothing(name, title, columns)
    least, most = min(known), max(known)
    places = {(_word(row.x), _word(row.y)): row for row in rows}
    values: list[dict[str, Cell]] = []
    for y in _settings([row.y for row in rows]):
        for x in _settings([row.x for row in rows]):
            value = finite(places[x, y].value) if (x, y) in places else None
            shade = _share(value, least, most)
            values.append(
                {"x": x, "y": y, "value": value, "ink": _ink(shade), "text": number(value)}
            )
    keys = ("x", "y", "value")
    table = Table(columns, tuple(tuple(row[key] for key in keys) for row in values), values)
    return chart(name, title, _heat_alt(values, axes), table, _heat(table, axes, (least, most)))


def _share(value: float | None, least: float, most: float) -> float:
    span = most / 2 - least / 2
    return 0.0 if value is None or span == 0 else (value / 2 - least / 2) / span


def _word(setting: str | float) -> str:
    return visible(setting) if isinstance(setting, str) else f"{setting:g}"


def _settings(found: Sequence[str | float]) -> list[str]:
    numbers = [setting for setting in found if not isinstance(setting, str)]
    ordered = sorted(numbers) if len(numbers) == len(found) else found
    return list(dict.fromkeys(map(_word, ordered)))


def _heat_alt(values: Sequence[dict[str, Cell]], axes: Axes) -> str:
    known = [row for row in values if row["value"] is not None]
    best = max(known, key=lambda row: float(row["value"] or 0))
    worst = min(known, key=lambda row: float(row["value"] or 0))

    def place(row: Mapping[str, Cell]) -> str:
        return f"{row['text']} at {axes.x} {row['x']}, {axes.y} {row['y']}"

    return (
        f"{axes.z} over {axes.x} and {axes.y} in "
        f"{counted(len(known), 'cell')}: highest {place(best)}; lowest {place(worst)}."
    )


def _heat(table: Table, axes: Axes, ends: tuple[float, float]) -> Any:
    import altair as alt

    settings = {str(row["x"]) for row in table.values}
    across, longest = len(settings), max(map(len, settings))
    side = max(38, min(64, (WIDEST - LABELS) // across))
    x = alt.X(
        "x:N",
        sort=None,
        axis=alt.Axis(title=axes.x, labelAngle=0 if LETTER * longest < side else -45),
    )
    y = alt.Y("y:N", sort=None, axis=alt.Axis(title=axes.y))
    # a single value has no span: it is drawn at the low end
    domain = list(ends) if ends[0] < ends[1] else [ends[0], ends[0] + 1]
    base = alt.Chart()
    cell = (
        base.transform_filter(alt.FieldValidPredicate(field="value", valid=True))
        .mark_rect()
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "value:Q",
                scale=alt.Scale(domain=domain, range="heatmap"),
                legend=_ramp(axes.z, "~g"),
            ),
            tooltip=[alt.Tooltip("x:N"), alt.Tooltip("y:N"), alt.Tooltip("text:N", title="value")],
        )
    )
    numbers = _numbers(base, x, y, "text:N")
    return alt.layer(*numbers[:1], cell, *numbers, data=dataset()).properties(
        width=alt.Step(side), height=alt.Step(30)
    )
