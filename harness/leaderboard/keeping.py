"""Samples whose texts a site keeps however few it may keep: failures, and where models differ."""

from __future__ import annotations

from collections.abc import Sequence

from harness.leaderboard.gather import BoardCell
from harness.leaderboard.samples import Shown
from harness.results.aligned import read_scores
from harness.results.run import ScorerInfo

APART = 0.5
"""Share of a metric's range by which models must differ, if it is no matter of yes or no."""


def failures(cells: Sequence[BoardCell], shown: Shown) -> set[int]:
    """Samples that some model failed on, or some judge."""
    found: set[int] = set()
    for cell in cells:
        for scores in read_scores(cell.run, cell.record, cell.record.scorers).values():
            bad = (
                sample for sample, ok in zip(scores.ids, scores.ok.tolist(), strict=True) if not ok
            )
            found.update(shown.index[sample] for sample in bad)
    return found


def disagreements(cells: Sequence[BoardCell], shown: Shown) -> set[int]:
    """Samples on which models differ in the task's first metric: one is right and another wrong,
    or they lie more than half of the metric's range (of the observed one, if it has none) apart."""
    import numpy as np

    infos = {cell.place[2]: _first(cell) for cell in cells}
    if len(infos) < 2:
        return set()
    low, high = np.full(shown.count, np.inf), np.full(shown.count, -np.inf)
    for cell in cells:
        info = infos[cell.place[2]]
        if info is None:
            continue
        scores = read_scores(cell.run, cell.record, [info])[info.name]
        at = np.array([shown.index[sample] for sample in scores.ids], dtype=int)[scores.ok]
        low[at] = np.minimum(low[at], scores.value[scores.ok])
        high[at] = np.maximum(high[at], scores.value[scores.ok])
    seen = np.isfinite(low)
    first = next((info for info in infos.values() if info is not None), None)
    if first is None or not seen.any():
        return set()
    span = first.span or float(high[seen].max() - low[seen].min())
    spread = np.where(seen, high - low, 0.0)
    return set(np.flatnonzero((spread > APART * span) & (spread > 0)).tolist())


def _first(cell: BoardCell) -> ScorerInfo | None:
    return next((i for i in cell.record.scorers if not (i.criterion or i.opponent)), None)
