"""What of the texts is published: all, none, or all but what a pattern finds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import SelectionError

REDACTED = "[redacted]"


@dataclass(frozen=True)
class Texts:
    """``answers`` says whether answers, judges' replies and prompts are published, and errors,
    which may quote them; ``patterns`` find what is replaced in whatever is published, but for
    names and ids; ``prompts`` whether each answer's prompt stands beside it."""

    answers: bool = True
    prompts: bool = False
    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, redact: Sequence[str], *, answers: bool = True, prompts: bool = False) -> Texts:
        """Raises SelectionError for a pattern that is none."""
        found = []
        for pattern in redact:
            try:
                found.append(re.compile(pattern))
            except re.error as error:
                raise SelectionError(
                    f"--redact '{pattern}': is no regular expression: {error}"
                ) from None
            if found[-1].match(""):
                raise SelectionError(f"--redact '{pattern}': matches the empty text")
        return cls(answers, prompts, tuple(found))

    @property
    def whole(self) -> bool:
        """Whether everything is published as it is stored."""
        return self.answers and not self.patterns

    @property
    def words(self) -> tuple[object, ...]:
        """What determines the published texts, for a stamp."""
        return self.answers, self.prompts, tuple(one.pattern for one in self.patterns)

    def clean(self, text: str) -> str:
        """A text as it is published."""
        for pattern in self.patterns:
            text = pattern.sub(REDACTED, text)
        return text

    def all(self, values: Sequence[str | None]) -> list[str | None]:
        """A column of texts as it is published."""
        if not self.patterns:
            return list(values)
        return [None if value is None else self.clean(value) for value in values]

    def inside(self, value: Any) -> Any:
        """A value of JSON as it is published: its texts at any depth, its numbers (somebody's
        telephone is one) and the names of its fields."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.inside(one) for one in value]
        if isinstance(value, dict):
            return {self.clean(name): self.inside(one) for name, one in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = str(value)
            return value if self.clean(text) == text else self.clean(text)
        return value

    def json(self, text: str) -> str:
        """Text that is JSON, and stays so; what is none is cleaned as any text."""
        if not self.patterns:
            return text
        try:
            value = json.loads(text)
            return json.dumps(self.inside(value), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.clean(text)
