"""What `harness run` does, in the order in which a user sees it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from harness.adapters.cache import Cache
from harness.cli.bench import (
    check_keys,
    judge_error_lines,
    keys_missing,
    make_judges,
    models_named,
    say_forecast,
)
from harness.cli.hints import hints
from harness.cli.live_progress import WRITING, TellingProgress
from harness.cli.profiling import profiled, speed_text, unjudged
from harness.cli.progress import make_progress
from harness.cli.run import RunArguments
from harness.collect.appoint import appoint
from harness.collect.library import Project
from harness.collect.plan import Cell, make_plan, variant_text
from harness.collect.selection import select
from harness.collect.tree import Collected, collect, default_models
from harness.errors import (
    CollectError,
    ExitCode,
    HarnessError,
    Interrupted,
    NothingCollected,
    SelectionError,
    StoreError,
)
from harness.judges.budget import Budget
from harness.results.run import JUDGE_ERROR, Run
from harness.runner.cases import cases_of
from harness.runner.forecast import Forecast, forecast, guess_answers
from harness.runner.generate import Memory, by_base
from harness.runner.pipeline import Options, run
from harness.runner.work import Asking, Work, make_work


def execute(arguments: RunArguments) -> ExitCode:
    """Plan, run, store and show; the exit code of the process."""
    # threads that spin while they wait halve the speed as soon as anything else wants a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = profiled(arguments)
    project = Project.here(allow_outside=arguments.allow_outside)
    cells = _plan(arguments, project)
    budget = Budget(arguments.max_cost)
    named = models_named(arguments.judge_model, project)
    judges = make_judges(appoint((cell.task for cell in cells), project, named), project)
    asking = Asking(arguments.limit, arguments.epochs, arguments.seed)
    runs = project.root / "runs" if arguments.runs is None else arguments.runs
    file = arguments.cache or cache_path(project.root)
    cache = Cache(file, read_only=arguments.dry_run)
    memory = Memory(
        cache,
        arguments.fresh,
        arguments.allow_code,
        project.root / ".harness" / "media",
        arguments.warmup,
    )
    try:
        if arguments.dry_run:
            return _say_what_would_run(make_work(cells, asking, judges), memory)
        check_writable(runs)
        works = unjudged(make_work(cells, asking, judges), arguments.profile)
        check_keys(judges.values(), lambda: _forecast(works, memory))
        options = Options(memory, project.root, arguments.seed or 0, _words(arguments), budget)
        return _run(works, options, runs)
    finally:
        cache.close()


def cache_path(project: Path) -> Path:
    """HARNESS_CACHE, or .harness/cache.sqlite in the project."""
    named = os.environ.get("HARNESS_CACHE")
    return Path(named) if named else project / ".harness" / "cache.sqlite"


def _plan(arguments: RunArguments, project: Project) -> tuple[Cell, ...]:
    """The selected cells; every mistake of every named file in one go."""
    errors: list[HarnessError] = []
    collected = Collected()
    try:
        collected = collect(arguments.tasks, project).check()
    except CollectError as error:
        errors += error.errors
    except HarnessError as error:
        errors.append(error)
    models = []
    for name in dict.fromkeys(filter(None, arguments.model.split(","))):
        try:
            models.append(project.get_model(name.strip()))
        except CollectError as error:
            errors += error.errors
        except HarnessError as error:
            errors.append(error)
    if errors:
        raise CollectError(errors)
    if not models and (collected.whole or not collected.cell_ids):
        raise SelectionError("no model named: -m NAME,... (or the whole id of a cell)")
    chosen = tuple(models) or default_models(collected, project)[0]
    cells = make_plan(collected.tasks, chosen, arguments.settings)
    cells = select(collected.wanted(cells), arguments.keyword, arguments.tags)
    if not cells:
        raise NothingCollected("nothing selected: no cell matches")
    return cells


def _run(works: Sequence[Work], options: Options, runs: Path) -> ExitCode:
    from harness.results.render import render
    from harness.results.show import summary
    from harness.results.store import read_run, write_run

    tasks = len({work.cell.task.task for work in works})
    models = len({work.cell.model.model for work in works})
    counts = f"{_count(tasks, 'task')} x {_count(models, 'model')}"
    click.echo(f"running {_count(len(works), 'cell')}: {counts}", err=True)
    for note in hints(works):
        click.echo(f"note: {note}", err=True)
    started = datetime.now(UTC)
    options = replace(options, started=started)
    with TellingProgress(make_progress(), works, runs, started) as progress:
        try:
            done = run(works, options, progress)
        except KeyboardInterrupt:  # while scoring: the answers are all in the cache
            raise Interrupted(f"interrupted: {_kept(options.memory)}") from None
        finally:
            progress.close()
        progress.phase(WRITING)
        folder = write_run(runs, done)
    for name in dict.fromkeys(work.cell.task.task for work in works if work.cell.task.gate):
        click.echo(f"note: {name} declares a gate: harness gate latest", err=True)
    columns = shutil.get_terminal_size((100, 24)).columns
    reader = read_run(folder)
    click.echo(render(summary(reader, columns), "table", columns))
    if options.memory.measuring:
        click.echo(f"\n{speed_text(reader, columns)}")
    return _verdict(done, folder)


def _kept(memory: Memory) -> str:
    """What is left of a run that was stopped while its answers were scored."""
    if memory.measuring:
        return "a profile keeps no answers; run the same command again to measure anew"
    again = "run it again without --fresh" if memory.fresh else "run the same command again"
    return f"all answers are kept; {again} to score them"


def _verdict(done: Run, folder: Path) -> ExitCode:
    """The last lines, and whether all samples were answered and scored."""
    failed = [r.completion for cell in done.cells for r in cell.completions if r.completion.failed]
    failures = Counter(completion.error for completion in failed)
    unscored = _unscored(done)
    who = done.settings.get("judge_model")
    more = f" --judge-model {who}" if who else ""
    unjudged = judge_error_lines(done.cells, f"harness judge latest{more} --retry")
    shown = near(folder)
    if not failures and not unscored and not unjudged:
        click.echo(f"run {shown}")
        return ExitCode.OK
    total = sum(len(cell.completions) for cell in done.cells)
    if failures:
        click.echo(f"run {shown}: {failures.total()} of {total} samples failed")
        for error, count in failures.most_common(3):
            click.echo(f"  {count} x {error}")
        if any(not one.replied for one in failed):
            click.echo("  what had no reply is asked again when you run the same command again")
        if any(one.replied for one in failed):
            click.echo("  replies that are no answer are remembered like all: --fresh asks again")
    if unscored:
        scores = sum(len(one) for cell in done.cells for one in cell.scores.values())
        click.echo(f"run {shown}: {len(unscored)} of {scores} scores could not be computed")
        for line in unscored[:3]:
            click.echo(f"  {line}")
        if len(unscored) > 3:
            click.echo(f"  and {len(unscored) - 3} more")
    if unjudged:
        click.echo("\n".join([f"run {shown}: not all answers were judged", *unjudged]))
    return ExitCode.FAILED


def _unscored(done: Run) -> list[str]:
    """Why answers that were given have no score."""
    return [
        score.explanation or "no score"
        for cell in done.cells
        for scores in cell.scores.values()
        for row, score in zip(cell.completions, scores, strict=True)
        if score.status == "error" and not row.completion.failed
        if not (score.explanation or "").startswith(JUDGE_ERROR)
    ]


def _say_what_would_run(works: list[Work], memory: Memory) -> ExitCode:
    """The first prompt of each task, then one line a cell: requests, how many are to be asked,
    tokens in, tokens out at most."""
    from tabulate import tabulate

    from harness.cli.example import Example, add_example

    rows: list[list[object]] = []
    errors: dict[str, None] = {}
    examples: dict[str, Example] = {}
    for models in by_base(works):
        adapter = memory.open(models)
        for work in works:
            if work.cell.model not in models:
                continue
            own = ",".join(variant_text(work.cell.variant))
            name = f"{work.cell.task.task} [{own}]" if own else work.cell.task.task
            rows.append([name, work.cell.model.model, len(work.requests)])
            try:
                missing = adapter.missing(work.cell.model, work.requests)
                tokens = sum(adapter.count_tokens(work.cell.model, missing))
                out = sum(r.settings.max_new_tokens for r in missing if r.output_type == "generate")
                rows[-1] += [len(missing), f"{tokens:,}", f"{out:,}"]
                add_example(examples, adapter, work)
            except HarnessError as error:
                rows[-1] += ["?", "?", "?"]
                errors[str(error)] = None
        adapter.close()
    for example in examples.values():
        click.echo(f"{example.text}\n")
    names = ["task", "model", "requests", "to ask", "tokens in", "tokens out, at most"]
    right = ("left", "left", "right", "right", "right", "right")
    click.echo(tabulate(rows, names, colalign=right, disable_numparse=True))
    if not errors and any(work.judges for work in works):
        judging = _forecast(works, memory)
        say_forecast(judging)
        judges = [judge for work in works for judge in work.judges]
        errors |= dict.fromkeys(map(str, keys_missing(judges, judging)))
    if any(request.media and request.frames for work in works for request in work.requests):
        click.echo("tokens in: without those of frames, which nobody knows before they are decoded")
    click.echo("dry run: nothing was asked")
    for line in errors:
        click.echo(line, err=True)
    return ExitCode.USAGE_ERROR if errors else ExitCode.OK


def _forecast(works: Sequence[Work], memory: Memory) -> list[Forecast]:
    return forecast(cases_of(works), guess_answers(works, memory), memory)


def check_writable(runs: Path) -> None:
    """Before hours are spent: can the run be stored at all?"""
    probe = runs / f".probe-{os.getpid()}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(f"cannot write to {runs}: {error.strerror}") from None


def _words(arguments: RunArguments) -> dict[str, str]:
    words = {
        "tasks": " ".join(arguments.tasks),
        "model": arguments.model,
        "keyword": arguments.keyword,
        "tags": arguments.tags,
        "limit": str(arguments.limit or ""),
        "set": " ".join(arguments.settings),
        "epochs": str(arguments.epochs),
        "seed": str(arguments.seed if arguments.seed is not None else ""),
        "fresh": "yes" if arguments.fresh else "",
        "judge_model": arguments.judge_model,
        "max_cost": "" if arguments.max_cost is None else str(arguments.max_cost),
        "profile": f"after {arguments.warmup} to warm up" if arguments.profile else "",
    }
    return {name: value for name, value in words.items() if value}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def near(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
