"""Annotation files to placed rows; every mistake says in which file, line or entry it is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from harness.errors import DataError
from harness.errors import shown as shown_path
from harness.tasks.rows import MAX_FIELD, READERS, Place, Placed, Read, Row, shown

T = TypeVar("T")
MAX_JSON = 8_000_000_000  # bytes


def text_lines(path: Path) -> Iterator[tuple[Place, str]]:
    """The lines of a UTF-8 text that are not empty, without space around them."""
    for number, raw in enumerate(_bytes(path).split(b"\n"), start=1):
        place = Place(shown_path(path), number)
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise place.error("not UTF-8") from None
        if line:
            yield place, line


def json_value(path: Path) -> object:
    """What a JSON file holds. Raises DataError with the line."""
    try:
        value: object = json.loads(_bytes(path).decode("utf-8-sig"), object_pairs_hook=_pairs)
        return value
    except UnicodeDecodeError:
        raise DataError(path, 0, "not UTF-8") from None
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} at column {error.colno}"
        raise DataError(path, error.lineno, what) from None
    except RecursionError:
        raise DataError(path, 0, "nested too deeply") from None
    except _Twice as error:
        raise DataError(path, 0, f"key '{shown(str(error), 60)}' stands twice") from None


def json_entries(path: Path, key: str | None = None) -> Iterator[Read]:
    """The objects of a JSON list; ``key``: of the list that an object holds under it."""
    value = json_value(path)
    if key is not None:
        if not isinstance(value, dict) or key not in value:
            raise DataError(path, 0, f"an object with '{key}' is needed")
        value = value[key]
    if not isinstance(value, list):
        raise DataError(path, 0, f"a JSON list is needed, not {type(value).__name__}")
    for number, entry in enumerate(value, start=1):
        place = Place(f"{shown_path(path)}, entry {number}", 0)
        yield (place, entry) if isinstance(entry, dict) else place.error("not a JSON object")


def json_mapping(path: Path) -> Iterator[Read]:
    """The objects of a JSON object of objects; each row has its key as '' in it."""
    value = json_value(path)
    if not isinstance(value, dict):
        raise DataError(path, 0, f"a JSON object is needed, not {type(value).__name__}")
    for key, entry in value.items():
        place = Place(f"{shown_path(path)}, entry '{shown(key, 40)}'", 0)
        if isinstance(entry, dict):
            yield place, {**entry, "": key}
        else:
            yield place.error("not a JSON object")


def json_lines(path: Path) -> Iterator[Read]:
    """JSON lines, whatever the file's name ends with."""
    try:
        yield from READERS[".jsonl"](path)
    except OSError as error:
        raise DataError(path, 0, f"cannot be read: {error.strerror or error}") from None


def table(path: Path, separator: str) -> Iterator[Read]:
    """Rows of a table with a header; a value may hold line breaks."""
    csv.field_size_limit(MAX_FIELD)
    line, columns = 1, list[str]()
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            for values in reader:
                place, line = Place(shown_path(path), line), reader.line_num + 1
                if not columns:
                    columns = values
                elif len(values) == len(columns):
                    yield place, dict(zip(columns, values, strict=True))
                elif values:
                    yield place.error(f"{len(values)} values for {len(columns)} columns")
    except csv.Error as error:
        raise DataError(path, line, f"not a table: {error}") from None
    except UnicodeDecodeError:
        raise DataError(path, line, "not UTF-8") from None
    except OSError as error:
        raise DataError(path, 0, f"cannot be read: {error.strerror or error}") from None


# --------------------------------------------------------------------------- values


def text(row: Row, key: str, place: Place, empty: bool = False) -> str:
    """The text or number under a key, as text without space around it."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise place.error(_lacks(row, key, "text"))
    found = str(value).strip()
    if not found and not empty:
        raise place.error(f"'{key}' is empty")
    return found


def optional(row: Row, key: str) -> str:
    """As `text`; '' where there is none."""
    value = row.get(key)
    return str(value).strip() if isinstance(value, str | int | float) else ""


def number(row: Row, key: str, place: Place) -> int:
    """The whole number under a key; a text of digits counts."""
    found = text(row, key, place)
    if not found.lstrip("-").isdecimal():
        raise place.error(f"'{key}' is no whole number: '{shown(found, 40)}'")
    return int(found)


def texts(row: Row, key: str, place: Place) -> list[str]:
    """The list of texts under a key."""
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise place.error(_lacks(row, key, "list of texts"))
    return [item.strip() for item in value]


def rows(row: Row, key: str, place: Place) -> list[Mapping[str, object]]:
    """The list of objects under a key."""
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise place.error(_lacks(row, key, "list of objects"))
    return value


def answers_of(row: Row, place: Place) -> tuple[list[str], list[str]]:
    """The people's answers of a VQA or VizWiz record and how sure they were, in their order."""
    found = rows(row, "answers", place)
    if not found:
        raise place.error("'answers' is empty")
    given = [text(item, "answer", place, empty=True) for item in found]
    return given, [optional(item, "answer_confidence") for item in found]


def good(found: Iterator[Read], errors: list[DataError]) -> Iterator[Placed]:
    """The rows; what is none goes to ``errors``."""
    for each in found:
        if isinstance(each, DataError):
            errors.append(each)
        else:
            yield each


def _lacks(row: Row, key: str, kind: str) -> str:
    if key in row and row[key] is not None:
        return f"'{key}' holds no {kind}"
    keys = ", ".join(str(name) for name in row if name)
    return f"no '{key}' (keys: {shown(keys)})"


class _Twice(Exception):
    """A key that stands twice in one JSON object."""


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_JSON:
            raise DataError(path, 0, f"larger than {MAX_JSON // 10**9} GB")
        return path.read_bytes()
    except OSError as error:
        raise DataError(path, 0, f"cannot be read: {error.strerror or error}") from None
