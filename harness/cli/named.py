"""Words of the command line that name something, and must not be empty."""

from __future__ import annotations

import click


def not_empty(_context: click.Context, _option: click.Parameter, words: str | None) -> str:
    """An option's words, "" if it was not given; raises BadParameter if it was given as ""."""
    if words is None:
        return ""
    if not words.strip():
        raise click.BadParameter("empty name")
    return words


def none_empty(
    _context: click.Context, _option: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    """The words of an option that may be repeated; raises BadParameter if one of them is ""."""
    if any(not word.strip() for word in words):
        raise click.BadParameter("empty name")
    return words
