"""The speed of a run on one page: by stage, and what batches, frames and quantization change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError
from harness.leaderboard.speed_sweeps import (
    Measured,
    batch_part,
    compression_part,
    grid_part,
    joined,
    trade_part,
)
from harness.results.manifest import CellRecord
from harness.results.render import Record, Report, Table, number
from harness.results.run import ScorerInfo, StageRow
from harness.results.speed import CellSpeed, speeds
from harness.results.store import RunReader
from harness.results.stored_judges import measured
from harness.results.variants import shared

COLUMNS = {
    "n": "n",
    "mean": "mean",
    "std": "std",
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
    "tokens_per_s": "tokens/s",
    "frames_per_s": "frames/s",
    "peak_memory_mb": "peak MB",
    "size_mb": "disk MB",
}
ALWAYS = ("n", "mean", "std", "p50", "p95", "p99")
TOLERANCE = 0.02
WIDE = 40
"""Letters of settings in one line."""
STAGES_NOTE = (
    "Milliseconds a sample; total: the wall time of a batch divided by its size, so that answers "
    "of one batch share a latency. Decoding and preprocessing run on other threads or before a "
    "batch, and are not in the total then. Tokens/s are the prompt's in prefill, the answer's "
    "behind its first token in generate (- where most answers have one only), else the answer's."
)
MEMORY = {
    "CUDA": "tensors on the GPU",
    "RSS": "resident memory of the process (and of a bridge's worker) while the cell was asked",
    "RSS so far": "resident memory of the process (and of a bridge's worker) since it began",
}
CACHED = (
    "{cached} of {total} answers were cached and keep their first time; "
    "`harness run --profile` measures all anew."
)


@dataclass(frozen=True)
class SpeedOptions:
    """Which cells (all if empty), by which metric (else each task's first), and which drop in
    score a quantization may cost."""

    tasks: Sequence[str] = ()
    models: Sequence[str] = ()
    metrics: Sequence[str] = ()
    tolerance: float = TOLERANCE


def speed_report(run: RunReader, options: SpeedOptions | None = None) -> Report:
    """Tables by stage first, then those of the sweeps that the run has.

    Raises SelectionError for a task, model or metric that the run does not have, or if nothing
    was timed.
    """
    options = options or SpeedOptions()
    cells = _selected(run, options)
    timed = speeds(run, cells)
    if not timed:
        raise SelectionError("nothing was timed: these answers have no latency")
    found = [_with_quality(run, one, options.metrics) for one in timed]
    parts = [batch_part(found), grid_part(found), trade_part(found)]
    parts.append(compression_part(found, options.tolerance))
    notes = [STAGES_NOTE, *_memory_notes(timed), *_cached_note(run, timed)]
    stages = Report(_stage_tables(timed), {"stages": _records(timed)}, notes)
    return joined([stages, *parts])


def _selected(run: RunReader, options: SpeedOptions) -> list[CellRecord]:
    cells = measured(run, run.manifest.cells)
    names = {info.name for cell in cells for info in cell.scorers}
    asked = [
        ("task", options.tasks, {cell.task for cell in cells}),
        ("model", options.models, {cell.model for cell in cells}),
        ("metric", options.metrics, names | {name.partition("[")[0] for name in names}),
    ]
    for kind, wanted, known in asked:
        for name in wanted:
            if name not in known:
                hint = known_or_near(name, known)
                raise SelectionError(f"the run has no {kind} '{name}'{hint}")
    return [
        cell
        for cell in cells
        if cell.task in (options.tasks or {cell.task})
        and cell.model in (options.models or {cell.model})
    ]


def _with_quality(run: RunReader, speed: CellSpeed, wanted: Sequence[str]) -> Measured:
    """A cell's speed with its value in the first metric that is asked for and says how good it
    is."""
    fit = [info for info in speed.record.scorers if _fits(info, wanted)]
    if not fit:
        return Measured(speed)
    rows = {row.metric: row for row in run.metrics() if row.cell == speed.record.cell}
    row = rows.get(fit[0].name)
    return Measured(speed, fit[0], row.value if row else None)


def _fits(info: ScorerInfo, wanted: Sequence[str]) -> bool:
    if wanted:
        return info.name in wanted or info.name.partition("[")[0] in wanted
    return not (info.neutral or info.criterion or info.opponent)


# --------------------------------------------------------------------------- stages


def _stage_tables(timed: Sequence[CellSpeed]) -> list[Table]:
    """One table a task and model, variants below each other; columns that say nothing left out."""
    groups: dict[tuple[str, str], list[CellSpeed]] = {}
    for one in timed:
        groups.setdefault((one.record.task, one.record.model), []).append(one)
    return [_stage_table(f"{task}: {model}", group) for (task, model), group in groups.items()]


def _stage_table(where: str, group: Sequence[CellSpeed]) -> Table:
    lines = [row for one in group for row in one.stages]
    names = [
        name
        for name in COLUMNS
        if name in ALWAYS or any(getattr(row, name) is not None for row in lines)
    ]
    common, own = shared([one.record.variant for one in group])
    varied = any(own)
    rows = []
    for one, settings in zip(group, own, strict=True):
        heads = _lines(settings or "-")
        filled = ["", *[""] * len(names)]
        for head, row in zip_longest(heads, one.stages, fillvalue=None):
            told = filled if row is None else [row.stage, *(_shown(row, name) for name in names)]
            if varied or row is not None:
                rows.append([*[head or ""] * varied, *told])
    columns = [*["variant"] * varied, "stage", *(COLUMNS[name] for name in names)]
    title = f"{where}, speed by stage{common and f', with {common}'}"
    return Table(title, columns, rows, "l" * (1 + varied) + "r" * len(names))


def _lines(settings: str) -> list[str]:
    """Settings below each other where they are too wide beside each other; none is cut."""
    lines = [""]
    for part in re.split(r"(?<=,)(?=[\w.]+=)", settings):
        if lines[-1] and len(lines[-1]) + len(part) > WIDE:
            lines.append("")
        lines[-1] += part
    return lines


def _shown(row: StageRow, name: str) -> str:
    value = getattr(row, name)
    return ("-" if value is None else str(value)) if name == "n" else number(value)


def _records(timed: Sequence[CellSpeed]) -> list[Record]:
    return [
        {
            "cell": one.record.cell,
            "task": one.record.task,
            "model": one.record.model,
            "variant": one.record.variant,
            "stage": row.stage,
            **{name: getattr(row, name) for name in COLUMNS},
            "memory": row.memory,
            "weights_mb": row.weights_mb,
        }
        for one in timed
        for row in one.stages
    ]


# --------------------------------------------------------------------------- notes


def _memory_notes(timed: Sequence[CellSpeed]) -> list[str]:
    kinds = dict.fromkeys(one.total.memory for one in timed if one.total.peak_memory_mb)
    told = [MEMORY.get(kind or "", "not said of what, in this old run") for kind in kinds]
    sized = any(one.total.size_mb for one in timed)
    notes = [f"Peak memory: {'; '.join(told)}."] if told else []
    return [*notes, *["Disk: weights of the base and of its LoRA."] * sized]


def _cached_note(run: RunReader, timed: Sequence[CellSpeed]) -> list[str]:
    names = {one.record.cell for one in timed}
    table = run.table("completions", ["cell", "cached"])
    pairs = zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True)
    flags = [cached for cell, cached in pairs if cell in names]
    return [CACHED.format(cached=sum(flags), total=len(flags))] if any(flags) else []
