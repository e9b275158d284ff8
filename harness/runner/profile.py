"""How fast each cell was answered: percentiles of latency, tokens a second, peak memory."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.run import CellResult, StageRow
from harness.runner.generate import Answers
from harness.runner.score import ScoredCell


def profile(cells: Sequence[ScoredCell], answers: Answers) -> list[StageRow]:
    """One row a cell for the stage ``generate``; answers that were cached keep their first time.

    A latency is the wall time of a batch divided by its size, so that the sum over samples is the
    time that the cell took.
    """
    rows = []
    for cell in cells:
        done = [c for c in cell.completions if c.latency_ms is not None and not c.failed]
        times = sorted(c.latency_ms for c in done if c.latency_ms is not None)
        seconds = sum(times) / 1e3
        tokens = sum(c.completion_tokens or 0 for c in done)
        rows.append(
            StageRow(
                cell=cell.work.cell.id,
                stage="generate",
                p50=_percentile(times, 0.50),
                p95=_percentile(times, 0.95),
                p99=_percentile(times, 0.99),
                tokens_per_s=tokens / seconds if seconds else None,
                peak_memory_mb=answers.peak_memory_mb.get(cell.work.cell.model.model),
            )
        )
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
            times = sorted(latencies)
            p50, p95, p99 = (_percentile(times, share) for share in (0.50, 0.95, 0.99))
            rows.append(StageRow(cell.cell_id, f"judge {judge}", p50, p95, p99))
    return rows


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile: a value that was really measured."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 100) * len(ordered) // 100) - 1))]
