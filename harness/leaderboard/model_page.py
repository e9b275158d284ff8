"""A model's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import HarnessError
from harness.leaderboard.charts import (
    Chart,
    LatencyRow,
    TrainingRow,
    latency,
    training_curve,
)
from harness.leaderboard.columns import Standing, Standings, task_href
from harness.leaderboard.costs import size_of
from harness.leaderboard.gather import BoardCell, fields_of
from harness.leaderboard.names import slug
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.stage_charts import stages_of_model
from harness.leaderboard.task_page import difference_chart, short_label
from harness.leaderboard.views import Code, Link, ModelView, TextTable
from harness.results.answers import task_label
from harness.results.render import number

RETENTION = "general_retention"
"""The task that asks what a model still knows beside what it was tuned for."""


def model_view(model: str, standings: Standings, sources: Sources) -> ModelView:
    """Everything about one model."""
    board = standings.board
    cell = board.newest_of(model)
    columns = [one for one in standings.all if model in one.bench.cells]
    row = standings.row(model, columns)
    text = cell.spec_text("model", model)
    card = fields_of(text)
    folder = _training(model, sources)
    tables = [
        _profile(model, standings, sources),
        _retention(model, columns),
        _gates(model, standings, sources),
    ]
    charts = [
        *difference_chart(f"{slug(model)}-forest", columns, [model], _task_and_metric),
        *_curve(model, folder),
        *stages_of_model(model, board, sources),
        *_latency(model, standings, sources),
    ]
    return ModelView(
        id=slug(model),
        name=model,
        slug=slug(model),
        description=sources.clean(str(card.get("description") or "")),
        badges=row.badges,
        baseline=row.baseline,
        facts=tuple(_facts(cell, card, sources)),
        card=Code("model card", sources.clean(text), "yaml") if text else None,
        recipe=_recipe(folder, sources),
        columns=tuple(one.column for one in columns),
        row=row,
        charts=tuple(charts),
        tables=tuple(table for table in tables if table is not None and table.rows),
        notes=(),
    )


def _task_and_metric(one: Standing, model: str) -> str:
    return f"{short_label(one)}: {one.column.label}"


def _facts(
    cell: BoardCell, card: Mapping[str, object], sources: Sources
) -> Iterator[tuple[str, str]]:
    info, manifest = cell.model, cell.run.manifest
    size = size_of(cell.record.model, sources.project)
    named = {
        key: str(card[key]) for key in ("base", "revision", "lora", "quantize") if card.get(key)
    }
    words = {
        "adapter": info.adapter,
        **{key: sources.clean(value) for key, value in named.items()},
        "dtype": info.dtype or sources.clean(str(card.get("dtype") or "")),
        "device": info.device,
        "licence": sources.clean(str(card.get("licence") or "")),
        "size on disk": f"{number(size)} MB" if size else "",
        "fingerprint": info.fingerprint[:12],
        "machine": manifest.machine,
        "newest run": f"{manifest.run_id}, {manifest.started[:10]}",
    }
    return ((what, value) for what, value in words.items() if value and value != "none")


# --------------------------------------------------------------------------- training


def _training(model: str, sources: Sources) -> Path | None:
    """The folder of the training that made a model; None if it is not here."""
    if sources.project is None:
        return None
    folder = sources.project.root / "runs" / "finetune" / model
    return folder if folder.is_dir() else None


def _curve(model: str, folder: Path | None) -> list[Chart]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = None if folder is None else folder / "curve.parquet"
    if file is None or not file.is_file():
        return []
    try:
        points = pq.read_table(file).to_pylist()
        rows = [TrainingRow(one["step"], one["loss"], one["eval_loss"]) for one in points]
    except (OSError, pa.ArrowException, KeyError):
        return []  # half a training: `harness finetune` tells of it
    return [training_curve(f"{slug(model)}-training", "Loss in training", rows)] if rows else []


def _recipe(folder: Path | None, sources: Sources) -> Code | None:
    import json

    if folder is None or sources.project is None:
        return None
    try:
        name = json.loads((folder / "recipe.json").read_text("utf-8"))["recipe"]
        recipe = sources.project.get_recipe(name)
    except (OSError, ValueError, KeyError, TypeError, HarnessError):
        return None
    return Code(f"recipe {recipe.recipe}, as it is today", sources.clean(recipe.text), "yaml")


# --------------------------------------------------------------------------- tables


def _profile(model: str, standings: Standings, sources: Sources) -> TextTable:
    """Speed and memory by task and stage."""
    rows: list[tuple[str | Link, ...]] = []
    for bench, cell in standings.board.cells_of(model):
        for stage in sources.stages.get((cell.run.run_id, cell.record.cell), ()):
            numbers = [stage.mean, stage.std, stage.p50, stage.p95, stage.p99]
            numbers += [stage.tokens_per_s, stage.frames_per_s, stage.peak_memory_mb, stage.size_mb]
            where = Link(task_label(bench.task, bench.variant), task_href(bench.task))
            rows.append((where, stage.stage, *map(number, numbers)))
    times = ("mean ms", "std ms", "p50 ms", "p95 ms", "p99 ms")
    columns = ("task", "stage", *times, "tokens/s", "frames/s", "peak MB", "disk MB")
    note = (
        "milliseconds a sample, at the batch size of the run; cached answers keep their first time"
    )
    return TextTable("Speed and memory", columns, tuple(rows), "llrrrrrrrrr", note)


def _latency(model: str, standings: Standings, sources: Sources) -> list[Chart]:
    rows = []
    for bench, cell in standings.board.cells_of(model):
        for stage in sources.stages.get((cell.run.run_id, cell.record.cell), ()):
            if stage.p50 is not None and stage.p95 is not None and stage.p99 is not None:
                name = f"{task_label(bench.task, bench.variant)}: {stage.stage}"
                rows.append(LatencyRow(model, name, stage.p50, stage.p95, stage.p99))
    return [latency(f"{slug(model)}-latency", "Latency by stage", rows)] if rows else []


def _retention(model: str, columns: list[Standing]) -> TextTable:
    """What is left of the baseline's score on general knowledge."""
    rows = []
    for one in columns:
        cell = one.cell(model)
        base = one.board.baselines.get(model)
        before = one.cell(base) if base else None
        if one.bench.task != RETENTION or cell is None or before is None or one.info.neutral:
            continue
        if cell.value is None or not before.value:
            continue
        kept = f"{100 * cell.value / before.value:.0f} %"
        words = "" if cell.delta is None else f"{cell.delta.text}, {cell.delta.words}"
        rows.append((one.column.label, before.text, cell.text, kept, words))
    columns_ = ("metric", "baseline", "this model", "kept", "difference")
    return TextTable("General knowledge kept", columns_, tuple(rows), "lrrrl")


def _gates(model: str, standings: Standings, sources: Sources) -> TextTable:
    """What the gates say of the model's newest cells."""
    rows = []
    for bench, cell in standings.board.cells_of(model):
        gated = sources.rulings.get((cell.run.run_id, model, bench.task))
        if gated is None:
            continue
        for ruling in gated.rulings:
            if ruling.variant == bench.variant:
                where = Link(task_label(bench.task, bench.variant), task_href(bench.task))
                line = f"{ruling.metric}: {ruling.line}"
                rows.append((where, line, ruling.outcome, sources.clean(ruling.reason)))
    return TextTable("Gates", ("task", "line", "verdict", "why"), tuple(rows), "llll")
