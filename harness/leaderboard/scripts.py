"""Data as classic scripts: what a page can load from file:// and from http alike.

A script is one call, ``harness.put("name", value);``, built by ``json.dumps`` and never by a
template: whatever a model wrote stays inside its string.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_UNSAFE = re.compile("[<\u2028\u2029]")
_ESCAPED = {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def script(name: str, value: Any) -> bytes:
    """The file that puts a value; ValueError for a number that is not finite."""
    return f"harness.put({json_text(name)},{json_text(value)});\n".encode(
        "utf-8", "backslashreplace"
    )


def json_text(value: Any) -> str:
    """JSON that may stand in a script, in an element <script>, and in a string of JavaScript:
    it holds no "<" (so neither ``</script`` nor ``<!--``) and no U+2028 or U+2029."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda found: _ESCAPED[found[0]], text)


def finite(value: float | None, digits: int = 6) -> float | None:
    """A number of so many significant digits; None for none and for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
