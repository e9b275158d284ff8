import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.letters import find_choice

CITIES = ("Paris", "London", "Rome", "dark red")
READABLE = {
    "B": "B",
    "b": "B",
    "  B\n": "B",
    "(B)": "B",
    "[B]": "B",
    "**B**": "B",
    "B) London": "B",
    "B)London": "B",
    "**B) London**": "B",
    "B. London is the capital": "B",
    "B because it is": "B",
    "A: Paris": "A",
    "Answer: B": "B",
    "**Answer:** B": "B",
    "Answer:\nB": "B",
    "### Answer\nB": "B",
    "answer: **(B)**": "B",
    "Answer: B London": "B",
    "Answer: B, a city": "B",
    "The answer is B.": "B",
    "The answer is b": "B",
    "The answer is: B": "B",
    "The answer would be C.": "C",
    "the answer is a": "A",
    "A good answer is B": "B",
    "The correct option is D.": "D",
    "The correct answer is option B: London": "B",
    "The letter is B": "B",
    "B is correct": "B",
    "A is not correct, B is correct": "B",
    "A is incorrect. The right choice is C": "C",
    "Option A is warm. Option B is cold. The answer is B.": "B",
    "The answer is B. Final answer: C": "C",
    r"so \boxed{C}": "C",
    r"\boxed{\text{C}}": "C",
    "I think B.": "B",
    "I choose option C because": "C",
    "I'd go with (D)": "D",
    "Therefore, C.": "C",
    "It’s B": "B",
    "答案是B。": "B",
    "London": "B",
    "A London": "B",
    "a London.": "B",
    "london.": "B",
    "It is London, I think": "B",
    "It isn't Paris but Rome": "C",
    "Dark red!": "D",
    "B\n\nQuestion: and the next?\nAnswer: C": "B",
}
UNREADABLE = [
    "",
    "   ",
    "I do not know",
    "A or B",
    "B, C",
    "Answer: A, B",
    "The answer is A or B",
    "The answer is not B",
    "The answer is B. No, the answer is C.",
    "A) no. B) yes.",
    "Option A is warm. Option B is cold.",
    "A cat sat",
    "Answer: A network of",
    "the answer is a city",
    "Answer: C++ is",
    "B-tree",
    "Answer: B Paris",
    "not Paris",
    "Paris or London",
    "E",
    "The answer is E",
]


@pytest.mark.parametrize(("text", "letter"), READABLE.items())
def test_readable(text, letter):
    assert find_choice(text, CITIES) == letter


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable(text):
    assert find_choice(text, CITIES) is None


@given(st.text(max_size=60), st.lists(st.text(max_size=5), max_size=6))
def test_never_names_a_choice_that_does_not_exist(text, choices):
    assert find_choice(text, choices) in {None, *"ABCDEF"[: len(choices)]}


def test_a_choice_inside_a_longer_one_is_not_named_by_it():
    assert find_choice("I see dark red here", ("red", "dark red")) == "B"
    assert find_choice("I see red here", ("red", "dark red")) == "A"


@pytest.mark.parametrize(
    "text",
    ["answer:" + " *" * 20_000, "(A" * 20_000, "\n" * 50_000 + "x", "final answer" + ":=" * 20_000],
)
def test_a_degenerate_answer_is_read_all_the_same(text):
    # quadratic reading of these would take minutes
    assert find_choice(text, CITIES) is None


# the forms that public evaluation of ScienceQA reads (eval_science_qa.py of haotian-liu/LLaVA): a
# letter alone, "B. ..." at the start, "The answer is B." anywhere
SCIENCE_QA = {
    "B": "B",
    "B. a magnet": "B",
    "B\nBecause the poles are opposite.": "B",
    "The answer is B.": "B",
    "The answer is B": "B",
    "The answer is B. BECAUSE: opposite poles attract.": "B",
    "Opposite poles attract. The answer is A.": "A",
    "LECTURE: A magnet has poles. The answer is C.": "C",
    "The answer is E.": None,  # there is no such choice
    "FAILED": None,
    "": None,
}


@pytest.mark.parametrize(("text", "letter"), SCIENCE_QA.items())
def test_science_qa_is_read_as_its_public_evaluation_does(text, letter):
    assert find_choice(text, ("attract", "a magnet", "repel")) == letter
