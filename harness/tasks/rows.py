"""Files and hub data sets to rows, each with the place it stands at.

A bad line is never skipped: it becomes a DataError with file and line, and every bad line of a
file is reported, not only the first.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.specs import TaskSpec
from harness.collect.yamlio import Loc, parse
from harness.errors import CollectError, DataError, HarnessError
from harness.errors import shown as shown_path

Row = Mapping[str, object]
MAX_ERRORS = 20  # shown of one file; the rest is counted
MAX_FIELD = 1 << 27  # characters of one CSV value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, for messages: file and line; row, where a format has no lines."""

    where: str
    line: int

    def error(self, what: str) -> DataError:
        """A mistake at this place."""
        return DataError(self.where, self.line, what)


Placed = tuple[Place, Row]
Read = Placed | DataError
"""A row, or why a line is none."""


def read_rows(path: Path) -> Iterator[Read]:
    """All rows of a .jsonl, .csv or .parquet file in file order; a bad line is its DataError.

    Raises DataError where nothing can be read: a CSV that is not UTF-8, two columns of one name,
    a damaged file.
    """
    try:
        yield from READERS[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(shown_path(path), 0, f"cannot be read: {error.strerror or error}") from None


def hub_rows(task: TaskSpec, split: str) -> Iterator[Placed]:
    """Rows of ``hf://owner/name@revision``; a split may be a slice such as ``train[:1000]``.

    With HF_HUB_OFFLINE=1 only what was downloaded before is read. Raises DataError.
    """
    place = Place(shown_path(task.path), spec_line(task))
    match = re.fullmatch(r"hf://([\w-][\w.-]*/[\w-][\w.-]*)(?:@(\S+))?", task.data.path)
    if match is None:
        raise place.error(f"data path '{shown(task.data.path)}' is not hf://owner/name@revision")
    import datasets

    try:
        rows = datasets.load_dataset(
            f"hf://datasets/{match[1]}",  # this form never reads a local folder of the same name
            task.data.config,
            split=split,
            revision=match[2],
        )
    except Exception as error:  # every hub client has its own errors for "not there, no network"
        what = f"cannot load '{task.data.path}' split '{split}': {type(error).__name__}"
        raise place.error(f"{what}: {shown(str(error).strip(), 200)}") from None
    for number, row in enumerate(rows, start=1):
        yield Place(task.data.path, number), row


# --------------------------------------------------------------------------- formats


def _jsonl(path: Path) -> Iterator[Read]:
    where = shown_path(path)
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        place = Place(where, number)
        try:
            yield place, _json_object(raw)
        except UnicodeDecodeError as error:
            yield place.error(f"not UTF-8 at byte {error.start + 1} of the line")
        except json.JSONDecodeError as error:
            yield place.error(f"not a JSON object: {error.msg} at column {error.colno}")
        except (ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            yield place.error("nested too deeply" if deep else shown(str(error)))


def _json_object(raw: bytes) -> Row:
    row = json.loads(raw.decode(), object_pairs_hook=_without_duplicates)
    if not isinstance(row, dict):
        raise ValueError(f"a JSON object is needed, not {type(row).__name__}")
    if b"\\u" in raw:
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair (\\ud800-\\udfff) is not text") from None
    return row


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError(_twice("key", (key for key, _ in pairs)))
    return row


def _csv(path: Path) -> Iterator[Read]:
    """RFC 4180 with a header; a value may hold line breaks, a row is placed at its first line."""
    where, data = shown_path(path), path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(where, line, "not UTF-8") from None
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: list[str] = []
    line = 1
    try:
        for values in reader:
            place, line = Place(where, line), reader.line_num + 1
            if not columns:
                columns = values
                _refuse_twice(columns, place)
                _refuse_other_separator(columns, place)
            elif values and len(values) != len(columns):
                yield place.error(f"{len(values)} values for {len(columns)} columns")
            elif values:
                yield place, dict(zip(columns, values, strict=True))
    except csv.Error as error:
        yield DataError(where, line, f"not CSV: {error}")


def _refuse_other_separator(columns: Sequence[str], place: Place) -> None:
    """One column whose name holds ';' or a tab is a table that was saved for Excel."""
    for separator, name in ((";", "';'"), ("\t", "tabs")):
        if len(columns) == 1 and separator in columns[0]:
            what = f"the columns are separated by {name}; CSV needs ',' between them"
            raise place.error(what)


def _parquet(path: Path) -> Iterator[Read]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = shown_path(path)
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        _refuse_twice(table.column_names, Place(where, 0))
        rows = table.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(where, 0, f"not Parquet, or damaged: {shown(str(error).strip())}") from None
    except UnicodeDecodeError:
        raise DataError(where, 0, "a text column is not UTF-8") from None
    for number, row in enumerate(rows, start=1):
        yield Place(where, number), row


READERS: dict[str, Callable[[Path], Iterator[Read]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""Suffix of a data file -> its reader."""


# --------------------------------------------------------------------------- messages


def together(errors: Sequence[HarnessError]) -> HarnessError:
    """One error as it is; several as a CollectError that shows the first and counts the rest."""
    if len(errors) == 1:
        return errors[0]
    listed = list(errors[:MAX_ERRORS])
    if len(errors) > MAX_ERRORS:
        listed.append(HarnessError(f"... and {len(errors) - MAX_ERRORS} more bad rows"))
    return CollectError(listed)


def shown(text: str, limit: int = 120) -> str:
    """Text from data as one line of a message: no line break, no terminal code, not long."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def spec_line(task: TaskSpec) -> int:
    """The line of the task file that names the data; 0 if it cannot be told."""
    lines = enumerate(task.text.splitlines(), start=1)
    return next((n for n, line in lines if "path" in line and task.data.path in line), 0)


def line_of(task: TaskSpec, loc: Loc) -> int:
    """The line of the task file where a setting stands, in itself or as a variant; 0 if none."""
    document, _ = parse(task.path, task.text)
    if document is None:
        return 0
    variant: Loc = ("variants", ".".join(map(str, loc)))
    return document.line(loc if document.get(variant) is None else variant)


def _refuse_twice(columns: Sequence[str], place: Place) -> None:
    if len(set(columns)) < len(columns):
        raise place.error(_twice("column", columns))


def _twice(kind: str, names: Iterable[str]) -> str:
    name, _ = Counter(names).most_common(1)[0]
    return f"{kind} '{shown(name, 40)}' stands twice"
