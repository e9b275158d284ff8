"""Decoded clips on disk: decoded once for all models, variants and runs that share them.

One file a clip, named by the hash of (the video's SHA-256, the sampling, this format, FFmpeg):

    HARNESS-CLIP\\n   a line of JSON (the clip without its pixels, its own CRC)\\n   RGB bytes

A frame that is taken twice is stored once. Files are written under another name and renamed, so
that a reader sees a whole clip or none, whoever else writes or evicts at the same time. What does
not fit the pattern or its checksum is thrown away and decoded again. The folder is kept below
``max_bytes`` by removing what was not read for longest (a read renews the file's mtime, since many
file systems record no access times). A disk that is full costs the cache, not the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
import threading
import time
import zlib
from pathlib import Path

import av
import numpy as np

from harness.errors import MediaError, shown
from harness.media.clip import Clip, Frame
from harness.media.sampling import Sampling

FOLDER = Path(".harness/media")
MAX_BYTES = 8 * 2**30
MAGIC, VERSION = b"HARNESS-CLIP\n", 1
STALE_S = 3600.0  # a file that is still being written is younger than that


class Digests:
    """SHA-256 of files; read again only if size, time or inode have changed. For threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}

    def of(self, path: Path) -> str:
        """The digest in hex; MediaError if the file cannot be read."""
        try:
            stat = path.stat()
            place = (os.path.abspath(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
            if place not in self._known:
                with path.open("rb") as file:
                    self._known[place] = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaError(f"{shown(path)}: cannot be read: {reason}") from None
        return self._known[place]


def clip_key(digest: str, sampling: Sampling) -> str:
    """The name of a clip: of all that its pixels depend on."""
    parts = [VERSION, digest, sampling.key(), av.__version__, sorted(av.library_versions.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class MediaCache:
    """A folder of clips; safe for threads and processes that share it.

    ``lost`` counts the clips that could not be written.
    """

    def __init__(self, folder: Path = FOLDER, max_bytes: int = MAX_BYTES) -> None:
        self.folder, self.max_bytes, self.lost = folder, max_bytes, 0
        self._lock = threading.Lock()
        self._size: int | None = None

    def path(self, key: str) -> Path:
        """Where a clip lies, if it does."""
        return self.folder / key[:2] / f"{key}.clip"

    def has(self, key: str) -> bool:
        """Whether a clip lies there, whole or not."""
        return self.path(key).is_file()

    def get(self, key: str) -> Clip | None:
        """A clip, or None; what is damaged is removed."""
        path = self.path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        try:
            clip = unpacked(data)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return clip

    def put(self, key: str, clip: Clip) -> bool:
        """Keep a clip; False if it is larger than the cache or cannot be written."""
        head, frames = _head(clip)
        size = len(head) + sum(frame.nbytes for frame in frames)
        if size > self.max_bytes:
            self.lost += 1
            return False
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".part", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(head)
                    for frame in frames:
                        file.write(frame.data)
                os.replace(name, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError:
            self.lost += 1
            return False
        self._grown(size)
        return True

    def _grown(self, size: int) -> None:
        """Look through the folder at first, and whenever it may have become too large."""
        with self._lock:
            self._size = None if self._size is None else self._size + size
            if self._size is None or self._size > self.max_bytes:
                self._size = self._evict()

    def _evict(self) -> int:
        """Remove the clips read longest ago until the rest fits; returns the size of the rest."""
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                if path.suffix == ".part" and stat.st_mtime < time.time() - STALE_S:
                    path.unlink()  # of a process that was killed
                elif path.suffix in (".clip", ".part"):
                    files.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.max_bytes:
                break
            if path.suffix == ".clip":
                with contextlib.suppress(OSError):
                    path.unlink()
                    total -= size
        return total


def _head(clip: Clip) -> tuple[bytes, list[Frame]]:
    """All but the pixels, and the distinct frames whose bytes follow."""
    places: dict[int, int] = {}
    frames: list[Frame] = []
    order = []
    for frame in clip.frames:
        if id(frame) not in places:
            places[id(frame)] = len(frames)
            frames.append(np.ascontiguousarray(frame))
        order.append(places[id(frame)])
    crc = 0
    for frame in frames:
        crc = zlib.crc32(frame.data, crc)
    shape = frames[0].shape if frames else (0, 0, 3)
    told = {name: getattr(clip, name) for name in Clip.__dataclass_fields__ if name != "frames"} | {
        "order": order,
        "shape": shape,
        "distinct": len(frames),
        "crc": crc,
    }
    line = json.dumps(told).encode()
    return MAGIC + b"%08x " % zlib.crc32(line) + line + b"\n", frames


def packed(clip: Clip) -> bytes:
    """A clip as a file has it."""
    head, frames = _head(clip)
    return head + b"".join(frame.tobytes() for frame in frames)


def unpacked(data: bytes) -> Clip:
    """The clip in a file's bytes; ValueError, KeyError, TypeError or IndexError if damaged."""
    end = data.index(b"\n", len(MAGIC))
    crc, _, line = data[len(MAGIC) : end].partition(b" ")
    if not data.startswith(MAGIC) or int(crc, 16) != zlib.crc32(line):
        raise ValueError("not a clip")
    told = json.loads(line)
    shape = (told.pop("distinct"), *told.pop("shape"))
    pixels = memoryview(data)[end + 1 :]
    if len(pixels) != math.prod(shape) or zlib.crc32(pixels) != told.pop("crc"):
        raise ValueError("pixels are damaged")
    frames = np.frombuffer(pixels, np.uint8).reshape(shape)  # of bytes: read-only
    distinct = [frames[number] for number in range(shape[0])]
    chosen = tuple(distinct[number] for number in told.pop("order"))
    for name in ("times", "wanted", "indices"):
        told[name] = tuple(told[name])
    return Clip(frames=chosen, **told)
