"""`harness gate`: does a candidate keep to what its tasks ask?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli.named import NamedPath, not_empty


@dataclass(frozen=True)
class GateArguments:
    """The command line of `harness gate`, as it was typed."""

    words: tuple[str, ...]
    baselines: tuple[str, ...]
    tasks: tuple[str, ...]
    intersect: bool
    self_check: bool
    rounds: int | None
    junit: Path | None
    as_json: bool
    checkpoints: tuple[str, ...]
    metric: str
    changed_since: str
    model: str
    limit: int | None
    judge_model: str
    runs: Path | None
    cache: Path | None
    allow_code: bool


@click.command(context_settings={"max_content_width": 100})
@click.argument("words", nargs=-1, metavar="[RUN|MODEL|RUN:MODEL | TASK...]")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="PATH|RUN|MODEL",
    help="Whom to compare with; may be repeated (leaderboard/baselines).",
)
@click.option("--task", "tasks", multiple=True, help="Only this task's gate; may be repeated.")
@click.option("--intersect", is_flag=True, help="If samples differ, compare those of both.")
@click.option("--self-check", is_flag=True, help="How often would this gate fail an equal model?")
@click.option("--rounds", type=click.IntRange(min=20), help="Of --self-check.  [default: 300]")
@click.option("--junit", type=NamedPath(), help="Write a JUnit file, too.")
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON instead of text.")
@click.option(
    "--checkpoints",
    multiple=True,
    metavar="GLOB",
    help="Run and gate checkpoints of a training: 'OUT/checkpoints/checkpoint-*'.",
)
@click.option("--metric", callback=not_empty, help="The metric that names the best checkpoint.")
@click.option(
    "--changed-since",
    callback=not_empty,
    metavar="REV",
    help="Run and gate only cells whose spec, data, judge or weights changed since a git revision.",
)
@click.option(
    "-m",
    "--model",
    callback=not_empty,
    metavar="NAME,...",
    help="Models of --changed-since (all cards that name a `baseline`), or the base of "
    "--checkpoints.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples a task, if run.")
@click.option("--judge-model", callback=not_empty, metavar="NAME,...", help="Who judges, if run.")
@click.option("--runs", type=NamedPath(), help="Where runs are (runs/).")
@click.option("--cache", type=NamedPath(), help="Cache file, if something is run.")
@click.option(
    "--allow-code",
    is_flag=True,
    help="Permit trust_remote_code of model cards, and bridge cards of one's own.",
)
def gate(**arguments: object) -> int:
    """Hold a candidate against the `gate:` of its tasks: PASS, FAIL or INCONCLUSIVE, and why.

    The candidate is a run (a folder, an id or its beginning, 'latest'), a model (the newest run
    that holds it), or RUN:MODEL. It is compared with --baseline, else with
    leaderboard/baselines/TASK, else with the model that its card names as `baseline`, in the same
    run.

    Exit code 0: no line stops it; 1: it is worse than allowed (or undecided, with
    `on_inconclusive: fail`); 4: a mistake in a file or on the command line, no baseline; 6: a line
    could not be decided (stale baseline, failed samples, a judge that cannot be believed).
    """
    from harness.cli.gating import execute

    return int(execute(GateArguments(**arguments)))  # type: ignore[arg-type]
