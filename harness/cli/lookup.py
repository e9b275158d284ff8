"""Names on the command line to plans of a training."""

from __future__ import annotations

from pathlib import Path

from harness.collect.library import Project
from harness.errors import CollectError, HarnessError
from harness.finetune.plan import TrainPlan, make_plan


def find_training(name: str, out: Path | None, allow_code: bool) -> TrainPlan:
    """The plan of a recipe, by its name or its file; all mistakes of its files at once."""
    project = Project.here()
    recipe = project.get_recipe(name)
    errors: list[HarnessError] = []
    base = task = None
    try:
        base = project.get_model(recipe.base)
    except HarnessError as error:
        errors.append(error)
    try:
        task = project.get_task(recipe.task)
    except HarnessError as error:
        errors.append(error)
    if base is None or task is None:
        raise CollectError(errors)
    folder = out or project.root / "runs" / "finetune" / recipe.model
    return make_plan(recipe, base, task, folder, allow_code=allow_code)
