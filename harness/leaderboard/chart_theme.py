"""How every chart looks: colours that colour-blind people can tell apart, fonts, two grounds.

A spec never names a colour. It names a place in a range of the theme (``category`` for models,
``ordinal`` for verdicts, ``heatmap`` for cells) or one of its styles, so that a page draws the same
spec light or dark by passing another theme.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

Mode = Literal["light", "dark", "paper"]
MODES: tuple[Mode, ...] = get_args(Mode)

BACKGROUND: dict[Mode, str] = {"light": "#FFFFFF", "dark": "#14181D", "paper": "#FFFFFF"}
"""The ground that the colours are chosen for; on the site the charts themselves are transparent."""

# Okabe and Ito, "Color Universal Design" (2008). On white, orange, sky blue and yellow have less
# than the contrast of 3:1 that WCAG 2.2 (1.4.11) asks of what carries meaning: there they are taken
# darker, far enough apart to stay distinct under each kind of colour blindness. The order puts
# those first that differ most.
_ON_WHITE = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CA77A5",  # reddish purple, a shade darker
    "#602F00",  # orange, dark
    "#004367",  # sky blue, dark
    "#5F5400",  # yellow, dark
    "#000000",
)
_ON_BLACK = (
    "#56B4E9",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#0072B2",
    "#F0E442",
    "#F2F2F2",
)
MODEL_COLOURS: dict[Mode, tuple[str, ...]] = {
    "light": _ON_WHITE,
    "dark": _ON_BLACK,
    "paper": _ON_WHITE,
}

# good, bad, open, broken, good with a caveat, different: see the domains of verdicts and outcomes
VERDICT_COLOURS: dict[Mode, tuple[str, ...]] = {
    "light": ("#009E73", "#D55E00", "#6B7280", "#000000", "#0072B2", "#602F00"),
    "dark": ("#009E73", "#D55E00", "#9AA4B2", "#F2F2F2", "#56B4E9", "#F0E442"),
    "paper": ("#009E73", "#D55E00", "#6B7280", "#000000", "#0072B2", "#602F00"),
}

HEAT: dict[Mode, tuple[str, str]] = {
    "light": ("#F3F7FB", "#032B4D"),
    "dark": ("#1C2731", "#78AAD0"),
    "paper": ("#F3F7FB", "#032B4D"),
}
FLIP = 0.62
"""The shade of a cell (0 to 1) from which its number is written in the other ink."""
_CELL_INK: dict[Mode, tuple[str, str]] = {
    "light": ("#000000", "#FFFFFF"),
    "dark": ("#FFFFFF", "#000000"),
    "paper": ("#000000", "#FFFFFF"),
}

_INK: dict[Mode, str] = {"light": "#1F2328", "dark": "#E6EAEE", "paper": "#000000"}
_MUTED: dict[Mode, str] = {"light": "#59636E", "dark": "#A3ADB8", "paper": "#444444"}
_GRID: dict[Mode, str] = {"light": "#E3E7EB", "dark": "#2C343D", "paper": "#E0E0E0"}

_FONT: dict[Mode, str] = {
    "light": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "dark": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "paper": "'Liberation Sans', Arial, Helvetica, sans-serif",
}
_SIZE: dict[Mode, int] = {"light": 12, "dark": 12, "paper": 9}


def theme(mode: Mode) -> dict[str, Any]:
    """The ``config`` of Vega-Lite: ``light`` and ``dark`` for the site, ``paper`` with 9 pt.

    Marks are hidden from screen readers one by one: a chart has a text alternative and a table.
    """
    return {
        "background": "transparent" if mode != "paper" else BACKGROUND["paper"],
        "font": _FONT[mode],
        "padding": 4,
        "view": {"stroke": None},
        "mark": {"aria": False},
        "range": {
            "category": list(MODEL_COLOURS[mode]),
            "ordinal": list(VERDICT_COLOURS[mode]),
            "heatmap": list(HEAT[mode]),
        },
        "axis": _axis(mode),
        "axisQuantitative": {"grid": True, "domain": False, "tickCount": 5},
        "axisTemporal": {"grid": False, "tickCount": 6},
        "axisDiscrete": {"grid": False, "domain": False, "ticks": False},
        "legend": _legend(mode),
        "header": {
            "labelColor": _INK[mode],
            "labelFontSize": _SIZE[mode],
            "labelFontWeight": "bold",
            "labelLimit": 200,
            "title": None,
        },
        "style": _styles(mode),
    }


def _axis(mode: Mode) -> dict[str, Any]:
    size = _SIZE[mode]
    return {
        "aria": False,
        "labelColor": _INK[mode],
        "labelFontSize": size,
        "labelLimit": 200,
        "titleColor": _MUTED[mode],
        "titleFontSize": size,
        "titleFontWeight": "normal",
        "titleLimit": 320,
        "titlePadding": 6,
        "gridColor": _GRID[mode],
        "domainColor": _MUTED[mode],
        "tickColor": _MUTED[mode],
        "tickSize": 4,
    }


def _legend(mode: Mode) -> dict[str, Any]:
    return {
        "aria": False,
        "orient": "top",
        "direction": "horizontal",
        "labelColor": _INK[mode],
        "labelFontSize": _SIZE[mode],
        "labelLimit": 220,
        "titleColor": _MUTED[mode],
        "titleFontSize": _SIZE[mode],
        "titleFontWeight": "normal",
        "symbolOpacity": 1,
        "symbolStrokeWidth": 0,  # else the dash of a line goes round its symbol
        "symbolSize": 70,
        "columnPadding": 14,
        "offset": 8,
    }


def _styles(mode: Mode) -> dict[str, Any]:
    low, high = _CELL_INK[mode]
    text = {"fontSize": _SIZE[mode], "font": _FONT[mode]}
    return {
        "zero": {"color": _INK[mode], "strokeWidth": 1, "strokeDash": [3, 3]},
        "label": {**text, "color": _INK[mode]},
        "aside": {**text, "color": _MUTED[mode]},
        "on-low": {**text, "color": low},
        "on-high": {**text, "color": high},
        "whisker": {"strokeWidth": 1.5},
        "bar-whisker": {"color": _INK[mode], "strokeWidth": 1.25},
        "front": {"color": _MUTED[mode], "strokeWidth": 1.5},
        "front-mark": {"color": _INK[mode], "strokeWidth": 1.5},
        "path": {"color": _MUTED[mode], "strokeWidth": 1.25},
    }
