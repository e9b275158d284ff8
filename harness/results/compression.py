"""What smaller weights cost and bring: score lost, megabytes and milliseconds saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.results.speed import CellSpeed

SETTINGS = ("quantize", "dtype")
Size = Literal["weights in memory", "weights on disk", "peak memory"]
SIZES: tuple[Size, ...] = get_args(Size)
RULE = (
    "Ratio: size of the reference by one's own. Resilience: drop by ratio, the less the better. "
    "Drop: score lost against the reference, less than 0 if it is better; whether it is more than "
    "chance, `harness compare` says."
)
_QUANTIZED = ("none", "int8", "nf4")
_PLAIN = ("float32", "auto", "", "bfloat16", "float16")
"""Number formats, the ones to be the reference first first."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A quantization or number format: the score with more being better, how fast, how large."""

    name: str
    score: float | None
    ms: float | None
    sizes: dict[Size, float]


@dataclass(frozen=True, slots=True)
class Compressed:
    """Against the reference; None where a number is missing."""

    name: str
    score: float | None
    size_mb: float | None
    drop: float | None
    ratio: float | None
    speed_up: float | None

    @property
    def resilience(self) -> float | None:
        """Score lost for each time that the weights are smaller."""
        return None if self.drop is None or not self.ratio else self.drop / self.ratio


@dataclass(frozen=True)
class Compression:
    """A sweep, the reference first, and what its sizes are of (None: they are not known)."""

    rows: tuple[Compressed, ...]
    size: Size | None

    def greatest(self, tolerance: float) -> Compressed | None:
        """The smallest weights whose drop is at most ``tolerance``; of equal ones the better."""
        good = [
            one
            for one in self.rows
            if one.ratio is not None and one.drop is not None and one.drop <= tolerance
        ]
        return max(good, key=lambda one: (one.ratio or 0.0, -(one.drop or 0.0)), default=None)


def compression(weighed: Sequence[Weighed]) -> Compression:
    """Everything against the first.

    Sizes are those of the weights in memory, if all are known: weights that are quantized while
    they are loaded are as large on disk as before. Else those on disk, if they differ; else the
    peak of memory, which holds more than weights; else none.
    """
    size = next((kind for kind in SIZES if _tells(kind, weighed)), None)
    first = weighed[0]
    rows = []
    for one in weighed:
        own, whole = (w.sizes.get(size) if size else None for w in (one, first))
        drop = None if one.score is None or first.score is None else first.score - one.score
        rows.append(
            Compressed(
                name=one.name,
                score=one.score,
                size_mb=own,
                drop=drop,
                ratio=whole / own if whole and own else None,
                speed_up=first.ms / one.ms if first.ms and one.ms else None,
            )
        )
    return Compression(tuple(rows), size)


def _tells(kind: Size, weighed: Sequence[Weighed]) -> bool:
    found = [one.sizes.get(kind) for one in weighed]
    return all(found) and (kind == "weights in memory" or len(set(found)) > 1)


def in_order(cells: Sequence[CellSpeed]) -> list[CellSpeed]:
    """The reference first: not quantized, in float32, or else in what the card says of itself."""

    def rank(one: CellSpeed) -> tuple[int, int]:
        bits, dtype = one.settings.get("quantize", "none"), one.settings.get("dtype", "")
        places = ((bits, _QUANTIZED), (dtype, _PLAIN))
        first, then = (known.index(name) if name in known else 9 for name, known in places)
        return first, then

    return sorted(cells, key=rank)


def sizes_of(cell: CellSpeed) -> dict[Size, float]:
    """The sizes that are known of a cell's model."""
    row = cell.total
    found = zip(SIZES, (row.weights_mb, row.size_mb, row.peak_memory_mb), strict=True)
    return {kind: value for kind, value in found if value}
