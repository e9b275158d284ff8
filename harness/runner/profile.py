"""How fast each cell was answered, stage by stage, and what memory that took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.adapters.disk import disk_mb
from harness.results.run import CellResult, StageRow
from harness.results.speed import JUDGE_STAGE, Timing, stage_rows
from harness.runner.generate import Answers
from harness.runner.score import ScoredCell


def profile(cells: Sequence[ScoredCell], answers: Answers) -> list[StageRow]:
    """The rows of all cells; answers that were cached keep their first time.

    What is not of a stage stands in the row of the total: peak memory, megabytes of the weights
    on disk and in memory.
    """
    rows: list[StageRow] = []
    for one in cells:
        cell = one.work.cell
        *stages, total = stage_rows(cell.id, one.completions)
        memory = answers.memory.get(cell.id)
        whole = replace(
            total,
            peak_memory_mb=memory.mb if memory else None,
            memory=memory.kind if memory else None,
            size_mb=disk_mb(cell.model),
            weights_mb=answers.weights_mb.get(cell.id),
        )
        rows += [*stages, whole]
    return rows


def judge_profile(cells: Sequence[CellResult]) -> list[StageRow]:
    """One row a cell and judge, for the stage ``judge NAME``: its latencies, asked again or not."""
    rows = []
    for cell in cells:
        said: dict[str, list[float]] = {}
        for row in cell.verdicts:
            if row.verdict.latency_ms is not None:
                said.setdefault(row.verdict.judge, []).append(row.verdict.latency_ms)
        for judge, latencies in said.items():
            one = Timing.of(latencies)
            rows.append(
                StageRow(
                    cell.cell_id,
                    f"{JUDGE_STAGE}{judge}",
                    *(one.p50, one.p95, one.p99),
                    n=one.n,
                    mean=one.mean,
                    std=one.std,
                )
            )
    return rows
