"""Models against each other on a board: each against its baseline, and as many other pairs as can
be had in a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from harness.errors import HarnessError
from harness.leaderboard.gather import Bench, Board, BoardCell
from harness.leaderboard.scripts import finite
from harness.leaderboard.views import Delta, DeltaKind
from harness.results.compare import Comparison, adjusted, compare_metric
from harness.results.pairs import CellPair, CompareOptions, Side, pair_cells
from harness.results.render import number

Key = tuple[str, str, str, str, str]
"""Task, variant, metric, the model compared with, the model."""
MOST_OTHERS = 400
"""Comparisons beyond those with baselines: the page itself computes what is asked beside them."""
MOST_VALUES = 3_000_000
"""Scores that those may read."""


@dataclass(frozen=True)
class Deltas:
    """What could be compared, and why the rest could not.

    p values are adjusted by Holm, as those of `harness report` are, within three families: the
    first metrics of tasks against baselines, all other metrics against baselines, and the pairs
    without a baseline among them. ``families`` says how many comparisons each was adjusted for.
    """

    found: Mapping[Key, Comparison] = field(default_factory=dict)
    refused: Mapping[tuple[str, str, str, str], str] = field(default_factory=dict)
    """(task, variant, baseline, model) -> why they are not compared."""
    families: Mapping[Key, int] = field(default_factory=dict)

    def of(self, bench: Bench, metric: str, base: str, model: str) -> Delta | None:
        """A model against its baseline, in words; None if that metric has no such thing."""
        key = (bench.task, bench.variant, metric, base, model)
        known = self.found.get(key)
        if known is not None and known.n:
            return delta_of(known, self.families.get(key, 0))
        if known is not None:
            title = f"no sample has a score of both {base} and {model}"
            return Delta(0.0, None, None, "-", "nothing to compare", "mismatch", title)
        why = self.refused.get((bench.task, bench.variant, base, model))
        if why is None:
            return None
        title = f"not compared with {base}: {why}"
        return Delta(0.0, None, None, "", "not comparable", "mismatch", title)

    def differ(self, bench: Bench, metric: str, a: str, b: str) -> bool:
        """Whether two models were compared, either way round, and the difference is real."""
        ways = ((bench.task, bench.variant, metric, *pair) for pair in ((a, b), (b, a)))
        known = (self.found.get(key) for key in ways)
        return any(
            one is not None and one.n and _verdict(one)[1].startswith("real") for one in known
        )


def find_deltas(board: Board) -> Deltas:
    """Compare every model with its baseline, and other models of a task with each other."""
    refused: dict[tuple[str, str, str, str], str] = {}
    main = {(bench.task, bench.variant, bench.primary) for bench in board.scored}
    first: list[Comparison] = []
    others: list[Comparison] = []
    for row in _compared(board, _baseline_pairs(board), refused):
        (first if (row.task, row.variant, row.metric) in main else others).append(row)
    apart = list(_compared(board, _other_pairs(board), {}))
    found: dict[Key, Comparison] = {}
    sizes: dict[Key, int] = {}
    for family in (first, others, apart):
        for row in adjusted(family):
            key = (row.task, row.variant, row.metric, row.a.model, row.b.model)
            found[key], sizes[key] = row, len(family)
    return Deltas(found, refused, sizes)


Pair = tuple[Bench, str, str]


def _baseline_pairs(board: Board) -> Iterator[Pair]:
    for bench in board.scored:
        models = _scored(bench)
        for model in models:
            base = board.baselines.get(model)
            if base in models:
                yield bench, str(base), model


def _scored(bench: Bench) -> list[str]:
    """The models whose scores are results."""
    return [model for model, cell in bench.cells.items() if not bench.is_profile(cell)]


def _other_pairs(board: Board) -> Iterator[Pair]:
    """Pairs without a baseline among them, as many as the limits allow, small tasks first."""
    known = {(bench.task, bench.variant, a, b) for bench, a, b in _baseline_pairs(board)}
    order = list(board.models)
    left, values = MOST_OTHERS, MOST_VALUES
    for bench in sorted(board.scored, key=lambda one: one.newest.record.samples):
        models = _scored(bench)
        metrics = sum(not info.criterion for info in bench.scorers)
        for a, b in combinations([m for m in order if m in models], 2):
            place = (bench.task, bench.variant)
            if (*place, a, b) in known or (*place, b, a) in known:
                continue
            left -= metrics
            values -= metrics * bench.newest.record.samples
            if left < 0 or values < 0:
                return
            yield bench, a, b


def _compared(
    board: Board, pairs: Iterator[Pair], refused: dict[tuple[str, str, str, str], str]
) -> Iterator[Comparison]:
    for bench, a, b in pairs:
        left, right = side_of(bench.cells[a]), side_of(bench.cells[b])
        place = (bench.task, bench.variant, a, b)
        try:
            pair = _pair(left, right, bench)
        except HarnessError as error:  # they share no sample, or no metric
            refused[place] = str(error)
            continue
        if pair is None:
            continue
        if pair.reasons:
            refused[place] = "; ".join(pair.reasons)
            continue
        for metric in pair.metrics:
            yield compare_metric(left, right, pair, metric)


def _pair(a: Side, b: Side, bench: Bench) -> CellPair | None:
    options = CompareOptions(tasks=(bench.task,), variant=bench.variant, collect_reasons=True)
    return next((one for one in pair_cells(a, b, options) if one.a.task == bench.task), None)


def side_of(cell: BoardCell) -> Side:
    """A cell's model in its run."""
    return Side(cell.run, cell.record.model)


# --------------------------------------------------------------------------- words


def delta_of(found: Comparison, family: int = 0) -> Delta:
    """A comparison as the site tells it; ``family`` is how many its p was adjusted for."""
    d = found.difference
    kind, words = _verdict(found)
    return Delta(
        value=d.value,
        low=d.interval.low,
        high=d.interval.high,
        text=number(d.value, sign=True),
        words=words,
        kind=kind,
        title=sentence(found, family),
    )


def _verdict(found: Comparison) -> tuple[DeltaKind, str]:
    said = found.verdict
    if said.startswith(("no pairs", "too few")):
        return "few", "too few samples"
    if not found.claimed:
        return "none", "no difference seen" if "seen" in said else "difference includes zero"
    kind: DeltaKind = "better"
    for word in ("worse", "more", "fewer"):
        kind = word if said.startswith(word) else kind
    if not found.holds:
        return "none", "not real after correction"
    if "content not shown" in said:
        return kind, "real, perhaps only in form"
    return kind, "real"


def sentence(found: Comparison, family: int = 0) -> str:
    """Everything that stands behind a difference, in one sentence."""
    d, n = found.difference, found.n
    before, after = number(found.before.value), number(found.after.value)
    parts = [f"{found.metric}: {before} to {after}, {number(d.value, sign=True)}"]
    if d.interval.low is not None and d.interval.high is not None:
        parts[0] += f" [{number(d.interval.low)}, {number(d.interval.high)}]"
    many = f" for {family} comparisons" if family else ""
    parts.append(f"p {_p(d.p)}, after Holm's correction{many} {_p(found.p_holm)}")
    better = "higher" if found.neutral else "better"
    parts.append(f"{found.wins} {better}, {d.ties} equal, {found.losses} not, of {n}")
    if found.left_out:
        parts.append(f"{found.left_out} left out, failed on a side")
    if found.effect.mde is not None:
        parts.append(f"with so few samples {number(found.effect.mde)} could be detected")
    return "; ".join(parts)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


FIELDS = (
    "task", "variant", "metric", "a", "b", "n", "before", "after", "diff", "low", "high", "p",
    "p_holm", "wins", "ties", "losses", "words", "kind", "method",
)  # fmt: skip


def comparison_rows(deltas: Deltas) -> list[Sequence[str | float | int | None]]:
    """The comparisons as rows of FIELDS."""
    rows: list[Sequence[str | float | int | None]] = []
    for (task, variant, metric, a, b), found in deltas.found.items():
        if not found.n:
            continue  # nothing was measured on both sides: the page says so by itself
        d, told = found.difference, delta_of(found)
        ends = (found.before.value, found.after.value)
        values = map(finite, (*ends, d.value, told.low, told.high, d.p, found.p_holm))
        counts = (found.wins, d.ties, found.losses)
        end = (told.words, told.kind, d.interval.method)
        rows.append((task, variant, metric, a, b, found.n, *values, *counts, *end))
    return rows


def refused_rows(deltas: Deltas) -> list[Sequence[str]]:
    """What could not be compared: task, variant, the model compared with, the model, and why."""
    return [(*place, why) for place, why in deltas.refused.items()]
