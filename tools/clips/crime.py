"""Stand-ins for the scenes of crime_mcq: two walkers, a house, and what happens to them.

Six classes can be seen nearly throughout the clip, five are an event of 0.2 s at any time of it.
Where the walkers are at first is drawn in the same way for all classes, before anything else.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from clips.draw import SECONDS, Colour, Film, Pen, Place, distance, mixed

CLASSES = (
    "Abuse", "Arrest", "Arson", "Assault", "Burglary", "Explosion", "Fighting", "Normal",
    "Road Accident", "Robbery", "Shooting",
)  # fmt: skip
BRIEF = ("Abuse", "Assault", "Explosion", "Robbery", "Shooting")
LASTING = tuple(name for name in CLASSES if name not in BRIEF)
FLASHES = {
    "Abuse": "a ring", "Assault": "a cross", "Explosion": "a disc", "Robbery": "a box",
    "Shooting": "a line",
}  # fmt: skip
EVENT = 0.2
"""Seconds that a brief event lasts: three frames of the clip."""
GROUNDS = ((196, 196, 190), (184, 190, 196), (200, 192, 182), (178, 186, 176), (190, 182, 190))
COATS = ((70, 74, 80), (104, 84, 66), (58, 84, 66), (62, 70, 104), (120, 116, 108), (96, 64, 70))
WALLS = ((134, 104, 88), (120, 120, 128), (146, 128, 98))


@dataclass(frozen=True, slots=True)
class Scene:
    """What clips that are cut from one source video share."""

    ground: Colour
    wall: Colour
    house: Place
    coats: tuple[Colour, Colour]

    @classmethod
    def of(cls, seed: str) -> Scene:
        """The scene of a seed."""
        rng = random.Random(f"scene {seed}")
        one, two = rng.sample(COATS, 2)
        house = (rng.uniform(18, 78), 15.0)
        return cls(rng.choice(GROUNDS), rng.choice(WALLS), house, (one, two))


@dataclass(frozen=True, slots=True)
class Crime:
    """A clip: its class, where the walkers start and go, when the event is."""

    label: str
    scene: Scene
    starts: tuple[Place, Place]
    speeds: tuple[Place, Place]
    begin: float
    spot: Place
    turn: float
    lasts: float = EVENT

    @classmethod
    def of(cls, label: str, scene: str, cut: str) -> Crime:
        """The clip of a class, a scene's seed and a cut's seed."""
        rng = random.Random(f"cut {scene} {cut}")
        starts = _starts(rng)
        begin = round(rng.uniform(0.1, SECONDS - 0.3) * 15) / 15 if label in BRIEF else 0.0
        if label in ("Arson", "Burglary"):
            begin = rng.uniform(0.2, 0.6)
        elif label not in BRIEF:
            begin = rng.uniform(0.45, 0.8)
        spot = (rng.uniform(24, 72), rng.uniform(36, 74))
        return cls(
            label, Scene.of(scene), starts, _speeds(rng, starts), begin, spot,
            rng.uniform(0, 2 * math.pi),
        )  # fmt: skip

    @property
    def events(self) -> list[list[float]]:
        """[start, end] in seconds; none for a normal clip."""
        if self.label == "Normal":
            return []
        end = self.begin + self.lasts if self.label in BRIEF else SECONDS
        return [[round(self.begin, 3), round(end, 3)]]

    def shows_event(self, time: float) -> bool:
        """Whether a brief event is on display in the frame that is shown at this time."""
        return self.label in BRIEF and self.begin - 1e-6 <= time < self.begin + self.lasts - 1e-6

    def walkers(self, time: float) -> tuple[Place, Place]:
        """Where the two are."""
        one, two = (_walk(s, v, time) for s, v in zip(self.starts, self.speeds, strict=True))
        middle = mixed(*self.starts, 0.5)
        if self.label == "Burglary":
            one = mixed(self.starts[0], self.scene.house, time / (self.begin + 0.4))
        elif self.label in ("Fighting", "Arrest", "Road Accident"):
            apart = 14.0 if self.label == "Road Accident" else 7.5
            one, two = self._together(time, middle, apart)
        return one, two

    def _together(self, time: float, middle: Place, apart: float) -> tuple[Place, Place]:
        angle = math.atan2(
            self.starts[1][1] - self.starts[0][1], self.starts[1][0] - self.starts[0][0]
        )
        since = max(0.0, time - self.begin)
        if self.label == "Fighting":
            angle += 9.0 * since
            wild = 3.0 * math.sin(23.0 * since + self.turn)
            middle = (middle[0] + wild, middle[1] + 2.0 * math.sin(31.0 * since))
            apart += wild / 2
        elif self.label == "Arrest":
            middle = _walk(middle, (12 * math.cos(self.turn), 12 * math.sin(self.turn)), since)
        step = (apart * math.cos(angle), apart * math.sin(angle))
        ends = (
            (middle[0] - step[0], middle[1] - step[1]),
            (middle[0] + step[0], middle[1] + step[1]),
        )
        share = time / self.begin
        return mixed(self.starts[0], ends[0], share), mixed(self.starts[1], ends[1], share)

    def film(self) -> Film:
        """What is to be seen."""
        return Film(self._paint)

    def _paint(self, time: float, scale: int) -> Pen:
        pen = Pen(self.scene.ground, scale)
        one, two = self.walkers(time)
        x, y = self.scene.house
        entered = self.label == "Burglary" and time > self.begin + 0.4
        pen.box((x, y), 28, 20, self.scene.wall)
        pen.box((x, y + 2), 16 if entered else 8, 14, (250, 220, 90) if entered else (60, 52, 48))
        if self.label == "Arson":
            self._fire(pen, time)
        for number, at in enumerate((one, two)):
            if self.label == "Road Accident":
                angle = math.atan2(two[1] - one[1], two[0] - one[0])
                angle += number * 0.9 * (time > self.begin)
                pen.box(at, 24, 13, self.scene.coats[number], angle)
            elif not (entered and number == 0):
                pen.disc(at, 7, self.scene.coats[number])
        if self.label == "Arrest" and time > self.begin:
            pen.ring(mixed(one, two, 0.5), 19, 4, (40, 90, 250))
        if self.shows_event(time):
            self._event(pen, one, two)
        return pen

    def _fire(self, pen: Pen, time: float) -> None:
        if time > self.begin:
            size = min(22.0, 8 + 14 * (time - self.begin)) + 2 * math.sin(29 * time)
            pen.triangle(self.spot, size, (240, 120, 30))
            pen.triangle((self.spot[0], self.spot[1] + size * 0.3), size * 0.5, (250, 210, 60))

    def _event(self, pen: Pen, one: Place, two: Place) -> None:
        if self.label == "Explosion":
            pen.disc(self.spot, 27, (255, 248, 200))
        elif self.label == "Shooting":
            pen.line(one, two, 6, (255, 255, 120))
        elif self.label == "Robbery":
            pen.box(mixed(one, two, 0.5), 19, 19, (225, 40, 200))
        elif self.label == "Assault":
            pen.cross(two, 11, 6, (225, 25, 25))
        else:
            pen.ring(two, 17, 5.5, (40, 210, 210))


def _starts(rng: random.Random) -> tuple[Place, Place]:
    while True:
        one = (rng.uniform(14, 82), rng.uniform(36, 82))
        two = (rng.uniform(14, 82), rng.uniform(36, 82))
        if distance(one, two) >= 34:
            return one, two


def _speeds(rng: random.Random, starts: tuple[Place, Place]) -> tuple[Place, Place]:
    """Both walk on without ever coming near each other."""
    for _ in range(60):
        speeds = [_speed(rng), _speed(rng)]
        places = [
            [_walk(s, v, t / 5) for s, v in zip(starts, speeds, strict=True)] for t in range(16)
        ]
        if all(distance(*pair) > 28 for pair in places):
            return speeds[0], speeds[1]
    return (0.0, 0.0), (0.0, 0.0)


def _speed(rng: random.Random) -> Place:
    angle, pace = rng.uniform(0, 2 * math.pi), rng.uniform(3, 15)
    return pace * math.cos(angle), pace * math.sin(angle)


def _walk(start: Place, speed: Place, time: float) -> Place:
    """Straight on, turning back at the edges."""
    return (
        _bounced(start[0] + speed[0] * time, 12, 84),
        _bounced(start[1] + speed[1] * time, 34, 84),
    )


def _bounced(value: float, low: float, high: float) -> float:
    span = high - low
    place = (value - low) % (2 * span)
    return low + (place if place <= span else 2 * span - place)
