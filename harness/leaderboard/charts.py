"""The charts of the site and of the paper: one grammar, Vega-Lite specs written with altair.

Each kind is a function of plain rows. The same rows give the same bytes.

On a page, load the text of ``bundle()`` as a classic script and call, for each chart, ::

    vegaEmbed(element, spec, {
      mode: "vega-lite",
      config: THEMES[mode],            // chart_theme.theme("light") or ("dark") as JSON
      ast: true,                       // expressions are interpreted: no eval, strict CSP
      renderer: "svg",
      actions: false,                  // no menu: it would link to a page on the network
      defaultStyle: false,             // these two keep vega from adding <style> elements;
      tooltip: {disableDefaultStyle: true},  // the page's own CSS styles #vg-tooltip-element
      logLevel: 1,                     // errors only
    }).then(function (result) { ... result.finalize() before drawing again ... });

``CSP`` is a policy under which this works over file:// and http:// alike in Chromium ('self' covers
classic scripts and style sheets beside the page on file://, too). To draw other rows of the same
kind, pass a copy of the spec with ``spec.data.values`` replaced by records with the same keys; the
colours of models are by place in the scales' domains, so name all models of the page (``models=``)
when the spec is made. Set ``spec.description`` and the table beside the chart anew then, too.

A container must have a width before it is drawn into; a chart in a hidden element is drawn later.
Where it is narrower than about 480 px, pass a config whose ``axis.labelLimit`` is 0.3 of its width:
what a line is called leaves too little to the drawing else. Grids of cells have a width of their
own (up to 640 px and their labels): put them where they can be scrolled sideways.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Mapping
from typing import Any, Literal

from harness.leaderboard.chart_bars import BarRow, LatencyRow, grouped_bars, latency
from harness.leaderboard.chart_cells import ConfusionRow, HeatRow, confusion, heat_map
from harness.leaderboard.chart_grammar import Axes, Chart
from harness.leaderboard.chart_lines import CurveRow, TrainingRow, curve, training_curve
from harness.leaderboard.chart_stacks import StackRow, stacked_bars
from harness.leaderboard.chart_theme import BACKGROUND, MODES, Mode, theme
from harness.leaderboard.chart_trade import TradeOffRow, trade_off
from harness.leaderboard.chart_verdicts import ForestRow, HistoryRow, forest, history

__all__ = [
    "BACKGROUND",
    "CSP",
    "MODES",
    "Axes",
    "BarRow",
    "Chart",
    "ConfusionRow",
    "CurveRow",
    "ForestRow",
    "HeatRow",
    "HistoryRow",
    "LatencyRow",
    "Mode",
    "StackRow",
    "TradeOffRow",
    "TrainingRow",
    "bundle",
    "confusion",
    "curve",
    "forest",
    "grouped_bars",
    "heat_map",
    "history",
    "latency",
    "render",
    "stacked_bars",
    "theme",
    "trade_off",
    "training_curve",
]

Format = Literal["svg", "pdf", "png"]

CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"
"""The strictest policy under which the charts are drawn, as tested in headless Chromium."""

VEGALITE = "6.4"  # of those that vl-convert brings, the one whose schema altair writes
WIDTH: dict[Mode, int] = {"light": 560, "dark": 560, "paper": 400}
"""px (in a PDF, points) that stand for the container's width."""
PIXELS = 2.0  # of a PNG, for each px

_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r"(?<=[\"#])(gradient_|clip)\d+(?=[\")])")

_LICENCES = """\
/* Vega, Vega-Lite, Vega-Embed and their parts: Copyright (c) University of Washington Interactive
   Data Lab, Vega-Lite and Vega-Embed contributors, BSD-3-Clause. D3: Copyright Mike Bostock, ISC.
   Bundled by vl-convert. */
"""
_QUIET = "const console = {...globalThis.console, warn: function () {}};"


def render(chart: Chart, form: Format, mode: Mode = "paper") -> bytes:
    """The chart as a file: SVG and PDF for a paper, PNG at twice the size. Needs no browser.

    In a PDF one px is one point, so the text of ``paper`` has 9 pt.
    """
    import vl_convert

    spec = _sized(chart.spec, WIDTH[mode])
    # a file has no page behind it
    given: dict[str, Any] = {
        "vl_version": VEGALITE,
        "config": theme(mode) | {"background": BACKGROUND[mode]},
        "allowed_base_urls": [],
    }
    if form == "svg":
        return _renumbered(vl_convert.vegalite_to_svg(spec, **given)).encode("utf-8")
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec, **given))
    return bytes(vl_convert.vegalite_to_png(spec, scale=PIXELS, **given))


def _sized(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    own = copy.deepcopy(dict(spec))
    if own.get("width") == "container":
        own["width"] = width
    return own


def _renumbered(svg: str) -> str:
    """Ids counted anew within the drawing: vega counts on from one drawing to the next."""
    ids: dict[str, str] = {}

    def own(found: re.Match[str]) -> str:
        kind = found[1]
        return ids.setdefault(found[0], f"{kind}{len(ids)}")

    # in tags only: a text may say what it likes
    return _TAG.sub(lambda tag: _ID.sub(own, tag[0]), svg)


@functools.cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one classic script that sets ``window.vegaEmbed``.

    vl-convert's bundle has no import and no export, but leaves its thousands of short names (``n``,
    ``t``) to whatever script comes after it; here they are shut in a function. Its warnings are
    left out: that a chart whose height grows with its lines is not fitted tells a reader nothing,
    and no option turns it off. About 0.9 MB.
    """
    import vl_convert

    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGALITE)
    return f'{_LICENCES}(function () {{\n"use strict";\n{_QUIET}\n{code}\n}})();\n'
