"""A gate on a real model that answers at random: itself against itself, again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.collect.gate_spec import GateSpec
from harness.results.evidence import Trial
from harness.results.gate import GateQuestion, rule, trials_of
from harness.results.metrics import SampleScores
from harness.results.pairs import Metric, Side
from harness.results.store import read_run, whole_runs

if TYPE_CHECKING:
    from conftest import UserProject

ROOT = Path(__file__).resolve().parent.parent

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


SHORT = ("--set", "generate.max_new_tokens=48")


def add_recipe(project: UserProject, name: str, steps: int) -> None:
    """The recipe of vad-tiny, ended after so many steps."""
    text = (ROOT / "finetune/vad-tiny.recipe.yaml").read_text(encoding="utf-8")
    text = text.replace("vad-tiny", name).replace("train:\n", f"train:\n  max_steps: {steps}\n")
    project.write(f"finetune/{name}.recipe.yaml", text)


def test_an_undertrained_lora_fails_and_the_trained_one_passes_against_itself(
    project: UserProject,
) -> None:
    """By the real command, as a CI would: exit codes and one line a metric."""
    project.write("pyproject.toml", "[tool.harness]\n")
    for name, steps in (("trained", 30), ("undertrained", 1)):
        add_recipe(project, name, steps)
        done = project.harness("finetune", name)
        assert done.returncode == 0, done.stderr
    done = project.harness("run", "vad_approach", "-m", "trained,undertrained", *SHORT)
    assert done.returncode == 0, done.stderr
    assert project.harness("baseline", "set", "latest:trained").returncode == 0
    done = project.harness("gate", "latest:undertrained")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "  FAIL          rouge_l: max_drop 0.02" in done.stdout
    assert "it is worse (p " in done.stdout
    done = project.harness("gate", "latest:trained")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  PASS  ") == 2
    assert "every answer is the baseline's own" in done.stdout


def test_twelve_samples_of_a_model_that_answers_at_random_decide_nothing(
    project: UserProject,
) -> None:
    project.write("pyproject.toml", "[tool.harness]\n")
    asked = ("run", "vad_approach", "-m", "tiny-llama", "--limit", "12", *SHORT)
    for seed in ("1", "2"):
        words = (*asked, "--set", "generate.temperature=0.8", "--seed", seed)
        done = project.harness(*words)
        assert done.returncode == 0, done.stderr
    first, second = sorted(path.name for path in (project.root / "runs").iterdir())
    done = project.harness("gate", f"{second}:tiny-llama", "--baseline", f"{first}:tiny-llama")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("  INCONCLUSIVE")]
    assert len(lines) == 2, done.stdout
    assert all("needs about" in line and "has 12" in line for line in lines)
