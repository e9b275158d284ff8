"""Which of the known form errors an answer names, against those that a row lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import SHARE, ScorerContext, mean_of, sum_details
from harness.scorers.choice import ClassReport, Confusion, per_class
from harness.scorers.columns import demand, json_in, names_in, unusable
from harness.scorers.names import Names, spelt

COLUMN = "errors"
NONE = "(none)"
"""In the confusion table: no error was to be named, or none was named wrongly."""
_NOTHING = frozenset(("", "none", "no", "noerror", "noneobserved", "nothing", "correct"))
_BETWEEN = ", "  # a label has neither


class ErrorF1:
    """F1 of the set of errors in the answer against the column `errors`, sample by sample.

    1 if both sets are empty. An answer may be JSON (``{"errors": [...]}``, ``{"errors":
    {"knee_valgus": true}}``, or a list), in which a name that no sample has is a wrong one; or
    text, in which names are found as harness/scorers/names.py says, and only those that some
    sample of the task has: ask for JSON where invented errors matter. An empty answer is wrong.

    ``Score.answer`` lists the errors that were read. detail = (right, wrong, missed); `micro` and
    `error_report` make the corpus' precision, recall and F1 of it. The corpus value is the mean.
    """

    name = "error_f1"
    version = 1
    higher_is_better = True
    scale = SHARE
    method = "mean F1 of the named form errors against the column 'errors'; 1 if there are none"

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`. Raises HarnessError if no row has the column."""
        demand(self.name, samples, completions)
        names = vocabulary(samples)
        return [
            Score.of_failure(completion) if completion.failed else _score(sample, completion, names)
            for sample, completion in zip(samples, completions, strict=True)
        ]

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean of the samples' F1."""
        return mean_of(scores)


def error_f1(spec: ScoreSpec, context: ScorerContext) -> ErrorF1:
    """F1 of named form errors."""
    return ErrorF1()


def vocabulary(samples: Sequence[Sample]) -> Names:
    """The errors of all rows."""
    return Names(name for sample in samples for name in names_in(sample.row, COLUMN) or ())


def read_errors(text: str, names: Names) -> frozenset[str] | None:
    """Labels of the errors that an answer names; None if it is empty."""
    if not text.strip():
        return None
    told = _told(json_in(text))
    if told is None:
        return frozenset(one.label for one in names.mentions(text) if not one.denied)
    return frozenset(names.label(name) or spelt(name) for name in told) - {""}


def _told(value: object) -> list[str] | None:
    """The names in an answer's JSON; None if it does not speak of errors."""
    if isinstance(value, Mapping):
        if COLUMN not in value:
            return None
        value = value[COLUMN] if value[COLUMN] is not None else []
    if isinstance(value, Mapping):
        value = [name for name, there in value.items() if there not in (False, None, 0, "no")]
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return None
    named = [
        item.get("name", item.get("error")) if isinstance(item, dict) else item for item in value
    ]
    texts = [name for name in named if isinstance(name, str)]
    if value and not texts:
        return None  # a list of frame numbers, say
    return [name for name in texts if _squeezed(name) not in _NOTHING]


def _squeezed(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalpha()).removesuffix("s")


def _score(sample: Sample, completion: Completion, names: Names) -> Score:
    truth = truth_of(sample, names)
    if truth is None:
        return unusable(sample, COLUMN)
    found = read_errors(completion.text, names)
    if found is None:
        return Score(0.0, detail=(0.0, 0.0, float(len(truth))), explanation="the answer is empty")
    right, wrong, missed = len(truth & found), len(found - truth), len(truth - found)
    value = 2 * right / (2 * right + wrong + missed) if truth or found else 1.0
    detail = (float(right), float(wrong), float(missed))
    return Score(value, answer=_BETWEEN.join(sorted(found)), detail=detail)


def truth_of(sample: Sample, names: Names) -> frozenset[str] | None:
    """Labels of the errors that the row lists; None if it does not say, or no names."""
    listing = names_in(sample.row, COLUMN)
    if listing is None:
        return None
    labels = (names.label(name) for name in listing)
    return frozenset(label for label in labels if label is not None)


# --------------------------------------------------------------------------- report


@dataclass(frozen=True, slots=True)
class Rates:
    """Precision, recall and F1 of pooled counts; None where the denominator is 0."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Scores of `error_f1`, error by error.

    ``by_error``: each error against all samples; ``n`` is the samples that have it. ``table``:
    rows what was there, columns what was named, NONE among both: an error that was missed stands in
    the column of every error wrongly named for the same sample, or in NONE's if there is none; an
    error wrongly named where nothing was missed stands in the row of NONE. The last column counts
    errors of samples with an empty answer.
    """

    n: int
    n_error: int
    micro: Rates
    macro_f1: float | None
    by_error: tuple[ClassReport, ...]
    table: Confusion


def micro(scores: Sequence[Score]) -> Rates:
    """Precision, recall and F1 of all named errors together, from the details."""
    right, wrong, missed = sum_details(scores) or (0.0, 0.0, 0.0)
    return Rates(
        precision=right / (right + wrong) if right + wrong else None,
        recall=right / (right + missed) if right + missed else None,
        f1=2 * right / (2 * right + wrong + missed) if right + wrong + missed else None,
    )


def error_report(samples: Sequence[Sample], scores: Sequence[Score]) -> ErrorReport:
    """What the errors of a cell come to; `samples` with their rows, all of the cell."""
    names = vocabulary(samples)
    pairs = []
    for sample, score in zip(samples, scores, strict=True):
        truth = truth_of(sample, names)
        if score.value is not None and truth is not None:
            pairs.append((truth, _answered(score)))
    named = {label for _, found in pairs for label in found or ()}
    labels = sorted({*names.labels, *named})
    by_error = tuple(_one(label, pairs) for label in labels)
    f1s = [one.f1 for one in by_error if one.f1 is not None]
    return ErrorReport(
        n=len(pairs),
        n_error=len(scores) - len(pairs),
        micro=micro(scores),
        macro_f1=sum(f1s) / len(f1s) if f1s else None,
        by_error=by_error,
        table=_table(labels, pairs, len(scores) - len(pairs)),
    )


Pair = tuple[frozenset[str], frozenset[str] | None]


def _answered(score: Score) -> frozenset[str] | None:
    if score.answer is None:
        return None
    return frozenset(filter(None, score.answer.split(_BETWEEN)))


def _one(label: str, pairs: Sequence[Pair]) -> ClassReport:
    """An error as a class of two: there or not; an empty answer names nothing."""
    cells = Counter((label in truth, label in (found or ())) for truth, found in pairs)
    yes, no = (
        (cells[True, True], cells[True, False], 0),
        (cells[False, True], cells[False, False], 0),
    )
    report = per_class(Confusion((label, NONE), (yes, no), 0))[0]
    return report


def _table(labels: Sequence[str], pairs: Sequence[Pair], n_error: int) -> Confusion:
    cells: Counter[tuple[str, str]] = Counter()
    for truth, found in pairs:
        if found is None:
            cells.update((label, "") for label in truth or {NONE})
            continue
        wrong, missed = found - truth, truth - found
        cells.update((label, label) for label in truth & found)
        cells.update((one, other) for one in missed or {NONE} for other in wrong)
        cells.update((one, NONE) for one in missed if not wrong)
        if not truth and not found:
            cells[NONE, NONE] += 1
    rows, columns = (*labels, NONE), (*labels, NONE, "")
    return Confusion(
        rows, tuple(tuple(cells[row, col] for col in columns) for row in rows), n_error
    )
