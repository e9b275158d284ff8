"""Corpus metrics from sums are exactly those of sacrebleu on the texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from harness.results.corpus import bleu, chrf, perplexity

WORDS = ["a", "cat", "sat", "on", "the", "mat", "today"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
CORPUS = st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1, max_size=5)


def bleu_counts(answer: str, target: str) -> list[float]:
    found = BLEU(effective_order=True).sentence_score(answer, [target])
    return [found.sys_len, found.ref_len, *found.counts, *found.totals]


@settings(deadline=None)
@given(CORPUS)
def test_bleu_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    answers, targets = zip(*pairs, strict=True)
    counts = np.array([bleu_counts(*pair) for pair in pairs], dtype=float)
    expected = BLEU().corpus_score(answers, [targets]).score
    assert bleu(counts.sum(axis=0, keepdims=True))[0] == pytest.approx(expected)


@settings(deadline=None)
@given(CORPUS)
def test_chrf_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    answers, targets = zip(*pairs, strict=True)
    metric = CHRF()
    counts = np.array(metric._extract_corpus_statistics(answers, [targets]), dtype=float)
    expected = metric.corpus_score(answers, [targets]).score
    assert chrf(counts.sum(axis=0, keepdims=True))[0] == pytest.approx(expected)


def test_rows_are_independent() -> None:
    good, none = bleu_counts("the cat sat on the mat", "the cat sat on the mat"), [0.0] * 10
    assert list(bleu(np.array([good, none, good], dtype=float))) == pytest.approx([100, 0, 100])
    assert list(chrf(np.zeros((2, 18)))) == [0, 0]


def test_long_samples_weigh_more_in_perplexity() -> None:
    sums = np.array([[2.0, 1.0], [1.0, 9.0]]).sum(axis=0, keepdims=True)
    assert perplexity(sums)[0] == pytest.approx(np.exp(0.3))
