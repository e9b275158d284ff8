"""Soft accuracy of VQA v2 and VizWiz. Expected values are worked out by hand from the formula of
Goyal et al. 2017: mean over the person left out of min(same answers of the other nine / 3, 1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer
from harness.scorers.vqa import normalise_vqa, soft_accuracy


def score(answer, answers, target="cat"):
    scorer = make_scorer(ScoreSpec(metric="vqa_accuracy"), ScorerContext())
    row = {} if answers is None else {"answers": answers}
    return scorer.score([Sample("1", "q", target, row=row)], [Completion("1", answer)])[0]


# with k of ten: k people left out see k - 1 others, 10 - k see k
BY_AGREEMENT = {
    0: 0.0,
    1: (1 * 0 + 9 * 1 / 3) / 10,
    2: (2 * 1 / 3 + 8 * 2 / 3) / 10,
    3: (3 * 2 / 3 + 7 * 1) / 10,
    4: 1.0,
    9: 1.0,
    10: 1.0,
}


@pytest.mark.parametrize(("agreeing", "expected"), BY_AGREEMENT.items())
def test_agreement_with_three_others_is_enough(agreeing, expected):
    people = ["cat"] * agreeing + [f"dog {i}" for i in range(10 - agreeing)]
    assert score("cat", people).value == pytest.approx(expected)


def test_answers_may_be_objects_as_in_the_annotation_files():
    people = [{"answer": "cat", "answer_id": 1}] * 3 + [{"answer": "dog", "answer_id": 4}] * 7
    assert score("Cat.", people).value == pytest.approx(0.9)
    assert score("Cat.", people).answer == "cat"


def test_a_csv_column_holds_them_as_json():
    assert score("cat", '["cat", "cat", "cat", "dog"]').value == pytest.approx((3 * 2 / 3 + 1) / 4)


@pytest.mark.parametrize("answers", [None, "", ["cat"], '["cat"]'])
def test_without_several_people_the_answer_must_be_the_only_one(answers):
    found = score("The cat!", answers)
    assert (found.value, found.answer) == (1.0, "cat")
    assert "one reference" in found.explanation
    assert score("dog", answers).value == 0.0


@pytest.mark.parametrize(
    "answers",
    [
        *("x", "[x", "[]", [], [1], ["cat", 1], ["cat", None], 5, {"answer": "cat"}),
        *([{"answer": 1}], [{}], ["cat", {"answer": "cat"}]),
    ],
    ids=repr,
)
def test_answers_that_are_none_are_an_error_of_their_sample(answers):
    found = score("cat", answers)
    assert (found.value, found.status) == (None, "error")
    assert found.explanation == (
        f"sample '1': 'answers' is {answers!r}, and should be "
        "a list of texts, or of objects with a text 'answer'"
    )


NORMALISED = {
    "The Cat.": "cat",
    "two": "2",
    "None": "0",
    "ten dogs": "10 dogs",
    "eleven": "eleven",
    "dont": "don't",
    "couldnt've": "couldn't've",
    "somebody'd": "somebodyd",
    "a man, an apple": "man apple",
    "red/blue": "red blue",
    "red / blue": "red blue",
    "red-ish": "red ish",
    "1,000-kg": "1000kg",  # a comma in a number takes all marks out without a space
    "3.5": "3.5",
    "no. 5": "no 5",
    "5.": "5",
    "what's": "what's",
    " x\n\ty ": "x y",
    "it's: fine": "it's: fine",  # a colon is not among the marks
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), NORMALISED.items())
def test_normalisation_is_the_authors(text, expected):
    assert normalise_vqa(text) == expected


def test_no_more_than_32_points_go():
    """The authors' code hands re.UNICODE over where the count stands."""
    assert normalise_vqa("." * 40 + "x") == "." * 8 + "x"


def test_people_who_all_say_the_same_are_compared_as_written():
    """Normalising the answer alone would make "two" wrong, and not normalising it "Two."."""
    assert score("two", ["two"] * 10).value == 1.0
    assert score("2", ["two"] * 10).value == 0.0
    assert score("Yes.", ["yes"] * 10).value == 1.0
    assert score("yes", ["Yes"] * 10).value == 0.0
    assert score("2", ["two"] * 9 + ["three"]).value == 1.0


def test_the_method_says_what_happens_without_people():
    scorer = make_scorer(ScoreSpec(metric="vqa_accuracy"), ScorerContext())
    assert "without 'answers'" in scorer.method
    failed = Completion("1", finish_reason="error", error="boom")
    found = scorer.score([Sample("1", "q", "x")], [failed])
    assert (found[0].value, scorer.corpus(found)) == (None, None)


SAID = st.lists(st.sampled_from(["cat", "Cat.", "the cat", "dog", "2", "two", ""]), min_size=2)


@given(SAID, st.sampled_from(["cat", "Cat", "two", "2", "bird", ""]), st.randoms())
def test_order_does_not_matter_and_the_value_is_a_share(people, answer, rng):
    value = soft_accuracy(answer, people)
    assert 0.0 <= value <= 1.0
    shuffled = rng.sample(people, len(people))
    assert soft_accuracy(answer, shuffled) == value


@given(SAID, st.sampled_from(["cat", "two", "bird"]))
def test_the_closed_form_is_the_mean_over_people_left_out(people, answer):
    if len({" ".join(one.split()) for one in people}) == 1:
        people = [*people, "something else"]
    mine, said = normalise_vqa(answer), [normalise_vqa(one) for one in people]
    left_out = [
        min(sum(one == mine for one in said[:i] + said[i + 1 :]) / 3, 1) for i in range(len(said))
    ]
    assert soft_accuracy(answer, people) == pytest.approx(sum(left_out) / len(left_out))


@given(st.text())
def test_any_text_can_be_normalised(text):
    found = normalise_vqa(text)
    assert found == found.strip()
    assert not {"a", "an", "the"} & set(found.split())
