"""VizWiz-VQA (Gurari et al. 2018): ``Annotations/{train,val,test}.json``, lists of ``{"image",
"question", "answers": [{"answer", "answer_confidence"}, ...], "answer_type", "answerable"}`` with
ten answers, and the images in ``train/``, ``val/``, ``test/``. The test answers are not published.
The target is the commonest answer; all ten stand in ``answers`` for the soft accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.tasks.importers.read import answers_of, json_entries, optional, text
from harness.tasks.importers.source import NO_ANSWER, Record, Source, our_split
from harness.tasks.rows import Place, Row

SPLITS = ("train", "val", "test")


def read(source: Source) -> Iterator[Record]:
    """Records of the splits that are there."""
    files = [(_file(source, split), split) for split in SPLITS]
    if not any(path for path, _ in files):
        raise source.tree.missing("VizWiz", *(f"{split}.json" for split in SPLITS))
    for path, split in files:
        if path and source.wants(our_split(split)):
            yield from _read(source, path, split)


def _file(source: Source, split: str) -> str | None:
    name = f"{split}.json"
    return source.tree.one(name, within="Annotations") or source.tree.one(name)


def _read(source: Source, path: str, split: str) -> Iterator[Record]:
    def make(place: Place, row: Row) -> Iterator[Record]:
        image, question = text(row, "image", place), text(row, "question", place)
        if "answers" not in row:
            source.left.add(NO_ANSWER, f"{split} {image}")
            return
        answers, sure = answers_of(row, place)
        media = source.media(image, f"{image} ({place.where})", prefer=split)
        if media is None:
            return
        more: dict[str, object] = {"answers": answers, "answer_confidences": sure}
        if "answerable" in row:
            more["answerable"] = row["answerable"]
        stem = image.rpartition(".")[0] or image
        yield Record(
            stem, our_split(split), question, commonest(answers), (media,), stem,
            optional(row, "answer_type") or "other", (), more,
        )  # fmt: skip

    yield from source.each(json_entries(source.tree.place(path)), make)


def commonest(answers: list[str]) -> str:
    """The answer that most people gave; the first of those that are given as often."""
    return max(dict.fromkeys(answers), key=answers.count)
