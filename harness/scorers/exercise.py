"""Which exercise an answer says it saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import PROPORTION, ScorerContext, mean_of
from harness.scorers.columns import demand, is_name, json_in, unusable
from harness.scorers.names import Names

COLUMN = "exercise"


class ExerciseIdentification:
    """1 if the exercise read from the answer is that of the column `exercise`.

    Of the exercises of all samples, the one is read that the answer names most often, and the first
    of those named as often; what it denies ("not a lunge") does not count. In JSON with a key
    `exercise` only its value counts. Spellings are those of harness/scorers/names.py ("push-up",
    "pushups", "squatting"). An answer that names none is wrong. ``Score.answer`` is the exercise
    read, by its label; confusion by `harness.scorers.classes`.
    """

    name = "exercise_identification"
    version = 1
    higher_is_better = True
    scale = PROPORTION
    method = "the exercise named most often (first of equals) is the one of the column 'exercise'"

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`. Raises HarnessError if no row has the column."""
        demand(self.name, samples, completions)
        names, truths = exercises(samples), labels_of(samples)
        scores = []
        for sample, truth, completion in zip(samples, truths, completions, strict=True):
            if completion.failed:
                scores.append(Score.of_failure(completion))
            elif truth is None:
                scores.append(unusable(sample, COLUMN))
            else:
                found = read_exercise(completion.text, names)
                why = None if found else "no exercise of the data is named"
                scores.append(Score(float(found == truth), answer=found, explanation=why))
        return scores

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean."""
        return mean_of(scores)


def exercise_identification(spec: ScoreSpec, context: ScorerContext) -> ExerciseIdentification:
    """Whether the right exercise is named."""
    return ExerciseIdentification()


def exercises(samples: Sequence[Sample]) -> Names:
    """The exercises of all rows."""
    return Names((name for sample in samples if (name := _told(sample.row))), gerunds=True)


def labels_of(samples: Sequence[Sample]) -> list[str | None]:
    """The label of each sample's exercise; None for a row that names none."""
    names = exercises(samples)
    told = (_told(sample.row) for sample in samples)
    return [names.label(name) if name else None for name in told]


def read_exercise(text: str, names: Names) -> str | None:
    """The label of the exercise that an answer names, or None."""
    value = json_in(text)
    told = value.get(COLUMN) if isinstance(value, Mapping) else None
    if isinstance(told, str):
        text = told
    found = [one.label for one in names.mentions(text) if not one.denied]
    # of equal counts `most_common` has the one that was met first
    return Counter(found).most_common(1)[0][0] if found else None


def _told(row: Mapping[str, object]) -> str:
    value = row.get(COLUMN)
    return value if is_name(value) else ""
