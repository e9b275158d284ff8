"""The trade-off page: what each model gives, and what it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from harness.leaderboard.charts import Axes, Chart, TradeOffRow, trade_off
from harness.leaderboard.columns import Standing, Standings
from harness.leaderboard.costs import COSTS, costs_of, size_of
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.pareto import Point, recommend
from harness.leaderboard.stage_charts import stages_of_tasks
from harness.leaderboard.views import Column, TradeOff, TradePoint

WHY = {
    "low latency": "the least cost of those that no other model beats in both",
    "best quality": "the best value",
    "balanced": "nearest to the best value at the least cost, both scaled over the front",
}


def trade_view(standings: Standings, sources: Sources) -> TradeOff:
    """Points of every column that is a quality, with all costs that are known."""
    board = standings.board
    sizes = {model: size_of(model, sources.project) for model in board.models}
    costs = {
        id(cell): costs_of(
            cell,
            sources.stages.get((cell.run.run_id, cell.record.cell), []),
            sizes[cell.record.model],
            sources.project,
        )
        for bench in board.benches
        for cell in bench.cells.values()
    }
    shown = [one for one in standings.all if _is_quality(one)]
    points = []
    for one in shown:
        for model, cell in one.bench.cells.items():
            row = one.cell(model)
            if row is not None and row.value is not None and one.bench.comparable(cell):
                points.append(TradePoint(model, one.column.id, row.value, costs[id(cell)]))
    known = [(key, label) for key, label in COSTS.items() if any(key in p.costs for p in points)]
    columns = tuple(one.column for one in shown if any(p.column == one.column.id for p in points))
    return TradeOff(
        columns=columns,
        points=tuple(points),
        costs=tuple(known),
        recommendations=tuple(_recommended(columns, points)),
        charts=tuple(_charts(columns, points, known, board.models)),
        stages=tuple(stages_of_tasks(board, sources)),
    )


def _is_quality(one: Standing) -> bool:
    return not (one.info.neutral or one.info.opponent or one.info.criterion)


def _recommended(
    columns: Sequence[Column], points: Sequence[TradePoint]
) -> Iterator[tuple[str, str, str, str]]:
    """Of each task's first metric: whom to take for what, by the median latency."""
    for column in columns:
        if not column.primary:
            continue
        own = [p for p in points if p.column == column.id and "latency_p50_ms" in p.costs]
        sign = 1 if column.higher_is_better else -1
        flat = [Point(p.model, sign * p.quality, p.costs["latency_p50_ms"]) for p in own]
        if len(flat) < 2:
            continue
        for aim, index in recommend(flat).items():
            yield f"{column.task_label}, {column.label}", aim, own[index].model, WHY[aim]


def _charts(
    columns: Sequence[Column],
    points: Sequence[TradePoint],
    costs: Sequence[tuple[str, str]],
    models: Sequence[str],
) -> list[Chart]:
    """The first column against the first cost that any of its models has; the page draws the
    others from the same spec."""
    ordered = sorted(columns, key=lambda one: not one.primary)
    for column, (key, label) in itertools.product(ordered, costs):
        rows = [
            TradeOffRow(p.model, p.quality, p.costs[key])
            for p in points
            if p.column == column.id and key in p.costs
        ]
        if rows:
            axes = Axes(label, f"{column.task_label}: {column.label}")
            return [trade_off("trade-off", "Quality against cost", rows, axes, models)]
    return []
