from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.records import Completion, Sample, Score
from harness.results.metrics import cell_metrics
from harness.results.run import CellResult, CompletionRow, ScorerInfo


def test_failed_samples_are_counted_and_stand_in_no_mean(cell) -> None:
    (row,) = cell_metrics(cell(values={"exact_match": [1.0, 0.0, None, 1.0, None]}).build())
    assert row.value == pytest.approx(2 / 3)
    assert (row.n, row.n_error, row.n_skipped) == (3, 2, 0)
    assert row.low < row.value < row.high


def test_skipped_and_truncated_are_told_apart(cell) -> None:
    built = cell(values={"f1": [0.5, 0.7, 0.9]}).build()
    completions = list(built.completions)
    skipped = Completion("q0", finish_reason="skipped", error="too long")
    completions[0] = CompletionRow("q0", 0, skipped)
    completions[1] = CompletionRow("q1", 0, Completion("q1", "x", truncated="left"))
    scores = [Score.of_failure(skipped), *built.scores["f1"][1:]]
    (row,) = cell_metrics(replace(built, completions=completions, scores={"f1": scores}))
    assert (row.n, row.n_error, row.n_skipped, row.n_truncated) == (2, 0, 1, 1)
    assert row.value == pytest.approx(0.8)


def epochs_cell(values: list[list[float | None]]) -> CellResult:
    """One inner list a sample, one value an epoch."""
    samples = [Sample(f"q{i}", "", "") for i in range(len(values))]
    flat = [(f"q{i}", e, value) for i, row in enumerate(values) for e, value in enumerate(row)]
    rows = [CompletionRow(sample, e, Completion(f"{sample}/{e}")) for sample, e, _ in flat]
    scores = [Score(v) if v is not None else Score(None, "error") for *_, v in flat]
    info = ScorerInfo("f1")
    return CellResult("c", "h", "t", "th", 1, "m", "", samples, rows, {"f1": scores}, [info])


def test_epochs_are_averaged_before_samples_are_counted() -> None:
    (row,) = cell_metrics(epochs_cell([[1, 0], [1, 1], [0, 0], [1, 0]]))
    assert (row.n, row.value) == (4, 0.5)
    assert row.method == "t"  # halves are no yes-or-no values


def test_the_same_answers_in_more_epochs_are_the_same_bleu() -> None:
    found = set()
    for epochs in (1, 3, 10):
        samples = [Sample("a", "", ""), Sample("b", "", "")]
        rows = [CompletionRow(s.id, e, Completion(s.id)) for s in samples for e in range(epochs)]
        # no match of order 4: the score hangs on the smoothing
        details = {"a": (9, 8, 5, 2, 0, 0, 9, 8, 7, 6), "b": (7, 9, 4, 2, 1, 0, 7, 6, 5, 4)}
        scores = [Score(1.0, detail=tuple(map(float, details[row.sample]))) for row in rows]
        info = ScorerInfo("bleu", aggregate="bleu", kind="number")
        cell = CellResult("c", "h", "t", "th", 1, "m", "", samples, rows, {"bleu": scores}, [info])
        found.add(cell_metrics(cell)[0].value)
    assert len(found) == 1


def test_a_sample_with_a_failed_epoch_is_failed() -> None:
    (row,) = cell_metrics(epochs_cell([[1, None], [0.2, 0.6]]))
    assert (row.n, row.n_error, row.value) == (1, 1, pytest.approx(0.4))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_an_error(cell, odd: float) -> None:
    (row,) = cell_metrics(cell(values={"f1": [0.5, odd, 0.7]}).build())
    assert (row.n, row.n_error, row.value) == (2, 1, pytest.approx(0.6))


def test_nothing_scored_has_no_value(cell) -> None:
    (row,) = cell_metrics(cell(values={"f1": [None, None]}).build())
    assert (row.value, row.low, row.high, row.control, row.n) == (None, None, None, None, 0)
    assert row.method == "no samples"


def test_control_is_the_mean_of_the_controls(cell) -> None:
    built = cell(values={"rouge_l": [0.5, None, 0.7]}, controls={"rouge_l": [0.1, 0.9, 0.3]})
    (row,) = cell_metrics(built.build())
    assert row.control == pytest.approx(0.2)


def test_a_corpus_metric_is_computed_from_sums(cell) -> None:
    built = cell(values={"perplexity": [2.0, 3.0, None, 4.0]}).build()
    scores = [
        Score(9.0, detail=(4.0, 2.0)),
        Score(9.0, detail=(1.0, 8.0)),
        Score(None, "error"),
        Score(9.0, detail=(2.0, 4.0)),
    ]
    info = ScorerInfo("perplexity", aggregate="perplexity", higher_is_better=False)
    (row,) = cell_metrics(replace(built, scores={"perplexity": scores}, scorers=[info]))
    assert row.value == pytest.approx(math.exp(7 / 14))
    assert row.low <= row.value <= row.high
    assert (row.method, row.higher_is_better) == ("bootstrap", False)


def test_details_of_a_plain_metric_may_differ_in_length(cell) -> None:
    built = cell(values={"choice": [1.0, 0.0]}).build()
    scores = [Score(1.0, detail=(-1.0, -2.0)), Score(0.0, detail=(-1.0, -2.0, -3.0))]
    (row,) = cell_metrics(replace(built, scores={"choice": scores}))
    assert row.value == 0.5


@pytest.mark.parametrize(
    ("values", "low", "high", "expected"),
    [
        ([0.05, 0.67], 0.0, 1.0, (0.0, 1.0)),  # meteor of two samples
        ([41.0, 56.0], 0.0, None, (0.0, None)),  # tokens
        ([-0.9, 0.8], -1.0, 1.0, (-1.0, 1.0)),  # cosines
    ],
)
def test_an_interval_holds_nothing_impossible(cell, values, low, high, expected) -> None:
    infos = {"m": ScorerInfo("m", kind="number", low=low, high=high)}
    (row,) = cell_metrics(cell(values={"m": values}, infos=infos).build())
    assert row.low == expected[0]
    assert row.high > row.value if expected[1] is None else row.high == expected[1]


@pytest.mark.parametrize(
    ("values", "method"),
    [([1.0, 0.0, 1.0, 1.0], "t"), ([1.0] * 8, "degenerate: no spread"), ([1.0], "one sample")],
)
def test_a_count_that_happens_to_be_0_or_1_is_no_proportion(cell, values, method) -> None:
    infos = {"count": ScorerInfo("count", kind="number", low=0.0, neutral=True)}
    (row,) = cell_metrics(cell(values={"count": values}, infos=infos).build())
    assert row.method == method


def test_a_proportion_keeps_its_interval_without_spread(cell) -> None:
    infos = {"match": ScorerInfo("match", kind="proportion", low=0.0, high=1.0)}
    (row,) = cell_metrics(cell(values={"match": [1.0] * 8}, infos=infos).build())
    assert (row.method, row.high) == ("wilson", 1.0)
    assert 0.6 < row.low < 0.7


def test_samples_of_one_video_widen_the_interval(cell) -> None:
    values = [1.0] * 10 + [0.0] * 10
    (alone,) = cell_metrics(cell(values={"choice": values}).build())
    videos = ["v1"] * 5 + ["v2"] * 5 + ["v3"] * 5 + ["v4"] * 5
    (grouped,) = cell_metrics(cell(values={"choice": values}, clusters=videos).build())
    assert grouped.method == "clustered t, 4 clusters"
    assert grouped.high - grouped.low > alone.high - alone.low
