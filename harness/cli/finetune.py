"""`harness finetune`: a recipe in, a model card out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.finetune.curve import CurvePoint
    from harness.finetune.plan import TrainPlan
    from harness.finetune.train import Trained


SPEAK_SECONDS = 8.0


@click.command(context_settings={"max_content_width": 100})
@click.argument("recipe", metavar="RECIPE")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would happen.")
@click.option("--fresh", is_flag=True, help="Start anew, whatever was trained before.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder (runs/finetune/MODEL).")
@click.option("--allow-code", is_flag=True, help="Permit trust_remote_code of the base card.")
def finetune(recipe: str, dry_run: bool, fresh: bool, out: Path | None, allow_code: bool) -> None:
    """Train the LoRA of RECIPE (a name or a file) and write its model card.

    Killed, the same command goes on from the last checkpoint.
    """
    import os

    from harness.cli.lookup import find_training

    # threads that spin while they wait halve the speed as soon as anything else wants a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    plan = find_training(recipe, out, allow_code)
    for line in plan.lines():
        click.echo(line)
    if dry_run:
        click.echo(_tokens(plan))
        click.echo("dry run: nothing was written")
        return
    _train(plan, fresh)


def _train(plan: TrainPlan, fresh: bool) -> None:
    from harness.errors import Interrupted
    from harness.finetune.curve import sparkline
    from harness.finetune.train import compute_dtype, train

    if compute_dtype(plan) != plan.recipe.dtype:
        click.echo(f"note: {plan.recipe.dtype} cannot train on a CPU; computing in bfloat16")
    try:
        done = train(plan, _listener(), fresh=fresh)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: run the same command again to go on from the last checkpoint"
        ) from None
    if done.known:
        click.echo(f"already trained: {done.card} (--fresh trains anew)")
        return
    losses = [point.loss for point in done.points if point.loss is not None]
    click.echo(f"loss        {sparkline(losses)}  {losses[0]:.2f} -> {losses[-1]:.2f}")
    click.echo(_summary(plan, done))
    click.echo(f"now         harness run {plan.task.task} -m {plan.base.model},{plan.recipe.model}")


def _summary(plan: TrainPlan, done: Trained) -> str:
    cut = f"; {done.cut} rows were cut at max_length" if done.cut else ""
    how = "went on and finished" if done.resumed else "trained"
    return f"{how} in {done.seconds:.0f} s{cut}; model card {done.card}"


def _listener() -> Callable[[CurvePoint, int], None]:
    """A line every few seconds, with the validation loss once it is known."""
    import time

    seen: dict[str, float] = {}
    last = [time.monotonic()]

    def tell(point: CurvePoint, steps: int) -> None:
        if point.loss is not None:
            seen["loss"] = point.loss
        if point.eval_loss is not None:
            seen["validation loss"] = point.eval_loss
        if point.step == steps or time.monotonic() - last[0] > SPEAK_SECONDS:
            last[0] = time.monotonic()
            losses = "  ".join(f"{name} {value:.3f}" for name, value in seen.items())
            click.echo(f"step {point.step}/{steps}  {losses}", err=True)

    return tell


def _tokens(plan: TrainPlan) -> str:
    """Tokens of the train split, if the tokenizer is here."""
    from harness.errors import ModelError
    from harness.finetune.train import count_tokens

    try:
        longest, total = count_tokens(plan)
    except ModelError as error:
        return f"tokens      not counted: {error}"
    limit = plan.recipe.train.max_length
    return f"tokens      {total:,} in an epoch, longest row {longest} of {limit}"
