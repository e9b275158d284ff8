"""What a baseline keeps of a run's tables: numbers, hashes and ids; texts only if asked for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.identical import text_hash
from harness.results.manifest import CellRecord
from harness.results.run import JUDGE_ERROR
from harness.results.store import RunReader
from harness.results.tables import COLUMNS, TableName, schema

if TYPE_CHECKING:
    import pyarrow as pa

KEPT: tuple[TableName, ...] = ("samples", "completions", "scores", "metrics", "profile")
TEXT_HASH = "text_hash"
NOT_KEPT = "(reason not kept)"
"""In place of why a sample failed: a server's words may repeat what it was asked."""


@dataclass(frozen=True)
class Kept:
    """What a baseline keeps beside numbers: texts if ``answers``, and these columns of the data."""

    answers: bool = False
    columns: Sequence[str] = ()


def kept_tables(
    run: RunReader, cells: Sequence[CellRecord], kept: Kept
) -> dict[TableName, pa.Table]:
    """The tables of some cells (of one task and model) as a baseline has them.

    Prompts, verdicts, log-probabilities and cache keys never stay. Raises StoreError as
    ``RunReader.table``.
    """
    names = {cell.cell for cell in cells}
    tables = {name: _rows(run, name, cells[0].task, names, cells) for name in KEPT}
    tables["samples"] = _samples(tables["samples"], kept)
    tables["completions"] = _completions(tables["completions"], kept)
    tables["scores"] = _scores(tables["scores"], cells, kept)
    return {name: _compact(table) for name, table in tables.items()}


def _rows(
    run: RunReader, name: TableName, task: str, names: Collection[str], cells: Sequence[CellRecord]
) -> pa.Table:
    """The cells' rows of a table, with all columns that this version writes."""
    import pyarrow as pa

    table = run.table(name)
    if name == "samples":
        variants = {cell.variant for cell in cells}
        keys = zip(*(table.column(key).to_pylist() for key in ("task", "variant")), strict=True)
        wanted = [one == task and variant in variants for one, variant in keys]
    else:
        wanted = [cell in names for cell in table.column("cell").to_pylist()]
    table = table.filter(pa.array(wanted, pa.bool_()))
    for field in schema(name):
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(list(COLUMNS[name]))


def _samples(table: pa.Table, kept: Kept) -> pa.Table:
    rows = []
    for text in table.column("row").to_pylist():
        row: Mapping[str, object] = json.loads(text or "{}")
        picked = {name: row[name] for name in kept.columns if name in row}
        rows.append(json.dumps(picked, ensure_ascii=False))
    table = _put(table, "row", rows)
    if kept.answers:
        return table
    none: list[list[str]] = [[] for _ in rows]
    table = _put(table, "input", ["" for _ in rows])
    return _put(_put(table, "choices", none), "media", none)


def _completions(table: pa.Table, kept: Kept) -> pa.Table:
    import pyarrow as pa

    texts = table.column("text").to_pylist()
    hashes = [text_hash(text or "") for text in texts]
    empty: list[list[str]] = [[] for _ in texts]
    for name in ("logprobs", "logprob_tokens", "continuations"):
        table = _put(table, name, empty)
    for name in ("key", "prompt"):
        table = _put(table, name, [None for _ in texts])
    if not kept.answers:
        table = _put(table, "text", ["" for _ in texts])
        errors = table.column("error").to_pylist()
        table = _put(table, "error", [None if one is None else NOT_KEPT for one in errors])
    return table.append_column(TEXT_HASH, pa.array(hashes, pa.string()))


def _scores(table: pa.Table, cells: Sequence[CellRecord], kept: Kept) -> pa.Table:
    """Statistics stay where a metric is computed from them and is no mean of values."""
    summed = {
        (cell.cell, info.name)
        for cell in cells
        for info in cell.scorers
        if info.aggregate != "mean"
    }
    names = ("cell", "scorer", "detail", "explanation")
    rows = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    table = _put(table, "detail", [row[2] if row[:2] in summed else [] for row in rows])
    if kept.answers:
        return table
    table = _put(table, "answer", [None for _ in rows])
    return _put(table, "explanation", [_whose_fault(row[3]) for row in rows])


def _whose_fault(explanation: str | None) -> str | None:
    """That a judge failed, and not the model, stays to be known."""
    judge = (explanation or "").startswith(JUDGE_ERROR)
    return f"{JUDGE_ERROR}{NOT_KEPT}" if judge else None


def _put(table: pa.Table, name: str, values: Sequence[object]) -> pa.Table:
    import pyarrow as pa

    at = table.column_names.index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(values, field.type))


def _compact(table: pa.Table) -> pa.Table:
    """One chunk a column, and no word in a dictionary that no row has: the same rows make the
    same bytes, and names of other models stay out."""
    import pyarrow as pa

    columns = []
    for column in table.columns:
        plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        whole = pa.concat_arrays(plain.chunks) if plain.num_chunks else pa.array([], plain.type)
        columns.append(whole.dictionary_encode() if plain is not column else whole)
    return pa.Table.from_arrays(columns, schema=table.schema)
