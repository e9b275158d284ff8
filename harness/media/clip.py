"""What decoding gives, and how much a file may ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""One picture, height x width x 3, RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The frames that a sampling took, all of one shape; an image is a clip of one frame.

    frames: read-only; one that is wanted twice is the same array twice.
    times: when each frame begins, in seconds from the clip's first frame, as the file says it.
    wanted: the time that each frame was taken for; ``times[k] <= wanted[k]`` up to one tick.
    indices: the number of each frame in the file, in the order of display, from 0.
    duration: seconds until the end of the last frame, counted from the packets.
    source_fps: frames a second of the file on average; 0 for a single frame.
    source_frames: how many frames the file has.
    width, height: of the source as it is to be seen, after rotation.
    note: what a careful reader should know, in one line; empty mostly.
    """

    frames: tuple[Frame, ...]
    times: tuple[float, ...]
    wanted: tuple[float, ...]
    indices: tuple[int, ...]
    duration: float
    source_fps: float
    source_frames: int
    width: int
    height: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask for; checked in its headers, and again in what really comes.

    file_bytes: size on disk. pixels: width x height of the source. duration: seconds.
    source_frames: frames (packets) of the file. frames: taken by one sampling.
    clip_bytes: of all frames that are decoded in one pass, 3 bytes a pixel.
    """

    file_bytes: int = 8 * 2**30
    pixels: int = 4096 * 4096
    duration: float = 4 * 3600.0
    source_frames: int = 1_000_000
    frames: int = 10_000
    clip_bytes: int = 2 * 2**30


DEFAULT_LIMITS = Limits()
