"""Many verdicts on one completion to one: repeats first, then the members of a panel.

Nothing is made up: what cannot be combined is an error with a reason, and a tie is called one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, multimode, variance

from harness.collect.judge_spec import JudgeSpec
from harness.judges.agreement import Level, alpha
from harness.records import ScoreStatus, Verdict


@dataclass(frozen=True, slots=True)
class Combined:
    """One judge's word on one completion, all repeats and all members of the panel together.

    ``value`` in [0, 1], ``total`` and ``criteria`` in units of the rubric; None and empty if and
    only if ``status`` is not "ok", and then ``error`` says why. ``n`` verdicts stand in it.
    ``spread`` is the standard deviation of ``value`` between repeats of the same member (None
    without repeats), ``disagreement`` the distance between the most and the least generous member
    (None with fewer than two). Flags are those of the verdicts, and "tie" (a vote without a
    majority), "missing_repeat", "missing_judge".
    """

    value: float | None
    total: float | None
    criteria: Mapping[str, float] = field(default_factory=dict)
    status: ScoreStatus = "ok"
    spread: float | None = None
    n: int = 0
    disagreement: float | None = None
    flags: tuple[str, ...] = ()
    error: str | None = None


def quorum(spec: JudgeSpec) -> int:
    """How many members of the panel must have given a verdict: as told, else more than half.

    A quorum above the number of members means all of them.
    """
    members = len(spec.models)
    return min(spec.quorum or members // 2 + 1, members)


def combine(spec: JudgeSpec, verdicts: Sequence[Verdict]) -> Combined:
    """The verdicts of one completion as one.

    A member's word is the mean over those of its repeats that could be read. The members' words
    become one by the spec's ``aggregate``; yes/no criteria always go by the majority, whose tie
    is 0.5 and flagged. Fewer members than the quorum, or none, give an error: never a default.
    Raises ValueError for verdicts of another judge.
    """
    if foreign := [one.judge for one in verdicts if one.judge != spec.judge]:
        raise ValueError(f"a verdict of {foreign[0]} among those of {spec.judge}")
    members: dict[str, list[Verdict]] = {}
    for one in verdicts:
        if one.status == "ok":
            members.setdefault(one.model, []).append(one)
    if verdicts and all(one.status == "skipped" for one in verdicts):
        return Combined(None, None, status="skipped", error=verdicts[0].error)
    if len(members) < quorum(spec):
        return Combined(None, None, status="error", error=_too_few(spec, members, verdicts))
    if len(verdicts) == len(spec.models) == 1 and spec.aggregate != "majority":
        (one,) = verdicts  # the word of one who was asked once is the verdict
        return Combined(one.value, one.total, one.criteria, n=1, flags=tuple(sorted({*one.flags})))
    votes = [_Vote.of(spec, repeats) for repeats in members.values()]
    names = dict.fromkeys(name for vote in votes for name in vote.criteria)
    found = {name: _together(spec, name, votes) for name in names}
    total, total_tie = _numbers(spec, [vote.total for vote in votes])
    value, value_tie = _numbers(spec, [vote.value for vote in votes])
    values = [vote.value for vote in votes]
    marks = set(_marks(spec, verdicts, members))
    if total_tie or value_tie or any(tie for _, tie in found.values()):
        marks.add("tie")
    return Combined(
        value,
        total,
        {name: number for name, (number, _) in found.items()},
        spread=_spread(members.values()),
        n=sum(len(repeats) for repeats in members.values()),
        disagreement=max(values) - min(values) if len(values) > 1 else None,
        flags=tuple(sorted(marks)),
    )


def panel_table(groups: Iterable[Sequence[Verdict]]) -> list[list[float | None]]:
    """What `panel_alpha` takes: a row for each completion, a column for each judge model.

    A cell is the mean value of the model's readable repeats, None if there is none.
    """
    rows: list[dict[str, float]] = []
    models: dict[str, None] = {}
    for verdicts in groups:
        given: dict[str, list[float]] = {}
        for one in verdicts:
            models[one.model] = None
            if one.value is not None:
                given.setdefault(one.model, []).append(one.value)
        rows.append({model: fmean(values) for model, values in given.items()})
    return [[row.get(model) for model in models] for row in rows]


def panel_alpha(table: Sequence[Sequence[float | None]], level: Level = "interval") -> float | None:
    """Krippendorff's alpha of a panel: rows are completions, columns judges, None is no verdict.

    1 is agreement, 0 chance, below 0 worse than chance. None where nothing can be compared: one
    judge, or no two different verdicts. Definition: Krippendorff 2011, "Computing Krippendorff's
    alpha-reliability".
    """
    return alpha(table, level)


@dataclass(frozen=True, slots=True)
class _Vote:
    """What one member of the panel says, its repeats together."""

    criteria: Mapping[str, float]
    total: float
    value: float

    @classmethod
    def of(cls, spec: JudgeSpec, repeats: Sequence[Verdict]) -> _Vote:
        names = dict.fromkeys(name for one in repeats for name in one.criteria)
        means = {
            name: fmean(one.criteria[name] for one in repeats if name in one.criteria)
            for name in names
        }
        totals = [one.total for one in repeats if one.total is not None]
        values = [one.value for one in repeats if one.value is not None]
        return cls(means, fmean(totals), fmean(values))


def _together(spec: JudgeSpec, name: str, votes: Sequence[_Vote]) -> tuple[float, bool]:
    """One criterion of the panel, and whether its vote was a tie."""
    numbers = [vote.criteria[name] for vote in votes if name in vote.criteria]
    if any(one.name == name and one.kind == "yesno" for one in spec.criteria):
        return _yes_or_no(numbers)
    return _numbers(spec, numbers)


def _yes_or_no(shares: Sequence[float]) -> tuple[float, bool]:
    """1 or 0 by the majority of members; a member's own majority is among its repeats."""
    yes, no = sum(share > 0.5 for share in shares), sum(share < 0.5 for share in shares)
    return (0.5, True) if yes == no else (float(yes > no), False)


def _numbers(spec: JudgeSpec, numbers: Sequence[float]) -> tuple[float, bool]:
    """The members' numbers as one, and whether there was a tie.

    "majority" is the number that most members gave; of several such, their mean, which is a tie.
    """
    if spec.aggregate == "median":
        return median(numbers), False
    if spec.aggregate == "mean":
        return fmean(numbers), False
    modes = multimode(round(number, 9) for number in numbers)
    return fmean(modes), len(modes) > 1


def _spread(members: Iterable[Sequence[Verdict]]) -> float | None:
    """Pooled over members, so that their disagreement does not pass for noise."""
    values = [[one.value for one in repeats if one.value is not None] for repeats in members]
    repeated = [(variance(given), len(given) - 1) for given in values if len(given) > 1]
    if not repeated:
        return None
    return math.sqrt(sum(v * df for v, df in repeated) / sum(df for _, df in repeated))


def _marks(
    spec: JudgeSpec, verdicts: Sequence[Verdict], members: Mapping[str, Sequence[Verdict]]
) -> Iterable[str]:
    for repeats in members.values():
        yield from (flag for one in repeats for flag in one.flags)
    if any(one.status == "error" and one.model in members for one in verdicts):
        yield "missing_repeat"
    if len(members) < len(spec.models):
        yield "missing_judge"


def _too_few(
    spec: JudgeSpec, members: Mapping[str, Sequence[Verdict]], verdicts: Sequence[Verdict]
) -> str:
    """One line: what was missing, and the most frequent reason."""
    reasons = Counter(one.error for one in verdicts if one.error)
    why = f": {reasons.most_common(1)[0][0]}" if reasons else ""
    if len(spec.models) == 1:
        return f"no verdict{why}"
    return f"{len(members)} of {len(spec.models)} judges, quorum {quorum(spec)}{why}"
