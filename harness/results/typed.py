"""JSON to records, with every value of the type that its field declares: a manifest that was edited
is told in one line, wherever it is wrong."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


class Mistyped(ValueError):
    """A value that is not of its field's type; the message says where, and what it is."""


def read(kind: type[Record], row: object, where: str = "") -> Record:
    """A frozen dataclass from a JSON object; keys that it does not know are left out.

    A later version may have added some. Raises Mistyped for a value of another type, for a number
    that is not finite, and for a field that is missing and has no default.
    """
    if not isinstance(row, Mapping):
        raise Mistyped(f"{where or 'it'} is no object")
    hints = _hints(cast(Any, kind))
    known = fields(kind)  # type: ignore[arg-type]
    names = [one.name for one in known]
    for one in known:
        bare = one.default is MISSING and one.default_factory is MISSING
        if bare and one.name not in row:
            raise Mistyped(f"{where or 'it'} has no '{one.name}'")
    found = {
        name: _value(hints[name], row[name], f"{where}.{name}" if where else name)
        for name in names
        if name in row
    }
    return kind(**found)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: object, where: str) -> Any:
    """A value checked against a type: plain ones, Literal, unions, tuples, mappings, records."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, where)
    if origin is Literal:
        if type(value) is str and value in inner:
            return value
        raise Mistyped(f"{where} is {_shown(value)}, not {_or(inner)}")
    if origin is tuple:
        items = _items(value, where)
        return tuple(_value(inner[0], one, f"{where}[{i}]") for i, one in enumerate(items))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise Mistyped(f"{where} is {_shown(value)}, not an object")
        return {str(key): _value(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    if isinstance(hint, type) and is_dataclass(hint):
        return read(hint, value, where)
    return _plain(hint, value, where)


def _one_of(kinds: Iterable[Any], value: object, where: str) -> Any:
    some = [kind for kind in kinds if kind is not type(None)]
    if value is None:
        if len(some) < len(list(kinds)):
            return None
        raise Mistyped(f"{where} is empty")
    return _value(some[0], value, where)


def _plain(hint: Any, value: object, where: str) -> Any:
    if hint is float and type(value) in (int, float):
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise Mistyped(f"{where} is {value}, not a finite number")
        return value
    if type(value) is not hint:
        word = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise Mistyped(f"{where} is {_shown(value)}, not {word.get(hint, hint)}")
    return value


def _items(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise Mistyped(f"{where} is {_shown(value)}, not a list")
    return value


def _shown(value: object) -> str:
    if isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "an object"
    return repr(value)[:40]


def _or(words: tuple[object, ...]) -> str:
    known = [str(word) for word in words]
    return f"{', '.join(known[:-1])} or {known[-1]}" if len(known) > 1 else known[0]
