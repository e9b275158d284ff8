"""Runs on disk: written whole or not at all, read lazily, found by whatever the user calls them."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.collect.suggest import did_you_mean
from harness.errors import StoreError, shown
from harness.results import manifest as manifests
from harness.results.arrays import make_array
from harness.results.manifest import Manifest, Part
from harness.results.metrics import cell_metrics
from harness.results.run import MetricRow, Run
from harness.results.tables import COLUMNS, TABLES, TableName, make_table, metric_rows, schema

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.results.metrics import SampleScores

TEMPORARY = ".tmp-"
LEFTOVER_AGE_S = 24 * 3600
ROWS_AT_ONCE = 1 << 16
"""Of a table of which only some rows are wanted: the others are never in memory together."""
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


# --------------------------------------------------------------------------- writing


def write_run(root: Path, run: Run) -> Path:
    """Store a run below ``root`` and return its folder ``<root>/<run_id>``.

    The folder appears under its name only when all of it is safe on disk. Raises StoreError, and
    leaves nothing behind, if the disk is full or the folder cannot be written.
    """
    metrics = [row for cell in run.cells for row in cell_metrics(cell)]
    with one_line(f"cannot write the run below {shown(root)}"):
        root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(root)
        run_id = _free_id(root, run)
        temporary = root / (TEMPORARY + run_id)
        temporary.mkdir()
        try:
            parts = [write_part(temporary, name, make_table(name, run, metrics)) for name in TABLES]
            body = manifests.dump(manifests.make_manifest(run, run_id, parts))
            write_file(temporary / manifests.FILE_NAME, body)
            sync_folder(temporary)
            os.replace(temporary, root / run_id)
            sync_folder(root)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return root / run_id


def remove_leftovers(root: Path) -> None:
    """Remove what writers that were killed left behind more than a day ago."""
    for folder in root.glob(TEMPORARY + "*"):
        try:
            old = time.time() - folder.stat().st_mtime > LEFTOVER_AGE_S
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)


def _free_id(root: Path, run: Run) -> str:
    """UTC time of the start, and six hex digits of a hash of what was run."""
    stamp = run.started.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    words = [run.started.isoformat(), *(cell.cell_hash for cell in run.cells)]
    for salt in range(1000):
        digest = hashlib.sha256("\n".join([*words, str(salt)]).encode()).hexdigest()
        run_id = f"{stamp}-{digest[:6]}"
        if not (root / run_id).exists() and not (root / (TEMPORARY + run_id)).exists():
            return run_id
    raise StoreError(f"cannot write the run below {shown(root)}: too many runs of the same second")


def write_part(folder: Path, name: TableName, table: pa.Table) -> Part:
    """Write a table as <folder>/<name>.parquet, safe on disk; what the manifest says of it."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=3)
    body = buffer.getvalue()
    write_file(folder / f"{name}.parquet", body)
    return Part(f"{name}.parquet", table.num_rows, len(body), manifests.sha256(body))


def write_file(path: Path, body: bytes) -> None:
    """Write a file, safe on disk."""
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make the names in a folder safe on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn an OSError into a StoreError that begins with ``what``."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror or error}") from None


# --------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class RunReader:
    """A whole run; tables are read when asked for."""

    path: Path

    @cached_property
    def manifest(self) -> Manifest:
        """What was run; raises StoreError as ``read_run`` does."""
        return manifests.load(self.path)

    @property
    def run_id(self) -> str:
        """The run's name, even if its folder was renamed."""
        return self.manifest.run_id

    @cached_property
    def scores(self) -> dict[tuple[str, str], SampleScores]:
        """(cell, scorer) -> what `harness.results.aligned.read_scores` has read so far."""
        return {}

    def table(
        self,
        name: TableName,
        columns: Sequence[str] | None = None,
        where: Mapping[str, str] | None = None,
    ) -> pa.Table:
        """A table, or some of its columns, or the rows ``where`` columns have certain values.

        A table that a baseline does not keep has no rows. Raises StoreError if the file is missing,
        cut short, damaged, or not what the manifest says was written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self.path / f"{name}.parquet"
        wanted = None if columns is None else list(dict.fromkeys([*columns, *(where or {})]))
        try:
            # not `read_table`: it imports pyarrow.dataset, a fifth of a second
            with pq.ParquetFile(file) as opened:
                if where:
                    parts = opened.iter_batches(ROWS_AT_ONCE, columns=wanted)
                    kept = [
                        part for part in (_rows_where(one, where) for one in parts) if len(part)
                    ]
                    whole = opened.schema_arrow
                    empty = whole if wanted is None else pa.schema([whole.field(n) for n in wanted])
                    found = pa.Table.from_batches(kept, kept[0].schema if kept else empty)
                else:
                    found = opened.read(columns=wanted)
            found = found if columns is None else found.select(list(columns))
        except FileNotFoundError:
            if not self._keeps(file.name):
                return schema(name).empty_table().select(columns or COLUMNS[name])
            raise StoreError(f"{shown(file)}: is missing; the run is not whole") from None
        except PermissionError:
            raise StoreError(f"{shown(file)}: cannot be read: Permission denied") from None
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{shown(file)}: is damaged or cut short: {reason}") from None
        if file.name not in self._checked:
            for part in self.manifest.parts:
                if part.file == file.name:
                    self._check(part)
            self._checked.add(file.name)
        return found

    def _keeps(self, file: str) -> bool:
        """Whether the run has a file; a baseline has not all that a run has."""
        manifest = self.manifest
        return manifest.kind == "run" or file in {part.file for part in manifest.parts}

    @cached_property
    def _checked(self) -> set[str]:
        """Files that were compared with the manifest; once is enough."""
        return set()

    def has_column(self, name: TableName, column: str) -> bool:
        """Whether a table has a column that earlier versions did not write."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self.path / f"{name}.parquet"
        try:
            return column in pq.read_schema(file).names
        except (OSError, pa.ArrowException):
            return True  # reading the table tells what is wrong with it

    def metrics(self) -> list[MetricRow]:
        """All metrics of all cells, in the order of the run."""
        return list(self._metrics)

    @cached_property
    def _metrics(self) -> list[MetricRow]:
        return metric_rows(self.table("metrics"))

    def verify(self) -> None:
        """Check every file against the manifest; raises StoreError at the first that differs."""
        for part in self.manifest.parts:
            self._check(part)

    def _check(self, part: Part) -> None:
        file = self.path / part.file
        with one_line(f"{shown(file)}: cannot be read"):
            body = file.read_bytes()
        if len(body) == part.bytes and manifests.sha256(body) == part.sha256:
            return
        rows = _count_rows(body)
        if rows is not None and rows != part.rows:
            what = f"{part.file} has {rows} rows, the manifest says {part.rows}"
            raise StoreError(f"{shown(self.path)}: damaged: {what}")
        raise StoreError(f"{shown(file)}: is not the file that was written ({part.bytes} bytes)")


def _rows_where(batch: pa.RecordBatch, where: Mapping[str, str]) -> pa.RecordBatch:
    """The rows of a batch whose columns have these values."""
    import pyarrow.compute as pc

    for column, value in where.items():
        # not `equal`: it makes a scalar of the value, for which pyarrow imports pandas
        known = make_array([value], "string")
        batch = batch.filter(pc.is_in(batch.column(column), value_set=known))
    return batch


def _count_rows(body: bytes) -> int | None:
    """Rows of a Parquet file; None if it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(io.BytesIO(body)).num_rows)
    except (OSError, pa.ArrowException):
        return None


def read_run(path: Path) -> RunReader:
    """Open a run. Raises StoreError if the folder is not a whole run."""
    reader = RunReader(path)
    _ = reader.manifest
    return reader


# --------------------------------------------------------------------------- finding


def whole_runs(root: Path) -> list[Path]:
    """Folders of whole runs below ``root``, newest first; raises StoreError if nobody may look."""
    with one_line(f"{shown(root)}: cannot be read"):
        if root.is_dir():
            os.listdir(root)  # where nobody may look, glob would find nothing
    found = [file.parent for file in root.glob(f"*/{manifests.FILE_NAME}")]
    named = [path for path in found if not path.name.startswith(".")]
    return sorted(named, key=_age_key, reverse=True)


def passed_over(root: Path) -> list[str]:
    """Names of runs that began after the latest whole one and have no manifest, newest first."""
    whole = whole_runs(root)
    latest = whole[0].name[:15] if whole else ""
    try:
        names = [path.name for path in root.iterdir() if RUN_ID.fullmatch(path.name)]
    except OSError:
        return []
    known = {path.name for path in whole}
    return sorted((n for n in names if n[:15] >= latest and n not in known), reverse=True)


def find_run(root: Path, text: str) -> RunReader:
    """The run a user means: a path, a run id, its unique beginning, 'latest', or a model's name.

    A model's name stands for the newest whole run with cells of that model. Raises StoreError if
    nothing or more than one run is meant.
    """
    found = find_named(root, text) or newest_with(root, [text])
    if found is not None:
        return found
    runs = whole_runs(root)
    begun = [path.name for path in runs if text and path.name.startswith(text)]
    if begun:
        raise StoreError(f"'{text}' begins the names of {len(begun)} runs: {', '.join(begun)}")
    raise StoreError(_not_found(root, text, runs))


def find_named(root: Path, text: str) -> RunReader | None:
    """The run with this path, id, or unique beginning of an id, or the latest; None if none."""
    if _is_run(Path(text)):
        return read_run(Path(text))
    runs = whole_runs(root)
    if text == "latest":
        return next((run for run in map(_readable, runs) if run), None) if runs else None
    exact = [path for path in runs if path.name == text]
    begun = exact or [path for path in runs if text and path.name.startswith(text)]
    return read_run(begun[0]) if len(begun) == 1 else None


def _readable(path: Path) -> RunReader | None:
    """A run, or None if it is damaged: one such run must not hide the others."""
    try:
        return read_run(path)
    except StoreError:
        return None


def newest_with(root: Path, models: Sequence[str]) -> RunReader | None:
    """The newest whole run that holds cells of all these models; None if there is none.

    Runs that cannot be read are passed over: one damaged run must not hide the others.
    """
    for path in whole_runs(root):
        reader = RunReader(path)
        try:
            names = reader.manifest.model_names
        except StoreError:
            continue
        if set(models) <= set(names):
            return reader
    return None


def _is_run(path: Path) -> bool:
    """Whether the text is a path to a run, or looks like nothing but a path."""
    try:
        if (path / manifests.FILE_NAME).is_file():
            return True
        return path.is_dir() and (os.sep in str(path) or bool(RUN_ID.search(path.name)))
    except (OSError, ValueError):  # a name too long for a path, a NUL byte
        return False


def _age_key(path: Path) -> tuple[str, int]:
    """Start of the run; within the same second, when its manifest was written."""
    try:
        written = (path / manifests.FILE_NAME).stat().st_mtime_ns
    except OSError:
        written = 0
    return path.name[:15], written


def _not_found(root: Path, text: str, runs: Sequence[Path]) -> str:
    if not runs:
        return (
            f"no runs below {shown(root)}; 'harness run' makes one, --runs DIR names another folder"
        )
    if text in {path.name for path in root.iterdir()}:
        return f"{shown(root / text)} is not a whole run: it has no {manifests.FILE_NAME}"
    known: dict[str, None] = {}
    for path in runs[:50]:
        try:
            known.update(dict.fromkeys(RunReader(path).manifest.model_names))
        except StoreError:
            continue
    names = [path.name for path in runs]
    newest = f" (the newest runs: {', '.join(names[:3])})"
    hint = did_you_mean(text, [*known, *names]) or newest
    return f"no run and no model '{text}' below {shown(root)}{hint}"
