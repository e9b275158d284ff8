"""What run, judge, show and compare say of judges: counts that add up, and what to do next."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from faultserver import Asked, FaultServer
from judged import (
    DUEL,
    DUEL_TEMPLATE,
    JUDGE,
    RIGHT,
    TEMPLATE,
    more_sums,
    newest,
    score,
    table,
    verdict,
)
from judged import judged as judged
from judged import server as server
from scriptedjudge import material

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
UNREADABLE = "I would say 35 points."


def flat(text: str) -> str:
    """Text whose lines do not matter."""
    return " ".join(text.split())


def test_a_reply_that_cannot_be_read_is_no_verdict_in_any_count(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.answer = lambda asked: UNREADABLE
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert "judge strict: 0/6 verdicts, 6 judge errors" in err
    assert "strict, judged by api: 0/6 verdicts, 6 judge errors (0 from the cache)" in flat(out)
    assert "readable only when asked again" not in flat(out)


def test_only_verdicts_count_as_readable_when_asked_again(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    wrong = "You are right: 1."

    def answer(asked: Asked) -> str:
        if wrong in asked.prompt or "could not be read" not in asked.prompt:
            return UNREADABLE
        return verdict()

    server.answer = answer
    judged.add_replay({**RIGHT, "s0": wrong})
    _, out, err = invoke("run", "sums", "-m", "recorded")
    assert "judge strict: 5/6 verdicts, 1 judge error" in err
    assert "strict: 5 of 5 verdicts were readable only when asked again." in flat(out)


def test_errors_of_judges_add_up_with_n_as_in_csv(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.answer = lambda asked: UNREADABLE
    judged.add_replay({key: text for key, text in RIGHT.items() if key != "s3"})
    _, out, _ = invoke("run", "sums", "-m", "recorded")
    line = next(line.split() for line in out.splitlines() if line.split()[:1] == ["strict"])
    assert line[1:5] == ["-", "-", "0", "6"]
    assert "5 errors" in out  # the judge's own
    _, out, _ = invoke("show", "latest", "--format", "csv")
    rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(out))}
    assert (rows["strict"]["n"], rows["strict"]["n_error"]) == ("0", "6")


def test_unreadable_replies_are_remembered_and_the_last_line_says_what_asks_again(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.answer = lambda asked: UNREADABLE
    _, out, _ = invoke("run", "sums", "-m", "recorded", "--judge-model", "api")
    last = out.splitlines()[-1]
    assert last.endswith("harness judge latest --judge-model api --retry asks again")
    asked = len(server.asked)
    server.answer = lambda asked: verdict()
    code, out, _ = invoke("judge", "latest")
    assert (code, len(server.asked)) == (1, asked)
    assert out.splitlines()[-1].endswith("harness judge latest --retry asks again")
    code, out, _ = invoke("judge", "latest", "--fresh")
    assert code == 0
    assert "--retry" not in out


def test_retry_asks_once_more_where_there_is_no_verdict_and_nothing_else(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    """Two of six answers have no verdict after three calls each; one more call a verdict."""
    broken = ("What is 1 and 2?", "What is 4 and 5?")
    server.answer = lambda asked: (
        UNREADABLE if any(text in asked.prompt for text in broken) else verdict()
    )
    assert invoke("run", "sums", "-m", "recorded")[0] == 1
    asked, first = len(server.asked), newest(judged.root).name
    assert asked == 4 + 2 * 3
    _, out, _ = invoke("judge", "latest", "--retry", "--dry-run")
    assert "once more, beside these: 2 calls" in out
    assert len(server.asked) == asked
    server.answer = lambda asked: verdict()
    assert invoke("judge", "latest", "--retry")[0] == 0
    assert len(server.asked) == asked + 2
    assert invoke("judge", first, "--retry")[0] == 0  # known by now: nothing is paid twice
    assert len(server.asked) == asked + 2


def test_what_had_no_reply_is_asked_again_without_fresh(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    code, out, _ = invoke("run", "sums", "-m", "recorded", "--max-cost", "0")
    assert code == 1
    assert out.splitlines()[-1].strip().startswith("what had no reply is asked again")
    assert "--fresh" not in out


# --------------------------------------------------------------------------- pairs


@pytest.fixture
def duelled(judged: UserProject, server: FaultServer) -> UserProject:
    """Six pairs, of which the model `tuned` wins four and loses two."""
    judged.write("judges/duel.judge.yaml", DUEL)
    judged.write("judges/duel.j2", DUEL_TEMPLATE)
    score(judged, "[{judge: duel}]")
    judged.add_replay({f"s{n}": "better" if n < 4 else "worse" for n in range(6)}, name="tuned")

    def prefer(asked: Asked) -> str:
        first, second = asked.prompt.find("One:"), asked.prompt.find("Two:")
        one, two = asked.prompt[first:second], asked.prompt[second:]
        best = "A" if "better" in one or "worse" in two else "B"
        return json.dumps({"reasoning": "so", "preference": best})

    server.answer = prefer
    return judged


@pytest.mark.parametrize(
    ("sides", "counts"),
    [(("recorded", "tuned"), ["6", "4", "0", "2"]), (("tuned", "recorded"), ["6", "2", "0", "4"])],
)
def test_compare_shows_what_judges_of_pairs_prefer(
    duelled: UserProject, invoke: Invoke, sides: tuple[str, str], counts: list[str]
) -> None:
    assert invoke("run", "sums", "-m", "recorded,tuned")[0] == 0
    code, out, err = invoke("compare", *sides)
    assert code == 0, out + err
    assert f"sums: {sides[1]} (B) beside {sides[0]} (A)" in out
    line = next(line.split() for line in out.splitlines() if line.startswith("duel"))
    assert line == ["duel", *counts, "0.453", "0", "100%", "50%"]  # 2 * 22 / 64 - 15 / 64
    assert "B - A" not in out
    _, out, _ = invoke("compare", *sides, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert [row["pairs"], row["wins"], row["ties"], row["losses"]] == counts
    assert row["position_consistency"] == "1.0"
    assert float(row["p"]) == pytest.approx(29 / 64)
    assert row["p_method"] == "sign test, mid-p, 6 samples without ties"


def test_asking_a_judge_of_pairs_more_often_makes_no_smaller_p(
    duelled: UserProject, invoke: Invoke
) -> None:
    duelled.write("judges/duel.judge.yaml", DUEL + "repeats: 3\n")
    assert invoke("run", "sums", "-m", "recorded,tuned")[0] == 0
    _, out, _ = invoke("compare", "recorded", "tuned", "--format", "json")
    (row,) = json.loads(out)["preferences"]
    assert (row["pairs"], row["wins"], row["losses"]) == (18, 12, 6)
    assert row["p"] == pytest.approx(29 / 64)


def test_compare_shows_pairs_beside_metrics(duelled: UserProject, invoke: Invoke) -> None:
    score(duelled, "[rouge_l, {judge: duel}]")
    assert invoke("run", "sums", "-m", "recorded,tuned")[0] == 0
    _, out, _ = invoke("compare", "recorded", "tuned")
    assert "rouge_l" in out
    assert "orders agree" in out
    _, out, _ = invoke("compare", "recorded", "tuned", "--metric", "rouge_l")
    assert "orders agree" not in out
    _, out, _ = invoke("compare", "recorded", "tuned", "--format", "json")
    assert {"comparisons", "preferences"} <= set(json.loads(out))


def test_models_that_were_not_held_against_each_other_say_so(
    duelled: UserProject, invoke: Invoke
) -> None:
    duelled.add_replay({f"s{n}": "better" for n in range(6)}, name="third")
    assert invoke("run", "sums", "-m", "recorded,tuned,third")[0] == 0
    code, out, _ = invoke("compare", "tuned", "third")
    assert code == 0
    assert "orders agree" not in out  # each was held against `recorded`
    code, out, _ = invoke("compare", "recorded", "third")
    line = next(line.split() for line in out.splitlines() if line.startswith("duel"))
    assert line[:5] == ["duel", "6", "6", "0", "0"]


def test_a_judge_of_pairs_says_that_it_needs_two_models(
    duelled: UserProject, invoke: Invoke
) -> None:
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    assert "duel: needs two models, only one was run." in out
    assert "6 completions (6 ok, 0 error, 0 skipped, 0 truncated)" in flat(out)


def test_completions_are_those_of_the_cells_that_are_shown(
    duelled: UserProject, invoke: Invoke
) -> None:
    assert invoke("run", "sums", "-m", "recorded,tuned")[0] == 0
    _, out, _ = invoke("show", "latest")
    assert "12 completions (12 ok" in out
    _, out, _ = invoke("show", "latest", "--model", "tuned")
    assert "6 completions (6 ok" in out


def with_opponents(duelled: UserProject) -> None:
    """`tuned` names `recorded` as its baseline; beside `zero` it would lose all pairs."""
    duelled.add_replay(dict.fromkeys(RIGHT, "better"), name="zero")
    duelled.add_replay(dict.fromkeys(RIGHT, "worse"), name="recorded")
    duelled.add_replay(dict.fromkeys(RIGHT, "as good as it gets"), name="tuned")
    card = duelled.root / "adapters/tuned.model.yaml"
    card.write_text(card.read_text("utf-8") + "baseline: recorded\n", encoding="utf-8")


@pytest.mark.parametrize("card", ["", "model: tuned\nadapter: replay\ncompletions: tuned.jsonl\n"])
def test_judging_again_holds_a_model_against_the_same_one_whatever_became_of_its_card(
    duelled: UserProject, invoke: Invoke, card: str
) -> None:
    with_opponents(duelled)

    def shown() -> tuple[str, list[str]]:
        _, out, _ = invoke("compare", "recorded", "tuned", "--format", "csv")
        (row,) = csv.DictReader(io.StringIO(out))
        return newest(duelled.root).name, [row["wins"], row["losses"]]

    assert invoke("run", "sums", "-m", "zero,recorded,tuned")[0] == 0
    first, counts = shown()
    assert counts == ["6", "0"]
    file = duelled.root / "adapters/tuned.model.yaml"
    file.write_text(card, encoding="utf-8") if card else file.unlink()
    code, out, err = invoke("judge", "latest", "--judge", "duel")
    assert code == 0, out + err
    assert "duel, sums: beside recorded, tuned has 6 wins" in flat(out)
    again, counts = shown()
    assert (counts, again != first) == (["6", "0"], True)
    manifest = json.loads((newest(duelled.root) / "manifest.json").read_text("utf-8"))
    (info,) = manifest["cells"][-1]["scorers"]
    assert (info["name"], info["opponent"]) == ("duel", "recorded")


def test_what_is_shown_of_pairs_goes_by_the_stored_opponent(
    duelled: UserProject, invoke: Invoke
) -> None:
    """Not by the baseline, which says what should have been."""
    with_opponents(duelled)
    assert invoke("run", "sums", "-m", "zero,recorded,tuned")[0] == 0
    file = newest(duelled.root) / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["cells"][-1]["scorers"][0]["opponent"] = "zero"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    assert "orders agree" not in invoke("compare", "recorded", "tuned")[1]
    assert "tuned (B) beside zero (A)" in invoke("compare", "zero", "tuned")[1]
    assert "beside zero, tuned has 6 wins" in flat(invoke("show", "latest")[1])
    rows = json.loads(invoke("show", "latest", "--format", "json")[1])["metrics"]
    assert [row["opponent"] for row in rows] == ["zero", "zero"]


@pytest.mark.parametrize("more", [(), ("--metric", "duel"), ("--criteria",)])
def test_the_share_of_pairs_won_is_no_number_of_a_model_to_be_subtracted(
    duelled: UserProject, invoke: Invoke, more: tuple[str, ...]
) -> None:
    duelled.add_replay({f"s{n}": "better" for n in range(6)}, name="third")
    assert invoke("run", "sums", "-m", "recorded,tuned,third")[0] == 0
    code, out, err = invoke("compare", "tuned", "third", "--format", "json", *more)
    assert code == 0, out + err
    assert not [row for row in json.loads(out).get("comparisons", []) if row["metric"] == "duel"]


@pytest.mark.parametrize(("agree", "alpha"), [(True, "1.000"), (False, "-0.833")])
def test_alpha_of_a_panel_of_pairs_is_that_of_the_answers_that_they_prefer(
    duelled: UserProject, server: FaultServer, invoke: Invoke, agree: bool, alpha: str
) -> None:
    card = (duelled.root / "adapters/api.model.yaml").read_text("utf-8")
    duelled.write("adapters/two.model.yaml", card.replace("api", "two").replace("some-", "other-"))
    duelled.write("judges/duel.judge.yaml", DUEL + "panel: [two]\nrepeats: 2\ntemperature: 1\n")
    prefer = server.answer

    def answer(asked: Asked) -> str:
        said = prefer(asked)
        if agree or asked.body["model"] == "some-judge":
            return said
        best = "B" if json.loads(said)["preference"] == "A" else "A"
        return json.dumps({"reasoning": "so", "preference": best})

    server.answer = answer
    assert invoke("run", "sums", "-m", "recorded,tuned")[0] == 0
    # six ones and six zeros, all pairs unlike: 1 - 1 / (72 / 132)
    assert f"duel: Krippendorff's alpha of the panel {alpha}" in flat(invoke("show", "latest")[1])


def test_an_embedding_judge_of_pairs_says_so_in_every_line(
    duelled: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    words = ("-m", "recorded,tuned", "--judge-model", "embedding-judge")
    _, out, err = invoke("run", "sums", *words)
    assert not server.asked, err
    for shown in (out, invoke("show", "latest")[1], invoke("compare", "recorded", "tuned")[1]):
        told = [line for line in shown.splitlines() if line.startswith("duel")]
        assert told
        assert all(line.startswith("duel[embedding judge, not an LLM]") for line in told), told


# --------------------------------------------------------------------------- notes


def panel(judged: UserProject, more: str) -> None:
    """The judge `strict` with the models `api`, `two` and `three`."""
    card = (judged.root / "adapters/api.model.yaml").read_text("utf-8")
    for name in ("two", "three"):
        text = card.replace("model: api", f"model: {name}").replace("some-judge", f"judge-{name}")
        judged.write(f"adapters/{name}.model.yaml", text)
    judged.write("judges/strict.judge.yaml", JUDGE + f"panel: [two, three]\nreasks: 0\n{more}")


def test_a_member_of_a_panel_that_fails_costs_no_answer_its_verdict(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    panel(judged, "quorum: 2\n")
    server.answer = lambda asked: UNREADABLE if asked.body["model"] == "judge-three" else verdict()
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    assert "6 of 18 verdicts are judge errors" in flat(out)
    assert "All 6 answers have a verdict all the same." in flat(out)
    assert "no gate may go by it" not in flat(out)
    panel(judged, "quorum: 3\n")
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert "6 of 18 verdicts are judge errors" in flat(out)
    assert "6 of 6 answers have no verdict. That is more than 2%: no gate may go" in flat(out)


def test_a_panel_with_an_embedding_judge_says_that_it_has_one(
    judged: UserProject, invoke: Invoke
) -> None:
    panel(judged, "")
    words = ("run", "sums", "-m", "recorded", "--judge-model")
    assert invoke(*words, "api,two,embedding-judge")[0] == 0
    names = {row["metric"] for row in table(judged.root, "metrics")}
    assert {"strict[panel, one an embedding judge]"} < names
    assert not [name for name in names if "not an LLM" in name]
    text = "model: other\nadapter: embedding-judge\nfamily: other\n"
    judged.write("adapters/other.model.yaml", text)
    assert invoke(*words, "api,other,embedding-judge")[0] == 0
    names = {row["metric"] for row in table(judged.root, "metrics")}
    assert "strict[panel, 2 of 3 embedding judges]" in names


def test_r15_how_often_a_judge_was_asked_again_is_kept_and_told(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    wrong = "You are right: 1."

    def answer(asked: Asked) -> str:
        never = wrong in asked.prompt
        return UNREADABLE if never or "could not be read" not in asked.prompt else verdict()

    server.answer = answer
    judged.add_replay({**RIGHT, "s0": wrong})
    _, out, _ = invoke("run", "sums", "-m", "recorded")
    rows = table(judged.root, "verdicts")
    assert (
        sorted((row["status"], row["reasks"]) for row in rows) == [("error", 2)] + [("ok", 1)] * 5
    )
    assert "strict: asked again 7 times, for replies that could not be read." in flat(out)
    assert invoke("judge", "latest")[0] == 1  # from the cache
    assert table(judged.root, "verdicts") == [{**row, "cached": True} for row in rows]


def test_a_run_that_did_not_count_what_was_asked_again_is_shown(
    judged: UserProject, invoke: Invoke
) -> None:
    import hashlib

    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    file, manifest = newest(judged.root) / "verdicts.parquet", newest(judged.root) / "manifest.json"
    pq.write_table(pq.read_table(file).drop_columns(["reasks"]), file)
    body, known = file.read_bytes(), json.loads(manifest.read_text("utf-8"))
    for part in known["parts"]:
        if part["file"] == file.name:
            part.update(bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    manifest.write_text(json.dumps(known), encoding="utf-8")
    assert "strict, judged by api: 6 verdicts" in flat(invoke("show", "latest")[1])
    assert invoke("judge", "latest")[0] == 0


def test_the_length_audit_counts_answers_and_not_what_was_said_of_them(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write("judges/strict.judge.yaml", JUDGE + "repeats: 3\ntemperature: 1\n")
    judged.add_replay({f"s{n}": "word " * (n + 1) for n in range(6)})
    rest = {"completeness": 0, "relevance": 0, "practicality": 0}
    server.answer = lambda asked: verdict(accuracy=material(asked)["answer"].count("word"), **rest)
    _, out, _ = invoke("run", "sums", "-m", "recorded")
    assert "longer answers" not in out  # 18 verdicts, but 6 answers
    more_sums(judged, 12)
    judged.add_replay({f"s{n}": "word " * (n + 1) for n in range(12)})
    _, out, _ = invoke("run", "sums", "-m", "recorded")
    assert "longer answers score higher (Spearman +1.00" in flat(out)
    assert "within a task and model)" in flat(out)


def test_notes_are_about_the_judges_that_are_shown(judged: UserProject, invoke: Invoke) -> None:
    judged.write("judges/open.judge.yaml", JUDGE.replace("strict", "open"))
    judged.write("judges/open.j2", TEMPLATE)
    score(judged, "[rouge_l, {judge: strict}, {judge: open}]")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    _, out, _ = invoke("show", "latest", "--metric", "strict", "--worst", "0")
    assert "strict, judged by api" in out
    assert "open" not in out
    assert "--criteria" not in invoke("show", "latest", "--criteria")[1]


def test_kappa_that_was_measured_later_is_shown(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    rest = {"completeness": 25, "relevance": 18, "practicality": 8}

    def by_number(asked: Asked) -> str:
        said = re.search(r"It is (\d+)\.", material(asked)["answer"])
        return verdict(accuracy=3 * int(said[1]) if said else 0, **rest)

    server.answer = by_number
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    assert "nobody has measured how far strict" in flat(invoke("show", "latest")[1])
    answers = {"rater": "anna", "question": "How many?", "reference": "Some."}
    rated = [
        {**answers, "id": f"i{n}", "answer": f"It is {n}.", "ratings": {"accuracy": 3 * n, **rest}}
        for n in range(12)
    ]
    judged.write("labels.jsonl", "\n".join(map(json.dumps, rated)) + "\n")
    code, out, err = invoke("judge", "calibrate", "strict", "labels.jsonl")
    assert code == 0, out + err
    _, out, _ = invoke("show", "latest", "--criteria")
    assert "nobody has measured how far strict" not in flat(out)
    assert "kappa 1.000 (n=12)" in out
    rows = json.loads(invoke("show", "latest", "--format", "json")[1])["metrics"]
    kappas = {row["metric"]: row["kappa"] for row in rows}
    assert (kappas["strict"], kappas["strict.accuracy"], kappas["rouge_l"]) == (1.0, 1.0, None)
    judged.write("judges/strict.j2", TEMPLATE + "Be strict.\n")
    assert "kappa 1.000" in invoke("show", "latest")[1]  # the run has the old template
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    assert "kappa 1.000" not in invoke("show", "latest")[1]  # nobody measured the new one


def test_repeats_show_how_far_a_judge_agrees_with_itself(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write("judges/strict.judge.yaml", JUDGE + "repeats: 2\ntemperature: 1\nseed: 0\n")
    server.answer = lambda asked: verdict(
        accuracy=20 if asked.body["seed"] else 30, completeness=25, relevance=18, practicality=8
    )
    _, out, err = invoke("run", "sums", "-m", "recorded")
    spread = "strict: 2 repeats of one answer differ by 7.071 of 100 points"  # 10 / sqrt(2)
    assert spread in flat(out), err
    assert spread in flat(invoke("show", "latest")[1])


def test_a_judge_that_runs_here_has_no_latency_to_show(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    _, out, _ = invoke("run", "sums", "-m", "recorded", "--judge-model", "embedding-judge")
    assert "judged by embedding-judge: 6 verdicts" in flat(out)
    assert "latency" not in out
    assert table(judged.root, "verdicts")[0]["latency_ms"] is not None  # it is kept


def test_tables_with_judges_fit_100_columns(
    judged: UserProject, server: FaultServer, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    name = "rubric_with_a_long_name"
    judged.write(f"judges/{name}.judge.yaml", JUDGE.replace("strict", name, 1))
    judged.write("judges/strict.j2", TEMPLATE)
    score(judged, f"[rouge_l, {{judge: {name}}}]")
    answers = {key: text for key, text in RIGHT.items() if key != "s3"}
    judged.add_replay(answers, name="researcher-llama-instruct")
    words = ("-m", "researcher-llama-instruct", "--judge-model", "embedding-judge")
    assert invoke("run", "sums", *words)[0] == 1
    for command in (("show", "latest"), ("show", "latest", "--criteria")):
        _, out, _ = invoke(*command)
        assert max(map(len, out.splitlines())) <= 100, out
    lines = [line.strip() for line in out.splitlines()]
    assert any(line.startswith(".completeness ") or line == ".completeness" for line in lines), out


# --------------------------------------------------------------------------- who judges


@pytest.mark.parametrize("command", [("run", "sums", "-m", "recorded"), ("judge", "latest")])
@pytest.mark.parametrize("words", ["", "api,", ","])
def test_an_empty_name_of_a_judge_model_is_refused(
    judged: UserProject, invoke: Invoke, command: tuple[str, ...], words: str
) -> None:
    if command[0] == "judge":
        assert invoke("run", "sums", "-m", "recorded")[0] == 0
    code, _, err = invoke(*command, "--judge-model", words)
    assert code == 4
    assert "empty name" in err


@pytest.mark.parametrize(
    "words",
    [
        ("latest", "--judge", ""),
        ("", "--judge", "strict"),
        ("calibrate", "strict", "--judge-model", ""),
        ("calibrate", "strict", "--run", ""),
        ("calibrate", ""),
        ("selftest", "strict", "--judge-model", " "),
        ("selftest", ""),
        ("label", "latest", "--rater", "anna", "--judge", ""),
        ("label", "latest", "--rater", ""),
        ("label", "", "--rater", "anna"),
    ],
)
def test_no_command_of_a_judge_takes_an_empty_name(
    judged: UserProject, server: FaultServer, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    asked = len(server.asked)
    code, out, err = invoke("judge", *words)
    assert (code, out, len(server.asked)) == (4, "", asked)
    assert "Traceback" not in err
    assert "''" in err or "empty name" in err


@pytest.mark.parametrize("words", ["api,api", "api,adapters/api.model.yaml"])
@pytest.mark.parametrize("command", ["run", "judge"])
def test_a_judge_model_that_is_named_twice_is_refused_as_in_a_judges_file(
    judged: UserProject, invoke: Invoke, words: str, command: str
) -> None:
    if command == "judge":
        assert invoke("run", "sums", "-m", "recorded")[0] == 0
    start = ("run", "sums", "-m", "recorded") if command == "run" else ("judge", "latest")
    code, _, err = invoke(*start, "--judge-model", words)
    assert (code, err.count("\n")) == (4, 1)
    assert "model 'api' stands there twice ('repeats' of the judge asks it more often)" in err


def test_a_dry_run_without_a_price_says_that_the_cost_is_unknown(
    judged: UserProject, invoke: Invoke
) -> None:
    file = judged.root / "adapters/api.model.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("price: {input: 1, output: 10}\n", ""), encoding="utf-8")
    _, out, _ = invoke("run", "sums", "-m", "recorded", "--dry-run")
    assert "judging: cost of api unknown" in out
    assert "$0.00" not in out
