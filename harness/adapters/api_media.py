"""Images on disk as data URLs, the way OpenAI-compatible servers take them."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from harness.tasks.rows import shown

MAX_IMAGE_BYTES = 20_000_000  # of one file; no server is known to take more


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


def image_kind(content: bytes) -> str | None:
    """``jpeg``, ``png`` or ``webp``; None for anything else."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None


def _read(path: str) -> bytes:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # opening a named pipe would wait for ever
            raise UnusableImage(f"{_name(path)} is no file")
        if found.st_size > MAX_IMAGE_BYTES:
            limit = MAX_IMAGE_BYTES // 1_000_000
            raise UnusableImage(f"{_name(path)} is larger than {limit} MB")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnusableImage(f"cannot read the image {_name(path)}: {reason}") from None


def _name(path: str) -> str:
    return shown(path, 200)
