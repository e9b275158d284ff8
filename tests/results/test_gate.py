"""Lines of a gate before stored runs: what they decide, and what keeps them from deciding."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.collect.gate_spec import GateSpec
from harness.errors import ExitCode, SelectionError, StoreError
from harness.records import Sample, Score
from harness.results.gate import GateQuestion, gate
from harness.results.pairs import Side
from harness.results.rulings import GateResult, Ruling
from harness.results.run import JUDGE_ERROR, CellResult, ModelInfo, ScorerInfo
from harness.results.selfcheck import self_check
from harness.results.store import read_run, write_run

Store = Callable[..., Path]
NUMBER = ScorerInfo("m", kind="number", low=0.0, high=1.0)


def ask(path: Path, *lines: GateSpec, **more: object) -> GateResult:
    """The gate of `capitals` on `tuned` against `base`, both in one run."""
    run = read_run(path)
    question = GateQuestion(
        Side(run, "tuned"), {"capitals": lines}, {"capitals": Side(run, "base")}, **more
    )  # type: ignore[arg-type]
    return gate([question])


def one(path: Path, line: GateSpec, **more: object) -> Ruling:
    (ruling,) = ask(path, line, **more).rulings
    return ruling


def noise(n: int, mean: float, seed: int, spread: float = 0.05) -> list[float]:
    return [float(x) for x in np.clip(np.random.default_rng(seed).normal(mean, spread, n), 0, 1)]


@pytest.fixture
def two(store: Store, cell) -> Callable[..., Path]:
    """A run of base and tuned with these values of the metric `m`."""

    def make(
        base: Sequence[float], tuned: Sequence[float], info: ScorerInfo = NUMBER, **more: object
    ) -> Path:
        parts = {"infos": {info.name: info}, **more}
        return store(
            cell("base", values={info.name: base}, **parts),
            cell("tuned", values={info.name: tuned}, **parts),
        )

    return make


# --------------------------------------------------------------------------- directions


@pytest.mark.parametrize(
    ("before", "after", "upwards", "outcome"),
    [
        (0.5, 0.4, True, "FAIL"),
        (0.4, 0.5, True, "PASS"),
        (0.5, 0.4, False, "PASS"),
        (0.4, 0.5, False, "FAIL"),
    ],
)
def test_worse_is_what_the_metric_calls_worse(
    two: Callable[..., Path], before: float, after: float, upwards: bool, outcome: str
) -> None:
    info = replace(NUMBER, higher_is_better=upwards)
    path = two(noise(40, before, 0), noise(40, after, 1), info)
    found = one(path, GateSpec(metric="m", max_drop=0.05))
    assert found.outcome == outcome
    assert found.low is not None
    assert found.high is not None
    # bounds and difference are in the metric's own units whatever is better
    assert found.low < after - before < found.high
    assert found.difference == pytest.approx(after - before, abs=0.03)


def test_a_real_drop_within_the_margin_passes(two: Callable[..., Path]) -> None:
    base = noise(400, 0.5, 0)
    path = two(base, [value - 0.01 for value in base])
    found = one(path, GateSpec(metric="m", max_drop=0.02))
    assert found.outcome == "PASS"
    assert found.p is not None
    assert found.p < 1e-3  # the drop is real, and allowed
    assert one(path, GateSpec(metric="m", max_drop=0.005)).outcome == "FAIL"


def test_yes_and_no_of_a_metric_where_less_is_better(two: Callable[..., Path]) -> None:
    info = ScorerInfo("m", higher_is_better=False)
    path = two([0.0] * 30 + [1.0] * 10, [1.0] * 30 + [0.0] * 10, info)
    found = one(path, GateSpec(metric="m", max_drop=0.1))
    assert (found.outcome, found.method[:5]) == ("FAIL", "tango")
    assert found.difference == pytest.approx(0.5)


def test_a_metric_without_a_better_side_has_no_drop(two: Callable[..., Path]) -> None:
    info = replace(NUMBER, neutral=True)
    path = two(noise(20, 0.5, 0), noise(20, 0.5, 1), info)
    with pytest.raises(SelectionError, match="'m' has no better side: gate it with 'min' or 'max'"):
        ask(path, GateSpec(metric="m", max_drop=0.1))
    assert one(path, GateSpec(metric="m", max=0.9)).outcome == "PASS"


# --------------------------------------------------------------------------- nothing to estimate


def test_the_same_scores_by_other_answers_are_no_proof(store: Store, cell, make_run) -> None:
    same = [0.5] * 10
    path = store(
        cell("base", values={"m": same}, infos={"m": NUMBER}),
        cell("tuned", values={"m": same}, infos={"m": NUMBER}),
    )
    assert "the baseline's own" in one(path, GateSpec(metric="m", max_drop=0.1)).reason
    other = cell("tuned", values={"m": same}, infos={"m": NUMBER}).build()
    rows = [
        replace(row, completion=replace(row.completion, text="another way to say it"))
        for row in other.completions
    ]
    base = cell("base", values={"m": same}, infos={"m": NUMBER}).build()
    run = make_run(base, replace(other, completions=rows), after=5)
    path = write_run(path.parent, run)
    found = one(path, GateSpec(metric="m", max_drop=0.1))
    assert found.outcome == "INCONCLUSIVE"
    assert found.n_needed == 29  # 0.95 = 1 - 0.05 ** (1 / 29) * ...: the rule of three
    assert one(path, GateSpec(metric="m", max_drop=0.5)).outcome == "PASS"


def test_the_same_weights_with_the_same_scores_are_proof(tmp_path: Path, cell, make_run) -> None:
    def silent(name: str) -> CellResult:
        built = cell(name, values={"m": [0.5] * 10}, infos={"m": NUMBER}).build()
        rows = [replace(r, completion=replace(r.completion, text="")) for r in built.completions]
        return replace(built, completions=rows)

    run = make_run(silent("base"), silent("tuned"))
    path = write_run(tmp_path / "runs", run)
    # texts of nothing at all, as of a task that weighs choices, prove nothing
    assert one(path, GateSpec(metric="m", max_drop=0.0)).outcome == "INCONCLUSIVE"
    same = [ModelInfo("base", "abc"), ModelInfo("tuned", "abc")]
    path = write_run(tmp_path / "runs", replace(run, models=same))
    assert one(path, GateSpec(metric="m", max_drop=0.0)).outcome == "PASS"


def test_the_same_drop_everywhere(two: Callable[..., Path]) -> None:
    found = one(two([0.5] * 20, [0.4] * 20), GateSpec(metric="m", max_drop=0.05))
    assert found.outcome == "FAIL"
    few = one(two([0.5] * 4, [0.4] * 4), GateSpec(metric="m", max_drop=0.05))
    assert few.outcome == "INCONCLUSIVE"  # four pairs can show nothing


def test_one_sample_decides_nothing(two: Callable[..., Path]) -> None:
    found = one(two([1.0], [0.0]), GateSpec(metric="m", max_drop=0.1))
    assert found.outcome == "INCONCLUSIVE"
    assert found.n_needed is None


def test_values_that_are_no_numbers_are_failed_samples(two: Callable[..., Path]) -> None:
    path = two(noise(40, 0.5, 0), [float("nan"), *noise(39, 0.5, 1)])
    found = one(path, GateSpec(metric="m", max_drop=0.1))
    assert (found.outcome, found.reason[:23]) == ("ERROR", "1 of 40 samples failed,")
    kept = GateSpec(metric="m", max_drop=0.1, max_error_rate=0.05)
    assert one(path, kept).n == 39


# --------------------------------------------------------------------------- clusters, classes


def test_samples_of_one_video_count_as_one(two: Callable[..., Path]) -> None:
    base, tuned = noise(40, 0.5, 0), noise(40, 0.47, 1)
    alone = one(two(base, tuned), GateSpec(metric="m", max_drop=0.005))
    films = [f"video {n // 10}" for n in range(40)]
    shared = one(two(base, tuned, clusters=films), GateSpec(metric="m", max_drop=0.005))
    assert alone.p is not None
    assert shared.p is not None
    assert shared.p > alone.p
    assert "clusters" in shared.method
    assert shared.outcome == "INCONCLUSIVE"
    assert "clusters, has 4" in shared.reason


def test_each_class_is_ruled_on_alone(two: Callable[..., Path]) -> None:
    samples = [
        Sample(f"q{n}", "?", "AB"[n % 2], row={"place": "inside" if n < 30 else "outside"})
        for n in range(60)
    ]
    path = two([1.0] * 60, [float(n % 2) for n in range(60)], ScorerInfo("m"), samples=samples)
    line = GateSpec(metric="m", max_drop=0.2, per_class="target")
    assert [(r.group, r.outcome) for r in ask(path, line).rulings] == [("A", "FAIL"), ("B", "PASS")]
    by_place = GateSpec(metric="m", max_drop=0.2, per_class="place")
    assert [(r.group, r.n) for r in ask(path, by_place).rulings] == [
        ("inside", 30),
        ("outside", 30),
    ]
    with pytest.raises(SelectionError, match=r"no column 'plcae' \(did you mean 'place'\?\)"):
        ask(path, GateSpec(metric="m", max_drop=0.2, per_class="plcae"))


# --------------------------------------------------------------------------- judges


JUDGED = ScorerInfo("strict", kind="number", low=0.0, high=1.0, judge="strict", judged_by="llm")


def judged(two: Callable[..., Path], info: ScorerInfo = JUDGED) -> Path:
    return two(noise(40, 0.5, 0), noise(40, 0.5, 1), info)


def test_a_judge_that_nobody_trusts_decides_nothing(two: Callable[..., Path]) -> None:
    path, line = judged(two), GateSpec(metric="strict", max_drop=0.1)
    found = one(path, line, trust={"strict": ("failed its self-test: empty",)})
    assert found.outcome == "ERROR"
    assert found.reason == "judge strict: failed its self-test: empty"
    assert one(path, line).outcome == "PASS"


@pytest.mark.parametrize(
    ("kappa", "outcome", "said"),
    [
        (None, "ERROR", "nobody has measured"),
        (0.4, "ERROR", "is 0.400, below 0.6"),
        (0.7, "PASS", ""),
    ],
)
def test_agreement_with_people_can_be_asked_for(
    two: Callable[..., Path], kappa: float | None, outcome: str, said: str
) -> None:
    path = judged(two, replace(JUDGED, kappa=kappa))
    found = one(path, GateSpec(metric="strict", max_drop=0.1, min_kappa=0.6))
    assert found.outcome == outcome
    assert said in found.reason


def test_an_embedding_judge_counts_only_if_the_line_says_so(tmp_path: Path, cell, make_run) -> None:
    values = [
        cell(name, values={"strict": noise(40, 0.5, seed)}, infos={"strict": JUDGED}).build()
        for seed, name in enumerate(("base", "tuned"))
    ]
    run = make_run(*values)
    models = [*run.models, ModelInfo("llm", "print", "embedding-judge")]
    path = write_run(tmp_path / "runs", replace(run, models=models))
    refused = one(path, GateSpec(metric="strict", max_drop=0.1))
    assert refused.outcome == "ERROR"
    assert "embedding judge, not an LLM" in refused.reason
    allowed = GateSpec(metric="strict", max_drop=0.1, allow_embedding_judge=True)
    assert one(path, allowed).outcome == "PASS"


def test_sixteen_unreadable_verdicts_are_an_error_and_no_failure(
    tmp_path: Path, cell, make_run
) -> None:
    built = [
        cell(name, values={"strict": noise(16, 0.5, 0)}, infos={"strict": JUDGED}).build()
        for name in ("base", "tuned")
    ]
    error = Score(None, "error", explanation=f"{JUDGE_ERROR}the reply holds no JSON object")
    broken = replace(built[1], scores={"strict": [error] * 16})
    path = write_run(tmp_path / "runs", make_run(built[0], broken))
    result = ask(path, GateSpec(metric="strict", max_drop=0.1))
    assert result.exit_code == ExitCode.UNDECIDED
    assert "16 of 16 answers have no verdict, more than 0.02" in result.rulings[0].reason
    # a limit on verdicts alone is a line of its own
    limit = ask(path, GateSpec(metric="strict", max_judge_error_rate=0.5))
    assert limit.exit_code == ExitCode.UNDECIDED
    kept = ask(
        write_run(tmp_path / "runs", make_run(*built)),
        GateSpec(metric="strict", max_judge_error_rate=0),
    )
    assert kept.rulings[0].reason == "0 of 16 samples failed, 0 of 16 answers have no verdict"


# --------------------------------------------------------------------------- costs


def timed(cell, name: str, factor: float, n: int = 60) -> CellResult:
    draw = np.random.default_rng(7 if name == "base" else 8)
    built = cell(name, values={"m": [0.5] * n}, infos={"m": NUMBER}).build()
    rows = [
        replace(
            row,
            completion=replace(
                row.completion,
                latency_ms=float(100 * factor * draw.lognormal(0, 0.2)),
                completion_tokens=int(50 * factor),
            ),
        )
        for row in built.completions
    ]
    return replace(built, completions=rows)


@pytest.mark.parametrize(
    ("factor", "outcome"), [(0.8, "PASS"), (1.15, "INCONCLUSIVE"), (2.0, "FAIL")]
)
@pytest.mark.parametrize("metric", ["latency_p95_ms", "latency_p50_ms"])
def test_latency_against_the_baselines(
    tmp_path: Path, cell, make_run, factor: float, outcome: str, metric: str
) -> None:
    run = make_run(timed(cell, "base", 1.0), timed(cell, "tuned", factor))
    path = write_run(tmp_path / "runs", run)
    found = one(path, GateSpec(metric=metric, max_ratio=1.2))
    assert found.outcome == outcome, found.reason


def test_tokens_against_the_baselines_and_a_ceiling(tmp_path: Path, cell, make_run) -> None:
    run = make_run(timed(cell, "base", 1.0), timed(cell, "tuned", 1.5))
    path = write_run(tmp_path / "runs", run)
    assert one(path, GateSpec(metric="completion_tokens", max_ratio=1.2)).outcome == "FAIL"
    assert one(path, GateSpec(metric="completion_tokens", max=75)).outcome == "PASS"
    assert one(path, GateSpec(metric="completion_tokens", max=74)).outcome == "FAIL"


def test_latencies_of_two_machines_are_not_compared(tmp_path: Path, cell, make_run) -> None:
    path = write_run(tmp_path / "runs", make_run(timed(cell, "base", 1), timed(cell, "tuned", 1)))
    file = path / "manifest.json"
    other = json.loads(file.read_text())
    there = tmp_path / "there"
    shutil.copytree(path, there)
    (there / "manifest.json").write_text(json.dumps({**other, "machine": "another"}))
    question = GateQuestion(
        Side(read_run(path), "tuned"),
        {"capitals": [GateSpec(metric="latency_p95_ms", max_ratio=2)]},
        {"capitals": Side(read_run(there), "base")},
    )
    (found,) = gate([question]).rulings
    assert found.outcome == "ERROR"
    assert "was measured on another machine (another; here" in found.reason


# --------------------------------------------------------------------------- the whole gate


def test_a_fail_outweighs_an_error(two: Callable[..., Path]) -> None:
    path = two(noise(40, 0.5, 0), noise(40, 0.3, 1))
    result = ask(
        path, GateSpec(metric="m", max_drop=0.05), GateSpec(metric="latency_p95_ms", max_ratio=2)
    )
    assert [one.outcome for one in result.rulings] == ["FAIL", "ERROR"]
    assert result.exit_code == ExitCode.FAILED


def test_checkpoints_share_one_correction(store: Store, cell) -> None:
    base = noise(40, 0.5, 0)
    names = [f"step-{n}" for n in range(4)]
    draw = np.random.default_rng(1)
    path = store(
        *(
            cell(name, values={"m": list(np.array(base) + shift)}, infos={"m": NUMBER})
            for name, shift in [
                ("base", 0.0),
                *((name, draw.normal(-0.01, 0.03, 40)) for name in names),
            ]
        )
    )
    run = read_run(path)
    lines = {"capitals": [GateSpec(metric="m", max_drop=0.001)]}
    questions = [GateQuestion(Side(run, n), lines, {"capitals": Side(run, "base")}) for n in names]
    apart, together = gate(questions), gate(questions, together=True)
    for left, right in zip(apart.rulings, together.rulings, strict=True):
        assert left.p == right.p == left.p_holm
        assert right.p_holm is not None
        assert left.p_holm is not None
        assert right.p_holm >= left.p_holm
    lowest = min(together.rulings, key=lambda one: one.p or 1.0)
    assert lowest.p_holm == pytest.approx(4 * (lowest.p or 0.0))


def test_what_is_not_there(two: Callable[..., Path]) -> None:
    path = two(noise(20, 0.5, 0), noise(20, 0.5, 1))
    with pytest.raises(SelectionError, match="no metric 'mm' in tasks/capitals"):
        ask(path, GateSpec(metric="mm", max_drop=0.1))
    side = Side(read_run(path), "tuned")
    with pytest.raises(StoreError, match="no baseline of capitals to compare tuned with"):
        gate([GateQuestion(side, {"capitals": [GateSpec(metric="m", max_drop=0.1)]})])


def test_other_samples_are_no_baseline(store: Store, cell) -> None:
    path = store(cell("base", values={"m": noise(30, 0.5, 0)}, infos={"m": NUMBER}))
    short = store(cell("tuned", values={"m": noise(20, 0.5, 1)}, infos={"m": NUMBER}), after=9)
    lines = {"capitals": [GateSpec(metric="m", max_drop=0.2)]}
    base = {"capitals": Side(read_run(path), "base")}
    question = GateQuestion(Side(read_run(short), "tuned"), lines, base)
    (found,) = gate([question]).rulings
    assert (found.outcome, "samples differ: 30 and 20, 20 in both" in found.reason) == (
        "ERROR",
        True,
    )
    (found,) = gate([replace(question, intersect=True)]).rulings
    assert (found.outcome, found.n) == ("PASS", 20)
    others = [Sample(f"other {n}", "?", "A") for n in range(20)]
    strange = store(
        cell("tuned", values={"m": noise(20, 0.5, 1)}, infos={"m": NUMBER}, samples=others),
        after=18,
    )
    with pytest.raises(StoreError, match="no sample"):
        gate([replace(question, candidate=Side(read_run(strange), "tuned"), intersect=True)])


def test_self_check_measures_false_fails_and_power(two: Callable[..., Path]) -> None:
    path = two(noise(60, 0.5, 0), noise(60, 0.5, 1))
    run = read_run(path)
    line = GateSpec(metric="m", max_drop=0.02)
    question = GateQuestion(
        Side(run, "tuned"), {"capitals": [line]}, {"capitals": Side(run, "base")}
    )
    done = self_check(question, rounds=150)
    assert done.low <= 0.05
    power = {one.drop: one.shares.get("FAIL", 0.0) for one in done.lines}
    assert power[0.0] <= 0.1
    assert power[0.0] < power[0.02] < power[0.04] <= power[0.08]
    assert power[0.08] > 0.95
    with pytest.raises(StoreError, match="nothing to check"):
        self_check(replace(question, lines={"capitals": [GateSpec(metric="m", min=0.1)]}))
