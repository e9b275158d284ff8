"""When an error happens: times or frame numbers in an answer against those of the row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import SHARE, ScorerContext, mean_of
from harness.scorers.columns import NEEDED, demand, has, json_in, numbers_in, unusable

Unit = Literal["s", "frames"]
COLUMNS: dict[Unit, str] = dict(zip(("s", "frames"), NEEDED["frame_localization"], strict=True))
TOLERANCE: dict[Unit, float] = {"s": 0.5, "frames": 5.0}
KEYS: dict[Unit, tuple[str, ...]] = {
    "s": ("times", "error_times", "timestamps", "time"),
    "frames": ("frames", "error_frames", "frame"),
}
"""Keys under which an answer's JSON may tell them."""
LIMIT = 1000
"""So many positions of an answer are read."""
LONGEST = 20_000
"""Characters of an answer that are looked at, JSON apart."""

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_AND = r"\s{0,3}(?:,\s{0,3}and\s|,|;|&|-|–|\band\b|\bto\b|\bor\b)\s{0,3}"
_MANY = rf"(?:{_NUMBER}(?:\s?s)?{_AND}){{0,100}}{_NUMBER}"
_CLOCK = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,3}):(\d{2}(?:\.\d{1,9})?)(?![\d:])")
_TIMES = re.compile(
    rf"(?<![\w.:])(?P<many>{_MANY})\s?(?P<unit>ms|milliseconds?|s|secs?|seconds?)(?![^\W_])"
    rf"|(?<![^\W_])(?:seconds?|t\s?=)\s?(?P<after>{_MANY})(?![\w:])"
)
_FRAMES = re.compile(
    rf"(?<![^\W_])frames?(?:\s+(?:numbers?|no\.?|nr\.?))?[\s:#*=(\[]{{0,4}}(?P<after>{_MANY})(?!\w|[.:]\d)"
    r"|(?<![\w.])(?P<ordinal>\d{1,9})(?:st|nd|rd|th)\s+frames?(?![^\W_])"
)
_BARE = re.compile(rf"[\s\[(]*{_MANY}[\s\])]*\.?\s*")


class FrameLocalization:
    """F1 of the positions in the answer against `error_times` (seconds) or `error_frames`.

    Positions are matched one to one, none further apart than the tolerance (0.5 s, 5 frames):
    as many as can be, and of those matchings the one with the least offset. 1 if neither side has
    a position. A column that is no list of numbers is an error. Where a row has both, times are
    compared unless the answer tells frames alone; an answer in the other unit than the row's is
    wrong, since nothing says how to convert.

    Read are: JSON with `times` or `frames` (numbers, "00:01"); "1.2 s", "1, 2 and 3 seconds",
    "1200 ms", "00:01", "01:02:03"; "frame 12", "frames 12, 15", "the 12th frame"; and an answer of
    bare numbers, which has the row's unit. The ends of a range are two positions. An empty answer
    is wrong. detail = (matched, told, true, summed offset of the matched in the row's unit).
    """

    version = 1
    higher_is_better = True
    scale = SHARE

    def __init__(self, tolerance: float | None) -> None:
        self._tolerance = TOLERANCE if tolerance is None else {"s": tolerance, "frames": tolerance}
        own = "" if tolerance is None else f"[{tolerance:g}]"
        self.name = f"frame_localization{own}"
        within = "0.5 s or 5 frames" if tolerance is None else f"{tolerance:g} (s or frames)"
        self.method = f"mean F1 of times or frames matched one to one within {within}"

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`. Raises HarnessError if no row has one of the columns."""
        demand("frame_localization", samples, completions)
        return [
            Score.of_failure(completion) if completion.failed else self._score(sample, completion)
            for sample, completion in zip(samples, completions, strict=True)
        ]

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean of the samples' F1."""
        return mean_of(scores)

    def _score(self, sample: Sample, completion: Completion) -> Score:
        there = {unit: column for unit, column in COLUMNS.items() if has(sample.row, column)}
        known = {unit: _numbers(sample.row, column) for unit, column in there.items()}
        wrong = [column for unit, column in there.items() if known[unit] is None]
        if wrong or not known:
            return unusable(sample, *(wrong or COLUMNS.values()))
        units = list(known)
        told = read_positions(completion.text)
        unit = next((one for one in units if told.of(one)), units[0])
        true = known[unit] or []
        if not completion.text.strip():
            return Score(0.0, detail=(0.0, 0.0, len(true), 0.0), explanation="the answer is empty")
        mine = told.of(unit)
        matched, offset = match(mine, true, self._tolerance[unit])
        value = 2 * matched / (len(mine) + len(true)) if mine or true else 1.0
        return Score(
            value,
            answer=", ".join(f"{place:g}" for place in mine[:20]) + f" {unit}" if mine else None,
            detail=(float(matched), float(len(mine)), float(len(true)), offset),
            explanation=_words(told, unit, matched, offset),
        )


def frame_localization(spec: ScoreSpec, context: ScorerContext) -> FrameLocalization:
    """F1 of the times or frames of errors."""
    return FrameLocalization(spec.tolerance)


def mean_offset(scores: Sequence[Score]) -> float | None:
    """Mean absolute offset of all matched positions, in the rows' unit; None if none matched."""
    rows = [score.detail for score in scores if score.value is not None]
    matched = math.fsum(row[0] for row in rows)
    return math.fsum(row[3] for row in rows) / matched if matched else None


@dataclass(frozen=True, slots=True)
class Positions:
    """What an answer tells, each position once and in order; ``bare`` numbers have no unit."""

    s: tuple[float, ...] = ()
    frames: tuple[float, ...] = ()
    bare: tuple[float, ...] = ()

    def of(self, unit: Unit) -> tuple[float, ...]:
        """The positions in a unit."""
        return (self.s if unit == "s" else self.frames) or self.bare


def read_positions(text: str) -> Positions:
    """Times in seconds and frame numbers in an answer."""
    value = json_in(text)
    if isinstance(value, Mapping):
        found = {unit: _under(value, keys) for unit, keys in KEYS.items()}
        if any(one is not None for one in found.values()):
            return Positions(s=_ordered(found["s"] or ()), frames=_ordered(found["frames"] or ()))
    folded = text[:LONGEST].casefold()
    found_in_text = Positions(s=_ordered(_times(folded)), frames=_ordered(_frames(folded)))
    if found_in_text != Positions():
        return found_in_text
    if isinstance(value, list):
        return Positions(bare=_ordered(_many(value)))
    return Positions(bare=_ordered(_floats(folded)) if _BARE.fullmatch(folded) else ())


def match(told: Sequence[float], true: Sequence[float], tolerance: float) -> tuple[int, float]:
    """(matched, summed offset) of the best one-to-one matching within the tolerance.

    Most pairs first, then the least offset. On a line no two pairs of a best matching need to
    cross, so that it is enough to walk along both sorted lists: O(len(told) * len(true)).
    """
    places = sorted(true)
    row: list[tuple[int, float]] = [(0, 0.0)] * (len(places) + 1)
    for mine in sorted(told):
        last, row = row, [(0, 0.0)]
        for at, place in enumerate(places):
            best = min(last[at + 1], row[at])
            apart = abs(mine - place)
            if apart <= tolerance + 1e-9:
                best = min(best, (last[at][0] - 1, last[at][1] + apart))
            row.append(best)
    return -row[-1][0], row[-1][1]


def _words(told: Positions, unit: Unit, matched: int, offset: float) -> str | None:
    other: Unit = "frames" if unit == "s" else "s"
    if not told.of(unit) and told.of(other):
        return f"the answer tells {'times' if other == 's' else 'frames'}, the row the other"
    return f"mean offset of the matched: {offset / matched:.3g} {unit}" if matched else None


def _numbers(row: Mapping[str, object], column: str) -> list[float] | None:
    found = numbers_in(row, column)
    return None if found is None else list(dict.fromkeys(found))


def _ordered(places: Sequence[float] | Iterator[float]) -> tuple[float, ...]:
    return tuple(sorted(set(places)))[:LIMIT]


def _under(value: Mapping[object, object], keys: Sequence[str]) -> list[float] | None:
    """Positions under the first of the keys that is there."""
    key = next((key for key in keys if key in value), None)
    if key is None:
        return None
    found = value[key]
    return list(_many(found if isinstance(found, list) else [found]))


def _many(values: Sequence[object]) -> Iterator[float]:
    for value in values:
        place = _seconds(value)
        if place is not None:
            yield place


def _seconds(value: object) -> float | None:
    """A number, or a time written as text; None for anything else."""
    if isinstance(value, str):
        found = [*_times(value.casefold())] or [*_floats(value)] if len(value) < 40 else []
        return found[0] if len(found) == 1 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e9 else None


def _floats(text: str) -> Iterator[float]:
    yield from map(float, re.findall(_NUMBER, text))


def _times(text: str) -> Iterator[float]:
    for found in _CLOCK.finditer(text):
        hours, minutes, seconds = found.groups()
        yield int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    for found in _TIMES.finditer(_CLOCK.sub(" ", text)):
        many, unit = found["many"] or found["after"], found["unit"] or "s"
        for place in _floats(many):
            yield place / 1000 if unit.startswith("m") else place


def _frames(text: str) -> Iterator[float]:
    for found in _FRAMES.finditer(text):
        yield from _floats(found["after"] or found["ordinal"])
