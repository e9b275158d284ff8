"""Marks beside names and numbers: what a reader must know before comparing."""

from __future__ import annotations

import re

from harness.leaderboard.gather import Bench, Board, BoardCell, fields_of
from harness.leaderboard.views import Badge
from harness.results.run import MetricRow, ScorerInfo

EMBEDDING = "embedding judge"
"""Part of the name of whatever an embedding judge says."""


def model_badges(board: Board, cell: BoardCell) -> tuple[Badge, ...]:
    """What a model is, by its card as the latest run keeps it."""
    name = cell.record.model
    card = fields_of(cell.spec_text("model", name))
    found = []
    tags = card.get("tags")
    if card.get("lora"):
        # a folder of this machine is nobody else's business
        base = board.baselines.get(name) or re.split(r"[/\\]", str(card.get("base", "")))[-1]
        found.append(Badge(f"LoRA of {base}", "lora", f"a LoRA adapter on {base}"))
    if isinstance(tags, list) and "checkpoint" in tags:
        found.append(Badge("checkpoint", "checkpoint", "a checkpoint of a training"))
    quantize = card.get("quantize")
    if quantize in ("nf4", "int8"):
        found.append(Badge(str(quantize), "quant", f"weights quantized to {quantize}"))
    if card.get("adapter") == "llama_cpp" or str(card.get("base", "")).endswith(".gguf"):
        found.append(Badge("GGUF", "quant", "a GGUF file, run by llama.cpp"))
    of = [other for other, base in board.baselines.items() if base == name]
    if of:
        words = f"{', '.join(of[:3])}{' and others' if len(of) > 3 else ''}"
        found.append(Badge("baseline", "baseline", f"what {words} is compared with"))
    return tuple(found)


def cell_badges(
    bench: Bench, cell: BoardCell, info: ScorerInfo, row: MetricRow
) -> tuple[Badge, ...]:
    """What speaks against one number."""
    found = []
    own, now = cell.record, bench.newest.record
    if bench.is_profile(cell):
        title = f"{own.samples} samples, asked to measure speed: it has no rank"
        found.append(Badge("profile", "partial", title))
    elif bench.is_stale(cell):
        what = f"version {own.task_version} of the task, today's is {now.task_version}"
        if own.task_version == now.task_version:
            what = f"other data ({own.samples} samples) than what others were asked"
        found.append(Badge("stale", "stale", f"not comparable: {what}; run it again"))
    elif bench.is_partial(cell):
        title = f"only {own.samples} of {now.samples} samples were asked: it has no rank"
        found.append(Badge(f"{own.samples} of {now.samples}", "partial", title))
    own_info = next((one for one in own.scorers if one.name == info.name), info)
    if EMBEDDING in info.name:
        title = "an embedding judge, not an LLM: it compares sentence embeddings"
        found.append(Badge("embedding judge", "judge", title))
    if own_info.same_family:
        title = f"{own_info.judged_by} judged a model of its own family, which judges favour"
        found.append(Badge("same family", "kin", title))
    if row.n_judge_error:
        title = f"{row.n_judge_error} answers without a valid verdict, left out"
        found.append(Badge(f"{row.n_judge_error} judge errors", "stale", title))
    return tuple(found)
