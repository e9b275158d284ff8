from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.records import Sample
from harness.results.compare import compare
from harness.results.pairs import CompareOptions, Side, find_sides, pair_cells
from harness.results.run import ScorerInfo
from harness.results.store import write_run

Store = Callable[..., Path]
REASONS = CompareOptions(collect_reasons=True)


def sides(path: Path, a: str = "a", b: str = "b") -> tuple[Side, Side]:
    (found,) = find_sides(path.parent, a, b)
    return found


def test_reasons_can_be_had_instead_of_an_error(store: Store, cell) -> None:
    path = store(
        cell("a", values={"m": [0.1, 0.2, 0.3]}),
        cell("b", values={"m": [0.1, 0.2]}, version=2, infos={"m": ScorerInfo("m", version=3)}),
    )
    (pair,) = pair_cells(*sides(path), REASONS)
    assert pair.reasons == [
        "task versions 1 and 2",
        "versions 1 and 3 of m",
        "samples differ: 3 and 2, 2 in both",
    ]
    assert pair.notes == []
    assert pair.metrics[0].ids == ["q0", "q1"]


def test_sides_that_measure_the_same_have_no_reasons(store: Store, cell) -> None:
    path = store(cell("a", values={"m": [0.1]}), cell("b", values={"m": [0.2]}))
    (pair,) = pair_cells(*sides(path), REASONS)
    assert pair.reasons == []


def test_another_judge_is_another_measure(store: Store, cell) -> None:
    def rated(by: str, template: str) -> dict[str, ScorerInfo]:
        return {"m": ScorerInfo("m", judge="m", judged_by=by, template=template)}

    values = {"m": [0.1, 0.2]}
    path = store(
        cell("a", values=values, infos=rated("one", "t")),
        cell("b", values=values, infos=rated("two", "t")),
        cell("c", values=values, infos=rated("one", "other")),
    )
    (pair,) = pair_cells(*sides(path), REASONS)
    assert pair.reasons == ["m was judged by one and two"]
    (pair,) = pair_cells(*sides(path, "a", "c"), REASONS)
    assert pair.reasons == ["the templates of m differ"]


def test_the_mean_of_several_draws_is_another_measure_than_one(
    tmp_path: Path, cell, make_run
) -> None:
    once = cell("a", values={"m": [0.1, 0.2]}).build()
    often = cell("b", values={"m": [0.1, 0.2]}).build()
    rows = [replace(row, epoch=n) for n in range(3) for row in often.completions]
    often = replace(often, completions=rows, scores={"m": [*often.scores["m"]] * 3})
    path = write_run(tmp_path / "runs", make_run(once, often))
    (pair,) = pair_cells(*sides(path), REASONS)
    assert pair.reasons == ["epochs 1 and 3"]
    with pytest.raises(StoreError, match=r"epochs 1 and 3 \(--intersect compares"):
        compare(path.parent, "a", "b", CompareOptions())
    _, notes = compare(path.parent, "a", "b", CompareOptions(intersect=True))
    assert notes == ["capitals: MISMATCH allowed: epochs 1 and 3"]


@pytest.mark.parametrize("intersect", [False, True])
def test_no_sample_in_both_leaves_nothing_to_intersect(store: Store, cell, intersect: bool) -> None:
    others = [Sample(f"other {i}", "in", "out") for i in range(2)]
    path = store(
        cell("a", values={"m": [0.1, 0.2]}), cell("b", values={"m": [0.1, 0.2]}, samples=others)
    )
    with pytest.raises(StoreError, match=r"a and .*:b share no sample") as caught:
        compare(path.parent, "a", "b", CompareOptions(intersect=intersect))
    assert "intersect" not in str(caught.value)
    with pytest.raises(StoreError, match="share no sample"):
        pair_cells(*sides(path), REASONS)


def test_both_sides_may_be_the_same_when_asked_directly(store: Store, cell) -> None:
    path = store(cell("a", values={"m": [0.1, 0.2]}), cell("b", values={"m": [0.1, 0.2]}))
    a, _ = sides(path)
    (pair,) = pair_cells(a, a, REASONS)
    assert pair.metrics[0].a is pair.metrics[0].b
