"""MMBench's circular protocol: a question counts if it is answered right in every order."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from functools import partial

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import PROPORTION, ScorerContext, sum_details
from harness.scorers.choice import choice_score
from harness.scorers.letters import Answer
from harness.scorers.text import SampleScorer

STRIDE = 1_000_000
"""Row k of a question has the question's index + k million (MMBench, Liu et al. 2023; its authors'
VLMEvalKit groups rows by the index modulo a million)."""
_NUMBER = re.compile(r"(.*?)(\d{1,18})", re.DOTALL)


class Circular:
    """1 for every row of a question all of whose rows are answered right, as `choice` reads them.

    The corpus value is the share of questions, not of rows: detail = (value / rows of the question,
    1 / rows of the question), and the value is the sums' ratio. Rows of one question have the same
    id but for millions, the same input and the same choices in another order; the column
    `circular`, where a row has one, names the question instead.

    A question with one row is right if that row is, and its score says so. One with a wrong row is
    wrong, whatever the others are; one with a failed row and none wrong has no score.
    """

    name = "circular"
    version = 1
    higher_is_better = True
    scale = PROPORTION
    method = "share of questions right in all their rotations (rows whose ids differ by millions)"

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`; `Score.answer` is the row's own letter."""
        read = partial(choice_score, answer=self.answer)
        rows = SampleScorer("circular", self.method, read).score(samples, completions)
        groups: dict[Hashable, list[int]] = defaultdict(list)
        seen: Counter[str] = Counter()
        for at, sample in enumerate(samples):
            groups[seen[sample.id], question_of(sample)].append(at)  # epochs stay apart
            seen[sample.id] += 1
        scores = list(rows)
        for places in groups.values():
            for at, score in zip(places, _together([rows[at] for at in places]), strict=True):
                scores[at] = score
        return scores

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """Share of the questions that are right."""
        sums = sum_details(scores)
        return None if sums is None else sums[0] / sums[1]


def circular(spec: ScoreSpec, context: ScorerContext) -> Circular:
    """The circular rule."""
    return Circular(context.answer)


def question_of(sample: Sample) -> Hashable:
    """What the rows of one question have in common."""
    named = sample.row.get("circular")
    if named is not None:
        return str(named)
    found = _NUMBER.fullmatch(sample.id)
    own = (found[1], int(found[2]) % STRIDE) if found else (sample.id, -1)
    return own, sample.input, frozenset(sample.choices)


def _together(rows: Sequence[Score]) -> list[Score]:
    """The scores of a question's rows, given those of each row alone."""
    wrong = any(row.value == 0.0 for row in rows)
    if not wrong and any(row.value is None for row in rows):
        what = "another row of the question has no score"
        return [
            row if row.value is None else Score(None, "error", answer=row.answer, explanation=what)
            for row in rows
        ]
    n = sum(row.value is not None for row in rows)
    value = float(not wrong)
    return [
        row
        if row.value is None
        else Score(
            value,
            answer=row.answer,
            detail=(value / n, 1 / n),
            explanation=_why(row, wrong, len(rows)),
        )
        for row in rows
    ]


def _why(row: Score, wrong: bool, rows: int) -> str | None:
    if rows == 1:
        return row.explanation or "asked in one order only"
    return "right, but not in every order" if wrong and row.value == 1.0 else row.explanation
