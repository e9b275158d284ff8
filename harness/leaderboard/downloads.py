"""Runs as they can be downloaded: the stored files, or what of them may be published."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.leaderboard.texts import Texts
from harness.results import manifest as manifests
from harness.results.arrays import make_array, values_of
from harness.results.manifest import Manifest, Part
from harness.results.store import RunReader
from harness.results.tables import COLUMNS, TABLES, TableName

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "completions": ("text", "prompt", "error"),
    "scores": ("answer", "explanation"),
    "verdicts": ("reasoning", "raw", "error"),
}
"""What --no-text leaves empty; lists of texts are below."""
LISTS: Mapping[str, tuple[str, ...]] = {"completions": ("continuations",)}
Kept = Callable[[str, str], Collection[str] | None]
"""(task, variant) -> the samples with texts; None for all."""


def run_files(
    run: RunReader, texts: Texts, kept: Kept, home: Sequence[Path]
) -> Iterator[tuple[str, bytes]]:
    """(name, content) of a run's files; folders in ``home`` are cut off the paths in them.

    Where nothing is left out, the tables are byte for byte those that were stored.
    """
    parts = []
    for part in run.manifest.parts:
        body = (run.path / part.file).read_bytes()
        name = next((one for one in TABLES if part.file == f"{one}.parquet"), None)
        if name is not None and not _as_stored(run, texts, kept):
            body = _filtered(body, name, run.manifest, texts, kept)
        parts.append(Part(part.file, part.rows, len(body), manifests.sha256(body)))
        yield part.file, body
    specs = tuple(
        replace(one, text=texts.clean(without_paths(one.text, home))) for one in run.manifest.specs
    )
    settings = {name: texts.clean(text) for name, text in run.manifest.settings.items()}
    told = replace(run.manifest, parts=tuple(parts), specs=specs, settings=settings)
    text = manifests.dump(told).decode("utf-8")
    yield manifests.FILE_NAME, without_paths(text, home).encode("utf-8")


def without_paths(text: str, home: Sequence[Path]) -> str:
    """The text with folders of this machine cut off: ``/home/me/project/x`` becomes ``x``."""
    for folder in sorted(map(str, home), key=len, reverse=True):
        if len(folder) > 1:
            text = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?:/|(?![\w.-]))", "", text)
    return text


def _as_stored(run: RunReader, texts: Texts, kept: Kept) -> bool:
    whole = all(kept(cell.task, cell.variant) is None for cell in run.manifest.cells)
    return texts.whole and whole


def _filtered(body: bytes, name: TableName, manifest: Manifest, texts: Texts, kept: Kept) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    of_cell = {cell.cell: (cell.task, cell.variant) for cell in manifest.cells}
    sink = io.BytesIO()
    with pq.ParquetFile(io.BytesIO(body)) as opened:
        schema = opened.schema_arrow
        with pq.ParquetWriter(sink, schema, compression="zstd", compression_level=3) as writer:
            for batch in opened.iter_batches(1 << 14):
                rows = _rows(batch, name, of_cell, kept)
                columns = [
                    _column(batch.column(one), name, one, rows, texts) for one in schema.names
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return sink.getvalue()


def _rows(
    batch: pa.RecordBatch, name: str, of_cell: Mapping[str, tuple[str, str]], kept: Kept
) -> list[bool] | None:
    """Which rows have texts; None for all."""
    if "sample" not in batch.schema.names:
        return None
    samples = values_of(batch.column("sample"))
    if "cell" in batch.schema.names:
        places = [of_cell.get(cell, ("", "")) for cell in values_of(batch.column("cell"))]
    else:
        columns = (values_of(batch.column(one)) for one in ("task", "variant"))
        places = list(zip(*columns, strict=True))
    known = {place: kept(*place) for place in set(places)}
    if all(one is None for one in known.values()):
        return None
    return [
        (wanted := known[place]) is None or sample in wanted
        for sample, place in zip(samples, places, strict=True)
    ]


def _column(
    column: pa.Array, table: TableName, name: str, rows: list[bool] | None, texts: Texts
) -> pa.Array:
    """A column as it is published: rows stay, texts that are not published are empty."""
    kind = COLUMNS[table].get(name, "")
    text = kind == "string" and name not in ("sample", "cluster")
    listed = kind == "list<string>"
    answer = name in (*TEXT_COLUMNS.get(table, ()), *LISTS.get(table, ()))
    dropped = answer and not texts.answers
    if not (text or listed) or (rows is None and not dropped and not texts.patterns):
        return column
    values = values_of(column)
    there = rows or [True] * len(values)
    empty: list[str] | None = [] if listed else None
    if dropped:
        return make_array([empty] * len(values), kind)
    cleaned: list[Any]
    if listed:
        cleaned = [texts.all(v or ()) for v in values]
    elif name == "row":
        cleaned = [v and texts.json(v) for v in values]
    else:
        cleaned = texts.all(values)
    return make_array([v if ok else empty for v, ok in zip(cleaned, there, strict=True)], kind)
