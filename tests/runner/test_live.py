"""The file of a run at work: whole at every moment, gone at the end, and no run's trouble."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faultserver import FaultServer
from judged import judged as judged
from judged import server as server
from watching import Slow, process_of, until
from watching import slow as slow

from harness.runner.live import (
    TEXT_LENGTH,
    LiveCell,
    LiveFile,
    LiveRun,
    Process,
    look,
    remove_killed,
    shortened,
)
from harness.runner.work import place_of

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
BEGAN = datetime(2026, 11, 29, 14, 16, 5, 123456, UTC)


def told(process: Process | None = None, **more: object) -> LiveRun:
    cell = LiveCell("sums", "zeta", "", total=6, done=2)
    who = process or Process.this()
    run = LiveRun(1, who, BEGAN.isoformat(), ("sums",), ("zeta",), "asking zeta", (cell,))
    return replace(run, **more)  # type: ignore[arg-type]


def write(runs: Path, run: LiveRun) -> Path:
    file = LiveFile(runs, BEGAN, lambda: run)
    file.write()
    return file.path


def dead() -> Process:
    """A process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    born = Process(process.pid, "", "")
    code = "import sys; from harness.runner import live; print(live._born(int(sys.argv[1])))"
    words = [sys.executable, "-c", code, str(process.pid)]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    process.communicate()
    return replace(born, born=text, machine=Process.this().machine)


def test_what_is_written_is_read_and_readers_of_runs_pass_over_it(tmp_path: Path) -> None:
    file = LiveFile(tmp_path, BEGAN, told)
    file.begin()
    (one,) = look(tmp_path)
    assert (one.run, one.killed) == (told(), False)
    assert one.path.name == f".live-20261129-141605-123456-{os.getpid()}.json"
    file.end()
    file.write()
    assert list(tmp_path.iterdir()) == []


def test_something_new_is_written_without_anybody_waiting_for_it(tmp_path: Path) -> None:
    phases = ["preparing", "asking zeta"]
    file = LiveFile(tmp_path, BEGAN, lambda: told(phase=phases[0]))
    file.begin()
    phases.pop(0)
    file.touch()
    until(lambda: look(tmp_path)[0].run.phase == "asking zeta")
    file.end()


def test_a_process_that_is_gone_was_killed(tmp_path: Path) -> None:
    path = write(tmp_path, told(dead()))
    assert [one.killed for one in look(tmp_path)] == [True]
    remove_killed(tmp_path)
    assert not path.exists()


def test_a_number_that_was_given_again_is_not_the_process(tmp_path: Path) -> None:
    this = Process.this()
    other = replace(this, born=this.born[:-1] + str((int(this.born[-1]) + 1) % 10))
    write(tmp_path, told(other))
    assert [one.killed for one in look(tmp_path)] == [True]


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    machine = Process.this().machine
    zombie = Process(process.pid, "", machine)
    assert zombie.gone is False
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert zombie.gone is True
    process.communicate()


def test_another_machines_run_is_at_work_until_it_is_silent_for_long(tmp_path: Path) -> None:
    path = write(tmp_path, told(Process(1, "x", "another machine")))
    assert [one.killed for one in look(tmp_path)] == [False]
    os.utime(path, (0, 0))
    assert [one.killed for one in look(tmp_path)] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema_version": 1}',
        "[" * 100_000,
        json.dumps({"schema_version": "1"}),
        b"\xff\xfe".decode("latin-1"),
    ],
)
def test_what_is_no_live_file_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / ".live-x.json").write_text(text, encoding="latin-1")
    write(tmp_path, told())
    assert [one.run for one in look(tmp_path)] == [told()]
    (tmp_path / ".live-folder.json").mkdir()
    remove_killed(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_time_that_is_none_and_a_later_version_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, told(started="soon"))
    assert look(tmp_path) == []
    write(tmp_path, told(schema_version=2))
    assert look(tmp_path) == []


def test_no_folder_holds_no_run_at_work(tmp_path: Path) -> None:
    assert look(tmp_path / "runs") == []
    remove_killed(tmp_path / "runs")


def test_a_folder_that_cannot_be_written_or_is_gone_stops_nothing(
    tmp_path: Path, no_override: None
) -> None:
    tmp_path.chmod(0o500)
    for runs in (tmp_path, tmp_path / "gone"):
        file = LiveFile(runs, BEGAN, told)
        file.begin()
        file.end()
    tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from harness.runner.live import LiveFile, LiveRun, Process, look
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = LiveRun(1, Process.this(), "2026-11-29T14:16:05+00:00", (), (), "x" * 5000, ())
file = LiveFile(Path(sys.argv[1]), datetime.now(UTC), lambda: run)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
file.begin()
print(look(Path(sys.argv[1])))
file.end()
"""
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_long_text_is_cut_and_says_so() -> None:
    assert shortened("x" * TEXT_LENGTH) == "x" * TEXT_LENGTH
    long = shortened("x" * TEXT_LENGTH + "y")
    assert (len(long), long[-2:]) == (TEXT_LENGTH, "x\u2026")


def test_the_place_of_a_request_survives_any_name_of_a_sample() -> None:
    assert place_of("sums[3]/a/b#c#0") == ("sums[3]", "a/b#c")


# --------------------------------------------------------------------------- of a real run


def test_a_run_tells_how_far_it_is(slow: Slow) -> None:
    slow.allow(2)
    runs = slow.project.root / "runs"
    with slow.running("--epochs", "1", "--set", "generate.max_new_tokens=4,8") as process:
        until(lambda: [one.run.counts for one in look(runs)] == [(2, 12)])
        (one,) = look(runs)
        assert (one.killed, one.run.process.pid) == (False, process.pid)
        assert one.run.phase == "asking slow"
        assert [(c.done, c.total, c.variant) for c in one.run.cells] == [
            (2, 6, "generate.max_new_tokens=4"),
            (0, 6, "generate.max_new_tokens=8"),
        ]
        assert [(a.cell, a.sample) for a in one.run.answers] == [(0, "s0"), (0, "s1")]
        assert one.run.answers[0].text.startswith("echo Question: What is 0 and 1?")
        assert one.run.rate is not None
        assert one.run.seconds_left == pytest.approx(10 / one.run.rate)
        slow.allow(1000)
        assert process.wait() == 0
    assert slow.files() == []
    (run,) = [path for path in runs.iterdir() if not path.name.startswith(".")]
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["started"] == one.run.started


def test_ctrl_c_and_an_error_remove_the_file(slow: Slow) -> None:
    with slow.running() as process:
        until(slow.files)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 2
    assert slow.files() == []
    slow.project.write("adapters/none.jsonl", "no json\n")
    slow.project.write(
        "adapters/none.model.yaml", "model: none\nadapter: replay\ncompletions: ./none.jsonl\n"
    )
    assert slow.project.harness("run", "sums", "-m", "none").returncode == 4
    assert slow.files() == []


def test_kill_9_is_seen_and_the_next_run_tidies_up(slow: Slow) -> None:
    slow.allow(3)
    runs = slow.project.root / "runs"
    with slow.running() as process:
        until(lambda: [one.run.counts for one in look(runs)] == [(3, 6)])
        process.kill()
        until(lambda: [one.killed for one in look(runs)] == [True])
    slow.allow(1000)
    done = slow.project.harness("run", "sums", "-m", "slow", NO_PROXY="127.0.0.1")
    assert (done.returncode, slow.files()) == (0, [])
    assert "3 from the cache" in done.stderr


def test_two_runs_at_once_have_a_file_each(slow: Slow) -> None:
    slow.add_model("other")
    with slow.running(), slow.running(model="other"):
        until(lambda: len(slow.files()) == 2)
        models = {one.run.models for one in look(slow.project.root / "runs")}
        assert models == {("slow",), ("other",)}


def test_judges_tell_how_far_they_are_and_what_they_cost(
    judged: UserProject, server: FaultServer
) -> None:
    server.play = lambda asked: "refusal" if asked.number == 0 else "ok"
    server.hold = lambda asked: asked.number >= 3
    runs = judged.root / "runs"
    with process_of(judged, "run", "sums", "-m", "recorded") as process:
        until(lambda: [j.done for one in look(runs) for j in one.run.judges] == [3])
        (one,) = look(runs)
        assert one.run.phase in ("scoring", "judging")
        (judge,) = one.run.judges
        assert (judge.judge, judge.total, judge.failed) == ("strict", 6, 1)
        assert judge.cost == pytest.approx(3 * (7 * 1 + 3 * 10) / 1e6)
        server.hold = lambda asked: False
        assert process.wait() == 1


def test_a_failed_answer_is_told_with_its_reason(slow: Slow) -> None:
    slow.server.play = lambda asked: "refusal" if "1 and 2" in asked.prompt else "ok"
    slow.allow(3)
    runs = slow.project.root / "runs"
    with slow.running():
        until(lambda: [one.run.counts for one in look(runs)] == [(3, 6)])
        (run,) = [one.run for one in look(runs)]
        assert run.cells[0].failed == 1
        assert [a.error and "refused" in a.error for a in run.answers] == [None, True, None]


def test_a_run_that_cannot_tell_runs_all_the_same(slow: Slow) -> None:
    slow.allow(1)
    with slow.running() as process:
        until(slow.files)
        runs = slow.project.root / "runs"
        (runs / "moved").mkdir()
        runs.rename(slow.project.root / "away")  # nothing can be written there any more
        slow.allow(1000)
        assert process.wait() == 0
    assert [path for path in runs.iterdir() if (path / "manifest.json").exists()]
