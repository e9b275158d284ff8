"""Some wrong answers of a cell, drawn by a seed: no cherries, no favourites."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from harness.results.answers import Answered, answer_of, answers, target_of, task_label
from harness.results.manifest import CellRecord
from harness.results.render import Record, Report, Table, number, shorten
from harness.results.run import ScorerInfo
from harness.results.store import RunReader
from harness.results.within import Measured

CELL_COLUMNS = 44


def drawn(rows: Sequence[Answered], info: ScorerInfo, count: int, seed: int = 0) -> list[Answered]:
    """Up to ``count`` answers that are not perfect, in the order of the run.

    An answer is drawn by a hash of seed and sample, so that models are shown on the same samples
    where they err on the same. Perfect is 1 of a metric of 0 to 1, and the best value of the cell
    of any other; what has no score stands for itself, as failed.
    """
    values = [row.score.value for row in rows if row.score.value is not None]
    pick = max if info.higher_is_better else min
    best = 1.0 if info.high == 1.0 and info.higher_is_better else pick(values, default=0.0)
    wrong = [row for row in rows if row.score.value is None or row.score.value != best]
    taken = sorted(wrong, key=lambda row: _draw(seed, row))[:count]
    chosen = {(row.sample.id, row.epoch) for row in taken}
    return [row for row in wrong if (row.sample.id, row.epoch) in chosen]


def _draw(seed: int, row: Answered) -> str:
    return hashlib.sha256(f"{seed}/{row.sample.id}/{row.epoch}".encode()).hexdigest()


def verdict_of(row: Answered) -> str:
    """yes or no, as a judge says it; a score in between has neither."""
    value = row.score.value
    if value is None:
        return "failed"
    return {0.0: "no", 1.0: "yes"}.get(value, "")


def example_records(cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]) -> list[Record]:
    """Question, truth, prediction, verdict and score, in full."""
    return [
        {
            "task": cell.task,
            "variant": cell.variant,
            "model": cell.model,
            "metric": info.name,
            "sample": row.sample.id,
            "epoch": row.epoch,
            "question": row.sample.input,
            "truth": target_of(row),
            "prediction": row.error or answer_of(row),
            "verdict": verdict_of(row),
            "score": row.score.value,
            "explanation": row.score.explanation,
        }
        for row in rows
    ]


def example_table(cell: CellRecord, info: ScorerInfo, rows: Sequence[Answered]) -> Table:
    """The same, cut to what a line can hold."""
    names = ("question", "truth", "prediction")
    cells = [
        [
            shorten(str(one["sample"]), 20),
            *(shorten(" ".join(str(one[name]).split()), CELL_COLUMNS) for name in names),
            str(one["verdict"]),
            number(one["score"] if isinstance(one["score"], float) else None),
        ]
        for one in example_records(cell, info, rows)
    ]
    where = f"{task_label(cell.task, cell.variant)}: {cell.model}"
    columns = ["sample", *names, "verdict", info.name]
    return Table(f"{where}, answers that are not right, drawn at random", columns, cells, "lllllr")


def example_report(run: RunReader, found: Sequence[Measured], count: int, seed: int = 0) -> Report:
    """Up to ``count`` answers of each cell that are not right, by the metric given of it."""
    tables, records = [], []
    for one in found:
        rows = drawn(answers(run, one.cell, one.info), one.info, count, seed)
        records += example_records(one.cell, one.info, rows)
        tables += [example_table(one.cell, one.info, rows)] * bool(rows)
    notes = [
        f"Drawn by seed {seed}, among what is not right: they show what errors look like, not how "
        "many there are."
    ]
    return Report(tables, {"examples": records}, notes)
