"""Which of several runs of a cell counts."""

from __future__ import annotations

from pathlib import Path

from siteruns import Cell, store

from harness.leaderboard.counting import has_failed, is_less, is_profile, weight, why_not_whole
from harness.leaderboard.gather import gather
from harness.leaderboard.report.evidence import gather as report_on
from harness.records import Sample
from harness.results.manifest import CellRecord
from harness.results.store import RunReader

FOUR = {"exact_match": [1, 1, 1, 1]}
TWO = {"exact_match": [1, 1]}
FAILED = {"exact_match": [None] * 4}


def only(run: RunReader) -> tuple[RunReader, CellRecord]:
    (cell,) = run.manifest.cells
    return run, cell


def test_the_order_of_what_counts(tmp_path: Path) -> None:
    profile = {"profile": "after 3 to warm up"}
    rising = [
        store(tmp_path, Cell(values=FOUR), after=9, settings=profile),
        store(tmp_path, Cell(values=FAILED), after=8),
        store(tmp_path, Cell(values=TWO), after=3),
        store(tmp_path, Cell(values=FOUR), after=1),
        store(tmp_path, Cell(values=FOUR), after=2),
    ]
    weights = [weight(*only(run)) for run in rising]
    assert weights == sorted(weights)
    assert len(set(weights)) == 5
    assert [is_profile(run) for run in rising] == [True, False, False, False, False]
    assert [has_failed(only(run)[1]) for run in rising] == [False, True, False, False, False]


def test_what_is_not_whole_where_something_is(tmp_path: Path) -> None:
    whole = only(store(tmp_path, Cell("a", values=FOUR)))
    few = only(store(tmp_path, Cell("b", values=TWO), limit=2))
    failed = only(store(tmp_path, Cell("c", values=FAILED)))
    elsewhere = only(store(tmp_path, Cell("b", "other", values=TWO), limit=2))
    all_of_it = only(store(tmp_path, Cell("d", values=FOUR), limit=4))
    assert why_not_whole([whole, few, failed, elsewhere, all_of_it]) == {
        1: "--limit left 2 of 4 samples",
        2: "all samples of the run failed",
    }
    both = store(tmp_path, Cell("a", values=FOUR), Cell("c", values=FAILED), after=5)
    assert why_not_whole([(both, cell) for cell in both.manifest.cells]) == {}
    assert why_not_whole([few, all_of_it]) == {}
    assert why_not_whole([failed]) == {}
    assert is_less(*few, 4)
    assert not is_less(*few, 2)
    assert not is_less(*whole, 8)


def test_the_site_and_the_report_choose_the_same(tmp_path: Path) -> None:
    others = [Sample(f"o{n}", "Another question?", "x") for n in range(2)]
    runs = [
        store(tmp_path, Cell(values=FOUR), Cell("tuned", values=FOUR)),
        store(tmp_path, Cell("tuned", values=FOUR), after=1),
        store(tmp_path, Cell(values=TWO, samples=others), after=2),
        store(tmp_path, Cell("tuned", values=FAILED), after=3),
        store(tmp_path, Cell(values=TWO), after=4, limit=2),
    ]
    (bench,) = gather(runs).benches
    told = report_on(tmp_path, [run.run_id for run in runs]).cells
    assert {one.cell.model: one.side.run.run_id for one in told} == {
        model: cell.run.run_id for model, cell in bench.cells.items()
    }
    assert bench.cells["base"].run.run_id == runs[0].run_id
    assert bench.cells["tuned"].run.run_id == runs[1].run_id
