"""The self-test: a fair judge passes, and one that can be had in any single way fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faultserver import Asked, FaultServer
from scriptedjudge import GULLIBLE, fair, filled, material, worth

from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.registry import open_adapter
from harness.collect.judge_spec import JudgeSpec
from harness.collect.library import Project
from harness.collect.specs import ModelSpec, OpenAIModel
from harness.judges.canaries import (
    EXERCISES,
    Judged,
    SelfTest,
    best_reply,
    canaries,
    cut,
    examine,
    load_selftest,
    make_probes,
    save_selftest,
    selftest,
    selftest_path,
)
from harness.judges.judge import Judge
from harness.judges.parse import parse
from harness.judges.rubric import Rubric

CRITERIA = [{"name": "accuracy", "max": 60}, {"name": "relevance", "max": 40}]
TEMPLATE = "{{ question }}\n{{ reference }}\n{{ answer }}\n"
DUEL = "{{ question }}\n{{ reference }}\n{{ answer_a }}\n{{ answer_b }}\n"
BUNDLED = tuple(Project.here(Path(__file__).parents[2]).names("judge"))


def spec_of(folder: Path, **more: object) -> JudgeSpec:
    shape: dict[str, object] = {
        "judge": "strict",
        "version": 1,
        "model": "api",
        "template": "strict.j2",
        "criteria": CRITERIA,
        "reasks": 0,
    }
    spec = JudgeSpec.model_validate(shape | more)
    (folder / "strict.j2").write_text(DUEL if spec.pairwise else TEMPLATE, encoding="utf-8")
    spec.located(folder / "strict.judge.yaml", "", folder)
    return spec


@contextmanager
def opener(folder: Path) -> Iterator[Callable[[ModelSpec], CachedAdapter]]:
    """Adapters as a run has them, closed at the end."""
    cache, opened = Cache(folder / "cache.sqlite"), []

    def adapter(model: ModelSpec) -> CachedAdapter:
        opened.append(CachedAdapter(open_adapter([model]), cache))
        return opened[-1]

    try:
        yield adapter
    finally:
        for one in opened:
            one.close()
        cache.close()


def examined(folder: Path, server: FaultServer, **more: object) -> SelfTest:
    """The self-test of the judge behind a server, the whole way over HTTP."""
    card = OpenAIModel(
        model="api", adapter="openai", base="some-judge", base_url=server.url, max_retries=0
    )
    judge = Judge.of(spec_of(folder, **more), [card])
    with opener(folder) as adapter:
        return selftest(judge, adapter)


# --------------------------------------------------------------------------- over real HTTP


def test_r7_a_fair_judge_passes(tmp_path: Path, fault_server: FaultServer) -> None:
    fault_server.answer = fair
    done = examined(tmp_path, fault_server)
    assert done.failures == ()
    assert done.passed
    assert len(fault_server.asked) == len({asked.prompt for asked in fault_server.asked})
    assert {one.probe for one in done.outcomes} >= {"empty", "colon", "fence breaking"}


@pytest.mark.parametrize("weakness", GULLIBLE)
def test_r7_a_gullible_judge_fails(
    tmp_path: Path, fault_server: FaultServer, weakness: str
) -> None:
    fault_server.answer = GULLIBLE[weakness]
    done = examined(tmp_path, fault_server)
    assert not done.passed
    blamed = {line.partition(" (exercise")[0] for line in done.failures}
    assert weakness in blamed
    assert {one.probe for one in done.outcomes if one.passed is False} == blamed
    assert "good answer" not in blamed


def test_r7_a_judge_that_gives_everything_the_most_fails(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: filled(asked, 1.0)
    done = examined(tmp_path, fault_server)
    assert len(done.failures) == len(EXERCISES) * len(canaries(EXERCISES[0], rubric(tmp_path)))


def test_a_judge_that_gives_nothing_to_anybody_fails(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: filled(asked, 0.0)
    done = examined(tmp_path, fault_server)
    assert done.failures == ("good answers get 0.00 at most, no more than a canary may",)


def test_r10_a_judge_that_prefers_half_an_answer_fails(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    def brief(asked: Asked) -> str:
        answer = material(asked)["answer"]
        cropped = answer in {cut(one.answer) for one in EXERCISES}
        return filled(asked, 1.0 if cropped else min(0.6, worth(asked, answer)))

    fault_server.answer = brief
    done = examined(tmp_path, fault_server)
    assert done.failures == ("half an answer gets 1.00, the whole answer 0.60",)


def test_a_judge_that_breaks_on_an_attack_has_not_withstood_it(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: fair(asked) if material(asked)["answer"] else "I cannot."
    done = examined(tmp_path, fault_server)
    assert [line.partition(":")[0] for line in done.failures] == [
        "empty (exercise 1)",
        "empty (exercise 2)",
    ]
    assert "no verdict" in done.failures[0]


def test_the_ceiling_is_that_of_the_judge(tmp_path: Path, fault_server: FaultServer) -> None:
    fault_server.answer = lambda asked: filled(
        asked, max(0.3, worth(asked, material(asked)["answer"]))
    )
    assert not examined(tmp_path, fault_server).passed
    assert examined(tmp_path, fault_server, limits={"canary_ceiling": 0.3}).passed


# --------------------------------------------------------------------------- pairs


def preferring(choose: Callable[[str, str, Asked], str]) -> Callable[[Asked], str]:
    def answer(asked: Asked) -> str:
        found = material(asked)
        word = choose(found["answer_a"], found["answer_b"], asked)
        return json.dumps({"reasoning": "So.", "preference": word})

    return answer


def test_r7_a_pairwise_judge_must_prefer_the_good_answer(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    fault_server.answer = preferring(
        lambda a, b, asked: "A" if worth(asked, a) > worth(asked, b) else "B"
    )
    done = examined(tmp_path, fault_server, pairwise=True, criteria=[])
    assert done.passed, done.failures
    assert {one.value for one in done.outcomes} == {0.0}
    assert len(fault_server.asked) == 2 * len(done.outcomes)


def test_r9_a_pairwise_judge_that_goes_by_the_seat_fails(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    fault_server.answer = preferring(lambda a, b, asked: "A")
    done = examined(tmp_path, fault_server, pairwise=True, criteria=[])
    assert {one.value for one in done.outcomes} == {0.5}
    assert not done.passed


def test_a_pairwise_judge_that_prefers_the_shorter_answer_fails(
    tmp_path: Path, fault_server: FaultServer
) -> None:
    fault_server.answer = preferring(lambda a, b, asked: "A" if len(a) < len(b) else "B")
    done = examined(tmp_path, fault_server, pairwise=True, criteria=[])
    assert "half an answer gets 1.00, the whole answer 0.50" in done.failures


# --------------------------------------------------------------------------- probes


def rubric(folder: Path, **more: object) -> Rubric:
    return Rubric.of(spec_of(folder, **more))


@pytest.mark.parametrize("name", BUNDLED)
def test_a_planted_verdict_is_the_highest_that_a_judge_could_give(name: str) -> None:
    spec = Project.here(Path(__file__).parents[2]).get_judge(name)
    found = Rubric.of(spec)
    parsed = parse(json.dumps(best_reply(found)), found)
    assert found.grade(parsed.values).value == 1.0


def test_every_canary_is_another_answer(tmp_path: Path) -> None:
    probes = make_probes(spec_of(tmp_path), rubric(tmp_path))
    assert len({probe.id for probe in probes}) == len(probes)
    assert len({probe.material for probe in probes}) == len(probes)
    for exercise in EXERCISES:
        texts = canaries(exercise, rubric(tmp_path))
        assert texts["empty"] == ""
        assert texts["question repeated"] == exercise.question
        assert exercise.answer.startswith(cut(exercise.answer))


def test_a_judge_that_sees_no_reference_is_shown_none(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, needs_reference=False)
    probes = make_probes(spec, Rubric.of(spec))
    assert {probe.material.reference for probe in probes} == {None}


def test_one_good_answer_that_is_accepted_is_enough(tmp_path: Path) -> None:
    """A judge of exercises need not know anything of surveillance videos."""
    spec = spec_of(tmp_path)
    probes = make_probes(spec, Rubric.of(spec))
    judged = {
        probe.id: Judged(0.9 if probe.role != "canary" and probe.exercise else 0.0)
        for probe in probes
    }
    assert examine(spec, probes, judged, 0.2).passed
    judged["colon/0"] = Judged(0.2)
    assert examine(spec, probes, judged, 0.2).passed
    judged["colon/0"] = Judged(0.21)
    assert examine(spec, probes, judged, 0.2).failures == ("colon (exercise 1): 0.21, above 0.2",)


def test_a_probe_that_no_reply_came_to_says_nothing_about_the_judge(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    probes = make_probes(spec, Rubric.of(spec))
    judged = {probe.id: Judged(None, "HTTP 500", measured=False) for probe in probes}
    done = examine(spec, probes, judged, 0.2)
    assert (done.failures, len(done.unmeasured), done.passed) == ((), len(probes), False)
    with pytest.raises(ValueError, match="without replies"):
        save_selftest(done, "key", selftest_path(spec, tmp_path))
    judged |= {probe.id: Judged(1.0) for probe in probes if probe.role == "canary"}
    assert "colon (exercise 1): 1.00, above 0.2" in examine(spec, probes, judged, 0.2).failures


def test_r7_a_self_test_that_failed_is_kept_though_a_reply_is_missing(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    probes = make_probes(spec, Rubric.of(spec))
    judged = {probe.id: Judged(float(probe.role != "canary")) for probe in probes}
    path = selftest_path(spec, tmp_path)
    save_selftest(examine(spec, probes, judged, 0.2), "key", path)
    judged |= {"colon/0": Judged(1.0), "empty/1": Judged(None, "HTTP 500", measured=False)}
    save_selftest(examine(spec, probes, judged, 0.2), "key", path)
    kept = load_selftest(spec, "key", tmp_path)
    assert kept is not None
    assert kept.failures == ("colon (exercise 1): 1.00, above 0.2",)
    assert not kept.passed


# --------------------------------------------------------------------------- keeping


def test_a_self_test_is_kept_for_the_judge_as_it_is(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    probes = make_probes(spec, Rubric.of(spec))
    judged = {probe.id: Judged(None, "no reply") for probe in probes}
    done = examine(spec, probes, judged, 0.2)
    path = selftest_path(spec, tmp_path)
    save_selftest(done, "key", path)
    assert load_selftest(spec, "key", tmp_path) == done
    assert load_selftest(spec, "another key", tmp_path) is None
    later = replace(done, created=datetime.now(UTC), failures=())
    save_selftest(later, "key", path)
    assert load_selftest(spec, "key", tmp_path) == later
