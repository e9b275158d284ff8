"""What judges speak of: the material that is judged, and why a reply could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError


class Unreadable(HarnessError):
    """A judge's reply that holds no valid verdict; the message is one line that says why."""


class Refused(Unreadable):
    """A judge's reply that says it will not judge; asking again would only be paid again."""


@dataclass(frozen=True, slots=True)
class Material:
    """What one call of a judge is about. ``answer_b`` is the second answer of a pairwise call.

    ``media`` are paths as the data has them, relative ones beside the data: in ``folder``.
    """

    question: str
    reference: str | None
    answer: str
    answer_b: str | None = None
    media: tuple[str, ...] = ()
    folder: str = field(default="", compare=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the media are."""
        return tuple(str(Path(self.folder, path)) for path in self.media)
