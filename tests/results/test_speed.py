"""Times by stage: statistics that agree with the textbook, and rows that say what they are of."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Completion, Score, Stages
from harness.results.run import CellResult, CompletionRow, Run, StageRow
from harness.results.speed import Timing, percentile, speeds, stage_rows, sweeps, total_of
from harness.results.store import RunReader, read_run, write_run
from tests.results.conftest import START, Cell

times = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


@given(times)
def test_mean_and_deviation_are_those_of_the_textbook(found: list[float]) -> None:
    timing = Timing.of(found)
    assert timing.n == len(found)
    assert timing.mean == pytest.approx(statistics.fmean(found))
    if len(found) == 1:
        assert timing.std is None
    else:
        assert timing.std == pytest.approx(statistics.stdev(found), rel=1e-6, abs=1e-6)


@given(times, st.sampled_from([50, 95, 99]))
def test_a_percentile_was_measured_and_has_so_many_at_or_below_it(
    found: list[float], percent: int
) -> None:
    value = percentile(sorted(found), percent)
    assert value in found
    assert 100 * sum(one <= value for one in found) >= percent * len(found)
    assert 100 * sum(one < value for one in found) < percent * len(found)


def test_nothing_measured_is_no_number() -> None:
    assert Timing.of([]) == Timing(0)


def done(total: float, stages: Stages | None = None, tokens: int = 5) -> Completion:
    return Completion(
        "", "x", prompt_tokens=40, completion_tokens=tokens, latency_ms=total, stages=stages
    )


def test_every_stage_that_took_time_has_a_row_and_the_whole_comes_last() -> None:
    seen = Stages(decode_ms=200, preprocess_ms=50, prefill_ms=20, generate_ms=80, frames=16)
    rows = stage_rows("c", [done(100, seen), done(100, replace(seen, decode_ms=400, frames=8))])
    assert [row.stage for row in rows] == ["decode", "preprocess", "prefill", "generate", "total"]
    decode, preprocess, prefill, generate, total = rows
    assert (decode.n, decode.mean, decode.std) == (2, 300, pytest.approx(141.42, abs=0.01))
    assert (decode.frames_per_s, preprocess.frames_per_s) == (24 / 0.6, 24 / 0.1)
    assert (decode.tokens_per_s, generate.frames_per_s) == (None, None)
    assert prefill.tokens_per_s == 80 / 0.04  # of the prompts
    assert generate.tokens_per_s == 8 / 0.16  # the first of each came with the prompt
    assert (total.tokens_per_s, total.frames_per_s) == (10 / 0.2, 24 / 0.2)


def test_answers_of_one_token_have_no_rate_of_generation() -> None:
    seen = Stages(prefill_ms=20, generate_ms=500)
    few = [done(520, seen, 1), done(520, seen, 1), done(520, seen, 2)]
    rates = {row.stage: row.tokens_per_s for row in stage_rows("c", few)}
    assert rates["generate"] is None  # one token in 1.5 s is nobody's speed
    assert rates["total"] == pytest.approx(4 / 1.56)


def test_generation_that_holds_the_prompt_counts_every_token() -> None:
    _, total = stage_rows("c", [done(100, Stages(generate_ms=100))])
    generate, _ = stage_rows("c", [done(100, Stages(generate_ms=100))])
    assert (generate.tokens_per_s, total.tokens_per_s) == (50, 50)
    assert total.frames_per_s is None


def test_failures_and_answers_without_a_time_are_not_measured() -> None:
    failed = Completion("", error="broken", finish_reason="error", latency_ms=5000)
    (total,) = stage_rows("c", [done(10), failed, Completion("", "recorded")])
    assert (total.n, total.mean, total.std) == (1, 10, None)
    (nothing,) = stage_rows("c", [failed])
    assert nothing == StageRow("c", "total", n=0)


def test_the_whole_answer_is_called_generate_in_old_runs() -> None:
    old, new = StageRow("c", "generate", 1.0), StageRow("c", "total", 3.0)
    assert total_of([StageRow("c", "decode"), old]) is old
    assert total_of([old, new]) is new
    assert total_of([StageRow("c", "decode")]) is None


def timed(cell: Cell, *latencies: float) -> CellResult:
    built = cell.build()
    rows = [
        CompletionRow(sample.id, 0, replace(done(ms), id=sample.id))
        for sample, ms in zip(built.samples, latencies, strict=True)
    ]
    scores = {name: [Score(1.0) for _ in rows] for name in built.scores}
    return replace(built, completions=rows, scores=scores)


def stored(root: Path, cells: list[CellResult], profile: list[StageRow]) -> RunReader:
    run = Run(cells, START, START, profile=profile)
    return read_run(write_run(root, run))


def test_an_old_run_has_its_mean_from_the_answers(tmp_path: Path) -> None:
    cell = timed(Cell(values={"f1": [1.0, 0.0]}), 10.0, 30.0)
    judge = StageRow(cell.cell_id, "judge strict", 9.0, 9.0, 9.0)
    run = stored(tmp_path, [cell], [StageRow(cell.cell_id, "generate", 10.0, 30.0, 30.0), judge])
    (found,) = speeds(run, run.manifest.cells)
    assert [row.stage for row in found.stages] == ["generate"]
    assert (found.total.n, found.total.mean, found.per_second) == (2, 20.0, 50.0)
    assert found.total.std == pytest.approx(14.14, abs=0.01)


def test_a_cell_that_was_not_timed_has_no_speed(tmp_path: Path) -> None:
    cell = Cell(values={"f1": [1.0, 0.0]}).build()
    run = stored(tmp_path, [cell], [StageRow(cell.cell_id, "total", n=0)])
    assert speeds(run, run.manifest.cells) == []


def test_a_sweep_holds_cells_that_differ_in_nothing_else(tmp_path: Path) -> None:
    names = ["batch_size=1,fps=1", "batch_size=2,fps=1", "batch_size=1,fps=6", "fps=3"]
    cells = [timed(Cell(variant=name, values={"f1": [1.0]}), 10.0) for name in names]
    rows = [
        row for c in cells for row in stage_rows(c.cell_id, [r.completion for r in c.completions])
    ]
    run = stored(tmp_path, cells, rows)
    found = speeds(run, run.manifest.cells)
    assert [[one.record.variant for one in group] for group in sweeps(found, "batch_size")] == [
        names[:2]
    ]
    both = list(sweeps(found, "batch_size", "fps"))
    assert [len(group) for group in both] == [4]
