"""Scores read from disk in arrays are those that walking over the rows gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.records import Completion, Score
from harness.results.aligned import align, read_clusters, read_scores, read_sides
from harness.results.metrics import ScoreColumns, by_sample
from harness.results.run import CompletionRow, ScorerInfo
from harness.results.store import read_run, write_run

MATCH = ScorerInfo("match")
PERPLEXITY = ScorerInfo("perplexity", aggregate="perplexity")

values = st.one_of(st.none(), st.floats(-5, 5), st.just(float("nan")))
rows = st.lists(
    st.tuples(st.sampled_from(["q2", "q10", "é", "a"]), values, st.booleans()), max_size=12
)


def scored(value: float | None, controlled: bool) -> Score:
    if value is None:
        return Score(None, "error", detail=(3.0, 1.0) if controlled else ())
    return Score(value, control=value / 2 if controlled else None, detail=(2.0, 1.0))


@given(rows)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_agrees_with_walking_over_the_rows(
    cell, make_run, drawn: list[tuple[str, float | None, bool]]
) -> None:
    scores = [scored(value, controlled) for _, value, controlled in drawn]
    done = [CompletionRow(name, i, Completion(name, "x")) for i, (name, _, _) in enumerate(drawn)]
    built = replace(
        cell(values={"match": [1.0]}).build(),
        completions=done,
        scores={"match": scores, "perplexity": scores},
        scorers=[MATCH, PERPLEXITY],
    )
    with tempfile.TemporaryDirectory() as folder:
        run = read_run(write_run(Path(folder), make_run(built)))
        found = read_scores(run, run.manifest.cells[0], [MATCH, PERPLEXITY])
    columns = ScoreColumns(
        [name for name, _, _ in drawn],
        [score.value for score in scores],
        [score.control for score in scores],
        [score.detail for score in scores],
        [score.status for score in scores],
    )
    for info in (MATCH, PERPLEXITY):
        told = replace(columns, detail=[] if info is MATCH else columns.detail)
        expected = by_sample(told)
        order = sorted(range(len(expected.ids)), key=lambda i: expected.ids[i])
        expected = expected.take(order)
        assert found[info.name].ids == expected.ids
        for part in ("value", "control", "detail", "status"):
            np.testing.assert_array_equal(
                getattr(found[info.name], part), getattr(expected, part), part
            )


def test_only_common_samples_stay_and_keep_their_clusters(store: Callable[..., Path], cell) -> None:
    run = read_run(
        store(
            cell("a", values={"m": [0.1, 0.2, 0.3]}, clusters=["x", "x", None]),
            cell("b", values={"m": [0.4, 0.5]}),
        )
    )
    sides = [(run, one) for one in run.manifest.cells]
    infos = [ScorerInfo("m")]
    (metric,) = align(sides[0], infos, read_sides(sides, infos))
    assert metric.ids == ["q0", "q1"]
    assert [list(one.value) for one in metric.sides] == [[0.1, 0.2], [0.4, 0.5]]
    assert metric.clusters == ["x", "x"]
    assert read_clusters(*sides[0], ["q2", "nobody"]) == [None, None]


def test_a_side_that_stands_twice_is_read_once(store: Callable[..., Path], cell) -> None:
    run = read_run(store(cell("a", values={"m": [0.1]})))
    side = (run, run.manifest.cells[0])
    first, second = read_sides([side, side], [ScorerInfo("m")])
    assert first is second
