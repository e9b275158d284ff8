"""`harness collect`: what a selection would run, as a tree; every mistake in every file."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click

from harness.collect.appoint import appoint, readable_judges
from harness.collect.library import Project
from harness.collect.plan import Cell, make_plan, task_id
from harness.collect.selection import select
from harness.collect.specs import FileSpec, ModelSpec
from harness.collect.tree import Collected, default_models
from harness.collect.tree import collect as collect_specs
from harness.errors import CollectError, ExitCode, HarnessError, printable
from harness.runner.work import check_data


@dataclass(frozen=True)
class CollectArguments:
    """The command line of `harness collect`, as it was typed."""

    selection: tuple[str, ...]
    keyword: str
    tags: str
    models: tuple[str, ...]
    settings: tuple[str, ...]
    form: str
    allow_outside: bool
    data: bool


@click.command(context_settings={"max_content_width": 100})
@click.argument("selection", nargs=-1, metavar="[PATH|ID]...")
@click.option("-k", "keyword", default="", metavar="EXPR", help="Only cells whose name matches.")
@click.option("-m", "--tags", default="", metavar="TAGEXPR", help="Only cells with these tags.")
@click.option("--model", "models", multiple=True, metavar="NAME,...", help="Model cards.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="generate.temperature=0,0.7"
)
@click.option("-q", "--quiet", is_flag=True, help="Ids only; the same as --format ids.")
@click.option(
    "--format", "form", type=click.Choice(["tree", "ids", "json"]), default="tree", help="tree"
)
@click.option("--data", is_flag=True, help="Also read all data and render the first prompts.")
@click.option("--allow-outside", is_flag=True, help="Permit data outside the project.")
def collect(quiet: bool, form: str, **arguments: object) -> None:
    """Print the cells (task x model x variant) that a selection names, as a tree.

    PATH is a folder or a file; ID is a task's name, path::task, or path::task[model,key=value].
    Without any, all tasks of the project, of installed packages and of the bundled library.
    Without --model, all model cards. Expressions know and, or, not and parentheses: -k looks for
    words in the names of task, model and variant and in tags, -m for whole tags.

    Every mistake in every file is printed as FILE:LINE: what is wrong. With --data the files with
    the tasks' rows are read too, and the first prompt of each task is rendered.

    Exit code 4: there were mistakes; 5: nothing was selected.
    """
    form = "ids" if quiet else form
    code = _collect(CollectArguments(form=form, **arguments))  # type: ignore[arg-type]
    raise SystemExit(int(code))


def _collect(arguments: CollectArguments) -> ExitCode:
    started = time.perf_counter()
    project = Project.here(allow_outside=arguments.allow_outside)
    collected = collect_specs(arguments.selection, project)
    models, wrong = _models(arguments, collected, project)
    errors: list[HarnessError] = list(collected.errors)
    try:
        planned = make_plan(collected.tasks, models, arguments.settings)
    except CollectError as error:
        errors += error.errors
        planned = ()
    cells = select(
        planned if errors else collected.wanted(planned), arguments.keyword, arguments.tags
    )
    if arguments.selection:
        errors += _judges(collected, project)
    if arguments.data:
        tasks = [cell.task for cell in cells] or collected.tasks
        errors += check_data(tasks, readable_judges(tasks, project))
    others = _others(collected) if arguments.selection else ()
    _print_cells(arguments.form, project, cells, others)
    told = {str(each) for each in errors}
    for note in (each for each in (*collected.notes, *wrong) if str(each) not in told):
        click.echo(printable(f"note: {note}"), err=True)
    for each in errors:
        click.echo(printable(str(each)), err=True)
    _print_summary(arguments.form, cells, len(errors), time.perf_counter() - started)
    if errors:
        return ExitCode.USAGE_ERROR
    return ExitCode.OK if cells or others else ExitCode.NOTHING_COLLECTED


def _models(
    arguments: CollectArguments, collected: Collected, project: Project
) -> tuple[Sequence[ModelSpec], Sequence[HarnessError]]:
    names = [name for text in arguments.models for name in text.split(",") if name]
    if names:
        return [project.get_model(name) for name in dict.fromkeys(names)], ()
    return default_models(collected, project)


def _judges(collected: Collected, project: Project) -> Sequence[HarnessError]:
    """What is wrong with the judges that the tasks name, and with the models these name."""
    try:
        appoint(collected.tasks, project)
    except CollectError as error:
        known = {str(each) for each in collected.errors}
        return [each for each in error.errors if str(each) not in known]
    return ()


def _others(collected: Collected) -> tuple[FileSpec, ...]:
    """What was selected beside tasks, and is therefore in order."""
    return (*collected.models, *collected.judges, *collected.recipes)


def _print_cells(
    form: str, project: Project, cells: Sequence[Cell], others: Sequence[FileSpec]
) -> None:
    if form == "json":
        click.echo(json.dumps([_as_json(cell) for cell in cells], ensure_ascii=False, indent=1))
    elif form == "ids":
        if cells:
            click.echo("\n".join(cell.id for cell in cells))
    elif cells or others:
        click.echo(printable("\n".join(_tree(project, cells, others))))


def _as_json(cell: Cell) -> dict[str, object]:
    return {
        "id": cell.id,
        "task": cell.task.task,
        "model": cell.model.model,
        "variant": dict(cell.variant),
        "tags": [*cell.task.tags, *cell.model.tags],
        "file": str(cell.task.path),
        "hash": cell.hash,
    }


def _tree(project: Project, cells: Sequence[Cell], others: Sequence[FileSpec]) -> list[str]:
    """Library, file, cell: two columns further in each."""
    libraries: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        title = project.title_of(cell.task.root)
        file = task_id(cell.task).partition("::")[0]
        libraries.setdefault(title, {}).setdefault(file, []).append(cell.id.partition("::")[2])
    for spec in others:
        path = spec.path.relative_to(spec.root).as_posix()
        libraries.setdefault(project.title_of(spec.root), {}).setdefault(path, [])
    lines: list[str] = []
    for title, files in libraries.items():
        lines.append(title)
        for file, ids in files.items():
            lines.append(f"  {file}")
            lines += [f"    {name}" for name in ids]
    return lines


def _print_summary(form: str, cells: Sequence[Cell], errors: int, seconds: float) -> None:
    tasks = len({cell.task.path for cell in cells})
    models = len({cell.model.path for cell in cells})
    text = (
        f"{_count(len(cells), 'cell')} ({_count(tasks, 'task')} x {_count(models, 'model')}), "
        f"{_count(errors, 'error')} in {seconds:.2f} s"
    )
    click.echo(f"\n{text}" if form == "tree" else text, err=form != "tree")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
