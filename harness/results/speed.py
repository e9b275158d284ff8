"""How long answers took, stage by stage: the statistics, and which rows of a stored run say what.

A latency is the wall time of a batch divided by its size, so that the sum over samples is the time
that the cell took. Decoding runs ahead on threads of its own and tokens are made before a batch
begins, so stages need not add up to the total.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from harness.records import Completion, Stages
from harness.results.manifest import CellRecord
from harness.results.run import StageRow
from harness.results.store import RunReader

StageName = Literal["decode", "preprocess", "prefill", "generate"]
STAGES: tuple[StageName, ...] = get_args(StageName)
TOTAL = "total"
"""The stage of a whole answer: its ``latency_ms``."""
OLD_TOTAL = "generate"
"""What runs of before there were stages called it."""
JUDGE_STAGE = "judge "
"""How the name of a judge's stage begins, which is no part of an answer."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Statistics of times in milliseconds; ``std`` is the sample's (n - 1), None below two."""

    n: int
    mean: float | None = None
    std: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, times: Iterable[float]) -> Timing:
        """Of times in any order."""
        ordered = sorted(times)
        n = len(ordered)
        if not n:
            return cls(0)
        mean = math.fsum(ordered) / n
        square = math.fsum((time - mean) ** 2 for time in ordered)
        return cls(
            n,
            mean,
            math.sqrt(square / (n - 1)) if n > 1 else None,
            *(percentile(ordered, share) for share in (50, 95, 99)),
        )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest-rank percentile of at least one sorted value: one that was really measured."""
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def stage_rows(cell: str, completions: Iterable[Completion]) -> list[StageRow]:
    """A row for each stage that took time, and last one for the whole; failures are left out.

    Tokens a second are prompt tokens for ``prefill``; for ``generate`` the tokens behind the
    first, which comes with the prompt where that was timed apart, and none where most answers
    have no other; for the total all that were written. Frames a second are of the stage's own
    time, one stage after the other.
    """
    done = [one for one in completions if one.latency_ms is not None and not one.failed]
    known = [(one, one.stages) for one in done if one.stages is not None]
    rows = []
    for stage in STAGES:
        times = [getattr(stages, f"{stage}_ms") for _, stages in known]
        if any(times):
            each = [_tokens(stage, one, stages) for one, stages in known]
            # what few answers went on with says nothing against the time of all
            told = stage != "generate" or 2 * sum(map(bool, each)) > len(each)
            tokens = sum(each) if told else 0
            frames = 0 if stage == "generate" else sum(stages.frames for _, stages in known)
            rows.append(_row(cell, stage, times, tokens, frames))
    times = [one.latency_ms for one in done if one.latency_ms is not None]
    tokens = sum(one.completion_tokens or 0 for one in done)
    return [*rows, _row(cell, TOTAL, times, tokens, sum(stages.frames for _, stages in known))]


def _tokens(stage: StageName, done: Completion, stages: Stages) -> int:
    if stage == "prefill":
        return done.prompt_tokens
    written = done.completion_tokens or 0
    return max(0, written - bool(stages.prefill_ms)) if stage == "generate" else 0


def _row(cell: str, stage: str, times: Sequence[float], tokens: int, frames: int) -> StageRow:
    seconds, timing = math.fsum(times) / 1e3, Timing.of(times)
    return StageRow(
        cell=cell,
        stage=stage,
        p50=timing.p50,
        p95=timing.p95,
        p99=timing.p99,
        tokens_per_s=tokens / seconds if seconds and tokens else None,
        n=timing.n,
        mean=timing.mean,
        std=timing.std,
        frames_per_s=frames / seconds if seconds and frames else None,
    )


def total_of(rows: Iterable[StageRow]) -> StageRow | None:
    """The row of a cell's whole answers; in old runs, that of ``generate``."""
    found = {row.stage: row for row in rows}
    return found.get(TOTAL) or found.get(OLD_TOTAL)


# --------------------------------------------------------------------------- stored runs


@dataclass(frozen=True)
class CellSpeed:
    """A cell of a stored run and how fast it was; ``total`` is one of ``stages`` or derived."""

    record: CellRecord
    settings: Mapping[str, str]
    stages: tuple[StageRow, ...]
    total: StageRow

    @property
    def per_second(self) -> float | None:
        """Samples a second."""
        return 1e3 / self.total.mean if self.total.mean else None


def speeds(run: RunReader, cells: Sequence[CellRecord]) -> list[CellSpeed]:
    """Of the cells that were timed, in their order; judges' stages are left out."""
    rows: dict[str, list[StageRow]] = {}
    for one in run.table("profile").to_pylist():
        if not one["stage"].startswith(JUDGE_STAGE):
            rows.setdefault(one["cell"], []).append(StageRow(**one))
    found = []
    for record in cells:
        own = rows.get(record.cell, [])
        total = total_of(own)
        if total is not None and total.mean is None and total.p50 is not None:
            whole = _whole(run, record)
            own = [whole_row(one, whole) if one is total else one for one in own]
            total = whole_row(total, whole)
        if total is not None and total.p50 is not None:
            settings = settings_of(record.variant)
            found.append(CellSpeed(record, settings, tuple(own), total))
    return found


def whole_row(row: StageRow, timing: Timing) -> StageRow:
    """A row of an old run, which had percentiles alone, with the mean and its like."""
    return replace(row, n=timing.n, mean=timing.mean, std=timing.std)


def _whole(run: RunReader, record: CellRecord) -> Timing:
    table = run.table("completions", ["latency_ms", "error"], {"cell": record.cell})
    latencies, errors = (table.column(i).to_pylist() for i in range(2))
    pairs = zip(latencies, errors, strict=True)
    return Timing.of(float(ms) for ms, error in pairs if ms is not None and error is None)


def settings_of(variant: str) -> dict[str, str]:
    """A variant as it is written, "fps=6,frames=8", as name -> value."""
    parts = (part.partition("=") for part in variant.split(",") if part)
    return {name.strip(): value.strip() for name, _, value in parts}


def sweeps(cells: Iterable[CellSpeed], *varied: str) -> Iterator[list[CellSpeed]]:
    """Groups of at least two cells of one task and model that differ in these settings alone."""
    groups: dict[tuple[str, ...], list[CellSpeed]] = {}
    for one in cells:
        if any(name in one.settings for name in varied):
            others = [f"{k}={v}" for k, v in one.settings.items() if k not in varied]
            key = (one.record.task, one.record.model, *others)
            groups.setdefault(key, []).append(one)
    yield from (group for group in groups.values() if len(group) > 1)
