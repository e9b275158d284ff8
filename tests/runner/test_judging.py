"""Judges at work: a real server on the loopback interface counts what it is asked."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faultserver import Asked, FaultServer, at_random, envelope
from judged import (
    DUEL,
    DUEL_TEMPLATE,
    JUDGE,
    RIGHT,
    metrics,
    more_sums,
    newest,
    score,
    table,
    verdict,
)
from judged import judged as judged
from judged import server as server

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[2]
# few tokens in a batch: the model under test is slow, and answers little by little
SLOW = f"""\
model: slow
adapter: transformers
base: {ROOT / "adapters" / "tiny-llama"}
dtype: float32
batch_tokens: 64
"""


def test_a_judge_of_a_task_becomes_columns_and_rows(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert code == 0, out + err
    found = metrics(judged.root)
    assert found["strict"]["value"] == 86.0  # ours: 35 + 25 + 18 + 8
    assert found["strict.accuracy"]["value"] == 35.0
    assert found["strict.irrelevant"]["value"] == 0.0
    assert "rouge_l" in found
    rows = table(judged.root, "verdicts")
    assert len(rows) == len(server.asked) == 6
    assert {(row["total"], row["value"], row["status"]) for row in rows} == {(86.0, 0.86, "ok")}
    assert {row["cost_usd"] for row in rows} == {(7 * 1 + 3 * 10) / 1e6}
    assert {row["served"] for row in rows} == {"served-1 fp_1"} or rows[0]["served"]
    stages = {row["stage"]: row for row in table(judged.root, "profile")}
    assert stages["judge strict"]["p50"] > 0
    assert "strict, judged by api: 6 verdicts (0 from the cache)" in out
    assert "latency p50" in out


def test_no_metric_but_a_judge_is_enough(judged: UserProject, invoke: Invoke) -> None:
    score(judged, "[{judge: strict}]")
    code, _, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    assert metrics(judged.root)["strict"]["n"] == 6


def test_an_answer_that_failed_is_not_judged_and_no_judge_error(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.add_replay({key: text for key, text in RIGHT.items() if key != "s3"})
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert "1 of 6 samples failed" in out
    assert "judge errors" not in out
    assert len(server.asked) == 5
    found = metrics(judged.root)["strict"]
    assert (found["n"], found["n_error"], found["n_judge_error"]) == (5, 1, 0)
    skipped = [row for row in table(judged.root, "verdicts") if row["status"] == "skipped"]
    assert [row["sample"] for row in skipped] == ["s3"]


def test_r2_malformed_replies_are_judge_errors_and_never_scores(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    more_sums(judged, 16)
    judged.write("judges/strict.judge.yaml", JUDGE + "reasks: 0\n")
    server.answer = lambda asked: "I would say 35 points, and a pass."
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert "judge strict: 16 of 16 answers have no verdict" in out
    assert "samples failed" not in out
    found = metrics(judged.root)
    for name in ("strict", "strict.accuracy"):
        row = found[name]
        assert (row["value"], row["n"], row["n_judge_error"]) == (None, 0, 16), name
    assert found["rouge_l"]["n"] == 16
    assert {row["status"] for row in table(judged.root, "verdicts")} == {"error"}
    explained = [row for row in table(judged.root, "scores") if row["scorer"] == "strict"]
    assert all(row["explanation"].startswith("judge_error: ") for row in explained)
    code, out, _ = invoke("show", "latest")
    assert "16 of 16 verdicts are judge errors" in out
    assert "no gate may go by it" in out


def test_what_is_asked_again_is_counted_and_paid_once(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.answer = lambda asked: verdict() if "could not be read" in asked.prompt else "Well."
    code, _, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    rows = table(judged.root, "verdicts")
    assert len(server.asked) == 12
    assert {tuple(row["flags"]) for row in rows} == {("reasked",)}
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(12 * 37e-6)


def test_r8_two_models_with_the_same_answer_get_one_prompt_and_one_charge(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.add_replay(RIGHT, name="other")
    code, _, _ = invoke("run", "sums", "-m", "recorded,other")
    assert code == 0
    assert len(server.asked) == len({asked.prompt for asked in server.asked}) == 6
    rows = table(judged.root, "verdicts")
    assert len(rows) == 12
    assert sum(not row["cached"] for row in rows) == 6
    invoke("run", "sums", "-m", "recorded,other", "--fresh")
    assert len(server.asked) == 12  # fresh, and yet not twice
    text = json.dumps([asked.body for asked in server.asked])
    assert not [word for word in ("recorded", "other", "sums") if word in text]


def test_a_second_run_repeats_no_request_and_pays_nothing(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    invoke("run", "sums", "-m", "recorded")
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    assert len(server.asked) == 6
    assert "6 from the cache" in err
    assert "$0.00 paid now" in out
    invoke("run", "sums", "-m", "recorded", "--fresh")
    assert len(server.asked) == 12


def test_judging_begins_while_later_samples_are_still_answered(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    more_sums(judged, 40)
    judged.write("adapters/slow.model.yaml", SLOW)
    seen: list[int] = []  # answers that were in the cache when the judge was first asked

    def reply(asked: Asked) -> str:
        if not seen:
            seen.append(committed(judged))
        return verdict()

    server.answer = reply
    code, out, err = invoke("run", "sums", "-m", "slow")
    assert code == 0, out + err
    assert seen[0] < 40
    assert metrics(judged.root, "slow")["strict"]["n"] == 40


def asked_twice(server: FaultServer) -> list[str]:
    """Prompts whose whole reply was sent more than once."""
    return [prompt for prompt, count in server.whole.items() if count > 1]


def settle(server: FaultServer) -> None:
    """Wait for what a killed process had sent, so that it is not taken for the next one's."""
    seen = -1
    while server.busy or seen != len(server.asked):
        seen = len(server.asked)
        time.sleep(0.2)


@pytest.fixture
def long(judged: UserProject, server: FaultServer) -> UserProject:
    """120 samples, answered as fast as can be, and a judge that takes its time."""
    more_sums(judged, 120)
    card = judged.root / "adapters/api.model.yaml"
    card.write_text(card.read_text(encoding="utf-8") + "max_concurrency: 4\n", encoding="utf-8")
    server.delay = 0.02
    return judged


def committed(project: UserProject) -> int:
    cache = project.root / ".harness/cache.sqlite"
    try:
        with closing(sqlite3.connect(f"file:{cache}?mode=ro", uri=True, timeout=30)) as db:
            return int(db.execute("SELECT count(*) FROM completions").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def stopped(project: UserProject, how: signal.Signals, after: int) -> tuple[int, str]:
    """The run ended by a signal once so many verdicts more are in the cache: exit code, stderr."""
    goal = committed(project) + after
    process = subprocess.Popen(
        project.command("run", "sums", "-m", "recorded"),
        cwd=project.root, env=project.environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and committed(project) < goal:
        time.sleep(0.002)
    process.send_signal(how)
    _, err = process.communicate()
    return process.returncode, err


def test_r14_killed_and_run_again_no_judged_request_is_repeated(
    long: UserProject, server: FaultServer
) -> None:
    for _ in range(3):
        known, before = committed(long), len(server.asked)
        code, _ = stopped(long, signal.SIGKILL, after=15)
        assert code == -signal.SIGKILL
        assert committed(long) >= known + 15
        settle(server)
        sent = [asked.prompt for asked in server.asked[before:]]
        assert len(sent) == len(set(sent)) <= 120 - known
    kept, before = committed(long), len(server.asked)
    last = long.harness("run", "sums", "-m", "recorded")
    assert last.returncode == 0, last.stderr
    # nothing that was committed is asked again; what was on its way when the process died may be
    assert len(server.asked) - before == 120 - kept
    assert server.most_busy <= 4  # the card's limit holds for all of the judge's threads together
    assert f"{kept} from the cache" in last.stderr
    assert metrics(long.root)["strict"]["n"] == 120
    again = len(server.asked)
    assert long.harness("run", "sums", "-m", "recorded").returncode == 0
    assert len(server.asked) == again


def test_ctrl_c_while_judging_says_what_is_kept_and_can_go_on(
    long: UserProject, server: FaultServer
) -> None:
    code, err = stopped(long, signal.SIGINT, after=10)
    assert code == 2, err
    assert re.search(r"all answers and \d+ of 120 verdicts are kept; run the same command", err)
    assert "Traceback" not in err
    assert not (long.root / "runs").exists() or not list((long.root / "runs").iterdir())
    kept, before = committed(long), len(server.asked)
    assert long.harness("run", "sums", "-m", "recorded").returncode == 0
    assert len(server.asked) - before == 120 - kept


def test_a_server_that_refuses_the_key_stops_the_run_in_one_line(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    from aiohttp import web

    server.play = lambda asked: web.json_response({"error": {"message": "who?"}}, status=401)
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "HTTP 401" in err
    assert "Traceback" not in out + err
    assert [one.name for one in threading.enumerate() if one.name.startswith("judge")] == []


def test_every_fault_ends_as_a_verdict_or_a_counted_error(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    more_sums(judged, 60)
    card = judged.root / "adapters/api.model.yaml"
    more = "timeout_s: 3\ndeadline_s: 20\nmax_retries: 2\nmax_concurrency: 32\n"
    card.write_text(card.read_text(encoding="utf-8") + more, encoding="utf-8")
    server.play = at_random(0.3)
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert "Traceback" not in err
    rows = table(judged.root, "verdicts")
    states = Counter(row["status"] for row in rows)
    assert sum(states.values()) == 60
    assert states["ok"] > 30
    assert code == (1 if states["error"] else 0)
    assert not asked_twice(server), "a reply that was paid for was asked for again"


def test_pairwise_judges_compare_the_first_model_with_each_other(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write("judges/duel.judge.yaml", DUEL)
    judged.write("judges/duel.j2", DUEL_TEMPLATE)
    score(judged, "[{judge: duel}]")
    judged.add_replay({f"s{n}": "better" if n < 4 else "worse" for n in range(6)}, name="tuned")

    def prefer(asked: Asked) -> str:
        user = asked.prompt
        first, second = user.find("One:"), user.find("Two:")
        one, two = user[first:second], user[second:]
        best = {True: "A", False: "B"}["better" in one or "worse" in two]
        return json.dumps({"reasoning": "so", "preference": best})

    server.answer = prefer
    code, out, err = invoke("run", "sums", "-m", "recorded,tuned")
    assert code == 0, out + err
    assert len(server.asked) == 12  # six pairs, both orders
    tuned = metrics(judged.root, "tuned")["duel"]
    assert (tuned["value"], tuned["n"]) == (pytest.approx(4 / 6), 6)
    assert "duel" not in metrics(judged.root, "recorded")
    assert "tuned has 4 wins, 0 ties, 2 losses; both orders agree in 100%" in " ".join(out.split())


def test_r9_a_judge_that_likes_the_first_seat_only_makes_ties(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write("judges/duel.judge.yaml", DUEL)
    judged.write("judges/duel.j2", DUEL_TEMPLATE)
    score(judged, "[{judge: duel}]")
    judged.add_replay({f"s{n}": "another answer" for n in range(6)}, name="tuned")
    server.answer = lambda asked: json.dumps({"reasoning": "so", "preference": "A"})
    code, out, _ = invoke("run", "sums", "-m", "recorded,tuned")
    assert code == 0
    words = " ".join(out.split())
    assert "tuned has 0 wins, 6 ties, 0 losses; both orders agree in 0%, 100% of" in words
    assert metrics(judged.root, "tuned")["duel"]["value"] == 0.5


def test_r11_a_panel_and_repeats_are_combined_and_kept_row_by_row(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    card = (judged.root / "adapters/api.model.yaml").read_text(encoding="utf-8")
    second = card.replace("model: api", "model: second").replace("some-judge", "mild-judge")
    judged.write("adapters/second.model.yaml", second)
    judged.write(
        "judges/strict.judge.yaml", JUDGE + "panel: [second]\nrepeats: 2\ntemperature: 1\n"
    )

    def reply(asked: Asked) -> str:
        mild = asked.body["model"] == "mild-judge"
        return verdict(accuracy=40 if mild else 20, completeness=20, relevance=10, practicality=0)

    server.answer = reply
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert code == 0, out + err
    rows = table(judged.root, "verdicts")
    assert Counter((row["judge_model"], row["repeat"]) for row in rows) == Counter(
        {(name, repeat): 6 for name in ("api", "second") for repeat in (0, 1)}
    )
    assert metrics(judged.root)["strict"]["value"] == 60.0
    assert "Krippendorff's alpha of the panel" in out


def test_r11_a_judge_of_the_same_family_is_marked_or_refused(
    judged: UserProject, invoke: Invoke
) -> None:
    for name in ("api", "recorded"):
        file = judged.root / f"adapters/{name}.model.yaml"
        file.write_text(file.read_text(encoding="utf-8") + "family: acme\n", encoding="utf-8")
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    assert "same family" in out
    assert {tuple(row["flags"]) for row in table(judged.root, "verdicts")} == {("same_family",)}
    judged.write("judges/strict.judge.yaml", JUDGE + "limits: {same_family: error}\n")
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "strict.judge.yaml: api is of the family of recorded and may not judge it" in err


def test_r11_the_family_of_a_model_is_known_when_its_card_is_gone(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    for name in ("api", "recorded"):
        file = judged.root / f"adapters/{name}.model.yaml"
        file.write_text(file.read_text(encoding="utf-8") + "family: acme\n", encoding="utf-8")
    score(judged, "[rouge_l]")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    for file in judged.root.glob("adapters/recorded.*"):
        file.unlink()
    assert invoke("judge", "latest", "--judge", "strict")[0] == 0
    assert {tuple(row["flags"]) for row in table(judged.root, "verdicts")} == {("same_family",)}
    judged.write("judges/strict.judge.yaml", JUDGE + "limits: {same_family: error}\n")
    asked = len(server.asked)
    code, _, err = invoke("judge", "latest", "--judge", "strict")
    assert code == 4
    assert "strict.judge.yaml: api is of the family of recorded and may not judge it" in err
    manifest = newest(judged.root) / "manifest.json"
    known = json.loads(manifest.read_text(encoding="utf-8"))
    known["specs"] = [one for one in known["specs"] if one["name"] != "recorded"]
    manifest.write_text(json.dumps(known), encoding="utf-8")
    code, _, err = invoke("judge", "latest", "--judge", "strict")
    assert code == 4
    assert "strict.judge.yaml: nobody knows the card of recorded" in err
    assert len(server.asked) == asked


def test_r5_a_judge_without_a_reference_does_not_see_it(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write(
        "judges/open.judge.yaml", JUDGE.replace("strict", "open") + "needs_reference: false\n"
    )
    judged.write("judges/open.j2", "{{ question }}\n{{ answer }}")
    score(judged, "[{judge: strict}, {judge: open}]")
    judged.add_replay({f"s{n}": "No idea." for n in range(6)})
    code, _, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    assert len(server.asked) == 12
    references = [asked for asked in server.asked if re.search(r"Reference: <", asked.prompt)]
    assert len(references) == 6
    found = metrics(judged.root)
    assert {"strict", "open"} <= set(found)


def test_a_sample_without_the_reference_a_judge_needs_is_told_before_anything_runs(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write_rows(
        "tasks/sums/data/sums.jsonl",
        [
            {"id": "s0", "question": "1 and 2?", "answer": "3"},
            {"id": "s1", "question": "?", "answer": ""},
        ],
    )
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "sums.task.yaml:12: judge 'strict' needs a reference, and sample 's1' has none" in err
    assert not server.asked


def test_r15_max_cost_stops_before_the_call_that_would_exceed_it(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    tokens = {"prompt_tokens": 1000, "completion_tokens": 900, "total_tokens": 1900}
    server.reply = lambda asked: envelope(verdict()) | {"usage": tokens}  # a cent each
    code, out, err = invoke("run", "sums", "-m", "recorded", "--max-cost", "0.035")
    assert code == 1
    asked = len(server.asked)
    assert 0 < asked < 6
    spent = sum(row["cost_usd"] or 0 for row in table(judged.root, "verdicts"))
    assert 0.01 <= spent <= 0.035
    assert f"{6 - asked} judge calls could have exceeded it" in err
    found = metrics(judged.root)["strict"]
    assert (found["n"], found["n_judge_error"]) == (asked, 6 - asked)
    assert "not asked: it could exceed --max-cost" in out
    code, _, _ = invoke("run", "sums", "-m", "recorded")  # the rest is asked when it may be
    assert code == 0
    assert len(server.asked) == 6


def test_max_cost_without_a_price_is_refused(judged: UserProject, invoke: Invoke) -> None:
    file = judged.root / "adapters/api.model.yaml"
    text = file.read_text(encoding="utf-8").replace("price: {input: 1, output: 10}\n", "")
    file.write_text(text, encoding="utf-8")
    code, _, err = invoke("run", "sums", "-m", "recorded", "--max-cost", "1")
    assert code == 4
    assert "model 'api' has no known price" in err


def test_the_embedding_judge_says_what_it_is_wherever_its_numbers_show(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.add_replay({f"s{n}": f"{n} and {n + 1} is {2 * n + 1}." for n in range(6)}, name="wordy")
    words = ("--judge-model", "embedding-judge")
    code, out, err = invoke("run", "sums", "-m", "recorded,wordy", *words)
    assert code == 0, out + err
    assert not server.asked
    names = [name for name in metrics(judged.root) if name.startswith("strict")]
    assert names
    assert all(name.endswith("[embedding judge, not an LLM]") for name in names)
    for command in (("show", "latest"), ("compare", "recorded", "wordy")):
        _, out, _ = invoke(*command)
        assert "[embedding judge, not an LLM]" in " ".join(out.split())


def test_criteria_are_shown_when_asked_for(judged: UserProject, invoke: Invoke) -> None:
    judged.add_replay({f"s{n}": "I do not know." for n in range(6)}, name="wordy")
    invoke("run", "sums", "-m", "recorded,wordy", "--judge-model", "embedding-judge")
    parts = [name for name in metrics(judged.root) if name.startswith("strict.")]
    assert parts
    for command in (("show", "latest", "--worst", "0"), ("compare", "recorded", "wordy")):
        _, short, _ = invoke(*command)
        _, whole, _ = invoke(*command, "--criteria")
        # a narrow terminal breaks long names, so the last part of one is looked for
        assert "relevance" not in short.split("--criteria")[0]
        assert "relevance" in whole
        _, named, _ = invoke(*command, "--metric", parts[0])
        assert parts[0].partition("[")[0].removeprefix("strict.") in named


def test_a_run_with_a_judge_imports_neither_pandas_nor_scipy(
    judged: UserProject, server: FaultServer
) -> None:
    score(judged, "[exact_match, {judge: strict}]")
    varied = {"completeness": 25, "relevance": 18, "practicality": 8}
    server.answer = lambda asked: verdict(accuracy=5 + asked.number, **varied)
    code = (
        "import sys; from harness.cli import main; code = main(['run', 'sums', '-m', 'recorded']); "
        "heavy = {'pandas', 'scipy', 'torch'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=judged.root, env=judged.environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert metrics(judged.root)["strict"]["low"] is not None
