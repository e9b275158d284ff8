"""The shape of a recipe's file: PEFT's and transformers' settings, by their own names."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from harness.collect.specs import FileSpec, Name, Scalar, Spec


class LoraRecipe(Spec):
    """PEFT's LoraConfig, by its own names."""

    r: int = Field(8, gt=0)
    lora_alpha: int = Field(16, gt=0)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = ("q_proj", "v_proj")
    bias: Literal["none", "all", "lora_only"] = "none"


Scheduler = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
    "cosine_with_min_lr",
    "warmup_stable_decay",
]
Optimizer = Literal[
    "adamw_torch",
    "adamw_torch_fused",
    "adafactor",
    "sgd",
    "adamw_8bit",
    "adamw_bnb_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "lion_8bit",
    "paged_lion_8bit",
]
"""Those of transformers' names that need nothing installed beside bitsandbytes."""


OTHER_NAMES = {
    "epochs": "num_train_epochs",
    "n_epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "steps": "max_steps",
    "lr": "learning_rate",
    "scheduler": "lr_scheduler_type",
    "lr_scheduler": "lr_scheduler_type",
    "batch": "per_device_train_batch_size",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "micro_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "accumulation": "gradient_accumulation_steps",
    "accumulation_steps": "gradient_accumulation_steps",
    "grad_accum": "gradient_accumulation_steps",
    "optimizer": "optim",
    "warmup": "warmup_steps",
    "wd": "weight_decay",
    "beta1": "adam_beta1",
    "beta2": "adam_beta2",
    "clip": "max_grad_norm",
    "grad_clip": "max_grad_norm",
    "max_seq_length": "max_length",
    "seq_length": "max_length",
    "sequence_len": "max_length",
    "cutoff_len": "max_length",
    "checkpoint_steps": "save_steps",
    "load_best": "load_best_model_at_end",
}
"""What other programs call transformers' settings, too far from them to be taken for a slip."""


class TrainRecipe(Spec):
    """transformers' TrainingArguments, by their own names."""

    num_train_epochs: float = Field(3, gt=0)
    max_steps: int = Field(-1, description="if positive, instead of num_train_epochs")
    per_device_train_batch_size: int = Field(1, gt=0)
    per_device_eval_batch_size: int = Field(8, gt=0)
    gradient_accumulation_steps: int = Field(1, gt=0)
    gradient_checkpointing: bool = False
    learning_rate: float = Field(2e-4, gt=0, le=1)
    lr_scheduler_type: Scheduler = "cosine"
    lr_scheduler_kwargs: dict[str, Scalar] = Field(default_factory=dict)
    warmup_steps: int = Field(0, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    optim: Optimizer = "adamw_torch"
    max_length: int = Field(512, gt=0)
    eval_steps: int | None = Field(None, gt=0, description="default: once an epoch")
    save_steps: int | None = Field(None, gt=0, description="default: once an epoch")
    save_total_limit: int = Field(2, gt=0)
    load_best_model_at_end: bool = False

    @model_validator(mode="wrap")
    @classmethod
    def _other_names(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """An unknown key that another program knows is told with its name here."""
        try:
            return handler(data)
        except ValidationError as error:
            told = [_renamed(each) for each in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, told) from None


def _renamed(error: ErrorDetails) -> InitErrorDetails:
    """The same error again; an unknown key that has another name here, with that name."""
    kind: str | PydanticCustomError = error["type"]
    context = error.get("ctx", {})
    key = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden" and key in OTHER_NAMES:
        what = f"unknown key '{key}' (did you mean '{OTHER_NAMES[key]}'?)"
        kind, context = PydanticCustomError("value_error", "{error}", {"error": what}), {}
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)


class EvaluateRecipe(Spec):
    """What a model is asked at every checkpoint of its training."""

    tasks: tuple[str, ...] = Field(min_length=1, description="tasks, by name or file")
    metric: str | None = Field(None, description="names the best; default: of the first gate")
    limit: int | None = Field(None, gt=0, description="at most so many samples a task")
    stop: bool = Field(False, description="end the training at the first gate that fails")


class RecipeSpec(FileSpec):
    """How a LoRA is made: a base card, a task's train split, and the settings."""

    recipe: Name
    description: str = ""
    base: str = Field(description="model card to start from")
    task: str = Field(description="task whose train split and prompt are used")
    model: Name = Field(description="name of the model card that is written at the end")
    quantize: Literal["none", "int8", "nf4"] = Field(
        "none", description="weights of the base; nf4 is with double quantization"
    )
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    seed: int = Field(0, ge=0, lt=2**32)
    lora: LoraRecipe = LoraRecipe()
    train: TrainRecipe = TrainRecipe()
    evaluate: EvaluateRecipe | None = None
