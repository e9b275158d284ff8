"""A few samples on a task's page, with what every model answered: the worst of the newest model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.leaderboard.answers import values_of_column
from harness.leaderboard.columns import samples_href
from harness.leaderboard.gather import Bench, Board, BoardCell
from harness.leaderboard.stream import CellStream
from harness.leaderboard.texts import Texts
from harness.leaderboard.views import Example, Link
from harness.results.aligned import read_scores
from harness.results.arrays import make_array
from harness.results.metrics import SampleScores
from harness.results.render import number
from harness.results.run import ScorerInfo

if TYPE_CHECKING:
    import pyarrow as pa

COUNT = 3
LONGEST = 1500
"""Characters of a text on a page that is read without scripts."""
Said = dict[str, str]
"""Sample -> what was answered."""


def find_examples(board: Board, texts: Texts) -> dict[tuple[str, str], list[Example]]:
    """(task, variant) -> examples; none where answers are not published."""
    if not texts.answers:
        return {}
    picked: dict[tuple[str, str], list[str]] = {}
    scores: dict[int, SampleScores] = {}
    for bench in board.benches:
        for cell in bench.cells.values():
            info = _primary(bench, cell)
            if info is not None:
                scores[id(cell)] = read_scores(cell.run, cell.record, [info])[info.name]
        known = scores.get(id(bench.newest))
        if known is not None:
            info = _primary(bench, bench.newest)
            picked[bench.task, bench.variant] = worst(known, info is None or info.higher_is_better)
    said = _answers(board, picked)
    return {
        (bench.task, bench.variant): _examples(board, bench, picked, (scores, said), texts)
        for bench in board.benches
        if (bench.task, bench.variant) in picked
    }


def worst(scores: SampleScores, higher_is_better: bool, count: int = COUNT) -> list[str]:
    """Samples that failed, then those with the worst value; a right answer is never among them."""
    import numpy as np

    failed = np.flatnonzero(~scores.ok)
    sign = 1.0 if higher_is_better else -1.0
    order = np.argsort(np.where(scores.ok, sign * scores.value, np.inf), kind="stable")
    known = scores.value[scores.ok]
    yes_no = bool(np.isin(known, (0.0, 1.0)).all())
    best = 1.0 if higher_is_better else 0.0
    wrong = [i for i in order[: len(known)] if not (yes_no and scores.value[i] == best)]
    return [scores.ids[int(i)] for i in [*failed, *wrong][:count]]


def _primary(bench: Bench, cell: BoardCell) -> ScorerInfo | None:
    return next((one for one in cell.record.scorers if one.name == bench.primary), None)


def _answers(board: Board, picked: Mapping[tuple[str, str], Sequence[str]]) -> dict[int, Said]:
    """The rows of the picked samples of every cell that counts, one pass over each run."""
    wanted = {id(cell): (bench, cell) for bench in board.benches for cell in bench.cells.values()}
    found: dict[int, Said] = {}
    for run in board.runs:
        cells = {cell.record.cell: (b, cell) for b, cell in wanted.values() if cell.run is run}
        if not cells:
            continue
        done = CellStream(run, "completions", ("sample", "text", "error", "finish_reason"))
        scored = CellStream(run, "scores", ("sample", "scorer", "answer"))
        for record in run.manifest.cells:
            tables = done.take(record.cell), scored.take(record.cell)
            ids = picked.get((record.task, record.variant))
            if record.cell in cells and ids:
                bench, cell = cells[record.cell]
                found[id(cell)] = _rows(*tables, ids, bench.primary)
    return found


def _rows(done: pa.Table, scored: pa.Table, ids: Sequence[str], metric: str) -> Said:
    """Sample -> what was answered: the text, the error, or the choice that was weighed best."""
    chosen = {
        sample: answer
        for sample, scorer, answer in _few(scored, ids, ("sample", "scorer", "answer"))
        if scorer == metric and answer is not None
    }
    rows: Said = {}
    for sample, text, error, finish in _few(done, ids, tuple(done.column_names[1:])):
        weighed = f"chose {chosen[sample]}" if finish == "scored" and sample in chosen else ""
        rows.setdefault(sample, error or text or weighed or "(empty)")
    return rows


def _few(table: pa.Table, ids: Sequence[str], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    import pyarrow.compute as pc

    kept = table.filter(pc.is_in(table.column("sample"), make_array(list(ids), "string")))
    return zip(*(values_of_column(kept, name) for name in names), strict=True)


def _examples(
    board: Board,
    bench: Bench,
    picked: Mapping[tuple[str, str], Sequence[str]],
    read: tuple[Mapping[int, SampleScores], Mapping[int, Said]],
    texts: Texts,
) -> list[Example]:
    scores, said = read
    models = [model for model in board.models if model in bench.cells]
    asked = _asked(bench.newest, picked[bench.task, bench.variant])
    found = []
    for sample, (input, target) in asked.items():
        answers = []
        for model in models:
            cell = bench.cells[model]
            text = said.get(id(cell), {}).get(sample)
            if text is not None:
                score = f"{bench.primary} {_value(scores.get(id(cell)), sample)}"
                answers.append((model, _cut(texts.clean(text)), score))
        href = f"{samples_href(bench, models, bench.primary)}&sample={quote(sample, safe='')}"
        question, reference = (_cut(texts.clean(text)) for text in (input, target))
        found.append(Example(Link(sample, href), question, reference, tuple(answers)))
    return found


def _asked(cell: BoardCell, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Input and target of some samples, in the order of ``ids``."""
    where = {"task": cell.record.task, "variant": cell.record.variant}
    names = ("sample", "input", "target")
    known = {
        row[0]: (row[1], row[2])
        for row in _few(cell.run.table("samples", names, where), ids, names)
    }
    return {sample: known[sample] for sample in ids if sample in known}


def _value(scores: SampleScores | None, sample: str) -> str:
    if scores is None or sample not in scores.ids:
        return "-"
    at = scores.ids.index(sample)
    return number(float(scores.value[at])) if scores.ok[at] else "failed"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
