"""Rows to samples: a task's data, read from JSON lines, CSV, Parquet or the hub.

A row is never dropped: what cannot become a sample is a DataError that names file and line.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from harness.collect.specs import DataSpec, TaskSpec
from harness.errors import CollectError, DataError, HarnessError
from harness.records import LETTERS, Sample

Row = Mapping[str, object]
MAX_ERRORS = 20  # of one file; the rest is counted


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, for messages."""

    where: str
    line: int


def load_samples(task: TaskSpec, split: str | None = None) -> list[Sample]:
    """Read the samples of one split of a task (default: ``data.split``), in file order.

    Raises DataError (or CollectError with several) naming file and line: unreadable line, missing
    column, duplicate id, target that is not among the choices, no row in the split.
    """
    wanted = split or task.data.split
    samples: list[Sample] = []
    errors: list[HarnessError] = []
    seen: dict[str, Place] = {}
    for place, row in _rows(task, wanted):
        try:
            sample = _sample(task.data, row, place, len(samples))
            _refuse_duplicate(sample.id, place, seen)
            samples.append(sample)
        except DataError as error:
            errors.append(error)
        if task.data.limit and len(samples) >= task.data.limit:
            break
    if errors:
        raise _together(errors)
    if not samples:
        raise DataError(_shown(task), 0, f"no rows with split '{wanted}'")
    return samples


def data_hash(samples: Sequence[Sample]) -> str:
    """Hash of what is asked and expected; two runs with the same hash can be compared."""
    digest = hashlib.sha256()
    for sample in samples:
        line = [sample.id, sample.input, sample.target, sample.choices, sample.media]
        digest.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def data_path(task: TaskSpec) -> Path:
    """The file the rows are in: relative to the spec, and inside the project."""
    path = (task.path.parent / task.data.path).resolve()
    if not path.is_relative_to(task.root.resolve()):
        raise DataError(task.path, 0, f"data path '{task.data.path}' lies outside the project")
    return path


# --------------------------------------------------------------------------- rows


def _rows(task: TaskSpec, split: str) -> Iterator[tuple[Place, Row]]:
    if task.data.path.startswith("hf://"):
        yield from _hub_rows(task, split)
        return
    path = data_path(task)
    readers = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix)
    if reader is None:
        raise DataError(task.path, 0, f"data path '{task.data.path}' is not {', '.join(readers)}")
    if not path.is_file():
        raise DataError(task.path, 0, f"data file '{task.data.path}' does not exist")
    for place, row in reader(path):
        if row.get("split", split) == split:
            yield place, row


def _jsonl(path: Path) -> Iterator[tuple[Place, Row]]:
    """Every bad line of the file is reported, not only the first."""
    errors: list[HarnessError] = []
    good: list[tuple[Place, Row]] = []
    for number, raw in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not raw.strip():
            continue
        place = Place(_short(path), number)
        try:
            row = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            errors.append(DataError(place.where, number, f"not UTF-8 at byte {error.start}"))
        except json.JSONDecodeError as error:
            what = f"not a JSON object: {error.msg} at column {error.colno}"
            errors.append(DataError(place.where, number, what))
        except RecursionError:
            errors.append(DataError(place.where, number, "nested too deeply"))
        else:
            if isinstance(row, dict):
                good.append((place, row))
            else:
                what = f"a JSON object is needed, not {type(row).__name__}"
                errors.append(DataError(place.where, number, what))
    if errors:
        raise _together(errors)
    yield from good


def _csv(path: Path) -> Iterator[tuple[Place, Row]]:
    csv.field_size_limit(1 << 27)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for row in reader:
                place = Place(_short(path), reader.line_num)
                if None in row or None in row.values():
                    found = sum(v is not None for v in row.values()) + len(row.get(None) or ()) - (
                        None in row
                    )
                    columns = len(reader.fieldnames or ())
                    raise DataError(place.where, place.line, f"{found} values, {columns} columns")
                yield place, row
    except UnicodeDecodeError as error:
        raise DataError(_short(path), 0, f"not UTF-8 at byte {error.start}") from None
    except csv.Error as error:
        raise DataError(_short(path), reader.line_num, f"not CSV: {error}") from None


def _parquet(path: Path) -> Iterator[tuple[Place, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(_short(path), 0, f"not Parquet: {str(error).splitlines()[0]}") from None
    for number, row in enumerate(table.to_pylist(), start=1):
        yield Place(_short(path), number), row


def _hub_rows(task: TaskSpec, split: str) -> Iterator[tuple[Place, Row]]:
    """Rows of hf://owner/name@revision; a split may be a slice such as ``train[:1000]``."""
    import os

    import datasets

    name, _, revision = task.data.path.removeprefix("hf://").partition("@")
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        datasets.config.HF_DATASETS_OFFLINE = True
    try:
        rows = datasets.load_dataset(
            name, task.data.config, split=split, revision=revision or None
        )
    except Exception as error:  # every hub client has its own errors for "not there, no network"
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
        what = f"cannot load '{task.data.path}' split '{split}': {type(error).__name__} {reason}"
        raise DataError(task.path, 0, what) from None
    for number, row in enumerate(rows, start=1):
        yield Place(task.data.path, number), row


# --------------------------------------------------------------------------- a row


def _sample(spec: DataSpec, row: Row, place: Place, number: int) -> Sample:
    fields = spec.fields
    choices = _texts(_column(row, fields.choices, place), fields.choices, place)
    target = _text(_column(row, fields.target, place), fields.target, place)
    if choices:
        target = _letter(target, choices, place)
    cluster = row.get(fields.cluster) if fields.cluster else None
    return Sample(
        id=_text(row[fields.id], fields.id, place) if fields.id in row else f"row-{number + 1}",
        input=_text(_column(row, fields.input, place), fields.input, place),
        target=target,
        choices=choices,
        media=_texts(_column(row, fields.media, place), fields.media, place),
        cluster=None if cluster is None else str(cluster),
        row=row,
    )


def _column(row: Row, name: str | None, place: Place) -> object:
    if name is None:
        return ()
    if name not in row and "." in name:
        return _nested(row, name, place)
    if name not in row:
        close = get_close_matches(name, list(row), 1)
        hint = f" (did you mean '{close[0]}'?)" if close else f" (columns: {', '.join(row)})"
        raise DataError(place.where, place.line, f"no column '{name}'{hint}")
    return row[name]


def _nested(row: Row, name: str, place: Place) -> object:
    """``conversations.0.value``: keys of objects, positions in lists."""
    value: object = row
    for step in name.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise DataError(place.where, place.line, f"no column '{name}' (nothing at '{step}')")
    return value


def _text(value: object, name: str, place: Place) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "null" if value is None else type(value).__name__
        raise DataError(place.where, place.line, f"column '{name}' holds {kind}, not text")
    return str(value)


def _texts(value: object, name: str | None, place: Place) -> tuple[str, ...]:
    """A list of texts; in CSV a list is written as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            what = f"column '{name}' is not a JSON list: {error.msg}"
            raise DataError(place.where, place.line, what) from None
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise DataError(place.where, place.line, f"column '{name}' holds no list")
    return tuple(_text(item, str(name), place) for item in value)


def _letter(target: str, choices: tuple[str, ...], place: Place) -> str:
    """The letter of the right choice: from a letter, or from the choice's own words."""
    if len(choices) > len(LETTERS):
        raise DataError(place.where, place.line, f"{len(choices)} choices; 26 are the limit")
    if len(set(choices)) < len(choices):
        raise DataError(place.where, place.line, "two choices are the same")
    letters = LETTERS[: len(choices)]
    if target in choices:
        by_words = letters[choices.index(target)]
        if len(target) == 1 and target in letters and target != by_words:
            what = f"target '{target}' is both a letter and the words of choice {by_words}"
            raise DataError(place.where, place.line, what)
        return by_words
    if len(target) == 1 and target in letters:
        return target
    what = f"target '{target[:40]}' is neither one of the choices nor a letter {letters[0]}-"
    raise DataError(place.where, place.line, what + letters[-1])


# --------------------------------------------------------------------------- errors


def _refuse_duplicate(sample_id: str, place: Place, seen: dict[str, Place]) -> None:
    if sample_id in seen:
        first = seen[sample_id].line
        raise DataError(place.where, place.line, f"id '{sample_id}' stands in line {first} too")
    seen[sample_id] = place


def _together(errors: Sequence[HarnessError]) -> HarnessError:
    if len(errors) == 1:
        return errors[0]
    shown = list(errors[:MAX_ERRORS])
    if len(errors) > MAX_ERRORS:
        shown.append(HarnessError(f"... and {len(errors) - MAX_ERRORS} more bad rows"))
    return CollectError(shown)


def _shown(task: TaskSpec) -> str:
    return task.data.path if task.data.path.startswith("hf://") else _short(data_path(task))


def _short(path: Path) -> str:
    """As the user would write it: relative to where they are, if that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
