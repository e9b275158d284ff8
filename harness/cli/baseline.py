"""`harness baseline`: the last known good, kept beside the code."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.named import NamedPath, none_empty, not_empty

if TYPE_CHECKING:
    from harness.collect.library import Project
    from harness.results.pairs import Side
    from harness.results.render import Format

FORMATS = ("table", "markdown", "latex", "csv", "json")
_FROM = click.option(
    "--from",
    "folder",
    type=NamedPath(),
    help="Where baselines are (leaderboard/baselines).",
)
_FORM = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True
)


@click.group(context_settings={"max_content_width": 100})
def baseline() -> None:
    """Keep the scores of a good run, for gates to compare candidates with.

    A baseline is a small folder that is committed: scores of every sample, where they come from,
    and a README.md that shows in a pull request what changed.
    """


@baseline.command(name="set")
@click.argument("run", metavar="RUN|MODEL|RUN:MODEL", callback=not_empty)
@click.option(
    "--task", "tasks", multiple=True, callback=none_empty, help="Only this task; may be repeated."
)
@click.option("--to", type=NamedPath(), help="Where to (leaderboard/baselines).")
@click.option("--answers", is_flag=True, help="Keep the texts of inputs and answers, too.")
@click.option("--replace", is_flag=True, help="Also a baseline of another model or other data.")
@click.option("--allow-errors", is_flag=True, help="Even if more than 2 % of the samples failed.")
@click.option("--runs", type=NamedPath(), help="Where runs are (runs/).")
def set_baseline(run: str, to: Path | None, runs: Path | None, **more: object) -> None:
    """Make a model's scores in a run the baseline of each of its tasks.

    The scores of every sample are kept, and hashes of the answers; no text of inputs or answers
    is, unless --answers. An older baseline of the same model, task version and data gives way;
    what changes is printed. The same run makes the same bytes, unless --answers or the columns
    that gates name in `per_class`, which are kept as well, change.
    """
    from harness.collect.library import BASELINES, Project
    from harness.results.baseline import check_failures, tasks_of, write_baseline
    from harness.results.baseline_report import doubts

    project = Project.here()
    side = _side(runs or project.root / "runs", run)
    root = to or project.root / BASELINES
    tasks = tasks_of(side, more["tasks"])  # type: ignore[arg-type]
    if not more["allow_errors"]:
        check_failures(side, tasks)
    changed = {task: _changes(root / task, side, task) for task in tasks}
    dropped = [] if more["answers"] else _dropped_texts(root, tasks)
    written = write_baseline(
        root,
        side,
        answers=bool(more["answers"]),
        columns=_columns(side, project, tasks),
        replace=bool(more["replace"]),
        tasks=tasks,
    )
    for note in [*doubts(side), *dropped]:
        click.echo(f"note: {note}", err=True)
    for place in written:
        size = sum(file.stat().st_size for file in place.iterdir())
        click.echo(f"baseline {_near(place)}: {side.name} ({size / 1024:,.0f} kB)")
        for line in changed[place.name]:
            click.echo(line)


@baseline.command(name="show")
@click.argument("name", required=False, metavar="[NAME|PATH]", callback=not_empty)
@_FROM
@_FORM
def show_baseline(name: str, folder: Path | None, form: Format) -> None:
    """Show where a baseline comes from, and its metrics; all of them if none is named.

    NAME is a task's, PATH a baseline's folder.
    """
    from harness.results.baseline_report import baseline_report
    from harness.results.references import read_baseline
    from harness.results.render import render

    root = _root(folder)
    columns = shutil.get_terminal_size((100, 24)).columns
    paths = [_named(root, name)] if name else _all(root)
    parts = [render(baseline_report(read_baseline(path)), form, columns) for path in paths]
    click.echo("\n\n".join(parts))


@baseline.command(name="list")
@_FROM
@_FORM
def list_baselines(folder: Path | None, form: Format) -> None:
    """List the baselines of the project; those that cannot be read, and why, stand below."""
    from harness.errors import StoreError
    from harness.results.baseline_report import baseline_list
    from harness.results.references import read_baseline
    from harness.results.render import render

    sides, damaged = [], []
    for path in _all(_root(folder)):
        try:
            sides.append(read_baseline(path))
        except StoreError as error:
            damaged.append(str(error))
    columns = shutil.get_terminal_size((100, 24)).columns
    click.echo(render(baseline_list(sides, damaged), form, columns))
    for line in damaged if form == "csv" else ():
        click.echo(f"note: {line}", err=True)


def _root(folder: Path | None) -> Path:
    from harness.collect.library import BASELINES, project_root

    return folder or project_root(Path.cwd()) / BASELINES


def _all(root: Path) -> list[Path]:
    from harness.errors import StoreError, shown
    from harness.results.references import find_baselines

    paths = find_baselines(root)
    if not paths:
        raise StoreError(f"no baselines below {shown(root)}: 'harness baseline set RUN' makes one")
    return paths


def _named(root: Path, name: str) -> Path:
    """A baseline's folder by the name of its task, or by its path."""
    from harness.collect.suggest import known_or_near
    from harness.errors import StoreError, shown
    from harness.results.references import find_baselines
    from harness.results.store import one_line

    for path in (root / name, Path(name)):
        with one_line(f"{shown(path)}: cannot be read"):
            if path.exists():
                return path
    hint = known_or_near(name, [path.name for path in find_baselines(root)])
    make = "'harness baseline set RUN' makes one"
    raise StoreError(f"no baseline '{name}' below {shown(root)}{hint}: {make}")


def _side(runs: Path, text: str) -> Side:
    """The one model of a run that a word means."""
    from harness.errors import StoreError
    from harness.results.pairs import Side, find_models

    run, models = find_models(runs, text)
    if len(models) > 1:
        names = ", ".join(models)
        raise StoreError(
            f"run {run.run_id} holds {names}: say which one, as {run.run_id}:{models[0]}"
        )
    return Side(run, models[0])


def _columns(side: Side, project: Project, tasks: Sequence[str]) -> dict[str, list[str]]:
    """The columns of the data by which gates make classes, by task."""
    from harness.results.gate_setup import gate_lines

    found: dict[str, list[str]] = {task: [] for task in tasks}
    ran = dict.fromkeys(cell.task for cell in side.run.manifest.cells)
    for task in ran:
        for line in gate_lines(side.run, project, task):
            about, column = line.task or task, line.per_class
            if column not in (None, "target", "cluster") and about in found:
                found[about] += [column] if column not in found[about] else []
    return found


def _dropped_texts(root: Path, tasks: Sequence[str]) -> list[str]:
    """A note for each baseline whose texts a new one without them takes away."""
    from harness.errors import StoreError
    from harness.results.references import read_baseline

    notes = []
    for task in tasks:
        try:
            origin = read_baseline(root / task).run.manifest.baseline
        except StoreError:
            continue
        if origin is not None and origin.answers:
            notes.append(f"{task}: the old baseline kept texts, this one does not (--answers)")
    return notes


def _changes(place: Path, side: Side, task: str) -> list[str]:
    """What a new baseline changes, a line a metric; nothing if there is no old one to read."""
    from harness.errors import StoreError
    from harness.results.baseline_report import changes
    from harness.results.references import read_baseline

    try:
        old = read_baseline(place)
    except StoreError:  # there is none; whether a damaged one may be replaced is told later
        return []
    return changes(old, side, task)


def _near(path: Path) -> str:
    from harness.errors import shown

    return shown(path.resolve())
