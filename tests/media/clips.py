"""Clips for the tests: each frame bears its number as a barcode, so that a wrong frame is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS, CELL = 8, 8
MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True)
class Style:
    """How a clip is written. ``times`` in milliseconds, one a frame; 10 fps if not given."""

    count: int = 20
    size: tuple[int, int] = (96, 64)
    codec: str = "libx264"
    format: str | None = None
    rotation: float | None = None
    flip: bool = False
    times: Sequence[int] = ()
    tick: Fraction = MILLISECOND
    options: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)


def picture(number: int, size: tuple[int, int] = (96, 64)) -> NDArray[np.uint8]:
    """A grey frame: a barcode of two rows x 4 cells in the upper left, a bright square that moves
    along the bottom."""
    width, height = size
    frame = np.full((height, width, 3), 90, np.uint8)
    for bit in range(BITS):
        row, column = divmod(bit, 4)
        value = 235 if number >> bit & 1 else 20
        frame[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = value
    left = number * 3 % (width - CELL)
    frame[height - CELL :, left : left + CELL] = (250, 200, 40)
    return frame


def number_of(frame: NDArray[np.uint8], size: tuple[int, int] = (96, 64)) -> int:
    """The number in a frame's barcode, whatever the frame was scaled to."""
    height, width = frame.shape[:2]
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, 4)
        y = int((row + 0.5) * CELL * height / size[1])
        x = int((column + 0.5) * CELL * width / size[0])
        number |= int(frame[y, x].mean() > 128) << bit
    return number


def write(path: Path, style: Style | None = None) -> Path:
    """A clip."""
    style = style or Style()
    with av.open(str(path), "w", format=style.format, container_options=style.container) as out:
        stream = out.add_stream(style.codec, rate=10, options={"threads": "1", **style.options})
        stream.width, stream.height = style.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = style.tick
        if style.rotation is not None:
            stream.set_display_rotation(style.rotation, hflip=style.flip)
        for number in range(style.count):
            frame = av.VideoFrame.from_ndarray(picture(number, style.size))
            frame.pts = style.times[number] if style.times else number * 100
            frame.time_base = MILLISECOND
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def write_sound(path: Path, cover: bool = False) -> Path:
    """A second of silence in a file named as a video, with a picture of its cover or without."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16000, layout="mono")
        if cover:
            image = out.add_stream("png", rate=1, width=96, height=64, pix_fmt="rgb24")
            image.disposition = av.stream.Disposition.attached_pic
            out.mux(image.encode(av.VideoFrame.from_ndarray(picture(0))))
        for number in range(16):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, number * 1024
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def faststart(path: Path, style: Style | None = None) -> bytes:
    """The bytes of an mp4 whose index comes first."""
    style = style or Style()
    return write(
        path, Style(**{**vars(style), "container": {"movflags": "faststart"}})
    ).read_bytes()


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """One bit the other way round."""
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)
