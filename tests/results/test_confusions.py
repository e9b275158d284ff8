"""Hand-counted matrices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results.confusions import (
    Association,
    accuracy_of,
    against_normal,
    confused_pairs,
    recalled,
    with_training,
)
from harness.scorers.choice import Confusion

# rows are targets; the last column is unreadable
CRIMES = Confusion(
    ("Arson", "Fighting", "Normal"),
    ((6, 2, 1, 1), (3, 1, 0, 0), (0, 0, 8, 2)),
    5,
)


def test_the_worst_mix_ups_stand_first() -> None:
    found = [(p.truth, p.answer, p.count, p.share) for p in confused_pairs(CRIMES)]
    assert found[:2] == [("Fighting", "Arson", 3, 0.75), ("Arson", "Fighting", 2, 0.2)]
    assert ("Normal", "(unreadable)", 2, 0.2) in found
    assert len(confused_pairs(CRIMES, 2)) == 2


def test_anomalies_are_one_class_against_normal() -> None:
    two = against_normal(CRIMES)
    assert two == Confusion(("anomaly", "normal"), ((12, 1, 1), (0, 8, 2)), 5)
    assert two is not None
    assert accuracy_of(two) == pytest.approx(20 / 24)


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("Normal", "Normal again", "c")])
def test_without_one_normal_class_there_is_nothing_to_set_against(labels) -> None:
    assert against_normal(Confusion(labels, CRIMES.counts, 0)) is None
    assert against_normal(Confusion(("Arson", "Normal"), ((1, 0, 0), (0, 1, 0)), 0)) is None


def test_the_share_recognised_has_wilsons_interval() -> None:
    value, around, n = recalled(CRIMES, "Normal")
    assert (value, n) == (0.8, 10)
    assert (around.low, around.high) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )
    assert recalled(CRIMES, "Shooting")[0] is None


def test_ranks_of_training_and_recognition_are_correlated() -> None:
    # shares .6 .25 .8, training 100 20 30: ranks (2 1 3) and (3 1 2): 1 - 6 * 2 / (3 * 8) = 0.5
    found = with_training(CRIMES, {"Arson": 100, "Fighting": 20, "Normal": 30})
    assert (found.rho, found.n) == (pytest.approx(0.5), 3)
    assert with_training(CRIMES, {"Arson": 4, "Fighting": 4, "Normal": 4}) == Association(
        None, None, 3
    )
    empty = Confusion(("a", "b"), ((1, 0, 0), (0, 1, 0)), 0)
    assert with_training(empty, {"a": 1, "b": 2}) == Association(None, None, 2)


COUNTS = st.lists(st.integers(0, 9), min_size=4, max_size=4).map(tuple)


@given(st.tuples(COUNTS, COUNTS, COUNTS))
def test_no_sample_is_lost(counts) -> None:
    table = Confusion(("Arson", "Fighting", "Normal"), counts, 0)
    two = against_normal(table)
    assert two is not None
    assert two.n == table.n
    wrong = sum(pair.count for pair in confused_pairs(table))
    assert wrong + sum(table.counts[i][i] for i in range(3)) == table.n
