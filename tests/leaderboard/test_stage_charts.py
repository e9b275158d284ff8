"""Where the time of answers goes."""

from __future__ import annotations

from pathlib import Path

from siteruns import Cell, store

from harness.leaderboard.costs import stages
from harness.leaderboard.gather import gather
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.stage_charts import MOST, stage_chart, stages_of_model, stages_of_tasks
from harness.results.run import StageRow


def timed(cell: str, **means: float | None) -> list[StageRow]:
    return [StageRow(cell, name, mean, mean=mean) for name, mean in means.items()]


def test_every_cell_that_was_timed_by_stage_has_a_bar(tmp_path: Path) -> None:
    cells = [Cell(m, variant=v) for v in ("fps=1", "fps=6") for m in ("base", "tuned")]
    profile = [
        *timed(cells[0].id, generate=5.0, decode=3.0, total=6.0),
        *timed(cells[1].id, decode=4.0, prefill=2.0, generate=2.0),
        *timed(cells[2].id, decode=4.0, total=8.0),  # nothing to be told apart
        *timed(cells[3].id, generate=4.0),  # before there were stages
    ]
    run = store(tmp_path, *cells, Cell("base", "other"), profile=profile)
    board = gather([run])
    sources = Sources(stages={(run.run_id, cell): rows for cell, rows in stages(run).items()})
    (chart,) = stages_of_tasks(board, sources)
    assert chart.title == "sums: where the time goes"
    assert [row[:3] for row in chart.rows] == [
        ("base [fps=1]", "decode", 3.0),
        ("base [fps=1]", "generate", 5.0),
        ("tuned [fps=1]", "decode", 4.0),
        ("tuned [fps=1]", "prefill", 2.0),
        ("tuned [fps=1]", "generate", 2.0),
    ]
    assert [one["total"] for one in chart.spec["data"]["values"]] == [6.0, None, None, None, None]
    (own,) = stages_of_model("tuned", board, sources)
    assert {row[0] for row in own.rows} == {"sums [fps=1]"}
    assert stages_of_model("nobody", board, sources) == []


def test_what_judges_took_and_what_nobody_measured_is_no_stage() -> None:
    rows = timed("c", decode=None, generate=3.0, prefill=1.0, **{"judge strict": 9.0})
    (chart,) = stage_chart("n", "t", [("a", rows)])
    assert [row[1] for row in chart.rows] == ["prefill", "generate"]


def test_a_chart_has_so_many_bars_and_no_more() -> None:
    rows = timed("c", decode=1.0, generate=1.0)
    (chart,) = stage_chart("n", "t", [(f"m{n}", rows) for n in range(MOST + 5)])
    assert len({row[0] for row in chart.rows}) == MOST
