"""What a judge is shown of a sample."""

from __future__ import annotations

import pytest

from harness.records import Sample
from harness.runner.material import question_of, reference_of


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ({"instruction": "Shorten it.", "input": "A long text."}, "Shorten it.\n\nA long text."),
        ({"instruction": "Shorten it.", "input": "  "}, "Shorten it."),
        ({"instruction": "Shorten it."}, "Shorten it."),
        ({"instruction": "Another one.", "input": "A long text."}, "Shorten it."),
        ({"input": "Shorten it."}, "Shorten it."),
    ],
)
def test_an_instruction_is_judged_with_the_input_it_speaks_of(
    row: dict[str, str], seen: str
) -> None:
    assert question_of(Sample("s", "Shorten it.", "x", row=row)) == seen


def test_choices_are_judged_with_their_letters() -> None:
    sample = Sample("s", "Which?", "B", choices=("red", "blue"))
    assert question_of(sample) == "Which?\n\nA. red\nB. blue"
    assert reference_of(sample) == "B. blue"
    assert reference_of(Sample("s", "Which?", "B")) == "B"
