"""What judges of pairs prefer: how surely, when the same answer was asked about several times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.judges.pairwise import Duel
from harness.results.preferences import Signs

BETTER, WORSE, TIE = Duel("B", "A"), Duel("A", "B"), Duel("A", "A")
UNJUDGED = Duel(None, "A")
ALONE: dict[str, str | None] = {}


def test_each_sample_has_one_vote_that_of_the_majority_of_its_pairs() -> None:
    pairs = [("a", BETTER), ("a", BETTER), ("a", WORSE), ("b", WORSE), ("c", BETTER), ("c", WORSE)]
    assert Signs.of(pairs, ALONE) == Signs(1, 1, "samples")


def test_a_tie_and_a_pair_without_verdict_are_no_votes() -> None:
    assert Signs.of([("a", TIE), ("b", UNJUDGED), ("c", BETTER)], ALONE) == Signs(1, 0, "samples")


def test_a_group_of_samples_has_one_vote_and_a_sample_without_a_group_its_own() -> None:
    groups = {"a": "film", "b": "film", "c": "film", "film": None}
    pairs = [("a", BETTER), ("b", BETTER), ("c", WORSE), ("film", WORSE)]
    assert Signs.of(pairs, groups) == Signs(1, 1, "groups")


@given(st.lists(st.sampled_from([BETTER, WORSE, TIE, UNJUDGED])), st.integers(1, 4))
def test_repeating_every_pair_changes_nothing(said: list[Duel], times: int) -> None:
    pairs = [(str(n), pair) for n, pair in enumerate(said)]
    assert Signs.of(pairs * times, ALONE) == Signs.of(pairs, ALONE)
    assert Signs.of(pairs, ALONE).win == said.count(BETTER)


def test_no_pairs_are_no_votes() -> None:
    assert Signs.of([], ALONE) == Signs(0, 0, "samples")
