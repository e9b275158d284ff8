"""A run that is really at work, and `harness view` beside it, as processes.

from watching import Slow, Viewer, slow, view  # `slow` is a fixture
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faultserver import Asked, FaultServer, echo

if TYPE_CHECKING:
    from tests.conftest import UserProject

ROOT = Path(__file__).resolve().parent.parent
GIVE_UP_S = 60.0  # no limit of ours: a test that waits for ever says nothing


class Slow:
    """The project's model `slow`, which answers one prompt after the other as the test lets it."""

    def __init__(self, project: UserProject, server: FaultServer) -> None:
        self.project, self.server, self.allowed = project, server, 0
        server.answer = lambda asked: echo(asked).strip()
        server.hold = self._holds
        self.add_model("slow")

    def add_model(self, name: str) -> None:
        card = f"model: {name}\nadapter: openai\nbase: {name}\nbase_url: {self.server.url}\n"
        self.project.write(f"adapters/{name}.model.yaml", card + "max_concurrency: 1\n")

    def _holds(self, asked: Asked) -> bool:
        return len({one.prompt + one.body["model"] for one in self.server.asked}) > self.allowed

    def allow(self, count: int) -> None:
        """Answer so many requests in all."""
        self.allowed = count

    @contextmanager
    def running(self, *words: str, model: str = "slow") -> Iterator[subprocess.Popen[str]]:
        """`harness run sums`, at work while the ``with`` lasts."""
        with process_of(self.project, "run", "sums", "-m", model, *words) as process:
            yield process

    def files(self) -> list[Path]:
        """What runs at work have beside the runs."""
        return sorted((self.project.root / "runs").glob(".live-*.json"))


@contextmanager
def process_of(project: UserProject, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command at work while the ``with`` lasts."""
    with subprocess.Popen(
        project.command(*words),
        cwd=project.root,
        env=project.environment(NO_PROXY="127.0.0.1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def slow(project: UserProject, fault_server: FaultServer) -> Slow:
    """Six sums, and a model that answers none of them yet."""
    project.add_sums()
    return Slow(project, fault_server)


class Viewer:
    """A running `harness view`, and what it serves."""

    def __init__(self, process: subprocess.Popen[str], lines: Path) -> None:
        self.process, self._lines = process, lines
        until(lambda: "Ctrl-C ends" in self.said or process.poll() is not None)
        opened = [line for line in self.said.splitlines() if line.startswith("open ")]
        self.opened = opened[0].split()[1] if opened else ""
        self.url = self.opened.rpartition("/")[0] + "/"

    @property
    def said(self) -> str:
        """All that stands in its terminal."""
        return self._lines.read_text(encoding="utf-8")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path) as reply:
            return str(reply.read().decode())

    @property
    def live(self) -> dict[str, Any]:
        """What /live.js hands to the page."""
        return read_live(self.get("live.js?t=1"))

    @property
    def runs(self) -> list[dict[str, Any]]:
        return list(self.live["runs"])

    @property
    def states(self) -> list[str]:
        return [run["state"] for run in self.runs]

    def end(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(number)
        return self.process.wait()


def read_live(script: str) -> dict[str, Any]:
    """The value of a script that hands over "live"."""
    head, tail = 'harness.put("live",', ");\n"
    assert script.startswith(head)
    assert script.endswith(tail)
    found: dict[str, Any] = json.loads(script[len(head) : -len(tail)])
    return found


def view_command(project: UserProject, *words: str) -> list[str]:
    """`harness view`."""
    return project.command("view", *words)


@contextmanager
def view(project: UserProject, *words: str, **environment: str) -> Iterator[Viewer]:
    """The command at work; without a browser, unless the environment names one."""
    lines = project.root / "view.log"
    known = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "", **environment}
    with (
        lines.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            view_command(project, *words),
            cwd=project.root,
            env=project.environment(**known),
            stdout=log,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Viewer(process, lines)
        finally:
            process.kill()


def until(holds: Callable[[], object]) -> None:
    """Wait for what is about to come."""
    end = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
