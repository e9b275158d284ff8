import math
import random

import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample, Score
from harness.scorers.base import ScorerContext
from harness.scorers.choice import accuracy_by, confusion, per_class
from harness.scorers.registry import make_scorer

SAMPLE = Sample("1", "q", "B", choices=("cat", "dog", "cow"))


def score(sample, completion, output_type="generate"):
    scorer = make_scorer(ScoreSpec(metric="choice"), ScorerContext(output_type=output_type))
    return scorer.score([sample], [completion])[0]


def test_log_probabilities_decide_and_are_kept():
    found = score(SAMPLE, Completion("1", logprobs=(-3.0, -1.0, -2.0)), "choices")
    assert (found.value, found.answer, found.detail) == (1.0, "B", (-3.0, -1.0, -2.0))
    assert found.explanation is None


def test_a_tie_goes_to_the_first_and_is_noted():
    found = score(SAMPLE, Completion("1", logprobs=(-1.0, -1.0, -2.0)), "choices")
    assert (found.value, found.answer) == (0.0, "A")
    assert "tie" in found.explanation


def test_a_log_probability_that_is_no_number_is_an_error():
    found = score(SAMPLE, Completion("1", logprobs=(-1.0, math.nan, -2.0)), "choices")
    assert (found.value, found.status) == (None, "error")


def test_generated_text_is_read_and_unreadable_is_wrong():
    assert score(SAMPLE, Completion("1", "The answer is B.")).value == 1.0
    assert score(SAMPLE, Completion("1", "a dog")).answer == "B"
    unreadable = score(SAMPLE, Completion("1", "hm"))
    assert (unreadable.value, unreadable.status, unreadable.answer) == (0.0, "ok", None)


def test_a_sample_without_choices_is_the_users_mistake():
    with pytest.raises(HarnessError, match="sample '7' has no choices"):
        score(Sample("7", "q", "B"), Completion("7", "B"))


def test_classes_agree_with_scikit_learn():
    rng = random.Random(0)
    truth = [rng.choice("ABC") for _ in range(200)]
    said = [rng.choice([letter, letter, *"ABC"]) for letter in truth]
    samples = [Sample(str(i), "q", t, choices=("x", "y", "z")) for i, t in enumerate(truth)]
    scores = [Score(float(s == t), answer=s) for s, t in zip(said, truth, strict=True)]
    table = confusion(samples, scores)
    assert [row[:3] for row in table.counts] == [
        tuple(row) for row in confusion_matrix(truth, said, labels=["A", "B", "C"]).tolist()
    ]
    expected = precision_recall_fscore_support(truth, said, labels=["A", "B", "C"])
    for report, precision, recall, f1, n in zip(per_class(table), *expected, strict=True):
        assert report.n == n
        assert (report.precision, report.recall) == pytest.approx((precision, recall))
        assert report.f1 == pytest.approx(f1)


def test_confusion_by_text_counts_unreadable_and_failed_apart():
    samples = [
        Sample("1", "q", "A", choices=("fire", "theft")),
        Sample("2", "q", "A", choices=("theft", "fire")),
        Sample("3", "q", "B", choices=("theft", "fire")),
        Sample("4", "q", "A", choices=("theft", "fire")),
    ]
    scores = [
        Score(1.0, answer="A"),
        Score(0.0, answer="B"),
        Score(0.0, answer=None),
        Score(None, "error"),
    ]
    table = confusion(samples, scores, labels="text")
    assert table.labels == ("fire", "theft")
    assert table.counts == ((1, 0, 1), (1, 0, 0))
    assert (table.n, table.n_error) == (3, 1)
    fire, theft = per_class(table)
    assert (fire.precision, fire.recall, fire.f1) == (0.5, 0.5, 0.5)
    assert (theft.precision, theft.recall, theft.f1) == (None, 0.0, 0.0)
    assert fire.accuracy == pytest.approx(1 / 3)


def test_accuracy_by_a_column_of_the_rows():
    samples = [Sample(str(i), "q", "A", row={"field": field}) for i, field in enumerate("xxy")]
    scores = [Score(1.0), Score(0.0), Score(None, "error")]
    assert accuracy_by(samples, scores, "field") == {"x": (2, 0.5)}


def test_choice_norm_divides_by_the_length_of_the_choice() -> None:
    """The long choice is less probable as a whole and more probable a character."""
    sample = Sample("q", "?", "B", choices=("no", "certainly not"))
    done = Completion("q", finish_reason="scored", logprobs=(-4.0, -6.5), logprob_tokens=(1, 3))
    plain = make_scorer(ScoreSpec(metric="choice"), ScorerContext(output_type="choices"))
    norm = make_scorer(ScoreSpec(metric="choice_norm"), ScorerContext(output_type="choices"))
    assert plain.score([sample], [done])[0].answer == "A"
    (score,) = norm.score([sample], [done])
    assert (score.answer, score.value) == ("B", 1.0)
    assert score.detail == (-2.0, -0.5)
