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
        return task.parent / Path(root).expanduser()
    return task.parent if "://" in data else (task.parent / data).parent


def media_paths(task: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """Absolute paths of a sample's media, whether they are there or not.

    Raises SpecError for one that leaves the project by a link or by '..', unless the task may.
    """
    if not sample.media:
        return ()
    folder = media_folder(task.path, task.data.path, task.data.media_root)
    found = []
    for name in sample.media:
        path = os.path.abspath(folder / name)
        if not task.allow_outside and not _inside(path, task.root):
            line = line_of(task, ("data", "media_root")) or line_of(task, ("data", "path"))
            what = f"media '{shown(name)}' of sample '{shown(sample.id, 40)}' lies outside the "
            raise SpecError(task.path, line, what + "project (--allow-outside permits it)")
        found.append(path)
    return tuple(found)


def _inside(path: str, root: Path) -> bool:
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    except (OSError, ValueError):  # a NUL
        return False
