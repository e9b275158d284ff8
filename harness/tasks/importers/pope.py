"""POPE (Li et al. 2023): is there such an object in the image. JSON lines in
``coco_pope_{random,popular,adversarial}.json`` (also those of A-OKVQA and GQA):
``{"question_id", "image", "text", "label"}``; images are those of COCO val2014, looked for by name
anywhere in the tree. The class is the way in which objects were sampled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.tasks.importers.read import json_lines, text
from harness.tasks.importers.source import Record, Source
from harness.tasks.rows import Place, Row, shown

NAME = re.compile(r"(?P<images>\w+?)_pope_(seem_)?(?P<way>random|popular|adversarial)\.jsonl?")


def read(source: Source) -> Iterator[Record]:
    """Records of all the files, in the order of their names; all are split 'test'."""
    found = [(path, NAME.fullmatch(path.rpartition("/")[2])) for path in source.tree.files]
    files = [(path, match["images"], match["way"]) for path, match in found if match]
    if not files:
        names = [f"coco_pope_{way}.json" for way in ("random", "popular", "adversarial")]
        raise source.tree.missing("POPE", *names)
    if source.wants("test"):
        for path, images, way in files:
            yield from _read(source, path, images, way)


def _read(source: Source, path: str, images: str, way: str) -> Iterator[Record]:
    def make(place: Place, row: Row) -> Iterator[Record]:
        key = f"{images}-{way}-{text(row, 'question_id', place)}"
        image, label = text(row, "image", place), text(row, "label", place).lower()
        question = text(row, "text", place)
        if label not in ("yes", "no"):
            raise place.error(f"label '{shown(label, 20)}' is neither 'yes' nor 'no'")
        media = source.media(image, f"{image} ({place.where}:{place.line})", prefer="val2014")
        if media is not None:
            stem = image.rpartition("/")[2].rpartition(".")[0] or image
            yield Record(key, "test", question, label, (media,), stem, way, (), {"images": images})

    yield from source.each(json_lines(source.tree.place(path)), make)
