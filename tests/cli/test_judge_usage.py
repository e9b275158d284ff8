"""What judge commands say to mistakes on the command line, and what they say while they wait."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from faultserver import FaultServer
from judged import judged as judged
from judged import more_sums, table, verdict
from judged import server as server

from harness.cli.progress import make_progress

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]


# --------------------------------------------------------------------------- what is typed


@pytest.mark.parametrize("option", ["--cache", "--runs"])
@pytest.mark.parametrize(
    "command",
    [
        ("run", "sums", "-m", "recorded"),
        ("judge", "latest"),
        ("judge", "calibrate", "strict"),
        ("judge", "label", "latest", "--rater", "anna"),
    ],
)
def test_an_empty_path_is_refused(
    judged: UserProject, invoke: Invoke, command: tuple[str, ...], option: str
) -> None:
    code, _, err = invoke(*command, option, "")
    assert code == 4
    if "label" not in command or option == "--runs":  # it asks nobody, so it has no cache
        assert f"Invalid value for '{option}': empty name" in err


def test_an_empty_path_of_labels_is_refused(judged: UserProject, invoke: Invoke) -> None:
    code, _, err = invoke("judge", "calibrate", "strict", "")
    assert code == 4
    assert "'[LABELS]...': empty name" in err


def test_the_present_folder_may_hold_the_runs(judged: UserProject, invoke: Invoke) -> None:
    assert invoke("run", "sums", "-m", "recorded", "--runs", ".")[0] == 0
    assert list(judged.root.glob("20*/manifest.json"))


def test_a_run_that_is_not_there_is_told_with_those_that_are(
    judged: UserProject, invoke: Invoke
) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    (run,) = (judged.root / "runs").iterdir()
    code, _, err = invoke("judge", "nope")
    assert code == 4
    assert f"no run and no model 'nope' below runs (the newest runs: {run.name})" in err


def test_a_misspelt_command_of_judge_is_told(judged: UserProject, invoke: Invoke) -> None:
    code, _, err = invoke("judge", "selftst", "strict")
    assert code == 4
    assert "no command 'selftst' (did you mean 'selftest'?)" in err


def test_usage_errors_name_the_command_as_it_is_typed(judged: UserProject, invoke: Invoke) -> None:
    _, _, err = invoke("judge", "latest", "--no-such-option")
    assert "harness judge run" not in err
    assert "Usage: harness judge [OPTIONS] RUN" in err
    assert "Try 'harness judge -h'" in err or "Try 'harness judge --help'" in err


# --------------------------------------------------------------------------- keys


@pytest.fixture
def locked(judged: UserProject, monkeypatch: pytest.MonkeyPatch) -> UserProject:
    """The judge's model wants a key that is not there."""
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    card = judged.root / "adapters/api.model.yaml"
    card.write_text(card.read_text(encoding="utf-8") + "api_key_env: JUDGE_KEY\n", "utf-8")
    return judged


def test_a_missing_key_of_a_judge_is_told_before_anything_runs(
    locked: UserProject, invoke: Invoke
) -> None:
    for more in ((), ("--dry-run",)):
        code, out, err = invoke("run", "sums", "-m", "recorded", *more)
        assert code == 4
        assert "model 'api': environment variable JUDGE_KEY is not set" in err
        assert "recorded:" not in err  # no progress: no model was asked
    assert "dry run: nothing was asked" in out
    assert not (locked.root / "runs").exists() or not list((locked.root / "runs").iterdir())


def test_a_missing_key_stops_judging_a_finished_run_too(
    locked: UserProject, server: FaultServer, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-0123456789")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    monkeypatch.delenv("JUDGE_KEY")
    for more in ((), ("--dry-run",)):
        code, _, err = invoke("judge", "latest", "--judge", "strict", "--fresh", *more)
        assert (code, "JUDGE_KEY is not set" in err) == (4, True)
    assert len(list((locked.root / "runs").iterdir())) == 1


def test_no_key_is_wanted_where_all_verdicts_are_known(
    locked: UserProject, server: FaultServer, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-0123456789")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    monkeypatch.delenv("JUDGE_KEY")
    asked = len(server.asked)
    for words in (("run", "sums", "-m", "recorded"), ("judge", "latest")):
        code, _, err = invoke(*words)
        assert code == 0, err
        assert invoke(*words, "--dry-run")[0] == 0
    assert len(server.asked) == asked


def test_a_judge_that_cannot_be_asked_says_that_what_was_answered_is_kept(
    judged: UserProject, invoke: Invoke
) -> None:
    judged.write(
        "adapters/api.model.yaml",
        "model: api\nadapter: openai\nbase: x\nbase_url: http://127.0.0.1:9/v1\nmax_retries: 0\n",
    )
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    last = err.splitlines()[-1]
    assert "no connection" in last
    assert last.endswith("all answers and verdicts so far are kept: the same command goes on from "
                         "there")  # fmt: skip


# --------------------------------------------------------------------------- what is said


def test_what_an_adapter_waits_for_is_shown_while_a_run_lasts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = logging.getLogger("harness.adapters.api_session")
    progress = make_progress()
    said.warning("api answers HTTP 429, \x1b waiting %d s", 30)
    assert capsys.readouterr().err == "api answers HTTP 429, \\x1b waiting 30 s\n"
    progress.close()
    make_progress().close()
    assert not logging.getLogger("harness.adapters").handlers


def test_one_error_is_one_error(judged: UserProject, server: FaultServer, invoke: Invoke) -> None:
    server.answer = lambda asked: "hm" if "What is 0 and 1?" in asked.prompt else verdict()
    _, out, err = invoke("run", "sums", "-m", "recorded")
    assert "1 judge error" in err
    assert "1 judge errors" not in out + err
    assert "1 errors" not in out


def test_a_judge_that_declines_in_words_is_not_asked_again(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.answer = lambda asked: "I'm sorry, I can't assist with that."
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert len(server.asked) == 6
    assert "refused: I'm sorry, I can't assist with that." in out


def test_an_unreadable_reply_of_the_server_is_not_called_no_reply(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    server.play = lambda asked: "truncated"
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    rows = table(judged.root, "verdicts")
    assert {(row["status"], row["cost_usd"]) for row in rows} == {("error", None)}
    assert not any("unanswered" in (row["flags"] or ()) for row in rows)
    assert "no reply" not in out
    assert "cost unknown" in " ".join(out.split())


# --------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_three_times_at_once_ends_as_once(judged: UserProject, server: FaultServer) -> None:
    more_sums(judged, 60)
    server.delay = 0.05
    process = subprocess.Popen(
        judged.command("run", "sums", "-m", "recorded"),
        cwd=judged.root, env=judged.environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and len(server.asked) < 8:
        time.sleep(0.002)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.03)
    _, err = process.communicate()
    assert process.returncode == 2, err
    assert "verdicts are kept; run the same command again" in err
    assert "Traceback" not in err
