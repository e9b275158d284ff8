"""The core schema of YAML 1.2: what a scalar without quotes means."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

MAX_DIGITS = 1000

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_NOT_TEXT = frozenset("~+-.0123456789ntfNTF")  # how a plain scalar that is not text can begin


def resolve_plain(text: str) -> str:
    """The core-schema type of a scalar without quotes: null, bool, int, float or str."""
    if text and text[0] not in _NOT_TEXT:
        return "str"
    for name, pattern in (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT)):
        if pattern.fullmatch(text):
            return name
    return "str"


def read_scalar(text: str) -> Scalar:
    """The value of a scalar without quotes, as on a command line; ValueError if out of range."""
    return convert(resolve_plain(text), text)


def convert(kind: str, text: str) -> Scalar:
    """The value of a text of a core-schema type.

    Raises ValueError if the text is not of that type or the number is beyond all sense.
    """
    if kind == "str":
        return text
    pattern = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}[kind]
    if not pattern.fullmatch(text):
        raise ValueError(f"'{text}' is not of type {kind}")
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "float":
        return _to_float(text)
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _to_float(text: str) -> float:
    special = text.lower().lstrip("+")
    words = {".inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
    return words[special] if special in words else float(text)
