"""Charts of every kind, as a site and a paper would have them; shared by tests of several rooms."""

from __future__ import annotations

from harness.leaderboard.charts import (
    Axes,
    BarRow,
    Chart,
    ConfusionRow,
    CurveRow,
    ForestRow,
    HeatRow,
    HistoryRow,
    LatencyRow,
    StackRow,
    TradeOffRow,
    TrainingRow,
    confusion,
    curve,
    forest,
    grouped_bars,
    heat_map,
    history,
    latency,
    stacked_bars,
    trade_off,
    training_curve,
)

MODELS = ("llama-3.2-3b", "researcher-llama-3.2-3b")
CLASSES = ("Abuse", "Arson", "Road accident")
HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"double\" 'single' \\ back",
    "datum.x",
    "${alert(1)}",
    "line\nbreak\x00\x1b[31m",
    "שלום \u202eevil",
    "long " * 80,
    "<img src=x onerror=alert(1)>",
    "\ud800",
)


def every_kind(a: str = MODELS[0], b: str = MODELS[1], word: str = "accuracy") -> list[Chart]:
    """One chart of each kind with two models; ``word`` is the text of labels and axes."""
    axes = Axes(f"{word} x", f"{word} y", f"{word} z")
    both = ((a, 0.41), (b, 0.73))
    return [
        forest(
            "forest",
            "Differences",
            [
                ForestRow(f"{word}: one", 0.194, 0.121, 0.263, "better"),
                ForestRow(f"{word}: two", -0.062, -0.101, -0.023, "worse"),
                ForestRow(f"{word}: three", 0.031, -0.02, 0.08, "no difference shown"),
                ForestRow(f"{word}: four", 0.5, None, None, "too few (n=4)"),
            ],
            Axes(word),
        ),
        grouped_bars(
            "bars",
            "By class",
            [BarRow(group + word, m, v, v - 0.1, v + 0.1) for group in CLASSES for m, v in both],
            axes,
        ),
        confusion(
            "confusion",
            "Confusion",
            [
                ConfusionRow(m, truth + word, answer + word, 37 if truth == answer else 4)
                for m, _ in both
                for truth in CLASSES
                for answer in (*CLASSES, "unreadable")
            ],
        ),
        curve(
            "curve",
            "Curve",
            [CurveRow(m, x, v + x / 50, v, v + 0.2) for m, v in both for x in (1, 2, 4)],
            axes,
        ),
        heat_map(
            "heat",
            "Heat",
            [HeatRow(x, f"{word} {y}", 0.1 * x + 0.05 * y) for x in (1, 2) for y in (3, 4)],
            axes,
        ),
        trade_off(
            "trade",
            "Trade-off",
            [TradeOffRow(m, v, 100 * v * v, v - 0.1, v + 0.1) for m, v in both],
            axes,
        ),
        history(
            "history",
            "History",
            [
                HistoryRow(step, f"{word} {step}", step / 400, step / 500, step / 300, outcome)
                for step, outcome in ((100, "PASS"), (200, "FAIL"), (300, None))
            ],
            axes,
        ),
        training_curve(
            "training", "Training", [TrainingRow(10, 2.5, None), TrainingRow(20, 1.25, 1.75)], axes
        ),
        latency(
            "latency",
            "Latency",
            [LatencyRow(m, f"{word} stage", 100 * v, 200 * v, 300 * v) for m, v in both],
            axes,
        ),
        stacked_bars(
            "stages",
            "Stages",
            [
                StackRow(m, s + word, 100 * v, 90 * v)
                for m, v in both
                for s in ("decode", "prefill")
            ],
            [(a, 70.0)],
            axes,
        ),
    ]


def hostile(text: str) -> list[Chart]:
    """Every kind with a hostile text as model, class, label and title of axes at once."""
    return every_kind(text, text + "2", text)


def empty() -> list[Chart]:
    """Every kind of nothing."""
    axes = Axes("x", "y")
    return [
        forest("forest", "t", []),
        grouped_bars("bars", "t", [BarRow("a", "m", None)]),
        confusion("confusion", "t", [ConfusionRow("m", "a", "a", 0)]),
        curve("curve", "t", [], axes),
        heat_map("heat", "t", [HeatRow(1, 1, None)], axes),
        trade_off("trade", "t", [], axes),
        history("history", "t", []),
        training_curve("training", "t", [TrainingRow(1, None, None)]),
        latency("latency", "t", []),
        stacked_bars("stages", "t", [StackRow("m", "s", 0.0)]),
    ]
