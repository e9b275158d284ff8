"""Pictures of what was asked, small enough for a page."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.collect.library import Project
from harness.errors import HarnessError
from harness.leaderboard.gather import Board, BoardCell
from harness.leaderboard.names import short_hash
from harness.leaderboard.samples import SampleTexts

WIDEST = 480
"""Pixels of the longer side of a picture."""
LARGEST = 64 << 20
"""Pixels that a file may ask for: what asks for more is no picture for a page."""
LONGEST = 100_000_000
"""Bytes of a file; what is longer is no picture for a page either."""
BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, OverflowError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises for files that are no pictures, or broken ones."""
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


@dataclass
class Found:
    """The pictures of a bench: ``entries[i]`` are those of sample i, as the page is told of them;
    None if the task has no media."""

    entries: list[list[dict[str, Any]]] | None = None
    files: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass
class Pictures:
    """Makes pictures of the media of samples. ``roots`` are the folders that media may lie in:
    nothing outside them is published; none of them, no pictures."""

    roots: dict[str, Path] = field(default_factory=dict)
    """Task -> the folder that the paths of its media start from."""
    drawn: Callable[[str], bytes | None] = lambda path: None
    """The pictures that the site has already, by their path in it."""
    _known: dict[Path, tuple[str, bytes] | None] = field(default_factory=dict)

    def of(self, cell: BoardCell, found: SampleTexts) -> Found:
        """The pictures of the samples that are shown. A file that is missing, or none that can be
        drawn, is told by its name alone."""
        media = found.columns["media"]
        if not any(media):
            return Found()
        kept = set(range(found.shown.count) if found.shown.kept is None else found.shown.kept)
        root = self.roots.get(cell.record.task)
        entries, files = [], {}
        for i, paths in enumerate(media):
            told = []
            for path in (paths or ()) if i in kept else ():
                entry, body = self._entry(path, root)
                told.append(entry)
                if body is not None:
                    files[entry["src"]] = body
            entries.append(told)
        return Found(entries, sorted(files.items()))

    @staticmethod
    def stamp(found: Found) -> list[str]:
        """What determines the pictures."""
        return [path for path, _ in found.files]

    def _entry(self, path: str, root: Path | None) -> tuple[dict[str, Any], bytes | None]:
        name = Path(path).name
        picture = self._picture(root / path, root) if root is not None else None
        if picture is None:
            return {"kind": "missing", "name": name, "src": "", "time": None}, None
        return {"kind": "image", "name": name, "src": picture[0], "time": None}, picture[1]

    def _picture(self, path: Path, root: Path) -> tuple[str, bytes] | None:
        if path not in self._known:
            self._known[path] = _draw(path, root, self.drawn)
        return self._known[path]


def media_roots(board: Board, project: Project | None) -> dict[str, Path]:
    """Task -> the folder of its data file, which paths of media are relative to; only tasks that
    the project has."""
    found = {}
    for task in board.tasks:
        if project is None or not project.knows("task", task):
            continue
        try:
            spec = project.get_task(task)
        except HarnessError:  # a broken file of today says nothing about the run
            continue
        if "://" not in spec.data.path:
            found[task] = (spec.path.parent / spec.data.path).parent
    return found


def _draw(path: Path, root: Path, drawn: Callable[[str], bytes | None]) -> tuple[str, bytes] | None:
    """(path in the site, JPEG); the path is named after the file's own bytes."""
    try:
        whole = path.resolve(strict=True)
        if not whole.is_relative_to(root.resolve()) or whole.suffix.lower() not in IMAGES:
            return None
        if not whole.is_file() or whole.stat().st_size > LONGEST:  # a pipe would be waited for
            return None
        raw = whole.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()[:16]
        name = f"media/{short_hash(digest, 2)}/{digest}.jpg"
        body = drawn(name) or _small(raw)
    except BROKEN:
        return None
    return None if body is None else (name, body)


def _small(raw: bytes) -> bytes | None:
    """A JPEG of a picture, without what a camera wrote beside it; None if the picture is huge.
    Raises one of BROKEN for what cannot be read."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, and of odd ones that can be read
            with Image.open(io.BytesIO(raw)) as image:
                if image.width * image.height > LARGEST:
                    return None
                image.draft("RGB", (WIDEST, WIDEST))
                small = ImageOps.exif_transpose(image).convert("RGB")
    except Image.DecompressionBombError:
        return None
    small.thumbnail((WIDEST, WIDEST))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80)
    return out.getvalue()
