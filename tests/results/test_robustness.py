"""Ratios by hand, their intervals by simulation, classes one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Sample
from harness.results.robustness import (
    degradation,
    mean_of_sums,
    paired_ratio,
    robustness,
)
from harness.results.robustness_report import robustness_report
from harness.results.run import ScorerInfo
from harness.results.store import RunReader, read_run
from harness.results.within import measurements

CHOICE = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)


def sums(values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return np.column_stack([values, np.ones(len(values))])


def ratio(clean, degraded, clusters=None):
    return paired_ratio(sums(clean), sums(degraded), mean_of_sums, clusters)


def test_the_ratio_is_of_the_means_not_the_mean_of_ratios() -> None:
    found = ratio([1.0, 0.5, 0.1], [0.5, 0.3, 0.1])
    assert found.value == pytest.approx(0.9 / 1.6)
    assert found.interval.low <= found.value <= found.interval.high


def test_what_has_no_ratio_says_why() -> None:
    assert ratio([0.0, 0.0], [1.0, 0.0]).interval.method == "clean value not above 0"
    assert ratio([0.0, 0.0], [1.0, 0.0]).value is None
    assert ratio([], []).interval.method == "no samples"
    assert ratio([1.0], [0.5]).interval.method == "one sample"
    rare = ratio([1.0] + [0.0] * 5, [1.0] + [0.0] * 5)
    assert (rare.value, rare.interval.known) == (1.0, False)
    assert rare.interval.method == "clean value too near 0"
    with pytest.raises(ValueError, match="2 values against 1"):
        ratio([1.0, 1.0], [1.0])


def test_half_of_every_sample_has_no_spread() -> None:
    found = ratio([0.8, 0.4, 0.6], [0.4, 0.2, 0.3])
    assert found.value == pytest.approx(0.5)
    assert not found.interval.known


def test_pairing_makes_the_interval_narrow() -> None:
    rng = np.random.default_rng(1)
    clean = rng.uniform(0.2, 1.0, 60)
    degraded = clean * rng.uniform(0.7, 0.8, 60)
    near, far = ratio(clean, degraded), ratio(clean, rng.permutation(degraded))
    assert near.value == pytest.approx(far.value)
    width = near.interval.high - near.interval.low
    assert width < (far.interval.high - far.interval.low) / 3


def test_clips_of_one_video_are_no_independent_samples() -> None:
    clean = np.repeat([1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], 8)
    degraded = np.repeat([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 8)
    videos = [str(at // 8) for at in range(80)]
    alone, together = ratio(clean, degraded), ratio(clean, degraded, videos)
    assert together.value == alone.value == pytest.approx(5 / 8)
    assert together.interval.method == "paired bootstrap, 10 clusters"
    width = together.interval.high - together.interval.low
    assert width > 2 * (alone.interval.high - alone.interval.low)


def test_the_interval_covers_the_true_ratio() -> None:
    """True means .8 and .6 on 80 samples: the interval should miss in about one of twenty."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        clean = (rng.random(80) < 0.8).astype(float)
        degraded = clean * (rng.random(80) < 0.75)
        found = ratio(clean, degraded)
        hits += found.interval.low <= 0.75 <= found.interval.high
    assert 52 <= hits <= 60


@given(st.lists(st.tuples(st.floats(0.1, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_the_order_of_samples_does_not_change_the_ratio(pairs) -> None:
    clean, degraded = zip(*pairs, strict=True)
    there, back = ratio(clean, degraded), ratio(clean[::-1], degraded[::-1])
    assert there.value == pytest.approx(back.value)
    if there.interval.known:
        assert there.interval.low <= there.value <= there.interval.high


# --------------------------------------------------------------------------- stored runs


@pytest.fixture
def degraded(store, cell) -> RunReader:
    """Clean, blurred a little and a lot; squats suffer, lunges do not."""
    samples = [
        Sample(f"s{at}", "?", "yes", row={"exercise": "squats" if at < 12 else "lunges"})
        for at in range(24)
    ]
    clean = [1.0] * 10 + [0.0] * 2 + [1.0] * 9 + [0.0] * 3
    some = [1.0] * 5 + [0.0] * 7 + [1.0] * 9 + [0.0] * 3

    def of(variant: str, values: list[float]):
        infos = {"choice": CHOICE, "tokens": ScorerInfo("tokens", neutral=True)}
        both = {"choice": values, "tokens": values}
        return cell(task="physio", variant=variant, values=both, infos=infos, samples=samples)

    return read_run(
        store(
            of("fps=1,degrade=none", clean),
            of("fps=1,degrade=blur:10", [0.0] * 24),
            of("fps=1,degrade=blur:2", some),
            of("fps=6,degrade=blur:2", some),
        )
    )


def test_each_kind_and_level_is_held_against_clean(degraded: RunReader) -> None:
    found = robustness(degraded, measurements(degraded, degraded.manifest.cells))
    told = [(one.settings, one.how, one.clean.info.name) for one in found]
    assert told == [("fps=1", "blur:2", "choice"), ("fps=1", "blur:10", "choice")]
    little, much = (one.ratio for one in found)
    assert little.value == pytest.approx(14 / 19)
    assert (much.value, much.interval.known) == (0.0, False)
    assert found[0].comparison.difference.value == pytest.approx(-5 / 24)
    assert found[0].by_class["squats"].value == pytest.approx(0.5)
    assert found[0].by_class["lunges"].value == 1.0


def test_the_report_has_a_table_of_kinds_and_one_of_classes(degraded: RunReader) -> None:
    report = robustness_report(degraded, measurements(degraded, degraded.manifest.cells))
    assert [table.title for table in report.tables] == [
        "physio [fps=1]: tiny, choice, degraded against clean",
        "physio [fps=1]: tiny, choice, degraded/clean by class",
    ]
    assert [row[0] for row in report.tables[0].rows] == ["blur:2", "blur:10"]
    assert report.tables[1].rows[0][:3] == ["lunges", "12", "1.000"]
    assert report.tables[1].rows[1][2].startswith("0.500 [")
    row = report.records["robustness"][0]
    assert (row["degrade"], row["n"], row["verdict"]) == ("blur:2", 24, "worse")
    assert len(report.records["robustness_by_class"]) == 4
    assert not any("no ratio" in note for note in report.notes)


def test_why_there_is_no_ratio_is_said(store, cell) -> None:
    levels = {"none": [0.0, 0.0], "blur:2": [0.0, 1.0]}
    cells = [cell("m", "c", f"degrade={kind}", {"choice": of}) for kind, of in levels.items()]
    run = read_run(store(*cells))
    report = robustness_report(run, measurements(run, run.manifest.cells))
    assert report.tables[0].rows[0][3] == "-"
    assert "-: no ratio, since the clean value is 0" in report.notes[1]


def test_a_run_without_clean_cells_says_so(store, cell) -> None:
    run = read_run(store(cell(variant="degrade=blur", values={"choice": [1.0, 0.0]})))
    report = robustness_report(run, measurements(run, run.manifest.cells))
    assert list(report.tables) == []
    assert "has a clean one" in report.notes[0]
    assert degradation(run.manifest.cells[0]) == "blur"


def test_kinds_keep_the_order_of_the_run(store, cell) -> None:
    kinds = ("noise:2", "blur:9", "none", "blur:1")
    cells = [cell("m", "crime", f"degrade={kind}", {"choice": [1.0, 0.0]}) for kind in kinds]
    run = read_run(store(*cells))
    rows = robustness(run, measurements(run, run.manifest.cells))
    assert [row.how for row in rows] == ["noise:2", "blur:1", "blur:9"]
