"""What is said of judges beside their scores, of runs made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.records import Completion, Sample, Score, Verdict
from harness.results.judged import judge_notes
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo, SpecText, VerdictRow
from harness.results.store import read_run, write_run

JUDGE = """\
judge: strict
version: 1
model: api
template: strict.j2
criteria: [{name: accuracy, max: 100}]
"""
NOW = datetime(2026, 11, 20, tzinfo=UTC)
INFO = ScorerInfo("strict", kind="number", low=0, high=100, judge="strict", judged_by="api")


def cell(name: str, answers: list[tuple[str, int | None, float]]) -> CellResult:
    """A cell of answers with their text, tokens as the server counted them, and points."""
    ids = [f"{name}{n}" for n in range(len(answers))]
    done = [
        CompletionRow(id, 0, Completion(id, text, completion_tokens=tokens))
        for id, (text, tokens, _) in zip(ids, answers, strict=True)
    ]
    said = [
        VerdictRow(id, 0, 1, "t", Verdict("strict", "api", 0, "ok", {}, points, points / 100))
        for id, (_, _, points) in zip(ids, answers, strict=True)
    ]
    return CellResult(
        f"t::t[{name}]", name, "t", "t", 1, name, "", [Sample(id, "?", "!") for id in ids], done,
        {"strict": [Score(points) for _, _, points in answers]}, [INFO], verdicts=said,
    )  # fmt: skip


def length_notes(root: Path, *cells: CellResult) -> list[str]:
    specs = [SpecText("judge", "strict", "judges/strict.judge.yaml", JUDGE)]
    run = read_run(write_run(root, Run(cells, NOW, NOW, specs=specs)))
    return [note for note in judge_notes(run, run.manifest.cells) if "longer answers" in note]


def test_tokens_and_words_are_not_mixed_within_a_cell(tmp_path: Path) -> None:
    """All answers have five words; the server counted the tokens of the good ones only."""
    text = "Five words are in it."
    good, bad = [(text, 9, 80.0 + n) for n in range(6)], [(text, None, 10.0 + n) for n in range(6)]
    assert length_notes(tmp_path, cell("m", good + bad)) == []


@pytest.mark.parametrize("counted", [True, False])
def test_tokens_are_the_length_where_all_of_a_cell_were_counted(
    tmp_path: Path, counted: bool
) -> None:
    answers = [("One.", 5 * n + 5 if counted or n else None, 5.0 * n) for n in range(12)]
    assert bool(length_notes(tmp_path, cell("m", answers))) is counted


def test_a_better_and_wordier_model_is_no_taste_for_length(tmp_path: Path) -> None:
    flat = [10.0, 20, 20, 10, 10, 20, 20, 10]
    base = [("a " * (n % 4 + 1), None, points) for n, points in enumerate(flat)]
    tuned = [("a " * (n % 4 + 41), None, points + 70) for n, points in enumerate(flat)]
    assert length_notes(tmp_path, cell("base", base), cell("tuned", tuned)) == []
