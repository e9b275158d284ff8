"""GQA (Hudson, Manning 2019): ``{train,val,testdev}_balanced_questions.json``, objects of question
id -> ``{"question", "imageId", "answer", "fullAnswer", "types", "isBalanced", ...}``, and
``images/<imageId>.jpg``. The unbalanced files are not read; ``test`` and ``challenge`` have no
answers. Splits keep the authors' names but for validation: results are reported on ``testdev``.
The class is the structural type. Scoring is exact match: the answer is all that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.tasks.importers.read import json_mapping, optional, text
from harness.tasks.importers.source import NO_ANSWER, Record, Source, our_split
from harness.tasks.rows import Place, Row

SPLITS = ("testdev", "val", "train", "test", "challenge")


def read(source: Source) -> Iterator[Record]:
    """Records of the balanced files that are there."""
    files = [(source.tree.one(f"{split}_balanced_questions.json"), split) for split in SPLITS]
    if not any(path for path, _ in files):
        names = [f"{split}_balanced_questions.json" for split in SPLITS[:3]]
        raise source.tree.missing("GQA", *names)
    for path, split in files:
        own = our_split(split)
        if path and source.wants(own):
            yield from _read(source, path, own)


def _read(source: Source, path: str, split: str) -> Iterator[Record]:
    def make(place: Place, row: Row) -> Iterator[Record]:
        key, image = text(row, "", place), text(row, "imageId", place)
        question = text(row, "question", place)
        if row.get("answer") is None:
            source.left.add(NO_ANSWER, f"{split} {key}")
            return
        media = source.media(f"{image}.jpg", f"{image}.jpg (question {key})", prefer="images")
        if media is None:
            return
        types = row.get("types")
        kinds = types if isinstance(types, dict) else {}
        more = {"full_answer": optional(row, "fullAnswer"), "types": kinds}
        yield Record(
            key, split, question, text(row, "answer", place), (media,), image,
            optional(kinds, "structural") or "other", (), more,
        )  # fmt: skip

    yield from source.each(json_mapping(source.tree.place(path)), make)
