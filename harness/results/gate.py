"""A gate: does a candidate keep to what its tasks ask, as far as the data can tell?

lines of the gate -> demands -> evidence (numbers) -> Holm over all that can fail -> rulings
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.collect.gate_spec import GateSpec
from harness.collect.suggest import known_or_near
from harness.errors import SelectionError, StoreError
from harness.results.classes import classes_of
from harness.results.costs import cost_evidence
from harness.results.decide import decide
from harness.results.evidence import Demand, Evidence, Key, Trial, settled
from harness.results.identical import same_answers
from harness.results.manifest import CellRecord
from harness.results.multiple import holm
from harness.results.pairs import CellPair, CompareOptions, Metric, Side, pair_cells
from harness.results.preconditions import Trust, check
from harness.results.rulings import GateResult, Ruling

KEYS: tuple[Key, ...] = ("max_drop", "min", "max", "max_ratio")
Pairs = dict[tuple[str, bool], list[CellPair]]
"""What was read of a task already: beside its baseline (True), or the candidate alone."""


@dataclass(frozen=True)
class GateQuestion:
    """What is asked of one candidate.

    ``lines`` are the gate lines of each task, ``baselines`` whom each task's numbers are compared
    with, ``trust`` the reasons why a judge must not be believed. ``intersect`` compares what both
    sides share if their samples differ.
    """

    candidate: Side
    lines: Mapping[str, Sequence[GateSpec]]
    baselines: Mapping[str, Side] = field(default_factory=dict)
    trust: Trust = field(default_factory=dict)
    intersect: bool = False


def gate(questions: Sequence[GateQuestion], *, together: bool = False) -> GateResult:
    """Rule on every line of every question.

    A candidate that is as good as its baseline is failed with a chance of at most 5 %: Holm's
    correction runs over all lines of a candidate that can fail it, or over all candidates
    ``together`` (checkpoints of one training, of which somebody will pick the best). Raises
    StoreError for a missing baseline, SelectionError for a metric or class that does not exist.
    """
    found: list[list[Evidence]] = [evidence_of(question) for question in questions]
    families = [[one for each in found for one in each]] if together else found
    rulings = [ruling for family in families for ruling in rule(family)]
    notes = [note for question in questions for note in notes_on(question)]
    return GateResult(rulings, tuple(dict.fromkeys(notes)))


def rule(family: Sequence[Evidence], unseen: int = 0) -> list[Ruling]:
    """Rulings on evidence of which Holm's correction takes account together.

    ``unseen`` are lines that are still to come and count as p = 1: what fails now would fail in
    the end as well, so that one may look, and stop, as often as one likes.
    """
    known = [one.p for one in family if one.p is not None]
    adjusted = iter(holm([*known, *[1.0] * unseen]))
    return [decide(one, None if one.p is None else next(adjusted)) for one in family]


def evidence_of(question: GateQuestion) -> list[Evidence]:
    """The evidence on all demands of a question, in the order of its lines."""
    return [trial.weigh() for trial in trials_of(question)]


def trials_of(question: GateQuestion) -> list[Trial]:
    """The demands of a question with the data they are about, in the order of its lines."""
    read: Pairs = {}
    return [
        one
        for task, lines in question.lines.items()
        for spec in lines
        for one in _Line(question, task, spec, read).trials()
    ]


def notes_on(question: GateQuestion) -> list[str]:
    """What a reader should know beside the rulings."""
    model = question.candidate.model
    notes = []
    for task, side in question.baselines.items():
        if side.run.manifest.dirty:
            notes.append(f"{task}: the baseline {side.name} was run with uncommitted changes")
    points = {s.metric for lines in question.lines.values() for s in lines if s.rule == "point"}
    if points:
        names = ", ".join(sorted(points))
        notes.append(f"{model}: 'rule: point' ({names}) fails equal models by chance, up to half")
    return notes


def full_name(metric: str, names: Sequence[str]) -> str:
    """The name under which a metric of a task file stands among scores; "" if it does not.

    "bleu[13a]" for "bleu", "meteor_exact_stem" for "meteor": a scorer may say more than its name.
    """
    if metric in names:
        return metric
    for known in (
        [name for name in names if name.partition("[")[0] == metric],
        [name for name in names if name.startswith(f"{metric}_")],
    ):
        if known:
            return known[0] if len(known) == 1 else ""
    return ""


@dataclass(frozen=True)
class _Line:
    """One line of a gate before the candidate's cells of the task it is about."""

    question: GateQuestion
    declared: str
    spec: GateSpec
    read: Pairs

    @property
    def task(self) -> str:
        return self.spec.task or self.declared

    def trials(self) -> Iterator[Trial]:
        """For each cell, each class and each key of the line."""
        cells = [
            cell
            for cell in self.question.candidate.run.manifest.cells
            if cell.model == self.question.candidate.model and cell.task == self.task
        ]
        if not cells:
            side = self.question.candidate
            where = f"{side.run.run_id} has no cell of {self.task} with {side.model}"
            yield settled(self._demand(None, "limits"), error=f"{where}: run that task, too")
        for cell in cells:
            yield from self._of_cell(cell)

    def _of_cell(self, cell: CellRecord) -> Iterator[Trial]:
        if self.spec.is_cost:
            for key in self._keys:
                demand = self._demand(cell, key)
                yield Trial(demand, settled=cost_evidence(demand, self._sides(key), cell))
            return
        self._check_metric(cell)
        demand = self._demand(cell, "limits")
        found = check(demand, self.question.candidate, cell, self.question.trust)
        if found.error or not self._keys:
            yield settled(demand, error=found.error, said=found.kept)
            return
        for key in self._keys:
            yield from self._of_key(cell, key)

    def _of_key(self, cell: CellRecord, key: Key) -> Iterator[Trial]:
        pair = self._pair(cell, relative=key == "max_drop")
        if isinstance(pair, str):
            yield settled(self._demand(cell, key), error=pair)
            return
        metric = next(one for one in pair.metrics if one.info.name == self._name(cell))
        if key == "max_drop" and metric.info.neutral:
            what = f"'{metric.info.name}' has no better side: gate it with 'min' or 'max'"
            raise SelectionError(f"gate of {self.declared}: {what}")
        same = key == "max_drop" and same_answers(self._sides(key), pair, metric)
        for group, at in self._classes(cell, metric):
            demand = self._demand(cell, key, group)
            if not at:
                yield settled(demand, error="no sample of this class has a score on both sides")
            else:
                yield Trial(demand, metric, at, same)

    # ----------------------------------------------------------------- whom and what

    @cached_property
    def _keys(self) -> tuple[Key, ...]:
        return tuple(key for key in KEYS if getattr(self.spec, key) is not None)

    def _sides(self, key: Key) -> tuple[Side, Side]:
        """Baseline and candidate; an absolute demand compares the candidate with nobody."""
        candidate = self.question.candidate
        if key not in ("max_drop", "max_ratio"):
            return candidate, candidate
        baseline = self.question.baselines.get(self.task)
        if baseline is None:
            raise StoreError(
                f"no baseline of {self.task} to compare {candidate.model} with: "
                f"'harness baseline set RUN' makes one, --baseline names one"
            )
        return baseline, candidate

    def _pair(self, cell: CellRecord, *, relative: bool) -> CellPair | str:
        """Both sides' scores of the cell, or why they cannot be compared."""
        a, b = self._sides("max_drop" if relative else "min")
        if (self.task, relative) not in self.read:
            options = CompareOptions(tasks=(self.task,), criteria=True, collect_reasons=True)
            self.read[self.task, relative] = pair_cells(a, b, options)
        pairs = self.read[self.task, relative]
        pair = next((one for one in pairs if one.b.variant == cell.variant), None)
        if pair is None:
            return f"the baseline {a.name} has no variant '{cell.variant}': set it again"
        reasons = [
            reason
            for reason in pair.reasons
            if not (self.question.intersect and reason.startswith("samples differ"))
        ]
        if reasons:
            return f"the baseline {a.name} is stale ({'; '.join(reasons)}): set it again"
        if not any(one.info.name == self._name(cell) for one in pair.metrics):
            return f"the baseline {a.name} has no {self.spec.metric}: set it again"
        if not pair.metrics[0].ids:
            raise StoreError(f"{self.task}: {a.name} and {b.name} have no sample in common")
        return pair

    def _check_metric(self, cell: CellRecord) -> None:
        names = [info.name for info in cell.scorers]
        if not self._name(cell):
            what = f"no metric '{self.spec.metric}' in {cell.cell}"
            raise SelectionError(
                f"gate of {self.declared}: {what}{known_or_near(self.spec.metric, names)}"
            )

    def _name(self, cell: CellRecord) -> str:
        return full_name(self.spec.metric, [info.name for info in cell.scorers])

    def _classes(self, cell: CellRecord, metric: Metric) -> Iterator[tuple[str, list[int]]]:
        both = (metric.a.ok & metric.b.ok).nonzero()[0].tolist()
        if self.spec.per_class is None:
            yield "", both
            return
        named = classes_of(self.question.candidate, cell, self.spec.per_class)
        for group in sorted(set(named.values())):
            yield group, [i for i in both if named.get(metric.ids[i]) == group]

    def _demand(self, cell: CellRecord | None, key: Key, group: str = "") -> Demand:
        limit = getattr(self.spec, key, None)
        relative = key in ("max_drop", "max_ratio")
        baseline = self.question.baselines.get(self.task) if relative else None
        return Demand(
            spec=self.spec,
            key=key,
            limit=0.0 if limit is None else limit,
            metric=self._name(cell) if cell else self.spec.metric,
            task=self.task,
            variant=cell.variant if cell else "",
            model=self.question.candidate.model,
            cell=cell.cell if cell else "",
            baseline=baseline.name if baseline else "",
            group=group,
        )
