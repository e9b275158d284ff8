"""What an importer is given, what it yields, and how it says what it left out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import DataError
from harness.records import LETTERS
from harness.tasks.importers.tree import Tree
from harness.tasks.rows import Place, Read, Row

BLOB = "blob:"
"""How the path of a picture begins that the importer wrote."""
MISSING = "the annotations name a file that is not there"
EMPTY = "the file is empty (0 bytes)"
LINK_OUT = "a link leads out of the folder (--allow-outside follows it)"
ODD_NAME = "the file's name is not UTF-8"
NO_ANSWER = "no answer is published"
TWICE = "the id stands twice (the first is kept)"
OPTIONS = "the options cannot be told apart by letter"
SPLITS = {"val": "validation", "valid": "validation", "dev": "dev"}
"""The authors' name of a split -> ours, where it differs; as in `data.validation_split`."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sample of a data set.

    ``media`` are paths within the tree, or those that `Source.blob` gave. ``cluster`` is the source
    that samples share: of all that are cut from one video, that video. ``label`` is the class that
    results are broken down by. ``more`` are further columns, kept for scorers and reports. ``part``
    names the file for data sets that make two.
    """

    id: str
    split: str
    input: str
    target: str
    media: tuple[str, ...]
    cluster: str
    label: str
    choices: tuple[str, ...] = ()
    more: Mapping[str, object] = field(default_factory=dict)
    part: str = ""


@dataclass
class LeftOut:
    """Everything that is not in the data, by reason, in the order it was met."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, what: str) -> None:
        """One thing that was left out."""
        self.found.setdefault(reason, []).append(what)

    def __len__(self) -> int:
        return sum(map(len, self.found.values()))


@dataclass
class Source:
    """The folder of a data set with what was asked for; `errors` collects the broken entries."""

    tree: Tree
    stage: Path
    """A folder for pictures that are no files yet."""
    seed: int = 0
    splits: frozenset[str] = frozenset()
    classes: tuple[str, ...] = ()
    left: LeftOut = field(default_factory=LeftOut)
    errors: list[DataError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    known_splits: set[str] = field(default_factory=set)
    known_classes: set[str] = field(default_factory=set)
    """Those that there are, for hints; beside the classes of the records."""
    _files: dict[str, str | None] = field(default_factory=dict)
    _blobs: set[str] = field(default_factory=set)

    def wants(self, split: str) -> bool:
        """Whether records of this split (our name of it) are asked for."""
        self.known_splits.add(split)
        return not self.splits or split in self.splits

    def each(
        self, found: Iterable[Read], make: Callable[[Place, Row], Iterable[Record]]
    ) -> Iterator[Record]:
        """The records that rows make; rows that are broken go to `errors`, all of them."""
        for read in found:
            if isinstance(read, DataError):
                self.errors.append(read)
                continue
            try:
                yield from make(*read)
            except DataError as error:
                self.errors.append(error)

    def media(self, path: str, what: str, prefer: str = "") -> str | None:
        """The file of the tree that an annotation means, or None: then it is told why not.

        Of several with the same name that one is taken whose folder is written most like
        ``prefer``, else the first by name.
        """
        if path not in self._files:
            self._files[path] = self._look(path, prefer)
        found = self._files[path]
        if found is None:
            self.left.add(self._why(path), what)
        return found

    def blob(self, data: bytes, suffix: str) -> str:
        """Keep a picture as a file, named after its bytes; its path."""
        name = f"{hashlib.sha256(data).hexdigest()[:24]}{suffix}"
        if name not in self._blobs:
            self.stage.mkdir(parents=True, exist_ok=True)
            (self.stage / name).write_bytes(data)
            self._blobs.add(name)
        return f"{BLOB}{name}"

    def file(self, path: str) -> Path:
        """Where a path of a record's media is."""
        if path.startswith(BLOB):
            return self.stage / path.removeprefix(BLOB)
        return self.tree.place(path)

    def _look(self, path: str, prefer: str) -> str | None:
        found = [p for p in self.tree.find(path) if self._fault(p) is None]
        if len(found) < 2:
            return found[0] if found else None
        folder = (prefer or path.rpartition("/")[0]).rpartition("/")[2]

        def likeness(candidate: str) -> int:
            above = candidate.rpartition("/")[0].rpartition("/")[2]
            return _alike(above.casefold(), folder.casefold())

        return max(sorted(found), key=likeness)

    def _why(self, path: str) -> str:
        for candidate in self.tree.find(path):
            if fault := self._fault(candidate):
                return fault
        name = path.rpartition("/")[2]
        out = any(name == link.rpartition("/")[2] for link in self.tree.links_out)
        return LINK_OUT if out else MISSING

    def _fault(self, path: str) -> str | None:
        try:
            path.encode()
        except UnicodeEncodeError:
            return ODD_NAME
        try:
            return None if os.stat(self.tree.place(path)).st_size else EMPTY
        except OSError:
            return MISSING


def _alike(one: str, two: str) -> int:
    """How many characters they begin with alike."""
    pairs = zip(one, two, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))


# --------------------------------------------------------------------------- multiple choice


def our_split(name: str) -> str:
    """A split by the name that tasks use."""
    return SPLITS.get(name, name)


def telling(choices: Sequence[str], right: int) -> str | None:
    """The target of a multiple-choice record: a letter, or the right choice's words where another
    choice is that very letter. None if no reader could tell which is right: under 2 choices or
    over 26, two that are the same, words and letters that contradict each other."""
    letters = LETTERS[: len(choices)]
    distinct = len(set(choices)) == len(choices) and all(choice.strip() for choice in choices)
    if not 2 <= len(choices) <= len(LETTERS) or not distinct or not 0 <= right < len(choices):
        return None
    letter, words = letters[right], choices[right]
    if letter not in choices or choices.index(letter) == right:
        return letter
    return None if len(words) == 1 and words in letters else words


def drawn(seed: int, key: str, count: int) -> int:
    """A number below ``count`` that seed and key alone determine, on every machine."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % count


def with_distractors(
    seed: int, key: str, right: str, pool: Sequence[str], avoid: Iterable[str], count: int = 3
) -> tuple[str, ...]:
    """The right answer among ``count`` others from the pool, in alphabetical order.

    The pool holds each answer as often as it is right somewhere, so that an option's mere
    presence says nothing. ``avoid`` are answers that would be right as well. Fewer others if the
    pool has no more.
    """
    taken, barred = [right], {right, *avoid}
    for attempt in range(60 * count):
        if len(taken) > count or not pool:
            break
        other = pool[drawn(seed, f"{key}\0{attempt}", len(pool))]
        if other not in barred:
            barred.add(other)
            taken.append(other)
    for other in sorted(set(pool) - barred)[: count + 1 - len(taken)]:
        taken.append(other)
    return tuple(sorted(taken))
