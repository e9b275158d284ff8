"""What was seen of the videos of a task: by the settings of the run, and by what it recorded."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.collect.plan import parse_setting
from harness.collect.settings import with_settings
from harness.collect.shapes import shape
from harness.collect.specs import SHORT_KEYS, Scalar, TaskSpec
from harness.collect.yamlio import Value
from harness.errors import HarnessError
from harness.leaderboard.gather import BoardCell, fields_of
from harness.records import FrameSettings
from harness.results.arrays import values_of
from harness.results.variants import settings_of

MEDIA = "media."
BEFORE_A_SETTING = re.compile(r"\s+(?=[A-Za-z_][\w.]*=)")
PER_SECOND = re.compile(r"(\d+(?:\.\d+)?) a second")
PLAIN: Mapping[str, Value] = {
    "task": "plain",
    "version": 1,
    "data": {"path": "plain.jsonl"},
    "prompt": {"template": "plain"},
    "score": ["exact_match"],
}
"""A task, for the rules of what its media may be."""
Times = tuple[float, ...]
Span = tuple[float, float]


@dataclass(frozen=True)
class Looks:
    """How the media of a task were looked at in a cell; ``start`` and ``end`` are the columns of a
    row that say which part of its video is meant, "" if none does."""

    frames: FrameSettings
    start: str = ""
    end: str = ""

    def of(self, row: Mapping[str, Any]) -> FrameSettings:
        """The settings for one sample."""
        start, end = _seconds(row, self.start), _seconds(row, self.end)
        own = self.frames
        return replace(
            own,
            start=own.start if start is None else start,
            end=own.end if end is None else end,
        )

    @property
    def words(self) -> str:
        """What is not as in any other look: ``fps=6, degrade=blur:0.5``."""
        own = self.frames
        named = {name: getattr(own, name) for name in ("fps", "frames", "max_frames", "resolution")}
        if own.fps is None and own.frames is None:
            named["fps"] = 1
        if own.degrade != "none":
            named["degrade"] = own.degrade
        parts = (f"{name}={value}" for name, value in named.items() if value is not None)
        return ", ".join(part.removesuffix(".0") for part in parts)


def looks_of(cell: BoardCell) -> Looks | None:
    """By the task's file as the run keeps it, what was set beside it, and the variant; None if the
    task has no media, or if its file can no longer be read."""
    text = cell.spec_text("task", cell.record.task)
    if "media" not in text:
        return None
    return _looks(text, cell.run.manifest.settings.get("set", ""), cell.record.variant)


@functools.lru_cache(maxsize=1024)
def _looks(text: str, given: str, variant: str) -> Looks | None:
    spec = fields_of(text)
    data = spec.get("data")
    fields = data.get("fields") if isinstance(data, dict) else None
    if not isinstance(fields, dict) or not fields.get("media"):
        return None
    varied = [f"{name}={value}" for name, value in settings_of(variant).items()]
    settings = _of_media(BEFORE_A_SETTING.split(given.strip())) | _of_media(varied)
    media: Value = spec.get("media") or {}  # type: ignore[assignment]
    task, _ = shape(TaskSpec, dict(PLAIN) | with_settings({"media": media}, settings))
    if task is None:
        return None
    frames = task.media
    return Looks(frames, str(fields.get("start") or ""), str(fields.get("end") or ""))


def times_of(cells: Sequence[BoardCell]) -> dict[str, Times]:
    """Sample -> the seconds of the frames that a model was given, of the first cell that says so;
    what answered without having seen anything (a recording, an error) says nothing."""
    found: dict[str, Times] = {}
    for cell in cells:
        if not cell.run.has_column("completions", "frame_times"):
            continue
        names = ("sample", "frame_times")
        table = cell.run.table("completions", names, {"cell": cell.record.cell})
        columns = ([v for c in table.column(name).chunks for v in values_of(c)] for name in names)
        for sample, times in zip(*columns, strict=True):
            if times:
                found.setdefault(sample, tuple(times))
    return found


def events_of(row: Mapping[str, Any]) -> list[Span]:
    """The seconds from and to which what a sample is about happens, as its row has them: seconds,
    or frames (from 1, the last one included) where it says how many are a second."""
    events, unit = row.get("events"), str(row.get("event_unit") or "second")
    spans = [span for one in events if (span := _span(one))] if isinstance(events, list) else []
    if not unit.startswith("frame"):
        return spans if unit in ("second", "seconds", "s") else []
    rate = PER_SECOND.search(unit)
    if rate is None or not float(rate[1]):
        return []
    fps = float(rate[1])
    return [((first - 1) / fps, last / fps) for first, last in spans if first >= 1]


def row_of(text: str | None) -> Mapping[str, Any]:
    """A stored row; empty if it cannot be read."""
    try:
        row = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _of_media(texts: Sequence[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for text in texts:
        name = text.partition("=")[0].strip()
        if not SHORT_KEYS.get(name, name).startswith(MEDIA):
            continue
        try:
            key, values = parse_setting(text)
        except HarnessError:
            continue
        if len(values) == 1:  # several are a variant's
            found[key] = values[0]
    return found


def _seconds(row: Mapping[str, Any], name: str) -> float | None:
    value: object = row.get(name) if name else None
    if value is None:  # a dot reaches into a nested column
        value = row
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    try:
        number = float(value) if isinstance(value, (int, float, str)) and value != "" else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e9 else None


def _span(one: object) -> Span | None:
    """A pair of numbers in their order."""
    if not isinstance(one, (list, tuple)) or len(one) != 2:
        return None
    if not all(isinstance(end, (int, float)) and abs(end) < 1e9 for end in one):
        return None
    first, last = float(one[0]), float(one[1])
    return (first, last) if 0 <= first <= last else None
