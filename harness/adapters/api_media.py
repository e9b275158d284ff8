"""Images, frames and videos as data URLs, the way OpenAI-compatible servers take them."""

from __future__ import annotations

import base64
import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import MediaError
from harness.records import FrameSettings, Request
from harness.tasks.rows import shown

if TYPE_CHECKING:
    from harness.media.clip import Frame

MAX_IMAGE_BYTES = 20_000_000  # of one file; no server is known to take more
MAX_MEDIA_BYTES = 50_000_000  # of all that one request shows, before base64; OpenAI takes no more
JPEG_QUALITY = 90  # of frames of videos, colour at full resolution
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}


class UnusableImage(Exception):
    """A file that cannot be sent; the message is one line that names it."""


def data_url(path: str) -> str:
    """``data:image/png;base64,...`` of a JPEG, PNG or WebP file.

    The kind is read from the file's first bytes, not from its name. Raises UnusableImage.
    """
    content = _read(path)
    kind = image_kind(content)
    if kind is None:
        raise UnusableImage(f"{_name(path)} is no JPEG, PNG or WebP image")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def frame_url(frame: Frame, kind: Literal["jpeg", "png"]) -> str:
    """A frame (height x width x 3, RGB) as ``data:image/jpeg;base64,...``: JPEG of quality 90
    without chroma subsampling, or PNG. Raises MediaError if it is too large for its kind."""
    from PIL import Image

    made = io.BytesIO()
    options = {"quality": JPEG_QUALITY, "subsampling": 0} if kind == "jpeg" else {}
    try:
        Image.fromarray(frame).save(made, kind, **options)
    except (OSError, ValueError) as error:
        height, width = frame.shape[:2]
        raise MediaError(f"a frame of {width} x {height} cannot be sent: {error}") from None
    return f"data:image/{kind};base64,{base64.b64encode(made.getvalue()).decode('ascii')}"


def video_url(path: str) -> str:
    """``data:video/mp4;base64,...`` of an MP4, or of the kind that its first bytes name; the
    file's bytes as they are. Raises UnusableImage."""
    content = _read(path, MAX_MEDIA_BYTES, "video")
    kind = video_kind(content)
    if kind is None:
        raise UnusableImage(f"{_name(path)} is no MP4, QuickTime, WebM, Matroska or AVI video")
    return f"data:video/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def video_kind(content: bytes) -> str | None:
    """The subtype of a video's media type; None if it is none that servers are known to read."""
    if content[4:8] == b"ftyp":
        return "quicktime" if content[8:12] == b"qt  " else "mp4"
    if content[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "quicktime"
    if content.startswith(b"\x1aE\xdf\xa3"):
        return "webm" if b"webm" in content[:64] else "x-matroska"
    return "x-msvideo" if content[:4] == b"RIFF" and content[8:12] == b"AVI " else None


def media_told(request: Request, video: str) -> list[str]:
    """What is sent of a request's media, a line each, as far as that is known without opening
    them: ``[video: walk.mp4, fps=1]``. For people; no name of a file is sent."""
    if request.frames is None:
        return []
    settings = _settings(request.frames)
    lines = []
    for path in request.media:
        image = Path(path).suffix.lower() in IMAGE_SUFFIXES
        if not image and video == "url":
            settings_told = "the whole file"
        else:
            wanted = ("resolution", "degrade") if image else tuple(settings)
            settings_told = ", ".join(f"{n}={settings[n]}" for n in wanted if n in settings)
        more = f", {settings_told}" if settings_told else ""
        lines.append(f"[{'image' if image else 'video'}: {shown(Path(path).name, 80)}{more}]")
    return lines


def _settings(frames: FrameSettings) -> dict[str, str]:
    """Those that say something, fps and frames first."""
    fps = 1.0 if frames.fps is None and frames.frames is None else frames.fps
    given = {"fps": fps, "frames": frames.frames, "max_frames": frames.max_frames}
    given |= {"start": frames.start, "end": frames.end}
    told = {name: f"{value:g}" for name, value in given.items() if value is not None}
    if frames.resolution is not None:
        told["resolution"] = str(frames.resolution)
    return told | ({} if frames.degrade == "none" else {"degrade": frames.degrade})


def image_kind(content: bytes) -> str | None:
    """``jpeg``, ``png`` or ``webp``; None for anything else."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None


def _read(path: str, most: int = MAX_IMAGE_BYTES, what: str = "image") -> bytes:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # opening a named pipe would wait for ever
            raise UnusableImage(f"{_name(path)} is no file")
        if found.st_size > most:
            raise UnusableImage(f"{_name(path)} is larger than {most // 1_000_000} MB")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnusableImage(f"cannot read the {what} {_name(path)}: {reason}") from None


def _name(path: str) -> str:
    return shown(path, 200)
