"""What tests of several rooms share: a user's project in a folder of its own, and the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import browsers
import hypothesis
import pytest

if TYPE_CHECKING:
    from faultserver import FaultServer
    from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test waits for a network that is not there
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores

# started in the background, a shell's job ignores Ctrl-C, and so would all that it starts
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# a time limit in a test fails on a busy machine and says nothing about the code
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end, too, if no page was looked at."""
    words = browsers.summary(terminalreporter.stats)
    if words:
        terminalreporter.section("NO BROWSER", "!", red=True, bold=True)
        terminalreporter.line(words, red=True)


SUMS = """\
task: sums
version: 1
tags: [text, arithmetic]
data:
  path: data/sums.jsonl
  fields: {input: question, target: answer}
prompt:
  template: |
    Question: {{ input }}
    Answer:
generate: {max_new_tokens: 8, stop: ["\\n"]}
score: [exact_match, rouge_l]
"""


class UserProject:
    """A folder as a user would have it, and the `harness` command in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Path:
        """Write a file below the project."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def write_rows(self, path: str, rows: Sequence[object]) -> Path:
        """Write JSON lines below the project."""
        return self.write(path, "".join(json.dumps(row) + "\n" for row in rows))

    def add_sums(self, count: int = 6) -> None:
        """The task `sums` with so many rows."""
        self.write("tasks/sums/sums.task.yaml", SUMS)
        rows = [
            {"id": f"s{n}", "question": f"What is {n} and {n + 1}?", "answer": str(2 * n + 1)}
            for n in range(count)
        ]
        self.write_rows("tasks/sums/data/sums.jsonl", rows)

    def add_replay(self, answers: dict[str, str], name: str = "recorded") -> None:
        """A model whose answers were recorded."""
        rows = [{"id": sample, "text": text} for sample, text in answers.items()]
        self.write_rows(f"adapters/{name}.jsonl", rows)
        card = f"model: {name}\nadapter: replay\ncompletions: ./{name}.jsonl\n"
        self.write(f"adapters/{name}.model.yaml", card)

    def harness(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a process of its own, in the project's folder."""
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment(**environment),
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """The command line of the process."""
        return [sys.executable, "-m", "harness", *words]

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the process: ours, without what would point elsewhere."""
        known = {k: v for k, v in os.environ.items() if k not in ("HARNESS_CACHE", "COLUMNS")}
        return {**known, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **more}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserProject:
    """An empty project; the test runs in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    return UserProject(tmp_path)


@pytest.fixture
def invoke(
    project: UserProject, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command in this process: (exit code, stdout, stderr); fast, no import is repeated."""
    from harness.cli import main

    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(words)
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def no_override() -> Iterator[None]:
    """Permissions of files hold in this process, even if root runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the present form of the call, this thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, and the upper halves
    assert libc.capget(header, sets) == 0
    before = sets[0]
    sets[0] = before & ~0b1110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
    assert libc.capset(header, sets) == 0
    yield
    sets[0] = before
    assert libc.capset(header, sets) == 0


@pytest.fixture
def fault_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A running server that fails as the test says; see tests/faultserver.py."""
    from faultserver import FaultServer

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """Headless Chromium with nothing remembered, driven through the system's chromedriver.

    Without one the tests are skipped, or fail: see tests/browsers.py.
    """
    program, driver = browsers.need("chromium", "chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*browsers.FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        # a Service with its own path: selenium's manager, which downloads, is never asked
        service = webdriver.ChromeService(executable_path=driver)
        with webdriver.Chrome(options=options, service=service) as running:
            yield running
