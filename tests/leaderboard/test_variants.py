"""Curves over the settings of a task, heat maps over two, degradations by kind and level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from siteruns import Cell, store

from harness.leaderboard.charts import Chart
from harness.leaderboard.gather import gather
from harness.leaderboard.variants import level_of, variant_charts


def sweep(tmp_path: Path, *variants: str, models: Sequence[str] = ("base",)) -> list[Chart]:
    run = store(tmp_path, *(Cell(model, variant=one) for one in variants for model in models))
    board = gather([run])
    return variant_charts(board.benches, board.models)


def test_a_product_of_settings_has_a_curve_for_each_and_a_map_for_each_two(tmp_path: Path) -> None:
    grid = [f"fps={f},frames={n},resolution={r}" for f in (1, 6) for n in (8, 16) for r in (32, 64)]
    found = sweep(tmp_path, *grid)
    assert [chart.title for chart in found] == [
        "exact_match over fps (frames=8, resolution=32)",
        "exact_match over frames (fps=1, resolution=32)",
        "exact_match over resolution (fps=1, frames=8)",
        "base: exact_match over fps and frames (resolution=32)",
        "base: exact_match over fps and resolution (frames=8)",
        "base: exact_match over frames and resolution (fps=1)",
    ]
    assert [row[1] for row in found[1].rows] == [8.0, 16.0]
    assert len({chart.name for chart in found}) == len(found)


def test_sizes_are_drawn_by_their_shorter_side(tmp_path: Path) -> None:
    (chart,) = sweep(tmp_path, "resolution=320x240", "resolution=112")
    assert [row[1] for row in chart.rows] == [112.0, 240.0]


def test_every_n_th_frame_is_a_share(tmp_path: Path) -> None:
    (chart,) = sweep(tmp_path / "1", "fps=source/4", "fps=source", "fps=source/2")
    assert [row[1] for row in chart.rows] == [0.25, 0.5, 1.0]
    assert chart.columns[1] == "share of the file's own frames (fps)"
    assert sweep(tmp_path / "2", "fps=source/4", "fps=6") == []  # no common scale


def test_one_kind_of_degradation_has_a_line_for_each_model(tmp_path: Path) -> None:
    ways = ("degrade=none", "degrade=blur:0.5", "degrade=blur:1")
    (chart,) = sweep(tmp_path, *ways, models=("base", "tuned"))
    assert chart.title == "exact_match over blur"
    assert [row[:2] for row in chart.rows] == [
        (model, level) for model in ("base", "tuned") for level in (0.0, 0.5, 1.0)
    ]


def test_several_kinds_have_a_line_each_and_all_begin_with_the_clean_one(tmp_path: Path) -> None:
    ways = [
        f"degrade={how},fps={fps}"
        for fps in (6, 1)
        for how in ("blur:0.5", "none", "motion_blur", "compression:40", "brightness:-0.5")
    ]
    found = sweep(tmp_path, *ways, models=("base", "tuned"))
    assert [chart.title for chart in found] == [
        "exact_match over fps (degrade=none)",
        "base: exact_match over degrade (fps=6)",
        "tuned: exact_match over degrade (fps=6)",
    ]
    assert found[1].columns[0] == "degradation"
    levels = [(row[0], row[1]) for row in found[1].rows]
    assert levels == [
        ("blur", 0.0), ("blur", 0.5), ("motion blur", 0.0), ("motion blur", 0.5),
        ("compression", 0.0), ("compression", (40 - 18) / 33), ("darker", 0.0), ("darker", 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("none", None), ("blur", ("blur", 0.5)), ("noise:0", ("noise", 0.0)),
        ("compression:0.5", ("compression", 0.5)), ("compression:51", ("compression", 1.0)),
        ("brightness:0.5", ("brighter", 0.5)), ("blur:much", None), ("", None), ("blur:nan", None),
    ],
)  # fmt: skip
def test_levels_of_degradations(words: str, level: tuple[str, float] | None) -> None:
    assert level_of(words) == level


def test_runs_that_set_other_settings_have_their_charts_each(tmp_path: Path) -> None:
    """Also beside a plain run, and where one of two models was not swept."""
    fps = [Cell(m, variant=f"fps={n}") for n in (1, 6) for m in ("base", "tuned")]
    batches = [Cell(variant=f"batch_size={n}") for n in (1, 2)]
    blurred = [Cell(variant=f"degrade={how},fps=6") for how in ("none", "blur:0.5")]
    runs = [store(tmp_path, *own, after=at) for at, own in enumerate((fps, batches, blurred))]
    runs.append(store(tmp_path, Cell(), after=9))
    for order in (runs, runs[::-1]):
        board = gather(order)
        found = variant_charts(board.benches, board.models)
        assert {chart.title for chart in found} == {
            "exact_match over fps",
            "exact_match over batch_size",
            "exact_match over blur (fps=6)",
        }
        assert len({chart.name for chart in found}) == 3
        (over_fps,) = (chart for chart in found if chart.title.endswith("fps"))
        assert [row[:2] for row in over_fps.rows] == [
            (model, n) for model in ("base", "tuned") for n in (1.0, 6.0)
        ]
