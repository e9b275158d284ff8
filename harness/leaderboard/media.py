"""Pictures of what was asked, small enough for a page."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.collect.library import Project
from harness.errors import HarnessError
from harness.leaderboard.gather import Board, BoardCell
from harness.leaderboard.names import short_hash
from harness.leaderboard.samples import SampleTexts
from harness.results.arrays import values_of
from harness.results.store import RunReader
from harness.tasks.media import media_folder

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

    roots: Mapping[str, Path] = field(default_factory=dict)
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
    """Task -> the folder which paths of its media are relative to, if it lies in the project; only
    tasks that the project has."""
    return _roots(board.tasks, project)


def _roots(tasks: Iterable[str], project: Project | None) -> dict[str, Path]:
    found = {}
    for task in tasks:
        if project is None or not project.knows("task", task):
            continue
        try:
            spec = project.get_task(task)
        except HarnessError:  # a broken file of today says nothing about the run
            continue
        folder = media_folder(spec.path, spec.data.path, spec.data.media_root)
        if _within(folder, spec.root):
            found[task] = folder
    return found


def _within(folder: Path, root: Path) -> bool:
    """Whether a folder is one of the project's own: whoever may run a task on files that lie
    elsewhere has not said that they may be published."""
    try:
        return folder.resolve().is_relative_to(root.resolve())
    except BROKEN:
        return False


def is_video(path: str) -> bool:
    """Whether a file is none of those that are drawn as they are, by its name."""
    return Path(path).suffix.lower() not in IMAGES


def own_file(root: Path | None, path: str) -> Path | None:
    """A file below the folder of a task's media; None if it is not there, or leads out of it."""
    if root is None:
        return None
    try:
        whole = (root / path).resolve(strict=True)
        # a pipe would be waited for
        own = whole.is_relative_to(root.resolve()) and whole.is_file()
        return Path(os.path.abspath(root / path)) if own else None  # as the run named it
    except BROKEN:
        return None


def media_stamp(run: RunReader, project: Project | None) -> list[object]:
    """What tells that a file which samples name is another one now. Raises StoreError."""
    named = sorted(set(_named(run)))
    roots = _roots(dict.fromkeys(task for task, _ in named), project)
    return [[task, path, *file_stamp(roots.get(task), path)] for task, path in named]


def file_stamp(root: Path | None, path: str) -> tuple[int, ...]:
    """The size of a file and its time; nothing for none."""
    try:
        stat = None if root is None else (root / path).stat()
    except BROKEN:
        return ()
    return () if stat is None else (stat.st_size, stat.st_mtime_ns)


def _named(run: RunReader) -> Iterator[tuple[str, str]]:
    """The media of a run's samples, with their task."""
    table = run.table("samples", ("task", "media"))
    chunks = zip(table.column("task").chunks, table.column("media").chunks, strict=True)
    for tasks, media in chunks:
        if not len(media.flatten()):
            continue
        for task, paths in zip(values_of(tasks), values_of(media), strict=True):
            for path in paths or ():
                yield task, path


def _draw(path: Path, root: Path, drawn: Callable[[str], bytes | None]) -> tuple[str, bytes] | None:
    """(path in the site, JPEG); the path is named after the file's own bytes."""
    try:
        whole = own_file(root, str(path))
        if whole is None or whole.suffix.lower() not in IMAGES:
            return None
        if whole.stat().st_size > LONGEST:
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
