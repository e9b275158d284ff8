"""Words of the command line that name something, and must not be empty."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

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


class NamedPath(click.Path):
    """A path, which must not be empty: "" would be the present folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """The path; fails if it is empty."""
        if isinstance(value, str) and not value.strip():
            self.fail("empty name", param, ctx)
        return super().convert(value, param, ctx)
