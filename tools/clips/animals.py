"""Stand-ins for animals: shapes in colours of their own that rest, jump, run, circle or climb."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from clips.draw import SIZE, Colour, Film, Pen, Place, distance


@dataclass(frozen=True, slots=True)
class Species:
    """What stands for an animal."""

    name: str
    group: str
    shape: str
    colour: str


SPECIES = (
    Species("frog", "Amphibian", "disc", "green"),
    Species("newt", "Amphibian", "triangle", "green"),
    Species("fox", "Mammal", "triangle", "orange"),
    Species("bear", "Mammal", "disc", "black"),
    Species("crow", "Bird", "triangle", "black"),
    Species("swan", "Bird", "disc", "white"),
    Species("shark", "Fish", "triangle", "blue"),
    Species("goldfish", "Fish", "disc", "orange"),
    Species("crab", "Crustacean", "square", "red"),
    Species("lobster", "Crustacean", "square", "blue"),
)
NAMES = tuple(one.name for one in SPECIES)
GROUPS = tuple(dict.fromkeys(one.group for one in SPECIES))
COLOURS: dict[str, Colour] = {
    "green": (40, 170, 60), "orange": (245, 140, 20), "black": (25, 25, 30),
    "white": (250, 250, 250), "blue": (40, 80, 225), "red": (215, 30, 35),
}  # fmt: skip
SHAPES = ("disc", "triangle", "square")
ACTIONS = ("resting", "jumping", "running", "circling", "climbing")
MEADOWS = ((206, 220, 190), (196, 216, 224), (222, 212, 190), (204, 204, 210))
COUNTS = ("none", "one", "two", "three")
RADIUS = 12.0


@dataclass(frozen=True, slots=True)
class Animal:
    """One animal: where it is at first, and how it moves."""

    species: Species
    start: Place
    action: str = "resting"
    sense: int = 1
    phase: float = 0.0

    def at(self, time: float) -> Place:
        """Its place; the start is the same for all actions."""
        x, y = self.start
        if self.action == "jumping":
            y -= 24 * abs(math.sin(math.pi * time * 1.1))
        elif self.action == "running":
            x = _there_and_back(x + self.sense * 52 * time)
        elif self.action == "climbing":
            y -= min(20 * time, y - 14)
        elif self.action == "circling":
            angle = 2.8 * time * self.sense
            x += 15 * (math.cos(self.phase + angle) - math.cos(self.phase))
            y += 15 * (math.sin(self.phase + angle) - math.sin(self.phase))
        return x, y

    def draw(self, pen: Pen, time: float) -> None:
        """The shape in its colour."""
        at, colour = self.at(time), COLOURS[self.species.colour]
        if self.species.shape == "disc":
            pen.disc(at, RADIUS, colour)
        elif self.species.shape == "triangle":
            pen.triangle(at, RADIUS * 1.2, colour)
        else:
            pen.box(at, RADIUS * 1.9, RADIUS * 1.9, colour)


@dataclass(frozen=True, slots=True)
class Zoo:
    """A clip or a picture with one animal or more; the first is the one that is asked about."""

    meadow: Colour
    animals: tuple[Animal, ...]

    @classmethod
    def moving(cls, rng: random.Random, species: Species, action: str, others: int = 0) -> Zoo:
        """One animal that does something, and others that rest."""
        start = (rng.uniform(36, 60), rng.uniform(46, 58))
        first = Animal(species, start, action, rng.choice((-1, 1)), rng.uniform(0, 6.28))
        places = [(15.0, 15.0), (81.0, 15.0)]
        rng.shuffle(places)
        others = others if action != "resting" else 0  # or who rests would have several answers
        pool = [one for one in SPECIES if one != species]
        more = [Animal(rng.choice(pool), place) for place in places[:others]]
        return cls(rng.choice(MEADOWS), (first, *more))

    @classmethod
    def still(cls, rng: random.Random, count: int) -> Zoo:
        """So many animals, of species that all differ, none of them over another."""
        kinds = rng.sample(SPECIES, count)
        while True:
            places = [(rng.uniform(16, 80), rng.uniform(16, 80)) for _ in kinds]
            pairs = [(a, b) for i, a in enumerate(places) for b in places[:i]]
            if all(distance(a, b) > 34 and abs(a[0] - b[0]) > 14 for a, b in pairs):
                animals = [Animal(kind, at) for kind, at in zip(kinds, places, strict=True)]
                return cls(rng.choice(MEADOWS), tuple(animals))

    @property
    def first(self) -> Animal:
        """The one that is asked about."""
        return self.animals[0]

    def film(self) -> Film:
        """What is to be seen."""
        return Film(self._paint)

    def _paint(self, time: float, scale: int) -> Pen:
        pen = Pen(self.meadow, scale)
        for animal in reversed(self.animals):
            animal.draw(pen, time)
        return pen


def blank(rng: random.Random) -> Film:
    """A picture on which nothing can be made out."""
    grey = rng.randrange(20, 60)
    return Film(lambda time, scale: Pen((grey, grey, grey + 6), scale))


def _there_and_back(x: float) -> float:
    low, high = 14.0, SIZE - 14.0
    span = high - low
    place = (x - low) % (2 * span)
    return low + (place if place <= span else 2 * span - place)
