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
    """``false_fail`` is the share of rounds in which equal models were stopped, by a FAIL or by
    whatever else the task lets stop them."""

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

    Floors and ceilings are tried where a line compares the same metric with the baseline. Lines
    that cannot be tried stay in Holm's family as they are, and are told in the notes. Raises
    StoreError if no line compares the candidate with a baseline sample by sample.
    """
    import numpy as np

    every = trials_of(question)
    drops = [trial for trial in every if _relative(trial)]
    if not drops:
        raise StoreError(f"nothing to check: {_why_none(every)}")
    trials, still = _movable(every, drops)
    rest = [trial.weigh() for trial in still]
    rng = np.random.default_rng(seed)
    counts = {i: Counter[Outcome]() for i in range(len(trials))}
    stopped = undecided = 0
    for _ in range(rounds):
        moved = [trial.weigh() for trial in _swapped(trials, rng)]
        rulings = rule([*moved, *rest])[: len(trials)]
        bad = [one for one in rulings if one.stops and one.outcome != "ERROR"]
        stopped += bool(bad)
        undecided += bool(bad) and all(one.outcome == "INCONCLUSIVE" for one in bad)
        for i, one in enumerate(rulings):
            counts[i][one.outcome] += 1
    lines = [_line(trials[i], 0.0, counts[i], rounds) for i in counts]
    lines += [line for trial in drops for line in _power(trial, max(rounds // 3, 50), rng)]
    found = wilson(stopped, rounds)
    notes = [
        *_notes(drops, trials),
        *(f"{_name(one)}: not simulated: {_why(one)}" for one in still),
    ]
    if undecided:
        share = f"{100 * undecided / rounds:.1f} %"
        notes.append(f"'on_inconclusive: fail' alone stops equal models in {share} of the rounds")
    return SelfCheck(rounds, stopped / rounds, found.low or 0.0, found.high or 1.0, lines, notes)


def _relative(trial: Trial) -> bool:
    return trial.metric is not None and trial.demand.key == "max_drop" and bool(trial.at)


def _why_none(every: Sequence[Trial]) -> str:
    """Why no line can be tried: what is wrong with those that compare samples, if any do."""
    found = [one.settled.error for one in every if one.settled is not None and one.settled.error]
    return found[0] if found else "no line of the gate compares samples with a baseline"


def _movable(every: Sequence[Trial], drops: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """What swapping answers changes: lines on a metric of which both sides are known; the rest."""
    known = {_place(trial): trial for trial in drops}
    moved, still = [], []
    for trial in every:
        beside = known.get(_place(trial))
        if trial.metric is None or beside is None:
            still.append(trial)
        else:
            moved.append(replace(trial, metric=beside.metric, at=beside.at))
    return moved, still


def _place(trial: Trial) -> tuple[str, str, str]:
    return trial.demand.cell, trial.demand.metric, trial.demand.group


def _why(trial: Trial) -> str:
    if trial.settled is not None and trial.settled.error:
        return trial.settled.error
    if trial.demand.spec.is_cost:
        return "a cost"
    known = trial.metric is None or trial.demand.key == "max_drop"
    return "nothing to swap" if known else "no line compares this metric with the baseline"


def _notes(drops: Sequence[Trial], trials: Sequence[Trial]) -> list[str]:
    notes = []
    for trial in drops:
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
        found.append(replace(trial, metric=_swap(metric, swap), same=""))
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
        if times * margin > _reachable(metric):
            break  # the scale ends before: no model can be worse by so much
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


def _reachable(metric: Metric) -> float:
    """By how much the candidate's mean can get worse within the metric's range."""
    import numpy as np

    info, mean = metric.info, float(np.nanmean(metric.b.value))
    end = info.low if info.higher_is_better else info.high
    return abs(mean - end) if end is not None else float("inf")


def _line(trial: Trial, drop: float, counts: Mapping[Outcome, int], rounds: int) -> Line:
    shares = {outcome: count / rounds for outcome, count in counts.items()}
    return Line(_name(trial), drop, len(trial.at), shares)


def _name(trial: Trial) -> str:
    demand = trial.demand
    group = f" ({demand.group})" if demand.group else ""
    limit = "" if demand.key in ("max_drop", "limits") else f" {demand.key} {demand.limit:g}"
    return f"{demand.task} {demand.spec.metric}{group}{limit}"


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
