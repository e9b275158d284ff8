"""What a metric needs of a sample's row beside the target, and JSON in an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from harness.collect.suggest import did_you_mean
from harness.errors import HarnessError, printable
from harness.records import Completion, Sample, Score
from harness.scorers.names import key_of

NEEDED: dict[str, tuple[str, ...]] = {
    "error_f1": ("errors",),
    "frame_localization": ("error_times", "error_frames"),
    "exercise_identification": ("exercise",),
}
"""Metric -> the columns of which a row must have one."""
SHAPES = {
    "errors": "a list of names",
    "error_times": "a list of seconds from 0",
    "error_frames": "a list of frame numbers from 0",
    "exercise": "a name",
    "answers": "a list of texts, or of objects with a text 'answer'",
}
"""What a column must hold."""
MOST = 1e9  # seconds, frames
SHOWN = 60  # characters of a value in a message
_START = re.compile(r"[\[{]")
_TRIES = 20  # places at which JSON may begin; an answer of brackets alone is no reason to hang


def has(row: Mapping[str, object], key: str) -> bool:
    """Whether there is anything in a column; a blank text is nothing, an empty list is a list."""
    value = row.get(key)
    return bool(value.strip()) if isinstance(value, str) else value is not None


def listed(row: Mapping[str, object], key: str) -> list[object] | None:
    """The list in a column, None if it has none. CSV has no lists: a text may be a JSON list."""
    value = row.get(key)
    if isinstance(value, str):
        value = _parsed(value)
    return list(value) if isinstance(value, (list, tuple)) else None


def names_in(row: Mapping[str, object], key: str) -> list[str] | None:
    """The names in a column: a list of them, or one alone. None if anything in it is no name."""
    value = row.get(key)
    found = [value] if is_name(value) else listed(row, key)
    names = [name for name in found or () if is_name(name)]
    return None if found is None or len(names) < len(found) else names


def is_name(value: object) -> TypeGuard[str]:
    """Whether a value of a row is a text with a word, and not JSON."""
    return isinstance(value, str) and value.lstrip()[:1] not in ("[", "{") and bool(key_of(value))


def numbers_in(row: Mapping[str, object], key: str) -> list[float] | None:
    """The numbers of a column's list. None if anything in it is no number from 0 to MOST."""
    numbers = []
    found = listed(row, key)
    for value in found or ():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MOST:
            return None
        numbers.append(float(value))
    return None if found is None else numbers


def unusable(sample: Sample, *keys: str) -> Score:
    """The score of a sample whose row has not, in one of the columns, what the metric compares
    with: the first column that is otherwise than it should be, or that there is none."""
    key = next((key for key in keys if has(sample.row, key)), None)
    if key is None:
        what = f"sample '{sample.id}' has no {_or(keys)} in its row"
    else:
        value = repr(sample.row[key])
        value = value if len(value) <= SHOWN else f"{value[: SHOWN - 3]}..."
        what = f"sample '{sample.id}': '{key}' is {value}, and should be {SHAPES[key]}"
    return Score(None, "error", explanation=what)


def demand(metric: str, samples: Sequence[Sample], completions: Sequence[Completion]) -> None:
    """Raise HarnessError if answers came and no sample has any of the columns of a metric.

    One row without them is that row's fault, all of them are the task's.
    """
    answered = any(not completion.failed for completion in completions)
    if answered and (fault := column_fault(metric, samples)):
        raise HarnessError(fault)


def column_fault(metric: str, samples: Sequence[Sample]) -> str | None:
    """What is wrong, on one line, if no sample has any of the columns that a metric needs."""
    keys = NEEDED.get(metric, ())
    if not keys or any(has(sample.row, key) for sample in samples for key in keys):
        return None
    there = dict.fromkeys(key for sample in samples for key in sample.row if key not in keys)
    hints = (did_you_mean(key, there) for key in keys)
    noun = "column" if len(keys) == 1 else "columns"
    hint = next(filter(None, hints), "")
    return f"metric '{metric}' needs the {noun} {_or(keys)}, which no row has{printable(hint)}"


def json_in(text: str) -> object | None:
    """The first JSON object or list in an answer, whatever stands around it; None without one."""
    whole = _parsed(text)
    if isinstance(whole, (dict, list)):
        return whole
    return next(_values(text), None)


def _values(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder()
    for number, found in enumerate(_START.finditer(text)):
        if number == _TRIES:
            return
        try:
            value, _ = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        yield value


def _parsed(text: str) -> object | None:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _or(keys: Sequence[str]) -> str:
    return " or ".join(f"'{key}'" for key in keys)
