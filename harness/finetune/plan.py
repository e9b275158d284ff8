"""What a recipe will do, before anything heavy is loaded; `--dry-run` prints it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.recipe_spec import RecipeSpec
from harness.collect.specs import TaskSpec, TransformersModel
from harness.errors import DataError, ModelError, SpecError
from harness.finetune.data import Splits, load_splits


@dataclass(frozen=True)
class TrainPlan:
    """A recipe with the card it starts from, the task it learns and the folder it writes.

    The folder holds ``checkpoints/``, ``adapter/``, ``curve.parquet``, ``curve.svg``,
    ``recipe.json`` and, written last, the model card.
    """

    recipe: RecipeSpec
    base: TransformersModel
    task: TaskSpec
    splits: Splits
    out: Path
    allow_code: bool = False

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the train split."""
        train = self.recipe.train
        rows = train.per_device_train_batch_size * train.gradient_accumulation_steps
        return math.ceil(len(self.splits.train) / rows)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        train = self.recipe.train
        if train.max_steps > 0:
            return train.max_steps
        return math.ceil(train.num_train_epochs * self.steps_per_epoch)

    @property
    def card(self) -> Path:
        """The model card; its presence means that the training is whole."""
        return self.out / f"{self.recipe.model}.model.yaml"

    @property
    def adapter(self) -> Path:
        """The LoRA's folder."""
        return self.out / "adapter"

    def fingerprint(self) -> str:
        """Hash of all that determines the weights: recipe, base card, prompt and rows."""
        keys = {"recipe", "description", "model"}
        parts = {
            "recipe": self.recipe.model_dump(mode="json", exclude=keys),
            "base": [self.base.base, self.base.revision, self.base.lora],
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
            f"writes      {self.out}/adapter and the model card '{self.recipe.model}'",
        ]


def make_plan(
    recipe: RecipeSpec, base: object, task: TaskSpec, out: Path, *, allow_code: bool = False
) -> TrainPlan:
    """Check that the recipe can be followed at all.

    Raises ModelError if the base card is no transformers model or is a LoRA itself, DataError if
    the splits are missing or overlap.
    """
    if not isinstance(base, TransformersModel):
        raise ModelError(f"{recipe.path}: base '{recipe.base}' is not a transformers model")
    if base.lora:
        raise ModelError(f"{recipe.path}: base '{recipe.base}' is a LoRA; name its own base")
    if recipe.model == base.model:
        what = f"model '{recipe.model}' is the name of the base; the LoRA needs one of its own"
        raise SpecError(recipe.path, 0, what)
    _check_targets(recipe, base, allow_code)
    if task.output_type == "perplexity":
        raise DataError(task.path, 0, "a perplexity task has no answers to learn")
    return TrainPlan(recipe, base, task, load_splits(task), out, allow_code)


def _check_targets(recipe: RecipeSpec, base: TransformersModel, allow_code: bool) -> None:
    """The target modules exist in the base, if its weights are here; reads file headers only."""
    from safetensors import SafetensorError, safe_open

    from harness.adapters.locate import cached_snapshot, local_folder, locate_base, weight_files

    here = local_folder(base, base.base) or cached_snapshot(base.base, base.revision)
    names = recipe.lora.target_modules
    if here is None or names == ("all-linear",):
        return
    leaves: set[str] = set()
    try:
        for file in weight_files(locate_base(base, allow_code).folder):
            with safe_open(file, "pt") as tensors:
                leaves |= {key.split(".")[-2] for key in tensors.keys() if "." in key}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{base.path}: base '{base.base}': damaged weights: {error}") from None
    missing = [name for name in names if name not in leaves]
    if missing:
        known = sorted(name for name in leaves if name.endswith("proj")) or sorted(leaves)
        raise ModelError(
            f"{recipe.path}: target_modules: '{missing[0]}' is not in {base.base} "
            f"(it has {', '.join(known[:12])})"
        )


def _words(names: Sequence[str]) -> str:
    return ", ".join(names)
