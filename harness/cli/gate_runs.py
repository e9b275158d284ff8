"""`harness gate` where something is run first: checkpoints of a training, cells that changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli.bench import models_named
from harness.cli.gate import GateArguments
from harness.cli.gating import append, candidates, coloured, runs_of, tell, write
from harness.cli.items import Load, Terms
from harness.cli.progress import make_progress
from harness.collect.changed import changed_cells
from harness.collect.gated import check_metric, with_asked_for
from harness.collect.library import BASELINES, Library, Project
from harness.collect.plan import Cell, make_plan
from harness.collect.specs import ModelSpec, TaskSpec
from harness.collect.tree import collect
from harness.errors import CollectError, ExitCode, HarnessError, SelectionError, StoreError, shown
from harness.finetune.checkpoints import Checkpoints, find_checkpoints, is_checkpoint
from harness.results.baseline import References, find_references
from harness.results.checkpoint_report import (
    CheckpointReport,
    checkpoint_json,
    checkpoint_lines,
    checkpoint_markdown,
    choose_measure,
    point_of,
)
from harness.results.gate import gate
from harness.results.gate_setup import make_questions
from harness.results.junit import junit_xml
from harness.results.pairs import Side
from harness.results.rulings import GateResult
from harness.results.store import RunReader

# --------------------------------------------------------------------------- checkpoints


def gate_checkpoints(arguments: GateArguments, project: Project) -> ExitCode:
    """Run all checkpoints on one load of their base, and gate each; Holm runs over all of them.

    The exit code is the gate's word on the best checkpoint by the metric: is there one to ship?
    """
    words = [word for word in arguments.words if not is_checkpoint(word)]
    patterns = [*arguments.checkpoints, *(word for word in arguments.words if is_checkpoint(word))]
    found = find_checkpoints(patterns, project, arguments.model)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    tasks = _tasks([*words, *arguments.tasks] or [found.task], project)
    check_metric(arguments.metric, tasks)
    references = _references(arguments, project)
    models: list[ModelSpec] = [one.card for one in found.found]
    if _needs_base(found, tasks, arguments, project):
        models = [found.base, *models]
    cells = make_plan(tasks, models)
    count = _count(len(found.found), "checkpoint")
    click.echo(f"running {count} on one load of {found.base.model}", err=True)
    reader = _ask(cells, arguments, project)
    return _tell_checkpoints(_report(reader, found, (project, references), arguments), arguments)


def _report(
    reader: RunReader,
    found: Checkpoints,
    where: tuple[Project, References],
    arguments: GateArguments,
) -> CheckpointReport:
    project, references = where
    sides = [Side(reader, one.card.model) for one in found.found]
    questions = make_questions(sides, project, references, intersect=arguments.intersect)
    result = gate(questions, together=True)
    lines = [(task, spec) for task, specs in questions[0].lines.items() for spec in specs]
    cells = [cell for cell in reader.manifest.cells if cell.model == sides[0].model]
    measure, rows = choose_measure(cells, lines, arguments.metric), reader.metrics()
    points = [
        point_of(rows, measure, one.step, one.card.model, result.rulings) for one in found.found
    ]
    base = None
    if found.base.model in reader.manifest.model_names:
        base = point_of(rows, measure, 0, found.base.model, ())
    return CheckpointReport(measure, points, result, base)


def _needs_base(
    found: Checkpoints, tasks: Sequence[TaskSpec], arguments: GateArguments, project: Project
) -> bool:
    """Whether the base must be asked as well: nobody else is named or committed to compare with."""
    if arguments.baselines:
        return found.base.model in arguments.baselines
    folder = project.root / BASELINES
    return not all((folder / task.task).exists() for task in tasks)


def _tell_checkpoints(report: CheckpointReport, arguments: GateArguments) -> ExitCode:
    if arguments.junit is not None:
        write(arguments.junit, junit_xml(report.result))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        append(Path(summary), checkpoint_markdown(report))
    if arguments.as_json:
        click.echo(checkpoint_json(report))
    else:
        for line in checkpoint_lines(report):
            click.echo(coloured(line))
    return report.exit_code


def _tasks(words: Sequence[str], project: Project) -> list[TaskSpec]:
    """The tasks of these words and those that their gates ask for; at least one has a gate."""
    if not any(words):
        raise SelectionError("nothing says which task the checkpoints learnt: name it, as TASK")
    tasks = list(collect(words, project).check().tasks)
    if not tasks:
        raise SelectionError(f"{' '.join(words)}: no task")
    if not any(task.gate for task in tasks):
        names = ", ".join(task.task for task in tasks)
        raise SelectionError(f"no gate is declared by {names}: add 'gate:' to a task file")
    return with_asked_for(tasks, project)


# --------------------------------------------------------------------------- what changed


@dataclass(frozen=True)
class _Change:
    """The cells to run: those that changed, and those that their gates need beside them."""

    changed: Sequence[Cell]
    beside: Sequence[Cell]
    why: dict[str, tuple[str, ...]]


def gate_changed(arguments: GateArguments, project: Project) -> ExitCode:
    """Run and gate the cells whose spec, data, judge or weights changed since a revision."""
    tasks, models = _gated(arguments, project), _models(arguments, project)
    cells = make_plan(tasks, models)
    changed, why = changed_cells(cells, project, arguments.changed_since)
    since = arguments.changed_since
    if not changed:
        click.echo(f"no cell of {len(cells)} changed since {since}: nothing is run", err=True)
        return tell(GateResult(()), arguments)
    references = _references(arguments, project)
    found = _Change(changed, _beside(changed, arguments, project), dict(why))
    _say(found, len(cells), since)
    reader = _ask([*found.changed, *found.beside], arguments, project)
    sides = _changed_sides(reader, found, references)
    named = dict.fromkeys(cell.task.task for cell in changed if cell.task.gate)
    questions = [
        question
        for side in sides
        for question in make_questions(
            [side],
            project,
            references,
            _own(side, found, named),
            intersect=arguments.intersect,
            partial=True,
        )
    ]
    return tell(gate(questions), arguments)


def _changed_sides(reader: RunReader, found: _Change, references: References) -> list[Side]:
    gated = dict.fromkeys(c.model.model for c in found.changed if c.task.gate)
    return candidates([Side(reader, name) for name in gated], references)


def _own(side: Side, found: _Change, named: Iterable[str]) -> list[str]:
    """The gated tasks of which this model's cells changed."""
    tasks = {cell.task.task for cell in found.changed if cell.model.model == side.model}
    return [name for name in named if name in tasks]


def _gated(arguments: GateArguments, project: Project) -> list[TaskSpec]:
    """The tasks that were named, else the project's own that declare a gate."""
    words = [*arguments.words, *arguments.tasks]
    if words:
        return _tasks(words, project)
    errors: list[HarnessError] = []
    tasks: list[TaskSpec] = []
    for path in _own_files("task", project):
        try:
            spec = project.read(path)
            tasks += [spec] if isinstance(spec, TaskSpec) and spec.gate else []
        except CollectError as error:
            errors += error.errors
        except HarnessError as error:
            errors.append(error)
    if errors:
        raise CollectError(errors)
    if not tasks:
        raise SelectionError(
            f"no task of {shown(project.root)} declares a gate: add 'gate:' to one"
        )
    return tasks


def _models(arguments: GateArguments, project: Project) -> list[ModelSpec]:
    """The models that were named, else the project's own that name a `baseline`."""
    if arguments.model:
        return models_named(arguments.model, project, "-m")
    names = [path.name.removesuffix(".model.yaml") for path in _own_files("model", project)]
    cards = [project.get_model(name) for name in dict.fromkeys(names)]
    found = [card for card in cards if card.baseline]
    if not found:
        raise SelectionError("no model card of the project names a 'baseline': -m NAME,...")
    return found


def _own_files(kind: str, project: Project) -> list[Path]:
    own: list[Library] = [one for one in project.libraries if one.root == project.root]
    return [path for one in own for name in one.names(kind) for path in one.files(kind, name)]


def _beside(changed: Sequence[Cell], arguments: GateArguments, project: Project) -> list[Cell]:
    """The cells that the gates of changed ones need: other tasks' of the same model, and those of
    the model's baseline where none is named or committed."""
    known = {cell.id for cell in changed}
    found: dict[str, Cell] = {}
    for cell in changed:
        tasks = with_asked_for([cell.task], project)
        others = [task for task in tasks if task.task != cell.task.task]
        needed = list(make_plan(others, [cell.model])) if others else []
        base = cell.model.baseline
        if base and not arguments.baselines:
            folder = project.root / BASELINES
            bare = [task for task in tasks if not (folder / task.task).exists()]
            theirs = make_plan(bare, [project.get_model(base)])
            own = (cell.task.task, cell.variant)
            needed += [c for c in theirs if c.task.task != own[0] or c.variant == own[1]]
        found |= {one.id: one for one in needed if one.id not in known}
    return list(found.values())


def _say(found: _Change, total: int, since: str) -> None:
    click.echo(f"{len(found.changed)} of {_count(total, 'cell')} changed since {since}:", err=True)
    for cell in found.changed:
        click.echo(f"  {cell.id}: {'; '.join(found.why.get(cell.id, ()))}", err=True)
    for cell in found.beside:
        click.echo(f"  {cell.id}: to compare with", err=True)


# --------------------------------------------------------------------------- for both


def _references(arguments: GateArguments, project: Project) -> References:
    return find_references(project.root, runs_of(arguments, project), arguments.baselines)


def _ask(cells: Sequence[Cell], arguments: GateArguments, project: Project) -> RunReader:
    runs = runs_of(arguments, project)
    if runs == Path(""):
        raise StoreError("--runs is empty: name a folder")
    given = {
        "tasks": " ".join(dict.fromkeys(cell.task.task for cell in cells)),
        "model": arguments.model,
        "checkpoints": " ".join(arguments.checkpoints),
        "changed_since": arguments.changed_since,
        "limit": str(arguments.limit or ""),
        "judge_model": arguments.judge_model,
    }
    terms = Terms(
        project=project,
        runs=runs,
        limit=arguments.limit,
        judge_models=models_named(arguments.judge_model, project),
        allow_code=arguments.allow_code,
        words={name: value for name, value in given.items() if value},
        cache=arguments.cache,
    )
    load, progress = Load(terms, cells), make_progress()
    try:
        return load.ask(progress)
    finally:
        progress.close()
        for line in [*load.told, *(f"note: {note}" for note in load.notes)]:
            click.echo(line, err=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
