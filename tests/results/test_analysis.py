from __future__ import annotations

from harness.results.analysis import AnalysisOptions, analyse
from harness.results.render import FORMATS, render
from harness.results.run import ScorerInfo
from harness.results.show import ShowOptions
from harness.results.store import RunReader, read_run

CHOICE = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)


def run_of(store, cell) -> RunReader:
    return read_run(
        store(
            *(
                cell("m", "crime", f"degrade={how}", {"choice": values}, infos={"choice": CHOICE})
                for how, values in (("none", [1.0] * 9 + [0.0]), ("noise:1", [1.0] * 3 + [0.0] * 7))
            )
        )
    )


def test_nothing_is_wanted_by_itself() -> None:
    assert not AnalysisOptions(ShowOptions()).wanted
    assert AnalysisOptions(ShowOptions(), by=["fps"]).wanted
    assert AnalysisOptions(ShowOptions(), examples=1).wanted


def test_robustness_comes_with_degradations_as_a_key(store, cell) -> None:
    run = run_of(store, cell)
    report = analyse(run, AnalysisOptions(ShowOptions(), by=["degrade"]))
    assert [row["ratio"] for row in report.records["robustness"]] == [3 / 9]
    assert report.notes[-1] == f"run {run.run_id}"
    other = analyse(run, AnalysisOptions(ShowOptions(), by=["model"]))
    assert "robustness" not in other.records


def test_all_at_once_in_every_format(store, cell) -> None:
    options = AnalysisOptions(ShowOptions(), ["degrade", "model"], True, True, True, 2)
    report = analyse(run_of(store, cell), options)
    assert {"by", "robustness", "classes", "examples", "headroom"} <= set(report.records)
    for form in FORMATS:
        assert "noise" in render(report, form)
