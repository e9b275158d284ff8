"""The folder of a report: whole or not there, replaced by the next one, never a stranger's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.errors import StoreError, shown
from harness.results.store import one_line

MARKER = ".harness-report.json"
TEMPORARY, REPLACED = ".harness-report-new-", ".harness-report-old-"


def check_target(folder: Path) -> None:
    """Raise StoreError if a report must not be written there: a file, the present folder, or a
    folder with files that no report wrote."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise StoreError(f"{shown(folder)} is not a folder: name another one with --to")
    with one_line(f"cannot read {shown(folder)}"):
        if folder.resolve() == Path.cwd().resolve():
            raise StoreError("a report needs a folder of its own: --to must not be the present one")
        found = _files(folder)
    if not found:
        return
    known = _written(folder)
    if known is None:
        raise StoreError(f"{shown(folder)} is not empty and holds no report: name another folder")
    strangers = sorted(found - known)
    if strangers:
        raise StoreError(
            f"{shown(folder / strangers[0])} was not written by a report, which would replace the "
            "folder: move it away, or name another folder with --to"
        )


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put these files (relative paths with "/") in place of whatever report was there.

    The folder holds the old report or the new one, whatever happens. Raises StoreError as
    ``check_target`` does, and if the disk is full or the folder cannot be written.
    """
    check_target(folder)
    folder = folder.resolve()
    marker = json.dumps({"files": sorted(files)}, indent=1).encode() + b"\n"
    new, old = (folder.parent / f"{word}{folder.name}" for word in (TEMPORARY, REPLACED))
    with one_line(f"cannot write the report to {shown(folder)}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        try:
            for name, body in {**files, MARKER: marker}.items():
                file = new / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(body)
            if folder.exists():
                os.replace(folder, old)
            os.replace(new, folder)
        except BaseException:
            if old.exists() and not folder.exists():
                os.replace(old, folder)
            shutil.rmtree(new, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def _written(folder: Path) -> set[str] | None:
    """What the report that lies there wrote; None if none lies there."""
    try:
        raw = json.loads((folder / MARKER).read_bytes())
        names = raw["files"]
        return {MARKER, *(name for name in names if isinstance(name, str))}
    except (OSError, ValueError, TypeError, KeyError):
        return None
