"""Questions on animals with their answers, for tasks and for lessons alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from clips.animals import ACTIONS, COLOURS, COUNTS, GROUPS, NAMES, Zoo
from clips.wording import ACTION, GROUP, SPECIES, listed


@dataclass(frozen=True, slots=True)
class Question:
    """``choices`` is empty where the answer is free; ``kind`` is the class of results."""

    kind: str
    text: str
    answer: str
    choices: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """As the task renders it, where it has choices."""
        return listed(self.text, self.choices)


def options(rng: random.Random, right: str, pool: Sequence[str]) -> tuple[str, ...]:
    """The right answer among three others, in any order."""
    found = [right, *rng.sample([other for other in pool if other != right], 3)]
    rng.shuffle(found)
    return tuple(found)


def about_clip(rng: random.Random, zoo: Zoo) -> tuple[Question, ...]:
    """Species, group and action among four choices, as animal_mcq asks."""
    kind, action = zoo.first.species, zoo.first.action
    return (
        Question("species", SPECIES, kind.name, options(rng, kind.name, NAMES)),
        Question("class", GROUP, kind.group, options(rng, kind.group, GROUPS)),
        Question("action", ACTION, action, options(rng, action, ACTIONS)),
    )


def sentence(zoo: Zoo) -> str:
    """What happens, as animal_actions has it."""
    return f"The {zoo.first.species.name} is {zoo.first.action}."


def short_about_clip(rng: random.Random, zoo: Zoo) -> tuple[Question, ...]:
    """What, who and how, as in MSVD-QA."""
    first = zoo.first
    what = rng.choice(
        (
            Question("what", f"what is the {first.species.name} doing?", first.action),
            Question("what", f"what colour is the {first.species.name}?", first.species.colour),
        )
    )
    who = Question("who", f"who is {first.action}?", first.species.name)
    many = Question("how", "how many animals are there?", COUNTS[len(zoo.animals)])
    return what, who, many


def about_picture(rng: random.Random, zoo: Zoo) -> dict[str, tuple[Question, ...]]:
    """Questions of each of the image benchmarks on a picture of one to three animals."""
    kind, there = rng.choice(zoo.animals).species, [one.species.name for one in zoo.animals]
    absent = rng.choice([name for name in NAMES if name not in there])
    left_first = sorted(zoo.animals, key=lambda one: one.start[0])
    present = rng.random() < 0.5
    asked = kind.name if present else absent
    answer = "yes" if present else "no"
    many = Question("number", "How many animals are there?", str(len(there)))
    colour = Question("other", f"What colour is the {kind.name}?", kind.colour)
    is_there = Question("yes/no", f"Is there a {asked} in the picture?", answer)
    return {
        "gqa": (
            Question("query", f"What colour is the {kind.name}?", kind.colour),
            Question("query", "Which animal is on the left?", left_first[0].species.name),
            Question("verify", f"Is there a {asked} in the image?", answer),
        ),
        "pope": (Question("random", f"Is there a {asked} in the image?", answer),),
        "vqav2": (is_there, many, colour),
    }


def about_one(rng: random.Random, zoo: Zoo) -> dict[str, tuple[Question, ...]]:
    """Questions of the image benchmarks on a picture of one animal."""
    kind = zoo.first.species
    colours = options(rng, kind.colour, tuple(COLOURS))
    shapes = options(rng, kind.name, NAMES)
    groups = options(rng, kind.group, GROUPS)
    return {
        "vizwiz": (
            Question("other", "What is this?", kind.name),
            Question("other", "What colour is this?", kind.colour),
        ),
        "scienceqa": (Question("natural science", "Which group does this animal belong to?",
                               kind.group, groups),),
        "mmbench": (
            Question("attribute_recognition", "What colour is the animal?", kind.colour, colours),
            Question("object_localization", "Which animal is in the picture?", kind.name, shapes),
        ),
    }  # fmt: skip
