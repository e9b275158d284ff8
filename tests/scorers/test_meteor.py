import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.meteor_score import single_meteor_score

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer
from harness.scorers.words import unicode_words

METEOR = make_scorer(ScoreSpec(metric="meteor"), ScorerContext())
WORDS = ["run", "runs", "Running", "a", "the", "party", "Parties", "über", "cat", "."]
TEXTS = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join))


class NoSynonyms:
    """A WordNet that knows no word."""

    def synsets(self, word):
        return []


def value(answer, target):
    return METEOR.score([Sample("1", "q", target)], [Completion("1", answer)])[0].value


@settings(max_examples=400, deadline=None)
@given(TEXTS, TEXTS)
def test_equal_to_nltk_without_synonyms(answer, target):
    words = [unicode_words(text.lower(), casefold=False) for text in (target, answer)]
    assert value(answer, target) == single_meteor_score(*words, wordnet=NoSynonyms())


def test_stems_match_synonyms_do_not_and_the_name_says_so():
    assert METEOR.name == "meteor_exact_stem"
    assert "no WordNet" in METEOR.method
    assert value("dogs", "dog") == value("dog", "dog") == pytest.approx(0.5)
    assert value("dog", "puppy") == 0.0


def test_one_piece_is_better_than_the_same_words_scattered():
    assert value("a b c d", "a b c d") > value("d c b a", "a b c d") > 0


def test_a_reference_without_a_word_is_no_silent_zero() -> None:
    samples = [Sample("q", "", "?!"), Sample("r", "", "")]
    first, empty = METEOR.score(samples, [Completion("q", "yes"), Completion("r", "yes")])
    assert (first.value, first.explanation) == (
        0.0,
        "no word in the reference that this tokenizer knows",
    )
    assert empty.explanation is None
