"""`harness view` as a user starts it, beside runs that are really at work."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from watching import Slow, Viewer, until, view, view_command
from watching import slow as slow

if TYPE_CHECKING:
    from tests.conftest import UserProject

RIGHT = {f"s{n}": str(2 * n + 1) for n in range(6)}


@pytest.fixture
def ran(project: UserProject) -> UserProject:
    """A project with one finished run."""
    project.add_sums()
    project.add_replay(RIGHT)
    assert project.harness("run", "sums", "-m", "recorded").returncode == 0
    return project


def run_of(project: UserProject) -> Path:
    (run,) = [path for path in (project.root / "runs").iterdir() if path.name[0] != "."]
    return run


def ended(viewer: Viewer, number: int = signal.SIGINT) -> None:
    assert viewer.end(number) == 0
    assert "Traceback" not in viewer.said


def test_the_site_is_served_until_ctrl_c(ran: UserProject) -> None:
    with view(ran) as viewer:
        assert viewer.opened.startswith("http://127.0.0.1:")
        assert viewer.opened.endswith("/index.html")
        assert "<html" in viewer.get("index.html")
        live = viewer.live
        assert (live["schema"], live["newest"], live["runs"]) == (1, run_of(ran).name, [])
        assert "the site of 1 run was built in" in viewer.said
        assert (ran.root / ".harness" / "site" / "index.html").exists()
        ended(viewer)


def test_a_run_at_work_opens_grows_and_is_on_the_site_when_it_is_done(slow: Slow) -> None:
    slow.allow(1)
    with slow.running() as process:
        until(slow.files)
        with view(slow.project) as viewer:
            assert viewer.opened.endswith("/live.html")
            assert 'id="live"' in viewer.get("live.html")
            version = viewer.live["version"]
            for count in (1, 4):
                slow.allow(count)
                until(lambda count=count: [run["done"] for run in viewer.runs] == [count])
            (run,) = viewer.runs
            assert (run["state"], run["total"], run["models"]) == ("running", 6, ["slow"])
            assert run["answers"][-1]["sample"] == "s3"
            slow.allow(1000)
            until(lambda: viewer.states == ["finished"] and viewer.runs[0]["href"])
            assert viewer.runs[0]["run"] == viewer.live["newest"] == run_of(slow.project).name
            assert viewer.live["version"] != version
            assert process.wait() == 0
            assert "the site of 1 run was built in" in viewer.said
            ended(viewer)


def test_kill_9_is_told_and_the_same_command_goes_on(slow: Slow) -> None:
    slow.allow(2)
    with view(slow.project) as viewer:
        assert viewer.opened.endswith("/index.html")
        with slow.running() as process:
            until(lambda: [run["done"] for run in viewer.runs] == [2])
            process.kill()
        until(lambda: viewer.states == ["killed"])
        assert viewer.runs[0]["words"] == "killed; run the same command again to go on"
        until(lambda: slow.files() == [])
        slow.allow(3)
        with slow.running():
            until(lambda: [(run["done"], run["cached"]) for run in viewer.runs] == [(3, 2)])
            assert viewer.states == ["running"]
        line = "sums on slow: 2 of 6 answers, then killed; run the same command again to go on"
        assert viewer.said.count(line) == 1
        ended(viewer, signal.SIGTERM)


def test_ctrl_c_of_a_run_is_told_as_stopped(slow: Slow) -> None:
    slow.allow(2)
    with view(slow.project) as viewer, slow.running() as process:
        until(lambda: [run["done"] for run in viewer.runs] == [2])
        process.send_signal(signal.SIGINT)
        until(lambda: viewer.states == ["stopped"])


def test_two_runs_at_once_are_both_told(slow: Slow) -> None:
    slow.add_model("other")
    slow.allow(1)
    with view(slow.project) as viewer, slow.running(), slow.running(model="other"):
        until(lambda: viewer.states == ["running"] * 2)
        assert {run["models"][0] for run in viewer.runs} == {"slow", "other"}
        assert len({run["id"] for run in viewer.runs}) == 2


def test_a_damaged_run_is_told_in_one_line_and_the_server_goes_on(ran: UserProject) -> None:
    first = run_of(ran)
    with view(ran) as viewer:
        assert ran.harness("run", "sums", "-m", "recorded").returncode == 0
        until(lambda: "the site of 2 runs was built in" in viewer.said)
        hidden = first.rename(ran.root / "runs" / ".hidden")
        (hidden / "metrics.parquet").write_bytes(b"PAR1")
        hidden.rename(ran.root / "runs" / "20300101-000000-aaaaaa")
        until(lambda: "left out: " in viewer.said)
        # one before the second run, one without the damaged one, and perhaps one between
        until(lambda: viewer.said.rstrip().rpartition("\n")[2].startswith("the site of 1 run"))
        (line,) = [line for line in viewer.said.splitlines() if "left out" in line]
        assert "metrics.parquet" in line
        assert "<html" in viewer.get("index.html")
        ended(viewer)


def test_a_port_in_use_is_told_in_one_line(ran: UserProject) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with view(ran, "--port", port) as viewer:
            assert viewer.process.wait() == 4
            assert viewer.said == f"port {port} is in use; without --port a free one is taken\n"


def test_a_port_and_a_folder_can_be_named(ran: UserProject) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with view(ran, "--port", str(port), "--to", "shown", "latest") as viewer:
        assert viewer.opened == f"http://127.0.0.1:{port}/index.html"
        assert (ran.root / "shown" / "index.html").exists()


def test_a_run_that_is_not_there_and_a_folder_that_is_none_are_told(ran: UserProject) -> None:
    with view(ran, "nope") as viewer:
        assert viewer.process.wait() == 4
        assert "no run and no model 'nope' below runs" in viewer.said
    with view(ran, "--runs", "elsewhere") as viewer:
        assert viewer.process.wait() == 4
        assert viewer.said == "no folder elsewhere; 'harness run' makes one\n"


@pytest.mark.parametrize("words", [(), ("--no-open",)])
def test_a_browser_is_opened_where_there_is_one_unless_not_wanted(
    ran: UserProject, words: tuple[str, ...]
) -> None:
    script = ran.write("browse", '#!/bin/sh\necho "$1" > opened\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with view(ran, *words, BROWSER=f"{script} %s") as viewer:
        opened = ran.root / "opened"
        if words:
            until(lambda: viewer.live["newest"])
            ended(viewer)
            assert not opened.exists()
        else:
            until(lambda: opened.exists() and opened.read_text(encoding="utf-8"))
            assert opened.read_text(encoding="utf-8") == f"{viewer.opened}\n"


def test_whoever_is_first_finds_nothing_and_may_wait(project: UserProject) -> None:
    with view(project) as viewer:
        assert viewer.live["newest"] is None
        project.add_sums()
        project.add_replay(RIGHT)
        assert project.harness("run", "sums", "-m", "recorded").returncode == 0
        until(lambda: viewer.live["newest"] == run_of(project).name)
        ended(viewer)


def test_the_command_is_listed_and_explains_itself(project: UserProject) -> None:
    assert view_command(project)[-1] == "view"
    listed = project.harness("--help").stdout
    assert "view      Show runs in the browser, also while one is running." in listed
    told = project.harness("view", "--help").stdout
    for word in ("--port", "--no-open", "--runs", "--to", "RUN"):
        assert word in told
