"""What the shapes of all files that a user writes have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Scalar = str | int | float | bool


class Misplaced(ValueError):
    """A mistake of a whole spec that stands at one place in it."""

    def __init__(self, what: str, *loc: str | int) -> None:
        self.loc = loc
        super().__init__(what)


class Spec(BaseModel):
    """What all parts of all specs have in common."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=False, allow_inf_nan=False
    )


class FileSpec(Spec):
    """A spec that is a whole file; knows where it stands."""

    _path: Path = PrivateAttr(default=Path("<memory>"))
    _text: str = PrivateAttr(default="")
    _root: Path = PrivateAttr(default=Path("."))
    _allow_outside: bool = PrivateAttr(default=False)

    @property
    def path(self) -> Path:
        """The file this was read from."""
        return self._path

    @property
    def text(self) -> str:
        """The file's text, kept for the manifest."""
        return self._text

    @property
    def root(self) -> Path:
        """The project (or library) the file belongs to; data may not lie outside it."""
        return self._root

    @property
    def allow_outside(self) -> bool:
        """Whether the user allowed data outside the project (--allow-outside)."""
        return self._allow_outside

    def located(
        self, path: Path, text: str, root: Path, *, allow_outside: bool | None = None
    ) -> None:
        """Remember the origin; called once, by the reader."""
        self._path, self._text, self._root = path, text, root
        if allow_outside is not None:
            self._allow_outside = allow_outside
