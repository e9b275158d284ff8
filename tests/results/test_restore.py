"""A stored run comes back as the records it was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.records import Score, Usage, Verdict
from harness.results.restore import restore
from harness.results.run import Run, StageRow, VerdictRow
from harness.results.store import read_run, write_run


def test_what_was_stored_comes_back(
    tmp_path: Path, cell: type, make_run: Callable[..., Run]
) -> None:
    said = Verdict(
        judge="strict",
        model="api",
        repeat=1,
        status="ok",
        criteria={"accuracy": 35.0, "clarity": 2.5},
        total=37.5,
        value=0.75,
        reasoning="Grüße 你好",
        raw='{"accuracy": 35}',
        mode="schema",
        flags=("weighted", "order_ba"),
        captured_mass=0.9,
        prompt_tokens=70,
        completion_tokens=30,
        usage=Usage(5, 6, 2, "served fp"),
        cost_usd=0.25,
        latency_ms=12.5,
        cached=True,
        key=bytes(range(32)),
    )
    failed = Verdict("strict", "api", 0, "error", error="cut off", raw="{")
    built = cell(values={"rouge_l": [0.25, None]}, controls={"rouge_l": [0.1, 0.0]}).build()
    scores = {"rouge_l": [Score(0.25, control=0.1, detail=(1.0, 2.0)), built.scores["rouge_l"][1]]}
    rows = [
        VerdictRow("q0", 0, 3, "hash of the template", said),
        VerdictRow("q1", 0, 3, "hash of the template", failed),
    ]
    built = replace(built, scores=scores, verdicts=rows)
    run = make_run(built)
    run = replace(run, profile=[StageRow(built.cell_id, "judge strict", 1.0, 2.0, 3.0)])
    back = restore(read_run(write_run(tmp_path, run)))
    (found,) = back.cells
    assert list(found.verdicts) == rows
    assert found.scores == scores
    assert list(found.samples) == list(built.samples)
    done = [row.completion for row in built.completions]
    assert [replace(row.completion, id="") for row in found.completions] == [
        replace(one, id="") for one in done
    ]
    assert (found.cell_id, found.cell_hash, found.scorers) == (
        built.cell_id,
        built.cell_hash,
        tuple(built.scorers),
    )
    assert (list(back.profile), list(back.models)) == (run.profile, run.models)
    assert (list(back.specs), back.settings, back.started) == (run.specs, run.settings, run.started)
