"""Which figures runs can fill, and that the same runs make the same bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reportruns import Cell, store

from harness.errors import StoreError
from harness.leaderboard.charts import Chart, render
from harness.leaderboard.report.build import ReportOptions, make_report
from harness.leaderboard.report.class_tables import confused
from harness.leaderboard.report.evidence import gather
from harness.leaderboard.report.figures import make_charts, steady
from harness.leaderboard.report.speed import stages
from harness.results.run import ScorerInfo, StageRow

HIGH = [0.8 + at / 100 for at in range(12)]
LOW = [0.2 + at / 50 for at in range(12)]
BASE = {"tuned": "base"}
SHARE = ScorerInfo("f1", kind="number", low=0, high=1)


def charts(root: Path) -> dict[str, Chart]:
    evidence = gather(root, [])
    found = make_charts(evidence, confused(evidence), stages(evidence), root)
    return {one.name: one for one in found}


def test_differences_of_other_scales_have_figures_of_their_own(tmp_path: Path) -> None:
    points = ScorerInfo("points", kind="number", low=0, high=100)
    infos = {"f1": SHARE, "points": points}
    for_model = {"base": LOW, "tuned": HIGH}
    store(
        tmp_path,
        *(Cell("a", m, {"f1": v, "points": [100 * x for x in v]}, infos=infos)
          for m, v in for_model.items()),
        baselines=BASE,
    )  # fmt: skip
    found = charts(tmp_path)
    assert list(found) == ["differences_scale_up_to_1", "differences_scale_0_to_100"]
    ((label, difference, *_),) = found["differences_scale_up_to_1"].rows
    assert (label, difference) == ("a: f1", pytest.approx(0.545))


def test_a_claim_that_does_not_hold_is_drawn_as_none(tmp_path: Path) -> None:
    slightly = [one + 0.02 + 0.03 * (at % 3 - 1) for at, one in enumerate(LOW)]
    names = [f"m{at}" for at in range(30)]
    infos = {name: ScorerInfo(name, kind="number", low=0, high=1) for name in ["f1", *names]}
    others = dict.fromkeys(names, LOW)
    store(
        tmp_path,
        Cell("a", "base", {"f1": LOW, **others, "x": LOW}, infos=infos),
        Cell("a", "tuned", {"f1": LOW, **others, "x": slightly}, infos=infos),
        baselines=BASE,
    )
    evidence = gather(tmp_path, [])
    row = evidence.deltas["a", "", "x", "tuned"]
    assert row.claimed
    assert not row.holds
    assert charts(tmp_path)["differences_x"].rows[0][-1] == "no difference shown"


def test_classes_and_confusion(tmp_path: Path) -> None:
    targets = ["a"] * 5 + ["b"] * 5
    store(tmp_path, Cell("t", "m", choices=("a", "b"), targets=targets, answers=["a"] * 10))
    found = charts(tmp_path)
    assert [row[:3] for row in found["classes_t"].rows] == [("a", "m", 100.0), ("b", "m", 0.0)]
    assert ("m", "b", "a", 5, 1.0) in found["confusion_t"].rows


def test_curves_over_a_setting_and_heat_maps_over_two(tmp_path: Path) -> None:
    cells = [
        Cell("t", "m", {"f1": [fps / 10 + frames / 100] * 3}, variant=f"fps={fps},frames={frames}")
        for fps in (1, 6) for frames in (2, 8)
    ]  # fmt: skip
    store(tmp_path, *cells)
    found = charts(tmp_path)
    assert set(found) == {"curve_t_fps", "curve_t_frames", "heat_t_m_fps_frames"}
    assert {row[:2] for row in found["curve_t_fps"].rows} == {
        ("m [frames=2]", 1.0), ("m [frames=2]", 6.0), ("m [frames=8]", 1.0), ("m [frames=8]", 6.0),
    }  # fmt: skip
    assert ("6", "8", pytest.approx(0.68)) in found["heat_t_m_fps_frames"].rows


def test_each_of_two_sweeps_over_other_settings_has_its_curve(tmp_path: Path) -> None:
    store(tmp_path, *(Cell("t", "m", {"f1": LOW}, variant=f"fps={n}") for n in (1, 6)))
    ways = ("degrade=none,fps=6", "degrade=blur:0.5,fps=6")
    store(tmp_path, *(Cell("t", "m", {"f1": LOW}, variant=one) for one in ways), after=60)
    sizes = (f"batch_size={n}" for n in (1, 2))
    store(tmp_path, *(Cell("t", "m", {"f1": LOW}, variant=one) for one in sizes), after=90)
    assert set(charts(tmp_path)) == {"curve_t_fps", "curve_t_batch_size"}


def test_trade_off_latency_and_training(tmp_path: Path) -> None:
    one, two = Cell("t", "one", {"f1": LOW}), Cell("t", "two", {"f1": HIGH})
    profile = [
        StageRow(one.id, "generate", 1.0, 2.0, 3.0),
        StageRow(two.id, "generate", 10.0, 20.0, 30.0),
    ]
    store(tmp_path, one, two, profile=profile)
    write_curve(tmp_path, "two", {"step": [1, 2], "loss": [2.0, 1.0], "eval_loss": [None, 1.5]})
    found = charts(tmp_path)
    assert list(found) == ["trade_off_t", "latency_t", "training_two"]
    assert {row[0]: row[1] for row in found["trade_off_t"].rows} == {"one": 1.0, "two": 10.0}


def test_a_damaged_curve_is_told_in_one_line(tmp_path: Path) -> None:
    store(tmp_path, Cell("t", "one", {"f1": LOW}))
    write_curve(tmp_path, "one", {"other": [1]})
    with pytest.raises(StoreError, match=r"curve\.parquet: cannot be read"):
        charts(tmp_path)


def write_curve(root: Path, model: str, columns: dict[str, list[object]]) -> None:
    folder = root / "finetune" / model
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "curve.parquet")


def test_a_report_holds_every_figure_in_three_forms_and_the_same_bytes_again(
    tmp_path: Path,
) -> None:
    for_model = {"base": LOW, "tuned": HIGH}
    cells = [Cell("a", m, {"f1": v}, infos={"f1": SHARE}) for m, v in for_model.items()]
    store(tmp_path, *cells, baselines=BASE)
    files = make_report(tmp_path, ReportOptions())
    beginnings = {"pdf": b"%PDF-", "png": b"\x89PNG", "svg": b"<svg"}
    for form, begin in beginnings.items():
        assert files[f"figures/differences_scale_up_to_1.{form}"].startswith(begin)
    assert b"differences_scale_up_to_1.png)" in files["figures.md"]
    assert b"\\includegraphics[width=\\linewidth]{figures/differences" in files["paper.tex"]
    assert make_report(tmp_path, ReportOptions()) == files


def test_a_pdf_is_the_same_however_its_parts_were_shuffled(tmp_path: Path) -> None:
    one, two = Cell("t", "one", {"f1": LOW}), Cell("t", "two", {"f1": HIGH})
    profile = [StageRow(cell.id, "generate", 1.0 + at) for at, cell in enumerate((one, two))]
    store(tmp_path, one, two, profile=profile)
    (chart,) = charts(tmp_path).values()
    drawn = [render(chart, "pdf") for _ in range(6)]
    assert len({steady(one) for one in drawn}) == 1
    assert all(len(steady(one)) == len(one) for one in drawn)
