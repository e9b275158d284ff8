"""Whether what a spec says is beside it is there: data, weights, recorded answers."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.collect.shapes import Mistake
from harness.collect.suggest import did_you_mean
from harness.collect.yamlio import Value, get_in

Data = dict[str, Value]
HUB_PATH = re.compile(r"hf://[\w.-]+(/[\w.-]+)?(@[\w./-]+)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data path starts (the spec's file), and the folder it may not leave, if any."""

    path: Path
    fence: Path | None
    judges: Collection[str] = ()
    """Names of the judges that the spec sees, for hints."""


def data_path(data: Data, place: Place) -> Iterator[Mistake]:
    """The data of a task."""
    where = get_in(data, ("data", "path"))
    if isinstance(where, str):
        what = data_path_fault(where, place)
        if what:
            yield Mistake(("data", "path"), what)


def data_path_fault(where: str, place: Place) -> str | None:
    """What is wrong with a data path; the hub is not asked."""
    if where.startswith("hf://"):
        return None if HUB_PATH.fullmatch(where) else f"'{where}' is not hf://owner/name@revision"
    if "://" in where:
        return f"data comes from a file or from hf://, not from '{where}'"
    file = Path(os.path.realpath(place.path.parent / where))
    if place.fence is not None and not file.is_relative_to(os.path.realpath(place.fence)):
        return f"data paths may not leave the project: '{where}' (--allow-outside permits it)"
    if not file.exists():
        return f"no such file: '{where}'{near_file(file)}"
    if file.is_file():
        return None
    return f"'{where}' is {'a folder' if file.is_dir() else 'a pipe or a device'}, not a file"


def beside_the_card(data: Data, path: Path) -> Iterator[Mistake]:
    """Folders of weights that the card says are beside it, and files of recorded answers."""
    for key in ("base", "lora", "completions"):
        where = data.get(key)
        if not isinstance(where, str) or not where.startswith(("./", "../")) or "{task}" in where:
            continue
        file = path.parent / where
        if not file.exists():
            what = "file" if key == "completions" else "folder"
            yield Mistake((key,), f"no such {what}: '{where}'{near_file(file)}")
        elif key != "completions" and not file.is_dir():
            yield Mistake((key,), f"'{where}' is a file, not a folder")


def near_file(file: Path) -> str:
    """The name beside it that may have been meant."""
    try:
        names = os.listdir(file.parent)
    except OSError:
        return ""
    return did_you_mean(file.name, names)
