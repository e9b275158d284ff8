"""Perplexity: how surprised a model is by the reference answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import Scale, ScorerContext, sum_details


class Perplexity:
    """exp(negative log-likelihood / tokens) of the target given the prompt.

    detail = (negative log-likelihood in nats, tokens); the corpus value is exp of the sums'
    ratio, so a long target weighs more than a short one.
    """

    name = "perplexity"
    version = 1
    higher_is_better = False
    scale = Scale("number", 0.0, None)
    method = "exp(sum of negative log-likelihood / sum of tokens) of the target given the prompt"

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`; a target without tokens or a log-probability that is no finite
        number is an error of that sample."""
        return [
            Score.of_failure(completion) if completion.failed else _perplexity(completion)
            for completion in completions
        ]

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """Perplexity of all targets together."""
        sums = sum_details(scores)
        return None if sums is None else math.exp(sums[0] / sums[1])


def _perplexity(completion: Completion) -> Score:
    if not completion.logprobs or not completion.logprob_tokens:
        return Score(None, "error", explanation="no log-probability of the target")
    nll, tokens = -completion.logprobs[0], completion.logprob_tokens[0]
    if tokens <= 0:
        return Score(None, "error", explanation="the target has no tokens")
    if not math.isfinite(nll):
        return Score(None, "error", explanation=f"log-probability of the target is {-nll}")
    try:
        value = math.exp(nll / tokens)
    except OverflowError:
        return Score(None, "error", explanation=f"perplexity is too large: exp({nll / tokens:g})")
    return Score(value, detail=(nll, float(tokens)))


def perplexity(spec: ScoreSpec, context: ScorerContext) -> Perplexity:
    """Perplexity of the target."""
    return Perplexity()
