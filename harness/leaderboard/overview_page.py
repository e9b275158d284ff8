"""The first page: all models on all tasks, and what that means in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from harness.leaderboard.columns import Standing, Standings, model_href, without_details
from harness.leaderboard.task_page import difference_chart, short_label
from harness.leaderboard.views import Link, Overview, TextTable
from harness.results.render import interval
from harness.results.stats import Interval

MOST_SENTENCES = 12
MOST_COMPARED = 8
"""Models whose differences fit on one chart."""


def overview(standings: Standings) -> Overview:
    """One column a bench, by the task's first metric."""
    board, columns = standings.board, standings.primary
    rows = tuple(
        without_details(row)
        for row in standings.rows(columns)
        if not board.is_checkpoint(row.model.text)
    )
    tags = dict.fromkeys(tag for one in columns for tag in one.column.tags)
    cells = [cell.record for _, bench in enumerate(board.benches) for cell in bench.cells.values()]
    counts = {
        "models": len(rows),
        "tasks": len(board.tasks),
        "runs": len(board.runs),
        "samples": sum(bench.newest.record.samples for bench in board.benches),
        "completions": sum(cell.completions for cell in cells),
        "failed": sum(
            cell.counts.get("error", 0) + cell.counts.get("skipped", 0) for cell in cells
        ),
    }
    compared = [model for model in board.models if not board.is_checkpoint(model)]
    models = compared if len(compared) <= MOST_COMPARED else []
    return Overview(
        columns=tuple(one.column for one in columns),
        rows=rows,
        sentences=tuple(_sentences(standings)),
        charts=tuple(difference_chart("overview-forest", columns, models, _task_and_model)),
        tags=tuple(tags),
        counts=counts,
        differences=tuple(_differences(standings)),
    )


def _task_and_model(one: Standing, model: str) -> str:
    return f"{model}, {short_label(one)}: {one.column.label}"


def _differences(standings: Standings) -> Iterator[TextTable]:
    """Each model against its baseline, in the first metric of every task."""
    rows: list[tuple[str | Link, ...]] = []
    for one in standings.primary:
        for model in one.bench.cells:
            cell = one.cell(model)
            if cell is None or cell.delta is None:
                continue
            base, delta = one.board.baselines[model], cell.delta
            before = one.cell(base)
            span = Interval(delta.low, delta.high, "")
            rows.append(
                (
                    Link(one.column.task_label, one.column.href),
                    one.column.label,
                    Link(model, model_href(model)),
                    Link(base, model_href(base)),
                    "-" if before is None else before.text,
                    cell.text,
                    delta.text or "-",
                    interval(span) if span.known else "-",
                    delta.words if delta.kind != "mismatch" else delta.title,
                )
            )
    heads = (
        "task",
        "metric",
        "model",
        "baseline",
        "before",
        "after",
        "difference",
        "95 % interval",
    )
    note = 'paired by sample; "real" is corrected for all comparisons of the board'
    if rows:
        title = "Differences to the baselines"
        yield TextTable(title, (*heads, "verdict"), tuple(rows), "llllrrrrl", note)


def _sentences(standings: Standings) -> Iterator[str]:
    columns = standings.primary
    told = 0
    for one in columns:
        sentence = _about(one)
        if sentence and told < MOST_SENTENCES:
            told += 1
            yield sentence
    if told < len(columns) and told == MOST_SENTENCES:
        more = len(columns) - told
        yield f"And {more} more {'column' if more == 1 else 'columns'}, in the table."
    timed = len(standings.board.benches) - len(standings.board.scored)
    if timed:
        what = "1 profile measures" if timed == 1 else f"{timed} profiles measure"
        yield f"{what} speed on a few rows: shown with the speeds, left out of all scores."
    checkpoints = sum(map(standings.board.is_checkpoint, standings.board.models))
    if checkpoints:
        count = "1 checkpoint" if checkpoints == 1 else f"{checkpoints} checkpoints"
        yield f"{count} of trainings: on the pages of tasks and of history."
    failed = [m for m in standings.board.models if _failures(m, standings)]
    if failed:
        counts = ", ".join(f"{_failures(model, standings)} of {model}" for model in failed[:5])
        yield f"Samples without a score, left out of every mean and counted: {counts}."


def _about(one: Standing) -> str:
    """Who leads a column, and whether the data say so."""
    known = [(m, cell) for m in one.bench.cells if (cell := one.cell(m)) and cell.rank is not None]
    if len(known) < 2:
        return ""
    first, best = min(known, key=lambda item: item[1].rank or 0)
    same = [m for m, cell in known if m != first and cell.text == best.text]
    rest = [m for m, _ in known if m not in (first, *same)]
    tied = [m for m in rest if _may_be_first(one, m) and not one.differ(first, m)]
    lead = f"{one.column.task_label} ({one.column.metric}): "
    if same:
        named = [first, *same] if len(same) < 4 else [first, *same[:2], f"{len(same) - 2} others"]
        lead += f"{', '.join(named[:-1])} and {named[-1]} have the same value, {best.text}"
        lead += ", the best" if len(same) + 1 < len(known) else ""
    else:
        lead += f"{first} has the best value, {best.text}"
        lead += f" {best.interval}" if best.interval else ""
    if tied:
        named = tied[:3] if len(tied) < 4 else [*tied[:2], "others"]
        names = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
        by = "its interval" if len(tied) == 1 else "their intervals"
        lead += f"; by {by}, {names} could be as good"
    changes = [_change(one, m) for m, _ in known if m in one.board.baselines]
    return "; ".join([lead, *[text for text in changes if text][:3]]) + "."


def _may_be_first(one: Standing, model: str) -> bool:
    """Whether a model's interval allows it the first place."""
    cell = one.cell(model)
    return cell is not None and cell.ranks is not None and cell.ranks[0] == 1


def _change(one: Standing, model: str) -> str:
    cell = one.cell(model)
    if cell is None or cell.delta is None or cell.delta.kind == "mismatch":
        return ""
    base = one.board.baselines[model]
    return f"{model} against {base}: {cell.delta.text}, {cell.delta.words}"


def _failures(model: str, standings: Standings) -> int:
    cells = (one.cell(model) for one in standings.primary)
    return sum(cell.failed for cell in cells if cell is not None)
