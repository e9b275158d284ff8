"""A model that prefers a letter, and one that does not."""

from __future__ import annotations

import pytest

from harness.records import LETTERS, Sample, Score
from harness.results.answers import Answered
from harness.results.positions import positions


def answered(target: str, answer: str | None, at: int = 0, choices: int = 3, epoch: int = 0):
    sample = Sample(f"q{at}", "?", target, tuple(f"c{n}" for n in range(choices)))
    return Answered(sample, epoch, "", None, Score(float(answer == target), answer=answer))


def test_shares_are_counted_by_hand() -> None:
    rows = [answered(t, a, n) for n, (t, a) in enumerate(zip("AABCA", "AAAAB", strict=True))]
    rows.append(answered("B", None, 9))
    a, b, c = positions(rows)
    assert (a.letter, a.n, a.chosen, a.right) == ("A", 6, pytest.approx(4 / 6), 0.5)
    assert a.accuracy == pytest.approx(2 / 3)
    assert (b.chosen, b.right, b.accuracy) == (pytest.approx(1 / 6), pytest.approx(2 / 6), 0.0)
    assert c.difference.value == pytest.approx(-1 / 6)


def test_a_letter_counts_where_it_is_offered_and_failures_nowhere() -> None:
    failed = Answered(answered("A", "A").sample, 0, "", "broke", Score(None, "error"))
    found = positions([answered("A", "A", 0, 2), answered("C", "C", 1, 3), failed])
    assert [(one.letter, one.n) for one in found] == [("A", 2), ("B", 2), ("C", 1)]
    assert found[1].accuracy is None
    assert positions([]) == []


def test_a_preference_is_shown_and_even_errors_are_none() -> None:
    targets = "ABC" * 30
    always = positions([answered(t, "B", n) for n, t in enumerate(targets)])
    assert always[1].difference.interval.excludes(0.0)
    assert always[1].difference.value > 0.5
    even = [LETTERS[(LETTERS.index(t) + n // 3) % 3] for n, t in enumerate(targets)]
    found = positions(
        [answered(t, a, n) for n, (t, a) in enumerate(zip(targets, even, strict=True))]
    )
    assert not any(one.difference.interval.excludes(0.0) for one in found)


def test_epochs_of_a_sample_are_one_cluster() -> None:
    rows = [answered("A", "B" if n % 3 else "A", n, epoch=e) for n in range(12) for e in range(4)]
    assert positions(rows)[0].difference.clusters == 12


def test_no_interval_leaves_what_shares_can_be() -> None:
    found = positions([answered(target, "A", n) for n, target in enumerate("AAB")])
    ends = [end for one in found for end in (one.difference.low, one.difference.high)]
    assert all(end is None or -1 <= end <= 1 for end in ends)
    assert any(end is not None for end in ends)
