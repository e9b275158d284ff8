"""The settings under which a cell was asked: what was set for the whole run, and its variant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from harness.collect.plan import parse_setting
from harness.collect.settings import unknown_setting, with_settings
from harness.collect.specs import SHORT_KEYS, Scalar
from harness.collect.yamlio import Value, parse
from harness.errors import HarnessError
from harness.results.manifest import CellRecord
from harness.results.store import RunReader
from harness.results.variants import settings_of

BEFORE_A_SETTING = re.compile(r"\s+(?=[A-Za-z_][\w.]*=)")
Way = Literal["weighed", "words", "letters"]


def run_settings(run: RunReader, cell: CellRecord) -> dict[str, Scalar]:
    """Dotted path in the task -> value; what can no longer be read, or is the card's, is left
    out."""
    given = BEFORE_A_SETTING.split(run.manifest.settings.get("set", "").strip())
    varied = [f"{name}={value}" for name, value in settings_of(cell.variant).items()]
    found: dict[str, Scalar] = {}
    for text in filter(None, [*given, *varied]):
        try:
            key, values = parse_setting(text)
        except HarnessError:
            continue
        if len(values) == 1 and unknown_setting(key) is None:  # several are a variant's
            found[SHORT_KEYS.get(key, key)] = values[0]
    return found


def task_as_run(run: RunReader, cell: CellRecord) -> dict[str, Value]:
    """The fields of the task's file as the run keeps it, with the settings of the cell; only these
    settings if the file is not kept or cannot be read today."""
    texts = [one.text for one in run.manifest.specs if (one.kind, one.name) == ("task", cell.task)]
    document = parse(Path(f"{cell.task}.task.yaml"), texts[0])[0] if texts else None
    data = document.data if document is not None and isinstance(document.data, dict) else {}
    return with_settings(data, run_settings(run, cell))


def answered_by(task: dict[str, Value]) -> Way:
    """How a choice was given, by the fields of a task."""
    answer = task.get("answer")
    if answer == "likelihood" or (answer is None and task.get("output_type") == "choices"):
        return "weighed"
    return "words" if answer == "text" else "letters"
