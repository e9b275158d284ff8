"""ROUGE-1, ROUGE-2 and ROUGE-L, equal to the rouge-score package and much faster.

C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. Precision is the
overlap divided by the answer's length, recall by the reference's, F1 their harmonic mean.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from harness.collect.specs import ScoreSpec
from harness.scorers.base import ScorerContext
from harness.scorers.overlap import NO_WORD, OverlapScorer
from harness.scorers.words import rouge_words, unicode_words

TOKENIZERS: dict[str, tuple[Callable[[str], list[str]], str]] = {
    "rouge": (rouge_words, "words of the rouge-score package (a-z 0-9), no stemming"),
    "unicode": (unicode_words, "words of any script (NFC, casefold), no stemming"),
}
Values = tuple[float, tuple[float, float]]


def f1(overlap: int, answer: int, reference: int) -> Values:
    """(F1, (precision, recall)) of an overlap and the two lengths; 0 where there is nothing."""
    precision = overlap / answer if answer else 0.0
    recall = overlap / reference if reference else 0.0
    if precision + recall == 0.0:
        return 0.0, (precision, recall)
    # the order of operations of rouge-score, so that results are bit-equal
    return 2 * precision * recall / (precision + recall), (precision, recall)


class RougeL(OverlapScorer[list[int]]):
    """Longest common subsequence of words; detail = (precision, recall)."""

    remembered = None

    def __init__(self, tokenizer: str, seed: int) -> None:
        super().__init__(seed)
        self._words, words = TOKENIZERS[tokenizer]
        self._tokenizer = tokenizer
        self.name = shown("rouge_l", tokenizer)
        self.method = f"ROUGE-L F1, {words}"
        # rapidfuzz compares hashes, and small whole numbers are their own
        self._ids: defaultdict[str, int] = defaultdict(lambda: len(self._ids))
        from rapidfuzz.distance.LCSseq import similarity

        self._lcs: Callable[[Sequence[int], Sequence[int]], int] = similarity

    def prepare(self, text: str) -> list[int]:
        """Words as numbers."""
        return list(map(self._ids.__getitem__, self._words(text)))

    def compare(self, answer: list[int], reference: list[int]) -> Values:
        """F1 by the length of the longest common subsequence."""
        return f1(self._lcs(answer, reference), len(answer), len(reference))

    def no_word(self, reference: str) -> str | None:
        """See `OverlapScorer.no_word`."""
        return unknown_words(reference, self._tokenizer)


Grams = tuple[Counter[tuple[str, ...]], int]


class RougeN(OverlapScorer[Grams]):
    """Common n-grams, each counted as often as it is in both; detail = (precision, recall)."""

    def __init__(self, n: int, tokenizer: str, seed: int) -> None:
        super().__init__(seed)
        self._n = n
        self._words, words = TOKENIZERS[tokenizer]
        self._tokenizer = tokenizer
        self.name = shown(f"rouge_{n}", tokenizer)
        self.method = f"ROUGE-{n} F1, {words}"

    def prepare(self, text: str) -> Grams:
        """Counted n-grams, and how many."""
        words = self._words(text)
        grams = Counter(zip(*(words[start:] for start in range(self._n)), strict=False))
        return grams, max(0, len(words) - self._n + 1)

    def compare(self, answer: Grams, reference: Grams) -> Values:
        """F1 by the size of the intersection."""
        mine, theirs = answer[0], reference[0]
        common = sum(min(mine[gram], theirs[gram]) for gram in mine.keys() & theirs.keys())
        return f1(common, answer[1], reference[1])

    def no_word(self, reference: str) -> str | None:
        """See `OverlapScorer.no_word`."""
        return unknown_words(reference, self._tokenizer)


def unknown_words(reference: str, tokenizer: str) -> str | None:
    """The remark on a reference in which the tokenizer finds no word; None if it finds one."""
    if TOKENIZERS[tokenizer][0](reference):
        return None
    return NO_WORD if tokenizer == "unicode" else f"{NO_WORD} (use tokenizer: unicode)"


def shown(metric: str, tokenizer: str) -> str:
    """Another tokenizer is another metric."""
    return metric if tokenizer == "rouge" else f"{metric}[{tokenizer}]"


def rouge_1(spec: ScoreSpec, context: ScorerContext) -> RougeN:
    """Words."""
    return RougeN(1, spec.tokenizer, context.seed)


def rouge_2(spec: ScoreSpec, context: ScorerContext) -> RougeN:
    """Pairs of words."""
    return RougeN(2, spec.tokenizer, context.seed)


def rouge_l(spec: ScoreSpec, context: ScorerContext) -> RougeL:
    """Longest common subsequence."""
    return RougeL(spec.tokenizer, context.seed)
