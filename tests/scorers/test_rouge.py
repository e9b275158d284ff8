import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext, mean_of
from harness.scorers.registry import make_scorer
from harness.scorers.words import rouge_words, unicode_words

REFERENCE = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
WORDS = [
    "the",
    "The",
    "cat",
    "cats",
    "run",
    "a",
    "b.",
    "é",
    "İK",
    "日本",
    "naïve",
    "U.S.",
    "\n",
    "--",
]
TEXTS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join))


def scorer(metric: str, tokenizer: str = "rouge"):
    return make_scorer(ScoreSpec(metric=metric, tokenizer=tokenizer), ScorerContext())


def one(metric: str, answer: str, target: str, tokenizer: str = "rouge"):
    return scorer(metric, tokenizer).score([Sample("1", "q", target)], [Completion("1", answer)])[0]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_values_are_bit_equal_to_the_rouge_score_package(pairs):
    samples = [Sample(str(i), "q", target) for i, (_, target) in enumerate(pairs)]
    completions = [Completion(str(i), answer) for i, (answer, _) in enumerate(pairs)]
    for metric, theirs in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        scores = scorer(metric).score(samples, completions)
        expected = [REFERENCE.score(target, answer)[theirs] for answer, target in pairs]
        assert [s.value for s in scores] == [e.fmeasure for e in expected]
        assert [s.detail for s in scores] == [(e.precision, e.recall) for e in expected]


@given(TEXTS)
def test_words_are_those_of_the_package(text):
    from rouge_score.tokenize import tokenize

    assert rouge_words(text) == tokenize(text, None)


def test_control_is_the_same_metric_against_the_references_of_others():
    targets = ["the cat sat down", "a dog ran far away", "the sun is a star"]
    samples = [Sample(str(i), "q", target) for i, target in enumerate(targets)]
    answer = "the cat ran"
    scores = scorer("rouge_1").score(samples, [Completion(s.id, answer) for s in samples])
    values = [REFERENCE.score(target, answer)["rouge1"].fmeasure for target in targets]
    assert scores[0].control == (values[1] + values[2]) / 2
    assert scores[2].control == (values[0] + values[1]) / 2


def test_other_scripts_need_the_unicode_tokenizer_which_is_another_metric():
    hindi = "यह एक परीक्षण है"
    assert one("rouge_l", hindi, hindi).value == 0.0
    assert one("rouge_l", hindi, hindi, "unicode").value == 1.0
    assert one("rouge_l", "un résumé", "un resume", "unicode").value == 0.5
    assert scorer("rouge_l", "unicode").name == "rouge_l[unicode]"
    assert scorer("rouge_2").name == "rouge_2"


def test_unicode_words_keep_combining_marks_and_split_han():
    assert unicode_words("Cafe\u0301 हिन्दी, STRASSE_1!") == ["café", "हिन्दी", "strasse_1"]
    assert unicode_words("東京は日本。ok") == ["東", "京", "は", "日", "本", "ok"]
    assert unicode_words("...") == []


def test_a_failed_completion_has_no_value_and_an_empty_one_has_zero():
    samples = [Sample("1", "q", "a b"), Sample("2", "q", "c d"), Sample("3", "q", "e f")]
    completions = [
        Completion("1", "", finish_reason="error", error="NaN logit"),
        Completion("2", ""),
        Completion("3", "e f"),
    ]
    metric = scorer("rouge_l")
    failed, empty, right = metric.score(samples, completions)
    assert (failed.value, failed.status, failed.explanation) == (None, "error", "NaN logit")
    assert (empty.value, empty.explanation) == (0.0, "empty answer")
    assert metric.corpus([failed, empty, right]) == 0.5
    assert metric.corpus([failed]) is None
    assert mean_of([]) is None


@pytest.mark.parametrize("metric", ["rouge_1", "rouge_2", "rouge_l"])
@pytest.mark.parametrize(("tokenizer", "told"), [("rouge", True), ("unicode", False)])
def test_a_reference_without_a_known_word_is_no_silent_zero(
    metric: str, tokenizer: str, told: bool
) -> None:
    spec = ScoreSpec(metric=metric, tokenizer=tokenizer)
    scorer = make_scorer(spec, ScorerContext())
    samples = [Sample("q", "", "猫が好きです"), Sample("r", "", "cat")]
    (score, known) = scorer.score(
        samples, [Completion("q", "猫が好きです"), Completion("r", "dog")]
    )
    why = "no word in the reference that this tokenizer knows (use tokenizer: unicode)"
    assert (score.value, score.explanation) == ((0.0, why) if told else (1.0, None))
    assert (known.value, known.explanation) == (0.0, None)
