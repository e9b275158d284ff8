"""The command as a process: help, errors, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harness.cli import COMMANDS, harness_group, main
from harness.errors import ExitCode

LIGHT = """
import sys
from harness.cli import main
code = main(["--help"])
heavy = {"torch", "transformers", "pyarrow", "pydantic", "yaml", "jinja2", "rich", "numpy"}
print(code, sorted(heavy & set(sys.modules)))
"""


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )


def test_help_imports_no_command() -> None:
    done = python("-c", LIGHT)
    assert done.stdout.splitlines()[-1] == "0 []"
    for name, (_, text) in COMMANDS.items():
        assert any(name in line and text[:30] in line for line in done.stdout.splitlines())


def test_python_dash_m_is_the_command() -> None:
    done = python("-m", "harness", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("harness ")


def test_dash_h_helps_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == ExitCode.OK
    assert main(["collect", "-h"]) == ExitCode.OK
    assert "TAGEXPR" in capsys.readouterr().out


def test_every_command_of_the_table_exists_and_explains_itself() -> None:
    context = click.Context(harness_group)
    for name in COMMANDS:
        command = harness_group.get_command(context, name)
        assert command is not None
        assert command.help


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["colect"], "no command 'colect' (did you mean 'collect'?)"),
        (["collect", "--modle", "x"], "--model"),
        (["--nonsense"], "--nonsense"),
        (["new", "tsk", "x"], "'tsk'"),
        (["schema"], "Missing argument"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE_ERROR
    assert message in capsys.readouterr().err


BOOM = """
import click
from harness.errors import Interrupted, SelectionError

@click.command()
@click.argument("what")
def boom(what):
    errors = {
        "user": SelectionError("no such thing"),
        "stopped": Interrupted("run it again"),
        "ctrl-c": KeyboardInterrupt(),
        "exit": SystemExit(1),
        "bug": ZeroDivisionError("a bug"),
    }
    raise errors[what]
"""


@pytest.mark.parametrize(
    ("what", "code", "message"),
    [
        ("user", ExitCode.USAGE_ERROR, "no such thing\n"),
        ("stopped", ExitCode.INTERRUPTED, "run it again\n"),
        ("ctrl-c", ExitCode.INTERRUPTED, "interrupted\n"),
        ("exit", ExitCode.FAILED, ""),
    ],
)
def test_what_a_command_raises_becomes_a_line_and_a_code(
    boom: None, what: str, code: ExitCode, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["boom", what]) == code
    assert capsys.readouterr().err.lstrip("\n") == message


def test_a_bug_shows_its_traceback(boom: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boom", "bug"]) == ExitCode.INTERNAL_ERROR
    assert "Traceback" in capsys.readouterr().err


@pytest.fixture
def boom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of the table that raises what it is told to."""
    (tmp_path / "boom_command.py").write_text(BOOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(COMMANDS, "boom", ("boom_command:boom", "raise"))


def test_a_reader_that_went_away_is_no_error(tmp_path: Path) -> None:
    for name in range(300):
        folder = tmp_path / "adapters"
        folder.mkdir(exist_ok=True)
        text = f"model: m{name}\nadapter: transformers\nbase: x\n"
        (folder / f"m{name}.model.yaml").write_text(text)
    command = f"{sys.executable} -m harness collect | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("bundled library")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert done.returncode in (0, 141)  # 0 if all of it fitted into the pipe


def test_help_that_nobody_reads_is_no_failure(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "--help"], stdout=gone, stderr=subprocess.PIPE,
            env=ENVIRONMENT, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("schema task > /dev/full", 2, "cannot write the output: No space left on device\n"),
        ("collect > /dev/full", 2, "cannot write the output: No space left on device\n"),
        ("--help > /dev/full", 2, "cannot write the output: No space left on device\n"),
        ("schema task >&-", 4, "standard output is closed\n"),
        ("--version >&-", 4, "standard output is closed\n"),
        ("colect 2> /dev/full", 4, ""),
        ("colect 2>&-", 4, ""),
    ],
)
def test_output_that_cannot_be_written_is_one_line(
    tmp_path: Path, command: str, code: int, said: str
) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m harness {command}"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.partition("note:")[0]) == (code, said)


def test_what_a_user_typed_reaches_the_terminal_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["\x1b]0;owned\x07"]) == ExitCode.USAGE_ERROR
    assert "no command '\\x1b]0;owned\\x07'" in capsys.readouterr().err
