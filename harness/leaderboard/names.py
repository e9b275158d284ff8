"""Names of files and anchors: whatever a model, task or class is called, they are plain ASCII,
short, different from each other, and always the same."""

from __future__ import annotations

import hashlib
import json
import re

LENGTH = 60
_PLAIN = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*")
_DIGITS = 10
_HASHED = re.compile(rf".*-[0-9a-f]{{{_DIGITS}}}")  # looks like the slug of another name
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")  # no file on Windows


def slug(name: str) -> str:
    """The name, if it is one that files can have on every system; else what is left of it, and a
    hash of the whole: two names never share a slug (but for a collision of 40 bits)."""
    odd = _HASHED.fullmatch(name) or _DEVICE.fullmatch(name)
    if _PLAIN.fullmatch(name) and len(name) <= LENGTH and not odd:
        return name
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: LENGTH - _DIGITS - 1]
    return f"{kept.rstrip('-') or 'x'}-{short_hash(name, _DIGITS)}"


def short_hash(text: str, digits: int = 12) -> str:
    """Hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:digits]


def column_id(task: str, variant: str, metric: str) -> str:
    """The id of a column, as it stands in permalinks."""
    return slug(json.dumps([task, variant, metric]))
