"""What a gate says: a ruling for each line of it, and what the process makes of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import ExitCode

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]
ALPHA = 0.05
"""The chance that a gate may fail a candidate that is as good as its baseline."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One line of a gate on one cell (and class), decided.

    PASS: the data show that the line is kept. FAIL: they show that it is not. INCONCLUSIVE: they
    show neither; ``n_needed`` samples would (80 % of the time, were both models equal). ERROR: the
    line cannot be decided at all (a stale baseline, too many failed samples, a judge that must not
    be believed), which says nothing about the candidate.

    ``reason`` is one line for people. ``before`` and ``after`` are the means of baseline and
    candidate in the metric's own units, ``difference`` is after - before over the ``n`` paired
    samples, ``low`` and ``high`` its one-sided 95 % bounds. ``p`` is of the test that the candidate
    is not worse (or of a floor: not below), ``p_holm`` the same after Holm's correction for all
    lines that can fail. ``worst`` are samples that lost most, worst first.
    """

    task: str
    variant: str
    model: str
    metric: str
    line: str
    """What was asked, in the words of the file: "max_drop 0.02"."""
    outcome: Outcome
    reason: str
    on_inconclusive: Literal["pass", "warn", "fail"] = "warn"
    cell: str = ""
    """Node id of the candidate's cell."""
    group: str = ""
    """The class, of a line per class; else empty."""
    baseline: str = ""
    """Whom the candidate was compared with, as RUN:MODEL; empty if with nobody."""
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    n: int = 0
    n_needed: int | None = None
    method: str = ""
    worst: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether the candidate must not go on."""
        undecided = self.outcome == "INCONCLUSIVE" and self.on_inconclusive == "fail"
        return self.outcome in ("FAIL", "ERROR") or undecided


@dataclass(frozen=True)
class GateResult:
    """All rulings on all candidates, and notes that a reader should see beside them."""

    rulings: Sequence[Ruling]
    notes: Sequence[str] = ()

    @property
    def exit_code(self) -> ExitCode:
        """FAILED if a candidate did worse; else UNDECIDED if a line could not be decided; else OK.

        A candidate that is shown to be worse fails even if another line is in error.
        """
        bad = [ruling for ruling in self.rulings if ruling.stops]
        if any(ruling.outcome != "ERROR" for ruling in bad):
            return ExitCode.FAILED
        return ExitCode.UNDECIDED if bad else ExitCode.OK

    def count(self, outcome: Outcome) -> int:
        """How many rulings ended so."""
        return sum(ruling.outcome == outcome for ruling in self.rulings)
