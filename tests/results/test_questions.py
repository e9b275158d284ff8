"""Rotations of one question are one observation, wherever the metric is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.records import Sample, Score
from harness.results.corpus import aggregate_of
from harness.results.questions import questions
from harness.results.run import ScorerInfo
from harness.results.stats import wilson
from harness.results.store import read_run, write_run
from harness.results.within import measurements, paired

CIRCULAR = ScorerInfo("circular", aggregate="circular", kind="proportion", low=0.0, high=1.0)


def rows(count: int, each: int) -> list[Sample]:
    """``count`` questions in ``each`` rotations, as MMBench numbers them."""
    return [
        Sample(f"q{k * 1_000_000 + i}", f"Which {i}?", "A", ("x", "y"))
        for i in range(count)
        for k in range(each)
    ]


def scored(cell, right: list[bool], each: int, model: str = "tiny"):
    samples = rows(len(right), each)
    values = [float(one) for one in right for _ in range(each)]
    built = cell(
        model, values={"circular": values}, infos={"circular": CIRCULAR}, samples=samples
    ).build()
    scores = [Score(v, answer="A", detail=(v / each, 1 / each)) for v in values]
    return replace(built, scores={"circular": scores})


def test_rows_of_a_question_are_one_cluster_and_those_of_an_image_stay_so() -> None:
    found = questions([*rows(2, 2), Sample("z", "?", "A", ("x",), cluster="image 1")])
    assert len(found) == 4
    assert found["q0"] == found["q1000000"] != found["q1"]


def test_the_interval_counts_questions(tmp_path: Path, cell, make_run) -> None:
    right = [True] * 6 + [False] * 4
    run = read_run(write_run(tmp_path, make_run(scored(cell, right, 4))))
    (row,) = run.metrics()
    assert row.value == pytest.approx(0.6)
    assert (row.low, row.high) != (None, None)
    alone = wilson(6, 10)
    assert row.low == pytest.approx(alone.low, abs=0.08)
    assert row.high == pytest.approx(alone.high, abs=0.08)
    assert row.high - row.low > 0.45  # of 40 independent rows it would be 0.3


def test_questions_count_once_whatever_their_rows() -> None:
    import numpy as np

    # one right question of 4 rows, one wrong of 1 row
    sums = np.array([[4 * 0.25, 4 * 0.25], [0.0, 1.0]]).sum(axis=0, keepdims=True)
    assert aggregate_of("circular")(sums)[0] == 0.5


def test_stored_rows_are_paired_by_question(tmp_path: Path, cell, make_run) -> None:
    a = scored(cell, [False] * 8 + [True] * 2, 4, "a")
    b = scored(cell, [True] * 8 + [True] * 2, 4, "b")
    run = read_run(write_run(tmp_path, make_run(a, b)))
    first, second = measurements(run, run.manifest.cells)
    found = paired(run, first.cell, second.cell, first.info)
    assert found is not None
    assert found.difference.value == pytest.approx(0.8)
    assert found.difference.clusters == 10
