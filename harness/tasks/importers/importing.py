"""From the folder of a data set to the file a task reads: the whole way on one screen.

Walk, read, choose, hash, write. Nothing of the data set is copied or changed; the same folder and
options give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect.suggest import did_you_mean
from harness.errors import DataError
from harness.tasks.importers.output import Output, Written, plain, staging
from harness.tasks.importers.registry import get_importer
from harness.tasks.importers.source import BLOB, TWICE, LeftOut, Record, Source
from harness.tasks.importers.tree import Tree
from harness.tasks.rows import shown, together

UNREADABLE = "the file cannot be read"
NOT_OPENED = "a folder cannot be read"
LINKS = "a link that leads out of the folder was not followed (--allow-outside)"
NOT_TEXT = "a text holds half of a surrogate pair"
Tell = Callable[[int, int], None]
"""Told how many of how many files have been hashed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to import and where to.

    ``to``: the task's folder; the data go to ``to/data``. ``media``: the folder that paths of
    media are written relative to; None for the data set's folder, or that of the data if the data
    set lies in it. ``limit``: at most so many records of each split and part, drawn by ``seed``.
    """

    name: str
    root: Path
    to: Path
    media: Path | None = None
    splits: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0
    one_per_cluster: bool = False
    checksums: bool = True
    force: bool = False
    allow_outside: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of it; ``media_root`` is what paths of media are relative to."""

    records: tuple[Record, ...]
    left: LeftOut
    notes: tuple[str, ...]
    files: int
    media_bytes: int | None
    media_root: Path
    written: Written


def import_data(wanted: Wanted, tell: Tell | None = None) -> Imported:
    """Import a data set, whole or not at all.

    Raises SelectionError for a name that is none, DataError (or CollectError with several) for a
    folder that is none of that data set, for broken annotations and where no record is left,
    StoreError where files are in the way (without `force`) or cannot be written.
    """
    importer = get_importer(wanted.name)
    tree = Tree.of(wanted.root, wanted.allow_outside)
    output = Output(wanted.to / "data", wanted.name, _media_root(wanted), wanted.allow_outside)
    with staging(output.folder) as stage:
        source = Source(
            tree, stage / output.images, wanted.seed, frozenset(wanted.splits), wanted.classes
        )
        found = list(importer(source))
        if source.errors:
            raise together(source.errors)
        records = _chosen(source, wanted, found)
        files = sorted({path for record in records for path in record.media})
        digests = _digests(source, files, tell) if wanted.checksums else None
        if digests is not None:
            records = [r for r in records if _readable(source, r, digests)]
        _untouched(source)
        if not records:
            raise _nothing(wanted, source)
        written = output.write(stage, tree, records, digests, source.left, wanted.force)
    size = sum(size for _, size in digests.values()) if digests is not None else None
    blobs = all(path.startswith(BLOB) for path in files)
    return Imported(
        tuple(records), source.left, tuple(source.notes), len(files), size,
        output.folder if blobs else output.root, written,
    )  # fmt: skip


def _media_root(wanted: Wanted) -> Path:
    if wanted.media is not None:
        if not wanted.media.is_dir():
            raise DataError(wanted.media, 0, "no such folder (--media)")
        return plain(wanted.media)
    data, root = plain(wanted.to / "data"), plain(wanted.root)
    return data if root.is_relative_to(data) else root


def _chosen(source: Source, wanted: Wanted, found: Sequence[Record]) -> list[Record]:
    """What was asked for of the records, in their order; every id once."""
    _known(wanted.splits, source.known_splits, "split", wanted.root)
    classes = {record.label for record in found} | source.known_classes
    _known(wanted.classes, classes, "class", wanted.root)
    seen: set[tuple[str, str]] = set()
    records: list[Record] = []
    for record in found:
        if wanted.classes and record.label not in wanted.classes:
            continue
        if (record.part, record.id) in seen:
            source.left.add(TWICE, record.id)
            continue
        if not _is_text(record):
            source.left.add(NOT_TEXT, record.id)
            continue
        seen.add((record.part, record.id))
        records.append(record)
    if wanted.one_per_cluster:
        records = _drawn(records, wanted.seed, lambda r: (r.part, r.split, r.cluster), 1)
    if wanted.limit is not None:
        records = _drawn(records, wanted.seed, lambda r: (r.part, r.split), wanted.limit)
    return records


def _is_text(record: Record) -> bool:
    """Whether the file can hold it: half a surrogate pair is in no encoding."""
    texts = [record.id, record.input, record.target, record.cluster, record.label]
    try:
        "".join([*texts, *record.choices]).encode()
        json.dumps(record.more, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _known(asked: Iterable[str], known: Iterable[str], what: str, root: Path) -> None:
    there = [name for name in known if name]
    for name in asked:
        if name not in there:
            listed = shown(", ".join(sorted(there)[:20])) or "none"
            hint = did_you_mean(name, there) or f" (there are: {listed})"
            raise DataError(root, 0, f"no {what} '{shown(name, 40)}'{hint}")


def _drawn(
    records: Sequence[Record], seed: int, group: Callable[[Record], object], count: int
) -> list[Record]:
    """At most so many records a group: those whose ids the seed ranks first."""
    ranked: dict[object, list[tuple[bytes, int]]] = {}
    for number, record in enumerate(records):
        key = f"{seed}\0{record.part}\0{record.id}".encode("utf-8", "surrogatepass")
        ranked.setdefault(group(record), []).append((hashlib.sha256(key).digest(), number))
    kept = {number for ranks in ranked.values() for _, number in sorted(ranks)[:count]}
    return [record for number, record in enumerate(records) if number in kept]


def _digests(source: Source, files: Sequence[str], tell: Tell | None) -> dict[str, tuple[str, int]]:
    """File -> SHA-256 and size in bytes; a file that cannot be read is left out."""
    found = {}
    for number, path in enumerate(files, start=1):
        place = source.file(path)
        try:
            with open(place, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                found[path] = digest, file.tell()
        except OSError as error:
            source.left.add(UNREADABLE, f"{path}: {error.strerror or error}")
        if tell is not None:
            tell(number, len(files))
    return found


def _readable(source: Source, record: Record, digests: dict[str, tuple[str, int]]) -> bool:
    return all(path in digests for path in record.media)


def _untouched(source: Source) -> None:
    """What the walk met and did not enter."""
    for link in source.tree.links_out:
        source.left.add(LINKS, link)
    for folder in source.tree.unreadable:
        source.left.add(NOT_OPENED, folder)


def _nothing(wanted: Wanted, source: Source) -> DataError:
    counts = sorted(source.left.found.items(), key=lambda item: -len(item[1]))
    reasons = "; ".join(f"{len(found):,} x {reason}" for reason, found in counts[:3])
    return DataError(wanted.root, 0, f"no record is left{f' ({reasons})' if reasons else ''}")
