"""`harness compare` as it is typed, with its exit codes: two sides, several, and mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.records import Completion, Sample, Score
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo
from harness.results.store import write_run

Invoke = Callable[..., tuple[int, str, str]]
START = datetime(2026, 11, 20, tzinfo=UTC)


class Runs:
    """A folder of runs, filled by hand."""

    def __init__(self, root: Path, invoke: Invoke) -> None:
        self.root, self.invoke, self.count = root / "runs", invoke, 0

    def add(self, *cells: CellResult) -> Path:
        """A run, a minute after the one before."""
        when = START + timedelta(minutes=self.count)
        self.count += 1
        return write_run(self.root, Run(cells, when, when))

    def compare(self, *words: str) -> tuple[int, str, str]:
        """The command on this folder."""
        return self.invoke("compare", *words, "--runs", str(self.root))

    def refused(self, *words: str) -> str:
        """The one line that a mistake gets."""
        code, out, err = self.compare(*words)
        assert (code, out) == (ExitCode.USAGE_ERROR, "")
        assert err.count("\n") == 1, err
        return err


@pytest.fixture
def runs(tmp_path: Path, invoke: Invoke) -> Runs:
    return Runs(tmp_path, invoke)


def model(
    name: str, values: Sequence[float], *, task: str = "quiz", version: int = 1, first: int = 0
) -> CellResult:
    """One model's scores on samples q0, q1..., or from another number on."""
    samples = [Sample(f"q{first + i}", f"Question {i}", "yes") for i in range(len(values))]
    rows = [CompletionRow(s.id, 0, Completion(s.id, "an answer")) for s in samples]
    scores = {"match": [Score(value) for value in values]}
    return CellResult(
        f"tasks/{task}.task.yaml::{task}[{name}]", name, task, "th", version, name, "",
        samples, rows, scores, [ScorerInfo("match")],
    )  # fmt: skip


RIGHT_2, RIGHT_9 = [1.0] * 2 + [0.0] * 8, [1.0] * 9 + [0.0]


def test_three_models_make_a_matrix(runs: Runs) -> None:
    runs.add(model("base", RIGHT_2), model("same", RIGHT_2), model("tuned", RIGHT_9))
    code, out, _ = runs.compare("base", "same", "tuned")
    assert code == 0
    assert "quiz: match (n=10)" in out
    assert "cochran q" in out
    code, out, _ = runs.compare("latest", "--format", "json")
    assert len(json.loads(out)["comparisons"]) == 3


def test_one_run_of_two_models_is_a_pair(runs: Runs) -> None:
    runs.add(model("base", RIGHT_2), model("tuned", RIGHT_9))
    code, out, _ = runs.compare("latest")
    assert code == 0
    assert "7/3/0" in out


def test_intersect_is_the_way_out_of_a_mismatch(runs: Runs) -> None:
    runs.add(model("a", RIGHT_2), model("b", RIGHT_9[:8], version=2))
    said = runs.refused("a", "b")
    assert "task versions 1 and 2; samples differ: 10 and 8, 8 in both" in said
    assert "(--intersect compares what both share)" in said
    code, out, _ = runs.compare("a", "b", "--intersect")
    assert code == 0
    assert "n=8" in out
    assert "MISMATCH allowed: task versions 1 and 2" in out


def test_missing_runs_and_models(runs: Runs) -> None:
    assert "no runs below" in runs.refused("a", "b")
    runs.add(model("base", RIGHT_2))
    assert "no run and no model 'bsae'" in runs.refused("bsae", "latest")
    assert "did you mean 'base'?" in runs.refused("bsae", "latest")
    assert "nothing to compare" in runs.refused("latest")
    assert "both sides are" in runs.refused("base", "latest:base")
    runs.add(model("other", RIGHT_2))
    assert "2 sides are" in runs.refused("base", "other", "base")


def test_a_half_written_run(runs: Runs) -> None:
    whole = runs.add(model("base", RIGHT_2))
    half = runs.add(model("tuned", RIGHT_9))
    (half / "manifest.json").unlink()
    assert "is not a whole run: it has no manifest.json" in runs.refused("base", str(half))
    (whole / "scores.parquet").write_bytes((whole / "scores.parquet").read_bytes()[:-100])
    runs.add(model("tuned", RIGHT_9))
    assert "scores.parquet: is damaged or cut short" in runs.refused("base", "tuned")


def test_no_sample_in_both(runs: Runs) -> None:
    runs.add(model("a", RIGHT_2), model("b", RIGHT_9, first=100))
    for words in (("a", "b"), ("a", "b", "--intersect")):
        assert "share no sample" in runs.refused(*words)


def test_an_unknown_metric_or_task(runs: Runs) -> None:
    runs.add(model("a", RIGHT_2), model("b", RIGHT_9))
    assert "no metric 'macth' to compare (did you mean 'match'?)" in runs.refused(
        "a", "b", "--metric", "macth"
    )
    assert "no task 'quizz' to compare (did you mean 'quiz'?)" in runs.refused(
        "a", "b", "--task", "quizz"
    )


def test_latex_has_a_number_a_cell(runs: Runs) -> None:
    runs.add(model("base", RIGHT_2), model("same", RIGHT_2), model("tuned", RIGHT_9))
    code, out, _ = runs.compare("base", "tuned", "--format", "latex")
    assert code == 0
    head, row = (line for line in out.splitlines() if line.endswith(r"\\") and "&" in line)
    assert [one.strip() for one in head.removesuffix(r"\\").split("&")] == [
        "metric", "n", "A", "B", "B - A", "p", "h"
    ]  # fmt: skip
    cells = [one.strip() for one in row.removesuffix(r"\\").split("&")]
    assert cells[:2] == ["match", "10"]
    assert all(re.fullmatch(r"\d\.\d+ \[\d.*, \d.*\]", one) for one in cells[2:4])
    assert re.fullmatch(r"0\.700 \[.*\]", cells[4].lstrip("+"))
    assert re.fullmatch(r"[\d.]+", cells[5])
    assert re.fullmatch(r"[+-]\d\.\d\d", cells[6])
    body = out.partition("\\begin")[2].partition("\\end")[0]
    assert "MDE" not in body
    code, out, _ = runs.compare("base", "same", "tuned", "--format", "latex")
    assert code == 0
    rows = [line.split("&") for line in out.splitlines() if "&" in line]
    assert [len(row) for row in rows] == [5] * 4
    assert all(
        re.fullmatch(r"([+-]?[\d.]+\*?)?", one.strip(" \\")) for r in rows[1:] for one in r[2:]
    )


@pytest.mark.parametrize("format_", ["table", "markdown", "latex", "csv", "json"])
@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.5] * 12, "no difference seen"),
        ([1.0] * 12, "no difference seen"),
        ([0.5], "too few"),
        ([float("nan")] * 3, "no pairs"),
    ],
)
def test_data_that_say_nothing_are_no_mistake(
    runs: Runs, values: list[float], word: str, format_: str
) -> None:
    runs.add(model("a", values), model("b", values), model("c", values))
    code, out, _ = runs.compare("a", "b", "--format", format_)
    assert code == 0
    # a paper's table has numbers only
    assert word in out.replace("difference\n", "difference ") or format_ in ("table", "latex")
    code, out, _ = runs.compare("a", "b", "c", "--format", format_)
    assert code == 0
    assert "nan" not in out


def test_a_score_that_is_no_number_is_left_out_and_counted(runs: Runs) -> None:
    runs.add(model("a", [float("nan"), *RIGHT_2]), model("b", [0.0, *RIGHT_9]))
    code, out, _ = runs.compare("a", "b")
    assert code == 0
    assert "n=10, 1 left out" in out
    assert "1 failed in A, 0 in B" in out


def test_without_a_name_the_command_says_what_it_needs(invoke: Invoke) -> None:
    code, _, err = invoke("compare")
    assert code == ExitCode.USAGE_ERROR
    assert "RUN|MODEL..." in err
