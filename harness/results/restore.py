"""A stored run as records again: what judging a finished run begins with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import StoreError, shown
from harness.records import Completion, Sample, Score, Stages, Usage, Verdict
from harness.results.arrays import rows_of
from harness.results.manifest import CellRecord
from harness.results.run import (
    CellResult,
    CompletionRow,
    Run,
    SpecText,
    StageRow,
    VerdictRow,
)
from harness.results.store import RunReader

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
Row = Mapping[str, Any]


def restore(run: RunReader) -> Run:
    """All of a run but its metrics, which follow from the scores.

    What an earlier version did not store is empty. Raises StoreError if a table is damaged, and
    for a baseline, which does not keep all of a run.
    """
    manifest = run.manifest
    if manifest.baseline is not None:
        kept = (
            f"is a baseline, which keeps no answers to judge; name the run {manifest.baseline.run}"
        )
        raise StoreError(f"{shown(run.path)} {kept}")
    tables = _Tables(run)
    return Run(
        cells=[_cell(cell, tables) for cell in manifest.cells],
        started=datetime.fromisoformat(manifest.started),
        finished=datetime.fromisoformat(manifest.finished),
        models=manifest.models,
        specs=[SpecText(s.kind, s.name, s.path, s.text) for s in manifest.specs],  # type: ignore[arg-type]
        profile=[_stage(row) for row in run.table("profile").to_pylist()],
        seeds=manifest.seeds,
        settings=manifest.settings,
        revision=manifest.revision,
        dirty=manifest.dirty,
        packages=manifest.packages,
    )


class _Tables:
    """The records of a run by what they belong to; each table is read once."""

    def __init__(self, run: RunReader) -> None:
        self.samples = _grouped(run.table("samples"), ("task", "variant"), _sample)
        splits = run.table("samples", ["task", "variant", "split"])
        self.splits = _grouped(splits, ("task", "variant"), _split)
        self.completions = _grouped(run.table("completions"), ("cell",), _completion)
        self.scores = _grouped(run.table("scores"), ("cell", "scorer"), _placed_score)
        self.verdicts = _grouped(run.table("verdicts"), ("cell",), verdict_row)


def _grouped(
    table: pa.Table, names: tuple[str, ...], make: Callable[[Row], T]
) -> dict[tuple[str, ...], list[T]]:
    found: dict[tuple[str, ...], list[T]] = {}
    for row in rows_of(table):
        found.setdefault(tuple(row[name] for name in names), []).append(make(row))
    return found


def _cell(cell: CellRecord, tables: _Tables) -> CellResult:
    rows = tables.completions.get((cell.cell,), [])
    order = {(row.sample, row.epoch): at for at, row in enumerate(rows)}
    scores: dict[str, list[Score]] = {}
    for info in cell.scorers:
        placed = [Score(None, "error", explanation="not stored")] * len(rows)
        for about, score in tables.scores.get((cell.cell, info.name), []):
            placed[order[about]] = score
        scores[info.name] = placed
    place = (cell.task, cell.variant)
    return CellResult(
        cell_id=cell.cell,
        cell_hash=cell.hash,
        task=cell.task,
        task_hash=cell.task_hash,
        task_version=cell.task_version,
        model=cell.model,
        variant=cell.variant,
        samples=tables.samples.get(place, []),
        completions=rows,
        scores=scores,
        scorers=cell.scorers,
        split=tables.splits.get(place, ["test"])[0],
        data_hash=cell.data_hash,
        verdicts=tables.verdicts.get((cell.cell,), []),
    )


def _sample(row: Row) -> Sample:
    return Sample(
        id=row["sample"],
        input=row["input"],
        target=row["target"],
        choices=tuple(row["choices"]),
        media=tuple(row["media"]),
        cluster=row["cluster"],
        row=json.loads(row["row"]),
    )


def _split(row: Row) -> str:
    found: str = row["split"]
    return found


def _completion(row: Row) -> CompletionRow:
    done = Completion(
        id=row["sample"],
        text=row["text"],
        finish_reason=row["finish_reason"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        logprobs=tuple(row["logprobs"]),
        logprob_tokens=tuple(row["logprob_tokens"]),
        truncated=row["truncated"],
        latency_ms=row["latency_ms"],
        error=row["error"],
        stages=_stages(row),
        frame_times=tuple(row.get("frame_times") or ()),
    )
    return CompletionRow(
        sample=row["sample"],
        epoch=row["epoch"],
        completion=done,
        key=row["key"],
        cached=row["cached"],
        prompt=row.get("prompt"),
        continuations=tuple(row.get("continuations") or ()),
    )


def _stages(row: Row) -> Stages | None:
    """Where the time went, of an answer that says so."""
    names = [field.name for field in fields(Stages)]
    if row.get(names[0]) is None:
        return None
    return Stages(**{name: row[name] for name in names})


def _placed_score(row: Row) -> tuple[tuple[str, int], Score]:
    """Sample and epoch, and the score that belongs there."""
    score = Score(
        value=row["value"],
        status=row["status"],
        answer=row["answer"],
        control=row["control"],
        detail=tuple(row["detail"] or ()),
        explanation=row["explanation"],
    )
    return (row["sample"], row["epoch"]), score


def verdict_row(row: Row) -> VerdictRow:
    """A row of the verdicts table; columns that were not read have their defaults."""
    known = {field.name for field in fields(Verdict)} & row.keys()
    plain = {name: row[name] for name in known - {"judge", "criteria", "flags"}}
    usage = Usage(
        row["cached_tokens"] or 0,
        row["reasoning_tokens"] or 0,
        row["attempts"] or 0,
        row["served"] or "",
    )
    verdict = Verdict(
        judge=row["judge"],
        model=row["judge_model"],
        criteria={one["name"]: one["value"] for one in row.get("criteria") or ()},
        flags=tuple(row["flags"] or ()),
        usage=usage,
        **plain,
    )
    return VerdictRow(
        row["sample"], row["epoch"], row["judge_version"], row["template_hash"] or "", verdict
    )


def _stage(row: Row) -> StageRow:
    numbers = {f.name: row.get(f.name) for f in fields(StageRow) if f.name not in ("cell", "stage")}
    return StageRow(row["cell"], row["stage"], **numbers)
