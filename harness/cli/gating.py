"""What `harness gate` does: candidates, their baselines, the rulings, and who is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.gate import GateArguments
from harness.collect.library import Project
from harness.errors import ExitCode, SelectionError, StoreError, shown
from harness.results.baseline import References, find_references
from harness.results.gate import GateQuestion, gate
from harness.results.gate_report import gate_json, gate_lines, gate_markdown
from harness.results.gate_setup import make_questions
from harness.results.junit import junit_xml
from harness.results.pairs import Side, find_models
from harness.results.rulings import GateResult
from harness.results.store import find_named, passed_over

COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "ERROR": "magenta"}


def execute(arguments: GateArguments) -> ExitCode:
    """Judge the gate and tell; the exit code of the process."""
    modes = [bool(arguments.checkpoints), bool(arguments.changed_since)]
    if all(modes):
        raise SelectionError("--checkpoints and --changed-since: give one of them")
    _check_options(arguments)
    project = Project.here()
    if any(modes):
        return _run_and_gate(arguments, project)
    if len(arguments.words) != 1:
        given = "none" if not arguments.words else " ".join(arguments.words)
        raise SelectionError(
            f"name one run or model to gate ({given} given): RUN, MODEL, RUN:MODEL"
        )
    root = runs_of(arguments, project)
    named = arguments.words[0].partition(":")[0]
    if named == "latest" or find_named(root, named) is None:  # a model: its newest whole run
        for name in passed_over(root):
            click.echo(f"note: {name} is not whole and was passed over", err=True)
    reader, models = find_models(root, arguments.words[0])
    if not all(word.strip() for word in arguments.baselines):
        raise SelectionError("--baseline is empty: name a folder, a run or a model")
    references = find_references(project.root, root, arguments.baselines)
    sides = candidates([Side(reader, model) for model in models], references)
    questions = make_questions(
        sides, project, references, arguments.tasks, intersect=arguments.intersect
    )
    if arguments.self_check:
        return _check_itself(questions, arguments)
    return tell(gate(questions), arguments)


def _check_options(arguments: GateArguments) -> None:
    """Options that would change nothing are a mistake: what was meant by them would not happen."""
    runs = bool(arguments.checkpoints or arguments.changed_since)
    if_run = {
        "-m": bool(arguments.model),
        "--limit": arguments.limit is not None,
        "--judge-model": bool(arguments.judge_model),
        "--cache": arguments.cache is not None,
        "--allow-code": arguments.allow_code,
    }
    idle = [name for name, given in if_run.items() if given and not runs]
    if idle:
        what = "only --checkpoints and --changed-since run anything"
        raise SelectionError(f"{', '.join(idle)}: nothing is run here, {what}")
    if arguments.metric and not arguments.checkpoints:
        raise SelectionError("--metric names the best of --checkpoints: without them, leave it out")
    if arguments.rounds is not None and not arguments.self_check:
        raise SelectionError("--rounds are those of --self-check: without it, leave them out")
    if arguments.self_check and runs:
        raise SelectionError("--self-check tries a run that is there: name one, and run nothing")
    if arguments.self_check and arguments.junit is not None:
        raise SelectionError("--junit holds the rulings of a gate: --self-check gives none")


def runs_of(arguments: GateArguments, project: Project) -> Path:
    """Where runs are."""
    return project.root / "runs" if arguments.runs is None else arguments.runs


def candidates(sides: Sequence[Side], references: References) -> list[Side]:
    """The models of a run less those that others of it are compared with, if any are left."""
    tasks = {cell.task for side in sides for cell in side.run.manifest.cells}
    bases = {
        found.name
        for side in sides
        for task in tasks
        if (found := references.of(side, task)) is not None and found.name != side.name
    }
    left = [side for side in sides if side.name not in bases]
    return left or list(sides)


# --------------------------------------------------------------------------- who is told


def tell(result: GateResult, arguments: GateArguments) -> ExitCode:
    """Text or JSON on standard output; a JUnit file and a job's summary where they are wanted."""
    if arguments.junit is not None:
        write(arguments.junit, junit_xml(result))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        append(Path(summary), gate_markdown(result))
    if arguments.as_json:
        click.echo(gate_json(result))
    else:
        for line in gate_lines(result):
            click.echo(coloured(line))
    return result.exit_code


def coloured(line: str) -> str:
    """A line with its outcome in colour, if it begins with one."""
    for word, colour in COLOURS.items():
        if line.startswith((f"  {word}", f"gate: {word}")):
            return line.replace(word, click.style(word, fg=colour, bold=True), 1)
    return line


def write(path: Path, body: bytes) -> None:
    """Raises StoreError in one line if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as error:
        raise StoreError(f"cannot write {shown(path)}: {error.strerror}") from None


def append(path: Path, text: str) -> None:
    """A summary that cannot be written is told and does not change the verdict."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        click.echo(f"note: cannot write the job's summary: {error.strerror}", err=True)


def _check_itself(questions: Sequence[GateQuestion], arguments: GateArguments) -> ExitCode:
    """The false-fail rate of the gate as configured; FAILED if it is shown to break its promise."""
    from harness.results.render import render
    from harness.results.selfcheck import ROUNDS, self_check, self_check_report

    kept = True
    for question in questions:
        done = self_check(question, rounds=arguments.rounds or ROUNDS)
        kept = kept and done.kept
        click.echo(f"self-check of the gate on {question.candidate.name}", err=True)
        form = "json" if arguments.as_json else "table"
        click.echo(render(self_check_report(done), form))  # type: ignore[arg-type]
    return ExitCode.OK if kept else ExitCode.FAILED


def _run_and_gate(arguments: GateArguments, project: Project) -> ExitCode:
    from harness.cli.gate_runs import gate_changed, gate_checkpoints

    if arguments.checkpoints:
        return gate_checkpoints(arguments, project)
    return gate_changed(arguments, project)
