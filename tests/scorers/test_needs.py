import pytest

from harness.records import Sample
from harness.scorers.columns import NEEDED
from harness.scorers.needs import fault
from harness.scorers.registry import SCORERS


def samples(*rows, **fields):
    return [Sample(str(n), "q", **{"target": "", **fields}, row=row) for n, row in enumerate(rows)]


@pytest.mark.parametrize("metric", NEEDED)
def test_a_metric_needs_one_of_its_columns_in_one_of_the_rows_that_are_asked(metric):
    assert metric in SCORERS
    for column in NEEDED[metric]:
        assert fault(metric, samples({}, {column: "x"})) is None
        assert fault(metric, samples({}, {column: []})) is None
        assert f"'{column}'" in fault(metric, samples({}, {column: "x"}), asked=1)
        assert f"'{column}'" in fault(metric, samples({column: None}, {column: " "}))


def test_a_near_name_is_offered():
    assert fault("exercise_identification", samples({"excercise": "squats", "x": 1})) == (
        "metric 'exercise_identification' needs the column 'exercise', which no row has "
        "(did you mean 'excercise'?)"
    )
    assert "\x1b" not in fault("error_f1", samples({"errors\x1b": 1}))


@pytest.mark.parametrize("metric", ["choice", "choice_norm", "circular"])
def test_choices_are_needed_in_every_row(metric):
    bare = samples({"circular": 1}, {"circular": 1}, target="A")
    assert fault(metric, bare) == f"metric '{metric}' needs choices, and sample '0' has none"
    assert (
        fault(metric, samples({"circular": 1}, {"circular": 1}, target="A", choices=("x", "y")))
        is None
    )


def test_pope_needs_a_yes_or_a_no():
    assert fault("pope", samples({}, target="maybe")) is not None
    assert fault("pope", [*samples({}, target="maybe"), *samples({}, target=" No")]) is None


def test_other_metrics_need_no_column():
    assert [metric for metric in SCORERS if fault(metric, samples({}, target="yes"))] == [
        "choice",
        "choice_norm",
        "circular",
        *NEEDED,
    ]
    assert fault("error_f1", []) is None
