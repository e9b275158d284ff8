import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer

MILLION = 1_000_000


def rows(index, answers, question="q", prefix=""):
    """A question of two choices, asked in both orders."""
    return [
        (Sample(f"{prefix}{index + k * MILLION}", question, target, choices=choices), text)
        for k, (target, choices, text) in enumerate(
            [("A", ("x", "y"), answers[0]), ("B", ("y", "x"), answers[1])]
        )
    ]


def score(pairs, output_type="generate"):
    scorer = make_scorer(ScoreSpec(metric="circular"), ScorerContext(output_type=output_type))
    completions = [
        Completion(sample.id, finish_reason="error", error="boom")
        if text is None
        else Completion(sample.id, text)
        for sample, text in pairs
    ]
    scores = scorer.score([sample for sample, _ in pairs], completions)
    return scores, scorer.corpus(scores)


def test_a_question_is_right_only_if_it_is_right_in_every_order():
    scores, share = score([*rows(5, "AB"), *rows(6, "AA"), *rows(7, "BA")])
    assert [one.value for one in scores] == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert share == pytest.approx(1 / 3)
    assert [one.answer for one in scores[2:4]] == ["A", "A"]
    assert scores[2].explanation == "right, but not in every order"


def test_the_corpus_counts_questions_and_not_rows():
    four = [(Sample(str(9 + k * MILLION), "q", "A", choices=tuple("wxyz")), "A") for k in range(4)]
    assert score([*four, *rows(5, "BB")])[1] == 0.5
    assert score([*rows(5, "AB"), *[(sample, "B") for sample, _ in four]])[1] == 0.5


def test_rows_of_two_files_or_of_other_words_are_not_one_question():
    first, second = rows(5, "AB", prefix="dev-"), rows(5, "BB", prefix="cn-")
    assert score([*first, *second])[1] == 0.5
    a, b = rows(5, "AB"), rows(5, "BB", question="another")
    assert score([a[0], b[1]])[1] == 1.0
    assert score([a[0], b[0]])[1] == 0.5


def test_a_column_can_name_the_question():
    samples = [
        Sample(name, "q", "A", choices=("x", "y"), row={"circular": "one"}) for name in ("k", "m")
    ]
    assert score([(samples[0], "A"), (samples[1], "B")])[1] == 0.0
    plain = [Sample(one.id, "q", "A", choices=one.choices) for one in samples]
    assert score([(plain[0], "A"), (plain[1], "B")])[1] == 0.5


def test_a_failed_row_leaves_the_question_open_unless_another_is_wrong():
    scores, share = score([*rows(5, ("A", None)), *rows(6, ("B", None)), *rows(7, "AB")])
    assert [one.value for one in scores] == [None, None, 0.0, None, 1.0, 1.0]
    assert scores[1].explanation == "boom"
    assert scores[0].status == "error"
    assert share == 0.5


def test_epochs_are_kept_apart():
    scores, share = score([*rows(5, "AB"), *rows(5, "AA")])
    assert [one.value for one in scores] == [1.0, 1.0, 0.0, 0.0]
    assert share == 0.5


def test_log_probabilities_and_unreadable_text():
    sample = rows(5, "AB")[0][0]
    scorer = make_scorer(ScoreSpec(metric="circular"), ScorerContext(output_type="choices"))
    assert scorer.score([sample], [Completion("5", logprobs=(-1.0, -2.0))])[0].value == 1.0
    assert score(rows(5, ("A", "hm")))[0][1].value == 0.0
    with pytest.raises(HarnessError, match="has no choices"):
        score([(Sample("1", "q", "A"), "A")])


@given(st.lists(st.text("AB?", min_size=2, max_size=2), max_size=5), st.randoms())
def test_order_of_rows_does_not_matter(answers, rng):
    pairs = [row for at, text in enumerate(answers) for row in rows(at, text)]
    right = sum(text == "AB" for text in answers)
    expected = right / len(answers) if answers else None
    assert score(pairs)[1] == pytest.approx(expected)
    shuffled = rng.sample(pairs, len(pairs))
    assert score(shuffled)[1] == pytest.approx(expected)
