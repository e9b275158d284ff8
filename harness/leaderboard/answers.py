"""Answers, scores and verdicts of a cell as data scripts: a thousand samples in each, in columns.

Columns that say nothing (no error anywhere, every score fine) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError, shown
from harness.leaderboard.gather import BoardCell
from harness.leaderboard.samples import SHARD, Shown
from harness.leaderboard.scripts import finite, script
from harness.leaderboard.stream import CellStream
from harness.leaderboard.texts import Texts
from harness.results.aligned import read_scores
from harness.results.arrays import numbers_of, places_of, values_of
from harness.results.store import RunReader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

DONE = (
    "sample", "epoch", "text", "finish_reason", "prompt_tokens", "completion_tokens", "truncated",
    "latency_ms", "error", "prompt", "frames",
)  # fmt: skip
SCORED = ("sample", "scorer", "value", "status", "answer", "explanation")
SAID = (
    "sample", "epoch", "judge", "judge_model", "repeat", "criteria", "total", "value", "status",
    "reasoning", "raw", "flags", "error", "cost_usd", "latency_ms",
)  # fmt: skip
Columns = dict[str, Any]


@dataclass(frozen=True)
class CellTables:
    """The rows of one cell."""

    cell: BoardCell
    done: pa.Table
    scores: pa.Table
    verdicts: pa.Table


def cell_tables(run: RunReader, cells: Sequence[BoardCell]) -> Iterator[CellTables]:
    """The tables of the cells of a run, in its order; raises StoreError if it is damaged."""
    streams = [
        CellStream(run, "completions", DONE),
        CellStream(run, "scores", SCORED),
        CellStream(run, "verdicts", SAID),
    ]
    by_name = {cell.record.cell: cell for cell in cells}
    for record in run.manifest.cells:
        yield CellTables(by_name[record.cell], *(one.take(record.cell) for one in streams))
    for one in streams:
        one.end()


def score_script(
    cell: BoardCell, shown_samples: Shown, letters: Mapping[str, str], texts: Texts
) -> bytes:
    """``scores.js``: each metric's value of every sample, epochs averaged; which samples failed."""
    import numpy as np

    metrics: dict[str, list[float | None]] = {}
    failed: set[int] = set()
    for name, found in read_scores(cell.run, cell.record, cell.record.scorers).items():
        values = np.full(shown_samples.count, np.nan)
        at = [shown_samples.index[sample] for sample in found.ids]
        values[at] = found.value
        metrics[name] = rounded(values)
        failed.update(i for i, ok in zip(at, found.ok.tolist(), strict=True) if not ok)
    value: dict[str, Any] = {"n": shown_samples.count, "metrics": metrics}
    value["failed"] = sorted(failed)
    if letters and texts.answers:
        value["answers"] = texts.all([letters.get(sample) for sample in shown_samples.ids])
    return script(f"scores/{cell.run.run_id}/{cell.key}", value)


def answer_scripts(
    tables: CellTables, shown_samples: Shown, texts: Texts
) -> Iterator[tuple[str, bytes]]:
    """``0001.js`` and so on: (name, content). Raises StoreError for rows in no order."""
    import numpy as np

    cell, done = tables.cell, tables.done
    at = np.array([shown_samples.index[s] for s in values_of_column(done, "sample")], dtype=int)
    scores = _by_scorer(tables, len(at))
    position = shown_samples.positions[at] if len(at) else at
    order = np.argsort(position, kind="stable")
    order = order[position[order] >= 0]
    verdicts = _Verdicts(tables.verdicts, texts)
    for number in range(1, shown_samples.shards + 1):
        low, high = np.searchsorted(position[order], [(number - 1) * SHARD, number * SHARD])
        rows = order[low:high]
        columns = _completions(_picked(done, rows), at[rows], texts)
        columns["scores"] = {
            name: _scores(_picked(table, rows), texts) for name, table in scores.items()
        }
        keys = zip(columns.pop("sample"), columns.get("epoch") or [0] * len(rows), strict=True)
        said = verdicts.of({key: row for row, key in enumerate(keys)})
        if said:
            columns["verdicts"] = said
        name = f"answers/{cell.run.run_id}/{cell.key}/{number}"
        yield f"{number:04d}.js", script(name, columns)


def _picked(table: pa.Table, rows: NDArray[np.int_]) -> pa.Table:
    """Some rows of a table; mostly they stand together, which saves copying them."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (rows[1:] > rows[:-1]).all():
        return table.slice(int(rows[0]), len(rows))
    return table.combine_chunks().take(places_of(rows))


def values_of_column(table: pa.Table, name: str) -> list[Any]:
    """The values of a column as Python has them."""
    return [value for chunk in table.column(name).chunks for value in values_of(chunk)]


def rounded(values: NDArray[np.float64], digits: int = 6) -> list[float | None]:
    """Numbers of so many significant digits; None for what is not finite."""
    import numpy as np

    known = np.isfinite(values) & (values != 0)
    size = np.zeros(len(values))
    size[known] = np.floor(np.log10(np.abs(values[known])))
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.power(10.0, digits - 1 - size)
        found = np.round(values * factor) / factor
    kept = np.where(np.isfinite(found), found, values).tolist()
    finite = np.isfinite(values).tolist()
    return [value if there else None for value, there in zip(kept, finite, strict=True)]


def _by_scorer(tables: CellTables, count: int) -> dict[str, pa.Table]:
    """The scores of each scorer, row by row beside the completions."""
    names = values_of_column(tables.scores, "scorer")
    samples = tables.done.column("sample")
    found: dict[str, pa.Table] = {}
    for start in range(0, len(names), max(count, 1)):
        part = tables.scores.slice(start, count)
        same = names[start] == names[min(start + count, len(names)) - 1]
        if not same or len(part) != count or not part.column("sample").equals(samples):
            what = f"scores of {names[start]} do not stand beside the answers"
            raise StoreError(f"{shown(tables.cell.run.path)}: is damaged: {what}")
        found[names[start]] = part
    return found


def _completions(done: pa.Table, at: NDArray[np.int_], texts: Texts) -> Columns:
    columns: Columns = {"i": at.tolist(), "sample": values_of_column(done, "sample")}
    epochs = values_of_column(done, "epoch")
    if any(epochs):
        columns["epoch"] = epochs
    if texts.answers:
        columns["text"] = texts.all(values_of_column(done, "text"))
    columns["finish"] = values_of_column(done, "finish_reason")
    for name in ("prompt_tokens", "completion_tokens"):
        columns[name] = values_of_column(done, name)
    columns["latency_ms"] = rounded(numbers_of(done.column("latency_ms")).astype(float), 4)
    optional = {"truncated": values_of_column(done, "truncated")}
    if "frames" in done.column_names:
        optional["frames"] = values_of_column(done, "frames")
    if texts.answers:
        optional["error"] = texts.all(values_of_column(done, "error"))
    if texts.answers and texts.prompts and "prompt" in done.column_names:
        optional["prompt"] = texts.all(values_of_column(done, "prompt"))
    columns |= {name: found for name, found in optional.items() if any(found)}
    return columns


def _scores(table: pa.Table, texts: Texts) -> Columns:
    columns: Columns = {"value": rounded(numbers_of(table.column("value")))}
    status = values_of_column(table, "status")
    if any(one != "ok" for one in status):
        columns["status"] = status
    if texts.answers:
        for name, short in (("answer", "answer"), ("explanation", "note")):
            found = texts.all(values_of_column(table, name))
            if any(one is not None for one in found):
                columns[short] = found
    return columns


class _Verdicts:
    """The verdicts of a cell by what they are about."""

    def __init__(self, table: pa.Table, texts: Texts) -> None:
        self._rows: dict[tuple[str, int], list[Columns]] = {}
        if not len(table):
            return
        names = [name for name in SAID if name in table.column_names]
        columns = [values_of_column(table, name) for name in names]
        for values in zip(*columns, strict=True):
            row = dict(zip(names, values, strict=True))
            about = (row.pop("sample"), row.pop("epoch"))
            self._rows.setdefault(about, []).append(_verdict(row, texts))

    def of(self, rows: Mapping[tuple[str, int], int]) -> dict[str, list[Columns]]:
        """The verdicts by judge on these answers, each with the row that it is about."""
        found: dict[str, list[Columns]] = {}
        if self._rows:
            for about, row in rows.items():
                for said in self._rows.get(about, ()):
                    judge = said["judge"]
                    kept = {name: value for name, value in said.items() if name != "judge"}
                    found.setdefault(judge, []).append({"row": row, **kept})
        return found


def _verdict(row: Columns, texts: Texts) -> Columns:
    criteria = [[one["name"], finite(one["value"])] for one in row.pop("criteria") or ()]
    said: Columns = {"judge": row["judge"], "model": row["judge_model"], "criteria": criteria}
    for name in ("total", "value", "cost_usd", "latency_ms"):
        said[name] = finite(row.get(name))
    for name in ("repeat", "status", "flags"):
        said[name] = row.get(name) or None
    if texts.answers:
        for name in ("error", "reasoning", "raw"):
            said[name] = texts.clean(row.get(name) or "") or None
    return {name: value for name, value in said.items() if value is not None}
