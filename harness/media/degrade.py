"""Worse pictures, on purpose: what is left of a model's score when the camera is bad.

Pure: frames in, as many frames of the same shape out; the same seed gives the same bytes. Level 0
changes nothing, 1 is the worst. ``s`` is a frame's short side in pixels.

============  =====================================================================================
blur          Gaussian, standard deviation ``level s / 32`` pixels
motion_blur   mean along a line of ``1 + level s / 8`` pixels whose angle the seed draws for a clip
brightness    every value times ``1 + level``; levels from -1 (black) to 1 (twice as bright)
noise         Gaussian, standard deviation ``64 level`` of 255, drawn anew for every frame
compression   H.264 (x264, one pass, medium) of constant rate factor ``18 + 33 level``; a level
              above 1 is the factor itself: 35, 40, 45
occlusion     a black rectangle of the frame's proportions that covers the part ``level`` of its
              area, at a place that the seed draws and that stays the same
============  =====================================================================================

Compression is of the frames that were taken, in their order: at few frames a second the encoder
sees larger changes from frame to frame than a camera's would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import av
import numpy as np
from PIL import Image, ImageFilter

from harness.errors import MediaError
from harness.media.clip import Frame

Kind = Literal["blur", "motion_blur", "brightness", "noise", "compression", "occlusion"]
KINDS: tuple[str, ...] = get_args(Kind)
BLOCK = 16  # x264 through PyAV was not reproducible at widths that are no multiple of it
MAX_CRF = 51
Frames = tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Degradation:
    """A kind and how much of it; MediaError if the level makes no sense for the kind."""

    kind: Kind
    level: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise MediaError(f"degrade: {self.kind!r} is none of {', '.join(KINDS)}")
        least = -1 if self.kind == "brightness" else 0
        most = MAX_CRF if self.kind == "compression" else 1
        if not least <= self.level <= most:
            raise MediaError(f"degrade: the level of {self.kind} goes from {least} to {most}")

    @classmethod
    def parse(cls, text: str) -> Degradation | None:
        """``blur:0.5`` or, with the level 0.5, ``blur``; None for ``none``."""
        if text == "none":
            return None
        kind, colon, level = text.partition(":")
        try:
            return cls(kind, float(level) if colon else 0.5)  # type: ignore[arg-type]
        except ValueError:
            raise MediaError(f"degrade: {level!r} is no level; write {kind}:0.5") from None

    @property
    def name(self) -> str:
        """As ``parse`` reads it."""
        return f"{self.kind}:{self.level:g}"


def degrade(frames: Sequence[Frame], how: Degradation | None, seed: int = 0) -> Frames:
    """The frames made worse; ``seed`` is one number a clip (same clip, same seed, all variants)."""
    if how is None or not how.level or not frames:
        return tuple(frames)
    if len({frame.shape for frame in frames}) > 1:
        raise MediaError("degrade: the frames of a clip must be of one size")
    return TABLE[how.kind](frames, how.level, seed)


def blur(frames: Sequence[Frame], level: float, seed: int = 0) -> Frames:
    """Gaussian blur."""
    filter = ImageFilter.GaussianBlur(level * _short(frames) / 32)
    return tuple(np.array(Image.fromarray(frame).filter(filter)) for frame in frames)


def motion_blur(frames: Sequence[Frame], level: float, seed: int = 0) -> Frames:
    """As if the camera was moved; edges are continued."""
    angle = np.random.default_rng(seed).uniform(0, math.pi)
    length = level * _short(frames) / 8
    count = 1 + math.ceil(length)
    steps = np.linspace(-length / 2, length / 2, count)
    shifts = [(round(step * math.sin(angle)), round(step * math.cos(angle))) for step in steps]
    return tuple(_mean_of_shifted(frame, shifts) for frame in frames)


def brightness(frames: Sequence[Frame], level: float, seed: int = 0) -> Frames:
    """Darker or brighter; what is too bright is white."""
    table = np.clip(np.rint(np.arange(256) * (1 + level)), 0, 255).astype(np.uint8)
    return tuple(table[frame] for frame in frames)


def noise(frames: Sequence[Frame], level: float, seed: int = 0) -> Frames:
    """A sensor's noise: another one in every frame."""
    made = []
    for number, frame in enumerate(frames):
        draw = np.random.default_rng([seed, number]).standard_normal(frame.shape, np.float32)
        draw *= np.float32(64 * level)
        made.append(np.clip(np.rint(draw + frame), 0, 255).astype(np.uint8))
    return tuple(made)


def occlusion(frames: Sequence[Frame], level: float, seed: int = 0) -> Frames:
    """Something that stands before the camera and does not move."""
    height, width = frames[0].shape[:2]
    rows, columns = round(height * math.sqrt(level)), round(width * math.sqrt(level))
    rng = np.random.default_rng(seed)
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    made = []
    for frame in frames:
        covered = frame.copy()
        covered[top : top + rows, left : left + columns] = 0
        made.append(covered)
    return tuple(made)


def compression(frames: Sequence[Frame], level: float, seed: int = 0) -> Frames:
    """There and back through H.264."""
    factor = level if level > 1 else 18 + (MAX_CRF - 18) * level
    height, width = frames[0].shape[:2]
    rows, columns = -height % BLOCK, -width % BLOCK
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = width + columns, height + rows
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.framerate = Fraction(25)
    encoder.options = {"crf": f"{factor:g}", "preset": "medium", "threads": "1"}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_type, decoder.thread_count = av.codec.context.ThreadType.NONE, 1
    decoded: dict[int, Frame] = {}
    packets = []
    for number, frame in enumerate(frames):
        padded = np.pad(frame, ((0, rows), (0, columns), (0, 0)), "edge")
        picture = av.VideoFrame.from_ndarray(padded, format="rgb24")
        picture.pts, picture.time_base = number, Fraction(1, 25)
        packets += encoder.encode(picture)
    for packet in [*packets, *encoder.encode(None), None]:
        for picture in decoder.decode(packet):
            array = picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            decoded[int(picture.pts or 0)] = np.ascontiguousarray(array[:height, :width])
    return tuple(decoded[number] for number in range(len(frames)))


TABLE: Mapping[Kind, Callable[[Sequence[Frame], float, int], Frames]] = {
    "blur": blur,
    "motion_blur": motion_blur,
    "brightness": brightness,
    "noise": noise,
    "compression": compression,
    "occlusion": occlusion,
}


def _short(frames: Sequence[Frame]) -> int:
    height, width = int(frames[0].shape[0]), int(frames[0].shape[1])
    return min(height, width)


def _mean_of_shifted(frame: Frame, shifts: Sequence[tuple[int, int]]) -> Frame:
    """The mean of a frame and itself moved, rounded half up."""
    height, width = frame.shape[:2]
    reach = max(max(abs(y), abs(x)) for y, x in shifts)
    padded = np.pad(frame, ((reach, reach), (reach, reach), (0, 0)), "edge")
    total = np.zeros(frame.shape, np.uint32)
    for y, x in shifts:
        total += padded[reach + y : reach + y + height, reach + x : reach + x + width]
    return ((2 * total + len(shifts)) // (2 * len(shifts))).astype(np.uint8)
