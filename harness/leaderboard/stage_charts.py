"""Where the time of an answer goes: decoding, preprocessing, reading the prompt, writing."""

from __future__ import annotations

from collections.abc import Sequence

from harness.leaderboard.charts import Chart, StackRow, stacked_bars
from harness.leaderboard.gather import Board
from harness.leaderboard.names import slug
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.variants import short_variant
from harness.results.answers import task_label
from harness.results.run import StageRow

STAGES = ("decode", "preprocess", "prefill", "generate")
TOTAL = "total"
MOST = 40
"""Bars of one chart."""
Timed = tuple[str, Sequence[StageRow]]
"""Whose answers, and how long each stage of them took."""


def stages_of_model(model: str, board: Board, sources: Sources) -> list[Chart]:
    """A bar for each task and variant of a model."""
    found = [
        (task_label(bench.task, bench.variant), _rows(sources, cell.run.run_id, cell.record.cell))
        for bench, cell in board.cells_of(model)
    ]
    return stage_chart(f"{slug(model)}-stages", "Where the time goes", found)


def stages_of_tasks(board: Board, sources: Sources) -> list[Chart]:
    """A chart for each task, a bar for each model and variant."""
    charts = []
    for task, benches in board.tasks.items():
        found: list[Timed] = []
        for bench in benches:
            words = short_variant(bench.variant)
            for model, cell in bench.cells.items():
                rows = _rows(sources, cell.run.run_id, cell.record.cell)
                found.append((f"{model} [{words}]" if words else model, rows))
        charts += stage_chart(f"{slug(task)}-stages", f"{task}: where the time goes", found)
    return charts


def stage_chart(name: str, title: str, timed: Sequence[Timed]) -> list[Chart]:
    """The chart of what is known by stage; none if nothing is. An answer that was timed as a whole
    alone has no bar."""
    rows: list[StackRow] = []
    totals = []
    bars = [(label, of) for label, stages in timed if len(of := _known(stages)) > 1][:MOST]
    for label, of in bars:
        rows += [StackRow(label, s, of[s].mean or 0.0, of[s].p50) for s in STAGES if s in of]
        whole = of.get(TOTAL)
        if whole is not None and whole.mean is not None:
            totals.append((label, whole.mean))
    return [stacked_bars(name, title, rows, totals, order=STAGES)] if rows else []


def _known(rows: Sequence[StageRow]) -> dict[str, StageRow]:
    """The stages with a mean, if there is more than the whole."""
    found = {row.stage: row for row in rows if row.mean is not None}
    parts = [stage for stage in STAGES if stage in found]
    return found if len(parts) > 1 else {}


def _rows(sources: Sources, run: str, cell: str) -> Sequence[StageRow]:
    return sources.stages.get((run, cell), ())
