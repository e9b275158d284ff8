"""A plan to a LoRA: TRL's SFTTrainer on rows that we tokenised, checkpoints, curve, model card.

The folder is resumable: a training that was killed goes on from its last checkpoint. That is not
bit-exact (the random state of dropout and the order of rows are restored, the last digits of the
optimizer's are not; measured: losses differ by up to 0.002).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.load import choose_device, load_model, quiet
from harness.adapters.locate import locate_base
from harness.adapters.tokenizer import TextTokenizer, encode_pair, load_tokenizer
from harness.collect.specs import TransformersModel
from harness.collect.yamlio import Value, dump
from harness.errors import ModelError, StoreError
from harness.finetune.curve import CurvePoint, points_of, write_curve
from harness.finetune.data import TrainRow, make_rows
from harness.finetune.plan import TrainPlan
from harness.records import Request

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from trl import SFTConfig, SFTTrainer

Listener = Callable[[CurvePoint, int], None]
"""Told of every logged point and the number of steps in all."""


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    card: Path
    points: tuple[CurvePoint, ...]
    seconds: float
    cut: int
    """Rows that were longer than max_length and lost their end."""
    resumed: bool = False
    known: bool = False
    """True if the same training was finished before, and nothing was done."""


@dataclass(frozen=True)
class _PairEncoder:
    tokenizer: TextTokenizer

    def encode_pair(self, request: Request) -> tuple[list[int], list[int]]:
        chat = not isinstance(request.prompt, str)
        text = request.prompt if isinstance(request.prompt, str) else self._chat(request)
        context, answers = encode_pair(self.tokenizer, text, request.continuations, chat)
        return context, answers[0]

    def _chat(self, request: Request) -> str:
        try:
            return self.tokenizer.render([m for m in request.prompt if not isinstance(m, str)])
        except ValueError as error:
            raise ModelError(str(error)) from None


def train(plan: TrainPlan, listen: Listener, *, fresh: bool = False) -> Trained:
    """Train, or go on with a training, or say that it is done already.

    Raises ModelError if the base cannot be loaded or the LoRA's targets are not in it, StoreError
    if the folder holds another recipe's training.
    """
    started = _prepare(plan, fresh)
    if plan.card.exists():
        return Trained(plan.card, (), 0.0, 0, known=True)
    tokenizer = load_tokenizer(plan.base, locate_base(plan.base, plan.allow_code).folder, None)
    eos = tokenizer.id_of("eos_token")
    if eos is None:
        raise ModelError(f"{plan.base.path}: the tokenizer has no EOS token to learn to stop with")
    encoder, limit = _PairEncoder(tokenizer), plan.recipe.train.max_length
    rows, cut = make_rows(plan.task, plan.splits.train, encoder, eos, limit)
    watched, _ = make_rows(plan.task, plan.splits.validation, encoder, eos, limit)
    with quiet(), _no_bars():
        trainer = _trainer(plan, rows, watched, listen)
        result = trainer.train(resume_from_checkpoint=started)
        _save(plan, trainer)
    points = tuple(points_of(trainer.state.log_history))
    write_curve(points, plan.out)
    _write_card(plan)
    seconds = float(result.metrics["train_runtime"])
    return Trained(plan.card, points, seconds, cut, resumed=started is not None)


def _prepare(plan: TrainPlan, fresh: bool) -> str | None:
    """Make or check the folder; the last checkpoint to go on from, if there is one."""
    note = plan.out / "recipe.json"
    try:
        if fresh and plan.out.exists():
            shutil.rmtree(plan.out)
        plan.out.mkdir(parents=True, exist_ok=True)
        if note.exists():
            known = json.loads(note.read_text(encoding="utf-8")).get("fingerprint")
            if known != plan.fingerprint():
                raise StoreError(
                    f"{plan.out} holds a training by another recipe, prompt or data; "
                    "--fresh replaces it, --out trains elsewhere"
                )
        else:
            body = {"fingerprint": plan.fingerprint(), "recipe": plan.recipe.recipe}
            note.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot use {plan.out}: {error}") from None
    return _last_checkpoint(plan.out / "checkpoints")


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that is whole: the trainer writes its state last."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").exists()]
    newest = max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return None if newest is None else str(newest)


def count_tokens(plan: TrainPlan) -> tuple[int, int]:
    """Longest row and sum of the train split in tokens; raises ModelError without a tokenizer."""
    tokenizer = load_tokenizer(plan.base, locate_base(plan.base, plan.allow_code).folder, None)
    rows, _ = make_rows(plan.task, plan.splits.train, _PairEncoder(tokenizer), 0, 1 << 30)
    lengths = [len(row.input_ids) for row in rows]
    return max(lengths), sum(lengths)


# --------------------------------------------------------------------------- the trainer


def _trainer(
    plan: TrainPlan, rows: Sequence[TrainRow], watched: Sequence[TrainRow], listen: Listener
) -> SFTTrainer:
    import torch
    from datasets import Dataset
    from transformers import set_seed
    from trl import SFTTrainer

    set_seed(plan.recipe.seed)
    model, tokenizer = _base_for_training(plan)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(plan, bool(watched)),
        train_dataset=Dataset.from_list([_columns(row) for row in rows]),
        eval_dataset=Dataset.from_list([_columns(row) for row in watched]) if watched else None,
        processing_class=tokenizer,
        peft_config=_lora_config(plan),
        callbacks=[_callback(listen)],
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


def _arguments(plan: TrainPlan, watched: bool) -> SFTConfig:
    from trl import SFTConfig

    train, dtype = plan.recipe.train, compute_dtype(plan)
    every = plan.steps_per_epoch
    names = set(type(train).model_fields) - {"eval_steps", "save_steps", "lr_scheduler_kwargs"}
    same = {name: getattr(train, name) for name in names}
    return SFTConfig(
        **same,
        output_dir=str(plan.out / "checkpoints"),
        lr_scheduler_kwargs=dict(train.lr_scheduler_kwargs),
        use_cpu=on_cpu(plan),
        fp16=dtype == "float16",
        bf16=dtype == "bfloat16",
        seed=plan.recipe.seed,
        data_seed=plan.recipe.seed,
        completion_only_loss=True,
        eval_strategy="steps" if watched else "no",
        eval_steps=train.eval_steps or every,
        save_strategy="steps",
        save_steps=train.save_steps or train.eval_steps or every,
        logging_steps=max(1, every // 4),
        logging_first_step=True,
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
        """Hands every logged point on."""

        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            for point in points_of(state.log_history[-1:]):
                listen(point, state.max_steps)

    return Tell()


def _drop_printers(trainer: SFTTrainer) -> None:
    """The trainer prints its logs as dictionaries; ours are told by `listen`."""
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    for kind in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(kind)


# --------------------------------------------------------------------------- what is left behind


def _save(plan: TrainPlan, trainer: SFTTrainer) -> None:
    """The adapter under its final name only when it is whole."""
    fresh = plan.out / ".adapter.tmp"
    trainer.model.save_pretrained(str(fresh))
    if plan.adapter.exists():
        shutil.rmtree(plan.adapter)
    fresh.rename(plan.adapter)


def _write_card(plan: TrainPlan) -> None:
    recipe, base = plan.recipe, plan.base
    card: dict[str, Value] = {
        "model": recipe.model,
        "description": f"{base.model} with a LoRA from the recipe {recipe.recipe}.",
        "tags": ["lora"] if recipe.quantize == "none" else ["lora", recipe.quantize],
        "adapter": "transformers",
        "base": _base_reference(base, plan.out),
        "revision": base.revision,
        "lora": "./adapter",
        "quantize": recipe.quantize,
        "dtype": compute_dtype(plan),
        "baseline": base.model,
    }
    if base.licence:
        card["licence"] = base.licence
    if base.family:
        card["family"] = base.family
    if base.chat_template:
        card["chat_template"] = base.chat_template
    text = f"# Written by `harness finetune {recipe.recipe}`.\n{dump(card)}"
    temporary = plan.card.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(plan.card)


def _base_reference(base: TransformersModel, out: Path) -> str:
    """The base as seen from the new card: a path if it is a folder, else its hub id."""
    from harness.adapters.locate import local_folder

    folder = local_folder(base, base.base)
    if folder is None:
        return base.base
    folder, here = folder.resolve(), out.resolve()
    if folder.is_relative_to(base.root.resolve()) and here.is_relative_to(base.root.resolve()):
        return Path(os.path.relpath(folder, here)).as_posix()
    return folder.as_posix()
