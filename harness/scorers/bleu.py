"""BLEU-4 and chrF2 on sacrebleu's scale of 0 to 100.

The value of one sample is the sentence score; the corpus value is *not* their mean but comes from
the summed statistics in `Score.detail`, as sacrebleu computes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.collect.specs import ScoreSpec
from harness.records import Score
from harness.scorers.base import PERCENT, ScorerContext, sum_details
from harness.scorers.overlap import OverlapScorer

BLEU_ORDER = 4
CHRF_ORDER = 6
CHRF_BETA = 2


class Bleu(OverlapScorer[str]):
    """BLEU-4 by sacrebleu.

    Per sample: sentence BLEU with effective order, so that a two-word answer can reach 100.
    detail = (answer tokens, reference tokens, 4 matched n-gram counts, 4 answer n-gram counts).
    """

    name = "bleu"
    scale = PERCENT

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        from sacrebleu.metrics import BLEU

        self._sentence: Any = BLEU(effective_order=True)
        self._corpus: Any = BLEU()
        self.method = f"corpus BLEU-4, sacrebleu {signature(self._corpus)}"

    def prepare(self, text: str) -> str:
        """sacrebleu remembers tokenised texts itself."""
        return text

    def compare(self, answer: str, reference: str) -> tuple[float, tuple[float, ...]]:
        """Sentence BLEU and the statistics of the corpus value."""
        bleu = self._sentence.sentence_score(answer, [reference])
        detail = (bleu.sys_len, bleu.ref_len, *bleu.counts, *bleu.totals)
        return float(bleu.score), tuple(float(count) for count in detail)

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """Corpus BLEU of the answers that could be scored."""
        sums = sum_details(scores)
        if sums is None:
            return None
        counts = [int(count) for count in sums]
        bleu = self._corpus.compute_bleu(
            correct=counts[2 : 2 + BLEU_ORDER],
            total=counts[2 + BLEU_ORDER :],
            sys_len=counts[0],
            ref_len=counts[1],
            smooth_method=self._corpus.smooth_method,
        )
        return float(bleu.score)


Grams = tuple[Counter[str], ...]


class Chrf(OverlapScorer[Grams]):
    """chrF2: F-score of character n-grams up to 6, recall counting twice.

    M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", 2015. Equal to
    sacrebleu, with each text's n-grams counted once.
    detail = (answer n-grams, reference n-grams, matched n-grams) for each of the 6 lengths.
    """

    name = "chrf"
    scale = PERCENT

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        from sacrebleu.metrics import CHRF

        self.method = f"corpus chrF2, sacrebleu {signature(CHRF())}"

    def prepare(self, text: str) -> Grams:
        """Counted character n-grams of each length, white space left out."""
        text = "".join(text.split())
        return tuple(
            Counter(text[start : start + n] for start in range(len(text) - n + 1))
            for n in range(1, CHRF_ORDER + 1)
        )

    def compare(self, answer: Grams, reference: Grams) -> tuple[float, tuple[float, ...]]:
        """Sentence chrF and the statistics of the corpus value."""
        detail: list[float] = []
        for mine, theirs in zip(answer, reference, strict=True):
            common = sum(min(mine[gram], theirs[gram]) for gram in mine.keys() & theirs.keys())
            # a length that the reference does not have says nothing about the answer
            detail += [mine.total() if theirs else 0, theirs.total(), common]
        return chrf_value(detail), tuple(float(count) for count in detail)

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """Corpus chrF of the answers that could be scored."""
        sums = sum_details(scores)
        return None if sums is None else chrf_value(sums)


def chrf_value(counts: Sequence[float]) -> float:
    """chrF2 of (answer, reference, matched) counts; lengths absent on a side are left out."""
    lengths = [counts[at : at + 3] for at in range(0, len(counts), 3)]
    used = [(a, r, m) for a, r, m in lengths if a > 0 and r > 0]
    if not used:
        return 0.0
    precision = recall = 0.0
    for answer, reference, matched in used:
        precision += matched / answer
        recall += matched / reference
    precision, recall = precision / len(used), recall / len(used)
    if precision + recall == 0.0:
        return 0.0
    weight = CHRF_BETA**2
    return 100 * ((1 + weight) * precision * recall / (weight * precision + recall))


def signature(metric: Any) -> str:
    """sacrebleu's own description of a metric with one reference a sample."""
    metric.num_refs = 1  # known to sacrebleu only after a first score
    return str(metric.get_signature())


def bleu(spec: ScoreSpec, context: ScorerContext) -> Bleu:
    """BLEU-4."""
    return Bleu(context.seed)


def chrf(spec: ScoreSpec, context: ScorerContext) -> Chrf:
    """chrF2."""
    return Chrf(context.seed)
