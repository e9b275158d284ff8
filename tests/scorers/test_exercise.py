import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.classes import class_confusion
from harness.scorers.registry import make_scorer

EXERCISES = ["squats", "jump squats", "push_ups", "lunges"]


def run(pairs):
    samples = [Sample(str(i), "q", "", row={"exercise": own}) for i, (own, _) in enumerate(pairs)]
    samples += [Sample(name, "q", "", row={"exercise": name}) for name in EXERCISES]
    answers = [Completion(str(i), text) for i, (_, text) in enumerate(pairs)]
    answers += [Completion(name, finish_reason="error", error="boom") for name in EXERCISES]
    scorer = make_scorer(ScoreSpec(metric="exercise_identification"), ScorerContext())
    return samples, scorer.score(samples, answers)


READ = {
    "The person does a squat.": "squats",
    "squatting": "squats",
    "Jump squats with good height": "jump_squats",
    "Nice push-up!": "push_ups",
    "pushups": "push_ups",
    "This is not a lunge but a squat.": "squats",
    "Squats. Unlike lunges, squats need both feet.": "squats",
    "Lunges or squats": "lunges",
    '{"exercise": "Push up", "feedback": "no squats, squats, squats"}': "push_ups",
    "a plank": None,
    "": None,
}


@pytest.mark.parametrize(("text", "label"), READ.items())
def test_the_exercise_named_most_often_is_read(text, label):
    found = run([("squats", text)])[1][0]
    assert found.answer == label
    assert found.value == float(label == "squats")
    assert found.status == "ok"


def test_confusion_by_exercise():
    samples, scores = run(
        [("squats", "squat"), ("Squat", "lunge"), ("push-up", "pushups"), ("lunges", "hm")]
    )
    table = class_confusion("exercise_identification", samples, scores)
    assert table.labels == ("jump_squats", "lunges", "push_up", "squat")
    assert table.counts == ((0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 1, 0, 0), (0, 1, 0, 1, 0))
    assert (table.n, table.n_error) == (4, 4)


def test_rows_without_the_column():
    scorer = make_scorer(ScoreSpec(metric="exercise_identification"), ScorerContext())
    bare = Sample("1", "q", "")
    with pytest.raises(HarnessError, match="needs the column 'exercise'"):
        scorer.score([bare], [Completion("1", "squat")])
    full = Sample("2", "q", "", row={"exercise": "squats"})
    scores = scorer.score([bare, full], [Completion("1", "squat"), Completion("2", "squat")])
    assert [one.value for one in scores] == [None, 1.0]


@pytest.mark.parametrize("value", [5, ["a"], "", " ", "?", '["squats"]', {"a": 1}], ids=repr)
def test_a_column_that_is_no_name_is_an_error_of_its_sample(value):
    samples, scores = run([(value, "5 squats, a"), ("squats", "squats")])
    assert [(one.value, one.status) for one in scores[:2]] == [(None, "error"), (1.0, "ok")]
    blank = isinstance(value, str) and not value.strip()
    what = "sample '0' has no 'exercise' in its row"
    named = f"sample '0': 'exercise' is {value!r}, and should be a name"
    assert scores[0].explanation == (what if blank else named)
    table = class_confusion("exercise_identification", samples, scores)
    assert (table.n, table.counts[-1][-2]) == (1, 1)


@given(st.text(max_size=60), st.sampled_from(EXERCISES))
def test_any_answer_has_a_value(text, own):
    found = run([(own, text)])[1][0]
    assert found.value in (0.0, 1.0)
