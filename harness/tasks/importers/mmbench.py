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
from dataclasses import dataclass, field

from harness.tasks.importers.read import optional, table, text
from harness.tasks.importers.source import (
    BLOB,
    NO_ANSWER,
    OPTIONS,
    Record,
    Source,
    our_split,
    telling,
)
from harness.tasks.rows import Place, Placed, Row, shown

NEEDED = ("index", "question", "A", "B", "image")
LETTERS = "ABCDEFGHI"
KEPT = {"l2-category": "l2_category", "source": "source", "comment": "comment"}
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
        yield from _Table(source, path, f"{stem}-" if len(files) > 1 else "").read()


def _is_ours(source: Source, path: str) -> bool:
    try:
        with open(source.tree.place(path), encoding="utf-8-sig") as file:
            columns = file.readline(10_000).rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError):
        return False
    return set(NEEDED) <= set(columns)


@dataclass
class _Table:
    """One file while it is read; `images` are row index -> picture."""

    source: Source
    path: str
    prefix: str
    images: dict[str, str] = field(default_factory=dict)
    waiting: list[Placed] = field(default_factory=list)

    def read(self) -> Iterator[Record]:
        """The records; rows that show another row's image may stand before that row."""
        rows = table(self.source.tree.place(self.path), "\t")
        yield from self.source.each(rows, self._first)
        yield from self.source.each(self.waiting, self._later)

    def _first(self, place: Place, row: Row) -> Iterator[Record]:
        image = text(row, "image", place)
        if len(image) > REFERENCE:
            if self._keep(image, place, row):
                yield from self._record(place, row, self.images[text(row, "index", place)])
        elif image in self.images:
            yield from self._record(place, row, self.images[image])
        else:
            self.waiting.append((place, row))

    def _later(self, place: Place, row: Row) -> Iterator[Record]:
        image = text(row, "image", place)
        if image in self.images:
            yield from self._record(place, row, self.images[image])
        else:
            self.source.left.add(NO_ROW, f"{place.where}:{place.line} (row {shown(image, 20)})")

    def _keep(self, image: str, place: Place, row: Row) -> bool:
        try:
            data = base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError):
            raise place.error("'image' is not base64") from None
        suffix = next((end for start, end in MAGIC if data.startswith(start)), "")
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            suffix = ".webp"
        if not suffix:
            self.source.left.add(NO_IMAGE, f"{place.where}:{place.line}")
            return False
        self.images[text(row, "index", place)] = self.source.blob(data, suffix)
        return True

    def _record(self, place: Place, row: Row, picture: str) -> Iterator[Record]:
        named = "test" if "test" in self.path.rpartition("/")[2] else "dev"
        split = our_split(optional(row, "split") or named)
        key = f"{self.prefix}{text(row, 'index', place)}"
        answer = optional(row, "answer")
        if not self.source.wants(split):
            return
        if answer in ABSENT:
            self.source.left.add(NO_ANSWER, f"{split} {key}")
            return
        options = _options(row)
        if len(answer) != 1 or answer not in LETTERS[: len(options)]:
            raise place.error(f"answer '{shown(answer, 20)}' is not the letter of an option")
        target = telling(options, LETTERS.index(answer))
        if target is None:
            self.source.left.add(OPTIONS, f"{split} {key}")
            return
        question, hint = text(row, "question", place), optional(row, "hint")
        hint = "" if hint in ABSENT else hint
        more = {"question": question, "hint": hint}
        told = {to: optional(row, column) for column, to in KEPT.items()}
        more |= {to: value for to, value in told.items() if value not in ABSENT}
        yield Record(
            key, split, f"{hint}\n{question}" if hint else question, target, (picture,),
            picture.removeprefix(BLOB).partition(".")[0], optional(row, "category") or "other",
            options, more,
        )  # fmt: skip


def _options(row: Row) -> tuple[str, ...]:
    options = [optional(row, letter) for letter in LETTERS if letter in row]
    while options and options[-1] in ABSENT:
        options.pop()
    return tuple(options)
