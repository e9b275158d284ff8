"""Did you mean: the way out of a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable

LEAST_PART = 3
"""Letters from which on a part of a name may mean it: `vad` for `vad_approach`."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest of the known words, or nothing if none is near."""
    close = closest(word, known)
    return f" (did you mean '{close}'?)" if close else ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a user most likely meant."""
    import difflib

    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
    close = difflib.get_close_matches(word.lower(), list(folded), n=1)
    if not close and len(word) >= LEAST_PART:
        close = sorted((name for name in folded if word.lower() in name), key=len)
    return folded[close[0]] if close else None


def known_or_near(word: str, known: Iterable[str]) -> str:
    """As `did_you_mean`; if nothing is near and the list is short, the whole list."""
    names = sorted(known)
    hint = did_you_mean(word, names)
    if hint or not names or len(names) > 12:
        return hint
    return f" (there are: {', '.join(names)})"
