"""What a run shows while it runs: a live line in a terminal, quiet lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import click

from harness.errors import printable
from harness.judges.money import money
from harness.records import Completion, Verdict

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

QUIET_SECONDS = 15.0


WAITS = logging.getLogger("harness.adapters")
"""Where adapters say what they wait for, whatever thread they are in."""


class Waits(logging.Handler):
    """Hands on what adapters wait for, from when it is made until it is closed."""

    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__()
        self._say = say
        WAITS.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._say(printable(record.getMessage()))

    def close(self) -> None:
        """No more."""
        WAITS.removeHandler(self)
        super().close()


class Meter:
    """Counts and rates of one model."""

    def __init__(self, model: str, total: int) -> None:
        self.model, self.total = model, total
        self.done = self.cached = self.failed = self.tokens = 0
        self._created = time.monotonic()
        self._begun: float | None = None

    def add(self, batch: Sequence[Completion], cached: bool) -> None:
        """Count a batch."""
        self.done += len(batch)
        self.failed += sum(done.failed for done in batch)
        if cached:
            self.cached += len(batch)
            return
        if self._begun is None:  # loading the model is not part of a rate
            taken = sum(done.latency_ms or 0.0 for done in batch) / 1e3
            self._begun = max(self._created, time.monotonic() - taken)
        self.tokens += sum(c.prompt_tokens + (c.completion_tokens or 0) for c in batch)

    @property
    def seconds(self) -> float:
        """Since the model began to answer."""
        begun = time.monotonic() if self._begun is None else self._begun
        return max(time.monotonic() - begun, 1e-3)

    def rates(self) -> str:
        """Samples and tokens a second of what was really asked."""
        asked = self.done - self.cached
        return f"{asked / self.seconds:.1f} samples/s, {self.tokens / self.seconds:,.0f} tokens/s"

    def line(self) -> str:
        """The state as one line."""
        parts = [f"{self.model}: {self.done}/{self.total} samples"]
        if self.cached:
            parts.append(f"{self.cached} from the cache")
        if self.done > self.cached:
            parts.append(self.rates())
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)

    def left(self) -> str:
        """Time left, from the rate so far."""
        asked = self.done - self.cached
        if not asked:
            return "--:--"
        seconds = int((self.total - self.done) * self.seconds / asked)
        return f"{seconds // 60}:{seconds % 60:02d}"


class JudgeMeter:
    """Counts of one judge."""

    def __init__(self, judge: str, total: int) -> None:
        self.judge, self.total = judge, total
        self.done = self.cached = self.failed = 0
        self.paid = 0.0

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        self.done += 1
        self.cached += verdict.cached
        self.failed += verdict.status == "error"
        self.paid += 0.0 if verdict.cached else verdict.cost_usd or 0.0

    @property
    def good(self) -> int:
        """Verdicts that are some: an error is none."""
        return self.done - self.failed

    def words(self) -> str:
        """The state, without the numbers that a bar shows."""
        parts = [f"{self.cached} from the cache"] if self.cached else []
        errors = "judge error" if self.failed == 1 else "judge errors"
        parts += [f"{self.failed} {errors}"] if self.failed else []
        parts += [money(self.paid)] if self.paid else []
        return ", ".join(parts)

    def line(self) -> str:
        """The state as one line."""
        head = f"judge {self.judge}: {self.good}/{self.total} verdicts"
        return ", ".join(filter(None, [head, self.words()]))


class QuietProgress:
    """A line now and then, and one at the end of each model; to stderr, or to ``say``."""

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        self._say = say or (lambda line: click.echo(line, err=True))
        self._meter = Meter("", 0)
        self._judges: dict[str, JudgeMeter] = {}
        self._last = time.monotonic()
        self._waits = Waits(self._say)

    def start(self, model: str, total: int) -> None:
        """A model begins."""
        self._meter, self._last = Meter(model, total), time.monotonic()

    def advance(self, batch: Sequence[Completion], cached: bool) -> None:
        """Count; speak if the last word was long ago."""
        self._meter.add(batch, cached)
        if time.monotonic() - self._last > QUIET_SECONDS and self._meter.done < self._meter.total:
            self._last = time.monotonic()
            self._say(f"{self._meter.line()}, {self._meter.left()} left")

    def finish(self, notes: Sequence[str]) -> None:
        """The model's last line."""
        self._say(self._meter.line())
        for note in notes:
            self._say(f"  note: {note}")

    def judged(self, judge: str, verdict: Verdict, total: int) -> None:
        """Count; speak if the last word was long ago."""
        meter = self._judges.setdefault(judge, JudgeMeter(judge, total))
        meter.add(verdict)
        if time.monotonic() - self._last > QUIET_SECONDS and meter.done < meter.total:
            self._last = time.monotonic()
            self._say(meter.line())

    def judges_done(self, notes: Sequence[str]) -> None:
        """The judges' last lines."""
        for meter in self._judges.values():
            self._say(meter.line())
        for note in notes:
            self._say(f"  note: {note}")

    def close(self) -> None:
        """Say nothing more."""
        self._waits.close()


class LiveProgress:
    """One live line a model."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar: Bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._meter = Meter("", 0)
        self._judges: dict[str, tuple[JudgeMeter, TaskID]] = {}
        self._task: TaskID | None = None
        self._waits = Waits(lambda line: self._bar.console.print(line, markup=False))

    def start(self, model: str, total: int) -> None:
        """A model begins."""
        from rich.markup import escape

        self._meter = Meter(model, total)
        self._task = self._bar.add_task(escape(model), total=total, rates="loading", left="")

    def advance(self, batch: Sequence[Completion], cached: bool) -> None:
        """Move the bar."""
        self._meter.add(batch, cached)
        if self._task is not None:
            rates = "from the cache" if cached else self._meter.rates()
            left = f"{self._meter.left()} left"
            self._bar.update(self._task, completed=self._meter.done, rates=rates, left=left)

    def finish(self, notes: Sequence[str]) -> None:
        """Freeze the bar."""
        from rich.markup import escape

        if self._task is not None:
            meter = self._meter
            known = f"{meter.cached} from the cache" if meter.cached else ""
            failed = f"{meter.failed} failed" if meter.failed else ""
            rates = "" if meter.cached == meter.done else meter.rates()
            words = ", ".join(word for word in (rates, known, failed) if word)
            self._bar.update(self._task, rates=words, left="")
        for note in notes:
            self._bar.console.print(f"  note: {escape(note)}")

    def judged(self, judge: str, verdict: Verdict, total: int) -> None:
        """Move the judge's bar."""
        from rich.markup import escape

        if judge not in self._judges:
            task = self._bar.add_task(f"judge {escape(judge)}", total=total, rates="", left="")
            self._judges[judge] = (JudgeMeter(judge, total), task)
        meter, task = self._judges[judge]
        meter.add(verdict)
        self._bar.update(task, completed=meter.good, rates=meter.words())

    def judges_done(self, notes: Sequence[str]) -> None:
        """What is to be said about the judges."""
        from rich.markup import escape

        for note in notes:
            self._bar.console.print(f"  note: {escape(note)}")

    def close(self) -> None:
        """Give the terminal back."""
        self._waits.close()
        self._bar.stop()


class ClosableProgress(Protocol):
    """A display that must be closed, whatever happens."""

    def start(self, model: str, total: int) -> None: ...
    def advance(self, batch: Sequence[Completion], cached: bool) -> None: ...
    def finish(self, notes: Sequence[str]) -> None: ...
    def judged(self, judge: str, verdict: Verdict, total: int) -> None: ...
    def judges_done(self, notes: Sequence[str]) -> None: ...
    def close(self) -> None: ...


def make_progress(say: Callable[[str], object] | None = None) -> ClosableProgress:
    """Live in a terminal, quiet in a pipe, in a log and in CI: then ``say`` takes the lines."""
    return LiveProgress() if sys.stderr.isatty() else QuietProgress(say)
