"""`harness run --profile`: what it asks that an ordinary run does not, and what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from harness.cli.run import RunArguments
from harness.errors import SelectionError
from harness.runner.work import Work

if TYPE_CHECKING:
    from harness.results.store import RunReader

SAMPLES, WARMUP = 100, 3
"""Of each cell, unless --limit and --warmup say otherwise."""


def profiled(arguments: RunArguments) -> RunArguments:
    """The command line with the defaults of --profile, told on the screen; as it is without it.

    Raises SelectionError for --warmup alone.
    """
    if not arguments.profile:
        if arguments.warmup is not None:
            raise SelectionError("--warmup needs --profile: an ordinary run has nothing to warm up")
        return arguments
    limit = arguments.limit or SAMPLES
    warmup = WARMUP if arguments.warmup is None else arguments.warmup
    how = "" if arguments.limit else " (--limit N asks for others)"
    click.echo(
        f"profile: at most {limit} samples a cell{how}, after {warmup} to warm up; no remembered "
        "answer or clip is used, none is kept",
        err=True,
    )
    return replace(arguments, limit=limit, warmup=warmup)


def speed_text(run: RunReader, columns: int) -> str:
    """The tables of `harness show --profile`; or that there is nothing to show."""
    from harness.leaderboard.speed_report import speed_report
    from harness.results.render import render

    try:
        return render(speed_report(run), "table", columns)
    except SelectionError as error:  # recorded answers take no time
        return f"no profile: {error}"


def unjudged(works: Sequence[Work], profile: bool) -> list[Work]:
    """The work without its judges if speed is measured: they would ask while it is, and cost."""
    if not profile:
        return list(works)
    judges = dict.fromkeys(judge.spec.judge for work in works for judge in work.judges)
    if judges:
        click.echo(f"note: --profile asks no judges ({', '.join(judges)})", err=True)
    return [replace(work, judges=()) for work in works]
