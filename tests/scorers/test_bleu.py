import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer

WORDS = ["the", "cat", "sat", "on", "mat", ".", "don't", "Größe", "日本", ""]
TEXTS = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join))
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5)


def scored(metric, pairs):
    scorer = make_scorer(ScoreSpec(metric=metric), ScorerContext())
    samples = [Sample(str(i), "q", target) for i, (_, target) in enumerate(pairs)]
    scores = scorer.score(samples, [Completion(str(i), text) for i, (text, _) in enumerate(pairs)])
    return scorer, scores


@pytest.mark.parametrize(
    ("metric", "sentence", "corpus"),
    [("bleu", BLEU(effective_order=True), BLEU()), ("chrf", CHRF(), CHRF())],
)
@settings(max_examples=200, deadline=None)
@given(pairs=PAIRS)
def test_sentence_and_corpus_values_are_sacrebleus(metric, sentence, corpus, pairs):
    scorer, scores = scored(metric, pairs)
    assert [s.value for s in scores] == [sentence.sentence_score(a, [b]).score for a, b in pairs]
    expected = corpus.corpus_score([a for a, _ in pairs], [[b for _, b in pairs]])
    assert scorer.corpus(scores) == expected.score


def test_two_equal_words_reach_100_and_the_corpus_value_is_not_the_mean():
    scorer, scores = scored("bleu", [("good day", "good day"), ("a b c d e", "a b c d f")])
    assert scores[0].value == pytest.approx(100)
    assert scorer.corpus(scores) != pytest.approx(sum(s.value for s in scores) / 2)


def test_method_is_the_signature():
    for metric, metric_signature in (("bleu", "tok:13a"), ("chrf", "nc:6")):
        scorer, _ = scored(metric, [("a", "a")])
        assert metric_signature in scorer.method
        assert "version:" in scorer.method


def test_a_failed_completion_is_not_in_the_corpus_value():
    scorer = make_scorer(ScoreSpec(metric="bleu"), ScorerContext())
    samples = [Sample("1", "q", "a b c d e"), Sample("2", "q", "v w x y z")]
    failed = Completion("2", finish_reason="skipped", error="too long")
    scores = scorer.score(samples, [Completion("1", "a b c d e"), failed])
    assert scores[1].status == "skipped"
    assert scorer.corpus(scores) == pytest.approx(100)
    assert scorer.corpus(scores[1:]) is None
