"""What can go wrong, and what the process says about it with its exit code.

    HarnessError                one line on stderr, no traceback: the user can mend it
    |- SpecError                a spec file is wrong: file, line, cause, way out
    |- CollectError             every SpecError of every file, reported in one go
    |- SelectionError           an id, name or expression selects nothing or cannot be read
    |- DataError                a task's data cannot be read
    |- MediaError               a video or an image cannot be decoded, or not as was asked
    |- ModelError               a model cannot be loaded: no weights, wrong LoRA, no such file
    |- StoreError               a run cannot be read or written: disk full, no permission
    `- Interrupted              stopped before the end; what was answered is in the cache

Everything else is a bug of ours and shows its traceback. A single sample that fails is neither:
it becomes ``Completion.error`` and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """The numbers of pytest, with its meanings carried over to models."""

    OK = 0  # every sample of every cell was answered and scored
    FAILED = 1  # something ran and did not pass: samples failed, or a gate said no
    INTERRUPTED = 2  # Ctrl-C, a full disk: run the same command again to go on
    INTERNAL_ERROR = 3  # a bug of ours; the traceback is shown
    USAGE_ERROR = 4  # a mistake in a spec, in data, in a model card, on the command line
    NOTHING_COLLECTED = 5  # the selection is empty
    UNDECIDED = 6  # a gate could not be judged: stale baseline, failed samples, broken judge


class HarnessError(Exception):
    """A mistake or a condition that the user can mend; printed as one line."""

    exit_code: ExitCode = ExitCode.USAGE_ERROR


def shown(where: Path | str) -> str:
    """A file as a user in the present folder would write it: relative if it lies below."""
    if isinstance(where, Path) and where.is_absolute() and where.is_relative_to(Path.cwd()):
        return str(where.relative_to(Path.cwd()))
    return str(where)


MAX_LINE = 1000  # characters of a message's line; the middle of a longer one is left out


def printable(message: str) -> str:
    """A message as a terminal may have it, line by line.

    What a file or its name brings along (control characters, codes of terminals, bytes that are no
    text) is written as an escape; a line that is endless is shortened.
    """
    lines = message.split("\n")
    return "\n".join(_shortened(line) for line in lines)


def _shortened(line: str) -> str:
    if len(line) > MAX_LINE:
        line = f"{line[: MAX_LINE - 200]} ... {line[-190:]}"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )


class SpecError(HarnessError):
    """A mistake at a place in a file.

    Parameters
    ----------
    where: the file, as the user would write it.
    line: counted from 1; 0 if the mistake has no line.
    what: what is wrong, and the way out if there is one.
    """

    def __init__(self, where: Path | str, line: int, what: str) -> None:
        self.where, self.line, self.what = shown(where), line, what
        super().__init__(f"{self.where}:{line}: {what}" if line else f"{self.where}: {what}")


class CollectError(HarnessError):
    """All mistakes of all selected files; one line each."""

    def __init__(self, errors: Sequence[HarnessError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


class SelectionError(HarnessError):
    """An id, a name or an expression that selects nothing or cannot be read."""


class NothingCollected(SelectionError):
    """The selection is understood and empty."""

    exit_code = ExitCode.NOTHING_COLLECTED


class DataError(SpecError):
    """A task's data cannot be read: bad line, missing column, duplicate id, no rows."""


class MediaError(HarnessError):
    """A video or an image that cannot be decoded, or a sampling that makes no sense for it.

    In a run it becomes the ``Completion.error`` of the samples that show the file.
    """


class ModelError(HarnessError):
    """A model cannot be loaded: weights missing offline, a LoRA made for another base."""


class StoreError(HarnessError):
    """A run cannot be read or written."""


class Interrupted(HarnessError):
    """Stopped before the end; everything already answered is kept in the cache."""

    exit_code = ExitCode.INTERRUPTED
