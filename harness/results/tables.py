"""The Parquet tables of a run: their columns, and how records become rows.

A schema is a contract with every reader; adding a column is allowed, changing one raises
``harness.results.manifest.SCHEMA_VERSION``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, get_args

from harness.records import Sample, Score
from harness.results.run import CellResult, CompletionRow, MetricRow, Run, StageRow

if TYPE_CHECKING:
    import pyarrow as pa

TableName = Literal["samples", "completions", "scores", "verdicts", "metrics", "profile"]
TABLES: tuple[TableName, ...] = get_args(TableName)

# column -> type, written as _type() reads it; "dict" is a string with few distinct values
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
    },
}

Columns = Mapping[str, Iterable[object]]


def schema(name: TableName) -> pa.Schema:
    """The columns of a table, in order."""
    import pyarrow as pa

    return pa.schema([(column, _type(kind)) for column, kind in COLUMNS[name].items()])


def make_tables(run: Run, metrics: Sequence[MetricRow]) -> dict[TableName, pa.Table]:
    """All tables of a run; every one is there, if only with no rows."""
    rows: dict[TableName, list[Columns]] = {name: [] for name in TABLES}
    seen: set[tuple[str, str, str]] = set()
    for cell in run.cells:
        rows["samples"].append(_samples(cell, seen))
        rows["completions"].append(_completions(cell))
        rows["scores"] += [_scores(cell, info.name, info.version) for info in cell.scorers]
        rows["verdicts"].append(_verdicts(cell))
    rows["metrics"].append(_records(metrics, MetricRow))
    rows["profile"].append(_records(run.profile, StageRow))
    return {name: _table(name, parts) for name, parts in rows.items()}


def metric_rows(table: pa.Table) -> list[MetricRow]:
    """The metrics table as records again; a column that an earlier version did not write has its
    default."""
    known = set(table.column_names)
    names = [f.name for f in fields(MetricRow) if f.name in known or f.default is MISSING]
    return [MetricRow(**row) for row in table.select(names).to_pylist()]


def _type(kind: str) -> pa.DataType:
    import pyarrow as pa

    types: dict[str, Callable[[], pa.DataType]] = {
        "dict": lambda: pa.dictionary(pa.int32(), pa.string()),
        "string": pa.string,
        "bool": pa.bool_,
        "int16": pa.int16,
        "int32": pa.int32,
        "float32": pa.float32,
        "float64": pa.float64,
        "binary32": lambda: pa.binary(32),
        "list<string>": lambda: pa.list_(pa.string()),
        "list<int32>": lambda: pa.list_(pa.int32()),
        "list<float64>": lambda: pa.list_(pa.float64()),
        "list<criterion>": lambda: pa.list_(
            pa.struct([("name", pa.string()), ("value", pa.float64())])
        ),
    }
    return types[kind]()


def _table(name: TableName, parts: Sequence[Columns]) -> pa.Table:
    import pyarrow as pa

    arrays = [
        pa.array(list(chain.from_iterable(part[column] for part in parts)), _type(kind))
        for column, kind in COLUMNS[name].items()
        if parts
    ]
    return pa.Table.from_arrays(arrays, schema=schema(name)) if parts else _empty(name)


def _empty(name: TableName) -> pa.Table:
    table: pa.Table = schema(name).empty_table()
    return table


def _samples(cell: CellResult, seen: set[tuple[str, str, str]]) -> Columns:
    """Rows of samples that no earlier cell has written: models share a task's samples."""
    new: list[Sample] = []
    for sample in cell.samples:
        key = (cell.task, cell.variant, sample.id)
        if key not in seen:
            seen.add(key)
            new.append(sample)
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


def _completions(cell: CellResult) -> Columns:
    rows: Sequence[CompletionRow] = cell.completions
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
    }


def _scores(cell: CellResult, scorer: str, version: int) -> Columns:
    scores: Sequence[Score] = cell.scores[scorer]
    rows = cell.completions
    return {
        "cell": [cell.cell_id] * len(rows),
        "sample": [text(row.sample) for row in rows],
        "epoch": [row.epoch for row in rows],
        "scorer": [scorer] * len(rows),
        "scorer_version": [version] * len(rows),
        "value": [score.value for score in scores],
        "control": [score.control for score in scores],
        "status": [score.status for score in scores],
        "answer": [text(score.answer) for score in scores],
        "detail": [score.detail for score in scores],
        "explanation": [text(score.explanation) for score in scores],
    }


def _verdicts(cell: CellResult) -> Columns:
    rows = cell.verdicts
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
        "criteria": [[{"name": k, "value": v} for k, v in one.criteria.items()] for one in said],
        "total": [one.total for one in said],
        "value": [one.value for one in said],
        "status": [one.status for one in said],
        "reasoning": [text(one.reasoning) for one in said],
        "raw": [text(one.raw) for one in said],
        "mode": [one.mode for one in said],
        "flags": [list(one.flags) for one in said],
        "captured_mass": [one.captured_mass for one in said],
        "error": [text(one.error) for one in said],
        "prompt_tokens": [one.prompt_tokens for one in said],
        "completion_tokens": [one.completion_tokens for one in said],
        "cached_tokens": [one.usage.cached_tokens for one in said],
        "reasoning_tokens": [one.usage.reasoning_tokens for one in said],
        "attempts": [one.usage.attempts for one in said],
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
