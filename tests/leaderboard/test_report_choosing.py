"""Which cells of the runs of a report count."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportruns import Cell, store

from harness.errors import StoreError
from harness.leaderboard.report.build import ReportOptions, make_report
from harness.leaderboard.report.evidence import gather
from harness.leaderboard.report.speed import stages
from harness.results.run import StageRow

VALUES = [0.2 + at / 50 for at in range(12)]
PROFILE = {"profile": "after 3 to warm up", "limit": "3"}


def test_a_limited_run_is_left_out_where_a_whole_one_is_there(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell("a", "base", {"f1": VALUES}))
    few = store(
        tmp_path,
        Cell("a", "tuned", {"f1": VALUES[:3]}),
        Cell("b", "tuned", {"f1": VALUES[:3]}),
        after=60,
        settings={"limit": "3"},
    )
    found = gather(tmp_path, [])
    assert [(one.cell.task, one.cell.model) for one in found.cells] == [
        ("a", "base"),
        ("b", "tuned"),
    ]
    assert found.notes == [
        f"tuned on a (run {few.name}): left out: --limit left 3 of 12 samples; "
        "others ran the task whole"
    ]
    # who names them means them
    with pytest.raises(StoreError, match="do not measure the same thing"):
        gather(tmp_path, [whole.name, few.name])


def test_a_run_whose_samples_all_failed_is_not_whole(tmp_path: Path) -> None:
    good = store(tmp_path, Cell("a", "base", {"f1": VALUES}))
    bad = store(tmp_path, Cell("a", "base", {"f1": [None] * 12}), after=60)
    other = store(tmp_path, Cell("a", "tuned", {"f1": [None] * 12}), after=90)
    found = gather(tmp_path, [])
    assert [run.run_id for run in found.runs] == [good.name]
    assert found.notes == [
        f"base on a, tuned on a (runs {bad.name}, {other.name}): left out: all samples of the "
        "run failed; others ran the task whole"
    ]
    assert [run.run_id for run in gather(tmp_path, [good.name, bad.name]).runs] == [good.name]


def test_a_profile_tells_of_speed_alone(tmp_path: Path) -> None:
    cells = [Cell("a", "base", {"f1": VALUES[:3]}, variant=f"batch_size={n}") for n in (1, 2)]
    times = [StageRow(cell.id, "total", 1.0, 2.0, 3.0) for cell in cells]
    store(tmp_path, *cells, profile=times, settings=PROFILE, after=60)
    assert len(gather(tmp_path, []).primary) == 2  # nothing else is there
    whole = store(tmp_path, Cell("a", "base", {"f1": VALUES}))
    for words in ([], [path.name for path in tmp_path.iterdir()]):
        found = gather(tmp_path, words)
        assert [run.run_id for run in found.runs] == [whole.name]
        assert [one.cell.variant for one in found.primary] == [""]
        assert [one.chosen.cell.variant for one in stages(found)] == [
            "batch_size=1",
            "batch_size=2",
        ]
        (note,) = found.notes
        assert note.endswith("a profile measures speed on a few rows; left out of all scores")
    files = make_report(tmp_path, ReportOptions(figures=False))
    assert b"batch" not in files["tables/master.md"]
    assert b"batch" in files["tables/latency.md"]
