"""The command line: parse, call, print. One file a command, imported when it is called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import click

from harness.errors import ExitCode, HarnessError, printable

COMMANDS = {
    "collect": ("harness.cli.collect:collect", "Print the cells that a selection would run."),
    "run": ("harness.cli.run:run", "Run tasks on models and store the results."),
    "show": ("harness.cli.show:show", "Show a run: metrics, intervals, the worst samples."),
    "compare": ("harness.cli.compare:compare", "Compare runs or models, paired by sample."),
    "view": ("harness.cli.view:view", "Show runs in the browser, also while one is running."),
    "baseline": ("harness.cli.baseline:baseline", "Keep the scores of a good run for gates."),
    "gate": ("harness.cli.gate:gate", "Hold a candidate against its baseline: pass or fail."),
    "report": ("harness.cli.report:report", "Write a paper's tables and figures out of runs."),
    "judge": ("harness.cli.judge:judge", "Judge a finished run; calibrate and test judges."),
    "publish": ("harness.cli.publish:publish", "Write a static site out of runs."),
    "finetune": ("harness.cli.finetune:finetune", "Train a LoRA by a recipe."),
    "cache": ("harness.cli.cache:cache", "What is remembered: statistics, pruning."),
    "doctor": ("harness.cli.doctor:doctor", "Look whether models can be asked, and how they are."),
    "import": ("harness.cli.import_:import_", "Write a task's data out of a data set's folder."),
    "new": ("harness.cli.new:new", "Write a starter: a task, model card, judge or recipe."),
    "schema": ("harness.cli.schema:schema", "Print the JSON Schema of a kind of file."),
}
"""Command -> where it is, and its line in `harness --help`, which imports none of them."""


class ReaderGone(Exception):
    """Whoever read the output has seen enough; click would turn a broken pipe into exit code 1."""


class LazyGroup(click.Group):
    """A group whose commands stand in the table above until they are called."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        command.context_settings.setdefault("help_option_names", ["-h", "--help"])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from harness.collect.suggest import did_you_mean

            ctx.fail(f"no command '{args[0]}'{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        import harness

        click.echo(f"harness {harness.__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def harness_group() -> None:
    """A test runner for models: tasks are tests, metrics are what is asserted.

    Exit codes: 0 all well, 1 something ran and did not pass, 2 interrupted (run it again to go
    on), 3 a bug of ours, 4 a mistake in a file or on the command line, 5 nothing selected, 6 a gate
    that could not be decided, 141 whoever read the output went away (the work itself was done).
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; the only place where errors become output."""
    if sys.stdout is None:  # closed by the shell (>&-); the next file opened would take its place
        _say("standard output is closed")
        return ExitCode.USAGE_ERROR
    _stop_as_on_ctrl_c()
    with _stopped_once():
        return _exit_code(arguments)


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        return _call(arguments)
    except (ReaderGone, BrokenPipeError):
        _forget_output()
        return READER_GONE
    except HarnessError as error:
        _say(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        with contextlib.suppress(OSError):
            error.show()
        return ExitCode.USAGE_ERROR
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except OSError as error:
        if error.filename is not None or error.errno not in NOT_WRITTEN:
            return _bug()
        _say(f"cannot write the output: {error.strerror}")
        _forget_output()
        return ExitCode.INTERRUPTED
    except Exception:
        return _bug()


READER_GONE = 141  # what a shell reports of a program that a broken pipe ends
NOT_WRITTEN = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT, errno.EFBIG)
"""Why standard output may refuse; a file that does has a name, and errors of its own."""


def _stop_as_on_ctrl_c() -> None:
    """A scheduler that ends the process, and a closed terminal, leave a run that can go on.

    What the caller ignores (nohup) stays ignored.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # not the main thread: nothing to catch there
                signal.signal(number, signal.default_int_handler)


INSIST_SECONDS = 2.0
"""Ctrl-C again after so long, while a process is still ending, ends it at once."""


@contextlib.contextmanager
def _stopped_once() -> Iterator[None]:
    """The first Ctrl-C ends what is at work, in good order; those that follow at once do not
    break into that, which would end the process by the signal, without its exit code."""
    stopped: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not stopped:
            stopped.append(time.monotonic())
            signal.default_int_handler(number, frame)
        elif time.monotonic() - stopped[0] > INSIST_SECONDS:
            os._exit(ExitCode.INTERRUPTED)  # every answer is committed as it comes

    found = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    caught = [n for n in found if n and signal.getsignal(n) is signal.default_int_handler]
    with contextlib.suppress(ValueError):  # not the main thread: nothing to catch there
        for number in caught:
            signal.signal(number, stop)
    yield
    with contextlib.suppress(ValueError):
        for number in caught:
            # a process that was stopped is ending, and Python's own end knows no handlers
            signal.signal(number, signal.SIG_IGN if stopped else signal.default_int_handler)


def _call(arguments: Sequence[str] | None) -> int:
    try:
        code = harness_group.main(arguments, prog_name="harness", standalone_mode=False)
    except SystemExit as done:
        code = done.code
    sys.stdout.flush()  # here, where a reader that went away can still be handled
    return int(code) if isinstance(code, int) else ExitCode.OK


def _forget_output() -> None:
    """Python must not try again when it ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str) -> None:
    with contextlib.suppress(OSError):  # then nobody can be told
        click.echo(printable(message), err=True)


def _bug() -> ExitCode:
    import traceback

    traceback.print_exc()
    return ExitCode.INTERNAL_ERROR
