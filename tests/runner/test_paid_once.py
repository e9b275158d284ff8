"""What a judge's server said once is not asked and paid again, whatever it said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from faultserver import REPLY_FAULTS, FaultServer, at_random, envelope
from judged import JUDGE, metrics, more_sums, table, verdict
from judged import judged as judged
from judged import server as server

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]


def judge_again(invoke: Invoke) -> list[dict[str, object]]:
    """Run, once more perhaps; what became of each verdict."""
    invoke("run", "sums", "-m", "recorded")
    return verdicts()


def verdicts() -> list[dict[str, object]]:
    """Those of the newest run."""
    names = ("sample", "status", "error", "cached", "cost_usd", "flags")
    return [{name: row[name] for name in names} for row in table(Path.cwd(), "verdicts")]


@pytest.mark.parametrize("fault", REPLY_FAULTS)
def test_r14_a_reply_that_is_no_verdict_is_counted_and_not_paid_for_again(
    judged: UserProject, server: FaultServer, invoke: Invoke, fault: str
) -> None:
    server.play = lambda asked: fault
    first = judge_again(invoke)
    assert {row["status"] for row in first} == {"error"}
    assert metrics(judged.root)["strict"]["n_judge_error"] == 6
    asked = len(server.asked)
    server.play = lambda asked: "ok"
    again = judge_again(invoke)
    assert len(server.asked) == asked
    assert again == [{**row, "cached": True} for row in first]
    assert metrics(judged.root)["strict"]["n_judge_error"] == 6
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert out.splitlines()[-1].endswith("--retry asks again")
    assert invoke("judge", "latest", "--fresh")[0] == 0
    assert metrics(judged.root)["strict"]["n_judge_error"] == 0


def test_a_refusal_by_the_content_filter_costs_what_it_says_once(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.reply = lambda asked: envelope("I was about to", "content_filter")
    (row, *_) = judge_again(invoke)
    assert (row["status"], row["error"]) == ("error", "refused: content filter")
    assert row["cost_usd"] == (7 * 1 + 3 * 10) / 1e6
    asked = len(server.asked)
    assert {row["cached"] for row in judge_again(invoke)} == {True}
    assert len(server.asked) == asked
    _, out, _ = invoke("run", "sums", "-m", "recorded")
    assert "6 from the cache" in out


@pytest.mark.parametrize(
    "said",
    [
        web.Response(text="<html>Sign in to the guest network</html>", content_type="text/html"),
        web.Response(text='{"error": {"message": "overloaded"}}', content_type="application/json"),
        web.Response(body=b"", content_type="application/json"),
    ],
    ids=["a page of somebody else", "an error under a wrong number", "nothing"],
)
def test_what_no_model_said_is_asked_again_without_fresh(
    judged: UserProject, server: FaultServer, invoke: Invoke, said: web.Response
) -> None:
    server.play = lambda asked: web.Response(body=said.body, content_type=said.content_type)
    assert {row["status"] for row in judge_again(invoke)} == {"error"}
    server.play = lambda asked: "ok"
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert code == 0, out + err
    assert {row["status"] for row in verdicts()} == {"ok"}


def test_a_reask_is_replayed_with_what_it_was_asked_for(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    """A reply that cannot be read is asked again with what was wrong, and so are its repeats."""
    server.answer = lambda asked: "Well, let me see."
    first = judge_again(invoke)
    assert len(server.asked) == 6 * 3
    assert {row["status"] for row in first} == {"error"}
    assert all("(asked 3 times)" in str(row["error"]) for row in first)
    server.answer = lambda asked: verdict()
    again = judge_again(invoke)
    assert len(server.asked) == 6 * 3
    assert again == [{**row, "cached": True} for row in first]


def test_where_every_second_attempt_fails_four_runs_pay_for_no_reply_twice(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    more_sums(judged, 60)
    judged.write("judges/strict.judge.yaml", JUDGE + "reasks: 1\n")
    card = (judged.root / "adapters/api.model.yaml").read_text("utf-8")
    judged.write("adapters/api.model.yaml", card + "timeout_s: 3\nmax_retries: 0\n")
    faults = ("429", "500", "reset", *(one for one in REPLY_FAULTS if one != "huge"))
    server.play = at_random(0.5, seed=3, faults=faults)
    for _ in range(3):
        rows = judge_again(invoke)
        assert len(rows) == 60
        assert max(server.whole.values()) == 1
    known = [row for row in rows if "unanswered" not in row["flags"]]
    known = [{**row, "cached": True} for row in known]
    asked = len(server.asked)
    server.play = lambda asked: "ok"
    rows = judge_again(invoke)
    assert len(server.asked) - asked == 60 - len(known)
    assert [row for row in rows if row["sample"] in {one["sample"] for one in known}] == known
    assert {row["status"] for row in rows} == {"ok", "error"}
