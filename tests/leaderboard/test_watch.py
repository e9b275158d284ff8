"""What the page of running tests is told, and when the site is built anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from watching import until

from harness.errors import HarnessError
from harness.leaderboard.watch import Watch
from harness.records import Completion, Sample, Score
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo
from harness.results.store import RunReader, write_run
from harness.runner.live import LiveAnswer, LiveCell, LiveFile, LiveJudge, LiveRun, Process

BEGAN = datetime(2026, 11, 29, 14, 16, 5, 123000, UTC)
GONE = replace(Process.this(), born="never")


def store(runs: Path, started: datetime = BEGAN) -> Path:
    """A whole run with one answer."""
    cell = CellResult(
        cell_id="t[zeta]",
        cell_hash="h",
        task="sums",
        task_hash="th",
        task_version=1,
        model="zeta",
        variant="",
        samples=(Sample("s0", "Question?", "1"),),
        completions=[CompletionRow("s0", 0, Completion("", text="1"))],
        scores={"exact_match": [Score(1.0)]},
        scorers=[ScorerInfo(name="exact_match", version=1, higher_is_better=True)],
    )
    return write_run(runs, Run([cell], started, started + timedelta(seconds=1)))


class Folder:
    """A folder of runs, one that writes live files into it, and a watch with what it said."""

    def __init__(self, runs: Path, named: Sequence[Path] = ()) -> None:
        self.runs, self.said, self.built = runs, [""], list[list[Path]]()
        self._begun = 0
        self.watch = Watch(runs, named, self._build, self.said.append)

    def _build(self, paths: Sequence[Path]) -> None:
        for path in paths:
            RunReader(path).metrics()
        self.built.append(list(paths))

    def begin(self, done: int = 2, process: Process | None = None, task: str = "sums") -> LiveFile:
        cell = LiveCell(task, "zeta", "", total=8, done=done, cached=1, failed=1)
        when = BEGAN.isoformat(timespec="milliseconds")
        who = process or Process.this()
        run = LiveRun(1, who, when, (task,), ("zeta",), "asking zeta", (cell,), rate=2.0)
        answers = (LiveAnswer(0, "s0", "one"), LiveAnswer(0, "s1", "", "timed out"))
        judges = (LiveJudge("strict", 8, 1, 0, 0.25),)
        run = replace(run, answers=answers, judges=judges, seconds_left=3.0)
        self._begun += 1  # as two runs never begin in the same process at once
        file = LiveFile(self.runs, BEGAN + timedelta(seconds=self._begun), lambda: run)
        file.write()
        return file

    def look(self) -> list[dict[str, object]]:
        self.watch.look()
        self.watch.finish()
        rows = self.watch.live()["runs"]
        assert isinstance(rows, list)
        return rows


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    runs = tmp_path / "runs"
    runs.mkdir()
    return Folder(runs)


def test_a_run_at_work_is_told_whole(folder: Folder) -> None:
    folder.watch.build()
    folder.begin()
    (row,) = folder.look()
    assert folder.watch.running
    id, seconds = str(row.pop("id")), row.pop("seconds")
    assert id.startswith("20261129-141606-")
    assert isinstance(seconds, float)
    assert row == {
        "state": "running",
        "words": "running",
        "href": None,
        "run": None,
        "started": "2026-11-29T14:16:05.123+00:00",
        "tasks": ["sums"],
        "models": ["zeta"],
        "phase": "asking zeta",
        "waiting": "",
        "done": 2,
        "total": 8,
        "failed": 1,
        "cached": 1,
        "rate": 2.0,
        "left": 3.0,
        "cells": [
            {
                "task": "sums",
                "model": "zeta",
                "variant": "",
                "total": 8,
                "done": 2,
                "cached": 1,
                "failed": 1,
            }
        ],
        "judges": [{"judge": "strict", "total": 8, "done": 1, "failed": 0, "cost": 0.25}],
        "answers": [
            {"cell": 0, "sample": "s0", "text": "one", "error": None},
            {"cell": 0, "sample": "s1", "text": "", "error": "timed out"},
        ],
    }


def test_a_run_that_finishes_is_on_the_site_and_has_a_link(folder: Folder) -> None:
    folder.watch.build()
    assert folder.built == [[]]
    first = folder.watch.live()
    assert (first["newest"], first["runs"]) == (None, [])
    file = folder.begin()
    folder.look()
    run = store(folder.runs)
    file.end()
    (row,) = folder.look()
    assert folder.built[-1] == [run]
    assert (row["state"], row["run"], row["href"]) == ("finished", run.name, "index.html")
    again = folder.watch.live()
    assert again["newest"] == run.name
    assert again["version"] != first["version"]
    assert folder.said[-1].startswith("the site of 1 run was built in")
    assert not folder.watch.running
    folder.look()
    assert folder.watch.live()["version"] == again["version"]


def test_a_finished_run_has_no_link_before_it_is_on_the_site(folder: Folder) -> None:
    folder.watch.build()
    file = folder.begin()
    folder.look()
    store(folder.runs)
    file.end()
    folder.watch._changed()
    (row,) = folder.watch.live()["runs"]  # type: ignore[misc, attr-defined]
    assert (row["state"], row["href"]) == ("finished", None)


def test_another_run_of_the_same_second_is_not_taken_for_it(folder: Folder) -> None:
    folder.watch.build()
    file = folder.begin()
    folder.look()
    store(folder.runs, BEGAN + timedelta(milliseconds=1))
    file.end()
    (row,) = folder.look()
    assert (row["state"], row["run"]) == ("stopped", None)
    assert row["words"] == "stopped; run the same command again to go on"


def test_a_run_that_was_killed_is_told_once_kept_on_the_page_and_tidied_up(folder: Folder) -> None:
    folder.watch.build()
    file = folder.begin(process=GONE)
    line = "sums on zeta: 2 of 8 answers, then killed; run the same command again to go on"
    for _ in range(3):
        (row,) = folder.look()
        assert (row["state"], row["done"]) == ("killed", 2)
        assert row["words"] == "killed; run the same command again to go on"
    assert not file.path.exists()
    assert folder.said.count(line) == 1


def test_a_run_that_was_killed_after_it_was_stored_is_finished(folder: Folder) -> None:
    folder.watch.build()
    folder.begin(process=GONE)
    run = store(folder.runs)
    (row,) = folder.look()
    assert (row["state"], row["run"]) == ("finished", run.name)


def test_what_cannot_be_tidied_up_is_told_once_all_the_same(
    folder: Folder, no_override: None
) -> None:
    folder.watch.build()
    file = folder.begin(process=GONE)
    folder.runs.chmod(0o500)
    for _ in range(3):
        (row,) = folder.look()
        assert row["state"] == "killed"
    assert len([line for line in folder.said if "killed" in line]) == 1
    folder.runs.chmod(0o700)
    assert file.path.exists()


def test_the_same_command_again_takes_the_place_of_what_was_killed(folder: Folder) -> None:
    folder.watch.build()
    folder.begin(process=GONE)
    assert [row["state"] for row in folder.look()] == ["killed"]
    folder.begin(done=3)
    assert [(row["state"], row["done"]) for row in folder.look()] == [("running", 3)]
    folder.begin(task="others")
    assert [row["tasks"] for row in folder.look()] == [["others"], ["sums"]]


def test_a_damaged_run_is_told_once_and_left_out(folder: Folder) -> None:
    whole, cut, none = (store(folder.runs, BEGAN + timedelta(hours=n)) for n in range(3))
    (cut / "metrics.parquet").write_bytes((cut / "metrics.parquet").read_bytes()[:99])
    (none / "manifest.json").write_text("{", encoding="utf-8")
    folder.watch.build()
    assert folder.built == [[whole]]
    faults = [line for line in folder.said if line.startswith("left out: ")]
    assert len(faults) == 2
    assert any(cut.name in line for line in faults)
    assert any(none.name in line for line in faults)
    more = store(folder.runs, BEGAN + timedelta(hours=4))
    folder.look()
    assert folder.built[-1] == [more, whole]
    assert [line for line in folder.said if line.startswith("left out: ")] == faults


def test_a_site_that_cannot_be_built_is_told_in_one_line_and_not_tried_for_ever(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    tries: list[int] = []

    def build(paths: Sequence[Path]) -> None:
        tries.append(len(paths))
        if paths:
            raise HarnessError("cannot write the site to x: No space left on device")

    watch = Watch(tmp_path, [], build, said.append)
    watch.build()
    version = watch.live()["version"]
    store(tmp_path)
    for _ in range(3):
        watch.look()
        watch.finish()
    assert tries == [0, 1]
    assert said[1:] == [
        "the site was not built anew: cannot write the site to x: No space left on device"
    ]
    assert watch.live()["version"] == version


def test_named_runs_and_those_that_finish_meanwhile_are_the_site(folder: Folder) -> None:
    old, other = store(folder.runs), store(folder.runs, BEGAN + timedelta(hours=1))
    own = Folder(folder.runs, named=[old])
    own.watch.build()
    assert own.built == [[old]]
    new = store(folder.runs, BEGAN + timedelta(hours=2))
    own.look()
    until(lambda: len(own.built) == 2)
    assert set(own.built[-1]) == {old, new}
    assert other not in own.built[-1]
    assert own.watch.live()["newest"] == new.name


def test_what_is_told_is_json_whatever_a_model_wrote(folder: Folder) -> None:
    folder.watch.build()
    folder.begin(task="\ud800</script>\u2028")
    assert json.loads(json.dumps(folder.watch.live())) == folder.watch.live()
    (row,) = folder.look()
    assert row["tasks"] == ["\ud800</script>\u2028"]
