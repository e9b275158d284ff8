"""The judges that come with the harness: every rubric renders, adds up, and names no model."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from harness.adapters.registry import open_adapter
from harness.collect.judge_spec import JudgeSpec
from harness.collect.library import Project, library_root
from harness.collect.specs import EmbeddingJudgeModel
from harness.judges.audit import irrelevance_rate
from harness.judges.base import Material
from harness.judges.canaries import EXERCISES, best_reply
from harness.judges.judge import Judge
from harness.judges.parse import parse
from harness.judges.render import JudgePrompt
from harness.judges.rubric import Rubric
from harness.records import Message, Verdict

JUDGES = {
    "vad_rubric": (0, 100),
    "vad_rubric_open": (0, 100),
    "instruction_quality": (1, 5),
    "technical_depth": (1, 5),
    "factual_accuracy": (0, 1),
    "video_match": (0, 5),
    "clinical_feedback": (1, 5),
    "exercise_match": (1, 5),
    "pairwise_preference": (0, 1),
    "pairwise_preference_open": (0, 1),
}
"""Every bundled judge and the lowest and highest total that it can give."""
PAIRWISE = ("pairwise_preference", "pairwise_preference_open")
POINTWISE = [name for name in JUDGES if name not in PAIRWISE]
OPEN = ("vad_rubric_open", "pairwise_preference_open")
QUESTION, REFERENCE, ANSWER = "What falls?", "The shelf falls over.", "A shelf tips over."

every_judge = pytest.mark.parametrize("name", JUDGES)


@cache
def spec(name: str) -> JudgeSpec:
    return Project.here(library_root()).get_judge(name)


def judge(name: str) -> Judge:
    project = Project.here(library_root())
    return Judge.of(spec(name), [project.get_model(model) for model in spec(name).models])


def material(name: str, answer: str = ANSWER) -> Material:
    """As a run makes it: the reference only where the judge asks for one."""
    reference = REFERENCE if spec(name).needs_reference else None
    return Material(QUESTION, reference, answer, "Nothing." if spec(name).pairwise else None)


def rendered(name: str, about: Material) -> tuple[Message, ...]:
    return JudgePrompt.of(spec(name), Rubric.of(spec(name))).render(about)


def worst_reply(rubric: Rubric) -> dict[str, object]:
    worst: dict[str, object] = {"reasoning": "nothing"}
    if rubric.pairwise:
        return {**worst, "preference": "B"}
    kinds = {"yesno": "no", "claims": [{"claim": "It flies.", "supported": "no"}]}
    for each in rubric.criteria:
        worst[each.name] = kinds.get(each.kind, each.min)
    return worst


def test_these_are_all_of_them() -> None:
    found = {path.name.removesuffix(".judge.yaml") for path in folder().glob("*.judge.yaml")}
    assert found == set(JUDGES)
    assert {path.stem for path in folder().glob("*.j2")} == found


def folder() -> Path:
    return library_root() / "judges"


@every_judge
def test_r3_a_perfect_reply_is_worth_1_and_the_worst_0_in_the_units_of_the_rubric(
    name: str,
) -> None:
    rubric = Rubric.of(spec(name))
    low, high = JUDGES[name]
    assert (rubric.low, rubric.high) == (low, high)
    for reply, total, value in ((best_reply(rubric), high, 1), (worst_reply(rubric), low, 0)):
        read = parse(json.dumps(reply), rubric)
        grade = rubric.grade(read.values, read.stated_total)
        assert (read.mode, grade.total, grade.value, grade.flags) == ("schema", total, value, ())


def test_r3_the_weights_of_the_vad_rubrics_are_the_reference_systems() -> None:
    for name in ("vad_rubric", "vad_rubric_open"):
        rubric = Rubric.of(spec(name))
        assert {each.name: each.max * each.weight for each in rubric.criteria} == {
            "accuracy": 40, "completeness": 30, "relevance": 20, "practicality": 10
        }  # fmt: skip
        given = {"accuracy": 35, "completeness": 25, "relevance": 18, "practicality": 8}
        assert rubric.grade(given, 95).total == 86


@every_judge
def test_a_prompt_shows_its_material_and_explains_every_criterion(name: str) -> None:
    about = material(name)
    system, user = rendered(name, about)
    assert (system.role, user.role) == ("system", "user")
    texts = (about.question, about.reference, about.answer, about.answer_b)
    assert all(user.content.count(f"\n{text}\n") == 1 for text in texts if text is not None)
    for criterion in Rubric.of(spec(name)).names:
        assert re.search(rf"\b{criterion}\b", user.content), criterion


@pytest.mark.parametrize("name", POINTWISE)
def test_every_scale_is_anchored_at_both_ends(name: str) -> None:
    """Each score's range stands in the template, and its ends have a meaning of their own."""
    text = (folder() / spec(name).template).read_text("utf-8")
    for criterion in spec(name).criteria:
        if criterion.kind != "score":
            continue
        part = text[re.search(rf"(?m)^(?:Score )?{criterion.name}\b", text).end() :]  # type: ignore[union-attr]
        ends = [int(found) for found in re.findall(r"(?m)^ +(\d+)  \w", part)]
        assert ends[0] == criterion.max, criterion.name
        assert next(b for a, b in zip(ends, [*ends[1:], 999], strict=True) if b > a) > 0
        assert criterion.min in ends, criterion.name


@pytest.mark.parametrize("name", JUDGES)
def test_r5_only_the_open_rubrics_are_shown_no_reference(name: str) -> None:
    text = (folder() / spec(name).template).read_text("utf-8")
    assert spec(name).needs_reference == ("{{ reference }}" in text) == (name not in OPEN)


def test_a_preference_needs_no_reference_where_the_data_has_none() -> None:
    bare = Material(QUESTION, None, ANSWER, "Nothing.")
    (requests,) = judge("pairwise_preference_open").requests([("s", bare)]).values()
    assert "eference" not in dict(requests[0].material)
    assert REFERENCE not in requests[0].prompt[1].content  # type: ignore[union-attr]


@every_judge
def test_a_bundled_judge_reads_text_alone(name: str) -> None:
    assert not spec(name).media


@pytest.mark.parametrize("name", ["vad_rubric", "vad_rubric_open"])
def test_an_answer_with_only_single_words_of_the_question_is_irrelevant(name: str) -> None:
    """5 of 20 is the rubric's own anchor for it; 10 is the right field, and not irrelevant."""
    rubric = Rubric.of(spec(name))
    text = (folder() / spec(name).template).read_text("utf-8")
    assert "\n   5  only single words belong to the question\n  " in text
    rest = {"accuracy": 0, "completeness": 0, "practicality": 0}
    rates = []
    for points in (5, 10):
        grade = rubric.grade({**rest, "relevance": points})
        verdict = Verdict(name, "m", 0, "ok", criteria=grade.criteria)
        rates.append(irrelevance_rate(spec(name), [verdict]))
    assert rates == [1, 0]


def test_every_level_of_video_match_goes_with_one_word() -> None:
    """No level asks for a yes that another sentence of the rubric takes for a no."""
    text = (folder() / "video_match.j2").read_text("utf-8")
    assert '"yes" with 3, 4 or 5, "no" with 0, 1 or 2' in text
    levels = dict(re.findall(r"(?m)^  (\d)  (.*)$", text))
    right = {level for level, words in levels.items() if "main thing is right" in words}
    assert right == {"3", "4"}  # and 5 is the same meaning
    assert '"yes" if the main thing' in " ".join(text.split())


@pytest.mark.parametrize(
    ("match", "score", "flags"),
    [("yes", 1, ("inconsistent",)), ("no", 4, ("inconsistent",)), ("yes", 3, ()), ("no", 2, ())],
)
def test_video_match_flags_a_contradiction(match: str, score: int, flags: tuple[str, ...]) -> None:
    assert Rubric.of(spec("video_match")).grade({"match": match, "score": score}).flags == flags


def test_the_overall_worth_of_feedback_stands_beside_the_total() -> None:
    names = ("clinical_accuracy", "actionability", "root_cause", "completeness")
    grade = Rubric.of(spec("clinical_feedback")).grade({**dict.fromkeys(names, 4), "overall": 1})
    assert (grade.total, grade.criteria["overall"]) == (4.0, 1.0)
    text = (folder() / "clinical_feedback.j2").read_text("utf-8")
    assert "  2  the exercise is right, but all of its errors are missed" in text


def test_factual_accuracy_says_what_is_unsupported_and_has_room_for_many_claims() -> None:
    text = " ".join((folder() / "factual_accuracy.j2").read_text("utf-8").split())
    assert "contradicts it, or it neither says it nor implies it; both count alike" in text
    assert spec("factual_accuracy").max_new_tokens >= 4096


def test_every_close_variant_of_an_exercise_has_a_level() -> None:
    text = " ".join((folder() / "exercise_match.j2").read_text("utf-8").split())
    three, _, two = text.partition(" 3 ")[2].partition(" 2 ")
    assert "a close variant of it" in three
    assert "a close variant with another assessment or none" in two


def test_r5_the_two_variants_of_the_vad_rubric_are_two_templates() -> None:
    prompts = [
        JudgePrompt.of(spec(n), Rubric.of(spec(n))) for n in ("vad_rubric", "vad_rubric_open")
    ]
    assert len({prompt.template_hash for prompt in prompts}) == 2
    assert REFERENCE not in prompts[1].render(material("vad_rubric_open"))[1].content


@every_judge
def test_r8_two_models_with_the_same_answer_are_judged_by_the_same_bytes(name: str) -> None:
    """An item's id names the cell, and so the model; nothing of it reaches a prompt."""
    items = [(f"task[{model}]/sample", material(name)) for model in ("tiny-llama", "vad-tiny")]
    (requests,) = judge(name).requests(items).values()
    prompts = {
        tuple((turn.role, turn.content.encode()) for turn in request.prompt)  # type: ignore[union-attr]
        for request in requests
    }
    assert (len(requests), len(prompts)) == (2, 1)
    shown = " ".join(text.decode().casefold() for _, text in prompts.pop())
    names = [word.casefold() for word in Project.here(library_root()).names("model")]
    for word in (*names, "vad-tiny", "base model", "tuned", "checkpoint", "threshold", "baseline"):
        assert not re.search(rf"\b{re.escape(word)}\b", shown), word


@every_judge
def test_a_bundled_judge_works_without_a_key(name: str) -> None:
    assert spec(name).models == ("embedding-judge",)
    card = Project.here(library_root()).get_model("embedding-judge")
    assert isinstance(card, EmbeddingJudgeModel)


@pytest.mark.parametrize("name", POINTWISE)
def test_the_embedding_judge_fills_every_bundled_form(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference gets the highest total of every rubric, the repeated question the lowest."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    exercise = EXERCISES[0]
    reference = exercise.reference if spec(name).needs_reference else None
    answers = (exercise.reference, exercise.answer, exercise.question)
    best, good, repeated = values(
        name, [Material(exercise.question, reference, answer) for answer in answers]
    )
    assert repeated == 0 < spec(name).limits.canary_ceiling < good
    assert best == 1 or reference is None


def test_the_embedding_judge_prefers_the_answer_in_both_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    one = EXERCISES[1]
    pairs = [(one.answer, one.question), (one.question, one.answer), (one.answer, one.answer)]
    shown = [Material(one.question, one.reference, first, second) for first, second in pairs]
    assert values("pairwise_preference", shown) == [1, 0, 0.5]


def values(name: str, shown: list[Material]) -> list[float | None]:
    """What the embedding judge finds, by the way of every judge: ask, fill, read."""
    asked = judge(name)
    (card,) = asked.models
    (requests,) = asked.requests([(str(n), about) for n, about in enumerate(shown)]).values()
    found: dict[str, float | None] = {}
    by_id = {request.id: request for request in requests}
    for batch in open_adapter(asked.models).complete(card, requests):
        for done in batch:
            verdict = asked.read(card, by_id[done.id], done, cached=False, key=None)
            assert isinstance(verdict, Verdict)
            assert (verdict.status, verdict.mode) == ("ok", "schema")
            found[done.id] = verdict.value
    return [found[request.id] for request in requests]
