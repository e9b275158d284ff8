import pytest

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.registry import make_scorer


def score(answer, target="left"):
    scorer = make_scorer(ScoreSpec(metric="gqa_accuracy"), ScorerContext())
    return scorer.score([Sample("1", "q", target)], [Completion("1", answer)])[0]


@pytest.mark.parametrize("answer", ["left", "Left", "Left.", " LEFT \n", "left..."])
def test_case_and_points_at_the_end_do_not_matter(answer):
    assert (score(answer).value, score(answer).answer) == (1.0, "left")


@pytest.mark.parametrize(
    "answer", ["the left", "It is on the left.", "lefts", "left!", "", "right"]
)
def test_anything_more_than_the_word_is_wrong(answer):
    assert score(answer).value == 0.0


def test_the_target_is_normalised_too():
    assert score("st. bernard", "St. Bernard").value == 1.0
