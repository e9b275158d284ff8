"""MSVD-QA (Xu et al. 2017): short answers on the clips of the Microsoft video description corpus.

``train_qa.json``, ``val_qa.json``, ``test_qa.json``: lists of ``{"answer", "id", "question",
"video_id"}`` as distributed with the paper's code; ``youtube_mapping.txt`` (in some copies
video_mapping.txt), lines ``mv89psg6zh4_33_46 vid1957``; clips ``YouTubeClips/<name>.avi``, or
renamed to ``vid1957.avi``. The class is the question's first word, as the paper breaks its
results down; the cluster is the YouTube video, of which there may be several clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.tasks.importers.read import json_entries, number, text, text_lines
from harness.tasks.importers.source import Record, Source, our_split
from harness.tasks.rows import Place, Row, shown

TYPES = ("what", "who", "how", "when", "where")
SUFFIXES = (".avi", ".mp4", ".webm", ".mkv")
CLIP = re.compile(r"(?P<video>.+)_[0-9]+_[0-9]+")


def read(source: Source) -> Iterator[Record]:
    """Records of the splits that are there."""
    files = [(source.tree.one(f"{split}_qa.json"), split) for split in ("train", "val", "test")]
    if not any(path for path, _ in files):
        raise source.tree.missing("MSVD-QA", "train_qa.json", "val_qa.json", "test_qa.json")
    names = _names(source)
    for path, split in files:
        own = our_split(split)
        if path and source.wants(own):
            yield from _read(source, path, own, names)


def _read(source: Source, path: str, split: str, names: dict[str, str]) -> Iterator[Record]:
    def make(place: Place, row: Row) -> Iterator[Record]:
        video = f"vid{number(row, 'video_id', place)}"
        name = names.get(video, video)
        question, key = text(row, "question", place), number(row, "id", place)
        media = _clip(source, name, video, place)
        if media is None:
            return
        first = question.split()[0].lower()
        match = CLIP.fullmatch(name)
        yield Record(
            f"msvd-{key}", split, question, text(row, "answer", place), (media,),
            match["video"] if match else video, first if first in TYPES else "other",
            (), {"video_id": video},
        )  # fmt: skip

    yield from source.each(json_entries(source.tree.place(path)), make)


def _clip(source: Source, name: str, video: str, place: Place) -> str | None:
    """The clip under the name of the mapping, or under its number."""
    for stem in dict.fromkeys((name, video)):
        for suffix in SUFFIXES:
            if source.tree.find(stem + suffix):
                return source.media(stem + suffix, f"{stem}{suffix} ({place.where})")
    return source.media(f"{name}.avi", f"{name}.avi ({place.where})")


def _names(source: Source) -> dict[str, str]:
    """vid1957 -> mv89psg6zh4_33_46"""
    path = source.tree.one("youtube_mapping.txt", "video_mapping.txt")
    if path is None:
        source.notes.append("no youtube_mapping.txt: clips are looked for as vid<number>.avi")
        return {}
    found: dict[str, str] = {}
    for place, line in text_lines(source.tree.place(path)):
        parts = line.split()
        if len(parts) != 2 or not re.fullmatch("vid[0-9]+", parts[1]):
            what = f"'{shown(line, 80)}' is not: name vid<number>"
            source.errors.append(place.error(what))
        elif found.setdefault(parts[1], parts[0]) != parts[0]:
            source.errors.append(place.error(f"'{parts[1]}' stands twice, with other names"))
    return found
