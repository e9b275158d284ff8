"""Stand-ins for exercises: a figure of three strokes that squats, lunges, pushes up or lifts arms.

Each film shows two repetitions of 1.5 s; an error is made in one of them or in both.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from clips.draw import Colour, Film, Pen, Place

EXERCISES = ("squats", "lunges", "push-ups", "shoulder raises")
ERRORS: dict[str, tuple[str, ...]] = {
    "squats": ("knee_valgus", "forward_lean", "incomplete_range"),
    "lunges": ("knee_valgus", "forward_lean", "incomplete_range"),
    "push-ups": ("poor_alignment", "incomplete_range"),
    "shoulder raises": ("poor_alignment", "incomplete_range"),
}
REPETITION = 1.5
ROOMS = ((226, 226, 220), (214, 222, 228), (230, 220, 208))
SKIN, SHIRT, LEGS, ARMS = (236, 180, 140), (40, 90, 200), (50, 50, 60), (220, 120, 40)
KNEES = (220, 40, 60)
PRAISE = {
    "squats": "Good squats: you go low, your knees follow your toes and your chest stays up.",
    "lunges": "Good lunges: you go low, your front knee stays above the foot, you are upright.",
    "push-ups": "Good push-ups: your body is a straight line and your chest nears the floor.",
    "shoulder raises": "Good shoulder raises: both arms come up evenly, your trunk is still.",
}
ADVICE = {
    ("squats", "knee_valgus"): "Your knees fall inwards; push them out over your toes.",
    ("squats", "forward_lean"): "Your trunk leans too far forward; keep your chest up.",
    ("squats", "incomplete_range"): "You do not go low enough; bend until your thighs are level.",
    ("lunges", "knee_valgus"): "Your front knee falls inwards; keep it above the foot.",
    ("lunges", "forward_lean"): "Your trunk leans too far forward; stay upright over your hips.",
    ("lunges", "incomplete_range"): "You do not go low enough; lower the back knee to the floor.",
    ("push-ups", "poor_alignment"): "Your hips sag; tighten your belly and keep a straight line.",
    ("push-ups", "incomplete_range"): "You do not go low enough; bring your chest to the floor.",
    ("shoulder raises", "poor_alignment"): "Your trunk leans aside; stand tall, lift evenly.",
    ("shoulder raises", "incomplete_range"): "Your arms stay too low; lift to shoulder height.",
}  # fmt: skip


def plain(error: str) -> str:
    """`knee_valgus` as people say it."""
    return error.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Exercise:
    """A film: which exercise, which error (or none) in which of the two repetitions."""

    name: str
    error: str
    bad: tuple[bool, bool]
    room: Colour
    middle: float

    @classmethod
    def of(cls, rng: random.Random, name: str, error: str) -> Exercise:
        """``error`` may be empty."""
        bad = rng.choice(((True, False), (False, True), (True, True)))
        return cls(name, error, bad, rng.choice(ROOMS), rng.uniform(40, 56))

    @property
    def error_times(self) -> list[float]:
        """When the error is greatest, in seconds: in the middle of each repetition that has it."""
        if not self.error:
            return []
        return [round((k + 0.5) * REPETITION, 2) for k, bad in enumerate(self.bad) if bad]

    @property
    def feedback(self) -> str:
        """What a physiotherapist might say."""
        if not self.error:
            return PRAISE[self.name]
        return f"You do {self.name}. {ADVICE[self.name, self.error]}"

    @property
    def answer(self) -> str:
        """The errors with their times, or `no error`."""
        told = [f"{plain(self.error)} at {time:.1f} s" for time in self.error_times]
        return "; ".join(told) or "no error"

    def film(self) -> Film:
        """What is to be seen."""
        return Film(self._paint)

    def _paint(self, time: float, scale: int) -> Pen:
        pen = Pen(self.room, scale)
        pen.box((48, 90), 96, 12, (176, 164, 150))
        number = min(1, int(time / REPETITION))
        depth = math.sin(math.pi * (time - number * REPETITION) / REPETITION) ** 2
        error = self.error if self.bad[number] else ""
        if self.name == "push-ups":
            self._push_up(pen, depth, error)
        elif self.name == "shoulder raises":
            self._raise(pen, depth, error)
        else:
            self._bend(pen, depth, error)
        return pen

    def _bend(self, pen: Pen, depth: float, error: str) -> None:
        x, low = self.middle, 84.0
        hips = (x, 56 + (8 if error == "incomplete_range" else 20) * depth)
        lean = 23 * depth if error == "forward_lean" else 0.0
        neck = (x + lean, hips[1] - 28 + lean / 4)
        feet = (x - 22, x + 22) if self.name == "lunges" else (x - 9, x + 9)
        for foot in feet:
            out = (foot - x) * (1.0 + 0.9 * depth * (self.name == "squats"))
            knee = (x + out, (hips[1] + low) / 2)
            if error == "knee_valgus":
                knee = (x + out * (1 - depth), knee[1])
            pen.line(hips, knee, 6, LEGS)
            pen.line(knee, (foot, low), 6, LEGS)
            if error == "knee_valgus" and depth > 0.3:
                pen.disc(knee, 5, KNEES)
        self._trunk(pen, hips, neck)
        pen.line(neck, (neck[0] + 18, neck[1] + 4), 5, ARMS)

    def _raise(self, pen: Pen, depth: float, error: str) -> None:
        x = self.middle
        hips = (x, 58.0)
        neck = (x + (20 * depth if error == "poor_alignment" else 0), 30.0)
        for side in (-1, 1):
            pen.line(hips, (x + side * 7, 84), 6, LEGS)
            angle = (0.6 if error == "incomplete_range" else 1.6) * depth
            hand = (neck[0] + side * (4 + 24 * math.sin(angle)), neck[1] + 4 + 24 * math.cos(angle))
            pen.line(neck, hand, 6, ARMS)
        self._trunk(pen, hips, neck)

    def _push_up(self, pen: Pen, depth: float, error: str) -> None:
        x = self.middle
        sunk = (6 if error == "incomplete_range" else 17) * depth
        neck, feet = (x + 26, 58 + sunk), (x - 34, 82.0)
        hips = (x - 4, (neck[1] + feet[1]) / 2 + (14 * depth if error == "poor_alignment" else 0))
        pen.line(feet, hips, 6, LEGS)
        pen.line(neck, (x + 26, 84), 6, ARMS)
        self._trunk(pen, hips, neck)

    def _trunk(self, pen: Pen, hips: Place, neck: Place) -> None:
        pen.line(hips, neck, 9, SHIRT)
        length = math.dist(hips, neck)
        step = ((neck[0] - hips[0]) / length, (neck[1] - hips[1]) / length)
        pen.disc((neck[0] + 8 * step[0], neck[1] + 8 * step[1]), 7, SKIN)
