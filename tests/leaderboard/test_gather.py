"""Which cell stands for a model on a task, and what the others are."""

from __future__ import annotations

from pathlib import Path

from siteruns import Cell, questions, store

from harness.leaderboard.gather import Board, gather
from harness.records import Sample
from harness.results.store import RunReader

RIGHT = {"exact_match": [1, 1, 1, 1]}
WRONG = {"exact_match": [0, 0, 0, 0]}
TWO = {"exact_match": [1, 1]}
PROFILE = {"profile": "after 3 to warm up"}


def cell_of(board: Board, model: str = "base") -> tuple[str, str]:
    """(run, stale or partial or "") of a model's cell on the only bench."""
    (bench,) = board.benches
    cell = bench.cells[model]
    marks = [bench.is_stale(cell) * "stale", bench.is_partial(cell) * "partial"]
    assert bench.comparable(cell) == (not any(marks))
    return cell.run.run_id, " ".join(filter(None, marks))


def test_the_newest_run_counts_in_whatever_order_runs_are_named(tmp_path: Path) -> None:
    old = store(tmp_path, Cell(values=WRONG))
    new = store(tmp_path, Cell(values=RIGHT), after=60)
    for runs in ([old, new], [new, old], [new, old, new]):
        board = gather(runs)
        assert cell_of(board) == (new.run_id, "")
        assert [cell.run.run_id for cell in board.past] == [old.run_id, new.run_id]


def test_a_few_samples_do_not_take_the_place_of_all(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell(values=RIGHT))
    few = store(tmp_path, Cell(values=TWO), after=60, limit=2)
    assert cell_of(gather([whole, few])) == (whole.run_id, "")


def test_a_few_samples_of_another_model_are_marked(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell(values=RIGHT))
    few = store(tmp_path, Cell("tuned", values=TWO), after=60, limit=2)
    board = gather([whole, few])
    assert cell_of(board, "tuned") == (few.run_id, "partial")
    assert cell_of(board) == (whole.run_id, "")


def test_all_samples_take_the_place_of_a_few(tmp_path: Path) -> None:
    few = store(tmp_path, Cell(values=TWO), limit=2)
    whole = store(tmp_path, Cell(values=RIGHT), after=60)
    assert cell_of(gather([few, whole])) == (whole.run_id, "")


def test_a_limit_that_left_nothing_out_is_none(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell(values=WRONG))
    all_of_it = store(tmp_path, Cell(values=RIGHT), after=60, limit=100)
    assert cell_of(gather([whole, all_of_it])) == (all_of_it.run_id, "")


def test_of_a_few_samples_alone_the_most_count(tmp_path: Path) -> None:
    four = store(tmp_path, Cell(values=RIGHT), limit=4)
    two = store(tmp_path, Cell(values=TWO), after=60, limit=2)
    assert cell_of(gather([four, two])) == (four.run_id, "")


def test_fewer_rows_of_other_data_do_not_take_the_place_of_more(tmp_path: Path) -> None:
    """`--set data.path=OTHER` is no new version of the task: the report chooses alike."""
    old = store(tmp_path, Cell(values=RIGHT), Cell("tuned", values=RIGHT))
    others = [Sample(f"o{n}", f"Another question {n}?", "x") for n in range(2)]
    new = store(
        tmp_path,
        Cell(values=TWO, samples=others),
        Cell("third", values=TWO, samples=others),
        after=60,
    )
    board = gather([old, new])
    assert cell_of(board) == (old.run_id, "")
    assert cell_of(board, "tuned") == (old.run_id, "")
    assert cell_of(board, "third") == (new.run_id, "stale")


def test_a_run_whose_samples_all_failed_does_not_take_the_place_of_another(tmp_path: Path) -> None:
    good = store(tmp_path, Cell(values=TWO), limit=2)
    bad = store(tmp_path, Cell(values={"exact_match": [None] * 4}), after=60)
    assert cell_of(gather([good, bad])) == (good.run_id, "")
    assert cell_of(gather([bad])) == (bad.run_id, "")


def test_a_profile_is_no_result_beside_what_was_scored(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell(values=TWO))
    cells = Cell(values=RIGHT), Cell("tuned", values=RIGHT), Cell(variant="batch_size=2")
    timed = store(tmp_path, *cells, after=60, limit=100, settings=PROFILE)
    board = gather([whole, timed])
    plain, swept = board.benches
    assert plain.cells["base"].run.run_id == whole.run_id
    assert plain.is_profile(plain.cells["tuned"])
    assert not plain.comparable(plain.cells["tuned"])
    assert not plain.is_profile(plain.cells["base"])
    assert board.scored == [plain]
    assert swept.cells["base"].run.run_id == timed.run_id  # its speed may be shown
    assert gather([timed]).scored == list(gather([timed]).benches)  # there is nothing else


def test_an_older_version_of_the_task_is_stale_and_never_counts_again(tmp_path: Path) -> None:
    new = store(tmp_path, Cell(values=TWO, version=2))
    old = store(tmp_path, Cell(values=RIGHT), Cell("tuned", values=RIGHT), after=60)
    board = gather([old, new])
    assert cell_of(board) == (new.run_id, "")
    assert cell_of(board, "tuned") == (old.run_id, "stale")


def test_other_data_of_the_same_version_are_stale(tmp_path: Path) -> None:
    others = [Sample(f"s{n:03}", f"Asked otherwise {n}?", "x") for n in range(4)]
    old = store(tmp_path, Cell(values=RIGHT))
    new = store(tmp_path, Cell("tuned", values=RIGHT, samples=others), after=60)
    board = gather([old, new])
    assert cell_of(board) == (old.run_id, "stale")
    assert cell_of(board, "tuned") == (new.run_id, "")


def test_several_runs_of_the_same_second_are_in_one_order(tmp_path: Path) -> None:
    runs = [store(tmp_path / str(n), Cell(values=RIGHT), Cell(f"m{n}")) for n in range(3)]
    boards = [gather(runs), gather(runs[::-1])]
    assert len({cell_of(board)[0] for board in boards}) == 1
    assert boards[0].models == boards[1].models


def test_the_first_metric_that_speaks_of_a_model_alone_stands_for_a_task(tmp_path: Path) -> None:
    from harness.results.run import ScorerInfo

    infos = {
        "strict.accuracy[nli]": ScorerInfo("strict.accuracy[nli]", judge="strict"),
        "duel[nli]": ScorerInfo("duel[nli]", judge="duel", opponent="base"),
    }
    values = {name: [1, 1] for name in (*infos, "exact_match", "rouge_l")}
    board = gather([store(tmp_path, Cell(values=values, infos=infos))])
    assert board.benches[0].primary == "exact_match"


def test_baselines_come_first_and_may_be_elsewhere(tmp_path: Path) -> None:
    run = store(
        tmp_path,
        Cell("tuned"),
        Cell("base"),
        Cell("lonely"),
        baselines={"tuned": "base", "lonely": "nowhere", "base": "base"},
    )
    board = gather([run])
    assert board.models == ["base", "tuned", "lonely"]
    assert board.baselines == {"tuned": "base", "lonely": "nowhere"}


def test_the_latest_card_says_the_baseline(tmp_path: Path) -> None:
    old = store(tmp_path, Cell("tuned"), Cell("a"), Cell("b"), baselines={"tuned": "a"})
    new = store(tmp_path, Cell("tuned"), after=60, baselines={"tuned": "b"})
    assert gather([new, old]).baselines == {"tuned": "b"}


def test_cells_that_were_asked_the_same_share_their_samples(tmp_path: Path) -> None:
    one = store(tmp_path, Cell(), Cell("tuned"))
    two = store(tmp_path, Cell("third"), after=60)
    changed = [*questions(1), Sample("s001", "Question 1?", "another reference")]
    other = store(tmp_path, Cell("fourth", samples=changed), after=120)
    keys = {c.place[2]: c.samples for c in gather([one, two, other]).past}
    assert keys["base"] == keys["tuned"] == keys["third"] != keys["fourth"]


def test_a_run_is_read_where_it_lies(tmp_path: Path) -> None:
    """A copy of a run is the run."""
    run = store(tmp_path, Cell())
    copy = RunReader(run.path.rename(tmp_path / "renamed"))
    assert cell_of(gather([copy])) == (copy.run_id, "")
