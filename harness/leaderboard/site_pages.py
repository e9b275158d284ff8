"""All pages of a site and the data scripts that belong to no run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness.leaderboard.charts import bundle, theme
from harness.leaderboard.classes import is_choice
from harness.leaderboard.columns import Standings, model_href, task_href
from harness.leaderboard.costs import stages
from harness.leaderboard.data_files import DataFiles, board_value
from harness.leaderboard.deltas import FIELDS, Deltas, comparison_rows, find_deltas, refused_rows
from harness.leaderboard.examples import find_examples
from harness.leaderboard.gather import Board
from harness.leaderboard.history_page import history_view
from harness.leaderboard.model_page import model_view
from harness.leaderboard.names import slug
from harness.leaderboard.overview_page import overview
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.pages import assets, render_live, render_pages
from harness.leaderboard.rulings import find_rulings
from harness.leaderboard.samples import SHARD
from harness.leaderboard.scripts import real, script
from harness.leaderboard.task_page import task_view
from harness.leaderboard.trade_page import trade_view
from harness.leaderboard.views import History, Link, Nav, TradeOff
from harness.results.manifest import FILE_NAME

if TYPE_CHECKING:
    from harness.leaderboard.publish import PublishOptions


def site_pages(
    board: Board,
    options: PublishOptions,
    home: tuple[Path, ...],
    data: DataFiles,
) -> Iterator[tuple[str, bytes]]:
    """(path, content) of everything that is not data of one run; ``data`` says of which samples
    there are texts and frames."""
    standings = Standings(board, find_deltas(board))
    sources = Sources(
        options.texts, options.project, home, find_rulings(board, options.project), _stages(board)
    )
    examples = find_examples(board, options.texts)
    trade = trade_view(standings, sources)
    past = history_view(standings, sources.rulings)
    nav = _nav(board, options)
    pages = render_pages(
        nav,
        overview(standings),
        [task_view(task, standings, sources, examples) for task in board.tasks],
        [model_view(model, standings, sources) for model in board.models],
        trade,
        past,
    )
    yield from pages.items()
    if options.live:
        yield "live.html", render_live(nav)
    yield from assets().items()
    yield "assets/vega.js", bundle().encode()
    yield "assets/themes.js", script("themes", {m: theme(m) for m in ("light", "dark")})
    yield from _data(standings, options, data)
    yield from _more_data(standings.deltas, trade, past)
    yield from _tables(board)


def _nav(board: Board, options: PublishOptions) -> Nav:
    return Nav(
        title=options.title,
        tasks=tuple(Link(task, task_href(task)) for task in board.tasks),
        models=tuple(Link(model, model_href(model)) for model in board.models),
        runs=tuple(run.run_id for run in board.runs),
        downloads=tuple(
            (run.run_id, (*(part.file for part in run.manifest.parts), FILE_NAME))
            for run in board.runs
        ),
        texts=options.texts.answers,
        version=harness.__version__,
    )


def _stages(board: Board) -> dict[tuple[str, str], Any]:
    return {(run.run_id, cell): rows for run in board.runs for cell, rows in stages(run).items()}


def _data(
    standings: Standings, options: PublishOptions, files: DataFiles
) -> Iterator[tuple[str, bytes]]:
    board = standings.board
    columns = [_column(one.column) for one in standings.all]
    models = [_model(standings, model) for model in board.models]
    tasks = [
        {
            "name": task,
            "slug": slug(task),
            "variants": [bench.variant for bench in benches],
            "primary": benches[0].primary,
            "choices": any(is_choice(i.name) for b in benches for i in b.scorers),
        }
        for task, benches in board.tasks.items()
    ]
    head: dict[str, Any] = {"title": options.title, "texts": options.texts.answers, "shard": SHARD}
    head |= {"columns": columns, "models": models, "tasks": tasks}
    yield "data/board.js", script("board", board_value(board, head, files.shown, files.strips))


def _more_data(deltas: Deltas, trade: TradeOff, past: History) -> Iterator[tuple[str, bytes]]:
    compared = {"fields": FIELDS, "rows": comparison_rows(deltas), "refused": refused_rows(deltas)}
    yield "data/comparisons.js", script("comparisons", compared)
    points = [asdict(point) for point in trade.points]
    costs = [list(cost) for cost in trade.costs]
    yield "data/trade.js", script("trade", {"points": points, "costs": costs})
    yield "data/history.js", script("history", {"points": [asdict(p) for p in past.points]})


def _column(column: Any) -> dict[str, Any]:
    value = asdict(column)
    value["higher"] = value.pop("higher_is_better")
    return value


def _model(standings: Standings, model: str) -> dict[str, Any]:
    row = standings.row(model, [])
    badges = [asdict(badge) for badge in row.badges]
    base = None if row.baseline is None else row.baseline.text
    return {
        "id": row.id,
        "name": model,
        "baseline": base,
        "badges": badges,
        "tags": list(row.tags),
        "href": row.model.href,
    }


METRIC_FIELDS = (
    "run", "task", "variant", "model", "metric", "value", "low", "high", "n", "n_error",
    "n_skipped", "n_judge_error", "n_truncated", "control", "method", "higher_is_better",
)  # fmt: skip


def _tables(board: Board) -> Iterator[tuple[str, bytes]]:
    """``board.csv`` and ``board.json``: every metric of every cell that counts."""
    rows = [
        {"run": cell.run.run_id, **{k: v for k, v in asdict(row).items() if k != "cell"}}
        for bench in board.benches
        for cell in bench.cells.values()
        for row in cell.metrics.values()
    ]
    ordered = [{name: row[name] for name in METRIC_FIELDS} for row in rows]
    numbers = [{k: real(v) if isinstance(v, float) else v for k, v in r.items()} for r in ordered]
    text = io.StringIO()
    writer = csv.DictWriter(text, METRIC_FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ordered)
    yield "data/board.csv", text.getvalue().encode("utf-8", "backslashreplace")
    body = json.dumps(numbers, ensure_ascii=False, indent=0, allow_nan=False)
    yield "data/board.json", body.encode("utf-8", "backslashreplace") + b"\n"
