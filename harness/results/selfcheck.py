"""A gate put to the test: how often would it fail a model that is as good as its baseline, and how
often would it catch one that is worse?

Were both models equal, each answer could as well have come from the other one. So the answers of
every sample (cluster) are swapped at random between candidate and baseline, round after round, and
the whole gate, Holm's correction and all, is asked again. For its power, equal models are made
worse by a known amount first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.results.evidence import Trial
from harness.results.gate import GateQuestion, rule, trials_of
from harness.results.metrics import SampleScores
from harness.results.pairs import Metric
from harness.results.render import Record, Report, Table, number, visible
from harness.results.rulings import Outcome
from harness.results.stats import is_binary, wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

ROUNDS = 300
DROPS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""True drops of the power table, in units of a line's margin."""
SMALLEST = 0.05
"""What stands for the margin of a line whose margin is zero: a share of the metric's range."""


@dataclass(frozen=True)
class Line:
    """One demand at one true drop: how the rounds ended."""

    name: str
    drop: float
    n: int
    shares: Mapping[Outcome, float]


@dataclass(frozen=True)
class SelfCheck:
    """``false_fail`` is the share of rounds in which equal models were stopped by a FAIL."""

    rounds: int
    false_fail: float
    low: float
    high: float
    lines: Sequence[Line]
    notes: Sequence[str]

    @property
    def kept(self) -> bool:
        """Whether the gate's promise, at most one in twenty, can be true given these rounds."""
        return self.low <= 0.05


def self_check(question: GateQuestion, *, rounds: int = ROUNDS, seed: int = 0) -> SelfCheck:
    """Try a question's gate on models that are equal, and on some that are worse.

    Raises StoreError if no line compares the candidate with a baseline sample by sample.
    """
    import numpy as np

    trials = [trial for trial in trials_of(question) if _relative(trial)]
    if not trials:
        raise StoreError("no line of the gate compares samples with a baseline: nothing to check")
    rng = np.random.default_rng(seed)
    counts = {i: Counter[Outcome]() for i in range(len(trials))}
    failed = 0
    for _ in range(rounds):
        rulings = rule([trial.weigh() for trial in _swapped(trials, rng)])
        failed += any(one.outcome == "FAIL" for one in rulings)
        for i, one in enumerate(rulings):
            counts[i][one.outcome] += 1
    lines = [_line(trials[i], 0.0, counts[i], rounds) for i in counts]
    lines += [line for trial in trials for line in _power(trial, max(rounds // 3, 50), rng)]
    found = wilson(failed, rounds)
    return SelfCheck(
        rounds, failed / rounds, found.low or 0.0, found.high or 1.0, lines, _notes(trials)
    )


def _relative(trial: Trial) -> bool:
    return trial.metric is not None and trial.demand.key == "max_drop" and bool(trial.at)


def _notes(trials: Sequence[Trial]) -> list[str]:
    notes = []
    for trial in trials:
        metric = trial.metric
        assert metric is not None
        moved = (metric.a.value[list(trial.at)] != metric.b.value[list(trial.at)]).sum()
        if moved < 6:
            what = f"candidate and baseline differ in {moved} of {len(trial.at)} samples"
            notes.append(f"{_name(trial)}: {what}: swapping them shows little")
    if any(trial.demand.spec.rule == "point" for trial in trials):
        notes.append("'rule: point' takes no account of chance: equal models fail it now and then")
    return notes


# --------------------------------------------------------------------------- equal models


def _swapped(trials: Sequence[Trial], rng: np.random.Generator) -> list[Trial]:
    """All answers of a random half of the samples (clusters) change sides, in every metric."""
    coins: dict[tuple[str, str], bool] = {}

    def side(cell: str, name: str) -> bool:
        return coins.setdefault((cell, name), bool(rng.integers(2)))

    found = []
    for trial in trials:
        metric = trial.metric
        assert metric is not None
        names = [
            cluster or f"\0{sample}"
            for cluster, sample in zip(metric.clusters, metric.ids, strict=True)
        ]
        import numpy as np

        swap = np.array([side(trial.demand.cell, name) for name in names], dtype=bool)
        found.append(replace(trial, metric=_swap(metric, swap), same=False))
    return found


def _swap(metric: Metric, at: Bools) -> Metric:
    return replace(metric, a=_mixed(metric.a, metric.b, at), b=_mixed(metric.b, metric.a, at))


def _mixed(own: SampleScores, other: SampleScores, at: Bools) -> SampleScores:
    import numpy as np

    rows = at[:, None]
    return SampleScores(
        own.ids,
        np.where(at, other.value, own.value),
        np.where(at, other.control, own.control),
        np.where(rows, other.detail, own.detail),
        np.where(at, other.status, own.status),
    )


# --------------------------------------------------------------------------- worse models


def _power(trial: Trial, rounds: int, rng: np.random.Generator) -> list[Line]:
    """The line alone, on models that are worse by multiples of its margin."""
    metric = trial.metric
    assert metric is not None
    if metric.info.aggregate != "mean":
        return []  # counts of n-grams cannot be made worse by a known amount
    margin = trial.demand.limit or SMALLEST * (metric.info.span or 1.0)
    lines = []
    for times in DROPS[1:]:
        counts: Counter[Outcome] = Counter()
        for _ in range(rounds):
            (equal,) = _swapped([trial], rng)
            assert equal.metric is not None
            worse = replace(equal, metric=_worse(equal.metric, times * margin, rng))
            counts[rule([worse.weigh()])[0].outcome] += 1
        lines.append(_line(trial, times * margin, counts, rounds))
    return lines


def _worse(metric: Metric, drop: float, rng: np.random.Generator) -> Metric:
    """The candidate's mean lowered by ``drop`` (raised, if lower is better), within its range."""
    import numpy as np

    info, values = metric.info, metric.b.value
    known = np.isfinite(values)
    if info.kind != "number" and is_binary(values[known]):
        good = 1.0 if info.higher_is_better else 0.0
        share = float((values[known] == good).mean())
        turned = (values == good) & (rng.random(len(values)) < drop / max(share, 1e-12))
        lowered = np.where(turned, 1.0 - good, values)
    else:
        lowered = values - drop if info.higher_is_better else values + drop
        lowered = np.clip(lowered, info.low, info.high)
    return replace(metric, b=replace(metric.b, value=lowered))


def _line(trial: Trial, drop: float, counts: Mapping[Outcome, int], rounds: int) -> Line:
    shares = {outcome: count / rounds for outcome, count in counts.items()}
    return Line(_name(trial), drop, len(trial.at), shares)


def _name(trial: Trial) -> str:
    demand = trial.demand
    group = f" ({demand.group})" if demand.group else ""
    return f"{demand.task} {demand.spec.metric}{group}"


# --------------------------------------------------------------------------- in words


def self_check_report(done: SelfCheck) -> Report:
    """The false-fail rate and the power table."""
    told: tuple[Outcome, ...] = ("FAIL", "INCONCLUSIVE", "PASS")
    rows = [
        [visible(line.name), str(line.n), number(line.drop)]
        + [f"{100 * line.shares.get(outcome, 0.0):.0f} %" for outcome in told]
        for line in sorted(done.lines, key=lambda line: (line.name, line.drop))
    ]
    columns = ("line", "n", "true drop", *told)
    title = "what the gate would say of a model that is worse by so much"
    table = Table(title, columns, rows, "lrrrrr")
    records: list[Record] = [
        {"line": x.name, "n": x.n, "drop": x.drop, **{o: x.shares.get(o, 0.0) for o in told}}
        for x in done.lines
    ]
    rate = f"{100 * done.false_fail:.1f} %"
    bounds = f"95 % {100 * done.low:.1f} to {100 * done.high:.1f} %"
    said = (
        f"false fails of the whole gate: {rate} of {done.rounds} rounds with equal models "
        f"({bounds}; promised: at most 5 %)"
    )
    whole: list[Record] = [
        {"rounds": done.rounds, "false_fail": done.false_fail, "low": done.low, "high": done.high}
    ]
    return Report([table], {"gate": whole, "lines": records}, (said, *done.notes))
