"""Judges at work while the answers are still being given.

A judge that is asked over a network costs no computing time here, so it begins with the first
answer: a few threads a judge take what has been answered meanwhile, each with a connection of its
own to the cache. Equal material always goes to the same thread, so that no two ask the same at
once. A judge that computes here would only slow down the model under test; it judges when that
has been freed. Every reply is committed as it arrives: killed and run again, nothing that was
answered is asked again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from harness.adapters.base import Adapter
from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.registry import load_key, open_adapter
from harness.collect.specs import ModelSpec, OpenAIModel
from harness.errors import Interrupted, ModelError, SpecError
from harness.judges.budget import Budget, BudgetedAdapter
from harness.judges.judge import Judge, ask
from harness.judges.money import money
from harness.judges.prices import PriceTable
from harness.records import Completion, Verdict
from harness.runner.cases import Case, Docket, Item, expected, judges_of
from harness.runner.generate import Memory, Progress
from harness.runner.verdicts import kin

SEATS = 4
"""Threads of one judge: a reply that is long in coming holds up a quarter of what follows it."""
MOST_AT_ONCE = 1000
"""Items in one call of an adapter; so many prompts are in memory at once."""
JOIN_SECONDS = 10.0


class JudgeProgress(Protocol):
    """What judges tell while they judge."""

    def judged(self, judge: str, verdict: Verdict, total: int) -> None:
        """This has just been given, of so many that there can be."""
        ...

    def judges_done(self, notes: Sequence[str]) -> None:
        """All have been given; what is to be said about it."""
        ...


class RunProgress(Progress, JudgeProgress, Protocol):
    """What a run tells, models and judges."""


class Judging:
    """The judges of a run: `offer` them answers, `finish` to have all verdicts, then `close`.

    Raises SpecError if a judge would judge its own family and may not, ModelError if a judge's
    model is not to be found, or has no price and the ``budget`` a limit.
    """

    def __init__(self, cases: Sequence[Case], memory: Memory, budget: Budget) -> None:
        _check_families(cases)
        self.judges = judges_of(cases)
        models = [model for judge in self.judges.values() for model in judge.models]
        prices = next((judge.prices for judge in self.judges.values()), None)
        budget.check(models, prices)
        self.verdicts: dict[tuple[str, str], list[Verdict]] = {}
        """(name of the judge, id of the item) -> its verdicts."""
        self._docket, self._expected = Docket(cases), expected(cases)
        self._memory, self._budget = memory, budget
        self._bench = Bench(memory, budget, prices)
        self.fingerprints = {model.model: self._bench.fingerprint(model) for model in models}
        self._said: SimpleQueue[Said] = SimpleQueue()
        self._seats: dict[tuple[str, int], Seat] = {}
        self._working = 0
        self._later: dict[str, list[Item]] = {}

    @property
    def count(self) -> int:
        """Verdicts so far."""
        return sum(map(len, self.verdicts.values()))

    def offer(self, batch: Sequence[Completion]) -> None:
        """Hand over answers; returns at once."""
        for item in self._docket.offer(batch):
            name = item.judge.spec.judge
            if not _remote(item.judge):
                self._later.setdefault(name, []).append(item)
                continue
            place = (name, hash(item.material) % SEATS)
            if place not in self._seats:
                self._seats[place] = Seat(item.judge, self._bench, self._said)
                self._seats[place].start()
                self._working += 1
            self._seats[place].items.put(item)

    def listen(self, progress: JudgeProgress) -> None:
        """Take what has been said since; raises what ended a judge."""
        while True:
            try:
                self._keep(self._said.get_nowait(), progress)
            except Empty:
                return

    def finish(self, progress: JudgeProgress) -> None:
        """Wait for the judges at work, then let those judge that compute here.

        Raises Interrupted on Ctrl-C, ModelError if a judge cannot be asked at all.
        """
        try:
            for seat in self._seats.values():
                seat.items.put(None)
            while self._working:
                self._keep(self._said.get(), progress)
            self._judge_here(progress)
        except KeyboardInterrupt:
            total = sum(self._expected.values())
            raise Interrupted(
                f"interrupted: all answers and {self.count} of {total} verdicts are kept; "
                "run the same command again to go on from there"
            ) from None
        if self.judges:
            progress.judges_done(self._notes())

    def close(self) -> None:
        """Stop what is still at work; what was answered is in the cache."""
        for seat in self._seats.values():
            seat.stop()
        self._bench.close()
        for seat in self._seats.values():
            seat.join(JOIN_SECONDS)

    def _judge_here(self, progress: JudgeProgress) -> None:
        """Judges whose models run in this process, those of one model after each other."""
        groups: dict[str, list[str]] = {}
        for name in self._later:
            key = "+".join(load_key(model) for model in self.judges[name].models)
            groups.setdefault(key, []).append(name)
        for names in groups.values():
            opened = Opened(self._bench, self._memory.cache)
            for name in names:
                for said in hear(self.judges[name], self._later[name], opened):
                    self._keep(said, progress)
            self._bench.release(m for name in names for m in self.judges[name].models)

    def _keep(self, said: Said, progress: JudgeProgress) -> None:
        if isinstance(said.error, ModelError):
            kept = "all answers and verdicts so far are kept: the same command goes on from there"
            raise ModelError(f"{said.error}; {kept}") from None
        if said.error is not None:
            raise said.error
        if said.verdict is None:
            self._working -= 1
        else:
            self.verdicts.setdefault((said.judge, said.item), []).append(said.verdict)
            progress.judged(said.judge, said.verdict, self._expected[said.judge])

    def _notes(self) -> list[str]:
        notes = self._bench.notes()
        budget = self._budget
        if budget.refused and budget.max_cost is not None:
            notes.append(
                f"--max-cost: {money(budget.spent)} of {money(budget.max_cost)} spent; "
                f"{budget.refused} judge calls could have exceeded it, were not made and are "
                "counted as judge errors"
            )
        return notes


def _remote(judge: Judge) -> bool:
    """Whether all of a judge's models are servers, which can be asked from several threads."""
    return all(isinstance(model, OpenAIModel) for model in judge.models)


def _check_families(cases: Sequence[Case]) -> None:
    for case in cases:
        for judge in case.judged_by():
            if judge.spec.limits.same_family != "error":
                continue
            if case.card is None:
                what = f"nobody knows the card of {case.model}, nor whether it is of its own family"
            elif kindred := kin(judge, case.card):
                what = f"{kindred[0]} is of the family of {case.model} and may not judge it"
            else:
                continue
            raise SpecError(judge.spec.path, 0, f"{what} (limits.same_family: error)")


# --------------------------------------------------------------------------- one at work


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict with the item it is about, or what ended a judge, or (neither) that it is done."""

    judge: str
    item: str = ""
    verdict: Verdict | None = None
    error: BaseException | None = None


def hear(judge: Judge, items: Sequence[Item], opened: Opened) -> Iterator[Said]:
    """The verdicts on items, as they are given."""
    for batch in ask(judge, [(item.id, item.material) for item in items], opened):
        yield from (Said(judge.spec.judge, one.item, one.verdict) for one in batch)


class Seat(threading.Thread):
    """A thread that asks one judge about whatever has come in; None in its queue ends it."""

    def __init__(self, judge: Judge, bench: Bench, said: SimpleQueue[Said]) -> None:
        super().__init__(name=f"judge {judge.spec.judge}", daemon=True)
        self.items: SimpleQueue[Item | None] = SimpleQueue()
        self._judge, self._bench, self._said = judge, bench, said
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after the batch that is being read."""
        self._stopped.set()
        self.items.put(None)

    def run(self) -> None:
        name = self._judge.spec.judge
        error: BaseException | None = None
        try:
            # templates count their steps, so each thread has one of its own
            judge = self._judge
            self._work(Judge.of(judge.spec, judge.models, judge.prices))
        except BaseException as raised:  # whatever it is, the main thread is to raise it
            error = None if self._stopped.is_set() else raised
        self._said.put(Said(name, error=error))

    def _work(self, judge: Judge) -> None:
        with closing(self._bench.cache.again()) as cache:
            opened = Opened(self._bench, cache)
            while items := self._waiting():
                for said in hear(judge, items, opened):
                    if self._stopped.is_set():
                        return
                    self._said.put(said)

    def _waiting(self) -> list[Item]:
        """All that has come in, at least one; none when there will be no more."""
        found: list[Item] = []
        item = self.items.get()
        while item is not None:
            found.append(item)
            if len(found) >= MOST_AT_ONCE or self.items.empty():
                return found
            item = self.items.get()
        self.items.put(None)  # it is still the end the next time
        return found


class Opened:
    """The judges' adapters with one thread's connection to the cache."""

    def __init__(self, bench: Bench, cache: Cache) -> None:
        self._bench, self._cache = bench, cache
        self._adapters: dict[str, CachedAdapter] = {}

    def __call__(self, model: ModelSpec) -> CachedAdapter:
        key = load_key(model)
        if key not in self._adapters:
            inner = self._bench.adapter(model)
            self._adapters[key] = CachedAdapter(inner, self._cache, fresh=self._bench.fresh)
        return self._adapters[key]


class Bench:
    """One adapter for each model that judges, shared by all threads."""

    def __init__(self, memory: Memory, budget: Budget, prices: PriceTable | None) -> None:
        self.cache, self.fresh = memory.cache, memory.fresh
        self._memory, self._budget, self._prices = memory, budget, prices
        self._adapters: dict[str, BudgetedAdapter] = {}
        self._lock, self._closed = threading.Lock(), False
        self._told: list[str] = []

    def adapter(self, model: ModelSpec) -> BudgetedAdapter:
        """The adapter of a model; opened when it is first asked for, never after `close`: a thread
        that is still at work then would open one that nobody closes."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the judges were closed while one was at work")
            key = load_key(model)
            if key not in self._adapters:
                inner: Adapter = open_adapter([model], allow_code=self._memory.allow_code)
                self._adapters[key] = BudgetedAdapter(inner, self._budget, self._prices)
            return self._adapters[key]

    def fingerprint(self, model: ModelSpec) -> str:
        """As the adapter's; raises ModelError if the model's files are missing."""
        return self.adapter(model).fingerprint(model)

    def release(self, models: Iterable[ModelSpec]) -> None:
        """Free the memory of models that have judged."""
        for key in {load_key(model) for model in models}:
            with self._lock:
                adapter = self._adapters.pop(key, None)
            if adapter is not None:
                self._close(adapter)

    def notes(self) -> list[str]:
        """What the adapters have to say."""
        return [*self._told, *(note for one in self._adapters.values() for note in one.notes)]

    def close(self) -> None:
        """Close all adapters."""
        with self._lock:
            self._closed, adapters = True, list(self._adapters.values())
            self._adapters.clear()
        for adapter in adapters:
            self._close(adapter)

    def _close(self, adapter: BudgetedAdapter) -> None:
        self._told += adapter.notes
        adapter.close()
