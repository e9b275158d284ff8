"""Accuracy of GQA: exact match of short answers."""

from __future__ import annotations

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import ScorerContext
from harness.scorers.text import SampleScorer


def gqa_accuracy(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """1 if the answer is the target, in lower case and without points at the end.

    Hudson, Manning 2019: the authors' evaluation compares two strings, and public practice (the
    conversion script of LLaVA, which LLaMA-VID uses) takes points off the end and lowers the case
    before. Nothing else is done: articles, plurals and synonyms count, and an answer of a sentence
    is wrong, so the prompt must ask for a word or phrase.
    """

    def rule(sample: Sample, completion: Completion) -> Score:
        answer = normalise_gqa(completion.text)
        return Score(float(answer == normalise_gqa(sample.target)), answer=answer)

    method = "exact match, lower case, points at the end left out; a whole sentence is wrong"
    return SampleScorer("gqa_accuracy", method, rule)


def normalise_gqa(text: str) -> str:
    """The text as it is compared."""
    return text.strip().rstrip(".").strip().lower()
