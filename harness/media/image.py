"""An image as a clip of one frame."""

from __future__ import annotations

import math
import struct
import warnings
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
        if (
            name == "WEBP" and math.prod(webp_size(path)) > limits.pixels
        ):  # Pillow makes room at once
            return _too_large(webp_size(path), limits)
        Image.init()
        with path.open("rb") as file:
            # Image.open warns of large images before anyone can look at their size
            image = Image.OPEN[name][0](file, str(path))
            if image.width * image.height > limits.pixels:
                return _too_large(image.size, limits)
            if name == "PNG":  # the only kind with checksums; loading does not look at them
                image.verify()
                file.seek(0)
                image = Image.OPEN[name][0](file, str(path))
            return _clip(image, sampling, limits)
    except MediaError as error:
        return error
    except Exception as error:  # whatever a reader of hostile bytes stumbles over is the file's
        return MediaError(f"a damaged {name}: {str(error) or type(error).__name__}")


def webp_size(path: Path) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file."""
    with path.open("rb") as file:
        head = file.read(30).ljust(30, b"\0")
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _too_large(size: tuple[int, int], limits: Limits) -> MediaError:
    width, height = size
    return MediaError(f"{width} x {height} pixels are over the limit of {limits.pixels:,}")


def larger(size: tuple[int, int], limits: Limits) -> MediaError:
    """What is said of a `resolution` that makes frames larger than a file's may be."""
    what = f"resolution makes frames of {size[0]} x {size[1]} pixels"
    return MediaError(f"{what}, over the limit of {limits.pixels:,}")


def _clip(image: Image.Image, sampling: Sampling, limits: Limits) -> Clip:
    with warnings.catch_warnings():  # a damaged EXIF block is no damage to the picture
        warnings.simplefilter("ignore")
        image.load()
        count = int(getattr(image, "n_frames", 1))
        image = _rgb(ImageOps.exif_transpose(image))
    width, height = image.size
    size = sampling.size(width, height)
    if math.prod(size) > limits.pixels:
        raise larger(size, limits)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    frame = np.array(image, np.uint8)
    frame.flags.writeable = False
    note = f"the first of {count} frames of an animation" if count > 1 else ""
    return Clip((frame,), (0.0,), (0.0,), (0,), 0.0, 0.0, count, width, height, note)


def _rgb(image: Image.Image) -> Image.Image:
    """8 bits a channel; 16 bits lose their lower half (Pillow's own conversion clips them)."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    return image.convert("RGB")
