"""How far asking models is, shown among pytest's own lines."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness.cli.progress import ClosableProgress, make_progress

if TYPE_CHECKING:
    import pytest

SOON = 15.0
"""Seconds in which nobody waits for a word of how far it is; it stands at the end then."""


@contextlib.contextmanager
def in_the_open(item: pytest.Item, told: list[str]) -> Iterator[ClosableProgress]:
    """Progress that is seen while it happens, unless -q is given: live in a terminal; elsewhere
    line by line if it takes long, else among what is ``told`` at the end.

    Warnings of libraries that load models are no test's errors, and what loading has frozen for
    the garbage collector is thawed: the user's own tests go on in this process.
    """
    config = item.config
    with contextlib.ExitStack() as stack:
        if not gc.get_freeze_count():
            stack.callback(gc.unfreeze)
        capture = config.pluginmanager.get_plugin("capturemanager")
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        say = None
        if capture is not None and terminal is not None and config.get_verbosity() >= 0:
            stack.enter_context(capture.global_and_fixture_disabled())
            say = _sayer(terminal, told)
            if sys.stderr.isatty():
                terminal.ensure_newline()
            # the line that was left begins again, so that the outcome stands behind its file
            stack.callback(_begin_again, terminal, item)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("default")
        for kind in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        progress = make_progress(say)
        stack.callback(progress.close)
        yield progress


def _sayer(terminal: pytest.TerminalReporter, told: list[str]) -> Callable[[str], None]:
    begun = time.monotonic()

    def say(line: str) -> None:
        if time.monotonic() - begun < SOON:
            told.append(line)
            return
        terminal.ensure_newline()
        terminal.write_line(line)

    return say


def _begin_again(terminal: pytest.TerminalReporter, item: pytest.Item) -> None:
    if terminal.currentfspath is None:
        terminal.pytest_runtest_logstart(item.nodeid, item.location)
