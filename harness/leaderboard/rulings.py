"""What the gates of tasks say of every model of every run, so far as they can say anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.collect.library import Project
from harness.errors import HarnessError
from harness.leaderboard.gather import Board
from harness.leaderboard.views import Outcome
from harness.results.gate import gate
from harness.results.gate_setup import gate_lines, make_questions
from harness.results.pairs import Side
from harness.results.references import find_references
from harness.results.rulings import Ruling
from harness.results.store import RunReader

Key = tuple[str, str, str]
"""Run, model, task."""
ORDER: tuple[Outcome, ...] = ("FAIL", "ERROR", "INCONCLUSIVE", "PASS")
MOST_RUNS = 60
"""Runs that are held against their baselines, the newest ones."""
MOST_SAMPLES = 20_000
"""Samples of a cell above which the site does not hold it against a baseline by itself."""


@dataclass(frozen=True)
class Gated:
    """The rulings on a model's task in a run; several variants and lines together."""

    rulings: tuple[Ruling, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of them: FAIL before ERROR before INCONCLUSIVE before PASS."""
        said = {ruling.outcome for ruling in self.rulings}
        return next(one for one in ORDER if one in said)

    @property
    def reasons(self) -> tuple[str, ...]:
        """A line each."""
        return tuple(f"{r.outcome} {r.metric} ({r.line}): {r.reason}" for r in self.rulings)


def find_rulings(board: Board, project: Project | None) -> dict[Key, Gated]:
    """The gates' rulings. A model without a baseline, and a gate that cannot be asked today (a
    broken file, a baseline that is gone), has none: that is told by `harness gate`."""
    if project is None:
        return {}
    found: dict[Key, Gated] = {}
    for run in board.runs[-MOST_RUNS:]:
        tasks = _gated_tasks(run, project)
        for model in run.manifest.model_names:
            for task, rulings in _rulings(run, model, tasks, project).items():
                found[run.run_id, model, task] = Gated(tuple(rulings))
    return found


def _gated_tasks(run: RunReader, project: Project) -> list[str]:
    tasks = {c.task: c.samples for c in run.manifest.cells if c.samples <= MOST_SAMPLES}
    found = []
    for task in tasks:
        try:
            if gate_lines(run, project, task):
                found.append(task)
        except HarnessError:
            continue
    return found


def _rulings(
    run: RunReader, model: str, tasks: Sequence[str], project: Project
) -> Mapping[str, list[Ruling]]:
    own = {cell.task for cell in run.manifest.cells if cell.model == model}
    side = Side(run, model)
    found: dict[str, list[Ruling]] = {}
    references = find_references(project.root, run.path.parent)
    for task in [one for one in tasks if one in own]:
        try:
            base = references.of(side, task)
            if base is None or base.name == side.name or base.model == model:
                continue
            for ruling in gate(make_questions([side], project, references, [task])).rulings:
                found.setdefault(task, []).append(ruling)
        except HarnessError:
            continue
    return found
