"""From a run and a project to the questions of a gate: which lines, which baselines, which judges
can be believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.collect.gate_spec import GateSpec
from harness.collect.library import Project
from harness.collect.suggest import known_or_near
from harness.collect.yamlio import get_in, parse
from harness.errors import HarnessError, SelectionError
from harness.judges.calibrate import panel_fingerprint
from harness.judges.trust import load_trust
from harness.results.baseline import References
from harness.results.gate import GateQuestion
from harness.results.pairs import Side
from harness.results.run import ScorerInfo
from harness.results.store import RunReader
from harness.results.stored_judges import spec_as_judged


def make_questions(
    sides: Sequence[Side],
    project: Project,
    references: References,
    tasks: Sequence[str] = (),
    *,
    intersect: bool = False,
    partial: bool = False,
) -> list[GateQuestion]:
    """One question for each candidate that has gate lines, on ``tasks`` or on all that declare any.

    ``intersect`` and ``partial`` are those of the questions.

    Raises SelectionError if no task declares a gate, or a named one does not; StoreError as the
    references do.
    """
    questions = []
    for side in sides:
        side.run.verify()  # "every answer is the baseline's own" is read from more than scores
        lines = _lines_of(side, project, tasks)
        if not lines:
            continue
        evaluated = {spec.task or task for task, specs in lines.items() for spec in specs}
        found = {task: references.of(side, task) for task in sorted(evaluated)}
        question = GateQuestion(
            candidate=side,
            lines=lines,
            baselines={task: one for task, one in found.items() if one is not None},
            trust=trust_of(side.run, project.root),
            intersect=intersect,
            partial=partial,
        )
        question.seen.notes += _changed_since(side, project, evaluated)
        questions.append(question)
    if not questions:
        ran = sorted({cell.task for side in sides for cell in side.run.manifest.cells})
        raise SelectionError(f"no gate is declared by {', '.join(ran)}: add 'gate:' to a task file")
    return questions


def _changed_since(side: Side, project: Project, tasks: Collection[str]) -> list[str]:
    """Tasks whose file has another version today than when the candidate was run."""
    notes = []
    for cell in {one.task: one for one in side.run.manifest.cells if one.task in tasks}.values():
        if project.knows("task", cell.task):
            today = project.get_task(cell.task).version
            if today != cell.task_version:
                what = f"the task file says version {today}, {side.name} is of {cell.task_version}"
                notes.append(f"{cell.task}: {what}: run it again")
    return notes


def _lines_of(
    side: Side, project: Project, tasks: Sequence[str]
) -> dict[str, tuple[GateSpec, ...]]:
    ran = dict.fromkeys(c.task for c in side.run.manifest.cells if c.model == side.model)
    for task in tasks:
        if task not in ran:
            hint = known_or_near(task, ran)
            raise SelectionError(f"run {side.run.run_id} has no task '{task}'{hint}")
    wanted = [task for task in ran if not tasks or task in tasks]
    lines = {task: gate_lines(side.run, project, task) for task in wanted}
    bare = [task for task in tasks if not lines[task]]
    if bare:
        raise SelectionError(f"{bare[0]} declares no gate: add 'gate:' to its task file")
    return {task: found for task, found in lines.items() if found}


def gate_lines(run: RunReader, project: Project, task: str) -> tuple[GateSpec, ...]:
    """The gate of a task as the project has it today, else as it was when the run was made.

    A gate asks something of answers that exist: changing it needs no new run. Raises CollectError
    if the project's task file is broken.
    """
    if project.knows("task", task):
        return project.get_task(task).gate
    for spec in run.manifest.specs:
        if spec.kind == "task" and spec.name == task:
            document, _ = parse(Path(spec.path), spec.text)
            lines = get_in(document.data, ("gate",)) if document else None
            try:
                found = lines if isinstance(lines, list) else []
                return tuple(GateSpec.model_validate(line) for line in found)
            except ValueError:
                what = "was written for another version of harness"
                raise SelectionError(f"the gate of {task} in run {run.run_id} {what}") from None
    return ()


def trust_of(run: RunReader, project: Path) -> dict[str, tuple[str, ...]]:
    """Each judge of a run -> why a gate must not go by its word; no reasons if it may."""
    found: dict[str, tuple[str, ...]] = {}
    for info in {i.judge: i for cell in run.manifest.cells for i in cell.scorers}.values():
        if info.judge:
            found[info.judge] = _refusals(run, info, project)
    return found


def _refusals(run: RunReader, info: ScorerInfo, project: Path) -> tuple[str, ...]:
    spec = spec_as_judged(run, info)
    prints: Mapping[str, str] = {one.model: one.fingerprint for one in run.manifest.models}
    if spec is None or not all(prints.get(model) for model in spec.models):
        return ("the run does not say how it judged",)
    fingerprint = panel_fingerprint([prints[model] for model in spec.models])
    try:
        return load_trust(spec, info.template, fingerprint, project).refusals(spec)
    except HarnessError as error:
        return (str(error),)
