"""`harness publish`: a static site out of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.leaderboard.publish import Published
    from harness.results.store import RunReader


@click.command(context_settings={"max_content_width": 100})
@click.argument("words", metavar="[RUN]...", nargs=-1)
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are (runs/).")
@click.option(
    "--to", type=click.Path(path_type=Path), default=Path("site"), show_default=True,
    help="The folder of the site.",
)  # fmt: skip
@click.option("--title", default="Leaderboard", show_default=True, help="What the site is called.")
@click.option("--max-samples", type=click.IntRange(min=0), metavar="N",
              help="Texts of N samples a task; failures and disagreements always.")  # fmt: skip
@click.option(
    "--no-text",
    is_flag=True,
    help="Leave out answers, judges' replies, prompts, and errors, which may quote them; "
    "inputs and references stay.",
)
@click.option("--redact", multiple=True, metavar="REGEX",
              help="Replace what matches in texts (not in names, ids); repeatable.")  # fmt: skip
@click.option("--prompts", is_flag=True, help="With each answer, the prompt that was read.")
@click.option("--fresh", is_flag=True, help="Write all anew, also what has not changed.")
@click.option("--check", is_flag=True,
              help="Check the site: links, ids, sizes, secrets, local paths.")  # fmt: skip
def publish(words: tuple[str, ...], runs: Path | None, to: Path, **options: object) -> int | None:
    """Write a site that opens by double-click and from GitHub Pages alike.

    RUN is a folder, an id or its beginning, 'latest', or a model's name (the newest run that holds
    it); a site holds whole runs. Without RUN, of all runs below runs/. Of a model's runs of a
    task the one with the most samples counts, of those the newest; others are its history. What
    has not changed since the last time is not written again.

    --check reads the site that is there, after writing it if RUNs are named, and lists what must
    not be published: dead links, double ids, files too large for a host, keys, paths of this
    machine. Exit code 1 if there is any.
    """
    if options["check"] and not words:
        return _check(to)
    done = _publish(words, runs, to, options)
    click.echo(_told(done))
    return _check(to) if options["check"] else None


def find_runs(words: tuple[str, ...], runs: Path | None) -> list[RunReader]:
    """The runs that words mean, or all whole ones; raises StoreError if there is none."""
    from harness.collect.library import project_root
    from harness.errors import StoreError
    from harness.results.pairs import find_one, runs_among
    from harness.results.store import passed_over, read_run, whole_runs

    root = runs or project_root(Path.cwd()) / "runs"
    if words:
        return [_whole(*find_one(root, word), word) for word in runs_among(words)]
    for name in passed_over(root):
        click.echo(f"note: left out: {name} is not whole: it has no manifest.json", err=True)
    found = []
    for path in whole_runs(root):
        try:
            found.append(read_run(path))
        except StoreError as error:
            click.echo(f"note: left out: {error}", err=True)
    if not found:
        from harness.errors import shown

        raise StoreError(f"no runs below {shown(root)}: 'harness run' makes one")
    return found


def _whole(run: RunReader, model: str, word: str) -> RunReader:
    """The run, if no model of it was named."""
    if model:
        from harness.errors import SelectionError

        raise SelectionError(f"'{word}': a site holds whole runs: name {run.run_id}")
    return run


def _publish(
    words: tuple[str, ...], runs: Path | None, to: Path, options: dict[str, object]
) -> Published:
    from harness.leaderboard.publish import PublishOptions, publish, readable_project
    from harness.leaderboard.texts import Texts

    if not str(options["title"]).strip():
        from harness.errors import SelectionError

        raise SelectionError("--title is empty: leave it out, or say what the site is called")
    redact: tuple[str, ...] = options["redact"]  # type: ignore[assignment]
    texts = Texts.of(redact, answers=not options["no_text"], prompts=bool(options["prompts"]))
    most: int | None = options["max_samples"]  # type: ignore[assignment]
    wanted = PublishOptions(
        title=str(options["title"]),
        texts=texts,
        max_samples=most,
        project=readable_project(),
        fresh=bool(options["fresh"]),
        lenient=not words,
    )
    done = publish(find_runs(words, runs), to, wanted)
    for why in done.left_out:
        click.echo(f"note: left out: {why}", err=True)
    if done.gone_runs:
        gone = _count(len(done.gone_runs), "run")
        click.echo(f"note: {gone} that the site held before: no longer part of it", err=True)
    return done


def _told(done: Published) -> str:
    from harness.errors import shown

    where = shown(done.to / "index.html")
    size = f"{done.files:,} files, {done.bytes / 1e6:,.1f} MB"
    if done.current:
        return f"{where} is up to date ({size})"
    what = (
        f"{_count(done.runs, 'run')}, {_count(done.models, 'model')}, {_count(done.tasks, 'task')}"
    )
    return f"{where}: {what}; {size}, {done.written:,} of them new or changed"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _check(to: Path) -> int:
    from harness.errors import ExitCode
    from harness.leaderboard.check import check_site

    found = check_site(to)
    for problem in found.problems:
        click.echo(str(problem))
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(found.summary)
    return ExitCode.FAILED if found.problems else ExitCode.OK
