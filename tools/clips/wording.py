"""The questions of the offline tasks, as their task files render them."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CRIME = "Which of these does the surveillance video show?"
FLASH = "What flashes up in the video?"


def listed(question: str, choices: Sequence[str]) -> str:
    """The prompt of a multiple-choice task; `listed.jinja` in its task file says the same."""
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
    return "\n".join([question, *lines, "Answer:"])
