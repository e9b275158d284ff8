"""Runs as they can be downloaded."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from siteruns import JUDGED, Cell, everything, store, verdict

from harness.leaderboard.downloads import run_files, without_paths
from harness.leaderboard.texts import Texts
from harness.records import Sample, Score
from harness.results.run import ScorerInfo, SpecText
from harness.results.store import RunReader, read_run


def rich(root: Path) -> RunReader:
    """A run with texts everywhere; "Ann" is in all of them."""
    samples = [
        Sample("a", "Ann asks?", "Ann!", choices=("Ann", "Bo"), row={"x": ['"Ann"'], "n": 5551234}),
        Sample("b", "Bo asks?", "Bo!", media=("Ann.png",)),
    ]
    cell = Cell(
        values={
            "exact_match": [Score(1.0, answer="READ Ann", explanation="NOTE Ann"), None],
            "strict[nli]": [0.5, None],
        },
        infos={"strict[nli]": JUDGED},
        texts=["ANSWER Ann", ""],
        prompts=["PROMPT Ann", "PROMPT Bo"],
        errors={1: "FAULT Ann"},
        samples=samples,
        verdicts=[[verdict(0.5, reasoning="REASON Ann", raw="RAW Ann")],
                  [verdict(None, error="QUOTED Ann", raw="BAD Ann")]],
    )  # fmt: skip
    spec = SpecText("task", "sums", "tasks/sums.task.yaml", 'task: sums\nby: "Ann"\n')
    return store(root, cell, specs=[spec])


def written(
    run: RunReader, to: Path, texts: Texts, kept: Collection[str] | None = None
) -> RunReader:
    """The run as it is read by whoever downloads it."""
    to.mkdir(parents=True)
    for name, body in run_files(run, texts, lambda task, variant: kept, ()):
        (to / name).write_bytes(body)
    found = read_run(to)
    found.verify()
    return found


def column(run: RunReader, table: Any, name: str) -> list[Any]:
    values: list[Any] = run.table(table, [name]).column(name).to_pylist()
    return values


def test_a_run_that_may_be_told_whole_is_byte_for_byte_the_stored_one(tmp_path: Path) -> None:
    run = rich(tmp_path / "runs")
    found = written(run, tmp_path / "site", Texts())
    for part in run.manifest.parts:
        assert (found.path / part.file).read_bytes() == (run.path / part.file).read_bytes()
    assert found.manifest == run.manifest


def test_without_texts_neither_answers_nor_replies_nor_prompts_nor_errors(tmp_path: Path) -> None:
    run = rich(tmp_path / "runs")
    found = written(run, tmp_path / "site", Texts(answers=False))
    told = everything(found.path)
    for word in ("ANSWER", "READ", "NOTE", "PROMPT", "FAULT", "REASON", "RAW", "QUOTED", "BAD"):
        assert word in everything(run.path)
        assert word not in told
    for word in ("Ann asks?", "Bo!", "Ann.png"):  # inputs and references stay
        assert word in told
    for table, name in (
        ("scores", "value"),
        ("verdicts", "total"),
        ("completions", "finish_reason"),
    ):
        assert column(found, table, name) == column(run, table, name)


def test_what_is_redacted_is_gone_from_every_table_and_from_the_specs(tmp_path: Path) -> None:
    run = rich(tmp_path / "runs")
    assert "Ann" in everything(run.path)
    found = written(run, tmp_path / "site", Texts.of(["Ann", r"\d{7}"]))
    assert "Ann" not in everything(found.path)
    assert "5551234" not in everything(found.path)
    rows = [json.loads(row) for row in column(found, "samples", "row")]
    assert rows[0] == {"x": ['"[redacted]"'], "n": "[redacted]"}
    assert column(found, "samples", "choices") == [["[redacted]", "Bo"], []]
    assert found.manifest.specs[0].text == 'task: sums\nby: "[redacted]"\n'


def test_a_pattern_that_is_everywhere_leaves_a_run_that_can_be_read(tmp_path: Path) -> None:
    run = rich(tmp_path / "runs")
    found = written(run, tmp_path / "site", Texts.of(["[a-z0-9]"]))
    assert found.run_id == run.run_id
    assert found.manifest.cells == run.manifest.cells
    assert column(found, "completions", "sample") == ["a", "b"]
    assert found.metrics() == run.metrics()


def test_samples_that_are_not_kept_have_scores_and_no_texts(tmp_path: Path) -> None:
    run = rich(tmp_path / "runs")
    found = written(run, tmp_path / "site", Texts(), kept={"b"})
    assert column(found, "completions", "text") == [None, ""]
    assert column(found, "completions", "prompt") == [None, "PROMPT Bo"]
    assert column(found, "samples", "input") == [None, "Bo asks?"]
    assert column(found, "samples", "choices") == [[], []]
    assert column(found, "samples", "sample") == ["a", "b"]
    assert column(found, "verdicts", "raw") == [None, "BAD Ann"]
    assert column(found, "scores", "value") == column(run, "scores", "value")


def test_the_same_run_makes_the_same_bytes(tmp_path: Path) -> None:
    run = rich(tmp_path / "runs")
    texts = Texts.of(["Ann"])
    one, two = (dict(run_files(read_run(run.path), texts, lambda *_: None, ())) for _ in "ab")
    assert one == two


def test_large_tables_are_filtered_whole(tmp_path: Path) -> None:
    count = 17_000  # more than are read at once
    infos = {"m": ScorerInfo("m")}
    run = store(tmp_path / "runs", Cell(values={"m": [1.0] * count}, infos=infos))
    found = written(run, tmp_path / "site", Texts.of(["answer 1699[0-9]"]))
    texts = column(found, "completions", "text")
    assert len(texts) == count
    assert texts[16_989:16_991] == ["answer 16989 of base", "[redacted] of base"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/home/me/project/tasks/x.yaml", "tasks/x.yaml"),
        ("base: /home/me/weights", "base: weights"),
        ("/home/me2/x", "/home/me2/x"),
        ("/home/me.old/x", "/home/me.old/x"),
        ("in /home/me: x", "in : x"),
        ("/backup/home/me/x", "/backup/home/me/x"),
        ('"/home/me/project"', '""'),
    ],
)
def test_folders_of_this_machine_are_cut_off(text: str, found: str) -> None:
    home = [Path("/home/me"), Path("/home/me/project"), Path("/")]
    assert without_paths(text, home) == found


@given(st.text())
def test_where_no_folder_is_named_a_text_stays(text: str) -> None:
    assert without_paths(text, [Path("/"), Path("/home/me/nobody")]) == text
