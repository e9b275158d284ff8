"""What a judge is asked for, and what its numbers add up to."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.judge_spec import Criterion, JudgeSpec
from harness.collect.validate import Origin, validate
from harness.judges.base import Unreadable
from harness.judges.rubric import Expected, Rubric


def rubric(*criteria: Criterion, **more: object) -> Rubric:
    """The rubric of a judge as its file would make it."""
    spec = {"judge": "j", "version": 1, "model": "m", "template": "j.j2", **more}
    return Rubric.of(JudgeSpec.model_validate({**spec, "criteria": criteria}))


def score(name: str, low: int, high: int) -> Criterion:
    return Criterion(name=name, min=low, max=high)


VAD = rubric(
    score("accuracy", 0, 40),
    score("completeness", 0, 30),
    score("relevance", 0, 20),
    score("practicality", 0, 10),
)
LIKERT = rubric(score("a", 1, 5), score("b", 1, 5), score("c", 1, 5), scale="mean")
MATCH = rubric(Criterion(name="match", kind="yesno"), score("score", 0, 5), scale="yesno_score")
CLAIMS = rubric(Criterion(name="claims", kind="claims"), scale="mean")
PAIR = rubric(pairwise=True)


def vad(accuracy: object, completeness: object, relevance: object, practicality: object) -> dict:
    return {
        "accuracy": accuracy,
        "completeness": completeness,
        "relevance": relevance,
        "practicality": practicality,
    }


# --------------------------------------------------------------------------- R1


def test_r1_the_schema_is_strict_and_the_reasoning_comes_first() -> None:
    schema = VAD.schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["reasoning", *VAD.names]
    assert list(schema["properties"]) == ["reasoning", *VAD.names]
    assert schema["properties"]["accuracy"] == {"type": "integer", "minimum": 0, "maximum": 40}
    assert LIKERT.schema()["properties"]["a"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "enum": [1, 2, 3, 4, 5],
    }


def test_r1_words_are_enums_and_claims_are_objects() -> None:
    assert MATCH.schema()["properties"]["match"] == {"type": "string", "enum": ["yes", "no"]}
    assert PAIR.schema()["properties"]["preference"]["enum"] == ["A", "B", "tie"]
    claims = CLAIMS.schema()["properties"]["claims"]
    assert claims["items"]["required"] == ["claim", "supported"]
    assert claims["items"]["additionalProperties"] is False


def test_r1_the_form_keeps_the_order_and_has_a_name_that_servers_take() -> None:
    form = rubric(score("z", 0, 60), score("a", 0, 40), judge="my.judge v2".replace(" ", "-")).form(
        5
    )
    assert (form.name, form.top_logprobs) == ("my_judge-v2", 5)
    assert list(json.loads(form.schema)["properties"]) == ["reasoning", "z", "a"]
    assert ", " not in form.schema


def test_r1_a_description_is_told() -> None:
    one = rubric(Criterion(name="clarity", description="Can it be followed?"))
    assert one.schema()["properties"]["clarity"]["description"] == "Can it be followed?"


# --------------------------------------------------------------------------- R3


def test_r3_the_total_is_ours() -> None:
    grade = VAD.grade(vad(35, 25, 18, 8), stated_total=95)
    assert (grade.total, grade.value) == (86, 0.86)
    assert grade.criteria == {
        "accuracy": 35,
        "completeness": 25,
        "relevance": 18,
        "practicality": 8,
    }
    assert grade.flags == ("total_mismatch",)


@pytest.mark.parametrize("stated", [86, 86.0, "86", "86/100", None])
def test_r3_the_right_total_is_no_mismatch(stated: object) -> None:
    assert VAD.grade(vad(35, 25, 18, 8), stated).flags == ()


@pytest.mark.parametrize("stated", ["high", True, math.nan, math.inf, [86], 10**400, 0.86])
def test_r3_a_total_that_is_none_is_a_mismatch(stated: object) -> None:
    assert VAD.grade(vad(35, 25, 18, 8), stated).flags == ("total_mismatch",)


def test_r3_41_of_40_is_refused() -> None:
    with pytest.raises(Unreadable, match=r"^'accuracy' must be from 0 to 40, not 41$"):
        VAD.grade(vad(41, 25, 18, 8))


def test_r3_the_highest_scores_must_add_up_to_100(tmp_path: Path) -> None:
    (tmp_path / "j.j2").write_text("{{ question }}{{ reference }}{{ answer }}")
    path = tmp_path / "j.judge.yaml"
    text = "judge: j\nversion: 1\nmodel: m\ntemplate: j.j2\ncriteria:\n"
    wrong = validate("judge", Origin(path, tmp_path), text + "  - {name: a, max: 50}\n")
    assert isinstance(wrong, list)
    assert "add up to 50, not to 100 (the other way is 'scale: mean')" in str(wrong[0])
    fine = text + "  - {name: a, max: 50}\n  - {name: b, max: 10, weight: 5}\n"
    assert isinstance(validate("judge", Origin(path, tmp_path), fine), JudgeSpec)


def test_r3_a_criterion_of_weight_0_is_reported_and_stands_in_no_total(tmp_path: Path) -> None:
    shape = {"judge": "j", "version": 1, "model": "m", "template": "j.j2", "scale": "mean"}
    scores = {"min": 1, "max": 5}
    criteria = [{"name": "a", **scores}, {"name": "whole", "weight": 0, **scores}]
    made = Rubric.of(JudgeSpec.model_validate({**shape, "criteria": criteria}))
    grade = made.grade({"a": 4, "whole": 1})
    assert (made.low, made.high, grade.total, grade.value) == (1, 5, 4, 0.75)
    assert grade.criteria["whole"] == 1
    with pytest.raises(ValueError, match="every 'weight' is 0"):
        JudgeSpec.model_validate({**shape, "criteria": criteria[1:]})


def test_r3_weights_multiply() -> None:
    one = rubric(Criterion(name="a", max=10, weight=6), Criterion(name="b", max=10, weight=4))
    assert one.grade({"a": 5, "b": 10}).total == 70
    mean = rubric(Criterion(name="a", min=1, max=5, weight=3), score("b", 1, 5), scale="mean")
    assert mean.grade({"a": 5, "b": 1}).total == 4


# --------------------------------------------------------------------------- R4


@pytest.mark.parametrize(
    ("one", "low", "high"),
    [(VAD, 0, 100), (LIKERT, 1, 5), (MATCH, 0, 5), (CLAIMS, 0, 1), (PAIR, 0, 1)],
)
def test_r4_every_scale_has_its_ends(one: Rubric, low: float, high: float) -> None:
    assert (one.low, one.high) == (low, high)


def test_r4_one_to_five_becomes_zero_to_one() -> None:
    grade = LIKERT.grade({"a": 1, "b": 3, "c": 5})
    assert (grade.total, grade.value) == (3, 0.5)
    assert LIKERT.grade({"a": 1, "b": 1, "c": 1}).value == 0
    assert LIKERT.grade({"a": 5, "b": 5, "c": 5}).value == 1


@pytest.mark.parametrize(
    ("match", "points", "flags"),
    [
        ("yes", 0, ("inconsistent",)),
        ("yes", 1, ("inconsistent",)),
        ("yes", 2, ()),
        ("yes", 5, ()),
        ("no", 0, ()),
        ("no", 3, ()),
        ("no", 4, ("inconsistent",)),
        ("no", 5, ("inconsistent",)),
    ],
)
def test_r4_a_contradiction_is_flagged(match: str, points: int, flags: tuple[str, ...]) -> None:
    grade = MATCH.grade({"match": match, "score": points})
    assert grade.flags == flags
    assert (grade.total, grade.value) == (points, points / 5)
    assert grade.criteria["match"] == (match == "yes")


def test_r4_claims_are_the_share_of_the_supported() -> None:
    said = [{"claim": "x", "supported": word} for word in ("yes", "no", "Yes", "no")]
    assert CLAIMS.grade({"claims": said}).criteria == {"claims": 0.5}


def test_r4_a_preference_is_a_share_of_the_point() -> None:
    values = {word: PAIR.grade({"preference": word}).value for word in ("A", "B", "tie", "TIE")}
    assert values == {"A": 1, "B": 0, "tie": 0.5, "TIE": 0.5}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=5), st.data())
def test_r4_the_value_is_where_the_total_stands(
    spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    criteria = [score(f"c{n}", low, low + wide) for n, (low, wide) in enumerate(spans)]
    one = rubric(*criteria, scale="mean")
    values = {c.name: data.draw(st.integers(c.min, c.max)) for c in criteria}
    grade = one.grade(values)
    assert one.low <= grade.total <= one.high
    assert grade.value == pytest.approx((grade.total - one.low) / (one.high - one.low))
    assert one.grade({c.name: c.min for c in criteria}).value == 0
    assert one.grade({c.name: c.max for c in criteria}).value == 1


# --------------------------------------------------------------------------- R2


@pytest.mark.parametrize(
    "bad",
    ["35", 35.5, True, None, math.nan, math.inf, -1, 41, [35], {"value": 35}, "high", 10**400],
)
def test_r2_what_is_no_score_is_refused(bad: object) -> None:
    with pytest.raises(Unreadable, match=r"^'accuracy' must be"):
        VAD.grade(vad(bad, 25, 18, 8))


@pytest.mark.parametrize("bad", [True, "maybe", 1, None, "yes and no", ""])
def test_r2_what_is_no_yes_or_no_is_refused(bad: object) -> None:
    with pytest.raises(Unreadable, match="'match' must be one of yes, no"):
        MATCH.grade({"match": bad, "score": 3})


@pytest.mark.parametrize(
    "bad", [[], "x", None, ["claim"], [{"claim": "x"}], [{"claim": 1, "supported": "yes"}]]
)
def test_r2_what_is_no_list_of_claims_is_refused(bad: object) -> None:
    with pytest.raises(Unreadable, match="'claims'"):
        CLAIMS.grade({"claims": bad})


def test_r2_all_faults_are_told_at_once() -> None:
    values = vad(41, "25", 18, 8)
    del values["relevance"]
    with pytest.raises(Unreadable) as caught:
        VAD.grade(values)
    assert str(caught.value) == (
        "'accuracy' must be from 0 to 40, not 41; "
        "'completeness' must be a whole number, not \"25\"; "
        "'relevance' is missing"
    )


def test_a_whole_number_may_have_a_point_as_in_json_schema() -> None:
    assert VAD.grade(vad(35.0, 25, 18, 8)).total == 86


# --------------------------------------------------------------------------- R12


def test_r12_a_weighted_score_counts_as_it_is_and_the_flags_look_at_what_was_said() -> None:
    grade = MATCH.grade({"match": "yes", "score": Expected(1.75, said=1)}, stated_total=1)
    assert (grade.total, grade.value) == (1.75, 0.35)
    assert grade.flags == ("inconsistent",)
    with pytest.raises(Unreadable, match="must be from 0 to 5"):
        MATCH.grade({"match": "yes", "score": Expected(5.5, said=5)})


@pytest.mark.parametrize(
    ("criteria", "more", "what"),
    [
        ("[{name: a-b, max: 50}, {name: A_b, max: 50}]", "", "too alike to be told apart"),
        ("[{name: Reasoning}]", "", "no criterion can be named 'reasoning'"),
        ("[{name: a}]", "logprobs: require\n", "needs scores within 0 to 9"),
    ],
)
def test_rubrics_that_cannot_work_are_told_at_collection(
    tmp_path: Path, criteria: str, more: str, what: str
) -> None:
    (tmp_path / "j.j2").write_text("{{ question }}{{ reference }}{{ answer }}")
    text = f"judge: j\nversion: 1\nmodel: m\ntemplate: j.j2\n{more}criteria: {criteria}\n"
    found = validate("judge", Origin(tmp_path / "j.judge.yaml", tmp_path), text)
    assert isinstance(found, list)
    assert what in str(found[0])
