"""`harness compare`: two or more models on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.results.pairs import CompareOptions, Side
    from harness.results.render import Format, Report

FORMATS = ("table", "markdown", "latex", "csv", "json")
WIDEST = 120


@click.command(context_settings={"max_content_width": 100})
@click.argument("words", metavar="RUN|MODEL...", nargs=-1, required=True)
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are (runs/).")
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be repeated.")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--criteria", is_flag=True, help="The criteria of judges, too, not only totals.")
@click.option("--intersect", is_flag=True, help="Compare what all share, whatever differs.")
def compare(
    words: tuple[str, ...],
    runs: Path | None,
    metrics: tuple[str, ...],
    tasks: tuple[str, ...],
    form: Format,
    **flags: bool,
) -> None:
    """Compare B with A, sample by sample, and say which differences are real.

    A and B are runs (a folder, an id or its beginning, 'latest'), models (the newest run that
    holds them, one that holds both if there is one), or RUN:MODEL. With three or more, each metric
    has a table of all pairs, and a test of whether they differ at all. One run alone stands for
    all of its models.
    """
    import shutil

    from harness.collect.library import project_root
    from harness.results.pairs import CompareOptions, find_groups
    from harness.results.render import render
    from harness.results.store import passed_over

    root = runs or project_root(Path.cwd()) / "runs"
    if "latest" in {text.partition(":")[0] for text in words}:
        for name in passed_over(root):
            click.echo(f"note: {name} is not whole and was passed over", err=True)
    intersect, criteria = flags["intersect"], flags["criteria"]
    options = CompareOptions(tasks, metrics, intersect=intersect, criteria=criteria)
    columns = shutil.get_terminal_size((WIDEST, 24)).columns
    click.echo(render(_report(find_groups(root, words), options, columns), form, columns))


def _report(groups: Sequence[tuple[Side, ...]], options: CompareOptions, columns: int) -> Report:
    """Two sides side by side, more of them in matrices."""
    from harness.results.preferences import preferences

    pairs = [pair for sides in groups for pair in combinations(sides, 2)]
    if len(groups[0]) > 2:
        from harness.results.matrix import make_matrices
        from harness.results.matrix_report import matrix_report

        found = make_matrices(groups, options)
        return matrix_report(*found, columns, preferences(pairs, options))
    from harness.results.compare import compare_sides
    from harness.results.compare_report import comparison_report

    rows, notes = compare_sides(pairs, options)
    return comparison_report(rows, notes, columns, preferences(pairs, options))
