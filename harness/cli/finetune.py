"""`harness finetune`: a recipe in, a model card out."""

from __future__ import annotations

import time
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

    Killed, the same command goes on from the last checkpoint (without --fresh). A model that was
    trained before stays until the new one is whole. Exit code 1: the loss is not a number any more
    and no model was written; 2: interrupted, or the disk is full.
    """
    import os

    from harness.cli.lookup import find_training

    # threads that spin while they wait halve the speed as soon as anything else wants a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    plan, tokens = _with_tokens(find_training(recipe, out, allow_code))
    for line in plan.lines():
        click.echo(line)
    if dry_run:
        click.echo(tokens)
        click.echo("dry run: nothing was written")
        return
    _train(plan, fresh)


def _with_tokens(plan: TrainPlan) -> tuple[TrainPlan, str]:
    """The plan with its rows, and their tokens in words; as it was if no tokenizer is here."""
    from harness.errors import ModelError
    from harness.finetune.tokens import with_rows

    try:
        plan = with_rows(plan)
    except ModelError as error:  # a real training says the same, unless it is done already
        return plan, f"tokens      not counted: {error}"
    rows, limit = plan.rows.train if plan.rows else None, plan.recipe.train.max_length
    total = sum(len(row.input_ids) for row in rows.rows) if rows else 0
    longest = rows.longest if rows else 0
    return plan, f"tokens      {total:,} in an epoch, longest row {longest} of {limit}"


def _train(plan: TrainPlan, fresh: bool) -> None:
    from harness.errors import Interrupted, shown
    from harness.finetune.curve import sparkline
    from harness.finetune.folder import way_on
    from harness.finetune.train import compute_dtype, train

    if compute_dtype(plan) != plan.recipe.dtype:
        _note(f"{plan.recipe.dtype} cannot train on a CPU; computing in bfloat16")
    progress = _Progress()
    try:
        done = train(plan, progress, fresh=fresh, note=_note)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {way_on(plan, fresh)}") from None
    if done.known:
        click.echo(f"already trained: {shown(done.card)} (--fresh trains anew)")
        return
    progress.finish()
    losses = [point.loss for point in done.points if point.loss is not None]
    click.echo(f"loss        {sparkline(losses)}  {losses[0]:.2f} -> {losses[-1]:.2f}")
    if done.rise:
        _note(f"the {done.rise}: do not expect a better model (a smaller learning_rate?)")
    click.echo(_summary(plan, done))
    click.echo(f"now         {_next_command(plan)}")


def _note(line: str) -> None:
    click.echo(f"note: {line}")


def _summary(plan: TrainPlan, done: Trained) -> str:
    from harness.errors import shown
    from harness.finetune.plan import losses

    told = losses(plan.rows.train) if plan.rows else []
    how = "went on and finished" if done.resumed else "trained"
    return "; ".join([f"{how} in {done.seconds:.0f} s", *told, f"model card {shown(done.card)}"])


def _next_command(plan: TrainPlan) -> str:
    """How the new model is run; a card that lies where no library looks is named by its path."""
    import shlex

    from harness.collect.library import Project
    from harness.errors import HarnessError, shown

    try:
        found = Project.here().file("model", plan.recipe.model)
    except HarnessError:  # the name stands for two files
        found = None
    known = found is not None and found.resolve() == plan.card.resolve()
    model = plan.recipe.model if known else shown(plan.card)
    models = f"{plan.recipe.base},{model}"
    return shlex.join(["harness", "run", plan.recipe.task, "-m", models])


class _Progress:
    """A line every few seconds, with the validation loss once it is known; and the last."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._place = ""
        self._last = time.monotonic()

    def __call__(self, point: CurvePoint, steps: int) -> None:
        self._place = f"step {point.step}/{steps}"
        if point.loss is not None:
            self._seen["loss"] = point.loss
        if point.eval_loss is not None:
            self._seen["validation loss"] = point.eval_loss
        # a step is logged twice if it is validated too, and the last one is told at the end
        if point.step < steps and time.monotonic() - self._last > SPEAK_SECONDS:
            self._say()

    def finish(self) -> None:
        """The last line."""
        self._say()

    def _say(self) -> None:
        self._last = time.monotonic()
        losses = "  ".join(f"{name} {value:.3f}" for name, value in self._seen.items())
        click.echo(f"{self._place}  {losses}", err=True)
