"""Checkpoints side by side: which is the best, which failed first, and may any be shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.gate_spec import GateSpec
from harness.errors import ExitCode, SelectionError
from harness.results.checkpoint_report import (
    CheckpointReport,
    Measure,
    Point,
    best_of,
    checkpoint_json,
    checkpoint_lines,
    checkpoint_markdown,
    choose_measure,
)
from harness.results.evidence import Demand, Evidence
from harness.results.gate import rule
from harness.results.manifest import CellRecord
from harness.results.onesided import OneSided
from harness.results.rulings import GateResult, Outcome, Ruling
from harness.results.run import ScorerInfo


def make_report(
    values: Mapping[int, tuple[float | None, Outcome]], *, higher_is_better: bool = True
) -> CheckpointReport:
    points, rulings = [], []
    for step, (value, outcome) in values.items():
        model = f"m-checkpoint-{step}"
        points.append(Point(step, model, value, n=4, outcome=outcome))
        rulings.append(Ruling("t", "", model, "x", "max_drop 0", outcome, "because"))
    return CheckpointReport(Measure("t", "", "x", higher_is_better), points, GateResult(rulings))


def test_of_equals_the_earlier_is_the_best() -> None:
    report = make_report({1: (0.1, "PASS"), 2: (0.5, "PASS"), 3: (0.5, "PASS")})
    assert report.best is not None
    assert report.best.step == 2
    less = make_report(
        {1: (0.5, "PASS"), 2: (0.1, "PASS"), 3: (0.1, "PASS")}, higher_is_better=False
    )
    assert less.best is not None
    assert less.best.step == 2
    assert "(less is better)" in checkpoint_lines(less)[0]


def test_the_exit_code_is_about_the_best_and_another_that_passes_is_named() -> None:
    report = make_report({1: (0.4, "PASS"), 2: (0.5, "PASS"), 3: (0.9, "FAIL")})
    assert report.exit_code == ExitCode.FAILED
    assert report.first_failed is not None
    lines = checkpoint_lines(report)
    assert lines[-3:] == [
        "first to fail: m-checkpoint-3",
        "best that passes: m-checkpoint-2 (x 0.500)",
        "gate: FAIL (best: m-checkpoint-3, x 0.900)",
    ]
    fine = make_report({1: (0.9, "PASS"), 2: (0.1, "FAIL"), 3: (0.2, "ERROR")})
    assert fine.exit_code == ExitCode.OK
    assert make_report({1: (0.9, "ERROR")}).exit_code == ExitCode.UNDECIDED


def test_of_all_equals_none_is_called_the_best() -> None:
    report = make_report({1: (0.5, "INCONCLUSIVE"), 2: (0.5, "INCONCLUSIVE"), 3: (None, "ERROR")})
    lines = checkpoint_lines(report)
    assert lines[-1].endswith("(none is best, all 2 have x 0.500: m-checkpoint-1)")
    assert not any("best" in line for line in lines[:-1])
    assert json.loads(checkpoint_json(report))["all_alike"] is True
    assert not make_report({1: (0.5, "PASS")}).alike
    assert not make_report({1: (0.5, "PASS"), 2: (0.6, "PASS")}).alike


def test_a_checkpoint_without_a_value_is_never_the_best() -> None:
    report = make_report({1: (None, "ERROR"), 2: (0.0, "PASS")})
    assert report.best is not None
    assert report.best.step == 2
    none = make_report({1: (None, "ERROR")})
    assert none.best is None
    assert none.exit_code == ExitCode.UNDECIDED
    assert checkpoint_lines(none)[-1] == "gate: ERROR (no checkpoint has a x)"
    assert best_of([], higher_is_better=True) is None


def test_programs_and_pull_requests_read_the_same() -> None:
    report = make_report({1: (0.4, "PASS"), 2: (0.9, "FAIL")})
    told = json.loads(checkpoint_json(report))
    assert (told["verdict"], told["exit_code"], told["best"]) == ("FAIL", 1, "m-checkpoint-2")
    assert [one["value"] for one in told["checkpoints"]] == [0.4, 0.9]
    assert len(told["rulings"]) == 2
    text = checkpoint_markdown(report)
    assert "x of t by step" in text
    assert "best that passes: m-checkpoint-1" in text


def worse(p: float) -> Evidence:
    spec = GateSpec(metric="x", max_drop=0.1)
    demand = Demand(spec, "max_drop", 0.1, metric="x", task="t", variant="", model="m", cell="t[m]")
    drop = OneSided(-0.5, -0.9, -0.2, p, 40, 40, 0.5, "t", "t")
    return Evidence(demand, n=40, units=40, before=0.9, after=0.4, drop=drop)


@given(st.lists(st.floats(0.0001, 1.0), min_size=1, max_size=12), st.data())
def test_what_fails_while_checkpoints_are_still_to_come_fails_in_the_end(
    values: list[float], data: st.DataObject
) -> None:
    """So that looking after each of them, and stopping, costs no more than looking once."""
    seen = data.draw(st.integers(1, len(values)))
    every = [worse(p) for p in values]
    early = rule(every[:seen], unseen=len(values) - seen)
    late = rule(every)[:seen]
    for now, then in zip(early, late, strict=True):
        assert now.outcome != "FAIL" or then.outcome == "FAIL"


def test_a_failure_must_stand_up_to_those_still_to_come() -> None:
    assert rule([worse(0.02)])[0].outcome == "FAIL"
    assert rule([worse(0.02)], unseen=9)[0].outcome != "FAIL"


def cell(*infos: ScorerInfo) -> CellRecord:
    return CellRecord("t[m]", "", "t", "", 1, "", "m", "", 4, 4, {"ok": 4}, infos)


def test_the_measure_is_named_or_the_first_line_of_a_gate_that_scores_have() -> None:
    one = cell(ScorerInfo("count", neutral=True), ScorerInfo("a"), ScorerInfo("bleu[13a]"))
    cost = ("t", GateSpec(metric="latency_p95_ms", max=3))
    line = ("t", GateSpec(metric="bleu", max_drop=0.1))
    assert choose_measure([one], [cost, line]).metric == "bleu[13a]"
    assert choose_measure([one], [cost, line], "a").metric == "a"
    assert choose_measure([one], []).metric == "a"
    with pytest.raises(SelectionError, match=r"no metric 'bleo' to choose by .there are: a, bleu"):
        choose_measure([one], [], "bleo")
    with pytest.raises(SelectionError, match="has no better side"):
        choose_measure([one], [], "count")
