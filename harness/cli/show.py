"""`harness show`: one run on one page."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.results.render import Format

FORMATS = ("table", "markdown", "latex", "csv", "json")


@click.command(context_settings={"max_content_width": 100})
@click.argument("run", metavar="RUN|MODEL|RUN:MODEL", default="latest")
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are (runs/).")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--model", "models", multiple=True, help="Only this model; may be repeated.")
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be repeated.")
@click.option(
    "--worst", type=click.IntRange(min=0), default=5, show_default=True, help="Worst samples shown."
)
@click.option("--sample", "samples", multiple=True, help="This id, not the worst; repeatable.")
@click.option("--criteria", is_flag=True, help="The criteria of judges, too, not only totals.")
@click.option("--prompt", is_flag=True, help="Show the exact text that the model was given, too.")
@click.option("--by", multiple=True, metavar="KEY[,KEY]", help="Along one setting, or two.")
@click.option("--robustness", is_flag=True, help="Degraded input against clean.")
@click.option("--classes", is_flag=True, help="All that answers which are classes tell.")
@click.option("--headroom", is_flag=True, help="How far above the tasks' declared minimums.")
@click.option("--examples", type=click.IntRange(min=0), default=0, help="Wrong answers, drawn.")
@click.option("--seed", type=int, default=0, help="What draws the examples.")
@click.option("--profile", is_flag=True, help="Speed and memory in place of scores.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.02,
    show_default=True,
    help="With --profile: the drop in score that a quantization may cost.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def show(run: str, runs: Path | None, worst: int, **more: object) -> None:
    """Show a run: metrics with 95 % intervals, classes of choice tasks, the worst samples.

    RUN is a folder, an id or its beginning, 'latest', or a model's name; RUN:MODEL is one model
    of it. Worst means by the task's first metric, or by --metric. CSV holds the metrics only,
    JSON everything.

    --prompt is the text after the task's template and the model's chat template, line by line
    behind a bar, and the choices that were weighed behind it. Tokens that only the tokenizer adds
    (BOS) are not text; JSON has the prompt as one string.

    --by, --robustness, --classes, --headroom and --examples stand in place of that page. --by fps
    is a curve, --by fps,frames a map; keys are settings of variants, model and task; all other
    settings make tables of their own. With one key each value is held against the first, sample by
    sample.

    --profile shows milliseconds by stage, tokens and frames a second, memory and size, and what
    the run varied: throughput over batch_size, heat maps over resolution and frames, quality
    against latency, quantization. CSV holds the stages only, JSON everything.
    """
    from harness.collect.library import project_root
    from harness.results.analysis import AnalysisOptions, analyse
    from harness.results.pairs import find_one
    from harness.results.render import render
    from harness.results.show import ShowOptions
    from harness.results.show import show as show_run
    from harness.results.store import passed_over

    root = runs or project_root(Path.cwd()) / "runs"
    reader, model = find_one(root, run)
    if run.partition(":")[0] == "latest":
        for name in passed_over(root):
            click.echo(f"note: {name} is not whole and was passed over", err=True)
    tasks, models, metrics = (more[name] for name in ("tasks", "models", "metrics"))
    models = [model] if model else models
    columns = shutil.get_terminal_size((100, 24)).columns
    form: Format = more["form"]  # type: ignore[assignment]
    if more["profile"]:
        _refuse_beside_profile(more)
        from harness.leaderboard.speed_report import SpeedOptions, speed_report

        chosen = SpeedOptions(tasks, models, metrics, more["tolerance"])  # type: ignore[arg-type]
        click.echo(render(speed_report(reader, chosen), form, columns))
        return
    options = ShowOptions(
        tasks,  # type: ignore[arg-type]
        models,  # type: ignore[arg-type]
        metrics,  # type: ignore[arg-type]
        worst,
        columns,
        more["samples"],  # type: ignore[arg-type]
        bool(more["prompt"]),
        bool(more["criteria"]),
    )
    names = ("by", "robustness", "classes", "headroom", "examples", "seed")
    analysis = AnalysisOptions(options, *(more[name] for name in names))  # type: ignore[arg-type]
    report = analyse(reader, analysis) if analysis.wanted else show_run(reader, options)
    click.echo(render(report, form, columns))


def _refuse_beside_profile(more: Mapping[str, object]) -> None:
    """A page of speed has no room for an analysis of scores, and no tolerance that is no number."""
    others = [f"--{name}" for name in ("by", "robustness", "classes", "headroom", "examples")]
    given = [other for other in others if more[other.removeprefix("--")]]
    if given:
        raise click.UsageError(f"--profile stands alone: leave out {', '.join(given)}")
    if more["tolerance"] != more["tolerance"]:  # NaN is no range's business
        raise click.UsageError("--tolerance must be a number, not nan")
