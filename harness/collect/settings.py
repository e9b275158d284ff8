"""What `variants:` and `--set` may change, by which names, and what that makes of a task or a card.

A setting points into the task (`generate.temperature`), has a short name there (`fps` for
`media.fps`), or is one of the model card's (`quantize`). Short names are what a variant shows,
whichever way they were written.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import get_origin

from harness.collect.path_checks import Place, data_path_fault
from harness.collect.shapes import dotted, keys_at, shape, types_at
from harness.collect.specs import CARD_KEYS, SHORT_KEYS, VARIANT_KEYS, ModelSpec, Scalar, TaskSpec
from harness.collect.suggest import did_you_mean
from harness.collect.template_checks import template_mistakes
from harness.collect.yamlio import Loc, Value

TOP_KEYS = ("answer", "choices", "shuffle_choices")
"""Settings of a task that stand at its top."""
SHOWN_KEYS = (*SHORT_KEYS, *CARD_KEYS, "prompt", *TOP_KEYS)
"""Settings that are a variant also with a single value."""
OWN_PROMPT = "default"
"""The name under which `prompt=...` knows the prompt that the task itself has."""
RIVALS = {"media.fps": "media.frames", "media.frames": "media.fps"}
"""Of two ways to say the same, the file's gives way to the one that is set."""


@functools.cache
def setting_keys() -> tuple[str, ...]:
    """The keys that `variants` and `--set` may change."""
    found: list[str] = []
    for top in VARIANT_KEYS:
        found += _leaves((top.removesuffix("."),))
    long = {path: name for name, path in SHORT_KEYS.items()}
    return (*SHORT_KEYS, "prompt", *TOP_KEYS, *CARD_KEYS, *(k for k in found if k not in long))


def short_key(key: str) -> str:
    """The name by which a setting is known: `fps` for `media.fps`."""
    return {path: name for name, path in SHORT_KEYS.items()}.get(key, key)


def _leaves(loc: Loc) -> list[str]:
    keys: list[str] = []
    for key in keys_at(TaskSpec, loc):
        inner = (*loc, key)
        if keys_at(TaskSpec, inner):
            keys += _leaves(inner)
        elif not any(keys_at(TaskSpec, (*inner, 0))):
            keys.append(dotted(inner))
    return keys


def unknown_setting(key: str) -> str | None:
    """What is wrong with a setting's key, None if it exists."""
    if short_key(key) in setting_keys():
        return None
    hint = did_you_mean(key.removeprefix("media."), setting_keys())
    hint = hint or did_you_mean(key, setting_keys())
    begin = ", ".join([*SHORT_KEYS, *CARD_KEYS, "prompt", *TOP_KEYS])
    also = f" (settings are {begin}, or begin with {' '.join(VARIANT_KEYS)})"
    return f"unknown setting '{key}'{hint or also}"


def with_settings(
    data: Mapping[str, Value], settings: Mapping[str, Scalar], given: Iterable[str] = ()
) -> dict[str, Value]:
    """A task's data with settings applied that exist.

    ``given`` are the keys of further settings that are applied at another time: `frames` takes
    the place of the file's `fps`, unless both are set.
    """
    changed = dict(data)
    paths = {SHORT_KEYS.get(key, key) for key in (*settings, *given)}
    for key in sorted(settings, key=lambda key: key != "prompt"):  # the others change its parts
        path = SHORT_KEYS.get(key, key)
        changed = _with(changed, path, _value(path, settings[key]), data)
        rival = RIVALS.get(path)
        if rival is not None and rival not in paths:
            changed = _with(changed, rival, None, data)
    return changed


def _with(
    data: Mapping[str, Value], path: str, value: Value, whole: Mapping[str, Value]
) -> dict[str, Value]:
    """The data with one dotted setting changed."""
    changed = dict(data)
    if path == "prompt":
        named = whole.get("prompts")
        if value != OWN_PROMPT and isinstance(named, dict) and str(value) in named:
            changed["prompt"] = named[str(value)]
        return changed
    head, _, rest = path.partition(".")
    if rest:
        inner = data.get(head)
        changed[head] = _with(inner if isinstance(inner, dict) else {}, rest, value, whole)
    else:
        changed[head] = value
    return changed


def _value(path: str, value: Value) -> Value:
    """The value as the setting takes it: for a list, one value is a list of one, '' of none."""
    kinds = types_at(TaskSpec, tuple(path.split(".")))
    if any(get_origin(kind) is tuple for kind in kinds) and not isinstance(value, list):
        return [] if value == "" else [value]
    return value


def setting_faults(
    data: Mapping[str, Value], key: str, value: Scalar, place: Place
) -> Iterator[str]:
    """What is wrong with a setting that exists: its type, its range, its meaning."""
    if key in CARD_KEYS:
        return  # which only the card can say
    if key == "prompt":
        yield from _prompt_faults(data, value)
        return
    loc: Loc = tuple(SHORT_KEYS.get(key, key).split("."))
    _, mistakes = shape(TaskSpec, with_settings(data, {key: value}))
    here = [mistake for mistake in mistakes if mistake.loc[: len(loc)] == loc]
    around = [mistake for mistake in mistakes if loc[: len(mistake.loc)] == mistake.loc]
    if around and not here:  # 'template' beside 'messages', say; unless it was so before
        here = [mistake for mistake in around if mistake not in shape(TaskSpec, dict(data))[1]]
    yield from (mistake.what for mistake in here)
    if isinstance(value, str) and key.endswith("template"):
        yield from (m.what for m in template_mistakes(value, loc))
    if isinstance(value, str) and key == "data.path":
        what = data_path_fault(value, place)
        if what:
            yield what


def _prompt_faults(data: Mapping[str, Value], value: Scalar) -> Iterator[str]:
    named = data.get("prompts")
    names = [OWN_PROMPT, *(named if isinstance(named, dict) else ())]
    if value not in names:
        hint = did_you_mean(str(value), names) or f" (its prompts: {', '.join(names)})"
        yield f"the task has no prompt '{value}'{hint}"


def with_card_settings(model: ModelSpec, settings: Mapping[str, Scalar]) -> ModelSpec | str:
    """A card with settings changed, or what is wrong with them."""
    if not settings:
        return model
    fields = type(model).model_fields
    for key in settings:
        if key not in fields:
            have = [key for key in CARD_KEYS if key in fields]
            known = f" (it has {', '.join(have)})" if have else ""
            return f"adapter '{model.adapter}' of model '{model.model}' has no '{key}'{known}"
    changed, mistakes = shape(type(model), model.model_dump(mode="json") | dict(settings))
    if changed is None:
        return f"model '{model.model}': {mistakes[0].what}"
    changed.located(model.path, model.text, model.root, allow_outside=model.allow_outside)
    return changed
