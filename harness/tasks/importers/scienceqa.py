"""ScienceQA (Lu et al. 2022), the questions that have an image: ``problems.json``, an object of
problem id -> ``{"question", "choices", "answer", "hint", "image", "subject", ...}`` with the answer
as an index from 0, ``pid_splits.json`` with the ids of train, val and test, and
``images/<split>/<id>/image.png``. A hint stands before its question. The class is the subject.
An image belongs to one problem here; that two problems show one picture is not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import DataError
from harness.tasks.importers.read import json_mapping, json_value, number, optional, text, texts
from harness.tasks.importers.source import OPTIONS, Record, Source, our_split, telling
from harness.tasks.rows import Place, Row, shown

KEPT = ("grade", "topic", "category", "skill", "lecture", "solution")
TEXT_ONLY = "the question has no image"
NO_SPLIT = "the problem is in none of train, val and test"


def read(source: Source) -> Iterator[Record]:
    """Records in the order of the problems."""
    problems, named = source.tree.one("problems.json"), source.tree.one("pid_splits.json")
    if problems is None or named is None:
        absent = "pid_splits.json" if problems else "problems.json"
        raise source.tree.missing("ScienceQA", absent)
    splits = _splits(source, named)

    def make(place: Place, row: Row) -> Iterator[Record]:
        return _record(source, place, row, splits)

    yield from source.each(json_mapping(source.tree.place(problems)), make)


def _splits(source: Source, named: str) -> dict[str, str]:
    """Problem id -> the authors' name of its split."""
    path = source.tree.place(named)
    value = json_value(path)
    found: dict[str, str] = {}
    for split in ("train", "val", "test"):
        ids = value.get(split) if isinstance(value, dict) else None
        if not isinstance(ids, list):
            raise DataError(path, 0, f"no list of ids under '{split}'")
        for key in map(str, ids):
            if key in found:
                other = found[key]
                what = f"problem '{shown(key, 40)}' is in '{other}' and in '{split}'"
                source.errors.append(DataError(path, 0, what))
            found[key] = split
    return found


def _record(source: Source, place: Place, row: Row, splits: dict[str, str]) -> Iterator[Record]:
    key = text(row, "", place)
    if key not in splits:
        source.left.add(NO_SPLIT, key)
        return
    split = our_split(splits[key])
    if not source.wants(split):
        return
    image = optional(row, "image")
    if not image:
        source.left.add(TEXT_ONLY, key)
        return
    question, choices = text(row, "question", place), texts(row, "choices", place)
    right = number(row, "answer", place)
    if not 0 <= right < len(choices):
        raise place.error(f"answer {right} is none of {len(choices)} choices")
    target = telling(choices, right)
    if target is None:
        source.left.add(OPTIONS, key)
        return
    path = f"{splits[key]}/{key}/{image}"
    media = source.media(path, path)
    if media is None:
        return
    hint = optional(row, "hint")
    more: dict[str, object] = {"question": question, "hint": hint}
    more |= {name: optional(row, name) for name in KEPT if name in row}
    yield Record(
        key, split, f"{hint}\n{question}" if hint else question, target, (media,), key,
        optional(row, "subject") or "other", tuple(choices), more,
    )  # fmt: skip
