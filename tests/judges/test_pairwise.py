"""Two answers against each other, in both orders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judges.base import Material
from harness.judges.combine import Combined
from harness.judges.pairwise import Duel, both_orders, duel, duels, pair_of, preference
from harness.records import Verdict

VALUES = {"A": 1.0, "tie": 0.5, "B": 0.0, None: None}
SEATS = st.sampled_from([*VALUES])


def said(seat: str | None) -> Verdict:
    status = "error" if seat is None else "ok"
    return Verdict("pair", "m", 0, status, total=VALUES[seat], value=VALUES[seat])


def test_r9_every_pair_is_asked_in_both_orders():
    pair = Material("q", "r", "base", "tuned", media=("a.png",))
    (first, ab), (second, ba) = both_orders([("cell/s#0", pair)])
    assert (pair_of(first), pair_of(second)) == (("cell/s#0", "ab"), ("cell/s#0", "ba"))
    assert ab == pair
    assert ba == Material("q", "r", "tuned", "base", media=("a.png",))


def test_an_item_without_a_second_answer_is_no_pair():
    with pytest.raises(ValueError, match="two answers"):
        both_orders([("s", Material("q", None, "only"))])


@pytest.mark.parametrize("item", ["s", "s@", "s@cd", "@s"])
def test_other_ids_are_no_orders_of_a_pair(item):
    with pytest.raises(ValueError, match="no order"):
        pair_of(item)


@pytest.mark.parametrize(
    ("ab", "ba", "winner", "consistent"),
    [
        ("A", "B", "A", True),
        ("B", "A", "B", True),
        ("tie", "tie", "tie", True),
        ("A", "A", "tie", False),  # the first seat, twice
        ("B", "B", "tie", False),
        ("A", "tie", "tie", False),
        (None, "A", None, False),
        ("A", None, None, False),
    ],
)
def test_r9_an_answer_wins_only_if_both_orders_agree(ab, ba, winner, consistent):
    found = duel(said(ab), said(ba))
    assert (found.winner, found.consistent) == (winner, consistent)


def test_r9_a_judge_that_always_prefers_the_first_has_only_ties_and_no_consistency():
    found = duels([duel(said("A"), said("A"))] * 7)
    assert (found.win, found.tie, found.loss, found.n_error) == (0, 7, 0, 0)
    assert (found.position_consistency, found.first_slot_rate) == (0.0, 1.0)
    assert found.win_rate == 0.5


def test_r9_wins_are_those_of_the_second_answer():
    pairs = [Duel("B", "A"), Duel("B", "A"), Duel("A", "B"), Duel("tie", "tie"), Duel(None, "A")]
    found = duels(pairs)
    assert (found.n, found.win, found.tie, found.loss, found.n_error) == (5, 2, 1, 1, 1)
    assert found.position_consistency == 1.0
    assert found.first_slot_rate == pytest.approx(4 / 7)  # the readable half of the last one counts
    assert found.win_rate == 2.5 / 4


def test_nothing_compared_has_no_rates():
    found = duels([Duel(None, None)])
    assert (found.position_consistency, found.first_slot_rate, found.win_rate) == (None,) * 3


def test_a_judges_repeats_together_prefer_by_their_mean():
    assert preference(Combined(2 / 3, 2 / 3)) == "A"
    assert preference(Combined(0.5, 0.5)) == "tie"
    assert preference(Combined(None, None, status="error")) is None


@given(st.lists(st.tuples(SEATS, SEATS)))
def test_r9_swapping_the_answers_swaps_wins_and_losses(seats):
    """Who is called A is our choice; nothing but the sign may depend on it."""
    one = duels(duel(said(ab), said(ba)) for ab, ba in seats)
    other = duels(duel(said(ba), said(ab)) for ab, ba in seats)
    assert (one.win, one.loss, one.tie) == (other.loss, other.win, other.tie)
    assert one.win + one.tie + one.loss + one.n_error == one.n
    assert one.position_consistency == other.position_consistency
    assert one.first_slot_rate == other.first_slot_rate
