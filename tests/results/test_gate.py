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
from harness.records import Completion, Sample, Score
from harness.results.evidence import Demand, drop_evidence
from harness.results.gate import GateQuestion, gate, rule
from harness.results.gate_report import gate_json
from harness.results.metrics import SampleScores
from harness.results.pairs import Metric, Side
from harness.results.rulings import GateResult, Ruling
from harness.results.run import JUDGE_ERROR, CellResult, ModelInfo, ScorerInfo
from harness.results.selfcheck import SelfCheck, self_check
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
    # ten answers of four tokens: that another model would give them is no wonder
    assert one(path, GateSpec(metric="m", max_drop=0.1)).outcome == "INCONCLUSIVE"
    sides = [cell(name, values={"m": same}, infos={"m": NUMBER}).build() for name in SIDES]
    path = write_run(path.parent, make_run(*map(long_winded, sides), after=2))
    assert (
        "every answer is the baseline's own" in one(path, GateSpec(metric="m", max_drop=0)).reason
    )
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


SIDES = ("base", "tuned")


def long_winded(built: CellResult) -> CellResult:
    rows = [
        replace(r, completion=replace(r.completion, completion_tokens=40))
        for r in built.completions
    ]
    return replace(built, completions=rows)


def test_the_same_weights_with_the_same_scores_are_proof(tmp_path: Path, cell, make_run) -> None:
    def silent(name: str) -> CellResult:
        built = cell(name, values={"m": [0.5] * 10}, infos={"m": NUMBER}).build()
        rows = [replace(r, completion=replace(r.completion, text="")) for r in built.completions]
        return replace(built, completions=rows)

    run = make_run(silent("base"), silent("tuned"))
    path = write_run(tmp_path / "runs", run)
    # texts of nothing at all, as of a task that weighs choices, prove nothing
    assert one(path, GateSpec(metric="m", max_drop=0.0)).outcome == "INCONCLUSIVE"
    path = write_run(tmp_path / "runs", replace(run, models=same_weights("transformers")))
    found = one(path, GateSpec(metric="m", max_drop=0.0))
    assert found.outcome == "PASS"
    assert "the baseline's own weights, task and scores" in found.reason
    # a server's fingerprint is its name: who stands behind it, nobody knows
    path = write_run(tmp_path / "runs", replace(run, models=same_weights("openai")))
    assert one(path, GateSpec(metric="m", max_drop=0.0)).outcome == "INCONCLUSIVE"
    # the same weights, asked something else
    other = replace(silent("tuned"), task_hash="another prompt")
    run = replace(make_run(silent("base"), other), models=same_weights("transformers"))
    path = write_run(tmp_path / "runs", run)
    assert one(path, GateSpec(metric="m", max_drop=0.0)).outcome == "INCONCLUSIVE"


def same_weights(adapter: str) -> list[ModelInfo]:
    return [ModelInfo(name, "abc", adapter) for name in ("base", "tuned")]


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


# --------------------------------------------------------------------------- what is left out


def skipping(cell, name: str, kept: int, n: int = 200, status: str = "skipped") -> CellResult:
    """A cell that has scores of its first ``kept`` samples only."""
    built = cell(name, values={"m": noise(n, 0.5, len(name))}, infos={"m": NUMBER}).build()
    scores = [*built.scores["m"][:kept], *[Score(None, status)] * (n - kept)]  # type: ignore[list-item]
    return replace(built, scores={"m": scores})


@pytest.mark.parametrize(("status", "outcome"), [("skipped", "ERROR"), ("error", "ERROR")])
@pytest.mark.parametrize(("base", "tuned"), [(200, 10), (50, 200)])
def test_samples_of_one_side_only_decide_nothing(
    tmp_path: Path, cell, make_run, status: str, outcome: str, base: int, tuned: int
) -> None:
    built = [skipping(cell, "base", base, status=status), skipping(cell, "tuned", tuned)]
    path = write_run(tmp_path / "runs", make_run(*built))
    found = one(path, GateSpec(metric="m", max_drop=0.2))
    assert found.outcome == outcome
    kept = one(path, GateSpec(metric="m", max_drop=0.2, max_error_rate=1.0))
    assert kept.outcome == "PASS"
    assert kept.reason.endswith(f"; {min(base, tuned)} of 200 samples paired")


def test_samples_that_both_sides_skip_are_no_hole(tmp_path: Path, cell, make_run) -> None:
    run = make_run(skipping(cell, "base", 150), skipping(cell, "tuned", 150))
    path = write_run(tmp_path / "runs", run)
    found = one(path, GateSpec(metric="m", max_drop=0.2))
    assert (found.outcome, found.n) == ("PASS", 150)
    floor = one(path, GateSpec(metric="m", min=0.2))
    assert floor.reason.endswith("; 150 of 200 samples have a score")


def test_failures_that_may_hide_a_drop_are_noted(tmp_path: Path, cell, make_run) -> None:
    built = [skipping(cell, "base", 200), skipping(cell, "tuned", 197, status="error")]
    path = write_run(tmp_path / "runs", make_run(*built))
    said = "capitals: m: 3 of 200 samples failed and count neither way"
    notes = ask(path, GateSpec(metric="m", max_drop=0.01)).notes
    assert [said in note for note in notes] == [True]
    assert not ask(path, GateSpec(metric="m", max_drop=0.02)).notes


def test_a_variant_that_only_the_baseline_has_is_an_error(store: Store, cell) -> None:
    values = {"values": {"m": [0.5] * 30}, "infos": {"m": NUMBER}}
    base = store(cell("base", **values), cell("base", variant="fps=1", **values))
    path = store(cell("tuned", **values), after=9)
    question = GateQuestion(
        Side(read_run(path), "tuned"),
        {"capitals": [GateSpec(metric="m", max_drop=0.2)]},
        {"capitals": Side(read_run(base), "base")},
    )
    first, second = gate([question]).rulings
    assert (first.outcome, second.outcome, second.variant) == ("PASS", "ERROR", "fps=1")
    assert "no variant 'fps=1' of capitals, which the baseline has" in second.reason
    partly = gate([replace(question, partial=True)])
    assert [one.outcome for one in partly.rulings] == ["PASS"]
    assert "were not run: fps=1" in partly.notes[0]


# --------------------------------------------------------------------------- what is stale


def stale(store: Store, base: object, tuned: object) -> str:
    """Why a gate of two runs is in error; "" if it is not."""
    old, new = store(base), store(tuned, after=9)  # type: ignore[arg-type]
    question = GateQuestion(
        Side(read_run(new), "tuned"),
        {"capitals": [GateSpec(metric="m", max_drop=0.2)]},
        {"capitals": Side(read_run(old), "base")},
    )
    (found,) = gate([question]).rulings
    return found.reason if found.outcome == "ERROR" else ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"higher_is_better": False}, "higher_is_better of m is False and True"),
        ({"low": -1.0}, "low of m is -1.0 and 0.0"),
        ({"high": 100.0}, "high of m is 100.0 and 1.0"),
        ({"kind": "proportion"}, "kind of m is proportion and number"),
        ({"neutral": True}, "neutral of m is True and False"),
        ({"kind": None, "low": None, "high": None}, ""),  # a run that does not tell its scale
    ],
)
def test_a_metric_that_has_become_another_is_stale(
    store: Store, cell, change: dict[str, object], said: str
) -> None:
    old = replace(NUMBER, **change)  # type: ignore[arg-type]
    found = stale(
        store,
        cell("base", values={"m": noise(30, 0.5, 0)}, infos={"m": old}),
        cell("tuned", values={"m": noise(30, 0.5, 1)}, infos={"m": NUMBER}),
    )
    assert said in found
    assert bool(found) == bool(said)


def test_other_clusters_are_stale(store: Store, cell) -> None:
    def grouped(name: str, size: int) -> object:
        films = [f"film {n // size}" for n in range(30)]
        return cell(name, values={"m": noise(30, 0.5, 0)}, infos={"m": NUMBER}, clusters=films)

    assert not stale(store, grouped("base", 10), grouped("tuned", 10))
    assert "20 of 30 samples are in other clusters" in stale(
        store, grouped("base", 30), grouped("tuned", 10)
    )


def test_a_judge_with_other_weights_is_stale(tmp_path: Path, cell, make_run) -> None:
    sides = []
    for after, name in enumerate(("base", "tuned")):
        values = {"strict": noise(40, 0.5, after)}
        run = make_run(cell(name, values=values, infos={"strict": JUDGED}).build(), after=after)
        models = [*run.models, ModelInfo("llm", f"weights {after}", "transformers")]
        path = write_run(tmp_path / "runs", replace(run, models=models))
        sides.append(Side(read_run(path), name))
    lines = {"capitals": [GateSpec(metric="strict", max_drop=0.2)]}
    (found,) = gate([GateQuestion(sides[1], lines, {"capitals": sides[0]})]).rulings
    assert found.outcome == "ERROR"
    assert "llm, who judged strict, is another model than it was" in found.reason


def test_other_targets_are_stale_though_samples_may_differ(store: Store, cell) -> None:
    def asked(name: str, n: int, target: str) -> object:
        samples = [Sample(f"q{i}", "?", target) for i in range(n)]
        return cell(name, values={"m": noise(n, 0.5, 0)}, infos={"m": NUMBER}, samples=samples)

    base = {"capitals": Side(read_run(store(asked("base", 40, "A"))), "base")}  # type: ignore[arg-type]
    lines = {"capitals": [GateSpec(metric="m", max_drop=0.2)]}
    for after, target in ((9, "A"), (18, "B")):
        path = store(asked("tuned", 30, target), after=after)  # type: ignore[arg-type]
        question = GateQuestion(Side(read_run(path), "tuned"), lines, base, intersect=True)
        result = gate([question])
        (found,) = result.rulings
        assert found.outcome == ("PASS" if target == "A" else "ERROR"), found.reason
        if target == "A":
            assert any("MISMATCH allowed: samples differ" in note for note in result.notes)
        else:
            assert "30 of 30 samples that both have differ in input or target" in found.reason


# --------------------------------------------------------------------------- what cannot be meant


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GateSpec(metric="m", max_drop=5), "'max_drop' 5 allows everything"),
        (GateSpec(metric="m", max_drop=1), "no drop of 'm' (0 to 1) is larger"),
        (GateSpec(metric="m", max=70), "the values of 'm' are 0 to 1"),
        (GateSpec(metric="m", min=-3), "'min' cannot be -3"),
        (GateSpec(metric="m", min=0.2, min_kappa=0.6), "'m' is not judged"),
        (GateSpec(metric="m", max_judge_error_rate=0.1), "'m' is not judged"),
    ],
)
def test_limits_that_mean_nothing_are_mistakes(
    two: Callable[..., Path], line: GateSpec, said: str
) -> None:
    path = two(noise(20, 0.5, 0), noise(20, 0.5, 1))
    with pytest.raises(SelectionError) as caught:
        ask(path, line)
    assert said in str(caught.value)


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


def test_samples_without_a_class_are_one(two: Callable[..., Path]) -> None:
    rows = [{"place": "inside"}, {"place": None}, {}]
    samples = [Sample(f"q{n}", "?", "A", row=rows[n % 3]) for n in range(60)]
    path = two([1.0] * 60, [float(n % 3 == 0) for n in range(60)], samples=samples)
    found = ask(path, GateSpec(metric="m", max_drop=0.2, per_class="place")).rulings
    assert [(r.group, r.n, r.outcome) for r in found] == [
        ("(none)", 40, "FAIL"),
        ("inside", 20, "PASS"),
    ]


def test_nobody_left_is_told_as_what_it_is(tmp_path: Path, cell, make_run) -> None:
    built = [
        skipping(cell, "base", 10, n=20, status="error"),
        skipping(cell, "tuned", 1, n=20, status="error"),
    ]
    for at, name in enumerate(("base", "tuned")):
        turned = list(built[at].scores["m"])
        built[at] = replace(built[at], scores={"m": turned[::-1] if name == "base" else turned})
    path = write_run(tmp_path / "runs", make_run(*built))
    line = GateSpec(metric="m", max_drop=0.2, max_error_rate=1.0)
    assert one(path, line).reason == "no sample has a score on both sides"
    none = write_run(tmp_path / "runs", make_run(skipping(cell, "tuned", 0, 20, "error"), after=5))
    question = GateQuestion(
        Side(read_run(none), "tuned"), {"capitals": [GateSpec(metric="m", min=0, max_error_rate=1)]}
    )
    assert gate([question]).rulings[0].reason == "no sample has a score"


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


def test_a_judge_of_pairs_has_a_floor_and_no_drop(two: Callable[..., Path]) -> None:
    info = replace(JUDGED, opponent="base")
    path = two(noise(40, 0.5, 0), noise(40, 0.7, 1), info)
    assert one(path, GateSpec(metric="strict", min=0.5)).outcome == "PASS"
    assert one(path, GateSpec(metric="strict", min=0.9)).outcome == "FAIL"
    with pytest.raises(SelectionError, match="is preferred to base: gate it with 'min'"):
        ask(path, GateSpec(metric="strict", max_drop=0.1))


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


def test_a_baseline_without_verdicts_decides_nothing(tmp_path: Path, cell, make_run) -> None:
    built = [
        cell(name, values={"strict": noise(40, 0.5, seed)}, infos={"strict": JUDGED}).build()
        for seed, name in enumerate(("base", "tuned"))
    ]
    error = Score(None, "error", explanation=f"{JUDGE_ERROR}no reply")
    holes = replace(built[0], scores={"strict": [error] * 4 + list(built[0].scores["strict"][4:])})
    path = write_run(tmp_path / "runs", make_run(holes, built[1]))
    found = one(path, GateSpec(metric="strict", max_drop=0.2))
    assert found.outcome == "ERROR"
    assert "of the baseline" in found.reason
    assert "4 of 40 answers have no verdict" in found.reason
    # verdicts have a limit of their own, and count as no failures of the model
    allowed = GateSpec(metric="strict", max_drop=0.2, max_judge_error_rate=0.2)
    assert (one(path, allowed).outcome, one(path, allowed).n) == ("PASS", 36)


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


def test_one_batch_has_one_time_and_no_interval(tmp_path: Path, cell, make_run) -> None:
    def batched(name: str, time: float) -> CellResult:
        built = timed(cell, name, 1.0)
        rows = [
            replace(row, completion=replace(row.completion, latency_ms=time))
            for row in built.completions
        ]
        return replace(built, completions=rows)

    path = write_run(tmp_path / "runs", make_run(batched("base", 3.0), batched("tuned", 4.5)))
    found = one(path, GateSpec(metric="latency_p95_ms", max_ratio=1.2))
    assert found.outcome == "FAIL"
    assert "chance not considered" in found.reason
    assert "surely" not in found.reason


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


def from_cache(built: CellResult, count: int) -> CellResult:
    """The same cell, its first answers known before."""
    rows = [replace(row, cached=n < count) for n, row in enumerate(built.completions)]
    return replace(built, completions=rows)


@pytest.mark.parametrize("metric", ["latency_p95_ms", "latency_p50_ms", "peak_memory_mb"])
@pytest.mark.parametrize("limit", [{"max_ratio": 1.5}, {"max": 1e6}])
def test_what_was_cached_was_not_measured(
    tmp_path: Path, cell, make_run, metric: str, limit: dict[str, float]
) -> None:
    base, tuned = timed(cell, "base", 1.0), timed(cell, "tuned", 1.0)
    path = write_run(tmp_path / "runs", make_run(base, from_cache(tuned, 60)))
    found = one(path, GateSpec(metric=metric, **limit))  # type: ignore[arg-type]
    assert found.outcome == "ERROR"
    said = f"no {metric} was measured anew: all 60 answers were cached (harness run --fresh"
    assert found.reason.startswith(said)
    path = write_run(tmp_path / "runs", make_run(base, from_cache(tuned, 31), after=5))
    found = one(path, GateSpec(metric=metric, **limit))  # type: ignore[arg-type]
    assert found.reason.startswith("only 29 of 60 answers were measured anew")


def test_cached_latencies_do_not_count_and_cached_tokens_do(tmp_path: Path, cell, make_run) -> None:
    base, tuned = timed(cell, "base", 1.0), from_cache(timed(cell, "tuned", 1.0), 20)
    slow = [
        replace(r, completion=replace(r.completion, latency_ms=1e9)) if r.cached else r
        for r in tuned.completions
    ]
    path = write_run(tmp_path / "runs", make_run(base, replace(tuned, completions=slow)))
    found = one(path, GateSpec(metric="latency_p50_ms", max_ratio=1.5))
    assert (found.outcome, found.n) == ("PASS", 40)
    assert found.reason.endswith("; 40 of 60 answers measured anew")
    assert one(path, GateSpec(metric="completion_tokens", max_ratio=1.5)).n == 60
    swapped = write_run(
        tmp_path / "runs",
        make_run(from_cache(timed(cell, "base", 1.0), 60), timed(cell, "tuned", 1.0), after=5),
    )
    found = one(swapped, GateSpec(metric="latency_p50_ms", max_ratio=1.5))
    assert "of the baseline" in found.reason
    assert "was measured anew" in found.reason


def test_a_cost_of_answers_that_failed_decides_nothing(tmp_path: Path, cell, make_run) -> None:
    base, tuned = timed(cell, "base", 1.0), timed(cell, "tuned", 1.0)
    lost = [
        replace(row, completion=Completion(row.sample, error="no answer", finish_reason="error"))
        for row in tuned.completions[:30]
    ]
    rows = [*lost, *tuned.completions[30:]]
    path = write_run(tmp_path / "runs", make_run(base, replace(tuned, completions=rows)))
    for limit in ({"max_ratio": 1.5}, {"max": 1e6}, {"max_error_rate": 0.1}):
        found = one(path, GateSpec(metric="latency_p50_ms", **limit))  # type: ignore[arg-type]
        assert found.outcome == "ERROR"
        assert "30 of 60 samples failed, more than" in found.reason
    kept = one(path, GateSpec(metric="latency_p50_ms", max_error_rate=0.5))
    assert (kept.outcome, kept.reason) == ("PASS", "30 of 60 samples failed")


def test_a_cost_beside_holes_of_the_baseline_decides_nothing(
    tmp_path: Path, cell, make_run
) -> None:
    base, tuned = timed(cell, "base", 1.0), timed(cell, "tuned", 1.0)
    lost = [
        replace(row, completion=Completion(row.sample, error="no answer", finish_reason="error"))
        for row in base.completions[:30]
    ]
    base = replace(base, completions=[*lost, *base.completions[30:]])
    path = write_run(tmp_path / "runs", make_run(base, tuned))
    found = one(path, GateSpec(metric="completion_tokens", max_ratio=1.5))
    assert found.outcome == "ERROR"
    assert "30 of 60 samples were answered on one side only" in found.reason


def test_a_cost_on_other_data_is_stale(tmp_path: Path, cell, make_run) -> None:
    base, tuned = timed(cell, "base", 1.0), timed(cell, "tuned", 1.0)
    old = write_run(tmp_path / "runs", make_run(replace(base, task_version=2)))
    new = write_run(tmp_path / "runs", make_run(tuned, after=5))
    lines = {"capitals": [GateSpec(metric="completion_tokens", max_ratio=1.5)]}
    question = GateQuestion(
        Side(read_run(new), "tuned"), lines, {"capitals": Side(read_run(old), "base")}
    )
    (found,) = gate([question]).rulings
    assert (found.outcome, "base (task versions 2 and 1): run both alike" in found.reason) == (
        "ERROR",
        True,
    )


# --------------------------------------------------------------------------- the whole gate


def test_json_has_no_numbers_that_json_has_not(two: Callable[..., Path]) -> None:
    (found,) = ask(two(noise(20, 0.5, 0), noise(20, 0.5, 1)), GateSpec(metric="m", min=0.1)).rulings
    nowhere = replace(found, after=float("inf"), low=float("-inf"), p=float("nan"))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    (told,) = json.loads(gate_json(GateResult([nowhere])), parse_constant=refuse)["rulings"]
    assert (told["after"], told["low"], told["p"]) == (None, None, None)
    assert told["n"] == 20


def test_an_infinite_baseline_decides_nothing() -> None:
    info = ScorerInfo("ppl", higher_is_better=False, aggregate="perplexity", kind="number", low=0)
    zeros = np.zeros(3)
    lost = np.array([[1e6, 2.0]] * 3)
    side = SampleScores(["a", "b", "c"], zeros, zeros, lost, np.zeros(3, dtype=np.int8))
    metric = Metric(info, side.ids, side, side, [None] * 3)
    line = GateSpec(metric="ppl", max_drop=1)
    demand = Demand(line, "max_drop", 1.0, "ppl", "books", "", "tuned", "")
    (ruling,) = rule([drop_evidence(demand, metric, [0, 1, 2], "")])
    assert ruling.outcome == "ERROR"
    assert ruling.reason == "the baseline's ppl is inf: no drop from there"


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
    assert done.notes == []
    low = GateSpec(metric="m", max_drop=0.3)  # from 0.5, no model falls by 0.6
    drops = {one.drop for one in self_check(replace(question, lines={"capitals": [low]})).lines}
    assert drops == {0.0, 0.15, 0.3}
    with pytest.raises(StoreError, match="nothing to check"):
        self_check(replace(question, lines={"capitals": [GateSpec(metric="m", min=0.1)]}))


def test_self_check_tries_the_gate_as_it_is_configured(two: Callable[..., Path]) -> None:
    run = read_run(two(noise(60, 0.5, 0), noise(60, 0.5, 1)))

    def tried(*lines: GateSpec) -> SelfCheck:
        sides = Side(run, "tuned"), {"capitals": lines}, {"capitals": Side(run, "base")}
        return self_check(GateQuestion(*sides), rounds=60)

    drop = GateSpec(metric="m", max_drop=0.001)
    assert tried(drop).kept
    strict = tried(drop.model_copy(update={"on_inconclusive": "fail"}))
    assert strict.false_fail > 0.5
    assert not strict.kept
    assert any("'on_inconclusive: fail' alone stops" in note for note in strict.notes)
    point = tried(GateSpec(metric="m", max_drop=0.0, rule="point"))
    assert point.false_fail > 0.2
    # a floor that nobody reaches, beside the same metric; a cost that swapping does not change
    beside = tried(drop, GateSpec(metric="m", min=0.9), GateSpec(metric="completion_tokens", max=9))
    assert beside.false_fail == 1.0
    shares = {one.name: one.shares for one in beside.lines if one.drop == 0.0}
    assert shares["capitals m min 0.9"] == {"FAIL": 1.0}
    assert "capitals completion_tokens max 9: not simulated: a cost" in beside.notes
