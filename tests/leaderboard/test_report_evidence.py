"""Which cells of which runs count, and which differences are real."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportruns import Cell, store

from harness.errors import StoreError
from harness.leaderboard.report.evidence import gather
from harness.results.run import ScorerInfo

HIGH = [0.8 + at / 100 for at in range(12)]
LOW = [0.2 + at / 50 for at in range(12)]
TUNED = {"tuned": "base"}


def test_all_whole_runs_count_if_none_is_named(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "base", {"f1": LOW}))
    store(tmp_path, Cell("b", "base", {"f1": LOW}), after=60)
    (tmp_path / "20991231-000000-abcdef").mkdir()
    found = gather(tmp_path, [])
    assert [one.cell.task for one in found.cells] == ["a", "b"]
    assert found.notes == ["20991231-000000-abcdef is not whole and was left out"]


def test_a_model_is_held_against_the_baseline_of_its_card_also_from_another_run(
    tmp_path: Path,
) -> None:
    store(tmp_path, Cell("a", "tuned", {"f1": HIGH}), baselines=TUNED)
    store(tmp_path, Cell("a", "base", {"f1": LOW}), after=60)
    found = gather(tmp_path, [])
    assert found.models == ["base", "tuned"]
    row = found.deltas["a", "", "f1", "tuned"]
    assert (row.a.model, row.b.model, row.verdict) == ("base", "tuned", "better")
    assert [one.cell.model for one in found.entries if found.is_best(one)] == ["tuned"]


def test_the_best_is_shown_only_where_the_two_best_differ(tmp_path: Path) -> None:
    near = [one + 0.001 * (-1) ** at for at, one in enumerate(HIGH)]
    store(
        tmp_path,
        Cell("a", "base", {"f1": LOW}),
        Cell("a", "tuned", {"f1": HIGH}),
        Cell("a", "other", {"f1": near}),
        baselines={"tuned": "base", "other": "base"},
    )
    found = gather(tmp_path, [])
    assert all(row.holds for row in found.comparisons)
    assert not [one for one in found.entries if found.is_best(one)]


def test_a_baseline_that_is_better_than_what_was_tuned_is_the_best(tmp_path: Path) -> None:
    cells = Cell("a", "base", {"f1": HIGH}), Cell("a", "tuned", {"f1": LOW})
    store(tmp_path, *cells, baselines=TUNED)
    found = gather(tmp_path, [])
    assert found.deltas["a", "", "f1", "tuned"].verdict == "worse"
    assert [one.cell.model for one in found.entries if found.is_best(one)] == ["base"]


def test_of_an_error_rate_the_lowest_is_the_best(tmp_path: Path) -> None:
    infos = {"rate": ScorerInfo("rate", higher_is_better=False)}
    cells = [Cell("a", m, {"rate": v}, infos=infos) for m, v in (("base", HIGH), ("tuned", LOW))]
    store(tmp_path, *cells, baselines=TUNED)
    found = gather(tmp_path, [])
    assert [one.cell.model for one in found.entries if found.is_best(one)] == ["tuned"]


def test_the_first_metric_with_a_better_side_stands_for_the_task(tmp_path: Path) -> None:
    infos = {"length": ScorerInfo("length", neutral=True)}
    store(tmp_path, Cell("a", "base", {"length": LOW, "f1": LOW, "bleu": LOW}, infos=infos))
    assert [one.info.name for one in gather(tmp_path, []).primary] == ["f1"]


def test_first_metrics_and_all_others_are_corrected_apart(tmp_path: Path) -> None:
    many = {f"m{at}": [v + at for v in LOW] for at in range(8)}
    better = {name: [v + 0.3 for v in values] for name, values in many.items()}
    store(tmp_path, Cell("a", "base", many), Cell("a", "tuned", better), baselines=TUNED)
    found = gather(tmp_path, [])
    assert found.families == (1, 7)
    first, other = (found.deltas["a", "", name, "tuned"] for name in ("m0", "m1"))
    assert first.p_holm == first.difference.p
    assert other.p_holm == pytest.approx(7 * other.difference.p)


def test_of_two_runs_of_a_cell_the_one_with_more_samples_counts(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell("a", "base", {"f1": LOW}))
    short = store(tmp_path, Cell("a", "base", {"f1": LOW[:3]}), after=60)
    found = gather(tmp_path, [])
    assert [run.run_id for run in found.runs] == [whole.name]
    assert found.notes == [
        f"base on a stands in run {short.name} as well (3 samples); run {whole.name} counts"
    ]


def test_of_two_runs_with_as_many_samples_the_newest_counts(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "base", {"f1": LOW}))
    new = store(tmp_path, Cell("a", "base", {"f1": HIGH}), after=60)
    found = gather(tmp_path, [])
    assert [run.run_id for run in found.runs] == [new.name]


def test_another_model_can_be_the_baseline(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "one", {"f1": LOW}), Cell("a", "two", {"f1": HIGH}))
    assert not gather(tmp_path, []).deltas
    assert list(gather(tmp_path, [], "two").deltas) == [("a", "", "f1", "one")]
    with pytest.raises(StoreError, match="no model 'three' in these runs; they hold one, two"):
        gather(tmp_path, [], "three")


def test_a_word_can_name_one_model_of_a_run(tmp_path: Path) -> None:
    run = store(tmp_path, Cell("a", "one", {"f1": LOW}), Cell("a", "two", {"f1": HIGH}))
    assert gather(tmp_path, [f"{run.name}:two"]).models == ["two"]


def test_no_runs_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no runs below"):
        gather(tmp_path, [])


def test_other_versions_of_a_task_are_not_put_side_by_side(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "one", {"f1": LOW}))
    store(tmp_path, Cell("a", "two", {"f1": LOW}, version=2), after=60)
    with pytest.raises(StoreError, match=r"a: .*do not measure the same thing \(task versions 1"):
        gather(tmp_path, [])


def test_a_version_that_a_newer_run_replaced_is_told_as_well(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "one", {"f1": LOW}))
    store(tmp_path, Cell("a", "one", {"f1": LOW}, version=2), after=60)
    with pytest.raises(StoreError, match="task versions"):
        gather(tmp_path, [])


def test_other_samples_are_not_put_side_by_side(tmp_path: Path) -> None:
    store(tmp_path, Cell("a", "one", {"f1": LOW}), Cell("a", "two", {"f1": LOW[:5]}))
    with pytest.raises(StoreError, match="12 and 5 samples"):
        gather(tmp_path, [])


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    run = store(tmp_path, Cell("a", "one", {"f1": LOW}))
    (run / "completions.parquet").write_bytes(b"")
    with pytest.raises(StoreError, match=r"completions\.parquet"):
        gather(tmp_path, [])
