"""Multiple choice: accuracy, confusion, and precision and recall of each class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Literal

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import LETTERS, Completion, Sample, Score
from harness.scorers.base import ScorerContext
from harness.scorers.letters import Answer, find_choice
from harness.scorers.text import SampleScorer

UNREADABLE = "(unreadable)"
Labels = Literal["letter", "text"]


def choice(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """1 if the chosen letter is the target; `Score.answer` is the letter.

    With log-probabilities the choice with the highest sum is chosen, and detail holds the sum of
    each choice. Of generated text the letter is read by `find_choice`; an unreadable answer is
    wrong, never missing.
    """
    if context.output_type == "choices":
        method = "accuracy, choice with the highest summed log-probability"
        return SampleScorer("choice", method, choice_score)
    what = {"letter": "letter", "text": "words of the choice", None: "letter or choice"}
    method = f"accuracy, {what[context.answer]} read from the answer; unreadable is wrong"
    return SampleScorer("choice", method, partial(choice_score, answer=context.answer))


def choice_norm(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """As `choice`, with each sum divided by the choice's number of characters.

    What lm-eval calls acc_norm: without it a long choice is at a disadvantage for its length.
    """
    method = "accuracy, choice with the highest log-probability a character"
    return SampleScorer("choice_norm", method, choice_norm_score)


def choice_norm_score(sample: Sample, completion: Completion) -> Score:
    """The rule of `choice_norm`; detail holds the normalised log-probabilities."""
    lengths = [max(len(text), 1) for text in sample.choices]
    if len(lengths) != len(completion.logprobs):
        return _by_logprobs(sample, completion.logprobs)
    pairs = zip(completion.logprobs, lengths, strict=True)
    return _by_logprobs(sample, tuple(value / length for value, length in pairs))


def choice_score(sample: Sample, completion: Completion, answer: Answer | None = None) -> Score:
    """The rule of `choice`; raises HarnessError for a sample without choices."""
    if not sample.choices:
        raise HarnessError(f"sample {sample.id!r} has no choices, and metric 'choice' needs them")
    if completion.logprobs:
        return _by_logprobs(sample, completion.logprobs)
    letter = find_choice(completion.text, sample.choices, answer)
    if letter is None:
        return Score(0.0, explanation="no choice can be read from the answer")
    return Score(float(letter == _target(sample)), answer=letter)


def _by_logprobs(sample: Sample, logprobs: tuple[float, ...]) -> Score:
    if len(logprobs) != len(sample.choices):
        raise ValueError(
            f"sample {sample.id!r}: {len(logprobs)} log-probabilities "
            f"of {len(sample.choices)} choices"
        )
    if any(math.isnan(logprob) for logprob in logprobs):
        return Score(None, "error", explanation="log-probability of a choice is not a number")
    best = max(logprobs)
    letter = LETTERS[logprobs.index(best)]
    tied = logprobs.count(best) > 1
    return Score(
        float(letter == _target(sample)),
        answer=letter,
        detail=logprobs,
        explanation="tie, first of the best taken" if tied else None,
    )


def _target(sample: Sample) -> str:
    return sample.target.strip().upper()


@dataclass(frozen=True, slots=True)
class Confusion:
    """``counts[i][j]``: samples of class ``labels[i]`` answered with ``labels[j]``.

    The last column (one more than labels) counts unreadable answers. ``n_error`` samples have no
    score and are in no cell.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    n_error: int

    @property
    def n(self) -> int:
        """Samples in the table."""
        return sum(map(sum, self.counts))


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class against all others; None where the denominator is 0.

    ``accuracy`` is the share of all samples put on the right side of "this class or not",
    ``recall`` the share of the class that was recognised.
    """

    label: str
    n: int
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None


def confusion(
    samples: Sequence[Sample], scores: Sequence[Score], labels: Labels = "letter"
) -> Confusion:
    """Count scores of `choice`, by letter or by the text that the letter stands for.

    By text where the same choices stand in another order for every sample. Classes are sorted if
    they are letters, else in order of appearance among the choices.
    """
    classes: dict[str, None] = {}
    cells: Counter[tuple[str, str]] = Counter()
    n_error = 0
    for sample, score in zip(samples, scores, strict=True):
        names = sample.choices if labels == "text" else tuple(LETTERS[: len(sample.choices)])
        classes.update(dict.fromkeys(names))
        if score.value is None:
            n_error += 1
            continue
        answer = UNREADABLE if score.answer is None else names[LETTERS.index(score.answer)]
        cells[names[LETTERS.index(_target(sample))], answer] += 1
    found = tuple(sorted(classes)) if labels == "letter" else tuple(classes)
    columns = (*found, UNREADABLE)
    table = tuple(tuple(cells[row, column] for column in columns) for row in found)
    return Confusion(found, table, n_error)


def per_class(table: Confusion) -> tuple[ClassReport, ...]:
    """Accuracy, precision, recall and F1 of each class; an unreadable answer is a miss."""
    reports = []
    for index, label in enumerate(table.labels):
        hit = table.counts[index][index]
        actual = sum(table.counts[index])
        answered = sum(row[index] for row in table.counts)
        wrong = (actual - hit) + (answered - hit)
        reports.append(
            ClassReport(
                label,
                actual,
                accuracy=1 - wrong / table.n if table.n else 0.0,
                precision=hit / answered if answered else None,
                recall=hit / actual if actual else None,
                f1=2 * hit / (actual + answered) if actual + answered else None,
            )
        )
    return tuple(reports)


def accuracy_by(
    samples: Sequence[Sample], scores: Sequence[Score], column: str
) -> dict[str, tuple[int, float]]:
    """(n, mean) of the scores for each value of a column of the source rows.

    Samples without a score are left out; a row without the column falls under "".
    """
    groups: dict[str, list[float]] = {}
    for sample, score in zip(samples, scores, strict=True):
        if score.value is not None:
            groups.setdefault(str(sample.row.get(column, "")), []).append(score.value)
    return {label: (len(values), fmean(values)) for label, values in sorted(groups.items())}
