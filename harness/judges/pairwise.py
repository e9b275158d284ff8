"""Which of two answers is better, asked in both orders so that a seat cannot win.

A judge that always prefers what it reads first says "A" twice; that is no preference, and both
answers tie (Zheng et al. 2023, arXiv 2306.05685; Wang et al. 2023, arXiv 2305.17926).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.judges.base import Material
from harness.judges.combine import Combined
from harness.records import Verdict

ORDERS = ("ab", "ba")
Preference = Literal["A", "B", "tie"]


@dataclass(frozen=True, slots=True)
class Duel:
    """Both orders of one pair. ``winner`` is None if and only if an order has no verdict.

    ``first`` and ``second`` are the seats that were preferred in the first and the second order:
    in the second, answer B sits in seat A. ``consistent`` says that both orders prefer the same
    answer, or both neither.
    """

    first: Preference | None
    second: Preference | None

    @property
    def winner(self) -> Preference | None:
        """The answer that both orders prefer, else "tie"."""
        if self.first is None or self.second is None:
            return None
        return self.first if self.consistent else "tie"

    @property
    def points(self) -> float | None:
        """What answer B has won: 1, 0.5 for a tie, 0; None without a winner."""
        return None if self.winner is None else {"B": 1.0, "tie": 0.5, "A": 0.0}[self.winner]

    @property
    def consistent(self) -> bool:
        """Whether the preference is for an answer and not for a seat."""
        return self.first is not None and self.second == _other(self.first)


@dataclass(frozen=True, slots=True)
class Duels:
    """A set of pairs: of answer B, ``win`` + ``tie`` + ``loss`` + ``n_error`` = ``n``.

    ``position_consistency`` is the share of pairs, of those with both verdicts, in which both
    orders agree; ``first_slot_rate`` the share of verdicts for the first seat among those that
    preferred a seat: 0.5 is fair. None where there is nothing to count.
    """

    n: int
    win: int
    tie: int
    loss: int
    n_error: int
    position_consistency: float | None
    first_slot_rate: float | None

    @property
    def win_rate(self) -> float | None:
        """Wins of B and half its ties among all pairs that were decided or tied."""
        judged = self.win + self.tie + self.loss
        return (self.win + self.tie / 2) / judged if judged else None


def both_orders(items: Sequence[tuple[str, Material]]) -> list[tuple[str, Material]]:
    """Every pair twice, as (id@ab, A first) and (id@ba, B first).

    Raises ValueError for material without a second answer.
    """
    found = []
    for name, pair in items:
        if pair.answer_b is None:
            raise ValueError(f"{name}: a pairwise judge needs two answers")
        swapped = replace(pair, answer=pair.answer_b, answer_b=pair.answer)
        found += [
            (f"{name}@{order}", one) for order, one in zip(ORDERS, (pair, swapped), strict=True)
        ]
    return found


def pair_of(item: str) -> tuple[str, str]:
    """The id of a pair and the order, from an id that `both_orders` made."""
    name, mark, order = item.rpartition("@")
    if not mark or order not in ORDERS:
        raise ValueError(f"{item} is no order of a pair")
    return name, order


def preference(verdict: Verdict | Combined) -> Preference | None:
    """The seat that a verdict prefers (value 1 is seat A, 0 is B); None if there is no verdict."""
    if verdict.value is None:
        return None
    return "tie" if verdict.value == 0.5 else "A" if verdict.value > 0.5 else "B"


def duel(ab: Verdict | Combined, ba: Verdict | Combined) -> Duel:
    """One pair's two orders, A first and B first: single verdicts, or a judge's combined ones."""
    return Duel(preference(ab), preference(ba))


def duels(pairs: Iterable[Duel]) -> Duels:
    """Count what the pairs came to, and how much the seat mattered."""
    known = list(pairs)
    judged = [pair for pair in known if pair.winner is not None]
    seats = [seat for pair in known for seat in (pair.first, pair.second) if seat in ("A", "B")]
    won = [pair.winner for pair in judged]
    agreed = sum(pair.consistent for pair in judged)
    return Duels(
        n=len(known),
        win=won.count("B"),
        tie=won.count("tie"),
        loss=won.count("A"),
        n_error=len(known) - len(judged),
        position_consistency=agreed / len(judged) if judged else None,
        first_slot_rate=seats.count("A") / len(seats) if seats else None,
    )


def _other(seat: Preference) -> Preference:
    """The same preference with the seats swapped."""
    swapped: dict[Preference, Preference] = {"A": "B", "B": "A", "tie": "tie"}
    return swapped[seat]
