"""A worker as a process: lines out, lines in, bounded in time and memory, and gone at the end.

The worker leads a group of its own, which is killed as a whole. Three threads keep its pipes from
filling up: one writes, one reads lines, one keeps the end of what it says on standard error. If
this process is killed, the worker's standard input ends, and worker.py ends with it.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, Full, Queue, SimpleQueue
from typing import IO

from harness.errors import printable

MAX_LINE = 16 << 20  # bytes of one line of a worker
MAX_WAITING = 1000  # lines that nobody has read yet
LAST_LINES, LINE_SHOWN = 3, 300  # of standard error, in a message
GRACE_SECONDS = 2.0  # between the end of its input and the end of the worker
END_SECONDS = 0.5  # between the end of its output and its own end
POLL_SECONDS = 0.05


class Gone(Exception):
    """The worker has ended, or can no longer be talked to; why, on one line."""


class Late(Exception):
    """Nothing came in time."""


class WorkerProcess:
    """One running worker. Every method but ``stop`` may raise Gone."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: str) -> None:
        """Start it; raises OSError if the program cannot be run."""
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._out: SimpleQueue[bytes | None] = SimpleQueue()
        self._in: Queue[bytes | Gone] = Queue(MAX_WAITING)
        self._said: deque[str] = deque(maxlen=LAST_LINES)
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=work, args=(pipe,), daemon=True)
            for work, pipe in (
                (self._listen, self._process.stderr),  # first: whoever reads the end waits for it
                (self._read, self._process.stdout),
                (self._write, self._process.stdin),
            )
        ]
        for thread in self._threads:
            thread.start()
        _running.add(self)

    def send(self, line: bytes) -> None:
        """Hand over a line; a thread writes it, so a worker that does not read stops nobody."""
        self._out.put(line)

    def receive(self, deadline: float) -> bytes:
        """The next line, without its end. Raises Late at ``deadline`` (of time.monotonic)."""
        ended = 0.0
        while True:
            try:
                found = self._in.get(timeout=max(0.0, min(POLL_SECONDS, deadline - _now())))
            except Empty:
                ended = ended or (_now() if self._ended() else 0.0)
                # the end of its output tells as much, unless a process that it left has it open
                if ended and _now() - ended > GRACE_SECONDS:
                    raise Gone(self.reason()) from None
                if not ended and _now() >= deadline:
                    raise Late from None
                continue
            if isinstance(found, Gone):
                raise found
            return found

    def reason(self) -> str:
        """How the worker ended, and the last that it said on standard error."""
        end = _now() + END_SECONDS
        while not self._ended() and _now() < end:
            time.sleep(POLL_SECONDS / 5)
        self._threads[0].join(0.2)
        code = self._code()
        if code is None:
            how = "closed its standard output"
        elif code < 0:
            how = f"was killed by {_signal_name(-code)}"
        else:
            how = f"ended with exit code {code}"
        return how + self.last_words()

    def last_words(self) -> str:
        """`; stderr: ...`, or nothing."""
        lines = tuple(self._said)
        return f"; stderr: {' | '.join(lines)}" if lines else ""

    def stop(self, grace: float = GRACE_SECONDS) -> bool:
        """End it and all that it started; returns when it is gone, and whether it ended by itself
        when its input did. May be called twice."""
        if self._stopped.is_set():
            return True
        self._stopped.set()
        self._out.put(None)
        end = _now() + grace
        while not self._ended() and _now() < end:
            time.sleep(POLL_SECONDS / 5)
        by_itself = self._ended()
        with suppress(ProcessLookupError, PermissionError):
            # its leader is not waited for yet, so the group's number is still its own
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join(GRACE_SECONDS)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        _running.discard(self)
        return by_itself

    def _ended(self) -> bool:
        return self._code() is not None

    def _code(self) -> int | None:
        """As of subprocess, negative for a signal; the process is not waited for."""
        if self._process.returncode is not None:
            return self._process.returncode
        try:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # another thread, in `stop`, is just now waiting for it
            return -signal.SIGKILL
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def _write(self, pipe: IO[bytes]) -> None:
        with suppress(OSError, ValueError):
            while (line := self._out.get()) is not None:
                pipe.write(line)
                pipe.flush()
        with suppress(OSError, ValueError):
            pipe.close()

    def _read(self, pipe: IO[bytes]) -> None:
        kept = bytearray()
        while data := _chunk(pipe):
            *lines, rest = data.split(b"\n")
            for line in lines:
                self._put(bytes(kept + line))
                kept.clear()
            kept += rest
            if len(kept) > MAX_LINE:
                what = f"wrote a line of more than {MAX_LINE >> 20} MiB"
                self._put(Gone(what + self.last_words()))
                return
        if kept:
            self._put(bytes(kept))
        self._put(Gone(self.reason()))

    def _put(self, found: bytes | Gone) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                self._in.put(found, timeout=POLL_SECONDS)
                return

    def _listen(self, pipe: IO[bytes]) -> None:
        kept = b""
        while data := _chunk(pipe):
            *lines, kept = (kept + data).replace(b"\r", b"\n").split(b"\n")
            kept = kept[-4096:]
            for line in lines:
                self._keep(line)
        self._keep(kept)

    def _keep(self, line: bytes) -> None:
        text = " ".join(line[-4096:].decode("utf-8", "replace").split())
        if text:
            self._said.append(printable(text[:LINE_SHOWN]))


def _chunk(pipe: IO[bytes]) -> bytes:
    try:
        return os.read(pipe.fileno(), 1 << 16)
    except (OSError, ValueError):
        return b""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _now() -> float:
    return time.monotonic()


_running: weakref.WeakSet[WorkerProcess] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """No worker outlives this process, whoever forgot to close its adapter."""
    for worker in tuple(_running):
        worker.stop(grace=0)
