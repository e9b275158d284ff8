import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.form_errors import NONE, Rates, error_report, micro
from harness.scorers.registry import make_scorer

KNOWN = ["knee_valgus", "forward_lean", "incomplete_range"]


def run(pairs):
    """Score (errors of the row, answer); one more sample has all the errors, and failed."""
    samples = [Sample(str(i), "q", "", row={"errors": own}) for i, (own, _) in enumerate(pairs)]
    samples.append(Sample("all", "q", "", row={"errors": KNOWN}))
    answers = [Completion(str(i), text) for i, (_, text) in enumerate(pairs)]
    answers.append(Completion("all", finish_reason="error", error="boom"))
    scorer = make_scorer(ScoreSpec(metric="error_f1"), ScorerContext())
    scores = scorer.score(samples, answers)
    return samples, scores, scorer.corpus(scores)


def one(errors, answer):
    return run([(errors, answer)])[1][0]


ANSWERS = {
    '{"errors": ["knee_valgus", "forward_lean"]}': "forward_lean, knee_valgus",
    'Sure:\n```json\n{"errors": ["Knee valgus"]}\n```': "knee_valgus",
    '["knee-valgus"]': "knee_valgus",
    '{"errors": [{"name": "knee valgus", "frame": 3}]}': "knee_valgus",
    '{"errors": {"knee_valgus": true, "forward_lean": false}}': "knee_valgus",
    '{"errors": "knee valgus, forward lean"}': "forward_lean, knee_valgus",
    '{"errors": []}': "",
    '{"errors": ["none"]}': "",
    '{"errors": ["no errors"]}': "",
    '{"errors": null}': "",
    '{"errors": ["elbow flare"]}': "elbow_flare",
    '{"feedback": "clear knee valgus"}': "knee_valgus",
    "[1] The knees valgus is clear, with a forward lean.": "forward_lean, knee_valgus",
    "knee_valgus, incomplete_range": "incomplete_range, knee_valgus",
    "No knee valgus; the forward-lean must go.": "forward_lean",
    "Well done!": "",
    "[" * 5000: "",
}


@pytest.mark.parametrize(("answer", "read"), ANSWERS.items())
def test_errors_are_read_from_json_and_from_text(answer, read):
    assert one(["knee_valgus"], answer).answer == read


def test_the_value_is_f1_of_the_two_sets():
    found = one(["knee_valgus", "forward_lean"], "knee valgus and incomplete range")
    assert found.detail == (1.0, 1.0, 1.0)
    assert found.value == 0.5
    assert one(["knee valgus"], '{"errors": ["knee_valgus", "elbow flare"]}').value == (
        pytest.approx(2 / 3)
    )


def test_nothing_to_name_and_nothing_named_is_right():
    assert one([], "Very good squat.").value == 1.0
    assert one([], "knee valgus").value == 0.0
    assert one(["knee_valgus"], "Very good squat.").value == 0.0


def test_an_empty_answer_is_wrong_even_if_there_is_nothing_to_name():
    found = one([], " \n")
    assert (found.value, found.status, found.answer) == (0.0, "ok", None)
    assert one(["knee_valgus"], "").detail == (0.0, 0.0, 1.0)


def test_rows_without_the_column():
    scorer = make_scorer(ScoreSpec(metric="error_f1"), ScorerContext())
    bare, full = Sample("1", "q", ""), Sample("2", "q", "", row={"errors": ["knee_valgus"]})
    with pytest.raises(HarnessError, match="needs the column 'errors', which no row has"):
        scorer.score([bare], [Completion("1", "x")])
    scores = scorer.score([bare, full], [Completion("1", "x"), Completion("2", "knee valgus")])
    assert [score.value for score in scores] == [None, 1.0]
    assert scores[0].explanation == "sample '1' has no 'errors' in its row"


@pytest.mark.parametrize("value", [5, [1, None], {"a": 1}, [["a"]], '{"a": 1}', "[a"], ids=repr)
def test_a_column_that_is_no_list_of_names_is_an_error_of_its_sample(value):
    samples, scores, mean = run([(value, "1"), (value, '{"errors": []}'), ([], "fine")])
    assert [score.status for score in scores] == ["error", "error", "ok", "error"]
    assert [score.value for score in scores] == [None, None, 1.0, None]
    what = f"sample '1': 'errors' is {value!r}, and should be a list of names"
    assert scores[1].explanation == what
    assert mean == 1.0
    report = error_report(samples, scores)
    assert (report.n, report.n_error) == (1, 3)
    assert {one.label for one in report.by_error} == set(KNOWN)


def test_a_long_value_is_shortened():
    shown = one([1] * 1000, "fine").explanation
    assert len(shown) < 120
    assert "..., and should be" in shown


def test_report_by_hand():
    samples, scores, mean = run(
        [
            (["knee_valgus"], "knee valgus"),
            (["knee_valgus", "forward_lean"], "knee valgus, incomplete range"),
            (["knee_valgus"], "fine"),
            ([], "forward lean"),
            ([], "fine"),
            (["forward_lean"], ""),
        ]
    )
    assert mean == pytest.approx((1 + 0.5 + 0 + 0 + 1 + 0) / 6)
    report = error_report(samples, scores)
    assert (report.n, report.n_error) == (6, 1)
    assert report.micro == micro(scores) == Rates(2 / 4, 2 / 5, 4 / 9)
    by = {one.label: one for one in report.by_error}
    assert (by["knee_valgus"].n, by["knee_valgus"].precision) == (3, 1.0)
    assert by["knee_valgus"].recall == pytest.approx(2 / 3)
    assert (by["forward_lean"].precision, by["forward_lean"].recall) == (0.0, 0.0)
    assert (by["incomplete_range"].n, by["incomplete_range"].recall) == (0, None)
    assert report.macro_f1 == pytest.approx((0.8 + 0 + 0) / 3)
    assert report.table.labels == ("forward_lean", "incomplete_range", "knee_valgus", NONE)
    assert report.table.counts == (
        (0, 1, 0, 0, 1),  # once taken for an incomplete range, once in an empty answer
        (0, 0, 0, 0, 0),
        (0, 0, 2, 1, 0),
        (1, 0, 0, 1, 0),
    )


def test_an_invented_error_has_a_row_of_its_own():
    samples, scores, _ = run([([], '{"errors": ["Elbow flare"]}')])
    report = error_report(samples, scores)
    assert {one.label for one in report.by_error} == {*KNOWN, "elbow_flare"}
    assert report.micro == Rates(0.0, None, 0.0)


SETS = st.sets(st.sampled_from(KNOWN))


@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=8))
def test_the_report_agrees_with_scikit_learn(pairs):
    samples, scores, _ = run(
        [(sorted(own), json.dumps({"errors": sorted(said)})) for own, said in pairs]
    )
    truth = [[int(name in own) for name in KNOWN] for own, _ in pairs]
    said = [[int(name in told) for name in KNOWN] for _, told in pairs]
    report = error_report(samples, scores)
    by = {one.label: one for one in report.by_error}
    expected = precision_recall_fscore_support(truth, said, zero_division=0)
    for name, precision, recall, f1, n in zip(KNOWN, *expected, strict=True):
        found = by[name]
        assert found.n == n
        assert (found.precision or 0.0, found.recall or 0.0) == pytest.approx((precision, recall))
        assert (found.f1 or 0.0) == pytest.approx(f1)
    pooled = f1_score(truth, said, average="micro", zero_division=0)
    assert (report.micro.f1 or 0.0) == pytest.approx(pooled)
    per_sample = f1_score(truth, said, average=None, zero_division=0)
    assert len(per_sample) == len(KNOWN)


@given(st.permutations(KNOWN), SETS)
def test_order_and_spelling_do_not_matter(said, own):
    as_json = one(sorted(own), json.dumps({"errors": said}))
    as_text = one(sorted(own), ", ".join(said).replace("_", " "))
    assert as_json.value == as_text.value
    assert as_json.answer == as_text.answer


@given(st.text(max_size=80), SETS)
def test_any_answer_has_a_value(text, own):
    found = one(sorted(own), text)
    assert found.status == "ok"
    assert 0.0 <= found.value <= 1.0
