"""JSON as judges must write it: no NaN, no key twice, no number without end."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NoReturn

_DIGITS = 100  # of a number in a reply; no scale has so many


@lru_cache(maxsize=2)
def decoder(*, strict: bool) -> json.JSONDecoder:
    """JSON without Python's extras; not strict: line breaks in texts, which models like.

    What is wrong is a ValueError with words that a judge can mend it by.
    """
    return json.JSONDecoder(
        strict=strict,
        parse_constant=_no_constant,
        parse_int=_no_endless_number,
        object_pairs_hook=unique,
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _no_endless_number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The members of an object; raises ValueError if one is given twice."""
    members = dict[str, object]()
    for name, value in pairs:
        if name in members:
            raise ValueError(f"'{name[:40]}' is given twice")
        members[name] = value
    return members
