"""A preference for a place is told of only where choices change their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records import LETTERS, Completion, Sample, Score
from harness.results.answers import answers
from harness.results.position_report import Lettered, Places, places_of
from harness.results.run import CellResult, CompletionRow
from harness.results.store import read_run, write_run

KINDS = ("Arson", "Fighting", "Normal")
Build = Callable[..., CellResult]


@pytest.fixture
def build(cell) -> Build:
    """A model that answers every question with A; the choices are in the orders given."""

    def make(variant: str, orders: Sequence[Sequence[str]], reason: str = "stop") -> CellResult:
        samples = [
            Sample(f"q{n}", "?", LETTERS[order.index(KINDS[n % 3])], tuple(order))
            for n, order in enumerate(orders)
        ]
        values = [float(one.target == "A") for one in samples]
        built = cell(variant=variant, values={"choice": values}, samples=samples).build()
        done = [CompletionRow(s.id, 0, Completion("", "A", finish_reason=reason)) for s in samples]
        scores = {"choice": [Score(value, answer="A") for value in values]}
        return replace(built, completions=done, scores=scores)

    return make


@pytest.fixture
def told(tmp_path: Path, make_run) -> Callable[..., Places]:
    def of(*cells: CellResult) -> Places:
        run = read_run(write_run(tmp_path, make_run(*cells)))
        found = [
            Lettered(one, one.scorers[0], answers(run, one, one.scorers[0], whole=True))
            for one in run.manifest.cells
        ]
        return places_of(run, found)

    return of


def turned(by: int) -> list[tuple[str, ...]]:
    return [(*KINDS[(n + by) % 3 :], *KINDS[: (n + by) % 3]) for n in range(12)]


def test_with_one_order_for_all_a_letter_is_a_class_and_a_line_says_so(build, told) -> None:
    found = told(build("", [KINDS] * 12))
    assert found.table is None
    assert found.records == {"positions": [], "positions_together": []}
    (note,) = found.notes
    assert "so a letter is a class, and a preference for a place was not tested" in note


def test_other_orders_by_sample_test_places(build, told) -> None:
    found = told(build("", turned(0)))
    assert found.table is not None
    assert [row["chosen"] for row in found.records["positions"]] == [1.0, 0.0, 0.0]


def test_several_orders_are_told_together_paired_by_sample(build, told) -> None:
    cells = [build(f"fps=1,shuffle_choices={seed}", turned(seed)) for seed in (1, 2, 3)]
    found = told(*cells)
    assert found.table is not None
    assert found.table.title.endswith("over 3 orders of the choices together")
    assert [row[:2] for row in found.table.rows] == [["tiny [fps=1]", "A"], ["", "B"], ["", "C"]]
    together = found.records["positions_together"]
    assert [row["n"] for row in together] == [36, 36, 36]
    assert together[0]["right"] == pytest.approx(1 / 3)  # each kind was in each place once
    assert len(found.records["positions"]) == 9


def test_each_of_several_orders_may_be_the_same_for_all_samples(build, told) -> None:
    """One order for all in each variant, but not the same in all: a letter is no class."""
    cells = [build(f"shuffle_choices={n}", [turned(n)[0]] * 12) for n in (1, 2, 3)]
    found = told(*cells)
    assert found.table is not None
    assert found.records["positions"] == []


@pytest.mark.parametrize(("variant", "reason"), [("", "scored"), ("answer=text", "stop")])
def test_weighed_and_worded_answers_choose_no_letter(build, told, variant, reason) -> None:
    found = told(build(variant, turned(0), reason))
    assert found.table is None
    assert "the choices not shuffled, so nothing is said of letters" in found.notes[0]
    shuffled = told(build(f"{variant},shuffle_choices=1".strip(","), turned(0), reason))
    assert shuffled.table is not None
