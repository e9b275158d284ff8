import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.names import Names, key_of, singular

ERRORS = Names(["knee_valgus", "forward_lean", "incomplete range", "Poor alignment"])
EXERCISES = Names(
    ["squats", "jump squats", "push-ups", "lunges", "crunches", "Biceps curl"], gerunds=True
)


def told(text, names=ERRORS):
    return [one.label for one in names.mentions(text) if not one.denied]


def denied(text):
    return [one.label for one in ERRORS.mentions(text) if one.denied]


@pytest.mark.parametrize(
    "text",
    [
        "knee_valgus",
        "Knee valgus",
        "KNEE-VALGUS",
        "knees valgus",
        "kneevalgus",
        "a *knee  valgus*.",
    ],
)
def test_spellings_are_one_name(text):
    assert told(text) == ["knee_valgus"]


@pytest.mark.parametrize("text", ["valgus of the knee", "knee", "knee. valgus", "kneevalguses2"])
def test_other_words_are_no_name(text):
    assert ERRORS.mentions(text) == []


SAID = {
    "push up": "push_ups",
    "pushups": "push_ups",
    "push-ups": "push_ups",
    "a squat": "squats",
    "squatting": "squats",
    "lunging": "lunges",
    "a lunge": "lunges",
    "crunch": "crunches",
    "bicep curls": "biceps_curl",
    "jump squat": "jump_squats",
}


@pytest.mark.parametrize(("text", "label"), SAID.items())
def test_exercises_in_singular_plural_and_ing(text, label):
    assert told(f"The person does {text} here", EXERCISES) == [label]


def test_labels_do_not_depend_on_the_order_of_the_names():
    assert Names(["squats", "Squat"]).labels == Names(["Squat", "squats"]).labels == ("squat",)
    assert EXERCISES.labels[0] == "biceps_curl"
    assert EXERCISES.label("Push up") == "push_ups"
    assert EXERCISES.label("plank") is None


ABSENT = {
    "no knee valgus": ["knee_valgus"],
    "without any visible knee valgus": ["knee_valgus"],
    "There isn’t knee valgus": ["knee_valgus"],
    "The knees do not show signs of knee valgus": ["knee_valgus"],
    "knee valgus is not present": ["knee_valgus"],
    "knee_valgus: no": ["knee_valgus"],
    "knee valgus was absent": ["knee_valgus"],
    "neither knee valgus nor forward lean": ["knee_valgus", "forward_lean"],
    "no knee valgus, forward lean or poor alignment": [
        "knee_valgus",
        "forward_lean",
        "poor_alignment",
    ],
}


@pytest.mark.parametrize(("text", "labels"), ABSENT.items())
def test_what_is_denied(text, labels):
    assert (denied(text), told(text)) == (labels, [])


PRESENT = {
    "no knee valgus, but forward lean": ["forward_lean"],
    "No knee valgus and excessive forward lean": ["forward_lean"],
    "Without knee valgus, the forward lean is visible": ["forward_lean"],
    "not only knee valgus but also forward lean": ["knee_valgus", "forward_lean"],
    "- no knee valgus\n- forward lean": ["forward_lean"],
    "knee valgus\nNo forward lean": ["knee_valgus"],
    "knee valgus - no forward lean": ["knee_valgus"],
    "No doubt. Knee valgus": ["knee_valgus"],
    "knee_valgus: yes, forward_lean: no": ["knee_valgus"],
    "You do not go down as far as you could with that knee valgus": ["knee_valgus"],
}


@pytest.mark.parametrize(("text", "labels"), PRESENT.items())
def test_what_is_not_denied(text, labels):
    assert told(text) == labels


def test_a_list_without_names_finds_nothing():
    assert Names([]).mentions("knee valgus") == []
    assert Names(["", "--"]).labels == ()


@pytest.mark.parametrize(
    ("word", "expected"),
    [("squats", "squat"), ("flies", "fly"), ("crunches", "crunch"), ("lunges", "lunge"),
     ("press", "press"), ("valgus", "valgus"), ("ups", "up"), ("boxes", "box"), ("us", "us")],
)  # fmt: skip
def test_singular(word, expected):
    assert singular(word) == expected


@given(st.text(max_size=60))
def test_any_text_and_any_name_can_be_read(text):
    assert all(one.label in ERRORS.labels for one in ERRORS.mentions(text))
    names = Names([text])
    assert names.labels == () or names.label(names.labels[0]) == names.labels[0]


@given(st.sampled_from(ERRORS.labels), st.sampled_from(["_", " ", "-"]), st.booleans())
def test_a_name_is_found_however_it_is_joined_and_written(label, joiner, capital):
    text = label.replace("_", joiner)
    assert told(text.upper() if capital else text) == [label]
    assert key_of(text) == key_of(label)
