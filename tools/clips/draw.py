"""Simple moving shapes: how a clip is drawn and how it becomes an mp4. Pure but for `write_mp4`.

Places are in pixels of a picture of SIZE x SIZE, whatever the scale it is drawn at; times are
seconds. All chance comes from `random.Random` seeded with a text, which is the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 96
RATE = 15
SECONDS = 3.0
ENCODER = {
    "crf": "26", "preset": "veryslow", "threads": "1", "g": "45", "bf": "2",
    "x264-params": "asm=0:mbtree=0:rc-lookahead=0:sync-lookahead=0",
}  # fmt: skip

Colour = tuple[int, int, int]
Place = tuple[float, float]
Picture = NDArray[np.uint8]


class Pen:
    """Draws shapes around a centre."""

    def __init__(self, background: Colour, scale: int = 1) -> None:
        self.scale = scale
        self.image = Image.new("RGB", (SIZE * scale, SIZE * scale), background)
        self._draw = ImageDraw.Draw(self.image)

    def polygon(self, points: Iterable[Place], colour: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=colour)

    def disc(self, at: Place, radius: float, colour: Colour) -> None:
        """A filled circle."""
        self._draw.ellipse(self._around(at, radius), fill=colour)

    def ring(self, at: Place, radius: float, width: float, colour: Colour) -> None:
        """A circle of so wide a line."""
        box = self._around(at, radius)
        self._draw.ellipse(box, outline=colour, width=round(width * self.scale))

    def box(self, at: Place, width: float, height: float, colour: Colour, turn: float = 0) -> None:
        """A filled rectangle, turned by so many radians."""
        c, s = math.cos(turn), math.sin(turn)
        corners = [(-width / 2, -height / 2), (width / 2, -height / 2)]
        corners += [(-x, -y) for x, y in corners]
        self.polygon([(at[0] + x * c - y * s, at[1] + x * s + y * c) for x, y in corners], colour)

    def triangle(self, at: Place, radius: float, colour: Colour) -> None:
        """Point up."""
        x, y = at
        low = y + radius * 0.8
        self.polygon([(x, y - radius), (x + radius, low), (x - radius, low)], colour)

    def diamond(self, at: Place, radius: float, colour: Colour) -> None:
        """A square on its corner."""
        x, y = at
        corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
        self.polygon(corners, colour)

    def line(self, start: Place, end: Place, width: float, colour: Colour) -> None:
        """A line with round ends."""
        ends = [(x * self.scale, y * self.scale) for x, y in (start, end)]
        self._draw.line(ends, fill=colour, width=round(width * self.scale))
        for at in (start, end):
            self.disc(at, width / 2, colour)

    def cross(self, at: Place, arm: float, width: float, colour: Colour) -> None:
        """An X."""
        x, y = at
        self.line((x - arm, y - arm), (x + arm, y + arm), width, colour)
        self.line((x - arm, y + arm), (x + arm, y - arm), width, colour)

    def _around(self, at: Place, radius: float) -> list[float]:
        x, y = at
        edges = (x - radius, y - radius, x + radius, y + radius)
        return [edge * self.scale for edge in edges]


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be seen at any time: ``paint(time, scale)`` gives the pen that drew it."""

    paint: Callable[[float, int], Pen]
    seconds: float = SECONDS

    def picture(self, time: float, side: int = SIZE, scale: int = 1) -> Picture:
        """The picture at a time, side x side x 3."""
        image = self.paint(time, scale).image
        if image.size != (side, side):
            image = image.resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(image, np.uint8)


def mixed(one: Place, two: Place, share: float) -> Place:
    """The place at a share of the way from one to two."""
    share = min(1.0, max(0.0, share))
    return one[0] + (two[0] - one[0]) * share, one[1] + (two[1] - one[1]) * share


def distance(one: Place, two: Place) -> float:
    """In pixels."""
    return math.dist(one, two)


def frame_times(seconds: float = SECONDS) -> list[float]:
    """When the frames of a clip are shown."""
    return [number / RATE for number in range(round(seconds * RATE))]


def write_mp4(film: Film, path: Path) -> None:
    """H.264, yuv420p: the same bytes for the same film and x264.

    Without the two X264 settings, one clip in ten differed from run to run (measured; one thread
    changes nothing about it), and with assembly the bytes depend on the processor.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options=ENCODER)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for time in frame_times(film.seconds):
            planes = yuv(film.picture(time, scale=2))
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def yuv(picture: Picture) -> Picture:
    """BT.601 in video range, colour halved: the planes of yuv420p below each other."""
    halved = picture.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean((1, 3))
    light = 16 + picture @ np.array([65.738, 129.057, 25.064]) / 256
    blue = 128 + halved @ np.array([-37.945, -74.494, 112.439]) / 256
    red = 128 + halved @ np.array([112.439, -94.154, -18.285]) / 256
    planes = np.concatenate([light.ravel(), blue.ravel(), red.ravel()])
    found: Picture = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    return found.reshape(SIZE * 3 // 2, SIZE)


def write_png(film: Film, path: Path) -> None:
    """The film's first picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(film.picture(0.0, scale=2))
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
