"""The tables of a run cell by cell, without ever holding the whole of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.errors import StoreError, shown
from harness.results.arrays import values_of
from harness.results.store import RunReader
from harness.results.tables import TableName, schema

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1 << 14  # rows read at once


class CellStream:
    """Rows of one table in the order in which they were written, which is that of the cells.

    ``take`` must be called for cells in the order of the manifest; a cell without rows has an
    empty table. Raises StoreError if the file cannot be read, or if rows of a cell do not stand
    together.
    """

    def __init__(self, run: RunReader, name: TableName, columns: Sequence[str]) -> None:
        import pyarrow as pa

        self._file = run.path / f"{name}.parquet"
        known = [column for column in columns if run.has_column(name, column)]
        self._columns = list(dict.fromkeys(["cell", *known]))
        # not `empty_table`, which imports pandas
        self._empty = pa.Table.from_batches([], schema(name)).select(self._columns)
        self._groups = self._read()
        self._next = next(self._groups, None)

    def take(self, cell: str) -> pa.Table:
        """The rows of the cell whose turn it is."""
        import pyarrow as pa

        parts = []
        while self._next is not None and self._next[0] == cell:
            parts.append(self._next[1])
            self._next = next(self._groups, None)
        return pa.Table.from_batches(parts) if parts else self._empty

    def end(self) -> None:
        """All cells have been taken; raises StoreError if rows are left."""
        if self._next is not None:
            what = f"rows of {shown(self._next[0])} stand where no cell has any"
            raise StoreError(f"{shown(self._file)}: is damaged: {what}")

    def _read(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self._file) as opened:
                for batch in opened.iter_batches(BATCH, columns=self._columns):
                    yield from _split(batch)
        except FileNotFoundError:
            return
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{shown(self._file)}: is damaged or cut short: {reason}") from None


def _split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The parts of a batch that belong to one cell each."""
    names = values_of(batch.column("cell"))
    ends = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
    for start, stop in pairwise([0, *ends, len(names)] if names else []):
        yield names[start], batch.slice(start, stop - start)
