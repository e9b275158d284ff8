"""Scores weighted by probability: what a judge would say on average, out of one reply.

The expected score sum(p * s) over the legal labels, as in G-Eval (Liu et al. 2023, arXiv
2303.16634), read at the token in which the value stands; a digit elsewhere in the reply counts for
nothing. Only scales whose every score is one digit can be weighted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.collect.judge_spec import Criterion
from harness.judges.base import Unreadable
from harness.judges.parse import Parsed
from harness.judges.rubric import Expected, Rubric
from harness.records import Completion, TokenLogprobs


@dataclass(frozen=True, slots=True)
class Weighted:
    """Values to be graded, with an `Expected` wherever a score was weighted.

    ``mass`` is the probability that the legal labels had before they were renormalised, the lowest
    of all criteria; None if nothing was weighted. ``flags``: "weighted" or "unweighted", with the
    former "low_mass" if the mass is below what was asked for.
    """

    values: Mapping[str, object]
    mass: float | None
    flags: tuple[str, ...]


def weigh(
    completion: Completion,
    rubric: Rubric,
    parsed: Parsed,
    mode: Literal["auto", "require"],
    min_mass: float,
) -> Weighted:
    """Weight every score, or none if one of them cannot be.

    Raises Unreadable under ``require`` if they cannot be; under ``auto`` they stay as they are.
    """
    values, masses = dict(parsed.values), list[float]()
    try:
        scores = [each for each in rubric.criteria if each.kind == "score"]
        if not scores:
            raise Unreadable("the rubric has no scores")
        for criterion in scores:
            values[criterion.name], mass = _expected(completion, criterion, parsed)
            masses.append(mass)
    except Unreadable as why:
        if mode == "require":
            raise Unreadable(f"scores cannot be weighted by probability: {why}") from None
        return Weighted(parsed.values, None, ("unweighted",))
    low = ("low_mass",) if min(masses) < min_mass else ()
    return Weighted(values, min(masses), ("weighted", *low))


def weighable(criterion: Criterion) -> bool:
    """Whether each score of a criterion is one digit, and so one token."""
    return criterion.kind == "score" and criterion.min >= 0 and criterion.max <= 9


def _expected(
    completion: Completion, criterion: Criterion, parsed: Parsed
) -> tuple[Expected, float]:
    """The expected score of a criterion, and the probability of its legal labels."""
    name, said = criterion.name, parsed.values[criterion.name]
    if not weighable(criterion):
        raise Unreadable(f"'{name}' is not on a scale within 0 to 9")
    token = _token_at(completion, parsed.starts[name], str(said))
    if not isinstance(said, int) or token is None:
        raise Unreadable(f"the server gave no probabilities for '{name}'")
    mass_of = _masses(token, criterion)
    mass = math.fsum(mass_of.values())
    if mass <= 0:
        raise Unreadable(f"no legal score of '{name}' is among the server's alternatives")
    expected = math.fsum(label * share for label, share in mass_of.items()) / mass
    within = min(float(criterion.max), max(float(criterion.min), expected))
    return Expected(within, said), min(1.0, mass)


def _token_at(completion: Completion, start: int, label: str) -> TokenLogprobs | None:
    """The token that is the value which begins at an offset, alone but for spaces."""
    for token in completion.token_logprobs:
        if token.start <= start < token.start + len(token.token):
            here = completion.text[token.start : token.start + len(token.token)]
            return token if here == token.token and token.token.strip() == label else None
    return None


def _masses(token: TokenLogprobs, criterion: Criterion) -> dict[int, float]:
    """Probability of each legal label: a token that is listed twice counts once, and tokens that
    differ in their spaces are one label."""
    listed = dict[str, float]()
    for text, logprob in token.alternatives:
        if logprob == logprob:  # not NaN
            listed[text] = max(listed.get(text, 0.0), math.exp(min(0.0, logprob)))
    labels = {str(label): label for label in range(criterion.min, criterion.max + 1)}
    masses = dict[int, float]()
    for text, probability in listed.items():
        label = labels.get(text.strip())
        if label is not None:
            masses[label] = masses.get(label, 0.0) + probability
    return masses
