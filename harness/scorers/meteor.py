"""METEOR without synonyms.

A. Lavie and A. Agarwal, "METEOR: An Automatic Metric for MT Evaluation with High Levels of
Correlation with Human Judgments", 2007, in the variant of NLTK: alpha 0.9, beta 3, gamma 0.5,
words matched from the end of the text, first equal words, then equal Porter stems. The third
stage (WordNet synonyms) needs data that no Python package carries; leaving it out makes it
another metric, so its name says what is matched: `meteor_exact_stem`.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import Any

from harness.collect.specs import ScoreSpec
from harness.scorers.base import ScorerContext
from harness.scorers.overlap import NO_WORD, OverlapScorer
from harness.scorers.words import unicode_words

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5
Words = tuple[tuple[str, str], ...]  # (word, its stem)


class Meteor(OverlapScorer[Words]):
    """METEOR by exact and stem matches; no detail."""

    name = "meteor_exact_stem"
    method = (
        "METEOR, exact and Porter-stem matches, no WordNet (alpha 0.9, beta 3, gamma 0.5, "
        "alignment as NLTK), words of any script (NFC)"
    )

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._stem = porter()

    def prepare(self, text: str) -> Words:
        """Words in lower case with their stems."""
        words = unicode_words(text.lower(), casefold=False)
        return tuple((word, self._stem(word)) for word in words)

    def compare(self, answer: Words, reference: Words) -> tuple[float, tuple[float, ...]]:
        """See `meteor_value`."""
        return meteor_value(answer, reference), ()

    def no_word(self, reference: str) -> str | None:
        """See `OverlapScorer.no_word`."""
        return None if self.prepare(reference) else NO_WORD


def porter() -> Any:
    """NLTK's Porter stemmer; a word is stemmed once."""
    from nltk.stem.porter import PorterStemmer

    return lru_cache(maxsize=100_000)(PorterStemmer().stem)


def meteor_value(answer: Words, reference: Words) -> float:
    """F-mean of the matches, less a penalty for the number of pieces they fall into."""
    matches = align(answer, reference)
    if not matches:
        return 0.0
    precision, recall = len(matches) / len(answer), len(matches) / len(reference)
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
    breaks = sum(after != (i + 1, j + 1) for (i, j), after in pairwise(matches))
    penalty: float = GAMMA * ((breaks + 1) / len(matches)) ** BETA
    return (1 - penalty) * mean


def align(answer: Words, reference: Words) -> list[tuple[int, int]]:
    """Matched positions in order of the answer: equal words first, equal stems of the rest."""
    exact = match([word for word, _ in answer], [word for word, _ in reference], {})
    both = match([stem for _, stem in answer], [stem for _, stem in reference], exact)
    return sorted(both.items())


def match(answer: list[str], reference: list[str], known: dict[int, int]) -> dict[int, int]:
    """`known` and more: from the end, each word to the last equal word that is still free."""
    taken = set(known.values())
    free: defaultdict[str, list[int]] = defaultdict(list)
    for j, word in enumerate(reference):
        if j not in taken:
            free[word].append(j)
    matches = dict(known)
    for i in range(len(answer) - 1, -1, -1):
        if i not in known and free.get(answer[i]):
            matches[i] = free[answer[i]].pop()
    return matches


def meteor(spec: ScoreSpec, context: ScorerContext) -> Meteor:
    """METEOR by exact and stem matches."""
    return Meteor(context.seed)
