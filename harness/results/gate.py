"""A gate: does a candidate keep to what its tasks ask, as far as the data can tell?

lines of the gate -> demands -> evidence (numbers) -> Holm over all that can fail -> rulings
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.collect.gate_spec import GateSpec
from harness.collect.suggest import known_or_near
from harness.errors import SelectionError, StoreError
from harness.results.asked import asked_differently, seeds_differ
from harness.results.classes import NONE, classes_of
from harness.results.costs import cost_evidence, failures, ratio_to_baseline
from harness.results.decide import decide
from harness.results.evidence import Demand, Evidence, Key, Trial, settled
from harness.results.identical import Comparable, Texts, same_answers
from harness.results.manifest import CellRecord
from harness.results.mismatch import SAMPLES_DIFFER, Stored, mismatches, not_comparable
from harness.results.multiple import holm
from harness.results.pairs import CellPair, CompareOptions, Metric, Side, pair_cells
from harness.results.preconditions import (
    Trust,
    check,
    check_baseline,
    check_meaning,
    check_pairs,
    hidden_failures,
)
from harness.results.rulings import GateResult, Ruling
from harness.results.run import ScorerInfo
from harness.results.store import RunReader

KEYS: tuple[Key, ...] = ("max_drop", "min", "max", "max_ratio")
RELATIVE: tuple[Key, ...] = ("max_drop", "max_ratio")
Pairs = dict[tuple[str, bool], list[CellPair]]
"""What was read of a task already: beside its baseline (True), or the candidate alone."""


@dataclass
class Seen:
    """What was read for a question, once for all of its lines, and what is to be said of it."""

    pairs: Pairs = field(default_factory=dict)
    texts: dict[str, Texts] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GateQuestion:
    """What is asked of one candidate.

    ``lines`` are the gate lines of each task, ``baselines`` whom each task's numbers are compared
    with, ``trust`` the reasons why a judge must not be believed. ``intersect`` compares what both
    sides share if their samples differ. ``partial`` says that some variants were left out on
    purpose; else one that only the baseline has is an error.
    """

    candidate: Side
    lines: Mapping[str, Sequence[GateSpec]]
    baselines: Mapping[str, Side] = field(default_factory=dict)
    trust: Trust = field(default_factory=dict)
    intersect: bool = False
    partial: bool = False
    seen: Seen = field(init=False, repr=False, compare=False, default_factory=Seen)


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
    return [_ruled(one, None if one.p is None else next(adjusted)) for one in family]


def _ruled(found: Evidence, p_holm: float | None) -> Ruling:
    ruling = decide(found, p_holm)
    if ruling.outcome == "ERROR" or not found.remark:
        return ruling
    return replace(ruling, reason=f"{ruling.reason}; {found.remark}")


def evidence_of(question: GateQuestion) -> list[Evidence]:
    """The evidence on all demands of a question, in the order of its lines."""
    return [trial.weigh() for trial in trials_of(question)]


def trials_of(question: GateQuestion) -> list[Trial]:
    """The demands of a question with the data they are about, in the order of its lines."""
    return [
        one
        for task, lines in question.lines.items()
        for spec in lines
        for one in _Line(question, task, spec).trials()
    ]


def notes_on(question: GateQuestion) -> list[str]:
    """What a reader should know beside the rulings, once ``trials_of`` the question were asked."""
    model = question.candidate.model
    notes = list(dict.fromkeys(question.seen.notes))
    for task, side in question.baselines.items():
        if side.name == question.candidate.name:
            notes.append(f"{task}: {model} is compared with itself")
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

    @property
    def task(self) -> str:
        return self.spec.task or self.declared

    def trials(self) -> Iterator[Trial]:
        """For each cell, each class and each key of the line."""
        cells = cells_of(self.question.candidate, self.task)
        if not cells:
            side = self.question.candidate
            where = f"{side.run.run_id} has no cell of {self.task} with {side.model}"
            yield settled(self._demand(None, "limits"), error=f"{where}: run that task, too")
        for cell in cells:
            yield from self._of_cost(cell) if self.spec.is_cost else self._of_cell(cell)
        if cells:
            yield from self._left_out([cell.variant for cell in cells])

    def _left_out(self, known: Sequence[str]) -> Iterator[Trial]:
        """Variants that only the baseline has."""
        relative = [key for key in self._keys if key in RELATIVE]
        if not relative:
            return
        baseline, side = self._sides(relative[0])
        alone = [c.variant for c in cells_of(baseline, self.task) if c.variant not in known]
        if alone and (self.question.partial or self.question.intersect):
            what = f"of the baseline {baseline.name} were not run: {', '.join(alone)}"
            self.question.seen.notes.append(f"{self.task}: variants {what}")
            return
        for variant in alone:
            where = f"{side.run.run_id} has no variant '{variant}' of {self.task}"
            demand = replace(self._demand(None, relative[0]), variant=variant)
            yield settled(demand, error=f"{where}, which the baseline has: run it, too")

    def _of_cost(self, cell: CellRecord) -> Iterator[Trial]:
        demand, candidate = self._demand(cell, "limits"), self.question.candidate
        wrong, said = failures(demand, candidate, cell)
        if wrong or not self._keys:
            yield settled(demand, error=wrong, said=said)
            return
        for key in self._keys:
            demand = self._demand(cell, key)
            if key == "max_ratio":
                found = self._cost_ratio(demand, cell)
            else:
                found = cost_evidence(demand, candidate, cell)
            yield Trial(demand, settled=found)

    def _cost_ratio(self, demand: Demand, cell: CellRecord) -> Evidence:
        sides = self._sides("max_ratio")
        baseline, candidate = sides
        other = next((c for c in cells_of(baseline, self.task) if c.variant == cell.variant), None)
        if other is None:
            return Evidence(demand, error=self._no_variant(baseline, cell))
        stored = ((baseline.run, other), (candidate.run, cell))
        ids = [dict.fromkeys(_sample_ids(run, one)) for run, one in stored]
        reasons = mismatches(stored, (), (sorted(ids[0]), sorted(ids[1])))
        stale = self._stale(stored, reasons)
        return (
            Evidence(demand, error=stale)
            if stale
            else ratio_to_baseline(demand, sides, (other, cell))
        )

    def _of_cell(self, cell: CellRecord) -> Iterator[Trial]:
        self._check_metric(cell)
        demand = self._demand(cell, "limits")
        found = check(demand, self.question.candidate, cell, self.question.trust)
        if found.error or not self._keys:
            yield settled(demand, error=found.error, said=found.kept)
            return
        for key in self._keys:
            yield from self._of_key(cell, key)

    def _of_key(self, cell: CellRecord, key: Key) -> Iterator[Trial]:
        if key == "max_drop":
            self._check_better(next(i for i in cell.scorers if i.name == self._name(cell)))
        pair = self._pair(cell, relative=key == "max_drop")
        if isinstance(pair, str):
            yield settled(self._demand(cell, key), error=pair)
            return
        metric = next(one for one in pair.metrics if one.info.name == self._name(cell))
        if key == "max_drop":
            wrong = self._holes(pair, metric)
            if wrong:
                yield settled(self._demand(cell, key), error=wrong)
                return
        both = Comparable(self._sides(key), pair, metric, self.question.seen.texts)
        for group, at, total in self._classes(cell, metric):
            demand = self._demand(cell, key, group)
            if not at:
                yield settled(demand, error=_nobody(key, group))
                continue
            what = "samples paired" if key == "max_drop" else "samples have a score"
            remark = f"{len(at)} of {total} {what}" if len(at) < total else ""
            same = same_answers(both, at) if key == "max_drop" else ""
            yield Trial(demand, metric, at, same, remark=remark)

    def _holes(self, pair: CellPair, metric: Metric) -> str:
        """Why too little of both sides can be paired; notes what failures may hide."""
        demand, sides = self._demand(pair.b, "max_drop"), self._sides("max_drop")
        wrong = check_baseline(demand, sides[0], pair.a) or check_pairs(demand, sides, pair, metric)
        said = hidden_failures(demand, sides[1], pair.b, metric.info.span)
        self.question.seen.notes += [said] if said else []
        return wrong

    def _check_better(self, info: ScorerInfo) -> None:
        if info.neutral:
            what = f"'{info.name}' has no better side: gate it with 'min' or 'max'"
            raise SelectionError(f"gate of {self.declared}: {what}")
        if info.opponent:
            what = f"'{info.name}' says how often a model is preferred to {info.opponent}"
            raise SelectionError(
                f"gate of {self.declared}: {what}: gate it with 'min' (0.5 is a tie)"
            )

    # ----------------------------------------------------------------- whom and what

    @cached_property
    def _keys(self) -> tuple[Key, ...]:
        return tuple(key for key in KEYS if getattr(self.spec, key) is not None)

    def _sides(self, key: Key) -> tuple[Side, Side]:
        """Baseline and candidate; an absolute demand compares the candidate with nobody."""
        candidate = self.question.candidate
        if key not in RELATIVE:
            return candidate, candidate
        baseline = self.question.baselines.get(self.task)
        if baseline is None:
            raise StoreError(
                f"no baseline of {self.task} to compare {candidate.model} with: "
                f"'harness baseline set RUN' makes one, --baseline (repeatable) names one"
            )
        return baseline, candidate

    def _pair(self, cell: CellRecord, *, relative: bool) -> CellPair | str:
        """Both sides' scores of the cell, or why they cannot be compared."""
        a, b = self._sides("max_drop" if relative else "min")
        known = self.question.seen.pairs
        if (self.task, relative) not in known:
            options = CompareOptions(
                tasks=(self.task,), criteria=True, collect_reasons=True, opponents=not relative
            )
            known[self.task, relative] = pair_cells(a, b, options)
        pairs = known[self.task, relative]
        pair = next((one for one in pairs if one.b.variant == cell.variant), None)
        if pair is None:
            return self._no_variant(a, cell)
        stale = self._stale(((a.run, pair.a), (b.run, pair.b)), pair.reasons)
        if stale:
            return stale
        if not any(one.info.name == self._name(cell) for one in pair.metrics):
            return f"the baseline {a.name} has no {self.spec.metric}: set it again"
        if not pair.metrics[0].ids:
            raise StoreError(f"{self.task}: {a.name} and {b.name} have no sample in common")
        return pair

    def _stale(self, stored: tuple[Stored, Stored], reasons: Sequence[str]) -> str:
        """Why a baseline measures something else; "" if it does not. Notes what is allowed."""
        cell = stored[1][1]
        where = f"{cell.task}[{cell.variant}]" if cell.variant else cell.task
        allowed = [
            reason
            for reason in reasons
            if self.question.intersect and reason.startswith(SAMPLES_DIFFER)
        ]
        asked = asked_differently(stored)
        kept = [one for one in reasons if one not in allowed]
        if kept or asked:
            return not_comparable(stored[0], kept, asked)
        notes = [f"{where}: MISMATCH allowed: {reason}" for reason in allowed]
        if stored[0][1].task_hash != cell.task_hash:
            what = "the task differs from the baseline's (prompt or settings)"
            notes.append(f"{where}: {what} though its version does not")
        notes += [f"{where}: {said}" for said in [seeds_differ(stored)] if said]
        self.question.seen.notes += notes
        return ""

    def _no_variant(self, baseline: Side, cell: CellRecord) -> str:
        return f"the baseline {baseline.name} has no variant '{cell.variant}': set it again"

    def _check_metric(self, cell: CellRecord) -> None:
        names = [info.name for info in cell.scorers]
        if not self._name(cell):
            what = f"no metric '{self.spec.metric}' in {cell.cell}"
            raise SelectionError(
                f"gate of {self.declared}: {what}{known_or_near(self.spec.metric, names)}"
            )
        info = next(one for one in cell.scorers if one.name == self._name(cell))
        wrong = check_meaning(self.spec, info)
        if wrong:
            raise SelectionError(f"gate of {self.declared}: {wrong}")

    def _name(self, cell: CellRecord) -> str:
        return full_name(self.spec.metric, [info.name for info in cell.scorers])

    def _classes(self, cell: CellRecord, metric: Metric) -> Iterator[tuple[str, list[int], int]]:
        """Each class, its samples that can be used, and how many it has; "" without classes."""
        both = (metric.a.ok & metric.b.ok).nonzero()[0].tolist()
        if self.spec.per_class is None:
            yield "", both, len(metric.ids)
            return
        named = classes_of(self.question.candidate, cell, self.spec.per_class)
        total = Counter(named.get(one, NONE) for one in metric.ids)
        for group in sorted({*named.values(), *total}):
            yield group, [i for i in both if named.get(metric.ids[i], NONE) == group], total[group]

    def _demand(self, cell: CellRecord | None, key: Key, group: str = "") -> Demand:
        limit = getattr(self.spec, key, None)
        relative = key in RELATIVE
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


def cells_of(side: Side, task: str) -> list[CellRecord]:
    """A side's cells of a task, one for each variant."""
    cells = side.run.manifest.cells
    return [cell for cell in cells if (cell.model, cell.task) == (side.model, task)]


def _sample_ids(run: RunReader, cell: CellRecord) -> list[str]:
    found: list[str] = (
        run.table("completions", ["sample"], {"cell": cell.cell}).column(0).to_pylist()
    )
    return found


def _nobody(key: Key, group: str) -> str:
    of = " of this class" if group else ""
    return f"no sample{of} has a score" + (" on both sides" if key == "max_drop" else "")
