"""What a run shows, told at the same time to whoever looks on; see harness.runner.live."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.cli.progress import ClosableProgress, JudgeMeter, Meter, Waits
from harness.records import Completion, Verdict
from harness.runner.live import (
    LAST_ANSWERS,
    SCHEMA_VERSION,
    LiveAnswer,
    LiveCell,
    LiveFile,
    LiveJudge,
    LiveRun,
    Process,
    remove_killed,
    shortened,
)
from harness.runner.work import Work, place_of

WRITING = "writing the run"


@dataclass(slots=True)
class Count:
    """How far one cell is."""

    done: int = 0
    cached: int = 0
    failed: int = 0


class TellingProgress:
    """A progress around another one, which keeps the run's live file.

    As a context manager: the file is there inside of it, and is gone behind it. ``started`` is the
    time that the run's manifest will have.
    """

    def __init__(
        self, inner: ClosableProgress, works: Sequence[Work], runs: Path, started: datetime
    ) -> None:
        self._inner, self._works, self._runs = inner, works, runs
        self._started, self._process = started, Process.this()
        self._places = {
            place_of(work.requests[0].id)[0]: number
            for number, work in enumerate(works)
            if work.requests
        }
        self._counts = [Count() for _ in works]
        self._last: deque[Completion] = deque(maxlen=LAST_ANSWERS)
        self._meter: Meter | None = None
        self._judges: dict[str, JudgeMeter] = {}
        self._judging: tuple[float, int] | None = None  # since when alone, and with how many known
        self._left = {work.cell.model.model for work in works}
        self._phase, self._waiting = "preparing", ""
        self._lock = threading.Lock()
        self._file = LiveFile(runs, started, self._now)

    def __enter__(self) -> TellingProgress:
        remove_killed(self._runs)
        self._waits = Waits(self._wait)
        self._file.begin()
        return self

    def __exit__(self, *unused: object) -> None:
        self._waits.close()
        self._file.end()

    def start(self, model: str, total: int) -> None:
        """As the inner one's."""
        self._inner.start(model, total)
        with self._lock:
            self._meter = Meter(model, total)
        self.phase(f"loading {model}")

    def advance(self, batch: Sequence[Completion], cached: bool) -> None:
        """As the inner one's."""
        self._inner.advance(batch, cached)
        with self._lock:
            for done in batch:
                count = self._counts[self._places[place_of(done.id)[0]]]
                count.done += 1
                count.cached += cached
                count.failed += done.error is not None
            self._last.extend(batch[-LAST_ANSWERS:])
            self._waiting = ""
            if self._meter is not None:
                self._meter.add(batch, cached)
                self._phase = f"asking {self._meter.model}"
        self._file.touch()

    def finish(self, notes: Sequence[str]) -> None:
        """As the inner one's."""
        self._inner.finish(notes)
        with self._lock:
            if self._meter is not None:
                self._left.discard(self._meter.model)
                self._meter = None
        self.phase("loading the next model" if self._left else "scoring")

    def judged(self, judge: str, verdict: Verdict, total: int) -> None:
        """As the inner one's."""
        self._inner.judged(judge, verdict, total)
        with self._lock:
            self._judges.setdefault(judge, JudgeMeter(judge, total)).add(verdict)
            self._waiting = ""
            if not self._left:
                self._phase = "judging"
                if self._judging is None:
                    self._judging = (time.monotonic(), self._verdicts())
        self._file.touch()

    def judges_done(self, notes: Sequence[str]) -> None:
        """As the inner one's."""
        self._inner.judges_done(notes)
        self.phase(WRITING)

    def close(self) -> None:
        """Close the inner one; the file stays until the run is written."""
        self._inner.close()

    def phase(self, words: str) -> None:
        """Something else is done from now on."""
        with self._lock:
            self._phase, self._waiting = words, ""
            if words == WRITING:
                self._judging = None
        self._file.write()

    def _wait(self, line: str) -> None:
        self._waiting = line
        self._file.touch()

    # ----------------------------------------------------------------------- what is told

    def _now(self) -> LiveRun:
        with self._lock:
            counts = zip(self._works, self._counts, strict=True)
            cells = tuple(_cell(work, count) for work, count in counts)
            left = sum(cell.total - cell.done for cell in cells)
            rate, left = self._rate(left)
            return LiveRun(
                schema_version=SCHEMA_VERSION,
                process=self._process,
                started=self._started.astimezone(UTC).isoformat(timespec="milliseconds"),
                tasks=tuple(dict.fromkeys(cell.task for cell in cells)),
                models=tuple(dict.fromkeys(cell.model for cell in cells)),
                phase=self._phase,
                cells=cells,
                judges=tuple(map(_judge, self._judges.values())),
                rate=rate,
                seconds_left=left / rate if rate else None,
                waiting=self._waiting,
                answers=tuple(map(self._answer, self._last)),
            )

    def _rate(self, left: int) -> tuple[float | None, int]:
        """Answers a second of the model that is asked, or verdicts a second once all models have
        been; and how much is left of either."""
        if self._judging is not None:
            since, known = self._judging
            left = sum(one.total - one.done for one in self._judges.values())
            seconds, given = time.monotonic() - since, self._verdicts() - known
            return (given / seconds if given and seconds > 0 else None), left
        if self._meter is None or self._meter.done == self._meter.cached:
            return None, left
        return (self._meter.done - self._meter.cached) / self._meter.seconds, left

    def _verdicts(self) -> int:
        """Verdicts that were really asked for."""
        return sum(one.done - one.cached for one in self._judges.values())

    def _answer(self, done: Completion) -> LiveAnswer:
        cell, sample = place_of(done.id)
        error = None if done.error is None else shortened(done.error)
        return LiveAnswer(self._places[cell], shortened(sample), shortened(done.text), error)


def _cell(work: Work, count: Count) -> LiveCell:
    cell = work.cell
    variant = ",".join(f"{key}={value}" for key, value in cell.variant)
    names = (cell.task.task, cell.model.model, variant)
    return LiveCell(*names, len(work.requests), count.done, count.cached, count.failed)


def _judge(meter: JudgeMeter) -> LiveJudge:
    return LiveJudge(meter.judge, meter.total, meter.done, meter.failed, meter.paid)
