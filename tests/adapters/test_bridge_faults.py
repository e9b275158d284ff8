"""Workers that misbehave: each costs the request it had, with a reason, and no other."""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bridged import asked, bridge_card

from harness.adapters.bridge import BridgeAdapter
from harness.collect.specs import BridgeModel
from harness.errors import ModelError
from harness.records import Completion


@pytest.fixture
def adapter() -> Iterator[BridgeAdapter]:
    opened = BridgeAdapter(allow_code=True)
    yield opened
    opened.close()


@pytest.fixture
def bad(tmp_path: Path) -> Callable[..., BridgeModel]:
    """A card whose worker does what the mode says when it is asked "bad"."""

    def make(mode: str, sleep: float = 2.0, load: float = 0, **settings: object) -> BridgeModel:
        mark = str(tmp_path / "mark")
        options = {"mode": mode, "sleep": sleep, "load": load, "mark": mark}
        fields: dict[str, object] = {"timeout_s": 1.5, "start_timeout_s": 60, **settings}
        return bridge_card(tmp_path, "bad_worker", options=options, **fields)

    return make


def answers(adapter: BridgeAdapter, card: BridgeModel, *prompts: str) -> list[Completion]:
    """Completions in the order of the prompts."""
    requests = asked(*prompts)
    found = {done.id: done for batch in adapter.complete(card, requests) for done in batch}
    return [found[request.id] for request in requests]


MODES = {
    "dies": "ended with exit code 7; stderr: Killing myself",
    "is killed": "was killed by SIGKILL",
    "hangs": "no answer in 1.5 s",
    "takes another id": "an answer for the unknown id 'somebody-else'",
    "sends broken json": 'no message: \'{"type": "reply"',
    "sends only rubbish": "wrote 21 lines that are no messages, first: no message: 'rubbish 0'",
    "sends a huge line": "a line of more than 16 MiB",
    "sends no text": "a reply without 'text'",
    "closes its output": "closed its standard output",
}


@pytest.mark.parametrize("mode", MODES)
def test_a_bad_request_is_an_error_and_the_others_are_answered(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel], mode: str
) -> None:
    before, wrong, after, last = answers(adapter, bad(mode), "one", "bad", "two", "three")
    assert MODES[mode] in (wrong.error or "")
    assert wrong.finish_reason == "error"
    assert [c.text for c in (before, after, last)] == ["good one", "good two", "good three"]


def test_a_late_answer_is_thrown_away_and_spares_a_restart(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    # starting again would take at least 1.4 s, so that the 0.3 s until the answer are worth it
    wrong, after = answers(adapter, bad("is late", sleep=1.8, load=1.4), "bad", "two")
    assert "no answer in 1.5 s" in (wrong.error or "")
    assert after.text == "good two"
    assert "1 answers came too late and were thrown away" in adapter.notes
    assert not any("restarted" in note for note in adapter.notes)


def test_a_worker_that_does_not_come_back_is_restarted(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    answers(adapter, bad("hangs"), "bad", "two")
    assert any(
        "restarted 1 times" in note and "did not come back" in note for note in adapter.notes
    )


def test_what_a_hanging_worker_has_started_is_gone_with_it(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel], tmp_path: Path
) -> None:
    found = answers(adapter, bad("hangs with a child"), "bad", "two")
    assert found[1].text == "good two"
    assert gone(int((tmp_path / "mark").read_text()))


def test_a_second_answer_is_counted_and_is_nobodys(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    found = answers(adapter, bad("answers twice"), "bad", "two", "bad", "three")
    assert [c.text for c in found] == ["first", "good two", "first", "good three"]
    assert any(note.startswith("2 answers were nobody's") for note in adapter.notes)


def test_lines_that_are_no_messages_are_counted_and_shown(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    (found,) = answers(adapter, bad("sends rubbish first"), "bad")
    assert found.text == "good after rubbish"
    assert adapter.notes == ("3 lines were no messages; first: no message: '100%|####| 0/3'",)


def test_half_a_character_is_replaced(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    (found,) = answers(adapter, bad("sends half a character"), "bad")
    assert found.text == "half ?"
    assert found.stages is not None
    assert found.stages.prefill_ms == 0  # 10**400 ms are no time


def test_a_flood_on_standard_error_stops_nobody(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    (found,) = answers(adapter, bad("talks much on stderr", timeout_s=60), "bad")
    assert found.text == "good after 20000 lines"


def test_when_restarts_are_used_up_the_rest_fails_with_that_reason(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    found = answers(adapter, bad("dies", max_restarts=1), "bad", "one", "bad", "two", "three")
    assert found[1].text == "good one"
    why = "the worker is gone and was restarted 1 times; last: ended with exit code 7"
    assert [(c.error or "").startswith(why) for c in found] == [False, False, False, True, True]


def test_a_worker_that_cannot_be_restarted_fails_the_rest(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    card = bad("dies at second start", max_restarts=2)
    found = answers(adapter, card, "one", "bad", "two")
    assert found[0].text == "good one"
    assert "exit code 7" in (found[1].error or "")
    assert "restarted 2 times; last: ended with exit code 4" in (found[2].error or "")


STARTS = {
    "dies at start": "ended with exit code 3; stderr: Loading checkpoint shards | RuntimeError: no",
    "raises at start": "ModuleNotFoundError: No module named 'no_such_upstream'",
    "hangs at start": "was not ready in 1 s (start_timeout_s)",
}


@pytest.mark.parametrize("mode", STARTS)
def test_a_worker_that_never_comes_up_is_a_model_error(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel], mode: str
) -> None:
    timeout = 1 if mode == "hangs at start" else 60
    with pytest.raises(ModelError) as raised:
        answers(adapter, bad(mode, start_timeout_s=timeout), "one")
    assert STARTS[mode] in str(raised.value)
    assert "bridged.model.yaml:4: worker" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_version_of_the_protocol_is_one_clear_line(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAD_PROTOCOL", "99")
    with pytest.raises(
        ModelError, match=r"speaks protocol 99, this harness 1: take the worker\.py"
    ):
        answers(adapter, bad("dies"), "one")


def test_log_likelihoods_that_are_no_numbers_are_an_error(
    adapter: BridgeAdapter, bad: Callable[..., BridgeModel]
) -> None:
    (request,) = asked("which")
    request = replace(request, output_type="choices", continuations=(" a", " b"))
    ((found,),) = adapter.complete(bad("dies"), [request])
    assert "log-likelihoods that are no numbers" in (found.error or "")


def test_ctrl_c_leaves_no_worker(adapter: BridgeAdapter, bad: Callable[..., BridgeModel]) -> None:
    (pid,) = answers(adapter, bad("hangs", timeout_s=600), "pid")
    with pytest.raises(KeyboardInterrupt):
        interrupted(adapter, bad("hangs", timeout_s=600))
    assert gone(int(pid.text))


def interrupted(adapter: BridgeAdapter, card: BridgeModel) -> None:
    """Ctrl-C is pressed while the worker is asked."""
    threading.Timer(0.3, _thread.interrupt_main).start()
    answers(adapter, card, "bad")


def gone(pid: int) -> bool:
    """Whether a process ends; waits for that."""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists():
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "Z":  # dead, and nobody's child any more who would look
                return True
        time.sleep(0.02)
    return False
