"""QVED: feedback and form errors on physiotherapy exercises.

Three record forms, told apart by their keys:
- the experiment design's: ``{"video": "squats/00123.mp4", "exercise": "squats", "errors":
  ["knee_valgus"], "error_frames": [12, 15], "ground_truth": "..."}``;
- the distributed labels', ``fine_grained_labels.json`` (or ``ground_truth.json``, those of the
  videos that were fetched): ``video_path``, ``labels``, ``labels_descriptive``, at times ``split``
  and ``exercise``, as the public fine-tuning code reads them; the file itself was not seen;
- that code's training form, ``qved_train.json`` and the like: ``video``, ``conversations``,
  ``split``.
The first of these that is there is read: qved.json(l), annotations.json(l), qved_train/val/test,
ground_truth.json, fine_grained_labels.json. Videos lie in a folder an exercise.

The question is ours and does not name the exercise, which is to be identified; the exercise is the
class. A video that augmentation made (``00123_5.mp4`` beside ``00123.mp4``) is in the cluster of
the video it was made from; who exercises is not told, so a person's videos are not one cluster.
Frames of errors are as written; whether they count from 0 or 1 is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.tasks.importers.read import json_entries, json_lines, optional, rows, text
from harness.tasks.importers.source import NO_ANSWER, Record, Source, our_split
from harness.tasks.rows import Place, Read, Row

QUESTION = (
    "Which exercise does the person in the video do, is it done well, and what should be corrected?"
)
STEMS = (
    ("qved",),
    ("annotations",),
    ("qved_test", "qved_val", "qved_train"),
    ("ground_truth",),
    ("fine_grained_labels",),
)
AUGMENTED = re.compile(r"(.+)_[0-9]{1,2}")
NO_SPLIT = "no split is told: all records are in 'test'"


def read(source: Source) -> Iterator[Record]:
    """Records in the order of the file."""
    files = _files(source)
    if not files:
        names = ("qved.json", "qved_train.json", "ground_truth.json", "fine_grained_labels.json")
        raise source.tree.missing("QVED", *names)
    found = [read_ for path, split in files for read_ in _rows(source, path, split)]
    stems = {_stem(_video(row)) for read_ in found if isinstance(read_, tuple) for row in read_[1:]}

    def make(place: Place, row: Row) -> Iterator[Record]:
        return _record(source, place, row, stems)

    yield from source.each(found, make)


def _files(source: Source) -> list[tuple[str, str]]:
    for group in STEMS:
        found = [(source.tree.one(f"{stem}.json", f"{stem}.jsonl"), stem) for stem in group]
        if any(path for path, _ in found):
            return [(path, stem.partition("_")[2]) for path, stem in found if path]
    return []


def _rows(source: Source, path: str, split: str) -> Iterator[Read]:
    place = source.tree.place(path)
    named = split if split in ("train", "val", "test") else ""
    for read_ in json_lines(place) if path.endswith("l") else json_entries(place):
        yield (read_[0], {"split": named, **read_[1]}) if isinstance(read_, tuple) else read_


def _video(row: Row) -> str:
    return optional(row, "video") or optional(row, "video_path")


def _stem(path: str) -> str:
    return path.rpartition(".")[0] or path


def _record(source: Source, place: Place, row: Row, stems: set[str]) -> Iterator[Record]:
    video = text(row, "video_path" if "video_path" in row else "video", place)
    split = our_split(optional(row, "split").lower())
    if not split:
        split = "test"
        if NO_SPLIT not in source.notes:
            source.notes.append(NO_SPLIT)
    if not source.wants(split):
        return
    target, more = _feedback(place, row)
    exercise = optional(row, "exercise") or video.rpartition("/")[0].rpartition("/")[2]
    if not target:
        source.left.add(NO_ANSWER, video)
        return
    media = source.media(video, video)
    if media is None:
        return
    stem = _stem(video)
    original = AUGMENTED.fullmatch(stem)
    cluster = original[1] if original and original[1] in stems else stem
    yield Record(
        stem, split, QUESTION, target, (media,), cluster, exercise or "unknown",
        (), {"exercise": exercise or "unknown", **more},
    )  # fmt: skip


def _feedback(place: Place, row: Row) -> tuple[str, dict[str, object]]:
    """The reference feedback and the form's own columns."""
    if "conversations" in row:
        turns = rows(row, "conversations", place)
        said = {optional(turn, "from"): optional(turn, "value") for turn in turns}
        return said.get("gpt", ""), {"prompt_original": said.get("human", "")}
    if "ground_truth" in row:
        more: dict[str, object] = {}
        for key in ("errors", "error_frames"):
            if key in row:
                more[key] = _listed(row, key, place)
        return text(row, "ground_truth", place, empty=True), more
    labels = row.get("labels_descriptive") or row.get("labels") or ""
    told = [labels] if isinstance(labels, str) else labels
    if not isinstance(told, list) or not all(isinstance(label, str) for label in told):
        raise place.error("'labels' holds no text and no list of texts")
    own = row.get("labels")
    return "\n".join(label.strip() for label in told), {"labels": own} if own else {}


def _listed(row: Row, key: str, place: Place) -> list[object]:
    kind = str if key == "errors" else int
    value = row[key]
    if not isinstance(value, list) or not all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    ):
        raise place.error(f"'{key}' holds no list of {'texts' if kind is str else 'frame numbers'}")
    return value
