"""MMBench (Liu et al. 2023): ``mmbench_dev_*.tsv`` and its like, columns index, question, hint,
A B C D, answer, category, l2-category, split, image; an image is base64, or the index of the row
that has it. Images are written beside the data, once each, named after their bytes. A hint stands
before its question. The class is the ability (``category``); the cluster is the image. Rows of the
circular protocol are rows of their own, as in the file. The test files have no answers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from harness.tasks.importers.read import optional, table, text
from harness.tasks.importers.source import NO_ANSWER, OPTIONS, Record, Source, our_split, telling
from harness.tasks.rows import Place, Read, Row, shown

NEEDED = ("index", "question", "A", "B", "image")
LETTERS = "ABCDEFGHI"
REFERENCE = 64  # characters; a text as short is the index of another row
ABSENT = ("", "nan", "NaN", "None")
MAGIC = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
)
NO_IMAGE = "the image is neither JPEG, PNG, GIF, BMP nor WebP"
NO_ROW = "the image is that of a row that has none"


def read(source: Source) -> Iterator[Record]:
    """Records of every .tsv that has the columns."""
    files = [path for path in source.tree.below("", (".tsv",)) if _is_ours(source, path)]
    if not files:
        what = f"a .tsv with the columns {', '.join(NEEDED)}"
        raise source.tree.missing("MMBench", what)
    for path in files:
        stem = path.rpartition("/")[2].rpartition(".")[0]
        yield from _read(source, path, f"{stem}-" if len(files) > 1 else "")


def _is_ours(source: Source, path: str) -> bool:
    try:
        with open(source.tree.place(path), encoding="utf-8-sig") as file:
            columns = file.readline(10_000).rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError):
        return False
    return set(NEEDED) <= set(columns)


def _read(source: Source, path: str, prefix: str) -> Iterator[Record]:
    images: dict[str, str] = {}
    named = "test" if "test" in path.rpartition("/")[2] else "dev"
    waiting: list[Read] = []

    def make(place: Place, row: Row) -> Iterator[Record]:
        image = text(row, "image", place)
        if len(image) <= REFERENCE and image not in images:
            source.left.add(NO_ROW, f"{place.where}:{place.line} (row {shown(image, 20)})")
            return
        if len(image) > REFERENCE and not _keep(source, images, image, place, row):
            return
        picture = images.get(image) or images[text(row, "index", place)]
        split = our_split(optional(row, "split") or named)
        if source.wants(split):
            yield from _record(source, place, row, f"{prefix}|{split}|{picture}")

    def first(place: Place, row: Row) -> Iterator[Record]:
        image = optional(row, "image")
        if image and len(image) <= REFERENCE and image not in images:
            waiting.append((place, row))  # the row it names may stand further down
            return
        yield from make(place, row)

    yield from source.each(table(source.tree.place(path), "\t"), first)
    yield from source.each(waiting, make)


def _keep(source: Source, images: dict[str, str], image: str, place: Place, row: Row) -> bool:
    try:
        data = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        raise place.error("'image' is not base64") from None
    suffix = next((end for start, end in MAGIC if data.startswith(start)), "")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        suffix = ".webp"
    if not suffix:
        source.left.add(NO_IMAGE, f"{place.where}:{place.line}")
        return False
    images[text(row, "index", place)] = source.blob(data, suffix)
    return True


def _record(source: Source, place: Place, row: Row, where: str) -> Iterator[Record]:
    prefix, split, picture = where.split("|")
    key = f"{prefix}{text(row, 'index', place)}"
    answer = optional(row, "answer")
    if answer in ABSENT:
        source.left.add(NO_ANSWER, f"{split} {key}")
        return
    options = [optional(row, letter) for letter in LETTERS if letter in row]
    while options and options[-1] in ABSENT:
        options.pop()
    if answer not in LETTERS[: len(options)] or len(answer) != 1:
        raise place.error(f"answer '{shown(answer, 20)}' is not the letter of an option")
    target = telling(options, LETTERS.index(answer))
    if target is None:
        source.left.add(OPTIONS, f"{split} {key}")
        return
    hint = optional(row, "hint")
    question = text(row, "question", place)
    asked = question if hint in ABSENT else f"{hint}\n{question}"
    more = {
        "question": question,
        "hint": "" if hint in ABSENT else hint,
        "l2_category": optional(row, "l2-category"),
        "source": optional(row, "source"),
    }
    yield Record(
        key, split, asked, target, (picture,), picture.removeprefix("blob:").partition(".")[0],
        optional(row, "category") or "other", tuple(options), more,
    )  # fmt: skip
