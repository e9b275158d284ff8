"""Confusion matrices of several variants side by side, and of an anomaly against what is normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from harness.leaderboard.charts import Chart, ConfusionRow, confusion
from harness.leaderboard.gather import Bench
from harness.leaderboard.names import slug
from harness.leaderboard.variants import short_variant
from harness.leaderboard.views import TextTable
from harness.results.confusions import against_normal
from harness.scorers.choice import UNREADABLE, Confusion

MOST_MODELS = 8
"""Models that have a chart of their own for their variants."""
MOST_PANELS = 24
Titled = TypeVar("Titled", Chart, TextTable)
Matrices = Sequence[tuple[Bench, Mapping[str, Confusion]]]


def titled_by_variant(one: Titled, bench: Bench) -> Titled:
    """A chart or a table of one variant, which its title names."""
    words = short_variant(bench.variant)
    return replace(one, title=f"{one.title} [{words}]") if words else one


def matrix_charts(found: Matrices, models: Sequence[str]) -> list[Chart]:
    """For each model its variants side by side, where there are several; and everybody's two-way
    matrices, where one class is what is normal."""
    found = [(bench, tables) for bench, tables in found if tables]
    if not found:
        return []
    where = slug(found[0][0].task)
    charts = [
        confusion(
            f"{where}-variants-{slug(model)}",
            f"{model}: what was taken for what, by variant",
            [row for panel, table in own for row in _rows(panel, table)],
            [panel for panel, _ in own],
            "variant",
        )
        for model in models[:MOST_MODELS]
        if len(own := [(_words(b), tables[model]) for b, tables in found if model in tables]) > 1
    ]
    return [*charts, *_against_normal(where, found, models)]


def _against_normal(where: str, found: Matrices, models: Sequence[str]) -> list[Chart]:
    panels = [
        (f"{model} [{_words(bench)}]" if bench.variant else model, two)
        for bench, tables in found
        for model in models
        if model in tables and (two := against_normal(tables[model])) is not None
    ][:MOST_PANELS]
    if not panels:
        return []
    rows = [row for panel, table in panels for row in _rows(panel, table)]
    names = [panel for panel, _ in panels]
    title = "Anomaly against normal: what was taken for what"
    return [confusion(f"{where}-normal", title, rows, names, "cell")]


def _rows(panel: str, table: Confusion) -> list[ConfusionRow]:
    return [
        ConfusionRow(panel, truth, answer, table.counts[i][j])
        for i, truth in enumerate(table.labels)
        for j, answer in enumerate((*table.labels, UNREADABLE))
        if answer != UNREADABLE or any(row[j] for row in table.counts)
    ]


def _words(bench: Bench) -> str:
    return short_variant(bench.variant) or "(as it is)"
