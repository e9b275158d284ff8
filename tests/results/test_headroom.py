from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.records import Sample
from harness.results.headroom import headroom, headroom_report, reached
from harness.results.run import ScorerInfo, SpecText
from harness.results.stats import Interval
from harness.results.store import RunReader, read_run, write_run
from harness.results.within import measurements

CHOICE = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)
GATE = """\
task: capitals
gate:
  - {metric: choice, min: 0.7}
  - {metric: choice, min: 0.3, per_class: kind}
  - {metric: choice, max_drop: 0.1}
  - {metric: nonsense, min: high}
"""


def run_of(tmp_path: Path, cell, make_run, values: list[float], text: str = GATE) -> RunReader:
    samples = [
        Sample(f"q{at}", "?", "yes", row={"kind": "old" if at < 5 else "new"})
        for at in range(len(values))
    ]
    built = cell(values={"choice": values}, infos={"choice": CHOICE}, samples=samples).build()
    spec = SpecText("task", "capitals", "tasks/capitals.task.yaml", text)
    return read_run(write_run(tmp_path, replace(make_run(built), specs=[spec])))


def rows(run: RunReader):
    return headroom(run, measurements(run, run.manifest.cells))


def test_minimums_of_all_and_of_each_class(tmp_path: Path, cell, make_run) -> None:
    found = rows(run_of(tmp_path, cell, make_run, [0.0] * 5 + [1.0] * 35))
    told = [(one.label, one.least, one.value, one.n, one.reached) for one in found]
    assert told == [
        ("", 0.7, 0.875, 40, "met"),  # Wilson: [0.739, 0.945]
        ("new", 0.3, 1.0, 35, "met"),
        ("old", 0.3, 0.0, 5, "undecided"),  # of 5 wrong ones Wilson's upper end is 0.434
    ]
    assert found[0].above == pytest.approx(0.175)


def test_the_interval_decides_and_without_one_the_value() -> None:
    around = Interval(0.6, 0.8, "wilson")
    assert [reached(0.7, around, least) for least in (0.6, 0.7, 0.9)] == [
        "met", "undecided", "not met",
    ]  # fmt: skip
    none = Interval(None, None, "degenerate")
    assert [reached(0.7, none, least) for least in (0.7, 0.71)] == ["met", "not met"]
    assert reached(None, none, 0.1) == "-"


def test_the_report_says_what_is_met(tmp_path: Path, cell, make_run) -> None:
    run = run_of(tmp_path, cell, make_run, [0.0] * 5 + [1.0] * 35)
    report = headroom_report(run, measurements(run, run.manifest.cells))
    (table,) = report.tables
    assert table.rows[0] == [
        "tiny", "choice", "", "0.7", "0.875", "[0.739, 0.945]", "+0.175", "met", "40",
    ]  # fmt: skip
    assert report.records["headroom"][1]["class"] == "new"


@pytest.mark.parametrize("text", ["task: capitals\n", "task: capitals\ngate: none\n", "]["])
def test_without_a_minimum_it_says_so(tmp_path: Path, cell, make_run, text: str) -> None:
    run = run_of(tmp_path, cell, make_run, [1.0, 0.0], text)
    report = headroom_report(run, measurements(run, run.manifest.cells))
    assert (list(report.tables), report.records["headroom"]) == ([], [])
    assert report.notes == [
        "No task of this choice declares a minimum; a line in the task's file does: "
        "`gate: [{metric: choice, min: 0.5}]`."
    ]


def test_a_line_may_be_about_another_task(tmp_path: Path, cell, make_run) -> None:
    text = "task: other\ngate:\n  - {metric: choice, task: capitals, min: 0.1}\n"
    run = run_of(tmp_path, cell, make_run, [1.0] * 9, text.replace("task: other", "task: capitals"))
    spec = replace(run.manifest.specs[0], name="other")
    run.manifest.__dict__["specs"] = (spec,)
    (found,) = rows(run)
    assert (found.least, found.reached) == (0.1, "met")
