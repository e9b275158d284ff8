"""What a model costs on a bench: time, memory, tokens, size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.adapters.disk import disk_mb
from harness.collect.library import Project
from harness.collect.shapes import shape
from harness.collect.specs import OpenAIModel
from harness.collect.yamlio import parse
from harness.errors import HarnessError
from harness.judges.prices import PriceTable
from harness.leaderboard.gather import BoardCell
from harness.leaderboard.scripts import finite
from harness.results.arrays import numbers_of
from harness.results.run import StageRow
from harness.results.speed import total_of
from harness.results.store import RunReader

COSTS = {
    "latency_p50_ms": "latency, median (ms a sample)",
    "latency_p95_ms": "latency, 95th percentile (ms a sample)",
    "peak_memory_mb": "peak memory (MB)",
    "completion_tokens": "answer length (tokens, mean)",
    "size_mb": "size on disk (MB)",
    "cost_usd": "price (US dollars for 1,000 answers)",
}
"""Key -> label."""


def stages(run: RunReader) -> dict[str, list[StageRow]]:
    """Cell -> the speed of its stages."""
    found: dict[str, list[StageRow]] = {}
    for row in run.table("profile").to_pylist():
        found.setdefault(row["cell"], []).append(StageRow(**row))
    return found


def costs_of(
    cell: BoardCell, rows: list[StageRow], size_mb: float | None, project: Project | None
) -> Mapping[str, float]:
    """The costs that are known of a cell."""
    read, written = _tokens(cell)
    # answers that were recorded elsewhere cost nothing here: the process' memory tells nothing
    here = cell.model.adapter != "replay"
    stage = total_of(rows) if here else None
    found = {
        "latency_p50_ms": stage and stage.p50,
        "latency_p95_ms": stage and stage.p95,
        "peak_memory_mb": stage and stage.peak_memory_mb,
        "completion_tokens": written,
        "size_mb": stage.size_mb if stage and stage.size_mb else size_mb,
        "cost_usd": _price(cell, read, written, project),
    }
    rounded = {name: finite(value, 4) for name, value in found.items() if value}
    return {name: value for name, value in rounded.items() if value is not None}


def size_of(model: str, project: Project | None) -> float | None:
    """Megabytes of a model's weights, its LoRA's included, where they are files of this machine."""
    if project is None or not project.knows("model", model):
        return None
    try:
        return disk_mb(project.get_model(model))
    except HarnessError:
        return None


def _tokens(cell: BoardCell) -> tuple[float | None, float | None]:
    """Mean tokens read and written for an answer; None where nobody counted, or where the model
    only weighed given texts."""
    import numpy as np

    names = ("prompt_tokens", "completion_tokens")
    table = cell.run.table("completions", names, {"cell": cell.record.cell})
    means = []
    for name in names:
        tokens = numbers_of(table.column(name)).astype(float)
        known = tokens[np.isfinite(tokens)]
        means.append(float(known.mean()) if len(known) and known.any() else None)
    return means[0], means[1]


def _price(
    cell: BoardCell, read: float | None, written: float | None, project: Project | None
) -> float | None:
    """Dollars for a thousand answers of a model behind an API, by its card's price or the price
    table; None if nobody says, or if it runs here."""
    document, _ = parse(Path("card"), cell.spec_text("model", cell.record.model))
    data = document.data if document is not None else {}
    if not isinstance(data, dict) or data.get("adapter") != "openai" or read is None:
        return None
    card, _ = shape(OpenAIModel, data)
    try:
        table = PriceTable.of(project.root if project is not None else None)
        quote = None if card is None else table.quote(card)
    except HarnessError:
        return None
    if quote is None:
        return None
    price = quote.price
    tokens = read * price.input + (written or 0.0) * price.output
    return 1000 * (tokens / 1e6 + price.request)
