import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer
from harness.scorers.text import normalise


def score(answer, target, **spec):
    scorer = make_scorer(ScoreSpec(**spec), ScorerContext())
    return scorer.score([Sample("1", "q", target)], [Completion("1", answer, completion_tokens=7)])[
        0
    ]


@pytest.mark.parametrize(
    ("answer", "target", "ignore_case", "value"),
    [
        (" Paris\n", "paris", True, 1.0),
        ("Paris", "paris", False, 0.0),
        ("Cafe\u0301", "Café", False, 1.0),
        ("STRASSE", "straße", True, 1.0),
        ("Paris.", "Paris", True, 0.0),
        ("", "", True, 1.0),
    ],
)
def test_exact_match(answer, target, ignore_case, value):
    assert score(answer, target, metric="exact_match", ignore_case=ignore_case).value == value


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise(text, ignore_case=True)
    assert normalise(once, ignore_case=True) == once


def test_includes():
    assert score("It is PARIS, I think", "Paris", metric="includes").value == 1.0
    assert score("London", "Paris", metric="includes").value == 0.0
    assert score("London", "", metric="includes").value == 0.0


def test_regex_compares_its_group_or_the_whole_match():
    found = score("so x = 42.", "42", metric="regex", pattern=r"x = (\d+)")
    assert (found.value, found.answer) == (1.0, "42")
    assert score("it is 41", "42", metric="regex", pattern=r"\d+").value == 0.0
    missing = score("no number", "42", metric="regex", pattern=r"\d+")
    assert (missing.value, missing.status, missing.answer) == (0.0, "ok", None)
    assert score("ab", "", metric="regex", pattern=r"a(x)?b").value == 1.0


def test_format_searches_and_anchors_are_the_patterns_own():
    assert score("Sensors: a\nModel: b", "", metric="format", pattern=r"(?m)^Model:").value == 1.0
    assert score("Sensors: a\nModel: b", "", metric="format", pattern=r"\AModel:").value == 0.0


def test_token_count_is_the_models():
    assert score("a b", "", metric="token_count").value == 7.0


@pytest.mark.parametrize("metric", ["regex", "format"])
def test_a_pattern_is_needed_and_must_be_readable(metric):
    with pytest.raises(HarnessError, match="needs a 'pattern'"):
        score("a", "a", metric=metric)
    with pytest.raises(HarnessError, match="cannot be read"):
        score("a", "a", metric=metric, pattern="(")


ENDLESS = "^(a|aa)+$"  # doubles its time with every letter or so


@pytest.mark.parametrize("metric", ["regex", "format"])
def test_a_pattern_without_end_is_an_error_of_its_sample_and_of_no_other(metric):
    context = ScorerContext(pattern_seconds=0.05)
    scorer = make_scorer(ScoreSpec(metric=metric, pattern=ENDLESS), context)
    samples = [Sample("q-1", "?", "aa"), Sample("q-2", "?", "a")]
    answers = [Completion("q-1", "a" * 90 + "b"), Completion("q-2", "aa")]
    slow, quick = scorer.score(samples, answers)
    assert (slow.value, slow.status, slow.answer) == (None, "error", None)
    what = f"no answer within 0.05 s: pattern '{ENDLESS}' on sample 'q-1'"
    assert slow.explanation == f"{metric}: {what}"
    assert (quick.value, quick.status) == (1.0, "ok")
    assert scorer.corpus([slow, quick]) == 1.0


def test_patterns_mean_what_they_mean_in_python():
    """The engine with the time limit would count the vowel signs of Hindi as letters."""
    found = score("x².", "x²", metric="regex", pattern=r"\w+")
    assert (found.value, found.answer) == (1.0, "x²")
    assert score("नमस्ते", "नमस", metric="regex", pattern=r"\w+").value == 1.0
    assert score("a{e<=1}", "", metric="format", pattern=r"a{e<=1}").value == 1.0
