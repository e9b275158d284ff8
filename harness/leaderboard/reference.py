"""The numbers that the reference studies published, to stand beside one's own runs.

They lie in ``leaderboard/results/reference/``, one Parquet file a study, written by
``tools/build_reference.py``. Nothing of them was measured here, and every row says so.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from harness.collect.library import library_root
from harness.errors import StoreError, shown

FOLDER = Path("leaderboard", "results", "reference")
REPORTED = "reported, not measured here"


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One number as a study's authors reported it.

    ``table`` names the table of `harness report` that it belongs to; ``task``, ``variant`` and
    ``metric`` are the names that our own runs have for the same thing, "" where there is none.
    ``label`` is the class that the number is of, None if it is of all. ``value`` is in ``unit``:
    "%", "share" (0 to 1), "points", "score", "ms", "times", or "" for a number without one.
    ``n`` is the number of samples, None where it is not known. ``note`` begins with REPORTED.
    """

    study: str
    title: str
    table: str
    model: str
    task: str
    variant: str
    metric: str
    label: str | None
    value: float
    unit: str
    n: int | None
    note: str


def reference_rows(folder: Path | None = None) -> list[ReferenceRow]:
    """All reported numbers, study by study, in the order of the studies' tables.

    ``folder`` is that of our own library if none is given. Raises StoreError if a file cannot be
    read or has other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = folder or library_root() / FOLDER
    names = [field.name for field in fields(ReferenceRow)]
    found: list[ReferenceRow] = []
    for file in sorted(where.glob("*.parquet")):
        try:
            with pq.ParquetFile(file) as opened:
                table = opened.read(columns=None)
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{shown(file)}: cannot be read: {reason}") from None
        stored = ["class" if name == "label" else name for name in names]
        if table.column_names != stored:
            raise StoreError(f"{shown(file)}: is damaged: its columns are not {', '.join(stored)}")
        columns = [table.column(name).to_pylist() for name in stored]
        found += [ReferenceRow(*row) for row in zip(*columns, strict=True)]
    return found
