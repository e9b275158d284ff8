"""`harness run`: collect, ask, score, store, and say what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli.named import NamedPath, not_empty


@dataclass(frozen=True)
class RunArguments:
    """The command line of `harness run`, as it was typed."""

    tasks: tuple[str, ...]
    model: str
    keyword: str
    tags: str
    limit: int | None
    settings: tuple[str, ...]
    epochs: int
    seed: int | None
    dry_run: bool
    fresh: bool
    runs: Path | None
    cache: Path | None
    allow_code: bool
    allow_outside: bool
    judge_model: str
    max_cost: float | None
    profile: bool = False
    warmup: int | None = None


@click.command(context_settings={"max_content_width": 100})
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("-m", "--model", default="", metavar="NAME,...", help="Model cards to run.")
@click.option("-k", "keyword", default="", metavar="EXPR", help="Only cells whose name matches.")
@click.option("--tags", default="", metavar="EXPR", help="Only tasks and models with these tags.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples a task.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="generate.max_new_tokens=64"
)
@click.option("--epochs", type=click.IntRange(min=1), default=1, help="Ask each sample so often.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of sampling and of controls.")
@click.option(
    "--dry-run", is_flag=True, help="Show a prompt of each task, count tokens, ask no one."
)
@click.option("--fresh", is_flag=True, help="Ask again what the cache already knows.")
@click.option(
    "--judge-model",
    callback=not_empty,
    metavar="NAME,...",
    help="Who judges, whatever the judges say.",
)
@click.option("--max-cost", type=float, metavar="USD", help="Ask no judge beyond this sum.")
@click.option("--profile", is_flag=True, help="Measure speed and memory, stage by stage.")
@click.option(
    "--warmup",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --profile: requests of each cell before it is measured (3).",
)
@click.option("--runs", type=NamedPath(), help="Where runs go (runs/).")
@click.option("--cache", type=NamedPath(), help="Cache file.")
@click.option(
    "--allow-code",
    is_flag=True,
    help="Permit trust_remote_code of model cards, and bridge cards of one's own.",
)
@click.option("--allow-outside", is_flag=True, help="Permit data outside the project.")
def run(**arguments: object) -> int:
    """Run TASKs (names, files, folders or node ids) on models and store the results.

    Judges that a task names begin while later samples are still being answered. Several names
    after --judge-model are a panel. What --max-cost does not allow is a judge error.

    --profile asks the first 100 samples of each cell (or --limit), one cell after the other, in
    batches as the model card says, after a warm-up that does not count. It neither reads nor
    writes remembered answers or clips, and asks no judge. `harness show --profile` shows it again.

    Killed or interrupted, the same command goes on where it stopped. Exit code 0: every sample
    was answered and judged; 1: some were not; 2: interrupted; 4: a mistake in a spec, in data or
    in a model card; 5: nothing was selected.
    """
    from harness.cli.session import execute

    return int(execute(RunArguments(**arguments)))  # type: ignore[arg-type]
