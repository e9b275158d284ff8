"""Rows to samples: a task's data, read from JSON lines, CSV, Parquet or the hub.

A row is never dropped: what cannot become a sample is a DataError that names file and line.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from harness.collect.specs import DataSpec, TaskSpec
from harness.collect.suggest import did_you_mean
from harness.errors import DataError, HarnessError
from harness.errors import shown as shown_path
from harness.records import LETTERS, Sample
from harness.tasks.rows import (
    READERS,
    Place,
    Placed,
    Read,
    Row,
    hub_rows,
    line_of,
    read_rows,
    shown,
    spec_line,
    together,
)

MAX_COLUMNS = 12  # listed in a message


def load_samples(task: TaskSpec, split: str | None = None) -> list[Sample]:
    """Read the samples of one split of a task (default: ``data.split``), in file order.

    Raises DataError (or CollectError with several) naming file and line: unreadable line, missing
    column, duplicate id, target that is not among the choices, no row in the split.
    """
    wanted = split or task.data.split
    if task.output_type == "choices" and task.data.fields.choices is None:
        raise DataError(task.path, spec_line(task), "'choices' needs data.fields.choices")
    if task.data.path.startswith("hf://"):
        where, rows = task.data.path, list[Read](islice(hub_rows(task, wanted), task.data.limit))
    else:
        path = data_path(task)
        where, rows = shown_path(path), list(_of_split(read_rows(path), shown_path(path), wanted))
    absent = _absent_columns(task, where, [row for row in rows if isinstance(row, tuple)])
    samples, errors = _read_samples(task.data, rows)
    if absent:  # told once, at the task's fields, rather than for every row
        kept = [error for error in errors if not isinstance(error, NoColumn)]
        raise together([*absent, *kept])
    if errors:
        raise together(errors)
    if not samples:
        raise DataError(where, 0, "no rows")
    if task.shuffle_choices is not None:
        samples = [shuffled(sample, task.shuffle_choices) for sample in samples]
    return samples


def shuffled(sample: Sample, seed: int) -> Sample:
    """The sample with its choices in an order that the seed and its id draw."""
    count = len(sample.choices)
    order = list(range(count))
    random.Random(f"{seed}/{sample.id}").shuffle(order)
    if not count or sample.target not in LETTERS[:count]:
        return sample
    target = LETTERS[order.index(LETTERS.index(sample.target))]
    return replace(sample, choices=tuple(sample.choices[i] for i in order), target=target)


def make_samples(spec: DataSpec, rows: Iterable[Read]) -> list[Sample]:
    """Rows of one split to samples, at most ``spec.limit``; rows without an id are numbered.

    Raises DataError, or CollectError with the mistakes of all rows.
    """
    samples, errors = _read_samples(spec, rows)
    if errors:
        raise together(errors)
    return samples


def _read_samples(spec: DataSpec, rows: Iterable[Read]) -> tuple[list[Sample], list[HarnessError]]:
    """The samples there are, and every mistake: lines that cannot be read and rows alike."""
    samples: list[Sample] = []
    errors: list[HarnessError] = []
    seen: dict[str, Place] = {}
    for found in rows:
        if isinstance(found, DataError):
            errors.append(found)
        elif not spec.limit or len(samples) < spec.limit:
            place, row = found
            try:
                sample = _sample(spec, row, place, len(samples) + 1)
                _refuse_duplicate(sample.id, place, seen)
                samples.append(sample)
            except DataError as error:
                errors.append(error)
    return samples, errors


class NoColumn(DataError):
    """A row lacks a column that the task's fields name."""


def _absent_columns(task: TaskSpec, where: str, rows: Sequence[Placed]) -> list[HarnessError]:
    """The named columns that no row has, each as a mistake of the task rather than of the rows."""
    errors: list[HarnessError] = []
    for part, name in task.data.fields:
        if name is None or (part == "id" and "id" not in task.data.fields.model_fields_set):
            continue
        first = None
        for place, row in rows:
            try:
                _column(row, name, place)
                break
            except NoColumn as error:
                first = first or error
        else:
            if first:
                what, _, hint = first.what.partition(" (")
                line = line_of(task, ("data", "fields", part))
                way_out = f" ({hint}" if hint else ""
                errors.append(NoColumn(task.path, line, f"{what} in {where}{way_out}"))
    return errors


def data_hash(samples: Sequence[Sample]) -> str:
    """Hash of what is asked and expected; two runs with the same hash can be compared."""
    digest = hashlib.sha256()
    for sample in samples:
        line: list[object] = [sample.id, sample.input, sample.target, sample.choices, sample.media]
        if sample.start is not None or sample.end is not None:
            line += [sample.start, sample.end]
        digest.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def data_path(task: TaskSpec) -> Path:
    """The file the rows are in: relative to the spec, and inside the project.

    Links are followed before "inside" is judged. Raises DataError, also if there is no such file.
    """
    place, given = Place(shown_path(task.path), spec_line(task)), shown(task.data.path)
    try:
        path = (task.path.parent / task.data.path).resolve()
        inside, exists = path.is_relative_to(task.root.resolve()), path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, links in a circle
        raise place.error(f"data path '{given}' is not a path") from None
    if not inside and not task.allow_outside:
        raise place.error(f"data path '{given}' lies outside the project (see --allow-outside)")
    if path.suffix.lower() not in READERS:
        raise place.error(f"data file '{given}' is not one of {', '.join(READERS)}")
    if not exists:
        raise place.error(f"data file '{given}' does not exist{_neighbour(path)}")
    return path


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor does its folder{did_you_mean(path.parent.name, _names(path.parent.parent))}"
    return did_you_mean(path.name, _names(path.parent))


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _of_split(rows: Iterable[Read], where: str, split: str) -> Iterator[Read]:
    """Rows whose `split` column says so; all rows of a file without such a column.

    What cannot be read is passed on: it belongs to no split, and may belong to any.
    """
    others: dict[str, None] = {}
    found, split_column = False, None
    for each in rows:
        if isinstance(each, DataError):
            found = True
            yield each
            continue
        place, row = each
        if split_column is None:
            split_column = "split" in row
        if split_column != ("split" in row):  # else such a row would stand in every split
            raise place.error("some rows have a column 'split' and some have none")
        try:
            own = _text(row["split"], "split", place) if split_column else split
        except DataError as error:
            found = True
            yield error
            continue
        if own == split:
            found = True
            yield place, row
        else:
            others[own] = None
    if others and not found:
        hint = did_you_mean(split, others) or f" (splits: {shown(', '.join(others))})"
        raise DataError(where, 0, f"no rows with split '{shown(split)}'{hint}")


# --------------------------------------------------------------------------- a row


def _sample(spec: DataSpec, row: Row, place: Place, number: int) -> Sample:
    fields = spec.fields
    target = _text(_column(row, fields.target, place), fields.target, place)
    choices: tuple[str, ...] = ()
    if fields.choices:
        choices = _texts(_column(row, fields.choices, place), fields.choices, place)
        target = _letter(target, choices, place)
    media: tuple[str, ...] = ()
    if fields.media:
        media = _paths(_column(row, fields.media, place), fields.media, place)
    cluster = _column(row, fields.cluster, place) if fields.cluster else None
    start, end = (_seconds(row, name, place) for name in (fields.start, fields.end))
    if end is not None and end <= (start or 0.0):
        raise place.error(f"end ({end:g}) must be after start ({start or 0:g})")
    return Sample(
        id=_id(spec, row, place, number),
        input=_text(_column(row, fields.input, place), fields.input, place),
        target=target,
        choices=choices,
        media=media,
        cluster=None if cluster is None else _text(cluster, str(fields.cluster), place),
        start=start,
        end=end,
        row=row,
    )


def _id(spec: DataSpec, row: Row, place: Place, number: int) -> str:
    name = spec.fields.id
    if name not in row and "id" not in spec.fields.model_fields_set:
        return f"row-{number}"
    text = _text(_column(row, name, place), name, place)
    if not text.strip():
        raise place.error(f"column '{name}' is empty")
    return text


def _column(row: Row, name: str, place: Place) -> object:
    if name in row:
        return row[name]
    if "." in name:
        return _nested(row, name, place)
    columns = [str(column) for column in row]
    hint = did_you_mean(name, columns)
    more = ", ..." if len(columns) > MAX_COLUMNS else ""
    listed = shown(", ".join(columns[:MAX_COLUMNS]), 300)
    what = f"no column '{name}'{hint or f' (columns: {listed}{more})'}"
    raise NoColumn(place.where, place.line, what)


def _nested(row: Row, name: str, place: Place) -> object:
    """``conversations.0.value``: keys of objects, positions in lists."""
    value: object = row
    for step in name.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            keys = [str(key) for key in value] if isinstance(value, Mapping) else []
            hint = did_you_mean(step, keys) or f" (nothing at '{step}')"
            raise NoColumn(place.where, place.line, f"no column '{name}'{hint}")
    return value


def _text(value: object, name: str, place: Place) -> str:
    """Text as it is; a number as Python writes it. Null, true and NaN are nobody's answer."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "null" if value is None else type(value).__name__
        raise place.error(f"column '{name}' holds {kind}, not text")
    if not math.isfinite(value):
        raise place.error(f"column '{name}' holds {value}, not text")
    return str(value)


def _seconds(row: Row, name: str | None, place: Place) -> float | None:
    """A time in a video; null is none."""
    value = _column(row, name, place) if name else None
    if value is None or value == "":
        return None
    text = _text(value, str(name), place)
    try:  # 90.5, 1:30.5 or 0:01:30.5
        parts = [float(part) for part in reversed(text.split(":"))]
        seconds = sum(part * unit for part, unit in zip(parts, (1.0, 60.0, 3600.0), strict=False))
    except ValueError:
        parts, seconds = [], math.nan
    if len(parts) > 3 or any(part < 0 for part in parts):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise place.error(f"column '{name}' holds no seconds: {shown(str(value), 40)}")
    return seconds


def _texts(value: object, name: str, place: Place) -> tuple[str, ...]:
    """A list of texts; in CSV a list is written as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, list | tuple):
        raise place.error(f"column '{name}' holds no list (in CSV: a JSON list)")
    return tuple(_text(item, name, place) for item in value)


def _paths(value: object, name: str, place: Place) -> tuple[str, ...]:
    """One path, or a list of them."""
    if isinstance(value, str) and not value.startswith("["):
        return (value,)
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise place.error(f"column '{name}' holds something that is no path")
    return _texts(value, name, place)


def _letter(target: str, choices: tuple[str, ...], place: Place) -> str:
    """The letter of the right choice: from a letter, or from the choice's own words."""
    if not 2 <= len(choices) <= len(LETTERS):
        raise place.error(f"{len(choices)} choices; at least 2, at most {len(LETTERS)}")
    if len(set(choices)) < len(choices):
        raise place.error("two choices are the same")
    letters = LETTERS[: len(choices)]
    if target in choices:
        by_words = letters[choices.index(target)]
        if len(target) == 1 and target in letters and target != by_words:
            what = f"target '{target}' is both a letter and the words of choice {by_words}"
            raise place.error(what)
        return by_words
    if len(target) == 1 and target in letters:
        return target
    hint = did_you_mean(target, choices) or f" nor a letter A-{letters[-1]}"
    raise place.error(f"target '{shown(target, 40)}' is not one of the choices{shown(hint)}")


def _refuse_duplicate(sample_id: str, place: Place, seen: dict[str, Place]) -> None:
    if sample_id in seen:
        first = seen[sample_id].line
        raise place.error(f"id '{shown(sample_id, 40)}' stands in line {first} too")
    seen[sample_id] = place
