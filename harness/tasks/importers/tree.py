"""The files of a data set's folder, found in one walk and looked up without touching the disk."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.collect.suggest import closest
from harness.errors import DataError
from harness.tasks.rows import shown

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z")
MAX_DEPTH = 40
MAX_FILES = 20_000_000  # a walk that was begun at / or in a home is stopped
MAX_SEVERAL = 3  # places that a message lists


@dataclass
class Tree:
    """Paths of the regular files below a folder, as texts with '/' relative to it.

    Links are followed only to places within the folder; with `outside` also to others, and
    `target` then says where such a file really is. Pipes and devices are not files.
    """

    root: Path
    outside: bool = False
    files: list[str] = field(default_factory=list)
    links_out: list[str] = field(default_factory=list)
    """Links that lead out of the folder and were not followed."""
    unreadable: list[str] = field(default_factory=list)
    target: dict[str, str] = field(default_factory=dict)
    """Path -> absolute path, of files that lie outside the folder."""
    _by_name: dict[str, list[str]] = field(default_factory=dict)
    _by_tail: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, outside: bool = False) -> Tree:
        """Walk a folder. Raises DataError if it is none."""
        if not root.is_dir():
            raise DataError(root, 0, _no_folder(root))
        tree = cls(root, outside)
        walk = _Walk(tree, os.path.realpath(root))
        walk.folder(str(root), "", 0)
        if "." in tree.unreadable:
            raise DataError(root, 0, "the folder cannot be read")
        tree.files.sort()
        for path in tree.files:
            tree._by_name.setdefault(_key(path.rpartition("/")[2]), []).append(path)
        return tree

    def place(self, path: str) -> Path:
        """Where a file of the tree is."""
        return self.root / path

    def named(self, *names: str) -> list[str]:
        """The files of any of these names (no folders in them), in the order of the names."""
        return [path for name in names for path in self._by_name.get(_key(name), ())]

    def one(self, *names: str, within: str = "") -> str | None:
        """The file of the first of these names that there is; ``within``: in a folder of that
        name, whatever its case. None if there is none. Raises DataError if there are several."""
        for name in names:
            found = self._by_name.get(_key(name), [])
            if within:
                found = [p for p in found if _parent(p).casefold() == within.casefold()]
            if len(found) > 1:
                listed = ", ".join(shown(path) for path in found[:MAX_SEVERAL])
                top = found[0].rpartition("/")[0]
                hint = f" (did you mean '{shown(str(self.root / top))}'?)" if top else ""
                raise DataError(
                    self.root, 0, f"'{name}' is there {len(found)} times: {listed}{hint}"
                )
            if found:
                return found[0]
        return None

    def find(self, path: str) -> list[str]:
        """The files that an annotation may mean by a path: those that end in all of it, else
        those that share its last folder and name, else those of its name."""
        wanted = _key(path.replace("\\", "/").removeprefix("./").strip("/"))
        tail = "/".join(wanted.split("/")[-2:])
        if "/" not in tail:
            return self._by_name.get(wanted, [])
        near = self._tails().get(tail, [])
        whole = [p for p in near if _key(p) == wanted or _key(p).endswith(f"/{wanted}")]
        return whole or near or self._by_name.get(wanted.rpartition("/")[2], [])

    def below(self, folder: str, suffixes: Iterable[str]) -> Iterator[str]:
        """Files with one of the suffixes in a folder of the tree; "" for all of it."""
        ends = tuple(suffixes)
        for path in self.files:
            if path.startswith(f"{folder}/" if folder else "") and path.lower().endswith(ends):
                yield path

    def missing(self, what: str, *names: str) -> DataError:
        """Nothing of these names is there: what was looked for, and what may have been meant."""
        listed = ", ".join(names)
        return DataError(self.root, 0, f"{what}: no {listed} in it{self._hint(names)}")

    def _hint(self, names: Sequence[str]) -> str:
        for link in self.links_out:
            if link.rpartition("/")[2] in names:
                return f" ({shown(link)} is a link out of it, see --allow-outside)"
        for above in (self.root.resolve().parent, self.root.resolve().parent.parent):
            if any((above / name).is_file() for name in names):
                return f" (did you mean '{shown(str(above))}'?)"
        for name in names:
            if near := closest(name, {path.rpartition("/")[2] for path in self.files[:5000]}):
                return f" (did you mean '{shown(near)}'? it must be called {name})"
        packed = [path for path in self.files if path.lower().endswith(ARCHIVES)]
        if packed:
            return f" (unpack {shown(packed[0])} first)"
        return "" if self.files else " (it is empty)"

    def _tails(self) -> dict[str, list[str]]:
        if not self._by_tail:
            for path in self.files:
                key = "/".join(_key(path).split("/")[-2:])
                self._by_tail.setdefault(key, []).append(path)
        return self._by_tail


@dataclass
class _Walk:
    """One walk; folders are known by their real places, so that links in a circle end."""

    tree: Tree
    real_root: str
    seen: set[str] = field(default_factory=set)

    def folder(self, full: str, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise DataError(full, 0, f"folders are nested more than {MAX_DEPTH} deep")
        try:
            with os.scandir(full) as entries:
                for entry in entries:
                    self._entry(entry, f"{path}/{entry.name}" if path else entry.name, depth)
        except OSError:
            self.tree.unreadable.append(path or ".")

    def _entry(self, entry: os.DirEntry[str], path: str, depth: int) -> None:
        if entry.is_symlink():
            self._link(entry, path, depth)
        elif entry.is_dir(follow_symlinks=False):
            self.folder(entry.path, path, depth + 1)
        elif entry.is_file(follow_symlinks=False):
            self._file(path)

    def _file(self, path: str) -> None:
        self.tree.files.append(path)
        if len(self.tree.files) > MAX_FILES:
            raise DataError(
                self.tree.root, 0, f"more than {MAX_FILES:,} files: no data set of ours"
            )

    def _link(self, entry: os.DirEntry[str], path: str, depth: int) -> None:
        real = os.path.realpath(entry.path)
        inside = real == self.real_root or real.startswith(self.real_root.rstrip("/") + "/")
        if not inside and not self.tree.outside:
            self.tree.links_out.append(path)
        elif os.path.isfile(real):
            self._file(path)
            if not inside:
                self.tree.target[path] = real
        elif os.path.isdir(real) and not inside and real not in self.seen:
            self.seen.add(real)
            self._linked_folder(entry.path, path, depth)

    def _linked_folder(self, full: str, path: str, depth: int) -> None:
        before = len(self.tree.files)
        self.folder(full, path, depth + 1)
        for found in self.tree.files[before:]:
            self.tree.target.setdefault(
                found, os.path.realpath(os.path.join(str(self.tree.root), found))
            )


def _key(path: str) -> str:
    """File systems differ in how they write an accented letter; a name is the same name."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _no_folder(root: Path) -> str:
    if root.exists():
        what = "an archive: unpack it first" if root.suffix.lower() in ARCHIVES else "a file"
        return f"{what}, not a folder"
    try:
        near = closest(root.name, os.listdir(root.parent))
    except OSError:
        near = None
    return f"no such folder{f' (did you mean {near!r}?)' if near else ''}"
