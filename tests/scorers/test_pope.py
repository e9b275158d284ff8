import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import ScorerContext
from harness.scorers.classes import class_confusion
from harness.scorers.pope import PopeReport, pope_report, yes_or_no
from harness.scorers.registry import make_scorer

# by the rule of Li et al. 2023: evaluate.py in AoiDragon/POPE
READ = {
    "yes": "yes",
    "Yes, there is.": "yes",
    "No": "no",
    "No, there is no dog.": "no",
    "no.": "no",
    "There is not a dog.": "no",
    "There is a dog. It is not large.": "yes",
    "There is, no, a dog": "no",
    "Nothing": "yes",
    "NO": "yes",
    "There isn't a dog": "yes",
    "I do not know": "no",
    "No\nbecause": "no",
    ".No": "yes",
    "": None,
    " \n": None,
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_yes_or_no_is_read_by_the_authors_rule(text, expected):
    assert yes_or_no(text) == expected


@given(st.text())
def test_every_answer_with_a_character_is_yes_or_no(text):
    assert yes_or_no(text) in (("yes", "no") if text.strip() else (None,))


def scored(pairs):
    samples = [Sample(str(i), "q", label) for i, (label, _) in enumerate(pairs)]
    answers = [Completion(str(i), text) for i, (_, text) in enumerate(pairs)]
    scorer = make_scorer(ScoreSpec(metric="pope"), ScorerContext())
    return samples, scorer.score(samples, answers)


def test_an_empty_answer_is_wrong_and_neither_yes_nor_no():
    samples, scores = scored([("yes", ""), ("no", ""), ("yes", "yes"), ("no", "yes")])
    assert [one.value for one in scores] == [0.0, 0.0, 1.0, 0.0]
    assert (scores[0].answer, scores[0].explanation) == (None, "the answer is empty")
    assert pope_report(samples, scores) == PopeReport(4, 0, 0.25, 0.5, 0.5, 0.5, 0.5)


@given(
    st.lists(st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(["yes", "no"])), min_size=1)
)
def test_the_report_agrees_with_scikit_learn(pairs):
    samples, scores = scored(pairs)
    truth, said = zip(*pairs, strict=True)
    report = pope_report(samples, scores)
    assert report.accuracy == pytest.approx(accuracy_score(truth, said))
    assert report.yes_ratio == pytest.approx(said.count("yes") / len(said))
    for own, theirs in (
        (report.precision, precision_score),
        (report.recall, recall_score),
        (report.f1, f1_score),
    ):
        assert (own or 0.0) == pytest.approx(theirs(truth, said, pos_label="yes", zero_division=0))


@pytest.mark.parametrize("target", ["maybe", "", "Yes.", "n", "1", "x" * 1000])
def test_a_target_that_is_neither_is_an_error_of_its_sample(target):
    samples, scores = scored([(target, "yes"), (target, "no"), (target, ""), (" YES ", "yes")])
    assert [one.value for one in scores] == [None, None, None, 1.0]
    assert [one.status for one in scores] == ["error"] * 3 + ["ok"]
    assert scores[1].explanation == f"sample '1': the target is {target[:60]!r}, not yes or no"
    assert pope_report(samples, scores) == PopeReport(4 - 3, 3, 1.0, 1.0, 1.0, 1.0, 1.0)
    table = class_confusion("pope", samples, scores)
    assert (table.n, table.n_error, table.labels) == (1, 3, ("yes",))


def test_failures_are_in_no_number():
    samples, scores = scored([("yes", "yes"), ("no", "no")])
    report = pope_report(samples, [scores[0], Score(None, "error")])
    assert (report.n, report.n_error, report.accuracy) == (1, 1, 1.0)
    assert pope_report([], []) == PopeReport(0, 0, None, None, None, None, None)
