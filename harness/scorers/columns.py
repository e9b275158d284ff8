"""What a metric needs of a sample's row beside the target, and JSON in an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from harness.errors import HarnessError
from harness.records import Completion, Sample, Score

_START = re.compile(r"[\[{]")
_TRIES = 20  # places at which JSON may begin; an answer of brackets alone is no reason to hang


def listed(row: Mapping[str, object], key: str) -> list[object] | None:
    """The list in a column; None if the row has no such column, or nothing in it.

    CSV has no lists, so a text that is a JSON list is one; any other value is a list of itself.
    """
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        if not value.strip():
            return None
        if value.lstrip().startswith("["):
            parsed = _parsed(value)
            return parsed if isinstance(parsed, list) else [value]
        return [value]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def missing(sample: Sample, *keys: str) -> Score:
    """The score of a sample whose row lacks what the metric compares with."""
    return Score(None, "error", explanation=f"sample '{sample.id}' has no {_or(keys)} in its row")


def demand(
    metric: str, samples: Sequence[Sample], completions: Sequence[Completion], *keys: str
) -> None:
    """Raise HarnessError if answers came and no sample has any of the columns.

    One row without them is that row's fault, all of them are the task's.
    """
    answered = any(not completion.failed for completion in completions)
    if answered and not any(sample.row.get(key) is not None for sample in samples for key in keys):
        raise HarnessError(f"metric '{metric}' needs the column {_or(keys)}, which no row has")


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
