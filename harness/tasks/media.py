"""Where the videos and images of a task lie."""

from __future__ import annotations

import os
from pathlib import Path

from harness.collect.specs import TaskSpec
from harness.errors import SpecError
from harness.records import Sample
from harness.tasks.rows import line_of, shown


def media_folder(task: Path, data: str, root: str | None) -> Path:
    """The folder below which a task's media lie: its ``media_root``, else that of the rows; of
    data on a hub, that of the task."""
    if root is not None:
        return task.parent / Path(os.path.expanduser(root))
    return task.parent if "://" in data else (task.parent / data).parent


def media_paths(task: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """Absolute paths of a sample's media, whether they are there or not.

    Raises SpecError for one that leaves the project by a link or by '..', unless the task may;
    for a name that can be none; and for a `media_root` that is no folder.
    """
    if not sample.media:
        return ()
    root = task.data.media_root
    folder = media_folder(task.path, task.data.path, root)
    if root is not None and ("\0" in root or not folder.is_dir()):
        what = f"'media_root' is no folder: '{shown(root)}'"
        raise SpecError(task.path, line_of(task, ("data", "media_root")), what)
    return tuple(_media_path(task, sample, folder, name) for name in sample.media)


def _media_path(task: TaskSpec, sample: Sample, folder: Path, name: str) -> str:
    what = ""
    if "\0" in name:
        what = "is no path: it holds a NUL"
    elif "://" in name:
        what = "is a URL, and media are files: download it"
    path = os.path.abspath(folder / name) if not what else ""
    if path and not task.allow_outside and not _inside(path, task.root):
        what = "lies outside the project (--allow-outside permits it)"
    if what:
        line = line_of(task, ("data", "media_root")) or line_of(task, ("data", "path"))
        own = f"media '{shown(name)}' of sample '{shown(sample.id, 40)}'"
        raise SpecError(task.path, line, f"{own} {what}")
    return path


def _inside(path: str, root: Path) -> bool:
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    except (OSError, ValueError):  # a NUL
        return False
