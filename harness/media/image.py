"""An image as a clip of one frame."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.errors import MediaError
from harness.media.clip import Clip, Limits
from harness.media.sampling import Sampling

# what a file begins with; a name says nothing
STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
}


def image_format(path: Path) -> str:
    """JPEG, PNG, GIF, WEBP or BMP; empty if the file is none of them."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for start, name in STARTS.items() if head.startswith(start)), "")


def is_image(path: Path) -> bool:
    """Whether a file begins as an image does."""
    return bool(image_format(path))


def decode_image(path: Path, sampling: Sampling, limits: Limits) -> Clip | MediaError:
    """One frame, upright as EXIF says, RGB (transparency is dropped); the first of an animation.

    Whatever fps or frames say, an image is one frame at time 0; ``resolution`` holds for it too.
    """
    if sampling.start:
        return MediaError("start is set, and an image has no length")
    name = image_format(path)
    try:
        Image.init()
        with path.open("rb") as file:
            # Image.open warns of large images before anyone can look at their size
            image = Image.OPEN[name][0](file, str(path))
            if image.width * image.height > limits.pixels:
                size = f"{image.width} x {image.height}"
                return MediaError(f"{size} pixels are over the limit of {limits.pixels:,}")
            return _clip(image, sampling)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        return MediaError(f"a damaged {name}: {str(error) or type(error).__name__}")


def _clip(image: Image.Image, sampling: Sampling) -> Clip:
    with warnings.catch_warnings():  # a damaged EXIF block is no damage to the picture
        warnings.simplefilter("ignore")
        image.load()
        count = int(getattr(image, "n_frames", 1))
        image = ImageOps.exif_transpose(image).convert("RGB")
    width, height = image.size
    size = sampling.size(width, height)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    frame = np.array(image, np.uint8)
    frame.flags.writeable = False
    note = f"the first of {count} frames of an animation" if count > 1 else ""
    return Clip((frame,), (0.0,), (0.0,), (0,), 0.0, 0.0, count, width, height, note)
