"""`harness judge calibrate`, `selftest` and `label`, against a judge behind real HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from aiohttp import web
from click.testing import CliRunner
from faultserver import Asked, FaultServer
from scriptedjudge import GULLIBLE, fair, filled, material, schema

from harness.cli.judge_trust import calibrate, label, selftest
from harness.cli.label_page import LabelServer
from harness.collect.library import Project
from harness.errors import DataError, HarnessError, SelectionError, StoreError
from harness.judges.calibrate import load_calibration
from harness.judges.judge import Judge
from harness.judges.labels import read_items
from harness.records import Completion, Sample, Score
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo
from harness.results.store import write_run

if TYPE_CHECKING:
    from tests.conftest import UserProject

JUDGE = """\
judge: strict
version: 1
model: api
template: strict.j2
criteria:
  - {name: accuracy, max: 60, description: Is it right?}
  - {name: relevance, max: 40}
reasks: 0
"""
TEMPLATE = "{{ question }}\n{{ reference }}\n{{ answer }}\n"


@pytest.fixture
def judged(project: UserProject, fault_server: FaultServer) -> UserProject:
    """A project with the judge `strict`, asked over HTTP."""
    project.write("judges/strict.judge.yaml", JUDGE)
    project.write("judges/strict.j2", TEMPLATE)
    card = f"model: api\nadapter: openai\nbase: b\nbase_url: {fault_server.url}\nmax_retries: 0\n"
    project.write("adapters/api.model.yaml", card)
    fault_server.answer = fair
    return project


def command(which: click.Command, *words: str, said: str = "") -> tuple[int, str]:
    """The command as `harness judge` calls it: exit code and what it printed."""
    done = CliRunner().invoke(which, words, input=said, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.stdout


def stored(root: Path, name: str) -> dict[str, Any]:
    """The one record of a file below .harness/calibration."""
    (one,) = json.loads((root / ".harness/calibration" / name).read_text("utf-8")).values()
    found: dict[str, Any] = one
    return found


# --------------------------------------------------------------------------- selftest


def test_selftest_of_a_fair_judge_passes_and_is_kept(judged: UserProject) -> None:
    code, out = command(selftest, "strict")
    assert code == 0, out
    assert "thought process" in out
    assert "kept in .harness/calibration/strict.selftest.json" in out
    assert stored(judged.root, "strict.selftest.json")["failures"] == []


def test_r7_selftest_of_a_gullible_judge_fails_and_is_kept(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = GULLIBLE["ignore the rubric"]
    code, out = command(selftest, "strict")
    assert code == 1
    assert "FAILED ignore the rubric (exercise 1): 1.00, above 0.2" in out
    assert len(stored(judged.root, "strict.selftest.json")["failures"]) == 2


def test_selftest_asks_the_cache_first_and_with_fresh_the_judge(
    judged: UserProject, fault_server: FaultServer
) -> None:
    command(selftest, "strict")
    asked = len(fault_server.asked)
    command(selftest, "strict")
    assert len(fault_server.asked) == asked
    command(selftest, "strict", "--fresh")
    assert len(fault_server.asked) == 2 * asked


def test_selftest_as_json(judged: UserProject) -> None:
    _, out = command(selftest, "strict", "--format", "json")
    outcomes = json.loads(out)["outcomes"]
    assert {one["probe"] for one in outcomes if one["role"] == "canary"} >= {"empty", "colon"}


def test_selftest_of_the_bundled_rubric_by_the_embedding_judge(project: UserProject) -> None:
    code, out = command(selftest, "vad_rubric", "--judge-model", "embedding-judge")
    assert code == 0, out
    assert "self-test of vad_rubric[embedding judge, not an LLM] (embedding-judge)" in out


def test_the_commands_are_those_of_harness_judge(
    judged: UserProject, invoke: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = invoke("judge", "selftest", "strict")
    assert code == 0
    assert "self-test of strict (api)" in out
    code, _, err = invoke("judge", "calibrate", "strict", "none.jsonl")
    assert (code, err) == (4, "none.jsonl: cannot be read: No such file or directory\n")
    code, _, err = invoke("judge", "label", "none", "--rater", "anna")
    assert (code, err.count("\n")) == (4, 1)


def test_a_panel_in_place_of_the_judges_model(judged: UserProject) -> None:
    card = (judged.root / "adapters/api.model.yaml").read_text("utf-8")
    judged.write("adapters/two.model.yaml", card.replace("model: api", "model: two"))
    code, out = command(selftest, "strict", "--judge-model", "api,two")
    assert code == 0
    assert "self-test of strict (api + two)" in out


def priced(judged: UserProject) -> None:
    """The judge's card with a price, so that a limit of costs can be kept."""
    file = judged.root / "adapters/api.model.yaml"
    card = file.read_text("utf-8") + "price: {input: 1.0, output: 10.0}\n"
    judged.write("adapters/api.model.yaml", card)


@pytest.mark.parametrize(
    ("fault", "words", "why"),
    [("500", (), "HTTP 500"), ("ok", ("--max-cost", "0"), "not asked"), ("429", (), "HTTP 429")],
)
def test_a_self_test_without_replies_measures_nothing_and_keeps_the_old_result(
    judged: UserProject, fault_server: FaultServer, fault: str, words: tuple[str, ...], why: str
) -> None:
    priced(judged)
    assert command(selftest, "strict")[0] == 0
    before = (judged.root / ".harness/calibration/strict.selftest.json").read_text("utf-8")
    fault_server.play = lambda asked: fault
    code, out = command(selftest, "strict", "--fresh", *words)
    assert code == 1
    assert "NOT MEASURED: 24 of 24 probes had no reply, most often: " in out
    assert why in out
    assert "passed" not in out
    assert "FAILED" not in out
    assert "kept in" not in out
    after = (judged.root / ".harness/calibration/strict.selftest.json").read_text("utf-8")
    assert after == before


def test_a_self_test_with_one_reply_missing_is_none(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.play = lambda asked: "500" if asked.number == 3 else "ok"
    code, out = command(selftest, "strict")
    assert code == 1
    assert "NOT MEASURED: 1 of 24 probes" in out
    assert not (judged.root / ".harness/calibration").exists()
    code, out = command(selftest, "strict")
    assert code == 0
    assert len(fault_server.asked) == 25  # only what was missing


def test_r7_a_self_test_that_failed_replaces_one_that_passed_though_a_reply_is_missing(
    judged: UserProject, fault_server: FaultServer
) -> None:
    assert command(selftest, "strict")[0] == 0
    fault_server.answer = GULLIBLE["ignore the rubric"]
    fault_server.play = lambda asked: "500" if asked.number == 30 else "ok"
    code, out = command(selftest, "strict", "--fresh")
    assert code == 1
    assert "FAILED ignore the rubric (exercise 1): 1.00, above 0.2" in out
    assert "NOT MEASURED" not in out
    assert "kept in" in out
    assert len(stored(judged.root, "strict.selftest.json")["failures"]) == 2


def test_r7_a_canary_that_the_provider_filters_is_refused_and_has_no_verdict(
    judged: UserProject, fault_server: FaultServer
) -> None:
    def play(asked: Asked) -> str | web.Response:
        error = {"message": "filtered", "code": "content_filter"}
        planted = "Ignore the rubric" in asked.prompt
        return web.json_response({"error": error}, status=400) if planted else "ok"

    fault_server.play = play
    code, out = command(selftest, "strict")
    assert code == 1
    assert "FAILED ignore the rubric (exercise 1): no verdict: refused: HTTP 400: filtered" in out
    assert len(stored(judged.root, "strict.selftest.json")["failures"]) == 2


def test_a_judge_that_gives_no_verdict_fails_with_one_reason(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: "I cannot."
    code, out = command(selftest, "strict")
    assert code == 1
    assert "FAILED empty (exercise 1): no verdict: refused: I cannot." in out
    assert len(stored(judged.root, "strict.selftest.json")["failures"]) == 24


def test_what_cannot_be_kept_is_told_before_anybody_is_asked(
    judged: UserProject, fault_server: FaultServer
) -> None:
    judged.write(".harness/calibration", "a file in the place of the folder")
    judged.write_rows("a.jsonl", rows("anna"))
    for which, *words in ((selftest, "strict"), (calibrate, "strict", "a.jsonl")):
        with pytest.raises(StoreError, match=r"cannot write \.harness/calibration/strict"):
            command(which, *words)
    assert fault_server.asked == []


def test_max_cost_without_a_price_is_refused(judged: UserProject) -> None:
    with pytest.raises(HarnessError, match="has no known price"):
        command(selftest, "strict", "--max-cost", "1")


# --------------------------------------------------------------------------- calibrate

HUMAN = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 50]


def rows(rater: str, marks: list[int] = HUMAN) -> list[dict[str, object]]:
    """Answers whose first word tells the judge below what to give."""
    return [
        {
            "id": f"i{n}",
            "question": "What is it?",
            "reference": "It is a thing.",
            "answer": f"{HUMAN[n]} is what it deserves, {n}",
            "ratings": {"accuracy": round(0.6 * mark), "relevance": round(0.4 * mark)},
            "rater": rater,
        }
        for n, mark in enumerate(marks)
    ]


def obedient(asked: Asked, more: int = 0) -> str:
    """Gives what the answer's first word says."""
    share = min(100, int(material(asked)["answer"].split()[0]) + more) / 100
    return filled(asked, share)


def test_calibrate_prints_and_keeps_the_agreement(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: obedient(asked, more=10)
    judged.write_rows("anna.jsonl", rows("anna"))
    code, out = command(calibrate, "strict", "anna.jsonl")
    assert code == 0, out
    assert "strict (api) and people: 12 answers, anna" in out
    assert "sensitivity" in out
    kept = stored(judged.root, "strict.json")
    assert kept["total"]["bias"]["value"] == pytest.approx(110 / 12)
    assert 0.9 < kept["total"]["kappa"]["value"] < 1
    assert kept["n_judge_error"] == 0


def test_r13_what_calibrate_kept_is_found_for_this_judge_only(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = obedient
    judged.write_rows("anna.jsonl", rows("anna"))
    command(calibrate, "strict", "anna.jsonl")

    def found() -> bool:
        project = Project.here()
        spec = project.get_judge("strict")
        judge = Judge.of(spec, [project.get_model("api")])
        from harness.adapters.registry import open_adapter

        adapter = open_adapter(judge.models)
        fingerprint = adapter.fingerprint(judge.models[0])
        adapter.close()
        return load_calibration(spec, judge.template_hash, fingerprint) is not None

    assert found()
    judged.write("judges/strict.j2", TEMPLATE + "Be strict.\n")
    assert not found()
    judged.write("judges/strict.j2", TEMPLATE)
    assert found()
    judged.write("judges/strict.judge.yaml", JUDGE + "temperature: 0.7\n")
    assert not found()


def test_two_raters_agreement_is_printed(judged: UserProject, fault_server: FaultServer) -> None:
    fault_server.answer = obedient
    judged.write_rows("a.jsonl", rows("anna"))
    judged.write_rows("b.jsonl", rows("ben", [min(100, mark + 10) for mark in HUMAN[:10]]))
    _, out = command(calibrate, "strict", "a.jsonl", "b.jsonl", "--format", "json")
    report = json.loads(out)
    (pair,) = report["people"]
    assert (pair["name"], pair["n"], pair["bias"]) == ("anna - ben", 10, pytest.approx(-10, abs=1))
    assert report["passes"][0]["people_alpha"] > 0.9
    assert len(fault_server.asked) == 12


def test_labels_that_people_gave_here_are_found_by_themselves(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = obedient
    with pytest.raises(SelectionError, match="harness judge label RUN --rater NAME"):
        command(calibrate, "strict")
    judged.write_rows("judges/labels/strict.anna.jsonl", rows("anna"))
    judged.write_rows("judges/labels/strict.ben.jsonl", rows("ben"))
    judged.write_rows("judges/labels/strict.two.anna.jsonl", [{"of": "the judge strict.two"}])
    _, out = command(calibrate, "strict")
    assert "anna, ben" in out


def test_a_bad_label_is_an_error_with_file_and_line(judged: UserProject) -> None:
    judged.write_rows("a.jsonl", [*rows("anna")[:1], {"id": "x"}])
    with pytest.raises(DataError, match=r"^a\.jsonl:2: 'question' is missing$"):
        command(calibrate, "strict", "a.jsonl")


def test_r2_a_judge_that_breaks_too_often_is_no_judge(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: (
        "as you like" if material(asked)["answer"].startswith("100") else obedient(asked)
    )
    judged.write_rows("a.jsonl", rows("anna"))
    code, out = command(calibrate, "strict", "a.jsonl")
    assert code == 1
    assert "FAILED 8.3% of the answers have no verdict" in out
    assert "nothing was kept, an earlier result stays" in out
    assert "kept in" not in out
    assert not (judged.root / ".harness/calibration").exists()


def test_a_calibration_without_a_verdict_says_why_and_how_to_ask_again(
    judged: UserProject, fault_server: FaultServer
) -> None:
    """What was unreadable is remembered; the same command would fail for ever, without a word."""
    judged.write_rows("a.jsonl", rows("anna"))
    fault_server.answer = lambda asked: "bananas"
    for _ in range(2):
        code, out = command(calibrate, "strict", "a.jsonl")
        words = " ".join(out.split())
        assert code == 1
        assert "FAILED 100.0% of the answers have no verdict; 2.0% may, most often: the" in words
        assert "holds no JSON object (replies are remembered, --fresh asks again)" in words
        assert "label some more" not in words
        assert "none of the answers" not in words
    fault_server.answer = obedient
    assert command(calibrate, "strict", "a.jsonl", "--fresh")[0] == 0


def test_one_label_shows_no_agreement_and_is_not_kept(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = obedient
    judged.write_rows("a.jsonl", rows("anna"))
    judged.write_rows("one.jsonl", rows("anna")[:1])
    judged.write_rows("few.jsonl", rows("anna")[:5])
    assert command(calibrate, "strict", "a.jsonl")[0] == 0
    code, out = command(calibrate, "strict", "one.jsonl")
    assert code == 1
    assert "FAILED one answer shows no agreement" in out
    assert stored(judged.root, "strict.json")["n"] == 12
    code, out = command(calibrate, "strict", "few.jsonl")
    assert code == 0
    assert "it replaces one on 12 answers (kappa 1.000)" in " ".join(out.split())
    assert stored(judged.root, "strict.json")["n"] == 5


@pytest.mark.parametrize("wrong", ["nan", "inf", "-1", "100.5"])
def test_a_threshold_off_the_scale_is_refused_before_anybody_is_asked(
    judged: UserProject, fault_server: FaultServer, wrong: str
) -> None:
    judged.write_rows("a.jsonl", rows("anna"))
    with pytest.raises(SelectionError, match=r"--threshold .*: the totals of strict go from 0"):
        command(calibrate, "strict", "a.jsonl", "--threshold", wrong)
    assert fault_server.asked == []
    assert not (judged.root / ".harness/calibration").exists()


def test_a_damaged_calibration_is_replaced_and_put_beside(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = obedient
    judged.write_rows("a.jsonl", rows("anna"))
    judged.write(".harness/calibration/strict.json", '{"k": {"threshold": NaN}}')
    code, out = command(calibrate, "strict", "a.jsonl")
    assert code == 0
    words = " ".join(out.split())
    assert "was damaged: it is .harness/calibration/strict.json.damaged now" in words
    assert (judged.root / ".harness/calibration/strict.json.damaged").exists()
    assert stored(judged.root, "strict.json")["n"] == 12


def test_a_damaged_calibration_costs_no_run(judged: UserProject, fault_server: FaultServer) -> None:
    fault_server.answer = lambda asked: filled(asked, 0.5)
    judged.add_sums(2)
    judged.add_replay({"s0": "1", "s1": "3"})
    task = judged.root / "tasks/sums/sums.task.yaml"
    text = task.read_text("utf-8").replace("rouge_l]", "rouge_l, {judge: strict}]")
    judged.write("tasks/sums/sums.task.yaml", text)
    judged.write(".harness/calibration/strict.json", '{"k": {"threshold": NaN}}')
    for words in (("run", "sums", "-m", "recorded"), ("judge", "latest")):
        done = judged.harness(*words)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("is damaged") == 1, done.stderr
        (line,) = [x for x in done.stderr.splitlines() if x.startswith("warning: ")]
        assert ".harness/calibration/strict.json: is damaged" in line
    assert len(list((judged.root / "runs").glob("*/manifest.json"))) == 2


def test_a_calibration_without_all_replies_is_not_kept(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = obedient
    judged.write_rows("a.jsonl", rows("anna"))
    assert command(calibrate, "strict", "a.jsonl")[0] == 0
    before = stored(judged.root, "strict.json")
    fault_server.play = lambda asked: "500" if asked.number % 2 else "ok"
    code, out = command(calibrate, "strict", "a.jsonl", "--fresh")
    assert code == 1
    assert "NOT MEASURED: 6 of 12 calls had no reply, most often: HTTP 500" in out
    assert stored(judged.root, "strict.json") == before


def test_a_kappa_below_the_one_asked_for_fails(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = lambda asked: filled(asked, 0.5)
    judged.write("judges/strict.judge.yaml", JUDGE + "calibration: {min_kappa: 0.4}\n")
    judged.write_rows("a.jsonl", rows("anna"))
    code, out = command(calibrate, "strict", "a.jsonl")
    assert code == 1
    assert "FAILED kappa is 0.000; the judge's spec asks for 0.4" in out
    assert stored(judged.root, "strict.json")["n"] == 12  # so that gates go by no older one


# --------------------------------------------------------------------------- runs


def write_answers(root: Path, texts: dict[str, list[str]], **judge: str) -> Path:
    """A stored run: models and their answers, with the total that `strict` gave each."""
    samples = [Sample(f"s{n}", f"Question {n}?", f"Reference {n}.") for n in range(4)]
    info = ScorerInfo("strict", kind="number", low=0, high=100, judge="strict", **judge)
    cells = [
        CellResult(
            cell_id=f"t::t[{model}]",
            cell_hash=model,
            task="t",
            task_hash="t",
            task_version=1,
            model=model,
            variant="",
            samples=samples[: len(given)],
            completions=[
                CompletionRow(sample.id, 0, Completion(sample.id, text))
                for sample, text in zip(samples, given, strict=False)
            ],
            scores={"strict": [Score(float(len(text))) for text in given]},
            scorers=[info],
        )
        for model, given in texts.items()
    ]
    now = datetime.now(UTC)
    return write_run(root / "runs", Run(cells, now, now + timedelta(seconds=1)))


def test_pass_rates_of_a_run_are_corrected(judged: UserProject, fault_server: FaultServer) -> None:
    fault_server.answer = obedient
    judged.write_rows("a.jsonl", rows("anna"))
    project = Project.here()
    judge = Judge.of(project.get_judge("strict"), [project.get_model("api")])
    given = {"tuned": ["x" * 60] * 4, "base": ["x" * 20, "x" * 70]}
    write_answers(judged.root, given, judged_by="api", template=judge.template_hash)
    _, out = command(calibrate, "strict", "a.jsonl", "--run", "latest", "--format", "json")
    tuned, base = json.loads(out)["rates"]
    assert (tuned["model"], tuned["n"], tuned["passed"], tuned["corrected"]) == ("tuned", 4, 4, 1.0)
    assert (base["n"], base["passed"], base["corrected"]) == (2, 1, 0.5)
    assert 0 <= base["low"] < 0.5 < base["high"] <= 1


def test_rates_that_another_judge_gave_are_not_corrected(
    judged: UserProject, fault_server: FaultServer
) -> None:
    fault_server.answer = obedient
    judged.write_rows("a.jsonl", rows("anna"))
    write_answers(judged.root, {"base": ["one"]}, judged_by="other", template="old")
    _, out = command(calibrate, "strict", "a.jsonl", "--run", "latest")
    assert "judged by another model or template: not corrected" in out
    assert "these labels" in out
    assert "base" not in out


# --------------------------------------------------------------------------- label, terminal

TEXTS = {"base": ["alpha", "beta", "same"], "tuned": ["gamma", "delta", "same"]}


def labelled(root: Path, rater: str = "anna") -> dict[str, float]:
    """Answer -> total, as it was written down."""
    path = root / f"judges/labels/strict.{rater}.jsonl"
    items = read_items([path], Project.here().get_judge("strict"))
    return {item.material.answer: item.labels[0].total for item in items}


def test_label_shows_each_answer_once_and_names_no_model(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    code, out = command(label, "latest", "--rater", "anna", said="60\n40\n" * 5)
    assert code == 0
    assert out.count("===== ") == 5
    assert "accuracy (Is it right?), 0 to 60:" in out
    assert "5 of 5 rated: judges/labels/strict.anna.jsonl" in out
    text = (judged.root / "judges/labels/strict.anna.jsonl").read_text("utf-8")
    assert not [word for word in ("base", "tuned") if word in out + text]
    assert labelled(judged.root) == dict.fromkeys(("alpha", "beta", "same", "gamma", "delta"), 100)


def test_label_goes_on_where_it_stopped(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    _, out = command(label, "latest", "--rater", "anna", said="1\n2\ns\n3\n4\nq\n")
    assert "2 of 5 rated" in out
    first = labelled(judged.root)
    assert sorted(first.values()) == [3, 7]
    _, out = command(label, "latest", "--rater", "anna", said="5\n5\n" * 3)
    assert "===== 3 of 5" in out
    assert "===== 1 of 5" not in out
    assert labelled(judged.root) | first == labelled(judged.root)
    assert len(labelled(judged.root)) == 5
    assert command(label, "latest", "--rater", "anna")[1].count("=====") == 0


def test_each_rater_has_an_order_of_its_own_and_keeps_it(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)

    def order(rater: str) -> list[str]:
        _, out = command(label, "latest", "--rater", rater, said="s\n" * 5)
        answers = [part.splitlines()[0] for part in out.split("\nanswer\n")[1:]]
        assert [line for line in out.splitlines() if line in answers] == answers
        return answers

    assert order("anna") == order("anna")
    assert order("anna") != order("ben")
    assert sorted(order("anna")) == sorted(order("ben"))


def test_a_rating_that_is_none_is_asked_again(judged: UserProject) -> None:
    write_answers(judged.root, {"base": ["alpha"]})
    _, out = command(label, "latest", "--rater", "anna", said="61\nten\n6.5\n60\n0\n")
    assert out.count("is not a whole number from 0 to 60") == 3
    assert labelled(judged.root) == {"alpha": 60}


def test_b_goes_back_to_the_last_criterion_and_to_the_last_answer(judged: UserProject) -> None:
    write_answers(judged.root, {"base": ["alpha", "beta"]})
    # 1, back, 2 and 3; the second answer: back to the first, whose first is asked again
    said = "1\nb\n2\n3\nb\n4\nb\n5\n6\n7\n8\n"
    _, out = command(label, "latest", "--rater", "anna", said=said)
    assert "b goes back" in out
    assert re.findall(r"===== (\d) of 2", out) == ["1", "2", "1", "2"]
    assert sorted(labelled(judged.root).values()) == [5 + 6, 7 + 8]


def test_b_at_the_first_answer_says_that_nothing_comes_before(judged: UserProject) -> None:
    write_answers(judged.root, {"base": ["alpha"]})
    _, out = command(label, "latest", "--rater", "anna", said="b\n1\n2\n")
    assert "nothing comes before this" in out
    assert list(labelled(judged.root).values()) == [3]


def test_b_after_a_skipped_answer_shows_it_again(judged: UserProject) -> None:
    write_answers(judged.root, {"base": ["alpha", "beta"]})
    command(label, "latest", "--rater", "anna", said="s\nb\n1\n2\n3\n4\n")
    assert sorted(labelled(judged.root).values()) == [3, 7]


def test_labels_of_another_version_of_the_judge_are_told_and_asked_for_again(
    judged: UserProject, fault_server: FaultServer
) -> None:
    write_answers(judged.root, TEXTS)
    command(label, "latest", "--rater", "anna", said="60\n40\n" * 5)
    path = judged.root / "judges/labels/strict.anna.jsonl"
    assert {json.loads(line)["version"] for line in path.read_text("utf-8").splitlines()} == {1}
    newer = JUDGE.replace("version: 1", "version: 2").replace("max: 60", "max: 50")
    judged.write("judges/strict.judge.yaml", newer.replace("max: 40", "max: 50"))
    fault_server.answer = lambda asked: filled(asked, 0.5)
    what = r"strict\.anna\.jsonl: holds no ratings by version 2 of strict, only by 1: rate again"
    with pytest.raises(DataError, match=what):
        command(calibrate, "strict")
    assert fault_server.asked == []
    _, out = command(label, "latest", "--rater", "anna", said="50\n0\n30\n30\nq\n")
    assert "===== 1 of 5" in out
    assert "2 of 5 rated" in out
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(line["version"] for line in lines) == [1] * 5 + [2] * 2  # nothing is lost
    code, out = command(calibrate, "strict")
    assert code == 0, out
    assert "2 answers, anna" in out
    assert "5 ratings by version 1 of strict are left out: it is version 2" in " ".join(out.split())
    assert len(fault_server.asked) == 2


def test_the_end_of_input_keeps_what_was_rated(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    code, out = command(label, "latest", "--rater", "anna", said="1\n1\n2\n")
    assert code == 0
    assert "1 of 5 rated" in out
    assert list(labelled(judged.root).values()) == [2]


def test_label_of_one_model_and_of_a_few(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    command(label, "latest:tuned", "--rater", "anna", "--limit", "2", said="1\n1\n" * 2)
    assert set(labelled(judged.root)) <= set(TEXTS["tuned"])
    assert len(labelled(judged.root)) == 2


def test_no_answer_can_move_the_cursor(judged: UserProject) -> None:
    write_answers(judged.root, {"base": ["\x1b[2J\x1b[1;1Hrated 60"]})
    _, out = command(label, "latest", "--rater", "anna", said="q\n")
    assert "\x1b" not in out
    assert r"\x1b[2J" in out


@pytest.mark.parametrize("more", [(), ("--page",)])
def test_label_asks_nothing_that_it_could_not_keep(
    judged: UserProject, more: tuple[str, ...]
) -> None:
    write_answers(judged.root, TEXTS)
    judged.write("judges/labels", "a file in the place of the folder")
    with pytest.raises(StoreError, match="cannot write judges/labels"):
        command(label, "latest", "--rater", "anna", *more)


def test_label_says_what_it_cannot_do(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    with pytest.raises(SelectionError, match=r"letters a-z and A-Z, digits"):
        command(label, "latest", "--rater", "../anna")
    with pytest.raises(SelectionError, match="no judge named 'strikt'"):
        command(label, "latest", "--rater", "anna", "--judge", "strikt")
    with pytest.raises(HarnessError, match="compares two answers"):
        command(label, "latest", "--rater", "anna", "--judge", "pairwise_preference")


def test_what_people_labelled_calibrates_the_judge(
    judged: UserProject, fault_server: FaultServer
) -> None:
    write_answers(judged.root, TEXTS)
    for rater, mark in (("anna", "30\n20\n"), ("ben", "60\n0\n")):
        command(label, "latest", "--rater", rater, said=mark * 5)
    fault_server.answer = lambda asked: filled(asked, 0.5)
    _, out = command(calibrate, "strict")
    assert "anna - ben" in out


# --------------------------------------------------------------------------- label, page


@contextmanager
def page(judged: UserProject, rater: str = "anna") -> Iterator[LabelServer]:
    """The page of `harness judge label --page`, served to this test."""
    from harness.cli.judge_trust import _form

    with LabelServer(_form(("latest", "", None), rater, None)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def call(url: str, body: object = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    """One request: status, JSON (or text), headers."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    request = urllib.request.Request(url, data, sent)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as reply:
            text, status, names = reply.read().decode(), reply.status, dict(reply.headers)
    except urllib.error.HTTPError as error:
        with error:
            text, status, names = error.read().decode(), error.code, dict(error.headers)
    return status, json.loads(text) if "json" in names["Content-Type"] else text, names


def test_the_page_is_one_file_without_anything_from_elsewhere(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    with page(judged) as server:
        assert server.url.startswith("http://127.0.0.1:")
        status, text, headers = call(server.url)
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not [
        mark for mark in ("http://", "https://", "src=", "@import", "innerHTML") if mark in text
    ]
    assert "NONCE" not in text


def test_the_page_rates_and_ends_when_all_is_rated(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    with page(judged) as server:
        _, state, _ = call(server.url + "next")
        assert (state["done"], state["total"]) == (0, 5)
        names = [field["name"] for field in state["criteria"]]
        assert names == ["accuracy", "relevance"]
        shown = json.dumps(state)
        assert not [word for word in ("base", "tuned") if word in shown]
        for done in range(1, 6):
            ratings = {"accuracy": "30", "relevance": "20"}
            body = {"id": state["item"]["id"], "ratings": ratings}
            status, state, _ = call(server.url + "rate", body)
            assert (status, state["done"]) == (200, done)
            assert len(labelled(judged.root)) == done
        assert state["item"] is None
    assert set(labelled(judged.root).values()) == {50}


def test_the_command_with_page_ends_by_itself_when_all_is_rated(judged: UserProject) -> None:
    write_answers(judged.root, {"base": ["alpha"]})
    words = judged.command("judge", "label", "latest", "--rater", "anna", "--page")
    environment = judged.environment()
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=judged.root, env=environment
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        item = call(url + "next")[1]["item"]["id"]
        body = {"id": item, "ratings": {"accuracy": "60", "relevance": "0"}}
        assert call(url + "rate", body)[1]["item"] is None
        assert process.wait() == 0
        assert "1 of 1 rated" in process.stdout.read()
    assert labelled(judged.root) == {"alpha": 60}


def test_the_page_skips_and_shows_the_skipped_one_the_next_time(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    with page(judged) as server:
        _, first, _ = call(server.url + "next")
        _, second, _ = call(server.url + "skip", {"id": first["item"]["id"]})
        assert second["item"]["id"] != first["item"]["id"]
    with page(judged) as server:
        assert call(server.url + "next")[1]["item"] == first["item"]


def test_the_page_refuses_what_is_no_rating(judged: UserProject) -> None:
    write_answers(judged.root, TEXTS)
    with page(judged) as server:
        item = call(server.url + "next")[1]["item"]["id"]
        status, said, _ = call(server.url + "rate", {"id": item, "ratings": {"accuracy": "61"}})
        assert (status, said["error"]) == (422, "accuracy: a whole number from 0 to 60")
        assert call(server.url + "rate", {"id": "other", "ratings": {}})[0] == 404
        assert call(server.url + "rate", ["no object"])[0] == 400
        assert call(server.url + "unknown", {})[0] == 400
    assert not (judged.root / "judges/labels").exists()


def test_the_page_is_nobody_elses(judged: UserProject) -> None:
    """Not without its secret path, not under another host's name, not from another site's form."""
    write_answers(judged.root, TEXTS)
    with page(judged) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        item = call(server.url + "next")[1]["item"]["id"]
        body = {"id": item, "ratings": {"accuracy": "1", "relevance": "1"}}
        assert call(address)[0] == 404
        assert call(address + "guess/next")[0] == 404
        assert call(server.url + "next", Host="evil.example")[0] == 404
        assert call(server.url + "rate", body, Content_Type="text/plain")[0] == 400
        assert server.server_address[0] == "127.0.0.1"
    assert not (judged.root / "judges/labels").exists()


def write_exercise(judged: UserProject, *media: str) -> None:
    """A task with one sample that has media, and an answer to it."""
    fields = "fields: {input: question, target: answer, media: clips}"
    judged.write(
        "tasks/gym/gym.task.yaml",
        "task: gym\nversion: 1\n"
        f"data: {{path: data/gym.jsonl, {fields}}}\n"
        'prompt: {template: "{{ input }}"}\nscore: [{judge: strict}]\n',
    )
    row = {"id": "s0", "question": "What is it?", "answer": "A squat.", "clips": list(media)}
    judged.write_rows("tasks/gym/data/gym.jsonl", [row])
    judged.add_replay({"s0": "A squat indeed."})


@pytest.fixture
def exercise(judged: UserProject) -> UserProject:
    """A judged run of one sample with a video, an image and files that no page may show."""
    write_exercise(judged, "base/burglary.mp4", "frame.png", "notes.avi", "../../../../out.png")
    data = judged.root / "tasks/gym/data"
    (data / "base").mkdir()
    (data / "base/burglary.mp4").write_bytes(bytes(range(100)))
    for path in (data / "frame.png", data / "notes.avi", judged.root.parent / "out.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\nx")
    done = judged.harness("run", "gym", "-m", "recorded", "--allow-outside")
    assert done.returncode == 0, done.stderr
    return judged


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, headers=headers)) as reply:
            return reply.status, reply.read(), dict(reply.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def test_the_page_shows_the_media_themselves_under_blind_names(exercise: UserProject) -> None:
    with page(exercise) as server:
        _, state, _ = call(server.url + "next")
        shown = [(name, text) for name, text in state["item"]["parts"]]
        kinds = [name for name, _ in shown]
        assert kinds == ["question", "reference", "video", "image", "media", "image", "answer"]
        assert not [word for word in ("burglary", "frame", "notes", "base") if word in str(shown)]
        video, image, other, outside = (text for _, text in shown[2:6])
        assert "(.avi)" in other
        status, body, headers = get(server.url + video)
        assert (status, body, headers["Content-Type"]) == (200, bytes(range(100)), "video/mp4")
        assert get(server.url + image)[2]["Content-Type"] == "image/png"
        assert get(server.url + outside)[0] == 404
        for wrong in ("media/x/0", video[:-1] + "9", video[:-1] + "2", "media/../0", "media/"):
            assert get(server.url + wrong)[0] == 404
        rules = get(server.url)[2]["Content-Security-Policy"]
        assert "img-src 'self'; media-src 'self'" in rules


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=10-19", 206, range(10, 20)),
        ("bytes=90-", 206, range(90, 100)),
        ("bytes=95-500", 206, range(95, 100)),
        ("bytes=200-", 200, range(100)),
        ("nonsense", 200, range(100)),
    ],
)
def test_a_player_may_jump_in_a_video(
    exercise: UserProject, asked: str, status: int, part: range
) -> None:
    with page(exercise) as server:
        parts = dict(call(server.url + "next")[1]["item"]["parts"])
        found = get(server.url + parts["video"], Range=asked)
    assert found[:2] == (status, bytes(part))
    if status == 206:
        assert found[2]["Content-Range"] == f"bytes {part[0]}-{part[-1]}/100"


def test_a_rater_is_shown_what_the_judge_was_shown(
    judged: UserProject, fault_server: FaultServer
) -> None:
    """Instruction with its input, choices with their letters, columns that `question` names."""
    data = {"id": "s0", "question": "Which?", "text": "A long text.", "answer": "B"}
    rows = [data | {"instruction": "Which?", "input": "A short one.", "options": ["red", "blue"]}]
    for task, more in (("plain", ""), ("told", ', question: "{{ text }} | {{ input }}"')):
        fields = "{input: instruction, target: answer, choices: options}"
        judged.write(
            f"tasks/{task}/{task}.task.yaml",
            f"task: {task}\nversion: 1\ndata: {{path: data/x.jsonl, fields: {fields}}}\n"
            f'prompt: {{template: "{{{{ input }}}}"}}\nscore: [{{judge: strict{more}}}]\n',
        )
        judged.write_rows(f"tasks/{task}/data/x.jsonl", rows)
    judged.add_replay({"s0": "It is B."})
    fault_server.answer = lambda asked: filled(asked, 0.5)
    done = judged.harness("run", "plain", "told", "-m", "recorded")
    assert done.returncode == 0, done.stderr
    seen = [material(asked) for asked in fault_server.asked]
    assert {one["question"] for one in seen} == {
        "Which?\n\nA short one.\n\nA. red\nB. blue",
        "A long text. | Which?",
    }
    assert {one["reference"] for one in seen} == {"B. blue"}
    with page(judged) as server:
        rated = [about for _, about in server.form.items]
    keys = ("question", "reference", "answer")
    shown = [{key: getattr(one, key) for key in keys} for one in rated]
    assert sorted(map(str, shown)) == sorted(str({k: one[k] for k in keys}) for one in seen)
    fault_server.asked.clear()  # a finished run is judged by the same material
    again = judged.harness("judge", "latest", "--fresh")
    assert again.returncode == 0, again.stderr
    assert sorted(map(str, (material(one) for one in fault_server.asked))) == sorted(map(str, seen))


def test_a_judge_is_shown_images_from_beside_the_data_only_if_it_asks_for_them(
    judged: UserProject, fault_server: FaultServer
) -> None:
    write_exercise(judged, "frame.png")
    (judged.root / "tasks/gym/data/frame.png").write_bytes(b"\x89PNG\r\n\x1a\nx")
    for more, images in (("", 0), ("media: true\n", 1)):
        judged.write("judges/strict.judge.yaml", JUDGE + more)
        fault_server.asked.clear()
        done = judged.harness("run", "gym", "-m", "recorded", "--fresh")
        assert done.returncode == 0, done.stderr
        (asked,) = fault_server.asked
        assert json.dumps(asked.body).count("data:image/png;base64") == images


@pytest.mark.parametrize(
    ("name", "what"),
    [("lost.png", "is no file beside the data"), ("../../../../x.png", "lies outside the project")],
)
def test_media_that_a_judge_cannot_be_shown_are_told_before_anybody_is_asked(
    judged: UserProject, fault_server: FaultServer, name: str, what: str
) -> None:
    write_exercise(judged, name)
    (judged.root.parent / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nx")
    judged.write("judges/strict.judge.yaml", JUDGE + "media: true\n")
    done = judged.harness("run", "gym", "-m", "recorded")
    assert done.returncode == 4
    assert f"media '{name}' of sample 's0' {what}" in done.stderr
    assert fault_server.asked == []


def test_schema_of_the_scripted_judge_is_the_judges(
    judged: UserProject, fault_server: FaultServer
) -> None:
    """What these tests rest on: the judge is asked for the criteria of the spec."""
    command(selftest, "strict")
    assert list(schema(fault_server.asked[0])) == ["reasoning", "accuracy", "relevance"]
