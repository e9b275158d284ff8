"""What all overlap metrics share: an answer against its reference, and against others'."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean
from typing import ClassVar, Generic, TypeVar

from harness.records import Completion, Sample, Score
from harness.scorers.base import SHARE, Scale, mean_of
from harness.scorers.control import make_controls

Prepared = TypeVar("Prepared")
EMPTY = "empty answer"
NO_WORD = "no word in the reference that this tokenizer knows"


class OverlapScorer(ABC, Generic[Prepared]):
    """A metric that compares two texts, each prepared (tokenised, counted) once.

    `Score.control` is the mean over the controls of `harness.scorers.control`.
    """

    name: str
    method: str
    version: int = 1
    higher_is_better: bool = True
    scale: Scale = SHARE
    remembered: ClassVar[int | None] = 256  # prepared texts in memory; None: all of the call

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @abstractmethod
    def prepare(self, text: str) -> Prepared:
        """All that depends on one text alone."""

    @abstractmethod
    def compare(self, answer: Prepared, reference: Prepared) -> tuple[float, tuple[float, ...]]:
        """The value, and what goes into `Score.detail`."""

    def no_word(self, reference: str) -> str | None:
        """Why no answer could score above 0 against this reference; None if one could."""
        return None

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`; an empty answer is an answer, with the metric's lowest value."""
        references = [sample.target for sample in samples]
        controls = make_controls(references, self._seed)
        prepare = lru_cache(self.remembered)(self.prepare)
        scores: list[Score] = [Score(None, "error")] * len(completions)
        for index in controls.along(references):
            completion, reference = completions[index], references[index]
            if completion.failed:
                scores[index] = Score.of_failure(completion)
                continue
            answer = self.prepare(completion.text)
            value, detail = self.compare(answer, prepare(reference))
            others = controls.others[reference]
            control = [self.compare(answer, prepare(other))[0] for other in others]
            scores[index] = Score(
                value,
                control=fmean(control) if control else None,
                detail=detail,
                explanation=self._remark(value, completion.text, reference),
            )
        return scores

    def _remark(self, value: float, answer: str, reference: str) -> str | None:
        # a 0 that says nothing about the answer must not pass for one that does
        unknown = self.no_word(reference) if value == 0 and reference.strip() else None
        return unknown or (None if answer.strip() else EMPTY)

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean."""
        return mean_of(scores)
