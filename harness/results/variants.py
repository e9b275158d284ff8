"""The settings that a variant is made of, and the order of their values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

Settings = Mapping[str, str]
NONE = "none"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
_SIZE = re.compile(r"(\d+)x(\d+)")


def settings_of(variant: str) -> Settings:
    """A variant as it is written in node ids, "fps=6,frames=8", as name -> value.

    A value may itself have commas: what follows one and has no "=" still belongs to it.
    """
    found: dict[str, str] = {}
    last = ""
    for part in variant.split(","):
        name, equals, value = part.partition("=")
        if equals:
            last = name.strip()
            found[last] = value.strip()
        elif last:
            found[last] += f",{part}"
    return found


def without(variant: str, names: Collection[str]) -> str:
    """The variant with these settings left out."""
    kept = {name: value for name, value in settings_of(variant).items() if name not in names}
    return ",".join(f"{name}={value}" for name, value in kept.items())


def number_of(value: str) -> float | None:
    """The number that a value is, the shorter side of a size; None for words."""
    if _NUMBER.fullmatch(value):
        return float(value)
    size = _SIZE.fullmatch(value)
    return None if size is None else float(min(int(size[1]), int(size[2])))


def natural(values: Iterable[str]) -> list[str]:
    """Distinct values: "none" first, then numbers by size, then words; "blur:0.5" by the number
    behind its word."""
    return sorted(dict.fromkeys(values), key=_key)


def _key(value: str) -> tuple[int, str, float, str]:
    if value in ("", NONE):
        return 0, "", 0.0, value
    number = number_of(value)
    if number is not None:
        return 1, "", number, value
    word, _, level = value.partition(":")
    number = number_of(level)
    return 2, word, 0.0 if number is None else number, value
