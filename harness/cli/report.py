"""`harness report`: the tables, figures and words of a paper, out of stored runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"max_content_width": 100})
@click.argument("words", metavar="[RUN|MODEL|RUN:MODEL]...", nargs=-1)
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are (runs/).")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="The folder to write; an earlier report there is replaced.",
)
@click.option("--baseline", metavar="MODEL", help="Hold every other model against this one.")
@click.option(
    "--reference/--no-reference",
    default=True,
    show_default=True,
    help="Put what the reference studies reported beside one's own numbers.",
)
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw figures.")
def report(
    words: tuple[str, ...],
    runs: Path | None,
    target: Path,
    baseline: str | None,
    **flags: bool,
) -> None:
    """Write a paper's tables and figures, a summary in plain words, and examples.

    RUN is a folder, an id or its beginning, 'latest', or a model's name; RUN:MODEL is one model of
    it. Without any, all whole runs count. Of several runs of the same task and model the one with
    the most samples counts, then the newest.

    SUMMARY.md is where to begin. Every table is there as Markdown, LaTeX (booktabs) and CSV, every
    figure as PDF, PNG and SVG. Numbers that others reported are marked, never measured here.
    """
    from harness.collect.library import project_root
    from harness.errors import shown
    from harness.leaderboard.report.build import ReportOptions, make_report
    from harness.leaderboard.report.folder import check_target, write_folder
    from harness.leaderboard.report.sides import damaged_runs
    from harness.results.pairs import runs_among

    check_target(target)
    root = runs or project_root(Path.cwd()) / "runs"
    files = make_report(root, ReportOptions(tuple(runs_among(words)), baseline=baseline, **flags))
    write_folder(target, files)
    for why in () if words else damaged_runs(root):
        click.echo(f"note: left out: {why}", err=True)
    tables = sum(name.startswith("tables/") for name in files) // 3
    figures = sum(name.startswith("figures/") for name in files) // 3
    counts = f"{tables} tables, {figures} figures"
    click.echo(f"{shown(target / 'SUMMARY.md')}: {counts}; begin there")
