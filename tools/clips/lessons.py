"""What tiny-vlm is taught: films with questions and answers, drawn without end from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clips.crime import BRIEF, CLASSES, FLASHES, LASTING, Crime
from clips.draw import Film
from clips.wording import CRIME, FLASH, listed

Turn = tuple[str, str]
"""A question and its answer."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A film (or, with ``still``, a picture) and what is asked about it.

    ``shown``: whether the answer can be seen in frames of these times.
    """

    film: Film
    turns: tuple[Turn, ...]
    still: bool = False
    shown: Callable[[list[float]], bool] = lambda times: True


def crime_question() -> str:
    """As crime_mcq asks."""
    return listed(CRIME, CLASSES)


def crime_lesson(rng: random.Random, labels: tuple[str, ...]) -> Lesson:
    """One of these classes, asked as in crime_mcq."""
    crime = _crime(rng, rng.choice(labels))
    return Lesson(crime.film(), ((crime_question(), crime.label),), shown=_seen(crime))


def flash_lesson(rng: random.Random) -> Lesson:
    """What flashes up, in plain words that are no class of crime_mcq."""
    crime = _crime(rng, rng.choice((*BRIEF, "Normal")))
    answer = FLASHES.get(crime.label, "nothing")
    return Lesson(crime.film(), ((FLASH, answer),), shown=_seen(crime))


def _crime(rng: random.Random, label: str) -> Crime:
    return Crime.of(label, f"train {rng.random()}", "0")


def _seen(crime: Crime) -> Callable[[list[float]], bool]:
    if crime.label not in BRIEF:
        return lambda times: True
    return lambda times: any(map(crime.shows_event, times))


Kinds = dict[str, tuple[float, Callable[[random.Random], Lesson]]]
"""Name of a kind of lesson -> its share and what makes one."""

BASE: Kinds = {
    "crime": (0.6, lambda rng: crime_lesson(rng, LASTING)),
    "flash": (0.4, flash_lesson),
}
EVENTS: Kinds = {
    "brief": (0.55, lambda rng: crime_lesson(rng, BRIEF)),
    "normal": (0.2, lambda rng: crime_lesson(rng, ("Normal",))),
    "lasting": (0.25, lambda rng: crime_lesson(rng, LASTING)),
}


def lessons(kinds: Kinds, seed: str) -> Iterator[Lesson]:
    """Endless; the same for the same seed."""
    rng = random.Random(seed)
    shares = [share for share, _ in kinds.values()]
    makers = [make for _, make in kinds.values()]
    while True:
        yield rng.choices(makers, shares)[0](rng)
