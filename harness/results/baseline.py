"""Baselines: small runs that are committed, one folder for one task of one model.

A baseline has the shape of a run (`harness show` and `harness compare` read it), and little text.
What it is made of is the run's: the same run, kept with the same texts and columns, makes the same
bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError, StoreError, shown
from harness.results import manifest as manifests
from harness.results.baseline_report import readme
from harness.results.baseline_tables import KEPT, Kept, kept_tables
from harness.results.manifest import CellRecord, Manifest, Origin, SpecRecord, total_counts
from harness.results.pairs import Side
from harness.results.references import (
    References,
    find_baselines,
    find_references,
    read_baseline,
)
from harness.results.store import (
    TEMPORARY,
    one_line,
    remove_leftovers,
    sync_folder,
    write_file,
    write_part,
)
from harness.results.stored_judges import PANEL, stored_spec
from harness.results.swap import put_folder, recover

__all__ = [
    "MOST_FAILED",
    "References",
    "check_failures",
    "find_baselines",
    "find_references",
    "read_baseline",
    "tasks_of",
    "write_baseline",
]
README = "README.md"
FILES = {*(f"{name}.parquet" for name in KEPT), manifests.FILE_NAME, README}
MOST_FAILED = 0.02
"""Share of failed samples above which a run is too weak to be a baseline."""


def tasks_of(side: Side, tasks: Sequence[str] = ()) -> list[str]:
    """The tasks that a side has cells of, or those that are named; raises SelectionError."""
    own = dict.fromkeys(c.task for c in side.run.manifest.cells if c.model == side.model)
    for task in tasks:
        if task not in own:
            raise SelectionError(f"{side.name} has no task '{task}'{known_or_near(task, own)}")
    return list(dict.fromkeys(tasks or own))


def check_failures(side: Side, tasks: Sequence[str] = ()) -> None:
    """Raise StoreError if more than MOST_FAILED of the samples have no score by some metric."""
    wanted = tasks_of(side, tasks)
    for row in side.run.metrics():
        total = row.n + row.n_error + row.n_skipped
        if row.model == side.model and row.task in wanted and row.n_error > MOST_FAILED * total:
            raise StoreError(
                f"{side.name}: {row.n_error} of {total} samples of {row.task} have no "
                f"{row.metric}, more than {MOST_FAILED:.0%}: a baseline with holes "
                "(--allow-errors takes it)"
            )


def write_baseline(
    root: Path,
    side: Side,
    *,
    answers: bool = False,
    columns: Mapping[str, Sequence[str]] | None = None,
    replace: bool = False,
    tasks: Sequence[str] = (),
) -> list[Path]:
    """Store one baseline for each task of a side (or each named one) as ``<root>/<task>``.

    ``answers`` keeps the texts of inputs and answers; ``columns`` names, by task, the columns of
    the data that gates go by. All folders are written before the first takes its place; each
    appears whole or not at all. A baseline of another model or of other data gives way only if
    ``replace``. Raises StoreError for that, for a folder that is no baseline or read-only, for a
    damaged run and for a disk that refuses; SelectionError for an unknown task.
    """
    wanted = tasks_of(side, tasks)
    if side.run.manifest.kind == "baseline":
        raise StoreError(f"{shown(side.run.path)} is a baseline already: name a run")
    side.run.verify()
    for task in wanted:
        _check_place(root / task, side, task, replace)
    drafts: list[tuple[Path, Path]] = []
    with one_line(f"cannot write the baseline below {shown(root)}"):
        root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(root)
        try:
            for task in wanted:
                draft = root / f"{TEMPORARY}{task}-{os.getpid()}"
                drafts.append((draft, root / task))
                _write(draft, side, task, Kept(answers, (columns or {}).get(task, ())))
            new = [(draft, place) for draft, place in drafts if not _same(draft, place)]
            for _, place in new:
                _check_writable(place)
            for draft, place in new:
                put_folder(draft, place)
            sync_folder(root)
        finally:
            for draft, _ in drafts:
                shutil.rmtree(draft, ignore_errors=True)
    return [place for _, place in drafts]


# --------------------------------------------------------------------------- what may give way


def _check_place(place: Path, side: Side, task: str, may_replace: bool) -> None:
    if place.name != task or task.startswith("."):
        raise StoreError(f"'{task}' cannot be the name of a folder")
    recover(place)
    if not place.exists():
        return
    if not place.is_dir():
        raise StoreError(f"{shown(place)} is in the way: it is no folder")
    foreign = sorted(one.name for one in place.iterdir() if one.name not in FILES)
    if foreign:
        what = f"it holds {foreign[0]}, which is no part of a baseline"
        raise StoreError(f"{shown(place)} is not replaced: {what}")
    why = _difference(place, side, task)
    if why and not may_replace:
        raise StoreError(f"{shown(place)} {why}: --replace puts {side.name} in its place")


def _check_writable(place: Path) -> None:
    """What is read-only could be set aside but not removed, and would be committed."""
    effective = os.access in os.supports_effective_ids
    if place.exists() and not os.access(place, os.W_OK, effective_ids=effective):
        raise StoreError(f"{shown(place)} is read-only: it is not replaced")


def _difference(place: Path, side: Side, task: str) -> str:
    """Why the baseline in a folder is not an older one of the same; "" if it is."""
    try:
        old = read_baseline(place)
    except StoreError:
        return "cannot be read" if any(place.iterdir()) else ""
    if old.model != side.model:
        return f"is a baseline of the model {old.model}"
    hashes = [
        {cell.variant: (cell.task_version, cell.data_hash) for cell in _cells(one, task)}
        for one in (old, side)
    ]
    for variant in hashes[0].keys() & hashes[1].keys():
        (version, data), (new_version, new_data) = (known[variant] for known in hashes)
        if version != new_version:
            return f"is of version {version} of the task, not {new_version}"
        if data != new_data:
            return "was measured on other data"
    gone = hashes[0].keys() - hashes[1].keys()
    return f"has the variant '{min(gone)}', which the run has not" if gone else ""


# --------------------------------------------------------------------------- writing


def _cells(side: Side, task: str) -> list[CellRecord]:
    cells = side.run.manifest.cells
    return [cell for cell in cells if (cell.model, cell.task) == (side.model, task)]


def _write(draft: Path, side: Side, task: str, kept: Kept) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    cells = _cells(side, task)
    tables = kept_tables(side.run, cells, kept)
    parts = [write_part(draft, name, table) for name, table in tables.items()]
    origin = Origin(side.run.run_id, task, side.model, kept.answers, tuple(kept.columns))
    made = replace(
        _manifest(side, cells),
        run_id=f"baseline/{task}",
        parts=tuple(parts),
        kind="baseline",
        baseline=origin,
    )
    write_file(draft / manifests.FILE_NAME, manifests.dump(made))
    write_file(draft / README, readme(read_baseline(draft)).encode())
    sync_folder(draft)


def _manifest(side: Side, cells: Sequence[CellRecord]) -> Manifest:
    """The run's manifest, less what is about other cells."""
    run = side.run.manifest
    infos = [info for cell in cells for info in cell.scorers if info.judge]
    judging = {model for info in infos for model in info.judged_by.split(PANEL)}
    models = {side.model, *judging}
    judges = {info.judge for info in infos}
    stored = [stored_spec(side.run, name) for name in sorted(judges)]
    judges |= {spec.template for spec in stored if spec is not None}
    named = {"task": {cell.task for cell in cells}, "model": models, "judge": judges}

    def wanted(spec: SpecRecord) -> bool:
        return spec.name in named.get(spec.kind, ())

    return replace(
        run,
        schema_version=manifests.SCHEMA_VERSION,
        cells=tuple(cells),
        models=tuple(one for one in run.models if one.model in models),
        specs=tuple(spec for spec in run.specs if wanted(spec)),
        counts=total_counts(cells),
    )


def _same(draft: Path, place: Path) -> bool:
    """Whether a folder holds what was written anew, byte by byte."""
    try:
        return all((draft / name).read_bytes() == (place / name).read_bytes() for name in FILES)
    except OSError:
        return False
