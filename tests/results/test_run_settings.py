"""What was set of a task, for the run and in a variant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.results.run import SpecText
from harness.results.run_settings import answered_by, run_settings, task_as_run
from harness.results.store import read_run, write_run

TASK = "task: capitals\nanswer: letter\ndata: {path: a.jsonl, split: test}\n"


@pytest.fixture
def stored(tmp_path: Path, cell, make_run):
    built = cell(variant="answer=text,fps=2", values={"match": [1.0]}).build()
    given = {"set": "data.path=b c.jsonl fps=1,2 quantize=int8 colour=red data.split=val"}
    run = replace(make_run(built), settings=given)
    run = replace(run, specs=[SpecText("task", "capitals", "capitals.task.yaml", TASK)])
    return read_run(write_run(tmp_path, run))


def test_settings_of_the_run_and_the_variant(stored) -> None:
    found = run_settings(stored, stored.manifest.cells[0])
    paths = {"data.path": "b c.jsonl", "data.split": "val", "answer": "text", "media.fps": 2}
    assert {key: found[key] for key in paths} == paths
    assert "colour" not in found


def test_they_stand_above_the_file(stored) -> None:
    task = task_as_run(stored, stored.manifest.cells[0])
    assert task["data"] == {"path": "b c.jsonl", "split": "val"}
    assert answered_by(task) == "words"


def test_how_a_choice_was_given() -> None:
    ways = [{"answer": "likelihood"}, {"output_type": "choices"}, {"answer": "letter"}, {}]
    assert [answered_by(one) for one in ways] == ["weighed", "weighed", "letters", "letters"]
