"""What a judge must say, as a JSON schema, and what its words add up to.

A judge gives the criteria; the total is ours. A value that is missing, no whole number or outside
its scale is never mended: there is no score then, and `Unreadable` says why.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.collect.judge_spec import Criterion, JudgeSpec, ScaleName
from harness.judges.base import Unreadable
from harness.records import ReplyForm

REASONING = "reasoning"
PREFERENCE = "preference"
PREFERENCES = {"A": 1.0, "B": 0.0, "tie": 0.5}
"""Word of a pairwise judge -> how much of the point goes to the answer in the first slot."""
TOTALS = ("total", "total_score", "overall", "overall_score", "score", "average", "mean", "sum")
"""Keys under which judges like to state a total of their own, unless they are criteria."""
LISTED = 10  # widest scale that is spelt out number by number in the schema
TOLERANCE = 0.05  # between the judge's total and ours; judges round means to one place
FIRM_NO, FIRM_YES = 0.2, 0.8  # shares of a score's span: 1 and 4 of 0..5


class Expected(float):
    """A score weighted by probability: the one number that `Rubric.grade` takes between two whole
    ones. ``said`` is the whole number that stands in the reply."""

    said: int

    def __new__(cls, value: float, said: int) -> Expected:
        made = super().__new__(cls, value)
        made.said = said
        return made


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict in numbers: ``criteria`` and ``total`` in units of the rubric, ``value`` in [0, 1].

    A yes is 1 and a no is 0; claims are the share of the supported ones. ``flags`` may hold
    "inconsistent" and "total_mismatch".
    """

    criteria: Mapping[str, float]
    total: float
    value: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rubric:
    """Criteria and the scale they add up on; a pairwise rubric has none, and asks which is better.

    Totals: ``weighted`` is the sum of weight times score, ``mean`` that sum over the sum of the
    weights, ``yesno_score`` the score. A pairwise total is 1 for A, 0 for B and 0.5 for a tie.
    """

    name: str
    criteria: tuple[Criterion, ...]
    scale: ScaleName
    pairwise: bool = False

    @classmethod
    def of(cls, spec: JudgeSpec) -> Rubric:
        """The rubric of a judge."""
        return cls(spec.judge, spec.criteria, spec.scale, spec.pairwise)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys of a reply beside the reasoning, in the order in which they are asked for."""
        return (PREFERENCE,) if self.pairwise else tuple(each.name for each in self.criteria)

    @cached_property
    def scores(self) -> frozenset[str]:
        """The names of the criteria that are whole numbers."""
        return frozenset(each.name for each in self.criteria if each.kind == "score")

    @cached_property
    def low(self) -> float:
        """The lowest total."""
        return 0.0 if self.pairwise else self._total([span(each)[0] for each in self.criteria])

    @cached_property
    def high(self) -> float:
        """The highest total."""
        return 1.0 if self.pairwise else self._total([span(each)[1] for each in self.criteria])

    # ----------------------------------------------------------------- what is asked for

    def schema(self) -> dict[str, object]:
        """The strict JSON schema of a reply.

        The reasoning is the first property: a model that writes in this order reasons before it
        scores. Every number has minimum and maximum, and an enum where that is short.
        """
        properties: dict[str, object] = {REASONING: {"type": "string"}}
        if self.pairwise:
            properties[PREFERENCE] = {"type": "string", "enum": list(PREFERENCES)}
        for criterion in self.criteria:
            told = {"description": criterion.description} if criterion.description else {}
            properties[criterion.name] = {**_property(criterion), **told}
        return _object(properties)

    def form(self, top_logprobs: int = 0) -> ReplyForm:
        """The schema for adapters that can enforce it, its properties in their order."""
        return ReplyForm(*self._named_schema, top_logprobs)

    @cached_property
    def _named_schema(self) -> tuple[str, str]:
        """A name as servers allow it, and the schema as text: asked for once an item."""
        text = json.dumps(self.schema(), ensure_ascii=False, separators=(",", ":"))
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.name)[:64], text

    # ----------------------------------------------------------------- what it adds up to

    def grade(self, values: Mapping[str, object], stated_total: object = None) -> Grade:
        """The verdict that the values of a reply are.

        ``stated_total`` is what the judge says they add up to. It counts for nothing; if it is not
        our total, the grade is flagged. Raises Unreadable, with every fault in one line.
        """
        if self.pairwise:
            share = PREFERENCES[_word(PREFERENCE, values, PREFERENCES)]
            return Grade({PREFERENCE: share}, share, share)
        scores, faults = dict[str, float](), list[str]()
        for criterion in self.criteria:
            try:
                scores[criterion.name] = _score(criterion, values)
            except Unreadable as fault:
                faults.append(str(fault))
        if faults:
            raise Unreadable("; ".join(faults))
        total = self._total([*scores.values()])
        said = [each.said if isinstance(each, Expected) else each for each in scores.values()]
        share = min(1.0, max(0.0, (total - self.low) / (self.high - self.low)))
        plain = {name: float(each) for name, each in scores.items()}
        return Grade(plain, total, share, self._flags(said, stated_total))

    def _total(self, scores: list[float]) -> float:
        """Of one number for each criterion, in their order."""
        weights = [criterion.weight for criterion in self.criteria]
        if self.scale == "yesno_score":
            weights = [float(criterion.kind == "score") for criterion in self.criteria]
        total = math.fsum(w * s for w, s in zip(weights, scores, strict=True))
        return total / math.fsum(weights) if self.scale == "mean" else total

    def _flags(self, said: list[float], stated_total: object) -> tuple[str, ...]:
        """What is odd about the whole numbers that the judge gave."""
        flags = []
        if self.scale == "yesno_score" and self._contradicts(said):
            flags.append("inconsistent")
        if stated_total is not None:
            stated = _number(stated_total)
            if stated is None or abs(stated - self._total(said)) > TOLERANCE:
                flags.append("total_mismatch")
        return tuple(flags)

    def _contradicts(self, said: list[float]) -> bool:
        """A yes with a score at the bottom, or a no with one at the top."""
        yes = next(s for c, s in zip(self.criteria, said, strict=True) if c.kind == "yesno")
        share = (self._total(said) - self.low) / (self.high - self.low)
        return share <= FIRM_NO if yes else share >= FIRM_YES


def span(criterion: Criterion) -> tuple[float, float]:
    """The lowest and the highest number a criterion can become."""
    if criterion.kind == "score":
        return float(criterion.min), float(criterion.max)
    return 0.0, 1.0


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _property(criterion: Criterion) -> dict[str, object]:
    yesno: dict[str, object] = {"type": "string", "enum": ["yes", "no"]}
    if criterion.kind == "yesno":
        return yesno
    if criterion.kind == "claims":
        item = _object({"claim": {"type": "string"}, "supported": yesno})
        return {"type": "array", "minItems": 1, "items": item}
    low, high = criterion.min, criterion.max
    listed = {"enum": list(range(low, high + 1))} if high - low <= LISTED else {}
    return {"type": "integer", "minimum": low, "maximum": high, **listed}


# --------------------------------------------------------------------------- single values


def _score(criterion: Criterion, values: Mapping[str, object]) -> float:
    if criterion.kind == "yesno":
        return float(_word(criterion.name, values, ("yes", "no")) == "yes")
    if criterion.kind == "claims":
        return _supported(criterion.name, _given(criterion.name, values))
    return _whole(criterion, _given(criterion.name, values))


def _given(name: str, values: Mapping[str, object]) -> object:
    if name not in values:
        raise Unreadable(f"'{name}' is missing")
    return values[name]


def _whole(criterion: Criterion, value: object) -> float:
    """The score, an Expected as it is. No text, no true/false, no fraction, nothing outside."""
    name, low, high = criterion.name, criterion.min, criterion.max
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(f"'{name}' must be a whole number, not {_shown(value)}")
    if not low <= value <= high:  # also for NaN, which is nowhere
        raise Unreadable(f"'{name}' must be from {low} to {high}, not {_shown(value)}")
    if isinstance(value, Expected):
        return value
    if value != int(value):
        raise Unreadable(f"'{name}' must be a whole number, not {_shown(value)}")
    return float(value)


def _word(
    name: str, values: Mapping[str, object], allowed: Mapping[str, object] | tuple[str, ...]
) -> str:
    """The one of the allowed words that is given, in whatever case."""
    value = _given(name, values)
    folded = {word.casefold(): word for word in allowed}
    if not isinstance(value, str) or value.strip().casefold() not in folded:
        raise Unreadable(f"'{name}' must be one of {', '.join(allowed)}, not {_shown(value)}")
    return folded[value.strip().casefold()]


def _supported(name: str, value: object) -> float:
    """The share of supported claims."""
    if not isinstance(value, list) or not value:
        raise Unreadable(f"'{name}' must be a list of at least one claim, not {_shown(value)}")
    supported = 0
    for number, entry in enumerate(value, start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("claim"), str):
            raise Unreadable(f"'{name}': entry {number} must have 'claim' and 'supported'")
        try:
            supported += _word("supported", entry, ("yes", "no")) == "yes"
        except Unreadable as fault:
            raise Unreadable(f"'{name}': entry {number}: {fault}") from None
    return supported / len(value)


def _number(value: object) -> float | None:
    """The number that a stated total is, also of a text such as "86" or "86/100"."""
    if isinstance(value, str) and (
        found := re.match(r"\s*(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\b", value)
    ):
        return float(found[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
