"""The files of an import: JSON lines, checksums, what was left out, pictures; all or none."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, StoreError
from harness.errors import shown as shown_path
from harness.tasks.importers.source import BLOB, LeftOut, Record
from harness.tasks.importers.tree import Tree

STAGING = ".import-"
COMPANIONS = ("checksums", "left-out.jsonl")
CHUNK = 1 << 20
Digests = Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Written:
    """The files with their lines; ``current``: they were there already, byte for byte."""

    lines: Mapping[Path, int]
    current: bool


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder beside where files will be; gone afterwards, with folders made for its sake."""
    stage = folder / f"{STAGING}{os.getpid()}"
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        stage.mkdir(parents=True, exist_ok=True)
        yield stage
    except OSError as error:
        raise StoreError(
            f"cannot write to {shown_path(folder)}: {error.strerror or error}"
        ) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        for path in made:  # only if nothing was put there
            with contextlib.suppress(OSError):
                path.rmdir()


@dataclass(frozen=True, slots=True)
class Output:
    """Where the files go: ``root`` is what paths of media are written relative to."""

    folder: Path
    name: str
    root: Path
    outside: bool = False

    @property
    def images(self) -> str:
        """The folder, beside the data, of pictures that were no files."""
        return f"{self.name}-images"

    def write(
        self,
        stage: Path,
        tree: Tree,
        records: Sequence[Record],
        digests: Digests | None,
        left: LeftOut,
        force: bool,
    ) -> Written:
        """Write to the stage, then move all files at once. Raises StoreError if files of other
        content are in the way and `force` is not set."""
        paths = {path: self._path(tree, path) for r in records for path in r.media}
        lines = {
            file: self._lines(stage / file, part, paths) for file, part in self._parts(records)
        }
        if digests is not None:
            told = [
                f"{digest} {size} {json.dumps(paths[path], ensure_ascii=False)}"
                for path, (digest, size) in sorted(digests.items())
                if path in paths
            ]
            lines[f"{self.name}.checksums"] = _put(stage / f"{self.name}.checksums", told)
        if len(left):
            told = [
                json.dumps({"reason": why, "what": what}, ensure_ascii=False)
                for why, found in left.found.items()
                for what in found
            ]
            lines[f"{self.name}.left-out.jsonl"] = _put(stage / f"{self.name}.left-out.jsonl", told)
        pictures = self._pictures(paths)
        moved = self._move(stage, [*pictures, *lines], force)
        return Written({self.folder / file: count for file, count in lines.items()}, not moved)

    def _parts(self, records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
        parts: dict[str, list[Record]] = {}
        for record in records:
            parts.setdefault(record.part, []).append(record)
        return [
            (f"{self.name}{f'-{part}' if part else ''}.jsonl", found)
            for part, found in sorted(parts.items())
        ]

    def _lines(self, file: Path, records: Sequence[Record], paths: Mapping[str, str]) -> int:
        return _put(file, (json.dumps(_row(r, paths), ensure_ascii=False) for r in records))

    def _path(self, tree: Tree, path: str) -> str:
        """As the data name the file: relative to the root, absolute only with the flag."""
        if path.startswith(BLOB):
            inner = f"{self.images}/{path.removeprefix(BLOB)}"
            place = plain(self.folder) / inner
            return place.relative_to(self.root).as_posix() if self._holds(place) else inner
        if path in tree.target:
            return tree.target[path]
        place = plain(tree.root) / path
        if self._holds(place):
            return place.relative_to(self.root).as_posix()
        if self.outside:
            return str(place)
        what = "lies outside --media (--allow-outside writes absolute paths)"
        raise DataError(tree.root, 0, f"'{path}' {what}")

    def _holds(self, place: Path) -> bool:
        return place.is_relative_to(self.root)

    def _pictures(self, paths: Mapping[str, str]) -> list[str]:
        """The pictures that a record shows; others were left out with their records."""
        wanted = {path.removeprefix(BLOB) for path in paths if path.startswith(BLOB)}
        return [f"{self.images}/{name}" for name in sorted(wanted)]

    def _move(self, stage: Path, files: Sequence[str], force: bool) -> list[str]:
        """The files that were not there yet, now in their places; the data last."""
        wanted = [file for file in files if not _same(stage / file, self.folder / file)]
        stale = [f"{self.name}.{kind}" for kind in COMPANIONS if f"{self.name}.{kind}" not in files]
        stale = [file for file in stale if wanted and os.path.lexists(self.folder / file)]
        there = [file for file in wanted if os.path.lexists(self.folder / file)] + stale
        if there and not force:
            more = f" and {len(there) - 1} more" if len(there) > 1 else ""
            what = f"exist{'' if more else 's'} with other content (--force overwrites)"
            raise StoreError(f"{shown_path(self.folder / there[0])}{more} {what}")
        for file in stale:  # of other data than those that now come
            (self.folder / file).unlink()
        for file in wanted:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        for file in sorted(wanted, key=lambda file: file.endswith(".jsonl")):
            os.replace(stage / file, self.folder / file)
        return wanted


def plain(path: Path) -> Path:
    """Absolute and without '..'; links stay as they are written."""
    return Path(os.path.abspath(path))


def _same(new: Path, old: Path) -> bool:
    if old.is_symlink() or not old.is_file() or new.stat().st_size != old.stat().st_size:
        return False
    with open(new, "rb") as one, open(old, "rb") as two:
        while part := one.read(CHUNK):
            if part != two.read(CHUNK):
                return False
    return True


def _row(record: Record, paths: Mapping[str, str]) -> dict[str, object]:
    row: dict[str, object] = {
        "id": record.id,
        "split": record.split,
        "input": record.input,
        "target": record.target,
    }
    if record.choices:
        row["choices"] = record.choices
    row |= {"media": [paths[path] for path in record.media], "cluster": record.cluster}
    if record.label:
        row["class"] = record.label
    return row | {key: value for key, value in record.more.items() if key not in row}


def _put(file: Path, lines: Iterator[str] | Sequence[str]) -> int:
    count = 0
    with open(file, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
        for line in lines:
            out.write(line + "\n")
            count += 1
        out.flush()
        os.fsync(out.fileno())
    return count
