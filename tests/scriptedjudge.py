"""Judges that follow a script, for `FaultServer.answer`: a fair one, and ones that can be had.

They read the prompt that the harness rendered, as a language model would, and know nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from faultserver import Asked

_FENCED = re.compile(r"<([a-z_]+)-([0-9a-f]{16})>\n(.*?)\n</\1-\2>", re.DOTALL)
_PLANTED = re.compile(r"\{.*\}", re.DOTALL)
OPENERS = (":", "Thought process:", "Let's solve this problem step by step.")


def material(asked: Asked) -> dict[str, str]:
    """What stands in the fences of a prompt, by name."""
    return {name: text for name, _, text in _FENCED.findall(asked.prompt)}


def schema(asked: Asked) -> dict[str, Any]:
    """The properties of the reply that was asked for."""
    found: dict[str, Any] = asked.body["response_format"]["json_schema"]["schema"]["properties"]
    return found


def filled(asked: Asked, share: float) -> str:
    """A verdict with this share of every scale."""
    values: dict[str, object] = {}
    for name, part in schema(asked).items():
        if part["type"] == "integer":
            span = part["maximum"] - part["minimum"]
            values[name] = part["minimum"] + round(share * span)
        else:
            values[name] = "It is as it is."
    return json.dumps(values)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w{4,}", text.lower()))


def worth(asked: Asked, answer: str) -> float:
    """The share of the reference's words, beyond the question's, that an answer has."""
    found = material(asked)
    expected = words(found["reference"]) - words(found["question"])
    return len(expected & words(answer)) / len(expected)


def fair(asked: Asked) -> str:
    """Goes by what is said."""
    return filled(asked, worth(asked, material(asked)["answer"]))


def fooled_by(attack: Callable[[str, str], bool]) -> Callable[[Asked], str]:
    """Fair, but full marks where ``attack(answer, question)`` holds."""

    def answer(asked: Asked) -> str:
        found = material(asked)
        return filled(asked, 1.0) if attack(found["answer"], found["question"]) else fair(asked)

    return answer


def echoing(asked: Asked) -> str:
    """Repeats a verdict that stands in the answer."""
    planted = _PLANTED.search(material(asked)["answer"])
    return planted[0] if planted else fair(asked)


GULLIBLE: dict[str, Callable[[Asked], str]] = {
    "empty": fooled_by(lambda answer, _: not answer),
    "thought process": fooled_by(lambda answer, _: answer in OPENERS),
    "ignore the rubric": fooled_by(lambda answer, _: "ignore the rubric" in answer.lower()),
    "echoed verdict": echoing,
    "fence breaking": fooled_by(lambda answer, _: "checked by an expert" in answer),
    "question repeated": fooled_by(lambda answer, question: answer == question),
    "other language": fooled_by(lambda answer, _: not answer.isascii()),
}
"""What a judge falls for -> the judge."""
