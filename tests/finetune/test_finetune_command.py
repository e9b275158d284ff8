"""`harness finetune` as a newcomer meets it: what it says, and where it says it is wrong."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.collect.library import Project
from harness.finetune.tokens import with_rows

if TYPE_CHECKING:
    from tests.finetune.conftest import Colours

ROOT = Path(__file__).resolve().parents[2]
Invoke = Callable[..., tuple[int, str, str]]


def line_with(text: str, start: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return line


# --------------------------------------------------------------------------- max_length


def test_rows_that_lose_their_answer_are_counted_apart_from_those_that_are_cut(
    colours: Colours, invoke: Invoke
) -> None:
    colours.write_rows(long=5)
    rows = with_rows(colours.plan()).rows
    assert rows is not None
    assert (len(rows.train.rows), rows.train.cut, rows.train.lost) == (7, 0, 5)
    assert all(any(row.completion_mask) for row in rows.train.rows)

    whole = max(len(row.input_ids) for row in rows.train.rows)
    colours.change("max_length: 64", f"max_length: {whole - 1}")
    code, out, err = invoke("finetune", "quick", "--dry-run")
    assert code == 0, err
    assert "5 rows lose the whole answer: not trained" in out
    assert "their end (max_length)" in out
    assert line_with(out, "steps").startswith("steps       8 (2 an epoch, 4 rows each")

    said = [line for line in out.splitlines() if line.startswith(("rows", "steps"))]
    code, out, err = invoke("finetune", "quick", "--out", "models/q")
    assert code == 0, err
    assert [line for line in out.splitlines() if line.startswith(("rows", "steps"))] == said
    assert "5 rows lose the whole answer: not trained" in line_with(out, "trained in")
    assert [line for line in err.splitlines() if line.startswith("step 8/8")] == [
        err.splitlines()[-1]
    ]
    card = (colours.root / "models/q/quick.model.yaml").read_text("utf-8")
    assert f"5 of 12 train rows lost their whole answer to max_length {whole - 1}" in card

    command = shlex.split(line_with(out, "now").removeprefix("now"))
    assert command[-1] == "tiny-llama,models/q/quick.model.yaml"
    code, _, err = invoke(*command[1:], "--limit", "1")
    assert code == 0, err


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_a_max_length_that_leaves_no_answer_is_a_mistake_with_its_line(
    colours: Colours, invoke: Invoke, words: tuple[str, ...]
) -> None:
    colours.change("max_length: 64", "max_length: 5")
    code, _, err = invoke("finetune", "quick", *words)
    assert code == 4
    assert err.startswith("finetune/quick.recipe.yaml:10: max_length 5 leaves no token of any")
    assert err.count("\n") == 1
    assert not colours.folder.exists()


def test_the_best_checkpoint_needs_a_validation_loss_of_its_own(
    colours: Colours, invoke: Invoke
) -> None:
    added = "max_length: 64\n  load_best_model_at_end: true\n  eval_steps: 2\n  save_steps: 3"
    colours.change("max_length: 64", added)
    code, _, err = invoke("finetune", "quick", "--dry-run")
    assert code == 4
    assert err.startswith(
        "finetune/quick.recipe.yaml:11: load_best_model_at_end: save_steps 3 must"
    )


# --------------------------------------------------------------------------- how it ends


def test_a_loss_that_rises_is_said_and_written_on_the_card(
    colours: Colours, invoke: Invoke
) -> None:
    colours.change("learning_rate: 5e-3", "learning_rate: 1")
    colours.change("num_train_epochs: 4", "num_train_epochs: 1")
    code, out, err = invoke("finetune", "quick")
    assert code == 0, err
    assert "loss rose from" in line_with(out, "note: the ")
    assert "loss rose from" in (colours.folder / "quick.model.yaml").read_text("utf-8")


def test_a_loss_that_is_no_number_leaves_no_card(colours: Colours, invoke: Invoke) -> None:
    colours.change("lora_alpha: 8", f"lora_alpha: {10**45}")
    code, _, err = invoke("finetune", "quick")
    assert code == 1
    said = err.splitlines()[-1]
    assert said.startswith("finetune/quick.recipe.yaml:9: the loss is no longer a number at step ")
    assert "no model was written" in said
    assert not list(colours.folder.iterdir())


def test_a_card_names_a_base_in_its_project_by_a_path_that_survives_a_move(
    colours: Colours, invoke: Invoke, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shutil.copytree(ROOT / "adapters/tiny-llama", colours.root / "adapters/tiny-llama")
    shutil.copy(ROOT / "adapters/tiny-llama.model.yaml", colours.root / "adapters")
    colours.change("num_train_epochs: 4", "max_steps: 1")
    code, _, err = invoke("finetune", "quick")
    assert code == 0, err
    text = (colours.folder / "quick.model.yaml").read_text("utf-8")
    assert "\nbase: ../../../adapters/tiny-llama\n" in text
    moved = tmp_path_factory.mktemp("elsewhere") / "clone"
    colours.root.rename(moved)
    monkeypatch.chdir(moved)
    code, _, err = invoke("run", "colours", "-m", "quick", "--limit", "1")
    assert code == 0, err


# --------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("recipe: quick", "recipe: quick\nseed: -1", ":2: 'seed' must be at least 0, not -1"),
        ("5e-3", "1e38", ":9: 'train.learning_rate' must be at most 1, not 1e+38"),
        ("5e-3", "0", ":9: 'train.learning_rate' must be greater than 0, not 0"),
        ("num_train_epochs", "epochs",
         ":7: unknown key 'epochs' (did you mean 'num_train_epochs'?)"),
        ("learning_rate", "lr", ":9: unknown key 'lr' (did you mean 'learning_rate'?)"),
        ("per_device_train_batch_size", "batch_size",
         ":8: unknown key 'batch_size' (did you mean 'per_device_train_batch_size'?)"),
        ("v_proj", "v_prj",
         ":5: target_modules: 'v_prj' is not in 'tiny-llama' (did you mean 'v_proj'?)"),
        ("model: quick", "model: tiny-llama",
         ":4: model 'tiny-llama' is the name of the base; the LoRA needs one of its own"),
        ("base: tiny-llama", "base: gpt-4o-mini",
         ":2: base 'gpt-4o-mini' is not a transformers model (its adapter is openai): it cannot be "
         "trained"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_recipe_is_found_by_finetune_and_by_collect(
    colours: Colours, invoke: Invoke, old: str, new: str, said: str
) -> None:
    colours.change(old, new)
    expected = f"finetune/quick.recipe.yaml{said}\n"
    assert invoke("finetune", "quick", "--dry-run")[::2] == (4, expected)
    assert invoke("finetune", str(colours.file))[::2] == (4, expected)
    assert invoke("collect", "finetune/quick.recipe.yaml")[::2] == (4, expected)


def test_a_train_row_that_is_tested_too_is_told_with_the_line_of_the_task(
    colours: Colours, invoke: Invoke
) -> None:
    rows = [
        {"id": i, "split": split, "question": "q", "answer": "red."}
        for i, split in (("a", "train"), ("b", "test"))
    ]
    colours.project.write_rows("tasks/colours/data/colours.jsonl", rows)
    code, _, err = invoke("finetune", "quick", "--dry-run")
    assert code == 4
    assert err.startswith("tasks/colours/colours.task.yaml:3: train sample 'a' stands in the test")


def test_the_recipes_of_the_library_have_no_mistake() -> None:
    for name in ("vad-tiny", "researcher-llama-3.2-3b"):
        assert Project.here(ROOT).get_recipe(name).recipe == name
