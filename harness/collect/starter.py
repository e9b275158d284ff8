"""Starters: small, commented, valid files to begin with, for `harness new`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from harness.collect.judge_checks import name_fault
from harness.collect.yamlio import dump
from harness.errors import SelectionError, SpecError, StoreError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

_TASK = """\
# harness run NAME -m tiny-llama
task: NAME
version: 1                      # raise it whenever prompt, data or scoring change
tags: [text]
description: Name the capital of a country.
licence: CC0-1.0                # of the data
data:
  path: data/NAME.jsonl         # or .csv, .parquet, hf://owner/name@revision
  split: test                   # rows whose column `split` is this
  fields: {input: question, target: answer}
prompt:
  # Jinja: `input` and every column of the row. The answer follows after one space.
  template: |-
    Question: {{ input }}
    Answer:
  num_fewshot: 2                # solved examples in front, from the rows of split `train`
generate:
  max_new_tokens: 16
  stop: ["\\n"]
  # temperature: 0.7            # 0, the default, is greedy
# variants:                     # the product of all values is run
#   prompt.num_fewshot: [0, 2]
score:
  - exact_match
  - includes
  - rouge_l
  # - {metric: regex, pattern: "[A-Z][a-z]+"}
# gate:                         # what `harness gate` holds a candidate to
#   - {metric: includes, max_drop: 0.05}
"""

_TASK_README = """\
# NAME

What the task measures, in one sentence.

- Source: written for this project; say where your rows come from.
- Licence: CC0-1.0
- Limits: six rows show the form of the data and measure nothing.
"""

_ROWS = (
    ("train", "What is the capital of Japan?", "Tokyo"),
    ("train", "What is the capital of Kenya?", "Nairobi"),
    ("validation", "What is the capital of Peru?", "Lima"),
    ("test", "What is the capital of France?", "Paris"),
    ("test", "What is the capital of Norway?", "Oslo"),
    ("test", "What is the capital of Egypt?", "Cairo"),
)

_MODEL = """\
# harness run vad_approach -m NAME
model: NAME
description: One line about the model.
licence: apache-2.0
tags: [base]
adapter: transformers
base: Qwen/Qwen3-0.6B-Base      # hub id, or a folder: ./weights is beside this card
revision: main                  # better a commit: the name of a branch can move
# lora: runs/finetune/my-lora/adapter    # folder or hub id of a PEFT adapter
# baseline: tiny-llama          # the model card this one is compared with
quantize: none                  # none, int8, nf4
dtype: auto                     # auto, float32, float16, bfloat16
device: auto                    # cuda, else mps, else cpu
"""

_RECIPE = """\
# harness finetune finetune/NAME.recipe.yaml
# harness run vad_approach -m tiny-llama,NAME-lora
recipe: NAME
description: One line about what the LoRA shall learn.
base: tiny-llama                # model card to start from
task: vad_approach              # its train and validation splits, and its prompt
model: NAME-lora                # name of the model card that is written at the end
quantize: none                  # nf4: QLoRA
dtype: float32
seed: 0
lora:
  r: 8
  lora_alpha: 16
  target_modules: [q_proj, v_proj]
train:                          # names of transformers' TrainingArguments
  num_train_epochs: 3
  per_device_train_batch_size: 8
  gradient_accumulation_steps: 1
  learning_rate: 2e-4
  lr_scheduler_type: cosine
"""

_JUDGE = """\
judge: NAME
version: 1                      # raise it whenever rubric, template or model change
description: One line about what is judged.
model: embedding-judge          # the model card that judges; any adapter can serve it
# panel: [gpt-4o-mini]          # further model cards that judge as well
template: NAME.j2               # beside this file
scale: weighted                 # the sum of the scores, which reach 100; or `mean`
criteria:                       # the judge scores each from min (0) to max; we add up
  - {name: correctness, max: 70, description: Is what it says true?}
  - {name: clarity, max: 30, description: Can it be followed?}
needs_reference: true           # the template shows the reference answer
# media: true                   # show a sample's images as well, to models that take them
temperature: 0.0
repeats: 1                      # above 1: the mean, and how far the verdicts spread
"""

_JUDGE_TEMPLATE = """\
{# What is judged is put between marks by the harness, and the form of the reply is asked for. #}
Judge the answer by these criteria:
{% for criterion in criteria %}
- {{ criterion.name }} ({{ criterion.min }} to {{ criterion.max }}): {{ criterion.description }}
{%- endfor %}

The question:
{{ question }}

A reference answer, which is right; an answer need not use its words:
{{ reference }}

The answer to judge:
{{ answer }}
"""


def starter_files(kind: str, name: str) -> dict[Path, str]:
    """The files of a starter, by their path below the project's root; the spec comes first.

    Raises SelectionError if the name cannot be one, or is a metric's and the kind is a judge.
    """
    if not NAME.fullmatch(name):
        raise SelectionError(
            f"'{name}' cannot be a name: it begins with a letter (a-z, A-Z) or digit and consists "
            "of such letters, digits, '.', '_' and '-' (at most 80)"
        )
    if kind == "judge" and (what := name_fault(name)):
        raise SelectionError(what)
    folder = Path("tasks", name)
    files: dict[str, dict[Path, str]] = {
        "task": {
            folder / f"{name}.task.yaml": _TASK,
            folder / "data" / f"{name}.jsonl": _rows(),
            folder / "README.md": _TASK_README,
        },
        "model": {Path("adapters", f"{name}.model.yaml"): _MODEL},
        "recipe": {Path("finetune", f"{name}.recipe.yaml"): _RECIPE},
        "judge": {
            Path("judges", f"{name}.judge.yaml"): _JUDGE,
            Path("judges", f"{name}.j2"): _JUDGE_TEMPLATE,
        },
    }
    return {path: _named(_quoted(text, kind, name), name) for path, text in files[kind].items()}


def _quoted(text: str, kind: str, name: str) -> str:
    """The line that names the spec, with quotes where YAML would read `true` or `123`."""
    return re.sub(rf"^{kind}: NAME$", dump({kind: name}).rstrip("\n"), text, flags=re.MULTILINE)


def _named(text: str, name: str) -> str:
    """The name filled in; a comment behind it stays in its column where it can."""

    def fill(match: re.Match[str]) -> str:
        room = len(match[0]) - len(match[0].rstrip(" "))
        filled = match[0].rstrip(" ").replace("NAME", name)
        return filled + " " * (max(1, len(match[0]) - len(filled)) if room else 0)

    return re.sub(r"\bNAME\S*(?: +(?=#))?", fill, text)


def _rows() -> str:
    rows = (
        {"id": f"{number}", "split": split, "question": question, "answer": answer}
        for number, (split, question, answer) in enumerate(_ROWS, start=1)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_starter(root: Path, files: Mapping[Path, str]) -> None:
    """Write files below a folder.

    Raises SpecError, having written nothing, if one of them exists; StoreError if the folder
    cannot be written to.
    """
    for path in files:
        if (root / path).exists():
            raise SpecError(root / path, 0, "exists already and is not overwritten")
    try:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write to {root}: {error.strerror or error}") from None
