"""A candidate's gate, ruled on as a whole and told task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.collect.library import Project
from harness.errors import HarnessError, StoreError
from harness.results.baseline import References
from harness.results.evidence import Evidence
from harness.results.gate import GateQuestion, evidence_of, notes_on, rule
from harness.results.gate_setup import make_questions
from harness.results.pairs import Side
from harness.results.rulings import Ruling


@dataclass(frozen=True)
class ByTask:
    """What the gates of a candidate's tasks say, by the task that declares them.

    ``errors`` are tasks whose gate cannot even be asked: no baseline, no such metric.
    """

    rulings: Mapping[str, Sequence[Ruling]]
    errors: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True)
class Compared:
    """Whom a candidate is compared with: ``named`` first; ``card`` where that knows nobody.

    ``itself`` says that others are compared with the candidate; then it is, too, with itself.
    """

    named: References
    card: References | None = None
    itself: bool = False

    def of(self, side: Side, task: str) -> Side | None:
        """The baseline of one task for a candidate; raises StoreError as ``named`` does."""
        found = self.named.of(side, task)
        if found is None and self.card is not None:
            try:
                found = self.card.of(side, task)
            except StoreError:  # nobody named it on the command line: then there is none
                found = None
        return side if found is None and self.itself else found


def gate_by_task(side: Side, tasks: Sequence[str], project: Project, compared: Compared) -> ByTask:
    """The rulings of `harness gate` on these tasks of a candidate, all of which declare a gate.

    Holm's correction runs over all lines of the candidate, as in `harness.results.gate.gate`; but
    a mistake in one task's gate leaves the others' rulings as they are. Some variants may have been
    left out of the run on purpose.
    """
    found: dict[str, list[Evidence]] = {}
    errors: dict[str, str] = {}
    notes: list[str] = []
    for task in tasks:
        try:
            question = _question(side, task, project, compared)
            found[task] = evidence_of(question)
            notes += notes_on(question)
        except HarnessError as error:
            errors[task] = str(error)
    rulings = iter(rule([one for each in found.values() for one in each]))
    told = {task: [next(rulings) for _ in each] for task, each in found.items()}
    return ByTask(told, errors, tuple(dict.fromkeys(notes)))


def _question(side: Side, task: str, project: Project, compared: Compared) -> GateQuestion:
    (question,) = make_questions([side], project, compared.named, [task], partial=True)
    names = dict.fromkeys(spec.task or task for spec in question.lines[task])
    known = {name: compared.of(side, name) for name in names}
    return replace(question, baselines={k: one for k, one in known.items() if one is not None})
