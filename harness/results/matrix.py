"""More than two models on the same samples: do they differ at all, and which from which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from harness.results import multiple, several
from harness.results.aligned import Aligned
from harness.results.compare import (
    Comparison,
    Estimate,
    adjusted,
    compare_kept,
    estimate,
    groups_of,
    is_yes_no,
    kept,
    kept_clusters,
)
from harness.results.corpus import aggregate_of
from harness.results.effects import pseudo_values
from harness.results.metrics import SampleScores
from harness.results.pairs import CellGroup, CompareOptions, Metric, Side, group_cells
from harness.results.run import ScorerInfo
from harness.results.several import Omnibus
from harness.results.stats import group_codes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Matrix:
    """One metric of one task on several sides, over the ``n`` samples that all have a score of.

    ``pairs[i, j]`` with i < j is side j against side i. Their ``p_holm`` is adjusted for the pairs
    of this metric, their ``q`` for those of all metrics compared at once. ``omnibus`` tests whether
    all models are alike (None below two samples); ``omnibus_holm`` is its p, adjusted for
    all metrics. ``left_out`` common samples failed on at least one side.
    """

    sides: tuple[Side, ...]
    task: str
    variant: str
    info: ScorerInfo
    n: int
    left_out: int
    estimates: tuple[Estimate, ...]
    pairs: Mapping[tuple[int, int], Comparison]
    omnibus: Omnibus | None
    omnibus_holm: float = 1.0

    def shown(self, i: int, j: int) -> int:
        """1 if side i is surely better than side j (of a neutral metric: has more), -1 if surely
        worse, else 0."""
        pair = self.pairs[min(i, j), max(i, j)]
        if not pair.holds:
            return 0
        later = 1 if pair.verdict.startswith(("better", "more")) else -1
        return later if i > j else -later


def make_matrices(
    groups: Sequence[Sequence[Side]], options: CompareOptions
) -> tuple[list[Matrix], list[str]]:
    """A matrix for each metric of each task of each group of sides, and notes on them.

    Raises StoreError and SelectionError as ``group_cells`` does.
    """
    found: list[Matrix] = []
    notes: list[str] = []
    for sides in groups:
        for group in group_cells(sides, options):
            found += [_matrix(tuple(sides), group, metric) for metric in group.metrics]
            notes += group.notes
    return _adjusted(found), notes


def _matrix(sides: tuple[Side, ...], group: CellGroup, metric: Aligned) -> Matrix:
    import numpy as np

    ok = np.logical_and.reduce([scores.ok for scores in metric.sides])
    scores = [kept(one, ok) for one in metric.sides]
    clusters = kept_clusters(metric.clusters, ok)
    groups = groups_of(clusters)
    left_out = len(metric.ids) - len(scores[0].ids)
    estimates = tuple(
        estimate(metric.info, one, groups, whole)
        for one, whole in zip(scores, metric.sides, strict=True)
    )
    pairs = {}
    for i, j in combinations(range(len(sides)), 2):
        cut = Metric(metric.info, scores[i].ids, scores[i], scores[j], clusters)
        of_both = (estimates[i], estimates[j])
        pairs[i, j] = compare_kept((sides[i], sides[j]), group.cells[0], cut, of_both, left_out)
    return Matrix(
        sides=sides,
        task=group.cells[0].task,
        variant=group.cells[0].variant,
        info=metric.info,
        n=len(scores[0].ids),
        left_out=left_out,
        estimates=estimates,
        pairs=pairs,
        omnibus=_omnibus(metric.info, scores, groups),
    )


def _omnibus(
    info: ScorerInfo, scores: Sequence[SampleScores], groups: Sequence[str | None] | None
) -> Omnibus | None:
    """Cochran's Q of yes/no values, else analysis of variance with repeated measures.

    Of a corpus metric, the samples' contributions stand for their values; clusters count as one
    sample each.
    """
    import numpy as np

    if info.aggregate == "mean":
        columns = [one.value for one in scores]
    else:
        aggregate = aggregate_of(info.aggregate)
        columns = [pseudo_values(one.detail, aggregate) for one in scores]
    values = np.asarray(columns, dtype=np.float64).T
    codes = group_codes(groups, len(values))
    if codes is not None:
        values = _by_cluster(values, codes)
    if len(values) < 2 or not np.isfinite(values).all():  # a perplexity may be infinite
        return None
    if codes is None and is_yes_no(info, scores):
        return several.cochran_q(values)
    return several.repeated_anova(values)


def _by_cluster(values: Floats, codes: NDArray[np.intp]) -> Floats:
    """One row for each cluster, the sum of its samples, in units of a cluster of mean size."""
    import numpy as np

    sums = np.stack([np.bincount(codes, weights=column) for column in values.T], axis=1)
    found: Floats = np.asarray(sums * (len(sums) / len(values)), dtype=np.float64)
    return found


def _adjusted(matrices: Sequence[Matrix]) -> list[Matrix]:
    tests = [one.omnibus.p if one.omnibus else 1.0 for one in matrices]
    everything = [pair.difference.p for one in matrices for pair in one.pairs.values()]
    q = iter(multiple.benjamini_hochberg(everything))
    found = []
    for matrix, p in zip(matrices, multiple.holm(tests), strict=True):
        rows = [replace(row, q=next(q)) for row in adjusted(list(matrix.pairs.values()))]
        pairs = dict(zip(matrix.pairs, rows, strict=True))
        found.append(replace(matrix, pairs=pairs, omnibus_holm=p))
    return found
