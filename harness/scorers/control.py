"""References of other samples: what an answer scores when it is about something else.

An answer in the right format shares words with every reference. The same metric against other
samples' references shows how much of a score is format; only what lies above it is content.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

FEW = 200
MANY_SHIFTS, ONE_SHIFT = 5, 1


@dataclass(frozen=True, slots=True)
class Controls:
    """The distinct references on a circle, in an order that the seed decides.

    ``others[text]`` are the texts that follow on the circle: never ``text`` itself, so a
    derangement for each shift. Empty if all samples have the same reference.
    """

    others: dict[str, tuple[str, ...]]
    place: dict[str, int]

    def along(self, references: Sequence[str]) -> list[int]:
        """Indices of the references, ordered along the circle.

        Who works in this order meets a text and its controls close together.
        """
        return sorted(range(len(references)), key=lambda index: self.place[references[index]])


def make_controls(references: Sequence[str], seed: int) -> Controls:
    """Put the distinct references on the circle.

    The result depends on the set of texts and the seed only, not on order or repetition: two
    models that answered the same samples are measured against the same controls. 5 controls a
    sample up to 200 distinct references, 1 above.
    """
    circle = sorted(set(references))
    random.Random(seed).shuffle(circle)
    size = len(circle)
    shifts = min(MANY_SHIFTS if size <= FEW else ONE_SHIFT, size - 1)
    others = {
        text: tuple(circle[(index + shift) % size] for shift in range(1, shifts + 1))
        for index, text in enumerate(circle)
    }
    return Controls(others, {text: index for index, text in enumerate(circle)})
