"""UCF-Crime (Sultani, Chen, Shah 2018): which crime does a surveillance video show.

The layout is that of the authors' archives and notes (ReadMe-Anomaly-Detection.txt):
``Anomaly-Videos-Part-1..4/<Class>/<Class>NNN_x264.mp4``, ``Training-Normal-Videos-Part-1..2/``,
``Testing_Normal_Videos/`` and ``Normal_Videos_for_Event_Recognition/``, or all of them under
``Videos/`` as in UCF_Crimes.zip; ``Anomaly_Detection_splits/Anomaly_Train.txt`` and
``Anomaly_Test.txt``, a line a video; ``Temporal_Anomaly_Annotation_for_Testing_Videos.txt``, a line
a test video: name, class, first and last frame of up to two events, -1 for none. Without the
anomaly lists, the first fold of ``Action_Regnition_splits/`` (their spelling) is read.

Frames count from 1 and the last belongs to the event, as the authors' MATLAB code reads them; their
videos have 30 frames a second. Some 50 normal videos lie in two folders under one name: the list's
own folder decides. The wording of the question is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.tasks.importers.read import text_lines
from harness.tasks.importers.source import OPTIONS, Record, Source, telling
from harness.tasks.importers.tree import Tree
from harness.tasks.rows import Place, shown

CLASSES = (
    "Abuse", "Arrest", "Arson", "Assault", "Burglary", "Explosion", "Fighting", "Normal",
    "Road Accident", "Robbery", "Shooting", "Shoplifting", "Stealing", "Vandalism",
)  # fmt: skip
FOLDERS = {name.replace(" ", ""): name for name in CLASSES} | {"RoadAccidents": "Road Accident"}
QUESTION = "Which of these does the surveillance video show?"
LISTS = (
    (("Anomaly_Test.txt", "test"), ("Anomaly_Train.txt", "train")),
    (("test_001.txt", "test"), ("train_001.txt", "train")),
)
EVENTS = (
    "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
    "Temporal_Anomaly_Annotation_For_Testing_Videos.txt",
    "Temporal_Anomaly_Annotation.txt",
)
TWICE = "the video is named twice (the first is kept; test before train)"
UNNAMED = "the video is named in no split"
SECOND = "another file of the same name is taken"
VIDEO = re.compile(r"(?P<folder>.*)/(?P<stem>[^/]+)\.(mp4|avi)", re.IGNORECASE)


def read(source: Source) -> Iterator[Record]:
    """Records of all classes that the lists name, or of `source.classes`, in the lists' order.

    The choices are the same for all of them: the classes of the lists, in alphabetical order.
    """
    lists = _lists(source.tree)
    if not lists:
        raise source.tree.missing("UCF-Crime", "Anomaly_Train.txt", "Anomaly_Test.txt")
    named = [entry for file, split in lists for entry in _named(source, file, split)]
    there = {label for _, _, label, _ in named}
    source.known_classes |= there
    wanted = source.classes or CLASSES
    choices = tuple(label for label in CLASSES if label in there and label in wanted)
    events = _events(source)
    seen: set[str] = set()
    taken: dict[str, str] = {}
    for place, path, label, split in named:
        name = path.rpartition("/")[2]
        if name in seen:
            source.left.add(TWICE, f"{path} ({place.where}:{place.line})")
            continue
        seen.add(name)
        if label in choices and source.wants(split):
            for record in _record(source, path, label, split, choices, events.get(name)):
                taken[name] = record.media[0]
                yield record
    for file in source.tree.below("", (".mp4", ".avi")):
        name = file.rpartition("/")[2]
        if name not in seen:
            source.left.add(UNNAMED, file)
        elif taken.get(name, file) != file:
            source.left.add(SECOND, file)


def _lists(tree: Tree) -> list[tuple[Path, str]]:
    for pair in LISTS:
        found = [(tree.one(name), split) for name, split in pair]
        if any(path for path, _ in found):
            return [(tree.place(path), split) for path, split in found if path]
    return []


def _named(source: Source, file: Path, split: str) -> Iterator[tuple[Place, str, str, str]]:
    for place, line in text_lines(file):
        match = VIDEO.fullmatch(line.replace("\\", "/"))
        label = _label(match["folder"]) if match else None
        if label is None:
            known = ", ".join(FOLDERS)
            what = f"'{shown(line, 80)}' is not <class>/<video>.mp4 (classes: {known})"
            source.errors.append(place.error(what))
        else:
            yield place, line.replace("\\", "/"), label, split


def _label(folder: str) -> str | None:
    last = folder.rpartition("/")[2]
    return "Normal" if "normal" in last.casefold() else FOLDERS.get(last)


def _events(source: Source) -> dict[str, list[list[int]]]:
    """Name of a test video -> its events as [first frame, last frame]."""
    path = source.tree.one(*EVENTS)
    if path is None:
        source.notes.append(f"no {EVENTS[0]}: the records have no events")
        return {}
    found: dict[str, list[list[int]]] = {}
    for place, line in text_lines(source.tree.place(path)):
        parts = line.split()
        frames = parts[2:]
        if len(parts) != 6 or not all(part.lstrip("-").isdecimal() for part in frames):
            what = f"'{shown(line, 80)}' is not: video class first last first last"
            source.errors.append(place.error(what))
            continue
        ends = [int(part) for part in frames]
        pairs = [ends[:2], ends[2:]]
        found[parts[0]] = [pair for pair in pairs if pair[0] >= 0]
        if any(first > last for first, last in found[parts[0]]):
            source.errors.append(place.error("an event ends before it begins"))
    return found


def _record(
    source: Source,
    path: str,
    label: str,
    split: str,
    choices: tuple[str, ...],
    events: list[list[int]] | None,
) -> Iterator[Record]:
    media = source.media(path, path)
    target = telling(choices, choices.index(label))
    if target is None:
        source.left.add(OPTIONS, path)
    if media is None or target is None:
        return
    stem = path.rpartition("/")[2].rpartition(".")[0]
    more: dict[str, object] = {"anomaly": "normal" if label == "Normal" else "anomaly"}
    if events is not None:
        more |= {"events": events, "event_unit": "frame from 1, last included, 30 a second"}
    video = stem.removesuffix("_x264")
    yield Record(stem, split, QUESTION, target, (media,), video, label, choices, more)
