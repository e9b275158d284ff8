"""A small task to learn, and a recipe that learns it in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.collect.library import Project
from harness.finetune.plan import TrainPlan, make_plan

if TYPE_CHECKING:
    from tests.conftest import UserProject

TASK = """\
task: colours
version: 1
data: {path: data/colours.jsonl, fields: {input: question, target: answer}}
prompt: {template: "Question: {{ input }}\\nAnswer:"}
generate: {max_new_tokens: 8}
score: [exact_match, rouge_l]
"""
RECIPE = """\
recipe: quick
base: tiny-llama
task: colours
model: quick
lora: {r: 4, lora_alpha: 8, target_modules: [q_proj, v_proj]}
train:
  num_train_epochs: 4
  per_device_train_batch_size: 4
  learning_rate: 5e-3
  max_length: 64
"""
LONG = " and of what colour is the next one to it" * 8


class Colours:
    """A project with the task `colours` and the recipe `quick`."""

    def __init__(self, project: UserProject) -> None:
        self.project, self.root = project, project.root
        self.folder = project.root / "runs" / "finetune" / "quick"
        self.file = project.write("finetune/quick.recipe.yaml", RECIPE)
        project.write("tasks/colours/colours.task.yaml", TASK)
        self.write_rows()

    def write_rows(self, long: int = 0) -> None:
        """Twelve rows to learn, the first ``long`` of them with a prompt beyond max_length."""
        rows = [
            {
                "id": f"{split}{n}", "split": split, "answer": answer,
                "question": f"what colour is thing {n}? ({number}){LONG if number < long else ''}",
            }
            for number, (split, n, answer) in enumerate(
                (split, n, answer)
                for split, count in (("train", 12), ("validation", 4), ("test", 4))
                for n, answer in zip(range(count), ["red.", "green.", "blue."] * 9, strict=False)
            )
        ]  # fmt: skip
        self.project.write_rows("tasks/colours/data/colours.jsonl", rows)

    def change(self, old: str, new: str) -> None:
        """Another text in the recipe."""
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")

    def plan(self, out: Path | None = None) -> TrainPlan:
        """The plan of the recipe as it is now."""
        here = Project.here(self.root)
        recipe = here.get_recipe("quick")
        base, task = here.get_model(recipe.base), here.get_task(recipe.task)
        return make_plan(recipe, base, task, out or self.folder)


@pytest.fixture
def colours(project: UserProject) -> Colours:
    return Colours(project)
