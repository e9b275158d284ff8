"""Data as classic scripts: what a page can load from file:// and from http alike.

A script is one call, ``harness.put("name", value);``, built by ``json_text`` and never by a
template: whatever a model wrote stays inside its string.
"""

from __future__ import annotations

import math
from typing import Any

from harness.leaderboard.jsontext import json_text


def script(name: str, value: Any) -> bytes:
    """The file that puts a value; ValueError for a number that is not finite."""
    return f"harness.put({json_text(name)},{_own_keys(json_text(value))});\n".encode()


def _own_keys(text: str) -> str:
    """In a script, unlike in JSON, a key ``__proto__`` says what an object inherits from; written
    as a computed key it is one like any other. Within a string its quotes would be escaped."""
    for before in "{,":
        text = text.replace(f'{before}"__proto__":', f'{before}["__proto__"]:')
    return text


def real(value: float | None) -> float | None:
    """A number as it is; None for none and for what is not finite."""
    return value if value is not None and math.isfinite(value) else None


def finite(value: float | None, digits: int = 6) -> float | None:
    """A number of so many significant digits; None for none and for what is not finite."""
    if real(value) is None:
        return None
    found = float(f"{value:.{digits}g}")
    return found if math.isfinite(found) else value
