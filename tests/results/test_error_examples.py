from __future__ import annotations

from harness.records import Sample, Score
from harness.results.answers import Answered
from harness.results.error_examples import drawn, example_report, verdict_of
from harness.results.run import ScorerInfo
from harness.results.store import read_run
from harness.results.within import first_metrics, measurements

SHARE = ScorerInfo("f1", kind="number", low=0.0, high=1.0)
CHOICE = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)


def rows(values: list[float | None]) -> list[Answered]:
    return [
        Answered(
            Sample(f"q{n}", f"Question {n}?", "yes"), 0, f"answer {n}",
            "broke" if value is None else None,
            Score(value, "error" if value is None else "ok"),
        )
        for n, value in enumerate(values)
    ]  # fmt: skip


def ids(found: list[Answered]) -> list[str]:
    return [row.sample.id for row in found]


def test_only_what_is_not_right_is_drawn_in_the_order_of_the_run() -> None:
    wrong = rows([1.0, 0.0, None, 1.0, 0.0])
    assert ids(drawn(wrong, CHOICE, 9)) == ["q1", "q2", "q4"]
    assert drawn(rows([1.0, 1.0]), CHOICE, 9) == []


def test_the_seed_draws_and_another_draws_others() -> None:
    many = rows([0.0] * 40)
    assert ids(drawn(many, CHOICE, 4)) == ids(drawn(many, CHOICE, 4))
    assert len({tuple(ids(drawn(many, CHOICE, 4, seed))) for seed in range(5)}) == 5


def test_models_are_shown_on_the_same_samples_where_both_err() -> None:
    first, second = drawn(rows([0.0] * 20), CHOICE, 3), drawn(rows([0.0] * 20), CHOICE, 3)
    assert ids(first) == ids(second)


def test_of_a_metric_without_a_bound_all_but_the_best_are_not_right() -> None:
    cost = ScorerInfo("perplexity", higher_is_better=False)
    assert ids(drawn(rows([3.0, 9.0, 4.0]), cost, 9)) == ["q1", "q2"]


def test_verdicts_are_yes_or_no_and_nothing_in_between() -> None:
    assert [verdict_of(row) for row in rows([0.0, 1.0, 0.5, None])] == ["no", "yes", "", "failed"]


def test_the_report_has_question_truth_prediction_verdict_and_score(store, cell) -> None:
    run = read_run(store(cell(values={"f1": [1.0, 0.25, None]}, infos={"f1": SHARE})))
    found = first_metrics(measurements(run, run.manifest.cells))
    report = example_report(run, found, 5)
    assert [row[0] for row in report.tables[0].rows] == ["q1", "q2"]
    assert report.tables[0].rows[0][1:] == [
        "Capital of land 1?", "City 1", "It is 0.25", "", "0.250",
    ]  # fmt: skip
    assert report.tables[0].rows[1][3:] == ["no answer", "failed", "-"]
    assert "seed 0" in report.notes[0]
