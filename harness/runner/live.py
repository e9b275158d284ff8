"""What a run tells while it runs: one small file beside the runs, for whoever looks on.

    runs/.live-<start of the run>-<process>.json

It is written whole (a temporary name, then renamed), never fsynced, and removed when the run ends
in any way that Python can see. One whose process is gone was killed: `Looking` tells it so. Readers
of runs pass over names with a dot. Nothing here can make a run fail: a folder that cannot be
written, or a full disk, only means that nobody can look on.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.results.typed import Mistyped, read

SCHEMA_VERSION = 1
PREFIX, SUFFIX, TEMPORARY = ".live-", ".json", ".tmp"
EVERY_S = 1.0
"""Seconds between two writings, if there is anything new; a new phase is written at once."""
HEARTBEAT_S = 30.0
"""Seconds after which a file is written though nothing is new."""
SILENT_S = 600.0
"""A run of another machine, whose processes nobody here can see, was killed if it has said nothing
for so long."""
LEFTOVER_S = 24 * 3600
LAST_ANSWERS = 20
TEXT_LENGTH = 2_000  # characters of an answer
MAX_BYTES = 8 << 20  # of a file; a larger one is none of ours


@dataclass(frozen=True, slots=True)
class LiveCell:
    """How far one cell is: answers, of which ``cached`` were known and ``failed`` are none."""

    task: str
    model: str
    variant: str
    total: int
    done: int = 0
    cached: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """How far a judge is: verdicts, of which ``failed`` are judge errors; US dollars spent now."""

    judge: str
    total: int
    done: int = 0
    failed: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """One answer, as text of at most TEXT_LENGTH characters; ``cell`` is the place in ``cells``."""

    cell: int
    sample: str
    text: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """Which process it is: a number is given again, a number with a time of birth is not."""

    pid: int
    born: str
    machine: str

    @classmethod
    def this(cls) -> Process:
        """The one that asks."""
        return cls(os.getpid(), _born(os.getpid()) or "", _machine())

    @property
    def gone(self) -> bool | None:
        """Whether it has ended; None if it is another machine's, which cannot be told from here."""
        if self.machine != _machine():
            return None
        born = _born(self.pid)
        return not _exists(self.pid) if born is None else bool(self.born) and born != self.born


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run at work. ``rate`` is in answers (while judging: verdicts) a second of what is really
    asked; ``seconds_left`` is the time for all that is left at that rate; None: not known yet.

    ``phase`` and ``waiting`` are words for people: what is done now, and what an adapter waits for.
    ``started`` is also that of the manifest that the run will have; ``answers`` are the latest
    LAST_ANSWERS, oldest first.
    """

    schema_version: int
    process: Process
    started: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    phase: str
    cells: tuple[LiveCell, ...]
    judges: tuple[LiveJudge, ...] = ()
    rate: float | None = None
    seconds_left: float | None = None
    waiting: str = ""
    answers: tuple[LiveAnswer, ...] = ()

    @property
    def began(self) -> datetime:
        """When it began; raises ValueError if the text says no time."""
        return datetime.fromisoformat(self.started)

    @property
    def counts(self) -> tuple[int, int]:
        """Answers so far, and in all."""
        return sum(cell.done for cell in self.cells), sum(cell.total for cell in self.cells)


def shortened(text: str) -> str:
    """The beginning of a text, with a sign that there is more."""
    return text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 1] + "\u2026"


# --------------------------------------------------------------------------- writing


class LiveFile:
    """The file of a run of this process; it appears with the first `write`.

    ``make`` says what is to be written; it is called from a thread, once in EVERY_S at most.
    """

    def __init__(self, runs: Path, started: datetime, make: Callable[[], LiveRun]) -> None:
        stamp = started.astimezone(UTC).strftime("%Y%m%d-%H%M%S-%f")
        self.path = runs / f"{PREFIX}{stamp}-{os.getpid()}{SUFFIX}"
        self._make, self._lock = make, threading.Lock()
        self._new, self._over = False, threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="live file", daemon=True)

    def begin(self) -> None:
        """Write at once, and from now on whenever there was something new."""
        self.write()
        self._thread.start()

    def touch(self) -> None:
        """There is something new."""
        self._new = True

    def write(self) -> None:
        """Write now, or silently not."""
        self._new = False
        with self._lock, contextlib.suppress(OSError):
            if not self._over.is_set():
                body = json.dumps(asdict(self._make()), separators=(",", ":"))
                temporary = _temporary(self.path)
                temporary.write_bytes(body.encode("ascii"))
                os.replace(temporary, self.path)

    def end(self) -> None:
        """Remove it, or silently not; nothing is written from now on."""
        with self._lock:
            self._over.set()
        _remove(self.path)
        if self._thread.is_alive():
            self._thread.join(EVERY_S)

    def _write_on(self) -> None:
        last = time.monotonic()
        while not self._over.wait(EVERY_S):
            if self._new or time.monotonic() - last > HEARTBEAT_S:
                last = time.monotonic()
                self.write()


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + TEMPORARY)


def _remove(path: Path) -> bool:
    """Remove a file and what it is written to; whether it is gone."""
    for one in (_temporary(path), path):
        with contextlib.suppress(OSError):
            one.unlink(missing_ok=True)
    return not path.exists()


# --------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Looked:
    """One file as it was read: ``killed`` if its process has ended without removing it."""

    path: Path
    run: LiveRun
    killed: bool

    @property
    def id(self) -> str:
        """A name that no other run has."""
        return self.path.name[len(PREFIX) : -len(SUFFIX)]

    def remove(self) -> bool:
        """Forget a run that was killed; whether that was possible."""
        return _remove(self.path)


def look(runs: Path) -> list[Looked]:
    """All runs at work below ``runs`` and those that were killed, oldest first.

    What cannot be read, or was written by a later version, is passed over.
    """
    return list(_looked(runs))


def remove_killed(runs: Path) -> None:
    """Remove what runs that were killed left behind."""
    for one in look(runs):
        if one.killed:
            one.remove()
    for path in runs.glob(f"{PREFIX}*{SUFFIX}{TEMPORARY}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_S:
                path.unlink()


def _looked(runs: Path) -> Iterator[Looked]:
    for path in sorted(runs.glob(f"{PREFIX}*{SUFFIX}")):
        try:
            silent = time.time() - path.stat().st_mtime
            with path.open("rb") as file:
                run = read(LiveRun, json.loads(file.read(MAX_BYTES)))
            _ = run.began
        except (OSError, ValueError, RecursionError, Mistyped):
            continue  # removed just now, or none of ours
        if run.schema_version == SCHEMA_VERSION:
            gone = run.process.gone
            yield Looked(path, run, silent > SILENT_S if gone is None else gone)


# --------------------------------------------------------------------------- processes


def _born(pid: int) -> str | None:
    """When a process began, in words that no other process of this number has; None if it has
    ended, or nobody here can say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() else _born_by_ps(pid)
    # the name of the program is in brackets, and may hold anything; field 3 is the state and
    # field 22 the start, in ticks since the machine was booted (man 5 proc)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{_boot()}/{fields[19]}"


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _born_by_ps(pid: int) -> str | None:
    """The same where there is no /proc (macOS)."""
    words = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return " ".join(done.stdout.split()) or None


def _exists(pid: int) -> bool:
    """Whether there is a process of this number whose birth cannot be read: another user's."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return not Path("/proc/self/stat").exists()  # with one, an own process that is not there: gone


def _machine() -> str:
    """The machine, or the container on it, whose processes have numbers of their own."""
    with contextlib.suppress(OSError):
        return f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"
    return platform.node()
