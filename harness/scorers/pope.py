"""POPE: is such an object in the image, yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import ScorerContext
from harness.scorers.text import SampleScorer


def pope(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """1 if the yes or no that is read from the answer is the target; `Score.answer` is which.

    A target that is neither yes nor no is an error.

    `pope_report` gives precision, recall, F1 and the share of yes; confusion by
    `harness.scorers.classes`.
    """

    def rule(sample: Sample, completion: Completion) -> Score:
        label, answer = label_of(sample), yes_or_no(completion.text)
        if label is None:
            what = f"sample '{sample.id}': the target is {sample.target[:60]!r}, not yes or no"
            return Score(None, "error", explanation=what)
        if answer is None:
            return Score(0.0, explanation="the answer is empty")
        return Score(float(answer == label), answer=answer)

    method = "accuracy; no if the first sentence has the word No, no or not, else yes"
    return SampleScorer("pope", method, rule)


def yes_or_no(text: str) -> str | None:
    """What POPE's own rule reads (Li et al. 2023, `evaluate.py` of AoiDragon/POPE).

    Of the text up to the first point, without commas, the words No, no and not say "no"; all else
    is "yes", also "NO" and "isn't". Two things are otherwise here: any white space parts words,
    and an answer without a word says nothing.
    """
    words = text.partition(".")[0].replace(",", "").split()
    if not text.strip():
        return None
    return "no" if {"No", "no", "not"} & set(words) else "yes"


def label_of(sample: Sample) -> str | None:
    """The target as a label, "yes" or "no"; None if it is neither."""
    label = sample.target.strip().lower()
    return label if label in ("yes", "no") else None


@dataclass(frozen=True, slots=True)
class PopeReport:
    """POPE's five numbers, "yes" being what is to be found; None where the denominator is 0.

    An empty answer is wrong, and neither a yes nor a no. ``n_error`` samples have no score and are
    in none of the numbers.
    """

    n: int
    n_error: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    yes_ratio: float | None


def pope_report(samples: Sequence[Sample], scores: Sequence[Score]) -> PopeReport:
    """The numbers of scores of `pope`; `scores[i]` is of `samples[i]`."""
    pairs = [
        (label_of(sample), score.answer)
        for sample, score in zip(samples, scores, strict=True)
        if score.value is not None and label_of(sample) is not None
    ]
    n = len(pairs)
    hits = pairs.count(("yes", "yes"))
    said = sum(answer == "yes" for _, answer in pairs)
    there = sum(label == "yes" for label, _ in pairs)
    return PopeReport(
        n=n,
        n_error=len(scores) - n,
        accuracy=sum(label == answer for label, answer in pairs) / n if n else None,
        precision=hits / said if said else None,
        recall=hits / there if there else None,
        f1=2 * hits / (said + there) if said + there else None,
        yes_ratio=said / n if n else None,
    )
