"""The speed of a stored run: stages, batches, heat maps, what to take, what quantizing costs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import SelectionError
from harness.leaderboard.speed_report import SpeedOptions, speed_report
from harness.results.render import Report, render
from harness.results.run import StageRow
from harness.results.store import RunReader
from tests.siteruns import Cell, store

LESS = "perplexity"


def total(cell: Cell, ms: float, memory: float = 100.0, **more: float) -> StageRow:
    return StageRow(
        cell.id, "total", ms, ms, ms, 30.0, memory, n=4, mean=ms, std=0.0, memory="RSS", **more
    )


def sweep(root: Path, found: dict[str, tuple[float, float, float]]) -> RunReader:
    """Variant -> value of f1, milliseconds, megabytes at most."""
    cells = [
        Cell("tiny", "clips", {"f1": [f1] * 4}, variant=name) for name, (f1, _, _) in found.items()
    ]
    rows = [total(cell, ms, mb) for cell, (_, ms, mb) in zip(cells, found.values(), strict=True)]
    return store(root, *cells, profile=rows)


def titled(report: Report, words: str) -> list[list[str]]:
    (table,) = [one for one in report.tables if words in one.title]
    return [list(row) for row in table.rows]


def test_stages_stand_below_each_other_and_columns_without_a_number_are_left_out(
    tmp_path: Path,
) -> None:
    cell = Cell("tiny", "clips", {"f1": [0.5] * 4})
    rows = [
        StageRow(cell.id, "decode", 5.0, 6.0, 7.0, n=4, mean=5.5, std=0.5, frames_per_s=160.0),
        total(cell, 20.0, size_mb=8.0),
        StageRow(cell.id, "judge strict", 999.0, 999.0, 999.0, n=4, mean=999.0),
    ]
    report = speed_report(store(tmp_path, cell, profile=rows))
    text = render(report, "table")
    assert "clips: tiny, speed by stage" in text
    assert "999" not in text
    (table,) = report.tables
    assert list(table.columns) == [
        *("stage", "n", "mean", "std", "p50", "p95", "p99"),
        *("tokens/s", "frames/s", "peak MB", "disk MB"),
    ]
    decode = ["decode", "4", "5.500", "0.500", "5.000", "6.000", "7.000", "-", "160.0", "-", "-"]
    assert list(table.rows[0]) == decode
    assert "resident memory of the process (and of a bridge's worker) while the cell" in text


def test_settings_that_all_share_stand_above_and_those_that_differ_are_never_cut(
    tmp_path: Path,
) -> None:
    common = "prompt.template=Name the crime that is shown in this film"
    widest = ("decode_threads=2,max_frames=16,resolution=448", "decode_threads=2,max_frames=32")
    run = sweep(tmp_path, {f"{common},{rest}": (0.5, 9.0, 1.0) for rest in widest})
    told = speed_report(run)
    stages = next(one for one in told.tables if "speed by stage" in one.title)
    shares = f"{common},decode_threads=2"
    assert stages.title == f"clips: tiny, speed by stage, with {shares}"
    assert [row[0] for row in stages.rows] == ["max_frames=16,resolution=448", "max_frames=32"]
    trade = next(one for one in told.tables if "against latency" in one.title)
    assert trade.title.endswith(f"with {shares}")
    assert {row[1] for row in trade.rows} == {"max_frames=16,resolution=448", "max_frames=32"}


def test_many_settings_stand_below_each_other(tmp_path: Path) -> None:
    wide = "quantize=none,max_frames=16,resolution=1024,batch_size=4"
    run = sweep(tmp_path, {wide: (0.5, 9.0, 1.0), "quantize=int8": (0.5, 9.0, 1.0)})
    rows = titled(speed_report(run), "speed by stage")
    assert [row[:2] for row in rows] == [
        ["quantize=none,max_frames=16,", "total"],
        ["resolution=1024,batch_size=4", ""],
        ["quantize=int8", "total"],
    ]


def test_larger_batches_are_told_with_the_best_and_what_bounds_them(tmp_path: Path) -> None:
    times = {"batch_size=8": 5.0, "batch_size=1": 20.0, "batch_size=2": 10.0, "batch_size=4": 5.1}
    run = sweep(tmp_path, {name: (0.5, ms, 100.0) for name, ms in times.items()})
    report = speed_report(run)
    rows = titled(report, "by batch size")
    assert [row[0] for row in rows] == ["1", "2", "4 *", "8"]
    assert rows[2][1:] == ["5.100", "196.1", "30.00", "3.922", "1.961", "100.0"]
    told = "\n".join(report.notes)
    assert "clips: tiny: optimal batch 4; memory-bound up to batch 4, compute-bound beyond." in told
    assert "at least 95 % of the best throughput" in told
    assert "at least 1.2-fold when the batch doubles" in told
    assert "On a CPU" in told


def test_a_busy_machine_makes_a_verdict_uncertain(tmp_path: Path) -> None:
    cells = [Cell("tiny", "clips", {"f1": [0.5] * 4}, variant=f"batch_size={n}") for n in (1, 2)]
    rows = [
        replace(total(cell, 10.0), std=std) for cell, std in zip(cells, (1.0, 11.0), strict=True)
    ]
    told = "\n".join(speed_report(store(tmp_path, *cells, profile=rows)).notes)
    assert "clips: tiny: the times of batch 2 spread beyond their mean" in told


def test_resolution_and_frames_make_three_maps_in_the_order_of_their_numbers(
    tmp_path: Path,
) -> None:
    found = {
        f"resolution={size},frames={frames}": (frames / 100, size * frames / 100, size / 1.0)
        for size in (1024, 224)
        for frames in (16, 8)
    }
    del found["resolution=1024,frames=16"]
    report = speed_report(sweep(tmp_path, found))
    maps = [one for one in report.tables if "resolution \\ frames" in one.columns]
    assert [one.title.partition(", ")[2] for one in maps] == [
        "f1", "median ms a sample", "peak memory in MB",
    ]  # fmt: skip
    assert list(maps[0].columns) == ["resolution \\ frames", "8", "16"]
    assert [list(row) for row in maps[0].rows] == [
        ["224", "0.080", "0.160"],
        ["1024", "0.080", "-"],
    ]
    assert [list(row) for row in maps[1].rows] == [
        ["224", "17.92", "35.84"],
        ["1024", "81.92", "-"],
    ]


def test_the_front_and_what_to_take_for_what(tmp_path: Path) -> None:
    run = sweep(
        tmp_path,
        {
            "frames=4": (0.50, 10.0, 1.0),
            "frames=8": (0.78, 20.0, 1.0),
            "frames=16": (0.80, 100.0, 1.0),
            "frames=32": (0.70, 200.0, 1.0),
        },
    )
    rows = titled(speed_report(run), "quality against latency")
    assert [(row[1], row[-2], row[-1]) for row in rows] == [
        ("frames=4", "*", "low latency"),
        ("frames=8", "*", "balanced"),
        ("frames=16", "*", "best quality"),
        ("frames=32", "", ""),
    ]


def test_for_low_latency_an_answer_must_not_wait_for_a_large_batch(tmp_path: Path) -> None:
    run = sweep(
        tmp_path,
        {
            "batch_size=1": (0.5, 20.0, 1.0),
            "batch_size=2": (0.5, 15.0, 1.0),
            "batch_size=64": (0.5, 5.0, 1.0),  # of 4 samples, which are one batch
        },
    )
    report = speed_report(run)
    table = next(one for one in report.tables if "against latency" in one.title)
    assert table.columns[3:5] == ["median ms", "waits"]
    assert [(row[1], row[4], row[-1]) for row in table.rows] == [
        ("batch_size=64", "20.00", "best quality, balanced"),
        ("batch_size=2", "30.00", ""),
        ("batch_size=1", "20.00", "low latency"),
    ]
    assert any("waits for its whole batch" in note for note in report.notes)


def test_quantization_is_held_against_what_is_not_quantized(tmp_path: Path) -> None:
    scores = {"quantize=nf4": 0.7, "quantize=int8": 0.79, "quantize=none": 0.8}
    sizes = {"quantize=nf4": 1000.0, "quantize=int8": 2000.0, "quantize=none": 4000.0}
    cells = [Cell("tiny", "clips", {"f1": [f1] * 4}, variant=name) for name, f1 in scores.items()]
    rows = [total(one, 10.0, size_mb=4000.0, weights_mb=sizes[one.variant]) for one in cells]
    run = store(tmp_path, *cells, profile=rows)
    report = speed_report(run)
    found = titled(report, "compression")
    assert [row[0] for row in found] == ["quantize=none", "quantize=int8", "quantize=nf4"]
    assert found[2][1:] == ["0.700", "+0.100", "1000.0", "4.000", "1.000", "+0.025"]
    told = "\n".join(report.notes)
    assert "sizes are weights in memory; the reference is quantize=none" in told
    assert "drop of at most 0.02 in f1, quantize=int8 is as small as it gets" in told
    wide = "\n".join(speed_report(run, SpeedOptions(tolerance=0.2)).notes)
    assert "drop of at most 0.2 in f1, quantize=nf4 is as small as it gets (4.000 times" in wide


def test_programs_get_the_raw_numbers(tmp_path: Path) -> None:
    run = sweep(tmp_path, {"batch_size=1": (0.5, 20.0, 1.0), "batch_size=2": (0.5, 10.0, 1.0)})
    report = speed_report(run)
    body = json.loads(render(report, "json"))
    assert [row["samples_per_s"] for row in body["batches"]] == [50.0, 100.0]
    assert [(row["wait_ms"], row["front"]) for row in body["trade_off"]] == [
        (20.0, True), (20.0, False),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert [(row["variant"], row["stage"], row["mean"]) for row in rows] == [
        ("batch_size=1", "total", "20.0"),
        ("batch_size=2", "total", "10.0"),
    ]
    for form in ("markdown", "latex"):
        assert "by batch size" in render(report, form)  # type: ignore[arg-type]


def test_what_the_run_does_not_have_is_said(tmp_path: Path) -> None:
    run = sweep(tmp_path, {"fps=1": (0.5, 20.0, 1.0)})
    with pytest.raises(SelectionError, match="no task 'clip'"):
        speed_report(run, SpeedOptions(tasks=["clip"]))
    with pytest.raises(SelectionError, match="no metric 'f2'"):
        speed_report(run, SpeedOptions(metrics=["f2"]))
    bare = store(tmp_path / "bare", Cell("tiny", "clips", {"f1": [0.5] * 4}))
    with pytest.raises(SelectionError, match="nothing was timed"):
        speed_report(bare)
