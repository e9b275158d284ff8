"""`harness cache`: what is remembered, and how to forget what is no longer used."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.adapters.cache import Cache

AGE_TODAY = "oldest       last used today"
MOST_DAYS = 36_500
_CACHE = click.option(
    "--cache",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Cache file (HARNESS_CACHE, or .harness/cache.sqlite in the project).",
)


@click.group(context_settings={"max_content_width": 100})
def cache() -> None:
    """Look at the cache of answers, or forget old ones.

    The cache is the only memory of a run: one SQLite file that holds every answer under the hash
    of all that determines it.
    """


@cache.command()
@_CACHE
def stats(path: Path | None) -> None:
    """Print how much is remembered, and for how long nothing has used the oldest of it."""
    _with_cache(path, _stats, read_only=True)


@cache.command()
@_CACHE
@click.option(
    "--unused-days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Forget what no run has used for so long.",
)
@click.option("--all", "everything", is_flag=True, help="Forget everything.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(path: Path | None, unused_days: float, everything: bool, yes: bool) -> None:
    """Forget answers that no run has used for a while; they are asked again when needed."""
    days = 0.0 if everything else unused_days
    if not days <= MOST_DAYS:
        raise click.UsageError(f"--unused-days {days:g}: give 0 to {MOST_DAYS:,} days")
    _with_cache(path, lambda opened: _prune(opened, days, yes))


def _with_cache(
    path: Path | None, work: Callable[[Cache], None], *, read_only: bool = False
) -> None:
    from harness.adapters.cache import Cache

    found = path or _default()
    if not found.exists():
        click.echo(f"no cache at {found}: nothing is remembered")
        return
    opened = Cache(found, read_only=read_only)
    try:
        work(opened)
    finally:
        opened.close()


def _default() -> Path:
    from harness.cli.session import cache_path
    from harness.collect.library import project_root

    return cache_path(project_root(Path.cwd()))


def _stats(opened: Cache) -> None:
    known = opened.stats()
    click.echo(f"cache        {known.path}")
    click.echo(f"completions  {known.completions:,}")
    click.echo(f"vectors      {known.vectors:,}")
    click.echo(f"size         {known.bytes / 1e6:,.1f} MB")
    if known.oldest is not None:
        days = max(0.0, time.time() - known.oldest) / 86400
        click.echo(f"oldest       last used {days:.0f} days ago" if days >= 1 else AGE_TODAY)


def _prune(opened: Cache, days: float, yes: bool) -> None:
    count = opened.unused(days)
    if not count:
        click.echo(f"nothing to forget: all {opened.stats().completions:,} answers are in use")
        return
    if not yes:
        since = f"unused for {days:g} days" if days else "all there are"
        click.confirm(f"forget {count:,} rows ({since}) of {opened.path}?", abort=True, err=True)
    before = opened.stats().bytes
    gone = opened.prune(days)
    freed = max(0, before - opened.stats().bytes) / 1e6
    click.echo(f"forgot {gone:,} rows, freed {freed:,.1f} MB")
