"""Metrics that ask one plain question of the answer's text: equal, contains, fits a pattern."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.collect.patterns import compile_pattern
from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample, Score
from harness.scorers.base import COUNT, PROPORTION, Scale, ScorerContext, mean_of

if TYPE_CHECKING:
    import regex as engine

Rule = Callable[[Sample, Completion], Score]
"""Raises TimeoutError, with one line for the user, if a sample takes too long to be scored."""


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
        return [self._score(*pair) for pair in zip(samples, completions, strict=True)]

    def _score(self, sample: Sample, completion: Completion) -> Score:
        if completion.failed:
            return Score.of_failure(completion)
        try:
            return self.rule(sample, completion)
        except TimeoutError as error:
            return Score(None, "error", explanation=str(error))

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

    An answer in which the pattern finds nothing is wrong, never missing; one that it is not done
    with in time has no score.
    """
    pattern = TimedPattern.of(spec, context)

    def rule(sample: Sample, completion: Completion) -> Score:
        found = pattern.search(sample, completion)
        if found is None:
            return Score(0.0, explanation="pattern not found")
        answer = found[1 if pattern.compiled.groups else 0] or ""
        same = normalise(answer, spec.ignore_case) == normalise(sample.target, spec.ignore_case)
        return Score(float(same), answer=answer)

    method = f"first match of /{spec.pattern}/ equals the target, NFC{_case(spec)}"
    return SampleScorer("regex", method, rule)


def format_(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    r"""1 if the pattern is found in the answer.

    The pattern decides what that means: `\A...\Z` for the whole answer, `(?m)^...$` for a line,
    `(?s)` lets a dot match line ends, `(?i)` ignores case.
    """
    pattern = TimedPattern.of(spec, context)

    def rule(sample: Sample, completion: Completion) -> Score:
        return Score(float(pattern.search(sample, completion) is not None))

    return SampleScorer("format", f"answer matches /{spec.pattern}/", rule)


def token_count(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """How many tokens the answer has; no score where nobody counted them (recorded answers)."""

    def rule(sample: Sample, completion: Completion) -> Score:
        if completion.completion_tokens is None:
            return Score(None, "skipped", explanation="tokens were not counted")
        return Score(float(completion.completion_tokens))

    method = "tokens of the answer, by the model's own tokenizer"
    return SampleScorer("token_count", method, rule, higher_is_better=False, scale=COUNT)


@dataclass(frozen=True, slots=True)
class TimedPattern:
    """A task's pattern, which gets so many seconds for an answer: some never come to an end."""

    metric: str
    text: str
    compiled: engine.Pattern[str]
    seconds: float

    @classmethod
    def of(cls, spec: ScoreSpec, context: ScorerContext) -> TimedPattern:
        """The spec's pattern; raises HarnessError if there is none or it cannot be read."""
        metric = spec.metric or ""
        if spec.pattern is None:
            raise HarnessError(f"metric '{metric}' needs a 'pattern'")
        try:
            compiled = compile_pattern(spec.pattern)
        except ValueError as error:
            what = f"pattern {spec.pattern!r} cannot be read: {error}"
            raise HarnessError(f"metric '{metric}': {what}") from None
        return cls(metric, spec.pattern, compiled, context.pattern_seconds)

    def search(self, sample: Sample, completion: Completion) -> engine.Match[str] | None:
        """The first match in the answer; raises TimeoutError with a line for the user."""
        try:
            return self.compiled.search(completion.text, timeout=self.seconds)
        except TimeoutError:
            what = f"no answer within {self.seconds:g} s: pattern {self.text!r}"
            raise TimeoutError(f"{self.metric}: {what} on sample '{sample.id}'") from None


def _case(spec: ScoreSpec) -> str:
    return ", case folded" if spec.ignore_case else ""
