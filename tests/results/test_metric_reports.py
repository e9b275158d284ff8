"""The reports of POPE, form errors and frame localisation, from scores as the scorers give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.results.answers import answers
from harness.results.class_report import class_report
from harness.results.render import FORMATS, render
from harness.results.run import CellResult, CompletionRow, ScorerInfo
from harness.results.store import RunReader, read_run, write_run
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer


@pytest.fixture
def scored(tmp_path: Path, make_run):
    def make(metric: str, samples: list[Sample], texts: list[str | None]) -> RunReader:
        done = [
            Completion(s.id, text=text)
            if text is not None
            else Completion(s.id, error="broke", finish_reason="error")
            for s, text in zip(samples, texts, strict=True)
        ]
        scorer = make_scorer(ScoreSpec(metric=metric), ScorerContext())
        rows = [CompletionRow(one.id, 0, one) for one in done]
        info = ScorerInfo(scorer.name, kind=scorer.scale.kind, low=0.0, high=1.0)
        name = f"tasks/t.task.yaml::t[{metric}]"
        found = {scorer.name: scorer.score(samples, done)}
        cell = CellResult(name, metric, "t", "th", 1, "m", "", samples, rows, found, [info])
        return read_run(write_run(tmp_path, make_run(cell)))

    return make


def test_pope(scored) -> None:
    samples = [
        Sample(f"q{n}", "A cat?", t) for n, t in enumerate(["yes"] * 4 + ["no"] * 4 + ["no"])
    ]
    texts = ["Yes", "yes", "No", "yes", "Yes.", "no", "No", "no", None]
    run = scored("pope", samples, texts)
    report = class_report(run, run.manifest.cells)
    (row,) = report.records["pope"]
    assert (row["n"], row["n_error"], row["accuracy"], row["yes_ratio"]) == (8, 1, 0.75, 0.5)
    assert (row["precision"], row["recall"], row["f1"]) == (0.75, 0.75, 0.75)
    (summary,) = report.records["summary"]
    assert summary["balanced_accuracy"] == 0.75
    assert any("POPE" in table.title for table in report.tables)


def test_form_errors(scored) -> None:
    samples = [
        Sample("a", "?", "", row={"errors": ["knee_valgus"]}),
        Sample("b", "?", "", row={"errors": ["forward_lean"]}),
        Sample("c", "?", "", row={"errors": []}),
    ]
    texts = ['{"errors": ["knee_valgus"]}', '{"errors": ["knee_valgus"]}', '{"errors": []}']
    run = scored("error_f1", samples, texts)
    report = class_report(run, run.manifest.cells)
    found = {row["error"]: row for row in report.records["errors"]}
    assert [found["knee_valgus"][key] for key in ("precision", "recall")] == [0.5, 1.0]
    assert found["forward_lean"]["recall"] == 0.0
    (overall,) = report.records["errors_overall"]
    assert overall["f1"] == pytest.approx(0.5)
    (matrix,) = (one for one in report.tables if "target (row)" in one.title)
    missed = next(row for row in matrix.rows if "forward_lean" in row[0])
    assert "1" in missed[1:]
    for form in FORMATS:
        assert "macro" in render(report, form)


def test_frame_localisation(scored) -> None:
    samples = [Sample(f"q{n}", "?", "", row={"error_times": [1.0, 4.0]}) for n in range(2)]
    run = scored("frame_localization", samples, ["at 1.2 s and 3.8 s", "at 9 s"])
    (row,) = class_report(run, run.manifest.cells).records["localization"]
    assert (row["matched"], row["told"], row["true"]) == (2, 3, 4)
    assert row["mean_offset"] == pytest.approx(0.2)
    assert row["recall"] == 0.5


def test_exercises_are_classes_by_name(scored) -> None:
    names = ["squats", "squats", "lunges", "planks"]
    samples = [Sample(f"q{n}", "?", "", row={"exercise": one}) for n, one in enumerate(names)]
    run = scored("exercise_identification", samples, ["squats", "lunges", "a lunge", "nothing"])
    report = class_report(run, run.manifest.cells)
    found = {row["class"]: row["recognised"] for row in report.records["classes"]}
    assert found == {"lunges": 1.0, "planks": 0.0, "squats": 0.5}
    pairs = [(row["truth"], row["answer"]) for row in report.records["confused"]]
    assert pairs == [("planks", "(unreadable)"), ("squats", "lunges")]
    assert "positions" not in report.records


def test_what_is_whole_has_rows_and_details(scored) -> None:
    samples = [Sample("q", "?", "", cluster="v", row={"error_times": [1.0]})]
    run = scored("frame_localization", samples, ["at 1 s"])
    (cell,) = run.manifest.cells
    (plain,) = answers(run, cell, cell.scorers[0])
    (whole,) = answers(run, cell, cell.scorers[0], whole=True)
    assert (plain.sample.row, plain.score.detail) == ({}, ())
    assert (whole.sample.row, whole.sample.cluster) == ({"error_times": [1.0]}, "v")
    assert whole.score.detail == (1.0, 1.0, 1.0, 0.0)
