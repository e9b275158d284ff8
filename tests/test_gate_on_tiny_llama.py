"""A gate on a real model that answers at random: itself against itself, again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.collect.gate_spec import GateSpec
from harness.results.evidence import Trial
from harness.results.gate import GateQuestion, rule, trials_of
from harness.results.metrics import SampleScores
from harness.results.pairs import Metric, Side
from harness.results.store import read_run, whole_runs

RUNS, ROUNDS = 6, 200
TASK = "ai_research_qa"
LINES = [
    GateSpec(metric="rouge_l", max_drop=0.05),
    GateSpec(metric="meteor", max_drop=0.05),
    GateSpec(metric="bleu", max_drop=1),
]


def test_an_identical_model_is_failed_less_than_once_in_twenty(
    project: object, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    """Six runs of tiny-llama that differ in their seed only.

    Of each sample, two runs drawn at random give an answer to candidate and baseline: whoever
    answered, it was the same model. Every such draw is one A/A comparison by the whole gate.
    """
    del project
    shape = ("--set", "generate.temperature=0.9", "--set", "generate.max_new_tokens=16")
    for seed in range(RUNS):
        words = ("run", TASK, "-m", "tiny-llama", "--limit", "20", "--seed", str(seed), *shape)
        code, _, err = invoke(*words)
        assert code == 0, err
    sides = [Side(read_run(path), "tiny-llama") for path in whole_runs(Path("runs"))]
    assert len(sides) == RUNS
    answers = [trials_of(GateQuestion(side, {TASK: LINES}, {TASK: sides[0]})) for side in sides]
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(ROUNDS):
        failed += any(one.outcome == "FAIL" for one in rule(_weighed(answers, rng)))
    assert failed / ROUNDS <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / ROUNDS)


def _weighed(answers: list[list[Trial]], rng: np.random.Generator) -> list:
    """The evidence of every line on answers drawn from two runs, the same for all metrics."""
    first = answers[0][0].metric
    assert first is not None
    seats = np.array([rng.permutation(RUNS)[:2] for _ in first.ids])
    return [
        replace(trials[0], metric=_drawn([t.metric for t in trials], seats), same=False).weigh()
        for trials in zip(*answers, strict=True)
    ]


def _drawn(metrics: list[Metric | None], seats: np.ndarray) -> Metric:
    known = [one for one in metrics if one is not None]
    a, b = (_mixed([one.b for one in known], seats[:, side]) for side in (0, 1))
    assert bool((a.value != b.value).any())  # the answers do differ
    return replace(known[0], a=a, b=b)


def _mixed(runs: list[SampleScores], seats: np.ndarray) -> SampleScores:
    at = np.arange(len(seats))
    parts = [np.stack([getattr(one, name) for one in runs])[seats, at] for name in PARTS]
    return SampleScores(runs[0].ids, *parts)


PARTS = ("value", "control", "detail", "status")
