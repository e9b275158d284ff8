"""`EvalCallback`: a model is evaluated while it is trained, on the tasks it will be judged by."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

# the class below is one of transformers': this module is imported by those who train only
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.live import (
    LiveAdapter,
    at_rest,
    digest,
    frozen,
    has_lora,
    inner_model,
    trained,
    without_lora,
)
from harness.collect.appoint import appoint
from harness.collect.gated import check_metric, with_asked_for
from harness.collect.library import Project
from harness.collect.plan import make_plan
from harness.collect.specs import ModelSpec, TaskSpec, TransformersModel
from harness.collect.tree import collect
from harness.errors import HarnessError, Interrupted, ModelError, SelectionError
from harness.finetune.checkpoints import training_name
from harness.finetune.evaluations import Evaluations, Question
from harness.judges.judge import Judge
from harness.judges.prices import PriceTable
from harness.records import Completion, Verdict
from harness.results.baseline import find_references
from harness.results.pairs import Side
from harness.results.store import read_run, write_run
from harness.runner.generate import Memory
from harness.runner.pipeline import Options, run
from harness.runner.work import Asking, make_work

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from harness.media.source import MediaSource


class EvalCallback(TrainerCallback):  # type: ignore[misc]
    r"""Evaluates the model in training whenever it is saved, in memory, and marks the best.

    Example
    -------
    In a script of your own, in a project that has `tasks/` (or with ``project=``)::

        from transformers import Trainer, TrainingArguments
        from harness.finetune import EvalCallback

        evaluate = EvalCallback("my_task", metric="exact_match", limit=200, stop=True)
        trainer = Trainer(
            model=model,
            args=TrainingArguments("out", save_strategy="steps", save_steps=100),
            train_dataset=rows,
            processing_class=tokenizer,
            callbacks=[evaluate],
        )
        trainer.train()
        print(*evaluate.evaluations.lines(), sep="\n")

    Parameters
    ----------
    tasks: names or paths of tasks, as after `harness run`.
    metric: what names the best; else the first line's of the tasks' gates, else the first scored.
    baseline: whom gates compare with, as after `harness gate --baseline`; else the model before
        its first step, with the LoRA switched off.
    stop: end the training as soon as a checkpoint is shown to be worse than a gate allows. All
        checkpoints that this training will save share one correction for chance (Holm).
    limit: at most so many samples of each task.
    project: the folder of tasks and runs; else the project around the present folder.

    Each evaluation is a run below ``runs/``, under the name ``<training>-step-<step>``; values and
    rulings stand in ``evaluations.json`` in the training's output folder and in the trainer's
    ``log_history``. ``state.best_metric`` and ``state.best_model_checkpoint`` are set unless the
    trainer sets them itself (``metric_for_best_model``, ``load_best_model_at_end``). The training
    is the same with it and without: random numbers, modes and weights are put back.

    Raises HarnessError: at once for tasks, metrics and baselines that do not exist, at the
    training's begin for more than one process, a trainer without a tokenizer, or a base that
    cannot be evaluated. Later, an evaluation that fails is noted and the training goes on.
    """

    def __init__(
        self,
        tasks: str | Sequence[str],
        *,
        metric: str | None = None,
        baseline: str | Sequence[str] | None = None,
        stop: bool = False,
        limit: int | None = None,
        project: str | Path | None = None,
    ) -> None:
        here = Project.here(None if project is None else Path(project))
        words = [tasks] if isinstance(tasks, str) else list(tasks)
        named = [baseline] if isinstance(baseline, str) else list(baseline or ())
        if limit is not None and limit < 1:
            raise SelectionError(f"limit {limit}: at least 1")
        self.question = Question(
            here, _tasks(words, metric or "", here), metric or "", named, limit
        )
        find_references(here.root, self.question.runs, named).check()
        self.stop = stop
        self.evaluations: Evaluations | None = None
        self._asker: _Asker | None = None

    # ----------------------------------------------------------------- hooks of the trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Measure the base, if nobody else is compared with."""
        _refuse_several(args)
        tokenizer = given.get("processing_class")
        if not callable(getattr(tokenizer, "encode", None)):
            raise ModelError("EvalCallback needs the trainer's processing_class: a tokenizer")
        model, folder = given["model"], Path(args.output_dir)
        self.evaluations = Evaluations.resumed(self.question, folder, state.global_step)
        self._asker = _Asker(self.question, training_name(folder), tokenizer)
        if self.question.baselines or 0 in self.evaluations.runs:
            return
        if state.global_step > 0 and not has_lora(model):
            raise ModelError(
                "EvalCallback cannot go on: the run of the model before its first step is gone, "
                "and its weights are too; name a baseline"
            )
        with at_rest(model), without_lora(model):
            self.evaluations.add(0, self._asker.ask(model, 0))
        self.evaluations.write(_planned(args, state))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Measure the model as it was just saved."""
        found, step = self.evaluations, int(state.global_step)
        if found is None or self._asker is None or step in found.runs:
            return
        try:
            with at_rest(given["model"]):
                found.add(step, self._asker.ask(given["model"], step))
        except HarnessError as error:
            _raise_if_stopped(error)
            found.runs.pop(step, None)
            found.errors[step] = str(error)
        planned = _planned(args, state)
        if self.stop and any(one.outcome == "FAIL" for one in found.rulings(planned)):
            found.stopped = step
            control.should_training_stop = True
        found.write(planned)
        self._tell(found, step, args, state)

    # ----------------------------------------------------------------- what is told

    def _tell(
        self, found: Evaluations, step: int, args: TrainingArguments, state: TrainerState
    ) -> None:
        if step in found.runs and found.measure is not None:
            name = re.sub(r"\W+", "_", f"harness_{found.measure.task}_{found.measure.metric}")
            value = found.point(step).value
            state.log_history.append({"step": step, "epoch": state.epoch, name.strip("_"): value})
        best = found.best
        if best is not None and args.metric_for_best_model is None:
            place = Path(args.output_dir) / f"checkpoint-{best.step}"
            state.best_metric, state.best_global_step = best.value, best.step
            state.best_model_checkpoint = str(place) if place.is_dir() else None


def _tasks(words: Sequence[str], metric: str, project: Project) -> list[TaskSpec]:
    """The tasks that are named and those that their gates ask for."""
    if not any(words):
        raise SelectionError("EvalCallback without tasks: name one")
    tasks = collect(words, project).check().tasks
    if not tasks:
        raise SelectionError(f"{' '.join(words)}: no task")
    check_metric(metric, tasks)
    return with_asked_for(tasks, project)


def _refuse_several(args: TrainingArguments) -> None:
    """Every process would have to answer, and none has the whole model."""
    spread = args.world_size > 1 or bool(args.deepspeed) or bool(args.fsdp)
    if spread:
        raise SelectionError(
            f"EvalCallback works in one process that has the whole model ({args.world_size} "
            "processes, or FSDP or DeepSpeed): use 'harness gate --checkpoints' afterwards"
        )


def _raise_if_stopped(error: HarnessError) -> None:
    """Ctrl-C ends the training, too."""
    if isinstance(error, Interrupted) and isinstance(error.__context__, KeyboardInterrupt):
        raise KeyboardInterrupt from None


def _planned(args: TrainingArguments, state: TrainerState) -> int:
    """How often this training will be saved in all; 0 if nobody can say."""
    strategy = str(getattr(args.save_strategy, "value", args.save_strategy))
    if strategy == "steps" and state.save_steps:
        count: float = state.max_steps / state.save_steps
        return math.ceil(count)
    epochs: float = state.num_train_epochs if strategy == "epoch" else 0
    return math.ceil(epochs)


# --------------------------------------------------------------------------- asking


@dataclass(frozen=True)
class _LiveMemory(Memory):
    """A run's memory that knows one model which is not to be loaded."""

    live: LiveAdapter | None = None
    name: str = ""

    def open(self, models: Sequence[ModelSpec], media: MediaSource | None = None) -> CachedAdapter:
        """The live model's adapter, or another's (a judge's)."""
        if self.live is None or [model.model for model in models] != [self.name]:
            return super().open(models, media)
        return CachedAdapter(self.live, self.cache, fresh=self.fresh)


class _Asker:
    """Asks the model as it is and stores a run."""

    def __init__(
        self, question: Question, training: str, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self._question, self._training = question, training
        self._tokenizer = tokenizer
        self._frozen = ""

    def ask(self, model: torch.nn.Module, step: int) -> Side:
        """The run of a model that is ``at_rest``; step 0 is the base, its LoRA switched off."""
        project, root = self._question.project, self._question.project.root
        card = self._card(model, step)
        cells = make_plan(self._question.tasks, [card])
        prices = PriceTable.of(root)
        appointed = appoint(self._question.tasks, project)
        judges = {name: Judge.of(one.spec, one.models, prices) for name, one in appointed.items()}
        works = make_work(cells, Asking(self._question.limit), judges)
        with contextlib.closing(Cache(root / ".harness" / "cache.sqlite")) as cache:
            live = LiveAdapter(model, self._tokenizer, self._weights(model, step))
            memory = _LiveMemory(cache, live=live, name=card.model)
            words = {"tasks": " ".join(task.task for task in self._question.tasks)}
            words |= {"limit": str(self._question.limit)} if self._question.limit else {}
            done = run(works, Options(memory, root, settings=words), _Silent())
        return Side(read_run(write_run(self._question.runs, done)), card.model)

    def _weights(self, model: torch.nn.Module, step: int) -> str:
        """What the weights are; those that stay are looked at once.

        With the LoRA switched off nothing requires gradients, and its own weights do not count.
        """
        if not self._frozen:
            base = [(name, one) for name, one in frozen(model) if "lora_" not in name]
            self._frozen = digest(base)
        if step == 0 and has_lora(model):
            return self._frozen
        return f"{self._frozen} {digest(trained(model))}"

    def _card(self, model: torch.nn.Module, step: int) -> TransformersModel:
        network = inner_model(model)
        dtype = str(network.dtype).removeprefix("torch.")
        named = str(getattr(network.config, "name_or_path", "") or network.config.model_type)
        card = TransformersModel(
            model=f"{self._training}-step-{step}",
            description=f"{self._training}, asked in training at step {step}.",
            adapter="transformers",
            base=Path(named).name,
            tags=("live",),
            dtype=dtype if dtype in ("float32", "float16", "bfloat16") else "auto",
            device=str(network.device),
        )
        text = f"# {card.model}: a model in training on {Path(named).name}, asked in memory\n"
        card.located(self._question.project.root / "in-training", text, self._question.project.root)
        return card


class _Silent:
    """Progress of which nobody is told: the trainer's own is on the screen."""

    def start(self, model: str, total: int) -> None:
        """Nothing."""

    def advance(self, batch: Sequence[Completion], cached: bool) -> None:
        """Nothing."""

    def finish(self, notes: Sequence[str]) -> None:
        """Nothing."""

    def judged(self, judge: str, verdict: Verdict, total: int) -> None:
        """Nothing."""

    def judges_done(self, notes: Sequence[str]) -> None:
        """Nothing."""
