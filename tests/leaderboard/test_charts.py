"""Charts: what they draw, what they say in words, and that hostile text stays text."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from typing import Any

import altair
import pytest
import vl_convert
from drawn import CLASSES, HOSTILE, MODELS, empty, every_kind, hostile

from harness.leaderboard.chart_grammar import NOTHING, SHAPES
from harness.leaderboard.charts import (
    BACKGROUND,
    MODES,
    Axes,
    BarRow,
    Chart,
    ConfusionRow,
    CurveRow,
    ForestRow,
    HistoryRow,
    LatencyRow,
    Mode,
    StackRow,
    TradeOffRow,
    bundle,
    confusion,
    curve,
    forest,
    grouped_bars,
    history,
    latency,
    render,
    stacked_bars,
    theme,
    trade_off,
)
from harness.results.render import visible

THEME = theme("light")
NAMES = (
    "forest",
    "bars",
    "confusion",
    "curve",
    "heat",
    "trade",
    "history",
    "training",
    "latency",
    "stages",
)


@cache
def kinds() -> dict[str, Chart]:
    return {chart.name: chart for chart in every_kind()}


@pytest.fixture(params=NAMES)
def chart(request: pytest.FixtureRequest) -> Chart:
    """A chart of each kind."""
    return kinds()[request.param]


def texts(chart: Chart, mode: Mode = "paper") -> list[str]:
    """Every text of the drawing."""
    root = ET.fromstring(render(chart, "svg", mode))
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def strings(part: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string of a JSON value with the keys that lead to it, keys themselves, too."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield (*path, "(key)"), key
            yield from strings(value, (*path, key))
    elif isinstance(part, list):
        for value in part:
            yield from strings(value, path)
    elif isinstance(part, str):
        yield path, part


# --------------------------------------------------------------------------- every kind


def test_the_spec_is_valid_and_has_one_dataset(chart: Chart) -> None:
    altair.Chart.from_dict(dict(chart.spec), validate=True)
    assert chart.spec["data"]["name"] == "rows"
    assert chart.spec["data"]["values"]
    assert not {"datasets", "config", "params"} & set(chart.spec)
    assert [path for path, text in strings(dict(chart.spec)) if text == "data"] == [("(key)",)]


def test_the_table_has_a_row_for_each_record(chart: Chart) -> None:
    values = chart.spec["data"]["values"]
    assert len(chart.rows) == len(values)
    assert {len(row) for row in chart.rows} == {len(chart.columns)}
    numbers = [cell for row in chart.rows for cell in row if isinstance(cell, float)]
    drawn = [cell for row in values for cell in row.values()]
    assert all(number in drawn for number in numbers)


def test_sizes_fit_a_page(chart: Chart) -> None:
    sizes = [chart.spec.get("width"), chart.spec.get("height")]
    assert all(size <= 640 for size in sizes if isinstance(size, int | float))
    grid = chart.name in ("confusion", "heat")
    assert grid or chart.spec["width"] == "container"


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_is_drawn_in_every_mode(chart: Chart, mode: Mode) -> None:
    found = texts(chart, mode)
    assert len(found) > 5
    svg = render(chart, "svg", mode).decode()
    assert f'fill="{BACKGROUND[mode]}"' in svg or f'fill="{BACKGROUND[mode].lower()}"' in svg


def test_files_of_a_paper(chart: Chart) -> None:
    assert render(chart, "pdf").startswith(b"%PDF-")
    assert render(chart, "png").startswith(b"\x89PNG")


def test_the_same_rows_give_the_same_bytes() -> None:
    first, second = every_kind(), every_kind()
    assert [json.dumps(c.spec) for c in first] == [json.dumps(c.spec) for c in second]
    assert first == second
    assert [render(c, "svg") for c in first] == [render(c, "svg") for c in second]


def test_the_state_of_altair_does_not_show() -> None:
    before = json.dumps([c.spec for c in every_kind()])
    with altair.theme.enable("dark"), altair.data_transformers.enable(consolidate_datasets=False):
        assert json.dumps([c.spec for c in every_kind()]) == before


def test_nothing_to_draw_is_said() -> None:
    assert tuple(chart.name for chart in empty()) == NAMES
    for chart in empty():
        altair.Chart.from_dict(dict(chart.spec), validate=True)
        assert NOTHING in chart.alt
        assert chart.rows == ()
        assert texts(chart) == [NOTHING]


# --------------------------------------------------------------------------- hostile text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_value_and_nothing_else(text: str) -> None:
    """Compiled to Vega, names appear in data, domains, legends' values and titles only."""
    mark = json.dumps(visible(text)[:12])[1:-1]
    harmless = {"values", "domain", "title", "description"}
    for chart in hostile(text):
        vega = vl_convert.vegalite_to_vega(dict(chart.spec), vl_version="6.4", config=THEME)
        found = [(path, json.dumps(one)) for path, one in strings(vega)]
        assert any(mark in one for _, one in found), chart.name
        assert not [path for path, one in found if mark in one and not harmless & {*path}]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_drawn_as_it_is_written(text: str) -> None:
    chart = forest("f", "t", [ForestRow(text, 0.5, 0.4, 0.6, "better")])
    label = visible(text)
    json.dumps(chart.spec).encode("utf-8")
    found = texts(chart)
    cut = [one[:-1] for one in found if one.endswith("…")]  # where it would leave no room
    assert label in found or (len(label) > 30 and any(label.startswith(one) for one in cut))


def test_labels_that_are_alike_keep_their_own_line() -> None:
    rows = [ForestRow("same", 0.1 * i, None, None, "better") for i in (1, 2)]
    chart = forest("f", "t", rows)
    assert [row[0] for row in chart.rows] == ["same", "same (2)"]
    assert {"same", "same (2)", "+0.100", "+0.200"} <= set(texts(chart))


# --------------------------------------------------------------------------- one by one


def test_a_forest_has_numbers_labels_and_verdicts_in_the_order_given() -> None:
    chart = kinds()["forest"]
    found = texts(chart)
    labels = [one for one in found if one.startswith("accuracy: ")]
    assert labels == ["accuracy: one", "accuracy: two", "accuracy: three", "accuracy: four"]
    assert "+0.194 [0.121, 0.263]" in found
    assert "+0.500" in found  # the one without an interval
    assert "4 paired differences with intervals: 1 better, 1 worse" in chart.alt
    assert "accuracy: one +0.194 [0.121, 0.263] (better)" in chart.alt
    shapes = set(re.findall(r'd="(M[^"]+Z?)" fill="(#[0-9A-F]{6})"', render(chart, "svg").decode()))
    assert len({colour for _, colour in shapes}) >= 4


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        ("better", "better"),
        ("better, content not shown", "better, content not shown"),
        ("worse", "worse"),
        ("more", "more or fewer"),
        ("fewer", "more or fewer"),
        ("no difference seen", "no difference shown"),
        ("too few (n=4)", "too few to say"),
        ("no pairs", "too few to say"),
    ],
)
def test_each_verdict_of_a_comparison_has_its_mark(verdict: str, kind: str) -> None:
    chart = forest("f", "t", [ForestRow("x", 0.1, 0.0, 0.2, verdict)])
    assert chart.spec["data"]["values"][0]["kind"] == kind
    assert kind in texts(chart)
    assert chart.rows[0][-1] == verdict


def test_bars_keep_missing_values_missing() -> None:
    rows = [BarRow("a", "m", 0.5), BarRow("a", "n", None), BarRow("b", "n", float("nan"))]
    chart = grouped_bars("b", "t", rows)
    assert chart.rows == (
        ("a", "m", 0.5, None, None),
        ("a", "n", None, None, None),
        ("b", "m", None, None, None),
        ("b", "n", None, None, None),
    )
    assert "n: no value" in chart.alt


def test_bars_say_highest_and_lowest() -> None:
    chart = kinds()["bars"]
    assert f"{MODELS[0]}: highest 0.410 (Abuseaccuracy)" in chart.alt
    assert {f"{group}accuracy" for group in CLASSES} <= set(texts(chart))


def test_a_confusion_matrix_has_counts_shares_and_every_class() -> None:
    rows = [
        ConfusionRow("m", "yes", "yes", 30),
        ConfusionRow("m", "yes", "no", 10),
        ConfusionRow("m", "no", "no", 7),
        ConfusionRow("m", "no", "unreadable", 3),
        ConfusionRow("m", "no", "unreadable", 2),
    ]
    chart = confusion("c", "t", rows)
    assert ("m", "yes", "no", 10, 0.25) in chart.rows
    assert ("m", "no", "unreadable", 5, 5 / 12) in chart.rows
    assert ("m", "no", "yes", 0, 0.0) in chart.rows
    assert {"30", "10", "7", "5", "0", "yes", "no", "unreadable", "truth", "answer"} <= set(
        texts(chart)
    )
    assert chart.alt == (
        "Confusion matrices of 1 model. m: 37 of 52 right, most often wrong: yes taken for no (10)."
    )


def test_panels_of_confusion_stand_in_the_pages_order() -> None:
    rows = [ConfusionRow(model, "a", "a", 1) for model in ("b-model", "a-model", "c-model")]
    chart = confusion("c", "t", rows, models=("c-model", "b-model", "a-model"))
    headers = [one for one in texts(chart) if one.endswith("-model")]
    assert headers == ["c-model", "b-model", "a-model"]


def test_many_classes_leave_no_panel_wider_than_the_page() -> None:
    names = [f"class {i:02d}" for i in range(70)]
    chart = confusion("c", "t", [ConfusionRow("m", n, n, 1) for n in names])
    assert 70 * chart.spec["spec"]["width"]["step"] <= 640


def test_a_heat_map_orders_numbers_and_keeps_words_as_given() -> None:
    chart = kinds()["heat"]
    assert {"0.250", "0.400"} <= set(texts(chart))
    assert "highest 0.400 at accuracy x 2, accuracy y accuracy 4" in chart.alt


def test_a_trade_off_marks_the_front() -> None:
    rows = [
        TradeOffRow("fast", 0.5, 10),
        TradeOffRow("good", 0.9, 100),
        TradeOffRow("bad", 0.4, 200),
    ]
    chart = trade_off("t", "t", rows, Axes("latency (ms)", "accuracy"))
    assert [(row[0], row[-1]) for row in chart.rows] == [
        ("fast", "yes"),
        ("good", "yes"),
        ("bad", "no"),
    ]
    assert {"fast", "good", "bad", "latency (ms)", "accuracy"} <= set(texts(chart))
    assert "2 of 3 models on the Pareto front" in chart.alt
    assert "fast (0.500 at 10.00); good (0.900 at 100.0)." in chart.alt
    fewer = trade_off("t", "t", rows, Axes("ms", "perplexity"), lower_is_better=True)
    assert [row[0] for row in fewer.rows if row[-1] == "yes"] == ["fast", "bad"]


def test_every_model_of_a_crowded_trade_off_is_named_once() -> None:
    rows = [TradeOffRow(f"a-longer-name-{i:02d}", 0.5 + i % 7 / 100, 100 + i) for i in range(40)]
    chart = trade_off("t", "t", rows, Axes("ms", "accuracy"))
    found = [one for one in texts(chart) if one.startswith("a-longer-name-")]
    assert sorted(found) == sorted(row.model for row in rows)


def test_a_history_says_what_gates_said() -> None:
    chart = kinds()["history"]
    assert "Gates: PASS 1, FAIL 1, no gate 1." in chart.alt
    assert {"PASS", "FAIL", "no gate"} <= set(texts(chart))
    assert "ERROR" not in texts(chart)


def test_a_history_over_time_is_drawn_in_utc() -> None:
    rows = [
        HistoryRow("2026-11-02T23:30:00Z", "late", 0.5),
        HistoryRow("2026-11-01T00:30:00Z", "early", 0.4),
    ]
    chart = history("h", "t", rows, Axes("time (UTC)", "accuracy"))
    assert [row[0] for row in chart.rows] == ["early", "late"]
    assert any(one.startswith("2026-11-0") for one in texts(chart)), "dates, however close"


def test_a_training_curve_tells_start_end_and_lowest() -> None:
    chart = kinds()["training"]
    assert "The train loss goes from 2.500 at step 10 to 1.250 at step 20" in chart.alt
    assert "its lowest is 1.750 at step 20" in chart.alt
    assert {"train", "validation"} <= set(texts(chart))


def test_latency_names_the_slowest() -> None:
    rows = [LatencyRow("m", "decode", 1, 2, 3), LatencyRow("m", "generate", 100, 200, 300)]
    chart = latency("l", "t", rows)
    assert "m, generate: p50 100.0, p95 200.0, p99 300.0; m, decode" in chart.alt
    found = texts(chart)
    assert {"decode", "generate", "10", "100"} <= set(found)  # two decades: a logarithmic axis


# --------------------------------------------------------------------------- colours of models


def test_stages_follow_one_another_and_the_whole_is_marked() -> None:
    rows = [
        StackRow("m", "decode", 30.0, 28.0),
        StackRow("m", "prefill", 10.0),
        StackRow("m", "x", 0),
    ]
    chart = stacked_bars("s", "t", [*rows, StackRow("n", "prefill", math.inf)], [("m", 35.0)])
    values = chart.spec["data"]["values"]
    assert [(v["start"], v["end"], v["total"]) for v in values] == [(0, 30, 35), (30, 40, None)]
    assert chart.rows == (("m", "decode", 30.0, 28.0, 0.75), ("m", "prefill", 10.0, None, 0.25))
    assert "m: most in decode, 30.00 ms (75%)" in chart.alt
    again = stacked_bars(
        "s", "t", [StackRow("m", "b", 1), StackRow("n", "a", 1), StackRow("n", "b", 2)]
    )
    assert [row[:2] for row in again.rows] == [("m", "b"), ("n", "b"), ("n", "a")]


def test_a_line_or_a_panel_may_stand_for_something_else_than_a_model() -> None:
    lines = curve("c", "t", [CurveRow("blur", 0.5, 0.2)], Axes("level", "accuracy"), (), "kind")
    assert lines.columns[0] == "kind"
    assert "for 1 kind" in lines.alt
    panels = confusion("c", "t", [ConfusionRow("fps=1", "a", "b", 2)], (), "variant")
    assert panels.columns[0] == "variant"
    assert "of 1 variant" in panels.alt


def test_a_model_has_its_colour_in_every_chart_of_a_page() -> None:
    page = ("first", "second", "third")
    lines = curve("c", "t", [CurveRow("third", x, 0.5) for x in (1, 2)], Axes("x", "y"), page)
    bars = grouped_bars("b", "t", [BarRow("a", "third", 0.5)], models=page)
    third = theme("paper")["range"]["category"][2]
    first = theme("paper")["range"]["category"][0]
    for chart in (lines, bars):
        svg = render(chart, "svg").decode()
        assert third in svg
        assert first not in svg


def test_more_than_eight_models_are_told_apart_by_shape_and_dash() -> None:
    names = [f"m{i:02d}" for i in range(56)]
    chart = curve("c", "t", [CurveRow(m, x, 0.5) for m in names for x in (1, 2)], Axes("x", "y"))
    scales = {
        channel: layer["encoding"][channel]["scale"]
        for layer in chart.spec["layer"]
        for channel in ("color", "shape", "strokeDash")
        if channel in layer["encoding"]
    }
    assert scales["color"]["domain"] == names
    colours = theme("paper")["range"]["category"]
    pairs = {(colours[i % 8], scales["shape"]["range"][i]) for i in range(56)}
    assert len(pairs) == 56 == len(colours) * len(SHAPES)
    assert scales["strokeDash"]["range"][0] != scales["strokeDash"]["range"][8]


# --------------------------------------------------------------------------- the browser's bundle


def test_the_bundle_is_a_classic_script_with_its_licences() -> None:
    code = bundle()
    assert "BSD-3-Clause" in code[:500]
    assert "</script" not in code.lower()
    assert not re.search(r"(^|[;}\n])\s*(import|export)[\s{*]", code)
    assert len(code) < 1_000_000
