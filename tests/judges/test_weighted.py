"""Scores weighted by probability, at the token in which the value stands."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.judge_spec import Criterion, JudgeSpec
from harness.judges.base import Unreadable
from harness.judges.parse import parse
from harness.judges.rubric import Rubric
from harness.judges.weighted import Weighted, weigh, weighable
from harness.records import Completion, TokenLogprobs

SPEC = {"judge": "j", "version": 1, "model": "m", "template": "j.j2", "scale": "mean"}
Alternatives = dict[str, float]


def rubric(*criteria: Criterion) -> Rubric:
    return Rubric.of(JudgeSpec.model_validate({**SPEC, "criteria": criteria}))


DEPTH = rubric(Criterion(name="depth", min=1, max=5))
TWO = rubric(Criterion(name="a", min=1, max=5), Criterion(name="b", min=1, max=5))


def reply(text: str, *at: tuple[int, Alternatives], pattern: str = r"\d|\s+|\w+|.") -> Completion:
    """A completion in tokens; `at` gives the probabilities at the token of an offset."""
    given_at = dict(at)
    tokens = []
    for found in re.finditer(pattern, text):
        odds = given_at.get(found.start(), {found[0]: 1.0})
        alternatives = tuple((word, math.log(p) if p else -9999.0) for word, p in odds.items())
        tokens.append(TokenLogprobs(found[0], found.start(), alternatives))
    return Completion("s#0", text, token_logprobs=tuple(tokens))


def weighed(
    completion: Completion, one: Rubric = DEPTH, *, require: bool = False, least: float = 0.8
) -> Weighted:
    parsed = parse(completion.text, one)
    return weigh(completion, one, parsed, "require" if require else "auto", least)


TEXT = '{"reasoning": "a 3 of 5, not a 4", "depth": 4}'
AT = TEXT.rindex("4")


def test_r12_the_score_is_weighted_at_the_value() -> None:
    found = weighed(reply(TEXT, (AT, {"4": 0.6, "5": 0.3, "3": 0.1})))
    assert found.values["depth"] == pytest.approx(4.2)
    assert found.mass == pytest.approx(1)
    assert found.flags == ("weighted",)
    assert DEPTH.grade(found.values).total == pytest.approx(4.2)


def test_r12_a_digit_in_the_reasoning_counts_for_nothing() -> None:
    odds = [(n, {"1": 1.0}) for n, sign in enumerate(TEXT[:AT]) if sign.isdigit()]
    assert len(odds) == 3
    found = weighed(reply(TEXT, *odds, (AT, {"4": 0.5, "5": 0.5})))
    assert found.values["depth"] == pytest.approx(4.5)


def test_r12_the_last_of_two_verdicts_is_the_one_that_is_weighted() -> None:
    text = '{"depth": 5} is what the answer asks for. {"depth": 4}'
    first, last = text.index("5"), text.rindex("4")
    found = weighed(reply(text, (first, {"5": 0.9, "1": 0.1}), (last, {"4": 0.5, "3": 0.5})))
    assert found.values["depth"] == pytest.approx(3.5)


def test_r12_tagged_text_is_weighted_too() -> None:
    found = weighed(reply("depth: 4/5", (7, {"4": 0.5, "2": 0.5})))
    assert found.values["depth"] == pytest.approx(3)


@pytest.mark.parametrize("odds", [{"4": 0.0, "5": 0.0}, {"four": 0.9, "7": 0.1}, {"": 1.0}, {}])
def test_r12_all_filtered_is_no_division_by_zero(odds: Alternatives) -> None:
    completion = reply(TEXT, (AT, odds))
    assert weighed(completion) == Weighted({"depth": 4}, None, ("unweighted",))
    with pytest.raises(Unreadable, match="no legal score of 'depth'"):
        weighed(completion, require=True)


def test_r12_no_probabilities_fall_back_and_are_refused_where_required() -> None:
    bare = Completion("s#0", TEXT)
    assert weighed(bare) == Weighted({"depth": 4}, None, ("unweighted",))
    with pytest.raises(Unreadable, match="gave no probabilities for 'depth'"):
        weighed(bare, require=True)


def test_r12_spaces_make_no_other_label_and_a_token_counts_once() -> None:
    odds = (("4", math.log(0.2)), ("4", math.log(0.2)), (" 4", math.log(0.2)), ("5", math.log(0.4)))
    text = '{"depth":4}'
    tokens = (TokenLogprobs('{"depth":', 0, ()), TokenLogprobs("4", 9, odds))
    found = weighed(Completion("s#0", text, token_logprobs=tokens))
    assert found.values["depth"] == pytest.approx(4.5)
    assert found.mass == pytest.approx(0.8)


def test_r12_a_token_may_begin_with_the_space_before_the_value() -> None:
    at = TEXT.rindex(" 4")
    odds = {" 4": 0.5, " 5": 0.5}
    found = weighed(reply(TEXT, (at, odds), pattern=r" \d|\w+|\s+|."))
    assert found.values["depth"] == pytest.approx(4.5)


def test_r12_only_legal_labels_count_and_little_mass_is_flagged() -> None:
    found = weighed(reply(TEXT, (AT, {"4": 0.3, "5": 0.3, "9": 0.2, "0": 0.1, "10": 0.1})))
    assert found.values["depth"] == pytest.approx(4.5)
    assert found.mass == pytest.approx(0.6)
    assert found.flags == ("weighted", "low_mass")
    assert weighed(reply(TEXT, (AT, {"4": 0.8})), least=0.8).flags == ("weighted",)


def test_r12_the_mass_is_the_lowest_of_all_criteria() -> None:
    text = '{"reasoning": "", "a": 2, "b": 4}'
    found = weighed(
        reply(text, (text.index("2"), {"2": 0.9}), (text.index("4"), {"4": 0.5, "5": 0.2})), TWO
    )
    assert found.mass == pytest.approx(0.7)
    assert found.flags == ("weighted", "low_mass")


def test_r12_all_scores_are_weighted_or_none() -> None:
    text = '{"reasoning": "", "a": 2, "b": 4}'
    found = weighed(
        reply(text, (text.index("2"), {"2": 0.5, "3": 0.5}), (text.index("4"), {})), TWO
    )
    assert found == Weighted({"a": 2, "b": 4}, None, ("unweighted",))


@pytest.mark.parametrize(("low", "high"), [(0, 10), (0, 40), (-1, 5), (10, 12)])
def test_r12_scales_of_more_than_one_digit_are_not_weighted(low: int, high: int) -> None:
    one = rubric(Criterion(name="depth", min=low, max=high))
    assert not weighable(one.criteria[0])
    text = f'{{"reasoning": "", "depth": {high}}}'
    assert weighed(reply(text, pattern=r"\d+|\s+|\w+|."), one).flags == ("unweighted",)


def test_r12_yes_and_no_stay_as_they_are() -> None:
    one = rubric(Criterion(name="match", kind="yesno"), Criterion(name="depth", min=1, max=5))
    text = '{"reasoning": "", "match": "yes", "depth": 4}'
    found = weighed(reply(text, (text.index("4"), {"4": 0.5, "5": 0.5})), one)
    assert found.values["match"] == "yes"
    assert found.values["depth"] == pytest.approx(4.5)
    only = rubric(Criterion(name="match", kind="yesno"))
    assert weighed(reply('{"reasoning": "", "match": "yes"}'), only).flags == ("unweighted",)


def test_r12_offsets_that_do_not_fit_the_text_are_not_trusted() -> None:
    completion = Completion("s#0", TEXT, token_logprobs=(TokenLogprobs("3", AT, (("3", 0.0),)),))
    assert weighed(completion).flags == ("unweighted",)


@given(st.dictionaries(st.sampled_from("0123456789"), st.floats(0, 1), max_size=10))
def test_r12_the_expected_score_is_on_the_scale(odds: Alternatives) -> None:
    found = weighed(reply(TEXT, (AT, odds)))
    value = DEPTH.grade(found.values)
    assert 1 <= value.total <= 5
    legal = {int(word): p for word, p in odds.items() if word in "12345"}
    mass = sum(legal.values())
    if found.mass is not None:
        assert value.total == pytest.approx(sum(n * p for n, p in legal.items()) / mass)
