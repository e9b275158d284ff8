"""A plan to a LoRA: TRL's SFTTrainer on rows that we tokenised, checkpoints, curve, model card.

The folder is resumable: a training that was killed goes on from its last checkpoint. That is not
bit-exact (the random state of dropout and the order of rows are restored, the last digits of the
optimizer's are not; measured: losses differ by up to 0.002).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.live import PACKS
from harness.adapters.load import choose_device, load_model, quiet
from harness.adapters.locate import local_folder, locate_base
from harness.collect.library import is_path, project_root
from harness.collect.specs import TransformersModel
from harness.collect.yamlio import Value, dump
from harness.errors import SpecError
from harness.finetune.curve import CurvePoint, points_of, write_curve
from harness.finetune.data import TrainRow, line_of
from harness.finetune.folder import begin, check_space, finish, told_in_one_line
from harness.finetune.plan import TrainPlan
from harness.finetune.tokens import with_rows
from harness.finetune.verdict import Diverged, is_finite, rise

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from trl import SFTConfig, SFTTrainer

Listener = Callable[[CurvePoint, int], None]
"""Told of every logged point and the number of steps in all."""


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    card: Path
    points: tuple[CurvePoint, ...] = ()
    seconds: float = 0.0
    resumed: bool = False
    known: bool = False
    """True if the same training was finished before, and nothing was done."""
    rise: str | None = None
    """How the loss rose, if it did."""


def train(
    plan: TrainPlan,
    listen: Listener,
    *,
    fresh: bool = False,
    note: Callable[[str], None] = lambda line: None,
) -> Trained:
    """Train, or go on with a training, or say that it is done already.

    What was finished before in the same folder stays until the new model is whole; ``note`` is
    told what a user should know meanwhile. Raises ModelError if the base cannot be loaded,
    Diverged if the loss is no number, StoreError if the folder holds another recipe's training or
    cannot be written, Interrupted if the disk is full.
    """
    start = begin(plan, fresh)
    if start.known:
        return Trained(plan.card, known=True)
    for line in start.notes:
        note(line)
    plan = plan if plan.rows else with_rows(plan)
    with quiet(), _no_bars(), told_in_one_line(plan, fresh):
        trainer = _trainer(plan, listen, anew=start.checkpoint is None)
        check_space(plan, sum(p.numel() for p in trainer.model.parameters() if p.requires_grad))
        checkpoint = None if start.checkpoint is None else str(start.checkpoint)
        result = trainer.train(resume_from_checkpoint=checkpoint)
        points = tuple(points_of(trainer.state.log_history))
        _check_finite(plan, points, trainer)
        worse = rise(points, best=plan.recipe.train.load_best_model_at_end)
        _tell_best(trainer, note)
        trainer.model.save_pretrained(str(plan.work / plan.adapter.name))
        write_curve(points, plan.work)
        _write_card(plan, worse)
        finish(plan)
    seconds = float(result.metrics["train_runtime"])
    return Trained(plan.card, points, seconds, start.checkpoint is not None, rise=worse)


def _check_finite(plan: TrainPlan, points: Sequence[CurvePoint], trainer: SFTTrainer) -> None:
    """Raises Diverged, and leaves nothing to go on from, if the losses or weights are no numbers.

    A step before the first bad one may be good, but going on from it would end as this did.
    """
    bad = next((point.step for point in points if not is_finite(point)), None)
    weights = (p for p in trainer.model.parameters() if p.requires_grad)
    if bad is None and all(bool(p.isfinite().all()) for p in weights):
        return
    shutil.rmtree(plan.work)
    when = "at the end" if bad is None else f"at step {bad}"
    line = line_of(plan.recipe, ("train", "learning_rate"))
    where = SpecError(plan.recipe.path, line, f"the loss is no longer a number {when}")
    raise Diverged(f"{where}: no model was written (try a smaller learning_rate)")


# --------------------------------------------------------------------------- the trainer


def _trainer(plan: TrainPlan, listen: Listener, *, anew: bool) -> SFTTrainer:
    import torch
    from datasets import Dataset
    from transformers import set_seed
    from trl import SFTTrainer

    set_seed(plan.recipe.seed)
    rows: Sequence[TrainRow] = plan.rows.train.rows if plan.rows else ()
    watched: Sequence[TrainRow] = plan.rows.validation.rows if plan.rows else ()
    model, tokenizer = _base_for_training(plan)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(plan, watched=bool(watched), anew=anew),
        train_dataset=Dataset.from_list([_columns(row) for row in rows]),
        eval_dataset=Dataset.from_list([_columns(row) for row in watched]) if watched else None,
        processing_class=tokenizer,
        peft_config=_lora_config(plan),
        callbacks=[_callback(listen), *_evaluation(plan)],
    )
    for name, parameter in trainer.model.named_parameters():
        # TRL casts a QLoRA's adapters to bf16, and a resumed run loads them as fp32: train both
        # in fp32, so that going on is nearly the same as never having stopped
        if parameter.requires_grad and "lora" in name:
            parameter.data = parameter.data.to(torch.float32)
    _drop_printers(trainer)
    return trainer


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """The bars that `datasets` draws for a hundred rows tell nobody anything."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _base_for_training(plan: TrainPlan) -> tuple[PreTrainedModel, Any]:
    from harness.adapters.tokenizer import auto_tokenizer

    card = plan.base.model_copy(
        update={"quantize": plan.recipe.quantize, "dtype": compute_dtype(plan)}
    )
    folder = locate_base(card, plan.allow_code).folder
    model = load_model(card, folder)
    model.config.use_cache = False
    for module in model.modules():
        if hasattr(module, PACKS):  # the first validation would end the training in silence
            setattr(module, PACKS, False)
    tokenizer = auto_tokenizer(card, folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding is masked, so EOS is still learnt
    return model, tokenizer


def compute_dtype(plan: TrainPlan) -> str:
    """The recipe's dtype, or bfloat16 where float16 cannot train: on a CPU."""
    return "bfloat16" if plan.recipe.dtype == "float16" and on_cpu(plan) else plan.recipe.dtype


def on_cpu(plan: TrainPlan) -> bool:
    """Whether the base card's device is the CPU on this machine."""
    return bool(choose_device(plan.base).type == "cpu")


def _arguments(plan: TrainPlan, *, watched: bool, anew: bool) -> SFTConfig:
    from trl import SFTConfig

    train, dtype = plan.recipe.train, compute_dtype(plan)
    names = set(type(train).model_fields) - {"eval_steps", "save_steps", "lr_scheduler_kwargs"}
    same = {name: getattr(train, name) for name in names}
    return SFTConfig(
        **same,
        output_dir=str(plan.work / "checkpoints"),
        lr_scheduler_kwargs=dict(train.lr_scheduler_kwargs),
        use_cpu=on_cpu(plan),
        fp16=dtype == "float16",
        bf16=dtype == "bfloat16",
        seed=plan.recipe.seed,
        data_seed=plan.recipe.seed,
        completion_only_loss=True,
        eval_strategy="steps" if watched else "no",
        eval_steps=plan.eval_steps,
        eval_on_start=watched and anew,  # the loss before training, to compare the end with
        save_strategy="steps",
        save_steps=plan.save_steps,
        logging_steps=max(1, plan.steps_per_epoch // 4),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would log a NaN as the mean of what was before
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _lora_config(plan: TrainPlan) -> Any:
    from peft import LoraConfig

    lora = plan.recipe.lora
    names = list(lora.target_modules)
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules="all-linear" if names == ["all-linear"] else names,
        bias=lora.bias,
        task_type="CAUSAL_LM",
    )


def _columns(row: TrainRow) -> dict[str, list[int]]:
    return {"input_ids": row.input_ids, "completion_mask": row.completion_mask}


def _callback(listen: Listener) -> Any:
    from transformers import TrainerCallback

    class Tell(TrainerCallback):  # type: ignore[misc]
        """Hands every logged point on; stops where the loss is no number."""

        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            for point in points_of(state.log_history[-1:]):
                listen(point, state.max_steps)
                if not is_finite(point):
                    control.should_training_stop = True

    return Tell()


def _evaluation(plan: TrainPlan) -> list[Any]:
    """The recipe's `evaluate`, if there is one."""
    asked = plan.recipe.evaluate
    if asked is None:
        return []
    from harness.finetune.callback import EvalCallback

    return [
        EvalCallback(
            asked.tasks,
            metric=asked.metric,
            stop=asked.stop,
            limit=asked.limit,
            project=plan.recipe.root,
        )
    ]


def _tell_best(trainer: SFTTrainer, note: Callable[[str], None]) -> None:
    """Which checkpoint did best, if they were evaluated; and whether that ended the training."""
    from harness.finetune.evaluations import Evaluations

    known = [getattr(one, "evaluations", None) for one in trainer.callback_handler.callbacks]
    for found in known:
        if isinstance(found, Evaluations):
            for line in found.lines():
                note(line)


def _drop_printers(trainer: SFTTrainer) -> None:
    """The trainer prints its logs as dictionaries; ours are told by `listen`."""
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    for kind in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(kind)


# --------------------------------------------------------------------------- what is left behind


def _write_card(plan: TrainPlan, worse: str | None) -> None:
    recipe, base = plan.recipe, plan.base
    card: dict[str, Value] = {
        "model": recipe.model,
        "description": _description(plan, worse),
        "tags": ["lora"] if recipe.quantize == "none" else ["lora", recipe.quantize],
        "adapter": "transformers",
        "base": _base_reference(base, plan.out),
        "revision": base.revision,
        "lora": "./adapter",
        "quantize": recipe.quantize,
        "dtype": compute_dtype(plan),
    }
    if not is_path(recipe.base):  # else no library knows the base by its name
        card["baseline"] = base.model
    if base.licence:
        card["licence"] = base.licence
    if base.family:
        card["family"] = base.family
    if base.chat_template:
        card["chat_template"] = base.chat_template
    text = f"# Written by `harness finetune {recipe.recipe}`.\n{dump(card)}"
    (plan.work / plan.card.name).write_text(text, encoding="utf-8")


def _description(plan: TrainPlan, worse: str | None) -> str:
    """Where the model comes from, and what a reader of its scores should know."""
    words = [f"{plan.base.model} with a LoRA from the recipe {plan.recipe.recipe}."]
    if plan.rows and plan.rows.train.lost:
        lost, limit = plan.rows.train.lost, plan.recipe.train.max_length
        whole = lost + len(plan.rows.train.rows)
        words.append(f"{lost} of {whole} train rows lost their whole answer to max_length {limit}")
        words[-1] += " and were not trained."
    if worse:
        words.append(f"In training its {worse}.")
    return " ".join(words)


def _base_reference(base: TransformersModel, out: Path) -> str:
    """The base as seen from the new card: a path if it is a folder, else its hub id.

    The path is relative, and survives a move, where both lie in one project.
    """
    folder = local_folder(base, base.base)
    if folder is None:
        return base.base
    folder, here = folder.resolve(), out.resolve()
    for root in (base.root.resolve(), project_root(here)):
        if folder.is_relative_to(root) and here.is_relative_to(root):
            path = Path(os.path.relpath(folder, here)).as_posix()
            return path if path.startswith("..") else f"./{path}"
    return folder.as_posix()
