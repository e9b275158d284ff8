"""What larger batches bring: throughput, the batch to take, and what bounds the speed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.results.speed import CellSpeed

SETTING = "batch_size"
NEAR = 0.95
"""Of the best throughput, the share that is as good."""
GAIN = 1.2
"""How much throughput must grow when the batch doubles, for the speed to be bound by memory."""
OPTIMAL_RULE = (
    f"Optimal batch: the smallest with at least {100 * NEAR:g} % of the best throughput "
    "(samples a second)."
)
BOUND_RULE = (
    f"Memory-bound: throughput grows at least {GAIN:g}-fold when the batch doubles, since weights "
    "are read once a batch; compute-bound: it does not. The border is the last batch that such a "
    "step leads to. These are signs from outside, no counters of the device."
)
UNSTEADY = (
    "the times of batch {sizes} spread beyond their mean, so this is uncertain: was the machine "
    "busy, or the warm-up too short?"
)
CPU_NOTE = (
    "On a CPU, the fixed cost of a call (threads, Python) is shared by a batch as the reading of "
    "weights is, so memory-bound may mean either."
)

Bound = Literal["memory-bound", "compute-bound"]


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """A batch size and how fast it was: mean milliseconds a sample and their deviation, tokens a
    second, peak megabytes."""

    batch: int
    ms: float
    std: float | None = None
    tokens_per_s: float | None = None
    memory_mb: float | None = None

    @property
    def per_second(self) -> float:
        """Samples a second."""
        return 1e3 / self.ms


@dataclass(frozen=True)
class Step:
    """From one batch size to the next larger one; ``gain`` is that of throughput per doubling."""

    start: int
    end: int
    gain: float

    @property
    def bound(self) -> Bound:
        """What bounds the speed in this step."""
        return "memory-bound" if self.gain >= GAIN else "compute-bound"


@dataclass(frozen=True)
class Scaling:
    """Batch sizes in rising order, at least two, each once."""

    points: tuple[BatchPoint, ...]

    @classmethod
    def of(cls, points: Iterable[BatchPoint]) -> Scaling:
        """Of points in any order. Raises ValueError for less than two sizes or a size twice."""
        ordered = tuple(sorted(points, key=lambda one: one.batch))
        sizes = [one.batch for one in ordered]
        if len(set(sizes)) != len(sizes) or len(sizes) < 2:
            raise ValueError(f"two different batch sizes at least, each once, not {sizes}")
        return cls(ordered)

    def speed_up(self, point: BatchPoint) -> float:
        """Throughput as a multiple of that of the smallest batch."""
        return self.points[0].ms / point.ms

    @property
    def optimal(self) -> BatchPoint:
        """The smallest batch that is nearly as good as the best."""
        best = max(one.per_second for one in self.points)
        return next(one for one in self.points if one.per_second >= NEAR * best)

    @property
    def unsteady(self) -> list[int]:
        """Batch sizes whose times spread beyond their mean: a few of them decide it."""
        return [one.batch for one in self.points if (one.std or 0.0) > one.ms]

    @property
    def steps(self) -> list[Step]:
        """From each batch size to the next."""
        return [
            Step(a.batch, b.batch, _per_doubling(a, b))
            for a, b in zip(self.points, self.points[1:], strict=False)
        ]

    @property
    def border(self) -> int:
        """Up to this batch, more samples at once are worth it; the smallest if never."""
        ends = [one.end for one in self.steps if one.bound == "memory-bound"]
        return max(ends, default=self.points[0].batch)

    @property
    def verdict(self) -> str:
        """What bounds the speed, in words."""
        first, last = self.points[0].batch, self.points[-1].batch
        if self.border == first:
            return f"compute-bound from batch {first} on"
        if self.border == last:
            return f"memory-bound up to batch {last}, the largest that was measured"
        return f"memory-bound up to batch {self.border}, compute-bound beyond"


def _per_doubling(a: BatchPoint, b: BatchPoint) -> float:
    """The gain of throughput from one batch to the other, if both were a doubling apart."""
    power = math.log2(a.ms / b.ms) / math.log2(b.batch / a.batch)
    return float(2 ** min(power, 1000.0))  # two sizes next to each other: beyond what a float holds


def batch_points(cells: Iterable[CellSpeed]) -> list[BatchPoint]:
    """The cells of a sweep over the batch size that were timed; sizes that are numbers."""
    return [
        BatchPoint(
            int(size),
            one.total.mean,
            one.total.std,
            one.total.tokens_per_s,
            one.total.peak_memory_mb,
        )
        for one in cells
        if one.total.mean and (size := one.settings.get(SETTING, "")).isdecimal()
    ]
