"""The Parquet tables of a run: their columns, and how records become rows.

A schema is a contract with every reader; adding a column is allowed, changing one raises
``harness.results.manifest.SCHEMA_VERSION``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from harness.records import Sample, Score
from harness.results import arrays
from harness.results.run import (
    CellResult,
    CompletionRow,
    MetricRow,
    Run,
    ScorerInfo,
    StageRow,
    VerdictRow,
)

if TYPE_CHECKING:
    import pyarrow as pa

TableName = Literal["samples", "completions", "scores", "verdicts", "metrics", "profile"]
TABLES: tuple[TableName, ...] = get_args(TableName)

# column -> kind of `arrays.type_of`; "dict" is a string with few distinct values
COLUMNS: dict[TableName, dict[str, str]] = {
    "samples": {
        "task": "dict",
        "task_hash": "dict",
        "variant": "dict",
        "sample": "string",
        "split": "dict",
        "input": "string",
        "target": "string",
        "choices": "list<string>",
        "media": "list<string>",
        "cluster": "string",
        "row": "string",  # JSON of the source row
    },
    "completions": {
        "cell": "dict",
        "cell_hash": "dict",
        "task": "dict",
        "model": "dict",
        "variant": "dict",
        "sample": "string",
        "epoch": "int16",
        "text": "string",
        "finish_reason": "dict",
        "prompt_tokens": "int32",
        "completion_tokens": "int32",
        "truncated": "dict",
        "latency_ms": "float32",
        "logprobs": "list<float64>",
        "logprob_tokens": "list<int32>",
        "error": "string",
        "cached": "bool",
        "key": "binary32",
        "prompt": "string",
        "continuations": "list<string>",
        "decode_ms": "float32",
        "preprocess_ms": "float32",
        "prefill_ms": "float32",
        "generate_ms": "float32",
        "frames": "int32",
        "frame_times": "list<float64>",
    },
    "scores": {
        "cell": "dict",
        "sample": "string",
        "epoch": "int16",
        "scorer": "dict",
        "scorer_version": "int16",
        "value": "float64",
        "control": "float64",
        "status": "dict",
        "answer": "string",
        "detail": "list<float64>",
        "explanation": "string",
    },
    "verdicts": {
        "cell": "dict",
        "sample": "string",
        "epoch": "int16",
        "judge": "dict",
        "judge_version": "int16",
        "template_hash": "dict",
        "judge_model": "dict",
        "repeat": "int16",
        "criteria": "list<criterion>",
        "total": "float64",
        "value": "float64",
        "status": "dict",
        "reasoning": "string",
        "raw": "string",
        "mode": "dict",
        "flags": "list<string>",
        "captured_mass": "float64",
        "error": "string",
        "prompt_tokens": "int32",
        "completion_tokens": "int32",
        "cached_tokens": "int32",
        "reasoning_tokens": "int32",
        "attempts": "int16",
        "reasks": "int16",
        "served": "dict",
        "cost_usd": "float64",
        "latency_ms": "float32",
        "cached": "bool",
        "key": "binary32",
    },
    "metrics": {
        "cell": "dict",
        "task": "dict",
        "model": "dict",
        "variant": "dict",
        "metric": "dict",
        "value": "float64",
        "low": "float64",
        "high": "float64",
        "n": "int32",
        "n_error": "int32",
        "n_skipped": "int32",
        "n_truncated": "int32",
        "control": "float64",
        "method": "dict",
        "higher_is_better": "bool",
        "n_judge_error": "int32",
    },
    "profile": {
        "cell": "dict",
        "stage": "dict",
        "p50": "float64",
        "p95": "float64",
        "p99": "float64",
        "tokens_per_s": "float64",
        "peak_memory_mb": "float64",
        "n": "int32",
        "mean": "float64",
        "std": "float64",
        "frames_per_s": "float64",
        "size_mb": "float64",
        "memory": "dict",
        "weights_mb": "float64",
    },
}

T = TypeVar("T")
Columns = Mapping[str, Sequence[object]]
ROWS_AT_ONCE = 8192  # of a table, as lists of Python values on their way to Arrow


def schema(name: TableName) -> pa.Schema:
    """The columns of a table, in order."""
    import pyarrow as pa

    return pa.schema([(column, arrays.type_of(kind)) for column, kind in COLUMNS[name].items()])


def make_table(name: TableName, run: Run, metrics: Sequence[MetricRow]) -> pa.Table:
    """A table of a run; it has all its columns, if only with no rows."""
    return arrays.make_table(COLUMNS[name], _parts(name, run, metrics))


def _parts(name: TableName, run: Run, metrics: Sequence[MetricRow]) -> Iterator[Columns]:
    seen: set[tuple[str, str, str]] = set()
    if name == "metrics":
        yield _records(metrics, MetricRow)
    elif name == "profile":
        yield _records(run.profile, StageRow)
    for cell in run.cells:
        if name == "samples":
            yield from (_samples(cell, some) for some in _slices(_unseen(cell, seen)))
        elif name == "completions":
            yield from (_completions(cell, some) for some in _slices(cell.completions))
        elif name == "verdicts":
            yield from (_verdicts(cell, some) for some in _slices(cell.verdicts))
        elif name == "scores":
            for info in cell.scorers:
                scored = list(zip(cell.completions, cell.scores[info.name], strict=True))
                yield from (_scores(cell, info, some) for some in _slices(scored))


def _slices(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]


def metric_rows(table: pa.Table) -> list[MetricRow]:
    """The metrics table as records again; a column that an earlier version did not write has its
    default."""
    known = set(table.column_names)
    names = [f.name for f in fields(MetricRow) if f.name in known or f.default is MISSING]
    return [MetricRow(**row) for row in table.select(names).to_pylist()]


def _unseen(cell: CellResult, seen: set[tuple[str, str, str]]) -> list[Sample]:
    """Samples that no earlier cell has written: models share a task's samples."""
    new: list[Sample] = []
    for sample in cell.samples:
        key = (cell.task, cell.variant, sample.id)
        if key not in seen:
            seen.add(key)
            new.append(sample)
    return new


def _samples(cell: CellResult, new: Sequence[Sample]) -> Columns:
    count = len(new)
    return {
        "task": [cell.task] * count,
        "task_hash": [cell.task_hash] * count,
        "variant": [cell.variant] * count,
        "sample": [text(sample.id) for sample in new],
        "split": [cell.split] * count,
        "input": [text(sample.input) for sample in new],
        "target": [text(sample.target) for sample in new],
        "choices": [[text(choice) for choice in sample.choices] for sample in new],
        "media": [[text(path) for path in sample.media] for sample in new],
        "cluster": [text(sample.cluster) for sample in new],
        "row": [text(_json(sample.row)) for sample in new],
    }


def _completions(cell: CellResult, rows: Sequence[CompletionRow]) -> Columns:
    done = [row.completion for row in rows]
    count = len(rows)
    return {
        "cell": [cell.cell_id] * count,
        "cell_hash": [cell.cell_hash] * count,
        "task": [cell.task] * count,
        "model": [cell.model] * count,
        "variant": [cell.variant] * count,
        "sample": [text(row.sample) for row in rows],
        "epoch": [row.epoch for row in rows],
        "text": [text(one.text) for one in done],
        "finish_reason": [one.finish_reason for one in done],
        "prompt_tokens": [one.prompt_tokens for one in done],
        "completion_tokens": [one.completion_tokens for one in done],
        "truncated": [one.truncated for one in done],
        "latency_ms": [one.latency_ms for one in done],
        "logprobs": [one.logprobs for one in done],
        "logprob_tokens": [one.logprob_tokens for one in done],
        "error": [text(one.error) for one in done],
        "cached": [row.cached for row in rows],
        "key": [row.key for row in rows],
        "prompt": [text(row.prompt) for row in rows],
        "continuations": [[text(one) for one in row.continuations] for row in rows],
        **{
            name: [one.stages and getattr(one.stages, name) for one in done]
            for name in ("decode_ms", "preprocess_ms", "prefill_ms", "generate_ms", "frames")
        },
        "frame_times": [one.frame_times for one in done],
    }


def _scores(
    cell: CellResult, info: ScorerInfo, scored: Sequence[tuple[CompletionRow, Score]]
) -> Columns:
    scores = [score for _, score in scored]
    return {
        "cell": [cell.cell_id] * len(scored),
        "sample": [text(row.sample) for row, _ in scored],
        "epoch": [row.epoch for row, _ in scored],
        "scorer": [info.name] * len(scored),
        "scorer_version": [info.version] * len(scored),
        "value": [score.value for score in scores],
        "control": [score.control for score in scores],
        "status": [score.status for score in scores],
        "answer": [text(score.answer) for score in scores],
        "detail": [score.detail for score in scores],
        "explanation": [text(score.explanation) for score in scores],
    }


def _verdicts(cell: CellResult, rows: Sequence[VerdictRow]) -> Columns:
    said = [row.verdict for row in rows]
    return {
        "cell": [cell.cell_id] * len(rows),
        "sample": [text(row.sample) for row in rows],
        "epoch": [row.epoch for row in rows],
        "judge": [one.judge for one in said],
        "judge_version": [row.judge_version for row in rows],
        "template_hash": [row.template_hash for row in rows],
        "judge_model": [one.model for one in said],
        "repeat": [one.repeat for one in said],
        "criteria": [list(one.criteria.items()) for one in said],
        "total": [one.total for one in said],
        "value": [one.value for one in said],
        "status": [one.status for one in said],
        "reasoning": [text(one.reasoning) for one in said],
        "raw": [text(one.raw) for one in said],
        "mode": [one.mode for one in said],
        "flags": [one.flags for one in said],
        "captured_mass": [one.captured_mass for one in said],
        "error": [text(one.error) for one in said],
        "prompt_tokens": [one.prompt_tokens for one in said],
        "completion_tokens": [one.completion_tokens for one in said],
        "cached_tokens": [one.usage.cached_tokens for one in said],
        "reasoning_tokens": [one.usage.reasoning_tokens for one in said],
        "attempts": [one.usage.attempts for one in said],
        "reasks": [one.reasks for one in said],
        "served": [text(one.usage.served) for one in said],
        "cost_usd": [one.cost_usd for one in said],
        "latency_ms": [one.latency_ms for one in said],
        "cached": [one.cached for one in said],
        "key": [one.key for one in said],
    }


def _records(rows: Sequence[MetricRow] | Sequence[StageRow], kind: type[Any]) -> Columns:
    """Rows that are stored field by field under their own names."""
    return {
        field.name: [text_or_value(getattr(row, field.name)) for row in rows]
        for field in fields(kind)
    }


def text_or_value(value: object) -> object:
    """A value ready for Arrow: text is made storable, the rest stays."""
    return text(value) if isinstance(value, str) else value


def text(value: str | None) -> str | None:
    r"""Text that UTF-8 can hold: half a surrogate pair, as broken model output and broken JSON
    have it, becomes a visible escape (``\ud83d``) in place of an error at the end of a run."""
    if value is None or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _json(row: Mapping[str, object]) -> str:
    return json.dumps(dict(row), ensure_ascii=False, default=str)
