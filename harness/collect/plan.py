"""What will run: task x model x variant, each a cell with a stable id and a hash.

A variant is a choice of settings: `variants` of a task, several values after `--set`, or one of
what a model sees and how it runs (`fps=6`, `quantize=nf4`: SHOWN_KEYS), so that no table hides it.
Another single value after `--set` changes the task without becoming a variant. In a cell all of
them have been applied, and its task has no `variants` left.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.collect.core_schema import read_scalar
from harness.collect.path_checks import Place
from harness.collect.settings import (
    SHOWN_KEYS,
    setting_faults,
    short_key,
    unknown_setting,
    with_card_settings,
    with_settings,
)
from harness.collect.shapes import shape
from harness.collect.specs import CARD_KEYS, ModelSpec, Scalar, TaskSpec
from harness.errors import CollectError, SelectionError, SpecError
from harness.records import FrameSettings

Variant = tuple[tuple[str, Scalar], ...]


@dataclass(frozen=True)
class Cell:
    """The unit that is planned, selected, resumed, gated and shown."""

    task: TaskSpec
    """The task as it runs: settings and variant are applied, `variants` is empty."""
    model: ModelSpec
    variant: Variant
    id: str
    """`tasks/x/x.task.yaml::x[model,generate.temperature=0.7]`; the path is below the library."""
    hash: str
    """sha256 over the canonical JSON of task (as it runs), model card and variant."""


def make_plan(
    tasks: Sequence[TaskSpec], models: Sequence[ModelSpec], settings: Sequence[str] = ()
) -> tuple[Cell, ...]:
    """All cells, task by task, model by model, variant by variant.

    `settings` are texts as after `--set`. Raises SelectionError for one that cannot be read,
    CollectError with everything that does not fit a task.
    """
    fixed, varied = _read_settings(settings)
    errors: list[SpecError] = []
    cells: list[Cell] = []
    for task in tasks:
        try:
            variants = _variants_of(task, fixed, varied)
        except CollectError as error:
            errors += [each for each in error.errors if isinstance(each, SpecError)]
            continue
        texts = [(variant, applied, _canonical(applied)) for variant, applied in variants]
        for model in models:
            for variant, applied, text in texts:
                card = with_card_settings(model, _of_card({**fixed, **dict(variant)}))
                if isinstance(card, str):
                    errors.append(
                        SpecError("--set" if varied or fixed else str(task.path), 0, card)
                    )
                    continue
                name = cell_id(task, model, variant)
                hashed = _hash(text, _canonical(card), variant)
                cells.append(Cell(applied, card, variant, name, hashed))
    if errors:
        raise CollectError(list({str(error): error for error in errors}.values()))
    return tuple(cells)


def _of_card(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {key: value for key, value in settings.items() if key in CARD_KEYS}


def cell_id(task: TaskSpec, model: ModelSpec, variant: Variant) -> str:
    """The node id of a cell."""
    return f"{task_id(task)}[{','.join([model.model, *variant_text(variant)])}]"


def task_id(task: TaskSpec) -> str:
    """`tasks/x/x.task.yaml::x`, the path relative to the project or library."""
    path = task.path
    if path.is_relative_to(task.root):
        path = path.relative_to(task.root)
    return f"{path.as_posix()}::{task.task}"


def variant_text(variant: Variant) -> list[str]:
    """`key=value` for each setting, values as YAML has them."""
    return [f"{key}={_value_text(value)}" for key, value in variant]


def _value_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # an id is one line
        return json.dumps(value, ensure_ascii=False)[1:-1]
    return repr(value)


def _hash(task: str, card: str, variant: Variant) -> str:
    return hashlib.sha256("\n".join([task, card, json.dumps(variant)]).encode()).hexdigest()


def _canonical(spec: TaskSpec | ModelSpec) -> str:
    return json.dumps(settled(spec), sort_keys=True, ensure_ascii=False)


LATER: tuple[tuple[str, ...], ...] = (
    ("prompts",),
    ("answer",),
    ("shuffle_choices",),
    ("media",),
    ("data", "media_root"),
    ("data", "fields", "start"),
    ("data", "fields", "end"),
    ("video",),
)
"""Keys that came after the first baselines were stored."""


def settled(spec: TaskSpec | ModelSpec) -> dict[str, Any]:
    """What a hash of a spec is over: what a gate asks of the answers does not change them, and a
    key that came later is not there while it says what held before."""
    data = spec.model_dump(mode="json", exclude={"gate"})
    plain = {key: field.default for key, field in type(spec).model_fields.items()}
    for loc in LATER:
        inner = data
        for step in loc[:-1]:
            inner = inner.get(step, {})
        default = plain.get(loc[0]) if len(loc) == 1 else None
        default = asdict(default) if isinstance(default, FrameSettings) else default
        if inner.get(loc[-1]) in (default, {}):
            inner.pop(loc[-1], None)
    for score in data.get("score", ()):
        if score.get("tolerance", 0) is None:
            del score["tolerance"]
    return data


# --------------------------------------------------------------------------- settings


def parse_setting(text: str) -> tuple[str, tuple[Scalar, ...]]:
    """`generate.temperature=0,0.7` as key and values, typed as in YAML 1.2.

    A comma separates values unless it stands in quotes or in brackets; a value in quotes is text
    and knows the escapes of JSON in double ones. Raises SelectionError.
    """
    key, equals, rest = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SelectionError(f"--set '{text}': write KEY=VALUE, as generate.max_new_tokens=64")
    try:
        return key, tuple(_read_value(part) for part in _split(rest))
    except ValueError as error:
        raise SelectionError(f"--set '{text}': {error}") from None


def _split(text: str) -> list[str]:
    parts, depth, quote, start = [], 0, "", 0
    escaped = False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = character == "\\" and quote == '"'
            quote = "" if character == quote else quote
        elif character in "\"'" and not text[start:position].strip():
            quote = character  # a quote within a word is an apostrophe
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth <= 0:
            parts.append(text[start:position])
            start = position + 1
    if quote:
        raise ValueError(f"the quote {quote} is not closed")
    return [*parts, text[start:]]


def _read_value(text: str) -> Scalar:
    word = text.strip()
    if len(word) > 1 and word[0] == word[-1] == "'":
        return word[1:-1].replace("''", "'")
    if len(word) > 1 and word[0] == word[-1] == '"':
        try:
            return str(json.loads(word, strict=False))
        except ValueError:
            raise ValueError(f"{word} is not a text in quotes") from None
    value = read_scalar(word)
    return text if value is None or isinstance(value, str) else value


def _read_settings(texts: Sequence[str]) -> tuple[dict[str, Scalar], dict[str, tuple[Scalar, ...]]]:
    fixed: dict[str, Scalar] = {}
    varied: dict[str, tuple[Scalar, ...]] = {}
    for text in texts:
        written, values = parse_setting(text)
        key = short_key(written)
        if key in fixed or key in varied:
            raise SelectionError(f"--set '{text}': '{key}' is set twice")
        if len({(value, isinstance(value, bool)) for value in values}) < len(values):
            raise SelectionError(f"--set '{text}': a value stands there twice")
        if len(values) == 1 and key not in SHOWN_KEYS:
            fixed[key] = values[0]
        else:
            varied[key] = values
    return fixed, varied


def _variants_of(
    task: TaskSpec, fixed: Mapping[str, Scalar], varied: Mapping[str, tuple[Scalar, ...]]
) -> list[tuple[Variant, TaskSpec]]:
    """A task as it runs, for each of its variants; the command line stands above the file."""
    if not (task.variants or fixed or varied):
        return [((), task)]
    axes = {short_key(key): values for key, values in task.variants.items()}
    axes = {key: values for key, values in axes.items() if key not in fixed} | dict(varied)
    given = (*fixed, *axes)
    if fixed:
        task = apply_settings(task, fixed, "--set", given)
    product = itertools.product(*([(key, value) for value in axes[key]] for key in axes))
    where = "--set" if varied else str(task.path)
    return [(variant, apply_settings(task, dict(variant), where, given)) for variant in product]


def apply_settings(
    task: TaskSpec, settings: Mapping[str, Scalar], where: str, given: Sequence[str] = ()
) -> TaskSpec:
    """The task with settings changed and no variants left; those of a card are not its matter.

    ``given`` are the keys that are set by all hands. Raises CollectError; each line begins with
    `where` and the setting.
    """
    data = task.model_dump(mode="json")
    data["variants"] = {}
    place = Place(task.path, None if task.allow_outside else task.root)
    errors: list[SpecError] = []
    good: dict[str, Scalar] = {}
    for key, value in settings.items():
        unknown = unknown_setting(key)
        faults = [unknown] if unknown else list(setting_faults(data, key, value, place))
        errors += [SpecError(f"{where} {key}", 0, fault) for fault in faults]
        if not faults and key not in CARD_KEYS:
            good[key] = value
    if errors:
        raise CollectError(errors)
    changed, mistakes = shape(TaskSpec, with_settings(data, good, given))
    if changed is None:
        raise CollectError([SpecError(where, 0, mistake.what) for mistake in mistakes])
    changed.located(task.path, task.text, task.root, allow_outside=task.allow_outside)
    return changed
