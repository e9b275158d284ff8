"""Answers before their judges: what is judged, when it can be, and with what beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.collect.specs import ModelSpec
from harness.judges.base import Material
from harness.judges.judge import Judge
from harness.judges.pairwise import ORDERS, both_orders
from harness.records import Completion, Sample
from harness.runner.material import View
from harness.runner.work import Work


@dataclass(frozen=True, slots=True)
class Place:
    """One answer of a cell: the id of its completion, which no other answer of the run has."""

    id: str
    sample: Sample
    epoch: int


@dataclass(frozen=True)
class Case:
    """A cell as its judges see it. ``card`` is None if nobody knows the model's card any more.

    ``beside`` is the case of the base whose answers a pairwise judge compares with these; None if
    the cell is the base itself, which has nobody to be compared with.
    """

    cell: str
    task: str
    variant: str
    model: str
    card: ModelSpec | None
    judges: tuple[Judge, ...]
    places: tuple[Place, ...]
    beside: Case | None = None
    view: View = field(default_factory=View)
    """How the task's samples are shown to judges."""
    baseline: str | None = None
    """The model that this one's card names to be held against, as it was when it answered."""

    def judged_by(self) -> tuple[Judge, ...]:
        """The judges that have something to say here."""
        return tuple(j for j in self.judges if self.beside is not None or not j.spec.pairwise)


@dataclass(frozen=True, slots=True)
class Item:
    """One question to one judge; the id is that of the completion, with the order of a pair."""

    judge: Judge
    id: str
    material: Material


def cases_of(works: Sequence[Work]) -> list[Case]:
    """The cells of a run, those without judges left out."""
    cases = [
        Case(
            cell=work.cell.id,
            task=work.cell.task.task,
            variant=str(work.cell.variant),
            model=work.cell.model.model,
            card=work.cell.model,
            baseline=work.cell.model.baseline,
            judges=work.judges,
            places=tuple(Place(r.id, sample, r.epoch) for sample, r in work.asked),
            view=View.of(work.cell.task),
        )
        for work in works
    ]
    return with_bases([case for case in cases if case.judges])


def with_bases(cases: Sequence[Case]) -> list[Case]:
    """The same cases, each beside its base: its ``baseline`` if the run has it, else the
    first model of the same task and variant."""
    groups: dict[tuple[str, str], dict[str, Case]] = {}
    for case in cases:
        groups.setdefault((case.task, case.variant), {}).setdefault(case.model, case)
    found = []
    for case in cases:
        group = groups[case.task, case.variant]
        base = group.get(case.baseline or "") or next(iter(group.values()))
        found.append(case if base is case else replace(case, beside=base))
    return found


class Docket:
    """Which items can be judged, as answers come in; every item is handed out once."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._places: dict[str, list[tuple[Case, Place, Place | None]]] = {}
        self._known: dict[str, Completion] = {}
        for case in cases:
            others = {
                (p.sample.id, p.epoch): p for p in (case.beside.places if case.beside else ())
            }
            for place in case.places:
                other = others.get((place.sample.id, place.epoch))
                self._places.setdefault(place.id, []).append((case, place, other))
                if other is not None:
                    self._places.setdefault(other.id, []).append((case, place, other))

    def offer(self, batch: Iterable[Completion]) -> list[Item]:
        """The items that these answers make ready. A failed answer makes none."""
        items: list[Item] = []
        for done in batch:
            if done.failed or done.id not in self._places:
                continue
            self._known[done.id] = done
            for case, place, other in self._places[done.id]:
                items += self._items(case, place, other, done)
        return items

    def _items(
        self, case: Case, place: Place, other: Place | None, done: Completion
    ) -> Iterator[Item]:
        show = case.view.material
        both = other is not None and place.id in self._known and other.id in self._known
        for judge in case.judges:
            if judge.spec.pairwise:
                if both and other is not None:
                    first, second = self._known[other.id], self._known[place.id]
                    pair = show(judge.spec, place.sample, first.text, second.text)
                    named = both_orders([(place.id, pair)])
                    yield from (Item(judge, name, one) for name, one in named)
            elif done.id == place.id:
                yield Item(judge, place.id, show(judge.spec, place.sample, done.text))


def expected(cases: Sequence[Case]) -> dict[str, int]:
    """How many verdicts each judge gives if every answer is there."""
    counts: dict[str, int] = {}
    for case in cases:
        for judge in case.judged_by():
            calls = len(judge.spec.models) * judge.spec.repeats
            calls *= len(ORDERS) if judge.spec.pairwise else 1
            name = judge.spec.judge
            counts[name] = counts.get(name, 0) + calls * len(case.places)
    return counts


def judges_of(cases: Sequence[Case]) -> Mapping[str, Judge]:
    """All judges of the cases by name."""
    return {judge.spec.judge: judge for case in cases for judge in case.judges}
