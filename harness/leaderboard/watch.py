"""What goes on below a folder of runs: what is running, what has ended, and the site built anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError, StoreError
from harness.results.manifest import FILE_NAME
from harness.results.store import RunReader, read_run, whole_runs
from harness.runner.live import LiveRun, look

State = Literal["running", "finished", "stopped", "killed"]
GO_ON = "run the same command again to go on"
WORDS: dict[State, str] = {
    "running": "running",
    "finished": "finished",
    "stopped": f"stopped; {GO_ON}",
    "killed": f"killed; {GO_ON}",
}
ENDED_SHOWN = 10
"""So many runs that have ended are still told; the oldest are forgotten."""
FINISH_S = 5.0
"""How long the end waits for a site that is being built."""

Build = Callable[[Sequence[Path]], object]
"""Makes the site of these runs; raises HarnessError in one line if that is not possible."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run that was seen at work; ``stored`` is the whole run that it has become."""

    id: str
    run: LiveRun
    state: State = "running"
    ended: datetime | None = None
    stored: RunReader | None = None

    @property
    def line(self) -> str:
        """What became of it, in words."""
        done, total = self.run.counts
        who = f"{', '.join(self.run.tasks)} on {', '.join(self.run.models)}"
        return f"{who}: {done} of {total} answers, then {WORDS[self.state]}"


class Watch:
    """Keeps the site of the runs below ``runs`` up to date, and knows what is running.

    ``named`` are the only runs that the site holds, with those that end while this looks on; empty:
    all. `look` is to be called about once a second; `live` may be called from any thread. ``say``
    is told in one line what happens.
    """

    def __init__(
        self, runs: Path, named: Sequence[Path], build: Build, say: Callable[[str], object]
    ) -> None:
        self._runs, self._named, self._make, self._say = runs, tuple(named), build, say
        self._before = set(whole_runs(runs)) if named else set()
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()
        self._built: dict[Path, int] = {}
        self._in_site: frozenset[Path] = frozenset()
        self._version = 0
        self._builder: threading.Thread | None = None
        self._newest: str | None = None
        self._faults: set[str] = set()
        self._forgotten: set[str] = set()

    @property
    def running(self) -> bool:
        """Whether a run is at work."""
        return any(one.state == "running" for one in self._seen.values())

    def build(self) -> None:
        """Build the site of what there is now, and tell it; raises HarnessError if it cannot be.

        A run that is damaged is told in one line and left out.
        """
        began, stamps = time.monotonic(), self._stamps()
        runs = self._readable(stamps)
        try:
            self._make(runs)
        except HarnessError as error:
            whole = self._undamaged(runs)
            if len(whole) == len(runs):
                raise error from None
            runs = whole
            self._make(runs)
        with self._lock:
            self._in_site, self._built = frozenset(runs), stamps
            self._newest = max((read_run(path).run_id for path in runs), default=None)
            self._version = max(int(time.time() * 1000), self._version + 1)
        count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        self._say(f"the site of {count} was built in {time.monotonic() - began:.1f} s")

    def look(self) -> None:
        """See what has changed; runs that have finished begin a build in a thread."""
        for one in self._changed():
            if one.state != "finished":
                self._say(one.line)
        busy = self._builder is not None and self._builder.is_alive()
        if not busy and self._stamps() != self._built:
            self._builder = threading.Thread(target=self._build_on, name="site", daemon=True)
            self._builder.start()

    def finish(self) -> None:
        """Wait a moment for a build that is at work, so that it leaves no half-written file."""
        if self._builder is not None:
            self._builder.join(FINISH_S)

    def live(self) -> dict[str, object]:
        """The content of `/live.js`; see harness.leaderboard.serve."""
        with self._lock:
            seen, site, version = list(self._seen.values()), self._in_site, self._version
            newest = self._newest
        ended = sorted((one for one in seen if one.ended), key=_end, reverse=True)
        running = sorted((one for one in seen if not one.ended), key=_id, reverse=True)
        rows = [_row(one, site) for one in (*running, *ended)]
        return {"schema": 1, "version": version, "newest": newest, "runs": rows}

    # ----------------------------------------------------------------------- what is running

    def _changed(self) -> list[Seen]:
        """Runs that have ended since the last look."""
        found = look(self._runs)
        now = datetime.now(UTC)
        with self._lock:
            before = self._seen
            seen: dict[str, Seen] = {}
            for one in found:
                old = before.get(one.id)
                if one.id not in self._forgotten and (old is None or old.state == "running"):
                    new = Seen(one.id, one.run)
                    seen[one.id] = self._end(new, "killed", now) if one.killed else new
            for id, old in before.items():
                if id not in seen:
                    seen[id] = self._end(old, "stopped", now) if old.state == "running" else old
            self._seen = _shortlist(seen)
            self._forgotten |= seen.keys() - self._seen.keys()
        for one in found:
            if one.killed:
                one.remove()
        fresh = [one for id, one in seen.items() if id not in before or one != before[id]]
        return [one for one in fresh if one.state != "running"]

    def _end(self, one: Seen, state: State, now: datetime) -> Seen:
        """It has ended, with a whole run or in the way that is named."""
        stored = self._stored(one.run)
        return replace(one, state="finished" if stored else state, ended=now, stored=stored)

    def _stored(self, run: LiveRun) -> RunReader | None:
        """The whole run that began when this one did."""
        stamp = run.began.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
        for file in self._runs.glob(f"{stamp}-*/{FILE_NAME}"):
            try:
                reader = RunReader(file.parent)
                if reader.manifest.started == run.started:
                    return reader
            except StoreError:
                continue
        return None

    # ----------------------------------------------------------------------- the site

    def _stamps(self) -> dict[Path, int]:
        """The runs that belong on the site, newest first, with the times of their manifests."""
        runs = whole_runs(self._runs)
        if self._named:
            runs = [*self._named, *(path for path in runs if path not in self._before)]
        found = {}
        for path in runs:
            try:
                found[path] = (path / FILE_NAME).stat().st_mtime_ns
            except OSError:  # removed just now
                continue
        return found

    def _build_on(self) -> None:
        self._built = self._stamps()  # what fails is not tried again before something has changed
        try:
            self.build()
        except HarnessError as error:
            self._say(f"the site was not built anew: {error}")

    def _readable(self, runs: Iterable[Path]) -> list[Path]:
        """The runs whose manifests can be read."""
        return [path for path in runs if self._sound(partial(read_run, path))]

    def _undamaged(self, runs: Sequence[Path]) -> list[Path]:
        """The runs whose files are those that were written."""
        return [path for path in runs if self._sound(RunReader(path).verify)]

    def _sound(self, check: Callable[[], object]) -> bool:
        """Whether a run passes a check; what is wrong is said once."""
        try:
            check()
        except StoreError as error:
            if str(error) not in self._faults:
                self._faults.add(str(error))
                self._say(f"left out: {error}")
            return False
        return True


def _id(one: Seen) -> str:
    return one.id


def _end(one: Seen) -> datetime:
    return one.ended or datetime.now(UTC)


def _shortlist(seen: dict[str, Seen]) -> dict[str, Seen]:
    """Without what was begun again, and without what ended long ago."""
    again = {(one.run.tasks, one.run.models) for one in seen.values() if one.state == "running"}
    ended = sorted((one for one in seen.values() if one.ended), key=_end, reverse=True)
    kept = [
        one
        for one in ended
        if one.state == "finished" or (one.run.tasks, one.run.models) not in again
    ][:ENDED_SHOWN]
    names = {one.id for one in kept}
    return {id: one for id, one in seen.items() if not one.ended or id in names}


def href_of(run_id: str) -> str:
    """Where the site shows a run, relative to its top."""
    return "index.html"


def _row(one: Seen, site: frozenset[Path]) -> dict[str, object]:
    run, stored = one.run, one.stored
    end = one.ended or datetime.now(UTC)
    cells, (done, total) = run.cells, run.counts
    return {
        "id": one.id,
        "state": one.state,
        "words": WORDS[one.state],
        "href": href_of(stored.run_id) if stored and stored.path in site else None,
        "run": stored.run_id if stored else None,
        "started": run.started,
        "seconds": round(max((end - run.began).total_seconds(), 0.0), 1),
        "tasks": list(run.tasks),
        "models": list(run.models),
        "phase": run.phase,
        "waiting": run.waiting,
        "done": done,
        "total": total,
        "failed": sum(cell.failed for cell in cells),
        "cached": sum(cell.cached for cell in cells),
        "rate": run.rate,
        "left": run.seconds_left,
        "cells": [asdict(cell) for cell in cells],
        "judges": [asdict(judge) for judge in run.judges],
        "answers": [asdict(answer) for answer in run.answers],
    }
