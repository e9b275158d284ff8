"""What a recipe will do, before anything heavy is loaded; `--dry-run` prints it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.fingerprint import fingerprint
from harness.collect.recipe_checks import TARGETS, missing_targets, module_names
from harness.collect.recipe_spec import RecipeSpec
from harness.collect.specs import TaskSpec, TransformersModel
from harness.errors import DataError, ModelError, SpecError, shown
from harness.finetune.data import Rows, Splits, line_of, load_splits

WORK = ".training"
"""Where in its folder a training lies until it is whole."""


@dataclass(frozen=True)
class TrainRows:
    """The splits as tokens."""

    train: Rows
    validation: Rows


@dataclass(frozen=True)
class TrainPlan:
    """A recipe with the card it starts from, the task it learns and the folder it writes.

    The folder holds ``checkpoints/``, ``adapter/``, ``curve.parquet``, ``curve.svg``,
    ``recipe.json`` and the model card; harness/finetune/folder.py says when.
    """

    recipe: RecipeSpec
    base: TransformersModel
    task: TaskSpec
    splits: Splits
    out: Path
    allow_code: bool = False
    rows: TrainRows | None = None
    """None until `with_rows` has read them; samples that are lost are then known."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the rows of the train split."""
        train = self.recipe.train
        count = len(self.splits.train if self.rows is None else self.rows.train.rows)
        size = train.per_device_train_batch_size * train.gradient_accumulation_steps
        return math.ceil(count / size)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        train = self.recipe.train
        if train.max_steps > 0:
            return train.max_steps
        return math.ceil(train.num_train_epochs * self.steps_per_epoch)

    @property
    def eval_steps(self) -> int:
        """Steps between two measurements of the validation loss."""
        return self.recipe.train.eval_steps or self.steps_per_epoch

    @property
    def save_steps(self) -> int:
        """Steps between two checkpoints."""
        return self.recipe.train.save_steps or self.eval_steps

    @property
    def work(self) -> Path:
        """The folder of a training that is not whole yet, with the same names in it."""
        return self.out / WORK

    @property
    def card(self) -> Path:
        """The model card; its presence means that the training is whole."""
        return self.out / f"{self.recipe.model}.model.yaml"

    @property
    def adapter(self) -> Path:
        """The LoRA's folder."""
        return self.out / "adapter"

    def fingerprint(self) -> str:
        """Hash of all that determines the weights: recipe, base, prompt and rows."""
        keys = {"recipe", "description", "model"}
        if not (self.recipe.evaluate and self.recipe.evaluate.stop):
            keys.add("evaluate")  # looking on changes no weights
        parts = {
            "recipe": self.recipe.model_dump(mode="json", exclude=keys),
            "base": [self.base.base, self.base.revision, self.base.lora, _weights(self.base)],
            "prompt": self.task.prompt.model_dump(mode="json"),
            "train": [[s.id, s.input, s.target] for s in self.splits.train],
            "validation": [[s.id, s.input, s.target] for s in self.splits.validation],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def lines(self) -> list[str]:
        """The plan in words."""
        lora, train, base = self.recipe.lora, self.recipe.train, self.base
        rows = train.per_device_train_batch_size * train.gradient_accumulation_steps
        quant: str = self.recipe.quantize
        if quant == "nf4":
            quant = "nf4 with double quantization"
        return [
            f"recipe      {self.recipe.recipe}: {self.recipe.description}".rstrip(": "),
            f"base        {base.base} (card {base.model}, revision {base.revision})",
            f"weights     {quant}, compute in {self.recipe.dtype}",
            f"LoRA        r={lora.r} lora_alpha={lora.lora_alpha} on {_words(lora.target_modules)}",
            f"data        {self.task.task} v{self.task.version}: {len(self.splits.train)} train, "
            f"{len(self.splits.validation)} validation",
            f"steps       {self.steps} ({self.steps_per_epoch} an epoch, {rows} rows each: "
            f"batch {train.per_device_train_batch_size} x accumulation "
            f"{train.gradient_accumulation_steps})",
            f"optimizer   {train.optim}, learning_rate {train.learning_rate:g}, "
            f"{train.lr_scheduler_type}, seed {self.recipe.seed}",
            f"writes      {shown(self.adapter)} and the model card '{self.recipe.model}'",
            *self._losses(),
        ]

    def _losses(self) -> list[str]:
        """What `max_length` takes away, once it is known."""
        if self.rows is None:
            return []
        splits = (("rows", self.rows.train), ("validation", self.rows.validation))
        return [
            f"{name:<11} {line}" for name, rows in splits for line in losses(rows, name == "rows")
        ]


def losses(rows: Rows, train: bool = True) -> list[str]:
    """What `max_length` takes from a split, a line each."""
    lines = []
    if rows.cut:
        lines.append(f"{_count(rows.cut)} their end (max_length)")
    if rows.lost:
        lines.append(f"{_count(rows.lost)} the whole answer: not {'trained' if train else 'used'}")
    return lines


def _count(number: int) -> str:
    return "1 row loses" if number == 1 else f"{number} rows lose"


def make_plan(
    recipe: RecipeSpec, base: object, task: TaskSpec, out: Path, *, allow_code: bool = False
) -> TrainPlan:
    """Check that the recipe can be followed at all.

    Raises SpecError if the base card is no transformers model, is a LoRA itself or lacks a target
    module, DataError if the splits are missing or overlap.
    """
    line = line_of(recipe, ("base",))
    if not isinstance(base, TransformersModel):
        raise SpecError(recipe.path, line, f"base '{recipe.base}' is not a transformers model")
    if base.lora:
        raise SpecError(recipe.path, line, f"base '{recipe.base}' is a LoRA; name its own base")
    _check_targets(recipe, base)
    if task.output_type == "perplexity":
        what = "a perplexity task has no answers to learn"
        raise DataError(task.path, line_of(task, ("output_type",)), what)
    return TrainPlan(recipe, base, task, load_splits(task), out, allow_code)


def _check_targets(recipe: RecipeSpec, base: TransformersModel) -> None:
    """The target modules exist in the base, if its weights are here; reads file headers only."""
    from harness.adapters.locate import cached_snapshot, card_error, local_folder

    here = local_folder(base, base.base) or cached_snapshot(base.base, base.revision)
    if here is None:
        return
    try:
        modules = module_names(here)
    except (OSError, ValueError) as error:
        raise card_error(base, f"base '{base.base}': damaged weights: {error}") from None
    for number, what in missing_targets(recipe.lora.target_modules, modules, recipe.base):
        raise SpecError(recipe.path, line_of(recipe, (*TARGETS, number)), what)


def _words(names: Sequence[str]) -> str:
    return ", ".join(names)


def _weights(base: TransformersModel) -> str:
    """What the base is, beyond its name; empty while its files are not here."""
    try:
        return fingerprint(base)
    except ModelError:
        return ""
