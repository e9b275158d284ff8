"""`EvalCallback`: evaluated while it is trained, and trained as if it were not."""

from __future__ import annotations

import ast
import contextlib
import json
import pydoc
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from harness.adapters.live import at_rest, digest, frozen, trained, without_lora
from harness.adapters.transformers import TransformersAdapter
from harness.collect.library import Project
from harness.errors import HarnessError, ModelError, SelectionError
from harness.finetune import EvalCallback
from harness.finetune.checkpoints import find_checkpoints
from harness.results.store import read_run, whole_runs

if TYPE_CHECKING:
    from tests.conftest import UserProject

# what peft and transformers say to each other is not ours
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
BASE = Path(__file__).resolve().parents[2] / "adapters" / "tiny-llama"
TASK = """\
task: colours
version: 1
data: {path: data/colours.jsonl, fields: {input: question, target: answer}}
prompt: {template: "Question: {{ input }}\\nAnswer:"}
generate: {max_new_tokens: 4, temperature: 0.7}
score: [{metric: format, pattern: "[\\\\s\\\\S]*[a-z][\\\\s\\\\S]*"}, rouge_l, token_count]
gate:
  - {metric: format, max_drop: 0.05}
"""


@pytest.fixture
def colours(project: UserProject) -> UserProject:
    """A task that the base passes: to write any letter."""
    project.write("tasks/colours/colours.task.yaml", TASK)
    rows = [{"question": f"what colour is {n}?", "answer": "red"} for n in range(16)]
    project.write_rows("tasks/colours/data/colours.jsonl", rows)
    return project


def make_trainer(
    out: Path, *callbacks: EvalCallback, answer: str = " red.", **settings: Any
) -> Trainer:
    """A small LoRA training with dropout and gradient checkpointing."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")
    model.config.use_cache = False
    lora = LoraConfig(r=4, lora_dropout=0.2, target_modules=["q_proj", "v_proj", "down_proj"])
    model = get_peft_model(model, lora)
    model.enable_input_require_grads()
    texts = [f"Question: what colour is {n}?\nAnswer:{answer}" for n in range(8)]
    ids = [tokenizer(text, max_length=24, truncation=True)["input_ids"] for text in texts]
    length = min(map(len, ids))
    rows = [{"input_ids": row[:length], "labels": row[:length]} for row in ids]
    arguments = {
        "max_steps": 4, "save_steps": 2, "learning_rate": 1e-3, "logging_steps": 1,
        "per_device_train_batch_size": 2, "gradient_checkpointing": True, **settings,
    }  # fmt: skip
    args = TrainingArguments(
        str(out), use_cpu=True, report_to=[], disable_tqdm=True, seed=1,
        dataloader_pin_memory=False, **arguments,
    )  # fmt: skip
    data = Dataset.from_list(rows)
    return Trainer(
        model, args, train_dataset=data, processing_class=tokenizer, callbacks=list(callbacks)
    )


def losses(trainer: Trainer) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_the_training_is_the_same_with_it_and_without(colours: UserProject) -> None:
    alone = make_trainer(colours.root / "alone")
    expected = losses(alone)
    watched = make_trainer(colours.root / "watched", EvalCallback("colours"))
    assert losses(watched) == expected
    # dropout makes another chance visible: this test can fail
    torch.manual_seed(0)
    other = make_trainer(colours.root / "other")
    torch.rand(1)
    assert losses(other) != expected
    assert digest(trained(alone.model)) == digest(trained(watched.model))
    assert digest(frozen(alone.model)) == digest(frozen(watched.model))


def test_each_save_is_a_run_and_the_best_is_marked(colours: UserProject) -> None:
    trainer = make_trainer(colours.root / "out", EvalCallback("colours", limit=4))
    trainer.train()
    told = json.loads((colours.root / "out/evaluations.json").read_text())
    assert [one["step"] for one in told["evaluations"]] == [0, 2, 4]
    assert [one["model"] for one in told["evaluations"]] == [
        "out-step-0",
        "out-step-2",
        "out-step-4",
    ]
    for one in told["evaluations"]:
        run = read_run(colours.root / "runs" / one["run"])
        run.verify()
        rows = [row for row in run.metrics() if row.metric.startswith("format")]
        assert [row.value for row in rows] == [one["value"]]
        assert rows[0].n == 4
    assert (
        len(
            {
                r.manifest.models[0].fingerprint
                for r in map(read_run, whole_runs(colours.root / "runs"))
            }
        )
        == 3
    )
    best = told["best"]
    assert trainer.state.best_metric == best["value"]
    assert trainer.state.best_model_checkpoint == str(
        colours.root / f"out/checkpoint-{best['step']}"
    )
    logged = [entry for entry in trainer.state.log_history if "harness_colours_format" in entry]
    assert [entry["step"] for entry in logged] == [2, 4]


def test_a_model_that_gets_worse_is_stopped_at_the_first_failure(colours: UserProject) -> None:
    callback = EvalCallback("colours", stop=True)
    trainer = make_trainer(
        colours.root / "out", callback, answer=" 7777", learning_rate=3e-2, max_steps=30
    )
    trainer.train()
    told = json.loads((colours.root / "out/evaluations.json").read_text())
    assert told["evaluations"][0]["value"] > 0.7, "the base writes letters"
    last = told["evaluations"][-1]
    assert told["stopped"] == last["step"] == trainer.state.global_step < 30
    assert last["outcome"] == "FAIL"
    assert "it is worse" in last["gate"][0]
    assert all(one["outcome"] != "FAIL" for one in told["evaluations"][:-1])


def test_answers_never_mix_with_those_of_the_checkpoint_from_disk(colours: UserProject) -> None:
    make_trainer(colours.root / "out", EvalCallback("colours", limit=2)).train()
    told = json.loads((colours.root / "out/evaluations.json").read_text())["evaluations"]
    live = {read_run(colours.root / "runs" / e["run"]).manifest.models[0].fingerprint for e in told}
    folders = [str(path) for path in sorted((colours.root / "out").glob("checkpoint-*"))]
    found = find_checkpoints(folders, Project.here(colours.root), "tiny-llama")
    assert [one.card.model for one in found.found] == ["out-checkpoint-2", "out-checkpoint-4"]
    stored = {TransformersAdapter().fingerprint(one.card) for one in found.found}
    assert len(live | stored) == 5


class _Breaks(TrainerCallback):
    """Somebody damages the data while the model is trained."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if state.global_step == 3:
            self.file.write_text("{")


def test_an_evaluation_that_fails_does_not_end_the_training(colours: UserProject) -> None:
    callback = EvalCallback("colours", limit=2)
    trainer = make_trainer(colours.root / "out", callback)
    trainer.add_callback(_Breaks(colours.root / "tasks/colours/data/colours.jsonl"))
    trainer.train()
    told = json.loads((colours.root / "out/evaluations.json").read_text())
    assert trainer.state.global_step == 4
    assert [one["step"] for one in told["evaluations"]] == [0, 2, 4]
    assert "colours.jsonl:1" in told["evaluations"][2]["error"]
    assert callback.evaluations is not None
    assert callback.evaluations.lines()[0].startswith("step 4 was not evaluated")


def test_a_training_that_goes_on_keeps_what_it_knew(colours: UserProject) -> None:
    out = colours.root / "out"
    make_trainer(out, EvalCallback("colours", limit=4), max_steps=4).train()
    before = json.loads((out / "evaluations.json").read_text())["evaluations"]
    trainer = make_trainer(out, EvalCallback("colours", limit=4), max_steps=6)
    trainer.train(resume_from_checkpoint=str(out / "checkpoint-4"))
    after = json.loads((out / "evaluations.json").read_text())["evaluations"]
    assert [one["run"] for one in after[:3]] == [one["run"] for one in before]
    assert [one["step"] for one in after] == [0, 2, 4, 6]


def test_a_whole_model_is_compared_with_its_first_state(colours: UserProject) -> None:
    trainer = make_trainer(colours.root / "out", EvalCallback("colours", limit=4))
    whole = make_trainer(colours.root / "whole", EvalCallback("colours", limit=4))
    whole.model = whole.model_wrapped = AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")
    whole.callback_handler.model = whole.model
    trainer.train()
    whole.train()
    runs = [
        json.loads((colours.root / name / "evaluations.json").read_text())["evaluations"][0]["run"]
        for name in ("out", "whole")
    ]
    texts = [
        read_run(colours.root / "runs" / run).table("completions", ["text"]).to_pylist()
        for run in runs
    ]
    assert texts[0] == texts[1], "the LoRA switched off is the base"


def test_everything_is_put_back_even_after_an_error(colours: UserProject) -> None:
    model = make_trainer(colours.root / "out").model
    model.train()
    list(model.modules())[5].training = False
    model.gradient_checkpointing_enable()
    config = model.get_base_model().config

    def state() -> list[object]:
        flags = [(m.training, getattr(m, "gradient_checkpointing", None)) for m in model.modules()]
        wanting = [p.requires_grad for p in model.parameters()]
        buffers = [id(one) for one in model.buffers()]
        return [flags, wanting, buffers, config.use_cache, random.random(), float(np.random.rand())]

    chance = torch.get_rng_state()
    seeds = random.getstate(), np.random.get_state()
    before = state()
    random.setstate(seeds[0])
    np.random.set_state(seeds[1])
    with contextlib.suppress(RuntimeError), at_rest(model), without_lora(model):
        assert not any(module.training for module in model.modules())
        assert config.use_cache
        torch.rand(3)
        random.random()
        np.random.rand()
        raise RuntimeError
    assert state() == before
    assert torch.equal(torch.get_rng_state(), chance)


class _Spread(TrainingArguments):
    """As in the second of two processes."""

    @property
    def world_size(self) -> int:
        return 2


def test_mistakes_are_told_in_one_line(colours: UserProject) -> None:
    with pytest.raises(SelectionError, match=r"no task named 'colour' .did you mean"):
        EvalCallback("colour")
    with pytest.raises(SelectionError, match="without tasks"):
        EvalCallback([])
    with pytest.raises(SelectionError, match="limit 0: at least 1"):
        EvalCallback("colours", limit=0)
    with pytest.raises(SelectionError, match="empty name of a baseline"):
        EvalCallback("colours", baseline="")
    with pytest.raises(HarnessError, match="no run"):
        EvalCallback("colours", baseline="nobody")
    with pytest.raises(SelectionError, match="no metric 'rouge_x'"):
        EvalCallback("colours", metric="rouge_x")
    trainer = make_trainer(colours.root / "out", EvalCallback("colours"))
    trainer.callback_handler.processing_class = None
    with pytest.raises(ModelError, match="needs the trainer's processing_class"):
        trainer.train()
    spread = _Spread(str(colours.root / "two"), use_cpu=True, report_to=[])
    with pytest.raises(HarnessError, match="2 processes"):
        EvalCallback("colours").on_train_begin(spread, trainer.state, trainer.control)


def test_help_shows_an_example_that_python_reads() -> None:
    told = pydoc.render_doc(EvalCallback, renderer=pydoc.plaintext)
    example = told.partition("Example\n")[2].partition("::")[2].partition(" Parameters")[0]
    lines = [line.removeprefix(" |").strip("\n") for line in example.splitlines()]
    code = textwrap.dedent("\n".join(line.ljust(1) for line in lines))
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    assert {"EvalCallback", "Trainer", "evaluate"} <= names


def test_the_package_stays_light() -> None:
    code = (
        "import sys, harness.finetune; print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_recipe_may_ask_for_it(
    colours: UserProject, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    rows = [
        {"split": split, "question": f"{split} {n}?", "answer": "red"}
        for split in ("train", "validation", "test") for n in range(4)
    ]  # fmt: skip
    colours.write_rows("tasks/colours/data/colours.jsonl", rows)
    colours.write(
        "finetune/quick.recipe.yaml",
        "recipe: quick\nbase: tiny-llama\ntask: colours\nmodel: quick\n"
        "train: {max_steps: 2, per_device_train_batch_size: 2, save_steps: 1}\n"
        "evaluate: {tasks: [colours], metric: rouge_l}\n",
    )
    code, out, err = invoke("finetune", "quick")
    assert code == 0, err
    assert "is the best by rouge_l of colours" in out
    told = json.loads(
        (colours.root / "runs/finetune/quick/checkpoints/evaluations.json").read_text()
    )
    assert [one["model"] for one in told["evaluations"]] == [f"quick-step-{n}" for n in range(3)]
    assert invoke("show", "quick-step-2")[0] == 0


def test_a_quantized_model_learns_though_it_is_evaluated_and_validated(
    colours: UserProject, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    """bitsandbytes packs 4-bit weights on some CPUs when asked in evaluation mode, and gradients
    no longer come through."""
    rows = [
        {"split": split, "question": f"{split} {n}?", "answer": "red"}
        for split in ("train", "validation", "test") for n in range(4)
    ]  # fmt: skip
    colours.write_rows("tasks/colours/data/colours.jsonl", rows)
    ends = []
    for name, asked in (("seen", "evaluate: {tasks: [colours], limit: 1}\n"), ("alone", "")):
        colours.write(
            f"finetune/{name}.recipe.yaml",
            f"recipe: {name}\nbase: tiny-llama\ntask: colours\nmodel: {name}\nquantize: nf4\n"
            "train: {max_steps: 6, per_device_train_batch_size: 4, save_steps: 2, "
            f"gradient_checkpointing: true, learning_rate: 0.01}}\n{asked}",
        )
        code, _, err = invoke("finetune", name)
        assert code == 0, err
        curve = pq.read_table(colours.root / f"runs/finetune/{name}/curve.parquet").to_pylist()
        ends.append([row["loss"] for row in curve if row["loss"] is not None])
    assert ends[0] == ends[1]
    assert ends[0][-1] < 0.7 * ends[0][0]
