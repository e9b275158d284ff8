"""What `harness judge RUN` does: stored answers in, a new run with their verdicts out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from harness.adapters.cache import Cache
from harness.cli.bench import (
    check_keys,
    judge_error_lines,
    make_judges,
    models_named,
    say_forecast,
)
from harness.cli.judge import JudgeArguments
from harness.cli.progress import make_progress
from harness.cli.session import cache_path, check_writable, near
from harness.collect.appoint import appoint_named
from harness.collect.library import Project
from harness.collect.yamlio import get_in, parse
from harness.errors import ExitCode, SelectionError
from harness.judges.budget import Budget
from harness.judges.judge import Judge
from harness.records import Completion
from harness.results.pairs import find_one
from harness.results.restore import restore
from harness.results.run import CellResult, Run
from harness.results.store import RunReader, read_run, write_run
from harness.results.stored_judges import stored_card
from harness.runner.cases import Case, Place, with_bases
from harness.runner.collector import few_collections
from harness.runner.forecast import forecast
from harness.runner.generate import Memory
from harness.runner.judging import Judging
from harness.runner.material import View, stored_views
from harness.runner.pipeline import add_verdicts, judged_again


@dataclass(frozen=True)
class Hearing:
    """A stored run before its judges: cases and the answers of their places."""

    stored: Run
    cases: Sequence[Case]
    answers: Mapping[str, Completion]


def execute(arguments: JudgeArguments) -> ExitCode:
    """Judge, store and show; the exit code of the process."""
    with few_collections():
        # what the judges needed beside the run is let go before the run is written
        root, done, again = _judged(arguments)
        if done is None:
            return ExitCode.OK
        return _say_unjudged(done, again) if again else _show(done, root)


def _judged(arguments: JudgeArguments) -> tuple[Path, Run | None, str]:
    """The folder of the runs, the run judged (None if it was a rehearsal), and, if there is no new
    verdict in it at all, the words that ask again."""
    project = Project.here()
    root = project.root / "runs" if arguments.runs is None else arguments.runs
    reader, model = find_one(root, arguments.run)
    if model:
        raise SelectionError(f"'{arguments.run}': a whole run is judged; name {reader.run_id}")
    budget = Budget(arguments.max_cost)
    hearing = _summon(reader, arguments, project)
    judges = [judge for case in hearing.cases for judge in case.judges]
    cache = Cache(arguments.cache or cache_path(project.root), read_only=arguments.dry_run)
    memory = Memory(cache, fresh=arguments.fresh, allow_code=arguments.allow_code)
    try:
        if arguments.dry_run:
            rows = forecast(hearing.cases, hearing.answers, memory)
            say_forecast(rows)
            if arguments.retry:
                click.echo(f"once more, beside these: {len(_unread(hearing))} calls")
            click.echo("dry run: nothing was asked")
            check_keys(judges, lambda: rows)
            return root, None, ""
        check_writable(root)
        check_keys(judges, lambda: forecast(hearing.cases, hearing.answers, memory))
        if arguments.retry:
            cache.forget(_unread(hearing))
        judging = Judging(hearing.cases, memory, budget)
        done = _judge(hearing, judging, project)
        given = [one.status for said in judging.verdicts.values() for one in said]
    finally:
        cache.close()
    words = {"judged": reader.run_id, "judge": " ".join(arguments.judges)}
    words["judge_model"] = arguments.judge_model
    words["max_cost"] = "" if arguments.max_cost is None else str(arguments.max_cost)
    settings = {**done.settings, **{name: word for name, word in words.items() if word}}
    retry = f"harness judge {arguments.run} --retry"
    again = "" if "ok" in given else retry if _unread(hearing) else "--fresh"
    return root, replace(done, settings=settings), again


def _unread(hearing: Hearing) -> dict[bytes, str]:
    """The last replies that no verdict came of, by key: those of the judges that judge now."""
    models = {
        (judge.spec.judge, model.model)
        for case in hearing.cases
        for judge in case.judges
        for model in judge.models
    }
    said = [row.verdict for cell in hearing.stored.cells for row in cell.verdicts]
    failed = [one for one in said if one.status == "error" and (one.judge, one.model) in models]
    return {one.key: one.raw for one in failed if one.key is not None}


def _judge(hearing: Hearing, judging: Judging, project: Project) -> Run:
    started, stored = datetime.now(UTC), hearing.stored
    names = ", ".join(judging.judges)
    click.echo(f"judging {len(hearing.answers)} answers: {names}", err=True)
    progress = make_progress()
    try:
        judging.offer(list(hearing.answers.values()))
        judging.finish(progress)
    finally:
        judging.close()
        progress.close()
    cells = add_verdicts(stored.cells, hearing.cases, judging, project.root)
    return judged_again(replace(stored, cells=cells, started=started), judging)


def _say_unjudged(done: Run, again: str) -> ExitCode:
    """Why there is no verdict; a run without one is not written, and stands before no other."""
    told = judge_error_lines(done.cells, again)
    why = "no verdict at all" if told else "no answer, or no pair of answers, that could be judged"
    kept = f"run {done.settings['judged']} stays as it is"
    click.echo("\n".join([f"nothing was judged: {why}; no run is written, {kept}", *told]))
    return ExitCode.FAILED


def _show(done: Run, root: Path) -> ExitCode:
    from harness.results.render import render
    from harness.results.show import summary

    folder = write_run(root, done)
    columns = shutil.get_terminal_size((100, 24)).columns
    click.echo(render(summary(read_run(folder), columns), "table", columns))
    unjudged = judge_error_lines(done.cells, "harness judge latest --retry")
    words = ": not all answers were judged" if unjudged else ""
    click.echo("\n".join([f"run {near(folder)}{words}", *unjudged]))
    return ExitCode.FAILED if unjudged else ExitCode.OK


# --------------------------------------------------------------------------- who judges what


def _summon(reader: RunReader, arguments: JudgeArguments, project: Project) -> Hearing:
    """The judges of every cell. Raises SelectionError if there is none, or nothing to judge."""
    stored = restore(reader)
    named = _named_by_tasks(stored)
    words = list(dict.fromkeys(arguments.judges or [j for js in named.values() for j in js]))
    if not words:
        raise SelectionError(f"no task of run {reader.run_id} names a judge: --judge NAME does")
    models = models_named(arguments.judge_model, project)
    judges = make_judges(appoint_named(words, project, models), project)
    bench = {cell.cell_id: _judges_of(cell, named, judges) for cell in stored.cells}
    cases, answers, views = [], {}, stored_views(stored, project.root)
    for number, cell in enumerate(stored.cells):
        if bench[cell.cell_id]:
            places = _places(cell, number)
            case = _case(cell, bench[cell.cell_id], places, stored)
            view = views.get(cell.task, View())
            view.check(cell.samples, [judge.spec for judge in case.judges])
            cases.append(replace(case, view=view))
            rows = zip(places, cell.completions, strict=True)
            answers.update({p.id: replace(row.completion, id=p.id) for p, row in rows})
    if not cases:
        raise SelectionError(f"run {reader.run_id} has no answers in words that could be judged")
    return Hearing(stored, with_bases(cases), answers)


def _named_by_tasks(stored: Run) -> dict[str, list[str]]:
    """The judges that each task of a run named when it ran."""
    found: dict[str, list[str]] = {}
    for spec in stored.specs:
        if spec.kind == "task":
            document, _ = parse(Path(spec.path), spec.text)
            scores = get_in(document.data, ("score",)) if document else None
            entries = scores if isinstance(scores, list) else []
            named = [one.get("judge") for one in entries if isinstance(one, dict)]
            found[spec.name] = [word for word in named if isinstance(word, str)]
    return found


def _judges_of(
    cell: CellResult, named: Mapping[str, Sequence[str]], judges: Mapping[str, Judge]
) -> tuple[Judge, ...]:
    """A judge that some task names judges the tasks that do; any other one judges all."""
    somewhere = {word for words in named.values() for word in words}
    if all(row.completion.finish_reason in ("scored", "skipped") for row in cell.completions):
        return ()  # it was not asked to write
    found = []
    for word, judge in judges.items():
        if word in named.get(cell.task, ()) or word not in somewhere:
            bare = [sample.id for sample in cell.samples if not sample.target.strip()]
            if judge.spec.needs_reference and bare:
                what = f"needs a reference, and sample '{bare[0]}' of {cell.task} has none"
                raise SelectionError(f"judge '{word}' {what}")
            found.append(judge)
    _check_columns(cell, found)
    return tuple({judge.spec.judge: judge for judge in found}.values())


def _check_columns(cell: CellResult, judges: Sequence[Judge]) -> None:
    """Raise SelectionError if a judge would write into a column of somebody else.

    Columns of the same judge are replaced, that is what judging again is for; those of a metric,
    of another judge of the run, or of another one that judges now are not.
    """
    again = {judge.spec.judge for judge in judges}
    taken: dict[str, tuple[str, Path | None]] = {
        info.name.partition("[")[0]: (f"judge '{info.judge}'" if info.judge else "a metric", None)
        for info in cell.scorers
        if info.judge not in again
    }
    for judge in judges:
        spec = judge.spec
        for column in spec.columns:
            other, path = taken.setdefault(column, (f"judge '{spec.judge}'", spec.path))
            if path != spec.path:
                what = f"would write the column '{column}', which {other} of {cell.task} has"
                raise SelectionError(f"judge '{spec.judge}' {what}; rename one of them")


def _places(cell: CellResult, number: int) -> tuple[Place, ...]:
    samples = {sample.id: sample for sample in cell.samples}
    return tuple(
        Place(f"{cell.task}[{number}]/{row.sample}/{row.epoch}", samples[row.sample], row.epoch)
        for row in cell.completions
    )


def _case(
    cell: CellResult, judges: tuple[Judge, ...], places: tuple[Place, ...], stored: Run
) -> Case:
    """The cell with its model's card and baseline as they were when it answered: the files of
    today may be gone, or speak of another model under that name."""
    card = stored_card(stored, cell.model)
    baselines = {one.model: one.baseline for one in stored.models}
    return Case(
        cell=cell.cell_id,
        task=cell.task,
        variant=cell.variant,
        model=cell.model,
        card=card,
        judges=judges,
        places=places,
        baseline=baselines.get(cell.model),
    )
