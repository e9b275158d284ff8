"""The folder of a site: what is ours in it, what has changed, what goes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import StoreError, shown
from harness.results.store import one_line

STATE = "published.json"
OURS = ("assets", "data", "media")
"""Folders of a site in which everything is ours; beside them, only the pages are."""
TEMPORARY = ".tmp-"
FORMAT = 1
PAGE = re.compile(r"[a-z0-9][a-z0-9._-]*\.html")


@dataclass
class SiteFolder:
    """A site on its way: files are written one by one, each whole or not at all, and `finish` says
    what is part of it. Until then the site is the old one with some new files."""

    root: Path
    known: Mapping[str, Any] = field(default_factory=dict)
    """What the last publish said of itself."""
    old: frozenset[str] = frozenset()
    """Files of the last publish, of those that lie beside the folders that are ours."""
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> {"stamp", "files": {path: bytes}} of this one."""
    written: int = 0

    @classmethod
    def open(cls, root: Path) -> SiteFolder:
        """Raises StoreError if the folder cannot be written, or if it holds something else."""
        if root.exists() and not root.is_dir():
            raise StoreError(f"{shown(root)} is no folder: name another one with --to")
        with one_line(f"cannot write the site to {shown(root)}"):
            root.mkdir(parents=True, exist_ok=True)
            names = {one.name for one in root.iterdir() if not one.name.startswith(".")}
        known = _read(root / STATE)
        if names and known is None:
            what = f"holds {shown(min(names))}, and no site that 'harness publish' wrote"
            raise StoreError(f"{shown(root)} is not replaced: it {what}: name an empty folder")
        for name in OURS:
            if (root / name).is_symlink():
                what = f"{shown(root / name)} is a link: what it points to would be replaced"
                raise StoreError(f"{shown(root)} is not replaced: {what}")
        return cls(root, known or {}, _pages(root, known or {}))

    @staticmethod
    def read(root: Path) -> dict[str, int]:
        """The files that a site is made of, with their sizes; none if it cannot say."""
        groups = (_read(root / STATE) or {}).get("groups", {})
        return {path: n for group in groups.values() for path, n in group["files"].items()}

    def forget(self) -> None:
        """Write every file anew, whatever the last publish says of itself."""
        self.known = {}

    def is_current(self, stamp: str) -> bool:
        """Whether the site is what ``stamp`` stands for already, and nothing of it is missing."""
        groups = self.known.get("groups")
        if self.known.get("stamp") != stamp or not isinstance(groups, dict):
            return False
        return all(self._there(group) for group in groups.values())

    def keep(self, name: str, stamp: str) -> bool:
        """Take a group of files over as it is, if it is what ``stamp`` stands for."""
        old = self.known.get("groups", {}).get(name)
        if not old or old.get("stamp") != stamp or not self._there(old):
            return False
        self.groups[name] = old
        return True

    def whole(self, path: str) -> bytes | None:
        """A file of the last publish, if it is there as it was written."""
        groups = self.known.get("groups", {}).values()
        sizes = [group["files"][path] for group in groups if path in group["files"]]
        try:
            body = (self.root / path).read_bytes() if sizes else b""
        except OSError:
            return None
        return body if sizes and len(body) == sizes[0] else None

    def write(self, name: str, stamp: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Write a group of files: (path below the site, content). Raises StoreError."""
        sizes: dict[str, int] = {}
        with one_line(f"cannot write the site to {shown(self.root)}"):
            if not (self.root / STATE).exists():  # killed from here on, it is a site that is begun
                self._put(self.root / STATE, _state("", {}, {}))
            for path, body in files:
                self.written += self._put(self.root / path, body)
                sizes[path] = len(body)
        self.groups[name] = {"stamp": stamp, "files": sizes}

    def finish(self, stamp: str, summary: Mapping[str, int]) -> None:
        """Say that this is the site now, and remove what is no part of it."""
        body = _state(stamp, summary, self.groups)
        with one_line(f"cannot write the site to {shown(self.root)}"):
            self._put(self.root / STATE, body)
            self._sweep({path for group in self.groups.values() for path in group["files"]})

    @property
    def files(self) -> dict[str, int]:
        """All files of the site with their sizes in bytes."""
        return {path: n for group in self.groups.values() for path, n in group["files"].items()}

    def _there(self, group: Mapping[str, Any]) -> bool:
        for path, size in group["files"].items():
            try:
                if (self.root / path).stat().st_size != size:
                    return False
            except OSError:
                return False
        return True

    def _put(self, path: Path, body: bytes) -> bool:
        """Whether the file had to be written."""
        try:
            if path.stat().st_size == len(body) and path.read_bytes() == body:
                return False  # its time stays, and with it what a mirror has of it
        except OSError:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
        try:
            temporary.write_bytes(body)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def _sweep(self, wanted: set[str]) -> None:
        below = {
            found.relative_to(self.root).as_posix()
            for name in OURS
            for found in (self.root / name).rglob("*")
            if found.is_file() or found.is_symlink()
        }
        killed = {found.name for found in self.root.glob(f"{TEMPORARY}*")}
        for path in sorted((self.old | below | killed) - wanted):
            (self.root / path).unlink(missing_ok=True)
        for name in OURS:
            inside = sorted((self.root / name).rglob("*"), reverse=True)
            for folder in (*inside, self.root / name):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def _state(stamp: str, summary: Mapping[str, int], groups: Mapping[str, object]) -> bytes:
    state = {"format": FORMAT, "stamp": stamp, "summary": summary, "groups": groups}
    return json.dumps(state, ensure_ascii=False, indent=0, sort_keys=True).encode() + b"\n"


def _read(path: Path) -> dict[str, Any] | None:
    """The state of a site; {} if it is damaged or of another version (all is written anew), None if
    none is there, or somebody else's file of that name."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {} if (path.parent / "assets" / "boot.js").is_file() else None
    if not (isinstance(found, dict) and {"format", "stamp", "groups"} <= found.keys()):
        return None
    return found if found["format"] == FORMAT and _is_whole(found["groups"]) else {}


def _is_whole(groups: object) -> bool:
    """Whether groups of files are what `finish` writes."""
    return isinstance(groups, dict) and all(
        isinstance(group, dict)
        and isinstance(group.get("stamp"), str)
        and isinstance(group.get("files"), dict)
        and all(isinstance(size, int) for size in group["files"].values())
        for group in groups.values()
    )


def _pages(root: Path, known: Mapping[str, Any]) -> frozenset[str]:
    """Files of a site beside its folders; where it cannot say, those with names of ours."""
    groups = known.get("groups", {}).values()
    told = [path for group in groups for path in group["files"] if PAGE.fullmatch(path)]
    found = [path.name for name in ("task", "model") for path in root.glob(f"{name}-*.html")]
    return frozenset(told or found)
