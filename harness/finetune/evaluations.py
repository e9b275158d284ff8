"""A model in training, measured at some of its steps: what was asked, what came out, and whether
it got worse. ``evaluations.json`` beside the checkpoints holds it for people and for a training
that goes on later."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.collect.gate_spec import GateSpec
from harness.collect.library import Project
from harness.collect.specs import TaskSpec
from harness.errors import HarnessError, StoreError, shown
from harness.results.baseline import find_references
from harness.results.checkpoint_report import (
    Measure,
    Point,
    all_alike,
    best_of,
    choose_measure,
    point_of,
)
from harness.results.evidence import Evidence
from harness.results.gate import GateQuestion, evidence_of, rule
from harness.results.gate_report import ruling_line
from harness.results.gate_setup import trust_of
from harness.results.pairs import Side
from harness.results.render import number
from harness.results.rulings import Ruling
from harness.results.store import read_run

FILE = "evaluations.json"


@dataclass(frozen=True)
class Question:
    """What a model in training is asked, and whom it is compared with.

    ``baselines`` are words as after `--baseline`; without any, the model before its first step.
    """

    project: Project
    tasks: Sequence[TaskSpec]
    metric: str = ""
    baselines: Sequence[str] = ()
    limit: int | None = None

    @property
    def runs(self) -> Path:
        """Where runs are stored."""
        return self.project.root / "runs"

    @property
    def lines(self) -> dict[str, tuple[GateSpec, ...]]:
        """The gates of the tasks."""
        return {task.task: task.gate for task in self.tasks if task.gate}


@dataclass
class Evaluations:
    """All evaluations of one training, by step; step 0 is the model before it."""

    question: Question
    folder: Path
    """The training's output folder."""
    runs: dict[int, Side] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    """Evaluations that could not be made, and why."""
    measure: Measure | None = None
    stopped: int | None = None
    """The step at which the training was ended for a failure."""
    _evidence: dict[int, list[Evidence]] = field(default_factory=dict)

    @classmethod
    def resumed(cls, question: Question, folder: Path, step: int) -> Evaluations:
        """What is known of a training that goes on from ``step``; at 0, nothing is."""
        found = cls(question, folder)
        if step == 0:
            return found
        try:
            body = json.loads((folder / FILE).read_text("utf-8"))
            known = [(int(e["step"]), str(e["run"]), str(e["model"])) for e in body["evaluations"]]
        except (OSError, ValueError, LookupError, TypeError):
            return found
        for at, run, model in known:
            try:
                if run and at <= step:
                    found.add(at, Side(read_run(question.runs / run), model))
            except HarnessError:  # the run was removed meanwhile
                continue
        return found

    def add(self, step: int, side: Side) -> Point:
        """Take a run of the model as it was at a step; raises as a gate does."""
        cells = side.run.manifest.cells
        if self.measure is None:
            lines = [(task, one) for task, specs in self.question.lines.items() for one in specs]
            self.measure = choose_measure(cells, lines, self.question.metric)
        self.runs[step] = side
        self.errors.pop(step, None)
        if step > 0 and self.question.lines:
            self._evidence[step] = evidence_of(self._gate_question(side))
        return self.point(step)

    def point(self, step: int) -> Point:
        """One step on the curve."""
        side, measure = self.runs[step], self.measure
        assert measure is not None
        return point_of(side.run.metrics(), measure, step, side.model, self.rulings())

    def rulings(self, planned: int = 0) -> list[Ruling]:
        """The gate on all steps so far; Holm's correction runs over them and over those that are
        still to come of ``planned`` in all."""
        family = [one for step in sorted(self._evidence) for one in self._evidence[step]]
        each = max(map(len, self._evidence.values()), default=0)
        return rule(family, max(planned - len(self._evidence), 0) * each)

    @property
    def best(self) -> Point | None:
        """The best step after the first, of equals the earliest."""
        return best_of(self._points, self.measure is None or self.measure.higher_is_better)

    @property
    def _points(self) -> list[Point]:
        return [self.point(step) for step in sorted(self.runs) if step > 0]

    def lines(self) -> list[str]:
        """What is to be said at the end of a training."""
        told = [f"step {step} was not evaluated: {why}" for step, why in self.errors.items()]
        best, measure = self.best, self.measure
        if best is not None and measure is not None:
            name = f"{measure.metric.partition('[')[0]} of {measure.task}"
            if all_alike(self._points):
                told.append(f"no checkpoint is the best by {name}: all have {number(best.value)}")
            else:
                told.append(f"checkpoint-{best.step} is the best by {name}: {number(best.value)}")
        if self.stopped is not None:
            told.append(f"the training was ended at step {self.stopped}: a gate failed")
        return told

    def write(self, planned: int = 0) -> None:
        """Write ``evaluations.json``, whole or not at all. Raises StoreError."""
        rulings, measure, best = self.rulings(planned), self.measure, self.best
        base, steps = self.runs.get(0), sorted({*self.runs, *self.errors})
        body = {
            "measure": asdict(measure) if measure else None,
            "best": None if best is None else {"step": best.step, "value": best.value},
            "base": base.name if base else None,
            "stopped": self.stopped,
            "evaluations": [self._entry(step, rulings) for step in steps],
        }
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        temporary = self.folder / f"{FILE}.{os.getpid()}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self.folder / FILE)
        except OSError as error:
            raise StoreError(f"cannot write {shown(self.folder / FILE)}: {error}") from None

    def _entry(self, step: int, rulings: Sequence[Ruling]) -> dict[str, object]:
        if step in self.errors:
            return {"step": step, "run": "", "model": "", "error": self.errors[step]}
        side, measure = self.runs[step], self.measure
        assert measure is not None
        own = [one for one in rulings if one.model == side.model]
        point = point_of(side.run.metrics(), measure, step, side.model, own)
        lines = [" ".join(ruling_line(one).split()) for one in own]
        return {**asdict(point), "run": side.run.run_id, "gate": lines}

    def _gate_question(self, side: Side) -> GateQuestion:
        lines, root = self.question.lines, self.question.project.root
        names = {spec.task or task for task, specs in lines.items() for spec in specs}
        if self.question.baselines:
            references = find_references(root, self.question.runs, self.question.baselines)
            found = {name: references.of(side, name) for name in sorted(names)}
        else:
            found = {name: self.runs.get(0) for name in sorted(names)}
        known = {name: one for name, one in found.items() if one is not None}
        return GateQuestion(side, lines, known, trust_of(side.run, root))
