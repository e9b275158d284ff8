"""The questions of the offline tasks, as their rows have them and their task files render them."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CRIME = "Which of these does the surveillance video show?"
FLASH = "What flashes up in the video?"
NAME = "Which of these stands behind the letter {}?"
SPECIES = "Which of these animals does the video show?"
GROUP = "To which of these groups does the animal in the video belong?"
ACTION = "Which of these does an animal in the video do?"
DOES = "What happens in this video of animals?"
FEEDBACK = (
    "Which exercise does the person in the video do, is it done well, and what should be corrected?"
)
FORM_ERRORS = "Which form errors does the person in the video make, and when?"
SHORT = "Answer the question using a single word or phrase."
"""The line that the authors of LLaVA put behind questions with short answers."""


def listed(question: str, choices: Sequence[str]) -> str:
    """The prompt of a multiple-choice task."""
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
    return "\n".join([question, *lines, "Answer:"])


def short(question: str) -> str:
    """The prompt of a task with short answers."""
    return f"{question}\n{SHORT}"
