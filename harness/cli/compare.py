"""`harness compare`: two models on the same samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.results.render import Format

FORMATS = ("table", "markdown", "latex", "csv", "json")


@click.command(context_settings={"max_content_width": 100})
@click.argument("a", metavar="RUN|MODEL")
@click.argument("b", metavar="RUN|MODEL")
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are (runs/).")
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be repeated.")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--criteria", is_flag=True, help="The criteria of judges, too, not only totals.")
@click.option("--allow-mismatch", is_flag=True, help="Compare what both share, whatever differs.")
def compare(
    a: str,
    b: str,
    runs: Path | None,
    metrics: tuple[str, ...],
    tasks: tuple[str, ...],
    **more: object,
) -> None:
    """Compare B with A, sample by sample, and say which differences are real.

    A and B are runs (a folder, an id or its beginning, 'latest'), models (the newest run that
    holds them, one that holds both if there is one), or RUN:MODEL.
    """
    import shutil

    from harness.collect.library import project_root
    from harness.results.compare import compare as compare_sides
    from harness.results.compare_report import WIDEST, comparison_report
    from harness.results.pairs import CompareOptions
    from harness.results.preferences import preferences
    from harness.results.render import render
    from harness.results.store import passed_over

    root = runs or project_root(Path.cwd()) / "runs"
    if "latest" in {text.partition(":")[0] for text in (a, b)}:
        for name in passed_over(root):
            click.echo(f"note: {name} is not whole and was passed over", err=True)
    flags = bool(more["allow_mismatch"]), bool(more["criteria"])
    options = CompareOptions(tasks, metrics, *flags)
    rows, notes = compare_sides(root, a, b, options)
    form: Format = more["form"]  # type: ignore[assignment]
    columns = shutil.get_terminal_size((WIDEST, 24)).columns
    preferred = preferences(root, a, b, options)
    click.echo(render(comparison_report(rows, notes, columns, preferred), form, columns))
