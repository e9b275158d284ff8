"""`harness compare` and `harness show` as they are typed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.compare import FORMATS as COMPARE_FORMATS
from harness.cli.compare import compare
from harness.cli.show import FORMATS as SHOW_FORMATS
from harness.cli.show import show
from harness.errors import StoreError
from harness.records import Completion, Sample, Score
from harness.results.render import FORMATS
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo
from harness.results.store import write_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """One run of two models on one task of ten samples."""
    samples = [Sample(f"q{i}", f"Question {i}", "yes") for i in range(10)]

    def model(name: str, right: int) -> CellResult:
        rows = [CompletionRow(s.id, 0, Completion(s.id, f"{name} says")) for s in samples]
        scores = {"match": [Score(float(i < right)) for i in range(10)]}
        info = [ScorerInfo("match")]
        cell_id = f"tasks/quiz.task.yaml::quiz[{name}]"
        return CellResult(cell_id, name, "quiz", "th", 1, name, "", samples, rows, scores, info)

    now = datetime(2026, 11, 20, tzinfo=UTC)
    write_run(tmp_path, Run([model("base", 2), model("tuned", 9)], now, now))
    return tmp_path


def typed(command, *words: str, runs: Path) -> str:
    done = CliRunner().invoke(command, [*words, "--runs", str(runs)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_compare_prints_a_verdict(runs: Path) -> None:
    text = typed(compare, "base", "tuned", runs=runs)
    assert "7/3/0" in text
    assert "better" in text


def test_compare_writes_csv_and_json(runs: Path) -> None:
    (row,) = csv.DictReader(
        io.StringIO(typed(compare, "base", "tuned", "--format", "csv", runs=runs))
    )
    assert (row["a"], row["b"], row["verdict"]) == ("0.2", "0.9", "better")
    body = json.loads(typed(compare, "base", "tuned", "--format", "json", runs=runs))
    assert body["comparisons"][0]["wins"] == 7


def test_show_takes_the_latest_run_by_default(runs: Path) -> None:
    text = typed(show, "--model", "tuned", "--worst", "1", runs=runs)
    assert "answer  tuned says" in text
    assert "base" not in text


def test_runs_are_looked_for_in_the_project(
    runs: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path_factory.mktemp("project")
    (project / "tasks").mkdir()
    (project / "tasks" / "quiz.task.yaml").touch()
    runs.rename(project / "runs")
    monkeypatch.chdir(project / "tasks")
    done = CliRunner().invoke(show, [], catch_exceptions=False)
    assert "tuned" in done.stdout


def test_every_format_is_offered_and_works(runs: Path) -> None:
    assert COMPARE_FORMATS == SHOW_FORMATS == FORMATS
    for form in FORMATS:
        assert "match" in typed(compare, "base", "tuned", "--format", form, runs=runs)
        assert "match" in typed(show, "latest", "--format", form, runs=runs)


def test_mistakes_are_for_the_user_to_mend(runs: Path) -> None:
    for command, words in ((show, ["nobody"]), (compare, ["base", "nobody"])):
        done = CliRunner().invoke(command, [*words, "--runs", str(runs)])
        assert isinstance(done.exception, StoreError)
        assert "no run and no model 'nobody'" in str(done.exception)


def test_show_takes_run_and_model_as_compare_does(runs: Path) -> None:
    text = typed(show, "latest:tuned", runs=runs)
    assert "tuned" in text
    assert "base" not in text
    done = CliRunner().invoke(show, ["latest:tunde", "--runs", str(runs)])
    assert isinstance(done.exception, StoreError)
    assert "has no model 'tunde'; it has base, tuned" in str(done.exception)


def test_show_says_which_newer_run_is_not_whole(runs: Path) -> None:
    (runs / "20261120-235959-abcdef").mkdir()
    done = CliRunner().invoke(show, ["--runs", str(runs)], catch_exceptions=False)
    assert "20261120-235959-abcdef is not whole and was passed over" in done.stderr
    assert "passed over" not in done.stdout
    words = ["latest:base", "latest:tuned", "--runs", str(runs)]
    assert "passed over" in CliRunner().invoke(compare, words, catch_exceptions=False).stderr


def test_notes_fit_a_narrow_terminal(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = typed(compare, "base", "tuned", runs=runs)
    assert max(map(len, text.partition("[low, high]")[2].splitlines())) <= 40
