"""Metrics that ask one plain question of the answer's text: equal, contains, fits a pattern."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample, Score
from harness.scorers.base import COUNT, PROPORTION, Scale, ScorerContext, mean_of

Rule = Callable[[Sample, Completion], Score]


@dataclass(frozen=True, slots=True)
class SampleScorer:
    """A metric whose score of one completion needs no other; the corpus value is the mean."""

    name: str
    method: str
    rule: Rule
    higher_is_better: bool = True
    version: int = 1
    scale: Scale = PROPORTION

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`."""
        return [
            Score.of_failure(completion) if completion.failed else self.rule(sample, completion)
            for sample, completion in zip(samples, completions, strict=True)
        ]

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean."""
        return mean_of(scores)


def normalise(text: str, ignore_case: bool) -> str:
    """NFC without white space around; case folded if it is to be ignored."""
    text = unicodedata.normalize("NFC", text)
    if ignore_case:
        text = unicodedata.normalize("NFC", text.casefold())
    return text.strip()


def exact_match(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """1 if the answer is the target, white space around left out."""

    def rule(sample: Sample, completion: Completion) -> Score:
        answer = normalise(completion.text, spec.ignore_case)
        return Score(float(answer == normalise(sample.target, spec.ignore_case)), answer=answer)

    return SampleScorer("exact_match", f"equal after strip, NFC{_case(spec)}", rule)


def includes(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """1 if the target stands anywhere in the answer; an empty target only in an empty answer."""

    def rule(sample: Sample, completion: Completion) -> Score:
        answer = normalise(completion.text, spec.ignore_case)
        target = normalise(sample.target, spec.ignore_case)
        return Score(float(target in answer if target else not answer))

    return SampleScorer("includes", f"answer contains the target, NFC{_case(spec)}", rule)


def regex(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """1 if what the pattern finds first (its group 1, if it has one) is the target.

    An answer in which the pattern finds nothing is wrong, never missing.
    """
    pattern = compiled(spec)

    def rule(sample: Sample, completion: Completion) -> Score:
        found = pattern.search(completion.text)
        if found is None:
            return Score(0.0, explanation="pattern not found")
        answer = found[1 if pattern.groups else 0] or ""
        same = normalise(answer, spec.ignore_case) == normalise(sample.target, spec.ignore_case)
        return Score(float(same), answer=answer)

    method = f"first match of /{pattern.pattern}/ equals the target, NFC{_case(spec)}"
    return SampleScorer("regex", method, rule)


def format_(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    r"""1 if the pattern is found in the answer.

    The pattern decides what that means: `\A...\Z` for the whole answer, `(?m)^...$` for a line,
    `(?s)` lets a dot match line ends, `(?i)` ignores case.
    """
    pattern = compiled(spec)

    def rule(sample: Sample, completion: Completion) -> Score:
        return Score(float(pattern.search(completion.text) is not None))

    return SampleScorer("format", f"answer matches /{pattern.pattern}/", rule)


def token_count(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """How many tokens the answer has; no score where nobody counted them (recorded answers)."""

    def rule(sample: Sample, completion: Completion) -> Score:
        if completion.completion_tokens is None:
            return Score(None, "skipped", explanation="tokens were not counted")
        return Score(float(completion.completion_tokens))

    method = "tokens of the answer, by the model's own tokenizer"
    return SampleScorer("token_count", method, rule, higher_is_better=False, scale=COUNT)


def compiled(spec: ScoreSpec) -> re.Pattern[str]:
    """The spec's pattern; raises HarnessError if there is none or it cannot be read."""
    if spec.pattern is None:
        raise HarnessError(f"metric '{spec.metric}' needs a 'pattern'")
    try:
        return re.compile(spec.pattern)
    except re.error as error:
        raise HarnessError(
            f"metric '{spec.metric}': pattern {spec.pattern!r} cannot be read: {error}"
        ) from None


def _case(spec: ScoreSpec) -> str:
    return ", case folded" if spec.ignore_case else ""
