"""The manifest of a run: what was run on what, and which files hold it.

Its presence in a run's folder means that the run is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from harness.errors import StoreError, shown
from harness.records import Sample
from harness.results.run import CellResult, ModelInfo, Run, ScorerInfo
from harness.results.tables import TABLES, TableName
from harness.results.typed import Mistyped, read

SCHEMA_VERSION = 1
FILE_NAME = "manifest.json"

NEEDED: dict[str, tuple[TableName, ...]] = {
    "run": TABLES,
    "baseline": tuple(name for name in TABLES if name != "verdicts"),
}
"""The tables that a run has, and those that a baseline keeps."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the run."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SpecRecord:
    """A spec's text and its SHA-256."""

    kind: str
    name: str
    path: str
    sha256: str
    text: str


@dataclass(frozen=True, slots=True)
class CellRecord:
    """What identifies a cell, and how its samples ended: status -> completions."""

    cell: str
    hash: str
    task: str
    task_hash: str
    task_version: int
    data_hash: str
    model: str
    variant: str
    samples: int
    completions: int
    counts: Mapping[str, int]
    scorers: tuple[ScorerInfo, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a baseline comes from, and what is kept beside numbers.

    ``answers`` says whether texts are; ``columns`` are those of the data that gates go by.
    """

    run: str
    task: str
    model: str
    answers: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """Everything about a run, or about a baseline (one task and model of it), but its rows."""

    schema_version: int
    run_id: str
    started: str
    finished: str
    cells: tuple[CellRecord, ...]
    models: tuple[ModelInfo, ...]
    specs: tuple[SpecRecord, ...]
    parts: tuple[Part, ...]
    counts: Mapping[str, int]
    seeds: tuple[int, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    dirty: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    machine: str = ""
    kind: Literal["run", "baseline"] = "run"
    baseline: Origin | None = None
    """Of a baseline: where it comes from."""

    @property
    def model_names(self) -> list[str]:
        """Models that this run holds cells of, in order of appearance."""
        return list(dict.fromkeys(cell.model for cell in self.cells))


def make_manifest(run: Run, run_id: str, parts: Sequence[Part]) -> Manifest:
    """The manifest of a run whose files are already written."""
    cells = tuple(_cell_record(cell) for cell in run.cells)
    return Manifest(
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        started=_utc(run.started),
        finished=_utc(run.finished),
        cells=cells,
        models=tuple(run.models),
        specs=tuple(
            SpecRecord(spec.kind, spec.name, spec.path, sha256(_bytes(spec.text)), spec.text)
            for spec in run.specs
        ),
        parts=tuple(parts),
        counts=total_counts(cells),
        seeds=tuple(run.seeds),
        settings=dict(run.settings),
        revision=run.revision,
        dirty=run.dirty,
        packages=dict(run.packages),
        python=platform.python_version(),
        machine=machine_name(),
    )


def total_counts(cells: Iterable[CellRecord]) -> dict[str, int]:
    """How the samples of all cells ended: status -> completions."""
    counts: Counter[str] = Counter()
    for cell in cells:
        counts.update(cell.counts)
    return dict(counts)


def dump(manifest: Manifest) -> bytes:
    """The manifest as the bytes of its file."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, default=str)
    return _bytes(text) + b"\n"


def load(path: Path) -> Manifest:
    """Read the manifest of the run in a folder.

    Raises StoreError if there is none, if it cannot be read, or if a later version wrote it.
    """
    file = path / FILE_NAME
    try:
        raw: Any = json.loads(file.read_bytes(), parse_constant=_no_number)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"{shown(path)} is not a whole run: it has no {FILE_NAME}") from None
    except OSError as error:
        raise StoreError(f"{shown(file)}: cannot be read: {error.strerror}") from None
    except Mistyped as error:
        raise StoreError(f"{shown(file)}: is damaged: {error}") from None
    except (ValueError, RecursionError):
        raise StoreError(f"{shown(file)}: is damaged: not JSON") from None
    if not isinstance(raw, dict) or not raw:
        raise StoreError(f"{shown(file)}: is damaged: it is not the manifest of a run")
    version = raw.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        what = f"written by a later version (schema {version}); update tune-harness"
        raise StoreError(f"{shown(file)}: {what}")
    try:
        found = read(Manifest, raw)
        _check_parts(found)
    except Mistyped as error:
        raise StoreError(f"{shown(file)}: is damaged: {error}") from None
    return found


def _no_number(word: str) -> float:
    raise Mistyped(f"it holds {word}, which is no number")


def _check_parts(manifest: Manifest) -> None:
    """Every table that a reader asks for is one that was written, and that can be verified."""
    files = {part.file for part in manifest.parts}
    for table in NEEDED[manifest.kind]:
        if f"{table}.parquet" not in files:
            raise Mistyped(f"parts has no {table}.parquet")
    for file in files:
        if Path(file).name != file:
            raise Mistyped(f"parts has {file!r}, which is no file of this folder")
    if manifest.kind == "baseline" and manifest.baseline is None:
        raise Mistyped("it does not say what it is a baseline of")


def hash_samples(samples: Iterable[Sample]) -> str:
    """SHA-256 of what is asked and what is expected, whatever the order of the samples."""
    rows = sorted(
        json.dumps([one.id, one.input, one.target, one.choices, one.media]) for one in samples
    )
    return sha256("\n".join(rows).encode())


def sha256(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def machine_name() -> str:
    """What answered: architecture, processor, cores, and the GPU if torch was loaded and has one.

    Two names that differ mean that latencies cannot be compared.
    """
    parts = [platform.machine(), _processor(), f"{os.cpu_count()} cores"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(filter(None, parts))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join(named[0].split()) if named else ""


def _cell_record(cell: CellResult) -> CellRecord:
    counts = Counter(
        "ok" if not row.completion.failed else row.completion.finish_reason
        for row in cell.completions
    )
    counts["truncated"] = sum(bool(row.completion.truncated) for row in cell.completions)
    return CellRecord(
        cell=cell.cell_id,
        hash=cell.cell_hash,
        task=cell.task,
        task_hash=cell.task_hash,
        task_version=cell.task_version,
        data_hash=cell.data_hash or hash_samples(cell.samples),
        model=cell.model,
        variant=cell.variant,
        samples=len(cell.samples),
        completions=len(cell.completions),
        counts={status: counts[status] for status in ("ok", "error", "skipped", "truncated")},
        scorers=tuple(cell.scorers),
    )


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
