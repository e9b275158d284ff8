"""A stored run as records again: what judging a finished run begins with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError, shown
from harness.records import Completion, Sample, Score, Usage, Verdict
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
    """The rows of a run by what they belong to; each table is read once."""

    def __init__(self, run: RunReader) -> None:
        self.samples = _grouped(run.table("samples"), ("task", "variant"))
        self.completions = _grouped(run.table("completions"), ("cell",))
        self.scores = _grouped(run.table("scores"), ("cell", "scorer"))
        self.verdicts = _grouped(run.table("verdicts"), ("cell",))


def _grouped(table: pa.Table, names: tuple[str, ...]) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in _rows(table):
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def _rows(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=4096):
        yield from batch.to_pylist()


def _cell(cell: CellRecord, tables: _Tables) -> CellResult:
    rows = tables.completions.get((cell.cell,), [])
    order = {(row["sample"], row["epoch"]): at for at, row in enumerate(rows)}
    scores: dict[str, list[Score]] = {}
    for info in cell.scorers:
        placed = [Score(None, "error", explanation="not stored")] * len(rows)
        for row in tables.scores.get((cell.cell, info.name), []):
            placed[order[row["sample"], row["epoch"]]] = _score(row)
        scores[info.name] = placed
    samples = tables.samples.get((cell.task, cell.variant), [])
    return CellResult(
        cell_id=cell.cell,
        cell_hash=cell.hash,
        task=cell.task,
        task_hash=cell.task_hash,
        task_version=cell.task_version,
        model=cell.model,
        variant=cell.variant,
        samples=[_sample(row) for row in samples],
        completions=[_completion(row) for row in rows],
        scores=scores,
        scorers=cell.scorers,
        split=samples[0]["split"] if samples else "test",
        data_hash=cell.data_hash,
        verdicts=[verdict_row(row) for row in tables.verdicts.get((cell.cell,), [])],
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


def _score(row: Row) -> Score:
    return Score(
        value=row["value"],
        status=row["status"],
        answer=row["answer"],
        control=row["control"],
        detail=tuple(row["detail"] or ()),
        explanation=row["explanation"],
    )


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
