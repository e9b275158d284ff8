"""Scores of a cell to its metrics: one number with an interval, and everything left out counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.results import stats
from harness.results.corpus import aggregate_of
from harness.results.questions import questions
from harness.results.run import JUDGE_ERROR, CellResult, MetricRow, ScorerInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STATUS = {"ok": 0, "skipped": 1, "error": 2}
_OK, _SKIPPED, _ERROR = STATUS["ok"], STATUS["skipped"], STATUS["error"]


@dataclass(frozen=True)
class ScoreColumns:
    """Scores of one scorer on one cell as parallel columns, one entry for each completion.

    ``detail`` is needed for corpus metrics only, and otherwise empty: its length may vary then.
    """

    samples: Sequence[str]
    value: Sequence[float | None]
    control: Sequence[float | None]
    detail: Sequence[Sequence[float]]
    status: Sequence[str]


@dataclass(frozen=True)
class ScoreArrays:
    """Scores of one scorer as arrays, an entry for each completion.

    ``at[i]`` is the place of completion i's sample in ``ids``; ``value`` and ``control`` are nan
    where there is none; ``detail`` has a row of statistics for each completion, of no columns but
    for a corpus metric; ``status`` has the numbers of STATUS.
    """

    ids: list[str]
    at: NDArray[np.intp]
    value: Floats
    control: Floats
    detail: Floats
    status: NDArray[np.int8]


@dataclass(frozen=True)
class SampleScores:
    """Scores with the epochs of each sample averaged; one entry for each sample.

    ``value`` and ``control`` are nan where there is none. ``detail`` has the mean of the sample's
    statistics over its epochs (a sum would make BLEU's smoothing depend on their number), or no
    columns. A sample with any failed epoch is failed as a whole: its
    other epochs are those that happened to work, and no fair stand-in.
    """

    ids: list[str]
    value: Floats
    control: Floats
    detail: Floats
    status: NDArray[np.int8]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which samples stand in the mean."""
        found: NDArray[np.bool_] = self.status == _OK
        return found

    def take(self, at: Sequence[int] | NDArray[np.intp]) -> SampleScores:
        """The samples at these places, in this order."""
        import numpy as np

        places = np.asarray(at, dtype=np.intp)
        return SampleScores(
            [self.ids[i] for i in places.tolist()],
            self.value[places],
            self.control[places],
            self.detail[places],
            self.status[places],
        )


def cell_metrics(cell: CellResult, scorers: Sequence[ScorerInfo] | None = None) -> list[MetricRow]:
    """One row for each scorer of the cell (or for those given)."""
    clusters = {sample.id: sample.cluster for sample in cell.samples}
    truncated = {row.sample for row in cell.completions if row.completion.truncated}
    order = [row.sample for row in cell.completions]
    rows = []
    for info in cell.scorers if scorers is None else scorers:
        scores = cell.scores[info.name]
        columns = ScoreColumns(
            order,
            [score.value for score in scores],
            [score.control for score in scores],
            [score.detail for score in scores] if info.aggregate != "mean" else [],
            [score.status for score in scores],
        )
        found = by_sample(columns)
        own = clusters
        if info.aggregate == "circular":
            own = {**clusters, **questions(cell.samples)}
        groups = [own.get(sample) for sample in found.ids]
        row = _row(cell, info, found, groups, len(truncated))
        unjudged = {
            sample
            for sample, score in zip(order, scores, strict=True)
            if score.status == "error" and (score.explanation or "").startswith(JUDGE_ERROR)
        }
        rows.append(replace(row, n_judge_error=len(unjudged)))
    return rows


def by_sample(columns: ScoreColumns) -> SampleScores:
    """Average the epochs of each sample; samples stand in order of first appearance."""
    import numpy as np

    index: dict[str, int] = {}
    at = np.array([index.setdefault(one, len(index)) for one in columns.samples], dtype=np.intp)
    value = np.array([np.nan if one is None else one for one in columns.value], dtype=np.float64)
    control = np.array([np.nan if one is None else one for one in columns.control], dtype=float)
    status = np.array([STATUS[one] for one in columns.status], dtype=np.int8)
    return averaged(
        ScoreArrays(list(index), at, value, control, _matrix(columns.detail, len(at)), status)
    )


def averaged(rows: ScoreArrays) -> SampleScores:
    """Average the epochs of each sample, samples in the order of ``rows.ids``."""
    import numpy as np

    at, size = rows.at, len(rows.ids)
    # a score that is no number is no score
    code = np.where((rows.status == _OK) & ~np.isfinite(rows.value), _ERROR, rows.status)
    status = np.zeros(size, dtype=np.int8)
    np.maximum.at(status, at, code.astype(np.int8))
    count = np.maximum(np.bincount(at, minlength=size), 1)
    mean = np.bincount(at, np.where(code == _OK, rows.value, 0.0), minlength=size) / count
    mean[status != _OK] = np.nan
    control = np.bincount(at, rows.control, minlength=size) / count
    control[status != _OK] = np.nan
    detail = np.zeros((size, rows.detail.shape[1]))
    for i, column in enumerate(rows.detail.T):
        detail[:, i] = np.bincount(at, column, minlength=size) / count
    detail[status != _OK] = 0.0
    return SampleScores(rows.ids, mean, control, detail, status)


def summary(
    scores: SampleScores, info: ScorerInfo, clusters: Sequence[str | None] | None
) -> tuple[float | None, stats.Interval, float | None]:
    """Value, interval and control of a metric over the samples that have a score.

    The control is always a mean over samples, also beside a corpus metric.
    """
    import numpy as np

    ok = scores.ok
    if not ok.any():
        return None, stats.Interval(None, None, "no samples"), None
    known = np.isfinite(scores.control) & ok
    control = float(scores.control[known].mean()) if known.any() else None
    groups = clusters and [clusters[int(i)] for i in np.flatnonzero(ok)]
    if info.aggregate == "mean":
        values = scores.value[ok]
        found = stats.mean_interval(values, groups, numeric=info.kind == "number")
        value = float(values.mean())
        return value, _around(found.within(info.low, info.high), value), control
    counts, aggregate = scores.detail[ok], aggregate_of(info.aggregate)
    value = float(aggregate(counts.sum(axis=0, keepdims=True))[0])
    return value, _around(stats.corpus_interval(counts, aggregate, groups), value), control


def _row(
    cell: CellResult,
    info: ScorerInfo,
    scores: SampleScores,
    clusters: Sequence[str | None],
    n_truncated: int,
) -> MetricRow:
    value, interval, control = summary(scores, info, clusters)
    return MetricRow(
        cell=cell.cell_id,
        task=cell.task,
        model=cell.model,
        variant=cell.variant,
        metric=info.name,
        value=value,
        low=interval.low,
        high=interval.high,
        n=int(scores.ok.sum()),
        n_error=int((scores.status == _ERROR).sum()),
        n_skipped=int((scores.status == _SKIPPED).sum()),
        n_truncated=n_truncated,
        control=control,
        method=interval.method,
        higher_is_better=info.higher_is_better,
    )


def _matrix(details: Sequence[Sequence[float]], size: int) -> Floats:
    """Statistics of each completion as a row; failed completions have none and get zeros."""
    import numpy as np

    width = max((len(one) for one in details), default=0)
    if not width:
        return np.zeros((size, 0))
    zeros = (0.0,) * width
    return np.array([one or zeros for one in details], dtype=np.float64)


def _around(interval: stats.Interval, value: float) -> stats.Interval:
    """An interval that holds its own estimate, which percentiles of small samples and a value
    rounded past its bound do not ensure."""
    if interval.low is None or interval.high is None:
        return interval
    return stats.Interval(min(interval.low, value), max(interval.high, value), interval.method)
