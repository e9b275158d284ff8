"""Recipes that really train: rows as evaluation tokenises them, a LoRA, a curve, a model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pyarrow.parquet as pq
import pytest

from harness.adapters.prompts import Reader
from harness.adapters.tokenizer import load_tokenizer
from harness.collect.library import Project
from harness.collect.recipe_spec import Optimizer, Scheduler
from harness.collect.specs import TransformersModel
from harness.errors import DataError, StoreError
from harness.finetune.data import load_splits, make_rows
from harness.finetune.tokens import PairEncoder
from harness.finetune.train import train
from harness.runner.work import Asking, make_work

if TYPE_CHECKING:
    from tests.conftest import UserProject
    from tests.finetune.conftest import Colours

ROOT = Path(__file__).resolve().parents[2]


def test_training_sees_the_tokens_that_evaluation_asks_with(colours: Colours) -> None:
    """The prompt object is one and the same, and so are the ids: BOS once, same boundary."""
    plan = colours.plan()
    tokenizer = load_tokenizer(plan.base, ROOT / "adapters" / "tiny-llama", None)
    eos = tokenizer.id_of("eos_token")
    assert eos is not None
    made = make_rows(plan.task, plan.splits.validation, PairEncoder(tokenizer), eos, 512)
    assert (made.cut, made.lost) == (0, 0)

    here = Project.here(colours.root)
    task = plan.task.model_copy(
        update={"data": plan.task.data.model_copy(update={"split": "validation"})}
    )
    from harness.collect.plan import make_plan as make_cells

    (work,) = make_work(make_cells([task], [here.get_model("tiny-llama")]), Asking())
    asked = list(Reader(tokenizer, 512).read(work.requests))
    for row, item in zip(made.rows, asked, strict=True):
        context = [token for token, mask in zip(*_columns(row), strict=True) if not mask]
        answer = [token for token, mask in zip(*_columns(row), strict=True) if mask]
        assert context == list(item.ids)  # type: ignore[union-attr]
        assert answer[-1] == eos
        assert tokenizer.decode(answer[:-1]).strip() in ("red.", "green.", "blue.")


def _columns(row: object) -> tuple[list[int], list[int]]:
    return row.input_ids, row.completion_mask  # type: ignore[attr-defined]


def test_a_choice_is_taught_as_it_will_be_asked(colours: Colours) -> None:
    project = colours.project
    body = (colours.root / "tasks/colours/colours.task.yaml").read_text(encoding="utf-8")
    body = body.replace("answer}}", "answer, choices: options}}").replace(
        "score: [exact_match, rouge_l]", "output_type: choices\nchoices: text\nscore: [choice]"
    )
    project.write("tasks/colours/colours.task.yaml", body)
    rows = [
        {"split": s, "question": f"{s}?", "answer": "B", "options": ["red.", "blue."]}
        for s in ("train", "validation", "test")
    ]
    project.write_rows("tasks/colours/data/colours.jsonl", rows)
    plan = colours.plan()
    tokenizer = load_tokenizer(plan.base, ROOT / "adapters" / "tiny-llama", None)
    (row,) = make_rows(plan.task, plan.splits.train, PairEncoder(tokenizer), 1, 512).rows
    answer = [i for i, mask in zip(row.input_ids, row.completion_mask, strict=True) if mask]
    assert tokenizer.decode(answer[:-1]).strip() == "blue."


def test_a_recipe_trains_writes_a_card_and_the_card_runs(
    colours: Colours, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = invoke("finetune", "quick")
    assert code == 0, err
    folder = colours.root / "runs/finetune/quick"
    curve = pq.read_table(folder / "curve.parquet").to_pylist()
    losses = [row["loss"] for row in curve if row["loss"] is not None]
    assert losses[-1] < losses[0]
    assert any(row["eval_loss"] is not None for row in curve)
    assert (folder / "curve.svg").read_text(encoding="utf-8").startswith("<svg")
    config = json.loads((folder / "adapter/adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], set(config["target_modules"])) == (
        4, 8, {"q_proj", "v_proj"},
    )  # fmt: skip

    code, out, err = invoke("run", "colours", "-m", "tiny-llama,quick")
    assert code == 0, err
    code, out, err = invoke("compare", "tiny-llama", "quick")
    assert code == 0, err
    assert "rouge_l" in out

    code, out, _ = invoke("finetune", "quick")
    assert code == 0
    assert "already trained" in out


def test_the_same_seed_gives_the_same_lora(colours: Colours) -> None:
    from safetensors.numpy import load_file

    weights = []
    for _ in range(2):
        train(colours.plan(), lambda point, steps: None, fresh=True)
        file = colours.root / "runs/finetune/quick/adapter/adapter_model.safetensors"
        weights.append({name: value.tobytes() for name, value in load_file(file).items()})
    assert weights[0] == weights[1]


class Stop(Exception):
    """Raised by a listener in place of a kill."""


def test_a_stopped_training_goes_on_from_its_last_checkpoint(colours: Colours) -> None:
    from safetensors.numpy import load_file

    plan = colours.plan()
    whole = train(plan, lambda point, steps: None)
    file = plan.adapter / "adapter_model.safetensors"
    expected = load_file(file)

    def stop(point: object, steps: int) -> None:
        if point.step >= 8 and point.loss is not None:  # type: ignore[attr-defined]
            raise Stop

    with pytest.raises(Stop):
        train(plan, stop, fresh=True)
    assert plan.card.exists()  # of the first training: nothing is lost
    assert list((plan.work / "checkpoints").glob("checkpoint-*"))
    done = train(plan, lambda point, steps: None)
    assert done.resumed
    assert [p.step for p in done.points] == [p.step for p in whole.points]
    # going on is not bit-exact (docs in harness/finetune/train.py); it is the same training
    for name, value in load_file(file).items():
        assert abs(value - expected[name]).max() < 0.01, name
    assert not plan.work.exists()


def test_another_recipe_in_the_same_folder_is_refused(colours: Colours) -> None:
    train(colours.plan(), lambda point, steps: None)
    colours.change("5e-3", "1e-3")
    with pytest.raises(StoreError, match="--fresh"):
        train(colours.plan(), lambda point, steps: None)


def test_a_train_sample_that_is_also_tested_is_refused(colours: Colours) -> None:
    rows = [
        {"id": "a", "split": "train", "question": "q", "answer": "red."},
        {"id": "b", "split": "test", "question": "q", "answer": "red."},
        {"id": "c", "split": "validation", "question": "v", "answer": "red."},
    ]
    colours.project.write_rows("tasks/colours/data/colours.jsonl", rows)
    with pytest.raises(DataError, match="stands in the test split too"):
        load_splits(Project.here(colours.root).get_task("colours"))


def test_our_names_are_names_of_the_trainer() -> None:
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    assert set(get_args(Scheduler)) <= {one.value for one in SchedulerType}
    assert set(get_args(Optimizer)) <= {one.value for one in OptimizerNames}


# ------------------------------------------------------------------- the recipe of the study


def test_the_study_s_recipe_is_what_the_study_says() -> None:
    recipe = Project.here(ROOT).get_recipe("researcher-llama-3.2-3b")
    assert (recipe.quantize, recipe.dtype) == ("nf4", "float16")
    assert (recipe.lora.r, recipe.lora.lora_alpha) == (8, 16)
    assert len(recipe.lora.target_modules) == 7
    train_ = recipe.train
    assert (train_.per_device_train_batch_size, train_.gradient_accumulation_steps) == (1, 32)
    assert (train_.learning_rate, train_.lr_scheduler_type) == (5e-5, "cosine")
    assert (train_.num_train_epochs, train_.optim) == (50, "paged_adamw_8bit")


def test_the_study_s_recipe_passes_a_dry_run(
    project: UserProject, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = invoke("finetune", "researcher-llama-3.2-3b", "--dry-run")
    assert code == 0, err
    assert "nf4 with double quantization" in out
    assert "93 train, 16 validation" in out
    assert "150 (3 an epoch, 32 rows each: batch 1 x accumulation 32)" in out
    assert not list(project.root.iterdir())


def test_the_study_s_recipe_trains_with_a_tiny_llama_in_place_of_its_base(
    project: UserProject, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    """NF4 with double quantization, paged 8-bit AdamW, seven targets: only the base is small."""
    recipe = (ROOT / "finetune/researcher-llama-3.2-3b.recipe.yaml").read_text(encoding="utf-8")
    recipe = recipe.replace("num_train_epochs: 50", "num_train_epochs: 2")
    project.write("finetune/researcher-llama-3.2-3b.recipe.yaml", recipe)
    card = (ROOT / "adapters/llama-3.2-3b.model.yaml").read_text(encoding="utf-8")
    card = card.replace("meta-llama/Llama-3.2-3B", str(ROOT / "adapters/tiny-llama"))
    project.write("adapters/llama-3.2-3b.model.yaml", card)
    code, _, err = invoke("finetune", "researcher-llama-3.2-3b")
    assert code == 0, err
    folder = project.root / "runs/finetune/researcher-llama-3.2-3b"
    config = json.loads((folder / "adapter/adapter_config.json").read_text(encoding="utf-8"))
    assert len(config["target_modules"]) == 7
    made = Project.here(project.root).get_model("researcher-llama-3.2-3b")
    assert isinstance(made, TransformersModel)
    assert made.quantize == "nf4"
    words = ("run", "vad_approach", "-m", "researcher-llama-3.2-3b", "--limit", "2")
    code, _, err = invoke(*words, "--set", "generate.max_new_tokens=4")
    assert code == 0, err
