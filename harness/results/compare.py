"""Two models on the same samples: which differences are real, and which of those are content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.results import differences, multiple, stats
from harness.results.corpus import aggregate_of
from harness.results.differences import Difference
from harness.results.effects import Effect, effect_of_corpus, effect_of_means
from harness.results.manifest import CellRecord
from harness.results.metrics import SampleScores, summary
from harness.results.pairs import CellPair, CompareOptions, Metric, Side, find_sides, pair_cells
from harness.results.run import ScorerInfo
from harness.results.stats import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Groups = Sequence[str | None] | None

ALPHA = 1 - stats.LEVEL
CLAIMS = ("better", "worse", "more", "fewer")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One side's metric over the paired samples."""

    value: float | None
    interval: Interval
    control: float | None
    failed: int
    """Samples of both sides' common set that this side has no score of."""


@dataclass(frozen=True)
class Comparison:
    """One metric of one task, b against a.

    ``content`` is the paired difference of what lies above the control (overlap metrics that are
    means only: a corpus metric's control is on the scale of single samples). ``neutral`` metrics
    have no better side: wins are then the pairs in which b is higher.
    ``left_out`` common samples failed on either side. ``p_holm`` (chance of any false alarm) and
    ``q`` (Benjamini-Hochberg: share of false alarms among what is claimed) are adjusted for all
    metrics that were compared at once; ``holds`` says whether the verdict survives the former.
    """

    a: Side
    b: Side
    task: str
    variant: str
    metric: str
    higher_is_better: bool
    n: int
    left_out: int
    before: Estimate
    after: Estimate
    difference: Difference
    content: Difference | None
    effect: Effect
    verdict: str
    neutral: bool = False
    p_holm: float = 1.0
    q: float = 1.0
    judge: str = ""
    """The judge whose word the values are; empty for a metric."""
    kappa: float | None = None

    @property
    def wins(self) -> int:
        """Pairs in which b is better."""
        return self.difference.wins if self._upwards else self.difference.losses

    @property
    def losses(self) -> int:
        """Pairs in which b is worse."""
        return self.difference.losses if self._upwards else self.difference.wins

    @property
    def effect_size(self) -> float | None:
        """Positive if b is better (of a neutral metric: higher)."""
        size = self.effect.size
        return size if size is None or self._upwards else 0.0 - size

    @property
    def _upwards(self) -> bool:
        return self.higher_is_better or self.neutral

    @property
    def claimed(self) -> bool:
        """Whether the verdict says that there is a difference."""
        return self.verdict.startswith(CLAIMS)

    @property
    def holds(self) -> bool:
        """Whether a difference is claimed and still significant among so many comparisons."""
        return self.claimed and self.p_holm < ALPHA


def compare(
    root: Path, a: str, b: str, options: CompareOptions
) -> tuple[list[Comparison], list[str]]:
    """Compare what two words on the command line mean; the comparisons, and notes on them.

    Raises StoreError and SelectionError as ``find_sides`` and ``pair_cells`` do.
    """
    return compare_sides(find_sides(root, a, b), options)


def compare_sides(
    sides: Sequence[tuple[Side, Side]], options: CompareOptions
) -> tuple[list[Comparison], list[str]]:
    """Compare pairs of sides; all p values are adjusted together. Raises as ``pair_cells`` does."""
    rows: list[Comparison] = []
    notes: list[str] = []
    for left, right in sides:
        for pair in pair_cells(left, right, options):
            rows += [compare_metric(left, right, pair, metric) for metric in pair.metrics]
            notes += pair.notes
    return adjusted(rows), notes


def adjusted(rows: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with p values adjusted for all of them."""
    p = [row.difference.p for row in rows]
    found = zip(rows, multiple.holm(p), multiple.benjamini_hochberg(p), strict=True)
    return [replace(row, p_holm=float(p_holm), q=float(q)) for row, p_holm, q in found]


def compare_metric(a: Side, b: Side, pair: CellPair, metric: Metric) -> Comparison:
    """One metric over the samples that have a score on both sides."""
    both = metric.a.ok & metric.b.ok
    left, right = kept(metric.a, both), kept(metric.b, both)
    clusters = kept_clusters(metric.clusters, both)
    cut = Metric(metric.info, left.ids, left, right, clusters)
    groups = groups_of(clusters)
    before = estimate(metric.info, left, groups, metric.a)
    after = estimate(metric.info, right, groups, metric.b)
    return compare_kept((a, b), pair.a, cut, (before, after), len(metric.ids) - len(left.ids))


def compare_kept(
    sides: tuple[Side, Side],
    cell: CellRecord,
    metric: Metric,
    estimates: tuple[Estimate, Estimate],
    left_out: int,
) -> Comparison:
    """One metric of which every sample has a score on both sides."""
    info, a, b = metric.info, metric.a, metric.b
    groups = groups_of(metric.clusters)
    difference = _difference(info, a, b, groups)
    content = _content(info, a, b, groups)
    return Comparison(
        a=sides[0],
        b=sides[1],
        task=cell.task,
        variant=cell.variant,
        metric=info.name,
        higher_is_better=info.higher_is_better,
        n=len(metric.ids),
        left_out=left_out,
        before=estimates[0],
        after=estimates[1],
        difference=difference,
        content=content,
        effect=_effect((a, b), info, groups, difference),
        verdict=verdict(difference, content, info, binary=is_yes_no(info, (a, b))),
        neutral=info.neutral,
        judge=info.judge,
        kappa=info.kappa,
    )


def kept(scores: SampleScores, wanted: NDArray[np.bool_]) -> SampleScores:
    """The scores of the wanted samples; those given, if all are wanted."""
    return scores if wanted.all() else scores.take(wanted.nonzero()[0])


def kept_clusters(clusters: list[str | None], wanted: NDArray[np.bool_]) -> list[str | None]:
    """The clusters of the wanted samples."""
    return clusters if wanted.all() else list(compress(clusters, wanted.tolist()))


def groups_of(clusters: Sequence[str | None]) -> Groups:
    """The clusters, or None if no sample is in any."""
    return clusters if any(cluster is not None for cluster in clusters) else None


def is_yes_no(info: ScorerInfo, sides: Sequence[SampleScores]) -> bool:
    """Whether a metric says yes or no of each sample, as all these values do."""
    proportion = info.aggregate == "mean" and info.kind != "number"
    return proportion and all(stats.is_binary(scores.value) for scores in sides)


def verdict(
    difference: Difference, content: Difference | None, info: ScorerInfo, *, binary: bool
) -> str:
    """The result in words.

    A difference is real if its interval excludes zero and its p is below 5 %: the two come from
    different tests, and where they disagree nothing is claimed.
    """
    d = difference
    if d.n == 0:
        return "no pairs"
    if differences.best_possible_p(d.clusters, binary=binary and d.clusters == d.n) >= ALPHA:
        return f"too few (n={d.clusters}{' clusters' if d.clusters != d.n else ''})"
    if d.wins == d.losses == 0:
        return "no difference seen"
    if not _real(d):
        return "no difference shown"
    if info.neutral:
        return "more" if d.value > 0 else "fewer"
    up = info.higher_is_better
    if (d.value > 0) != up:
        return "worse"
    if content is not None and not (_real(content) and (content.value > 0) == up):
        return "better, content not shown"
    return "better"


def _real(d: Difference) -> bool:
    if d.p >= ALPHA:
        return False
    # the same difference in every pair has no interval; the signs alone must speak
    return d.interval.excludes(0.0) if d.interval.known else d.value != 0


def _difference(info: ScorerInfo, a: SampleScores, b: SampleScores, groups: Groups) -> Difference:
    numeric = info.kind == "number"
    by_value = differences.paired_difference(a.value, b.value, groups, numeric=numeric)
    if info.aggregate == "mean":
        return _possible(by_value, info.span)
    aggregate = aggregate_of(info.aggregate)
    found = differences.paired_corpus_difference(a.detail, b.detail, aggregate, groups)
    # a sample's own value, as shown elsewhere, says better who wins it than its raw counts do
    return replace(found, wins=by_value.wins, ties=by_value.ties, losses=by_value.losses)


def _effect(
    sides: tuple[SampleScores, SampleScores], info: ScorerInfo, groups: Groups, found: Difference
) -> Effect:
    a, b = sides
    binary = is_yes_no(info, sides)
    if info.aggregate == "mean":
        effect = effect_of_means(a.value, b.value, groups, binary=binary)
    else:
        effect = effect_of_corpus(a.detail, b.detail, aggregate_of(info.aggregate), groups)
    unclustered = binary and found.clusters == found.n
    if differences.best_possible_p(found.clusters, binary=unclustered) >= ALPHA:
        return replace(effect, mde=None)  # so few pairs can show nothing
    return effect


def _possible(found: Difference, most: float | None) -> Difference:
    """The difference with its interval cut to what values within their bounds can differ by."""
    if most is None:
        return found
    kept = found.interval.within(min(-most, found.value), max(most, found.value))
    return replace(found, low=kept.low, high=kept.high)


def _content(
    info: ScorerInfo, a: SampleScores, b: SampleScores, groups: Groups
) -> Difference | None:
    """Difference of value less control; None if the metric has no control on its own scale."""
    import numpy as np

    if info.aggregate != "mean":
        return None
    known = np.isfinite(a.control) & np.isfinite(b.control)
    if not known.any():
        return None
    left, right = (a.value - a.control)[known], (b.value - b.control)[known]
    within = None if groups is None else list(compress(groups, known.tolist()))
    found = differences.paired_difference(left, right, within, numeric=True)
    return _possible(found, None if info.span is None else 2 * info.span)


def estimate(info: ScorerInfo, kept: SampleScores, groups: Groups, whole: SampleScores) -> Estimate:
    """One side's metric over the samples that are kept, and how many of the whole failed."""
    value, interval, control = summary(kept, info, groups)
    return Estimate(value, interval, control, int((~whole.ok).sum()))
