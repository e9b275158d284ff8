"""The settings that a variant is made of, and the order of their values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

Settings = Mapping[str, str]
NONE = "none"
DEGRADE = "degrade"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
_SOURCE = re.compile(r"source(?:/(\d*[1-9]\d*))?")
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


def scaled(value: str) -> tuple[str, float] | None:
    """A value that has a size, as its scale and its size there: numbers are on one scale, and
    `source/4` is less than `source/2` on another, with which numbers have nothing in common. None
    for words."""
    number = number_of(value)
    if number is not None:
        return "", number
    part = _SOURCE.fullmatch(value)
    return None if part is None else ("source", 1 / float(part[1] or 1))


def less(a: Iterable[str], b: Iterable[str]) -> bool:
    """Whether a has no more of anything than b and less of something; what differs and is not on
    one scale is not compared."""
    found = False
    for x, y in zip(a, b, strict=True):
        if x == y:
            continue
        one, other = scaled(x), scaled(y)
        if one is None or other is None or one[0] != other[0] or one[1] > other[1]:
            return False
        found = found or one[1] < other[1]
    return found


def natural(values: Iterable[str], *, none_first: bool = False) -> list[str]:
    """Distinct values: numbers by size, then words in the order in which they come; "blur:0.5" by
    the number behind its word. "none" is a word, unless it is to be first or all else is numbers.
    """
    found = list(dict.fromkeys(values))
    words = list(dict.fromkeys(_word(value) for value in found if scaled(value) is None))
    none_first = none_first or set(words) <= {"", NONE}

    def key(value: str) -> tuple[int, str, int, float]:
        if none_first and value in ("", NONE):
            return 0, "", 0, 0.0
        size = scaled(value)
        if size is not None:
            return 1, size[0], 0, size[1]
        number = number_of(value.partition(":")[2])
        return 2, "", words.index(_word(value)), 0.0 if number is None else number

    return sorted(found, key=key)


def _word(value: str) -> str:
    """What stands before a level; a text with a colon and no number behind it is one word."""
    word, _, level = value.partition(":")
    return value if number_of(level) is None else word


def shared(variants: Sequence[str]) -> tuple[str, list[str]]:
    """The settings that all variants have in common, and each without them."""
    each = [settings_of(variant) for variant in variants]
    first = each[0] if each else {}
    same = {name for name in first if all(one.get(name) == first[name] for one in each)}
    common = ",".join(f"{name}={value}" for name, value in first.items() if name in same)
    return common, [without(variant, same) for variant in variants]
