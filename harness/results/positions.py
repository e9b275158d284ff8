"""How often each letter is chosen, against how often it is right: a model that prefers a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.records import LETTERS
from harness.results.answers import Answered
from harness.results.differences import Difference, paired_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Position:
    """One letter over the ``n`` answers that offer it and have a score.

    ``chosen`` and ``right`` are shares of them; ``accuracy`` is the share recognised of those in
    which it is right, None if there are none. ``difference`` is chosen less right, paired by
    sample: what a model without preference has at zero, whatever its accuracy, if it errs evenly.
    """

    letter: str
    n: int
    chosen: float
    right: float
    accuracy: float | None
    difference: Difference


def positions(rows: Sequence[Answered]) -> list[Position]:
    """Each letter that some sample offers. An unreadable answer chooses none. Intervals take the
    samples' clusters, and the epochs of a sample as one, into account."""
    scored = [row for row in rows if row.score.value is not None]
    most = max((len(row.sample.choices) for row in scored), default=0)
    return [_position(letter, at, scored) for at, letter in enumerate(LETTERS[:most])]


def _position(letter: str, at: int, scored: Sequence[Answered]) -> Position:
    import numpy as np

    rows = [row for row in scored if at < len(row.sample.choices)]
    chosen = np.array([float(row.score.answer == letter) for row in rows])
    right = np.array([float(row.sample.target.strip().upper() == letter) for row in rows])
    difference = _of_shares(paired_difference(right, chosen, _clusters(rows)))
    return Position(
        letter,
        len(rows),
        float(chosen.mean()),
        float(right.mean()),
        _share(chosen, right),
        difference,
    )


def _of_shares(found: Difference) -> Difference:
    """The interval of a difference of two shares ends at -1 and 1, whatever few samples say."""
    low, high = found.low, found.high
    return replace(
        found,
        low=None if low is None else max(low, -1.0),
        high=None if high is None else min(high, 1.0),
    )


def _share(chosen: NDArray[np.float64], right: NDArray[np.float64]) -> float | None:
    return float(chosen[right == 1].mean()) if right.any() else None


def _clusters(rows: Sequence[Answered]) -> list[str] | None:
    names = [row.sample.cluster or f"sample {row.sample.id}" for row in rows]
    return None if len(set(names)) == len(names) else names
