"""What tiny-vlm is taught: films with questions and answers, drawn without end from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from clips.animals import ACTIONS, SPECIES, Zoo, blank
from clips.crime import BRIEF, CLASSES, EVENT, FLASHES, LASTING, Crime
from clips.draw import SECONDS, Film
from clips.exercise import ERRORS, EXERCISES, Exercise
from clips.questions import about_clip, about_one, about_picture, sentence, short_about_clip
from clips.wording import CRIME, DOES, FEEDBACK, FLASH, FORM_ERRORS, LETTERS, NAME, listed, short

LENGTHS = (EVENT, EVENT, 0.6, 1.2, 3.0)
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


Maker = Callable[[random.Random], Lesson]


def crime(labels: tuple[str, ...]) -> Maker:
    """One of these classes, asked as in crime_mcq."""

    def make(rng: random.Random) -> Lesson:
        clip = _crime(rng, rng.choice(labels))
        asked = listed(CRIME, CLASSES)
        return Lesson(clip.film(), ((asked, clip.label),), shown=_seen(clip))

    return make


def flash(rng: random.Random) -> Lesson:
    """What flashes up, in plain words that are no class of crime_mcq."""
    clip = _crime(rng, rng.choice((*BRIEF, "Normal")))
    answer = FLASHES.get(clip.label, "nothing")
    return Lesson(clip.film(), ((FLASH, answer),), shown=_seen(clip))


def flash_picture(rng: random.Random) -> Lesson:
    """The same in a single picture."""
    clip = _crime(rng, rng.choice((*BRIEF, "Normal")))
    film = clip.film()
    moment = clip.begin + 0.01 if clip.label in BRIEF else rng.uniform(0, SECONDS)
    still = Film(lambda time, scale: film.paint(moment, scale))
    return Lesson(still, ((FLASH, FLASHES.get(clip.label, "nothing")),), still=True)


def name(rng: random.Random) -> Lesson:
    """The names of all classes, of which nothing is said but the letter that they have."""
    label = rng.choice(CLASSES)
    film = _crime(rng, "Normal").film()
    asked = NAME.format(LETTERS[CLASSES.index(label)])
    return Lesson(film, ((listed(asked, CLASSES), label),), still=True)


def _crime(rng: random.Random, label: str) -> Crime:
    """Brief events are at times longer than those of the task, which makes a beginning easier."""
    clip = Crime.of(label, f"train {rng.random()}", "0")
    lasts = rng.choice(LENGTHS)
    begin = max(0.0, min(clip.begin, SECONDS - lasts)) if label in BRIEF else clip.begin
    return replace(clip, lasts=lasts, begin=begin)


def _seen(clip: Crime) -> Callable[[list[float]], bool]:
    if clip.label not in BRIEF:
        return lambda times: True
    return lambda times: any(map(clip.shows_event, times))


def animals(rng: random.Random) -> Lesson:
    """Everything that the tasks on animals ask, about one clip, in any order."""
    zoo = Zoo.moving(rng, rng.choice(SPECIES), rng.choice(ACTIONS), rng.randrange(3))
    turns = [(one.prompt, one.answer) for one in about_clip(rng, zoo)]
    turns += [(short(one.text), one.answer) for one in short_about_clip(rng, zoo)]
    turns.append((DOES, sentence(zoo)))
    rng.shuffle(turns)
    return Lesson(zoo.film(), tuple(turns[:4]))


def pictures(rng: random.Random) -> Lesson:
    """Questions on a picture, as the image benchmarks ask."""
    if rng.random() < 0.06:
        asked = rng.choice(("What is this?", "What colour is this?"))
        return Lesson(blank(rng), ((short(asked), "unanswerable"),), still=True)
    zoo = Zoo.still(rng, rng.choice((1, 1, 2, 3)))
    found = about_picture(rng, zoo) | (about_one(rng, zoo) if len(zoo.animals) == 1 else {})
    questions = [one for group in found.values() for one in group]
    rng.shuffle(questions)
    turns = [(one.prompt if one.choices else short(one.text), one.answer) for one in questions]
    return Lesson(zoo.film(), tuple(turns[:4]), still=True)


def exercises(rng: random.Random) -> Lesson:
    """Feedback and form errors."""
    name = rng.choice(EXERCISES)
    error = rng.choice(("", *ERRORS[name]))
    clip = Exercise.of(rng, name, error)
    turns = [(FEEDBACK, clip.feedback), (FORM_ERRORS, clip.answer)]
    rng.shuffle(turns)
    return Lesson(clip.film(), tuple(turns))


Kinds = dict[str, tuple[float, Maker]]
"""Name of a kind of lesson -> its share, and what makes one."""

BASE: Kinds = {
    "crime": (0.28, crime(LASTING)),
    "flash": (0.22, flash),
    "animals": (0.30, animals),
    "exercises": (0.20, exercises),
}
STILLS: Kinds = {"pictures": (0.6, pictures), "flash": (0.4, flash_picture)}
NAMES: Kinds = {"names": (0.6, name), "pictures": (0.25, pictures), "flash": (0.15, flash_picture)}
EVENTS: Kinds = {
    "brief": (0.55, crime(BRIEF)),
    "normal": (0.2, crime(("Normal",))),
    "lasting": (0.25, crime(LASTING)),
}


def lessons(kinds: Kinds, seed: str) -> Iterator[Lesson]:
    """Endless; the same for the same seed."""
    rng = random.Random(seed)
    shares = [share for share, _ in kinds.values()]
    makers = [make for _, make in kinds.values()]
    while True:
        yield rng.choices(makers, shares)[0](rng)
