"""Which moments of a clip are wanted, and which of its frames show them. Pure.

Times are seconds from the clip's first frame. A frame is on display from its own time until the
next frame's, so the frame that shows the time t is **the last frame whose time is <= t**; in a
video of variable frame rate as in any other. A container stores times in ticks (1/90000 s, 1/1000
s), rounded to the nearest; t is rounded in the same way before it is compared, or the sixth frame
of 30 fps in Matroska (0.167 s) would be missed by t = 1/6 s.

With the span from a = ``start`` (0) to b = min(``end``, duration), and its length L = b - a:

=========  =============================================================  =======================
fps        t_k = a + k / fps             for k = 0 .. n - 1               n = max(1, ceil(L fps))
frames     t_k = a + (k + 1/2) L / n     for k = 0 .. n - 1               n = frames
every      the time of every ``every``-th frame in [a, b), from the first
neither    the time of every frame in [a, b)
=========  =============================================================  =======================

``frames`` takes the middles of n equal parts: a single frame is the clip's middle one and none is
taken at the very end. If more than ``max_frames`` would come out, ``max_frames`` are spread over
the same span: as ``frames = max_frames`` for fps and frames, and as frames number
floor((k + 1/2) m / max_frames) of the m for every and neither.

A frame is taken as often as it is wanted: 6 fps of a video with 2 frames a second shows each frame
three times, which is what a viewer sees. How often that happened is in the clip's ``note``.

The duration of a clip is known when this module is asked, whatever the file declares: timeline
reads it from the packets.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from harness.errors import MediaError

MAX_SIDE = 8192
ROUNDING = 1e-6  # seconds or ticks that float arithmetic may be off
MOST = 1e12  # frames; more than any limit allows
NAMES = ("fps", "frames", "max_frames", "resolution", "start", "end")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is wanted of a clip; ``fps`` or ``frames`` or, with neither, every frame, or every
    ``every``-th of the file's.

    resolution: the short side in pixels, the long side to scale (smaller ones are enlarged), or
    (width, height) whatever the shape of the source; None is the source's own size.
    start, end: seconds; an ``end`` behind the clip's own is the clip's own.

    Raises MediaError if a number makes no sense.
    """

    fps: float | None = None
    frames: int | None = None
    max_frames: int | None = None
    resolution: int | tuple[int, int] | None = None
    start: float | None = None
    end: float | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and self.frames is not None:
            raise MediaError("fps and frames cannot both be set: one of them says what is sampled")
        for name in ("fps", "start", "end"):
            value = getattr(self, name)
            if value is not None:
                least = 0.0 if name == "start" else math.ulp(0.0)
                object.__setattr__(self, name, _number(name, value, least))
        if self.every is not None and (self.fps is not None or self.frames is not None):
            raise MediaError("every cannot be set beside fps or frames")
        for name in ("frames", "max_frames", "every"):
            if (value := getattr(self, name)) is not None:
                _whole(name, value)
        if self.resolution is not None:
            sides = self.resolution if isinstance(self.resolution, tuple) else (self.resolution,)
            if len(sides) > 2:
                raise MediaError("resolution must be a short side or a width and a height")
            for side in sides:
                _whole("resolution", side, MAX_SIDE)
        if self.end is not None and self.end <= (self.start or 0.0):
            raise MediaError(f"end ({self.end:g}) must be after start ({self.start or 0:g})")

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Sampling:
        """The sampling that a variant's settings ask for; other settings are none of its business.

        Values may be texts, as the command line has them: ``fps=6``, ``resolution=320x240``.
        """
        return cls(**{k: _read(k, settings[k]) for k in NAMES if settings.get(k) is not None})  # type: ignore[arg-type]

    def key(self) -> str:
        """A text that is equal if and only if the samplings are."""
        return json.dumps(asdict(self), sort_keys=True)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) of a frame taken from a source of this size; rounded half up."""
        if self.resolution is None:
            return width, height
        if isinstance(self.resolution, tuple):
            return self.resolution
        short = min(width, height)
        return (
            max(1, (2 * width * self.resolution + short) // (2 * short)),
            max(1, (2 * height * self.resolution + short) // (2 * short)),
        )


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the frames of a clip are shown.

    ticks: one a frame, rising, the first 0. tick: its length in seconds. duration: seconds until
    the last frame's end.
    """

    ticks: tuple[int, ...]
    tick: float
    duration: float

    @property
    def fps(self) -> float:
        """Frames a second, on average; 0 if there is but one frame."""
        length = self.ticks[-1] * self.tick
        return (len(self.ticks) - 1) / length if length else 0.0

    def at(self, time: float) -> int:
        """The index of the frame that is on display at a time; the first one before all."""
        return max(0, bisect_right(self.ticks, math.floor(time / self.tick + 0.5 + ROUNDING)) - 1)


@dataclass(frozen=True, slots=True)
class Taken:
    """The frames that a sampling takes: ``wanted[k]`` is shown by frame number ``indices[k]``."""

    wanted: tuple[float, ...]
    indices: tuple[int, ...]


def take(sampling: Sampling, timeline: Timeline, most: int) -> Taken:
    """What a sampling takes of a clip, by the formulas above.

    Raises MediaError if the clip ends before ``start``, or if more than ``most`` would be taken.
    """
    first, last = _span(sampling, timeline.duration)
    if sampling.fps is None and sampling.frames is None:
        return _every(sampling, timeline, (first, last), most)
    wanted = times(sampling, timeline.duration, most)
    return Taken(wanted, tuple(timeline.at(time) for time in wanted))


def times(sampling: Sampling, duration: float, most: int) -> tuple[float, ...]:
    """The wanted times of a clip that lasts ``duration`` seconds; not for "every frame"."""
    first, last = _span(sampling, duration)
    length = last - first
    if sampling.fps is not None:
        count = max(1, math.ceil(min(length * sampling.fps, MOST) - ROUNDING))
        if count <= _cap(sampling, count):
            _check(count, most)
            return tuple(first + k / sampling.fps for k in range(count))
    count = _cap(sampling, sampling.frames if sampling.frames is not None else most)
    _check(count, most)
    return tuple(first + (k + 0.5) * length / count for k in range(count))


def _cap(sampling: Sampling, count: int) -> int:
    return count if sampling.max_frames is None else min(count, sampling.max_frames)


def _span(sampling: Sampling, duration: float) -> tuple[float, float]:
    first = sampling.start or 0.0
    if first and first >= duration:
        raise MediaError(f"start is {first:g} s, the clip ends at {duration:.3f} s")
    return first, duration if sampling.end is None else min(sampling.end, duration)


def _every(sampling: Sampling, timeline: Timeline, span: tuple[float, float], most: int) -> Taken:
    low, high = (math.floor(edge / timeline.tick + 0.5 + ROUNDING) for edge in span)
    begin = bisect_left(timeline.ticks, low)
    # the last frame of a clip may have no length
    end = len(timeline.ticks) if span[1] >= timeline.duration else bisect_left(timeline.ticks, high)
    if begin >= end:  # the span lies between two frames: the one on display
        begin = timeline.at(span[0])
        end = begin + 1
    step = sampling.every or 1
    count = -(-(end - begin) // step)
    kept = _cap(sampling, count)
    _check(kept, most)
    indices = tuple(begin + step * ((2 * k + 1) * count // (2 * kept)) for k in range(kept))
    return Taken(tuple(timeline.ticks[i] * timeline.tick for i in indices), indices)


def _check(count: int, most: int) -> None:
    if count > most:
        raise MediaError(f"{count:,} frames would be taken, the limit is {most:,}: set max_frames")


def _number(name: str, value: object, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MediaError(f"{name} must be a number, not {value!r}")
    if not (math.isfinite(value) and value >= least):
        raise MediaError(f"{name} must be {'at least' if not least else 'above'} 0, not {value!r}")
    return float(value)


def _whole(name: str, value: object, most: int | None = None) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not good or (most is not None and int(str(value)) > most):
        bound = f"from 1 to {most}" if most else "from 1"
        raise MediaError(f"{name} must be a whole number {bound}, not {value!r}")


def _read(name: str, value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str):
        return value
    try:
        if name in ("fps", "start", "end"):
            return float(value)
        if name == "resolution" and "x" in value:
            width, height = value.split("x")
            return int(width), int(height)
        return int(value)
    except ValueError:
        raise MediaError(f"{name} cannot be {value!r}") from None
