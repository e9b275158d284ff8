"""What every scorer is: samples and their completions in, one score each out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal, Protocol

from harness.records import Completion, OutputType, Sample, Score

if TYPE_CHECKING:
    from harness.adapters.embedding import VectorStore


@dataclass(frozen=True, slots=True)
class ScorerContext:
    """What a scorer may know beside its spec.

    ``answer`` is how a choice was asked for, if that was said. ``root`` is where a relative path of
    an encoder starts. ``seed`` decides which other samples serve as the control.
    ``pattern_seconds`` is how long a task's pattern may look at one answer.
    """

    seed: int = 0
    output_type: OutputType = "generate"
    answer: Literal["letter", "text"] | None = None
    embedding_store: VectorStore | None = None
    root: Path = Path(".")
    pattern_seconds: float = 5.0


Kind = Literal["proportion", "number"]


@dataclass(frozen=True, slots=True)
class Scale:
    """What the values of a metric can be.

    A "proportion" is 0 or 1 for each sample, however few of them were seen; anything else is a
    "number". No value lies below ``low`` or above ``high`` (None: no bound). ``neutral`` metrics
    have more and less, but no better and worse.
    """

    kind: Kind = "number"
    low: float | None = None
    high: float | None = None
    neutral: bool = False


PROPORTION = Scale("proportion", 0.0, 1.0)
SHARE = Scale("number", 0.0, 1.0)
COSINE = Scale("number", -1.0, 1.0)
PERCENT = Scale("number", 0.0, 100.0)
COUNT = Scale("number", 0.0, None, neutral=True)


class Scorer(Protocol):
    """One metric.

    ``name`` is what tables show (``rouge_l``, ``semantic_similarity[minilm-l6]``), ``version`` is
    raised whenever the same answer would get another value, ``method`` says in one line what
    exactly is computed.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def scale(self) -> Scale: ...

    @property
    def method(self) -> str: ...

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """One score for each completion, in the same order; ``samples[i]`` is what was asked.

        A sample may stand there several times (epochs). A failed completion gets
        `Score.of_failure`. Values do not depend on the order.
        """
        ...

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The metric of all scores together; None if none of them is ok."""
        ...


def mean_of(scores: Sequence[Score]) -> float | None:
    """Mean of the values that are ok; the corpus value of every metric that is a mean."""
    values = [score.value for score in scores if score.value is not None]
    return fmean(values) if values else None


def mean_control(scores: Sequence[Score]) -> float | None:
    """Mean of the controls: what the same answers score against other samples' references.

    A control is always the mean of per-sample values, also for `bleu` and `chrf`.
    """
    values = [score.control for score in scores if score.control is not None]
    return fmean(values) if values else None


def sum_details(scores: Sequence[Score]) -> tuple[float, ...] | None:
    """Component-wise sum of the sufficient statistics of all scores that are ok."""
    rows = [score.detail for score in scores if score.value is not None]
    return tuple(math.fsum(column) for column in zip(*rows, strict=True)) if rows else None
