"""Kill it at any moment, run it again: nothing is asked twice, and the result is the same."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from tests.conftest import UserProject

KILLS = 20
ROWS = 160
ROOT = Path(__file__).resolve().parents[2]

TASK = """\
task: long
version: 1
data: {path: data/long.jsonl, fields: {input: question, target: answer}}
prompt: {template: "Question: {{ input }}\\nAnswer:"}
generate: {max_new_tokens: 12}
score: [exact_match, rouge_l]
"""
# few tokens in a batch, so that there are many moments at which to be killed
CARD = f"""\
model: slow
adapter: transformers
base: {ROOT / "adapters" / "tiny-llama"}
dtype: float32
batch_tokens: 64
"""


@pytest.fixture
def long_project(project: UserProject) -> UserProject:
    project.write("tasks/long/long.task.yaml", TASK)
    project.write("adapters/slow.model.yaml", CARD)
    rows = [
        {"id": f"r{n}", "question": "tell me about " + "rain " * (n % 9) + str(n), "answer": "x"}
        for n in range(ROWS)
    ]
    project.write_rows("tasks/long/data/long.jsonl", rows)
    return project


def committed(cache: Path) -> int:
    try:
        with sqlite3.connect(f"file:{cache}?mode=ro", uri=True, timeout=30) as db:
            return int(db.execute("SELECT count(*) FROM completions").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def count_writes(cache: Path) -> None:
    """From now on the file remembers how often each answer was written."""
    with sqlite3.connect(cache) as db:
        db.execute("CREATE TABLE writes (key BLOB)")
        db.execute(
            "CREATE TRIGGER log AFTER INSERT ON completions "
            "BEGIN INSERT INTO writes VALUES (new.key); END"
        )


def texts(run: Path) -> dict[tuple[str, int], tuple[str, str, int]]:
    table = pq.read_table(run / "completions.parquet").to_pylist()
    return {
        (row["sample"], row["epoch"]): (row["text"], row["finish_reason"], row["prompt_tokens"])
        for row in table
    }


def scores(run: Path) -> set[tuple[str, str, float | None]]:
    table = pq.read_table(run / "scores.parquet").to_pylist()
    return {(row["sample"], row["scorer"], row["value"]) for row in table}


def only_run(folder: Path) -> Path:
    (run,) = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return run


def kill_after(process: subprocess.Popen[bytes], cache: Path, more: int) -> bool:
    """SIGKILL once so many more answers are committed; False if it had ended before."""
    goal = committed(cache) + more
    while process.poll() is None:
        if committed(cache) >= goal:
            process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.002)
    return False


def test_killed_twenty_times_it_ends_as_if_never_stopped(long_project: UserProject) -> None:
    folder, environment = long_project.root, long_project.environment()
    cache = folder / "killed.sqlite"
    words = ("run", "long", "-m", "slow", "--cache", str(cache), "--runs", "killed")
    chance = random.Random(0)

    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(
            long_project.command(*words), cwd=folder, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if not kill_after(process, cache, more=chance.randint(1, 6)):
            break
        if not kills:
            count_writes(cache)
        kills += 1
        assert not [path for path in folder.glob("killed/*") if not path.name.startswith(".")]
    assert kills == KILLS

    known = committed(cache)
    last = long_project.harness(*words)
    assert last.returncode == 0, last.stderr
    assert f"{known} from the cache" in last.stderr
    once = long_project.harness(
        "run", "long", "-m", "slow", "--cache", "whole.sqlite", "--runs", "whole"
    )
    assert once.returncode == 0, once.stderr

    with sqlite3.connect(cache) as db:
        twice = db.execute("SELECT count(*) FROM writes GROUP BY key HAVING count(*) > 1")
        assert not twice.fetchall(), "an answer that was committed was asked for again"
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    killed, whole = only_run(folder / "killed"), only_run(folder / "whole")
    assert texts(killed) == texts(whole)
    assert len(texts(whole)) == ROWS
    assert scores(killed) == scores(whole)


@pytest.mark.parametrize(
    ("sign", "option", "advice"),
    [
        (signal.SIGINT, (), "run the same command again"),
        (signal.SIGTERM, (), "run the same command again"),
        (signal.SIGTERM, ("--fresh",), "run it again without --fresh"),
    ],
)
def test_being_stopped_says_what_is_kept_and_exits_with_2(
    long_project: UserProject, sign: signal.Signals, option: tuple[str, ...], advice: str
) -> None:
    cache = long_project.root / "cache.sqlite"
    process = subprocess.Popen(
        long_project.command("run", "long", "-m", "slow", "--cache", str(cache), *option),
        cwd=long_project.root, env=long_project.environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and committed(cache) < 5:
        time.sleep(0.005)
    process.send_signal(sign)
    _, err = process.communicate()
    assert process.returncode == 2
    assert f"of {ROWS} answers are kept; {advice}" in err
    assert "Traceback" not in err
    assert not (long_project.root / "runs").exists() or not list(
        (long_project.root / "runs").iterdir()
    )


def test_two_runs_at_once_share_one_cache(long_project: UserProject) -> None:
    words = ("run", "long", "-m", "slow", "--limit", "40")
    both = [
        subprocess.Popen(
            long_project.command(*words, "--runs", name), cwd=long_project.root,
            env=long_project.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    assert [process.wait() for process in both] == [0, 0]
    for process in both:
        assert process.stderr is not None
        process.stderr.close()
    one, two = (only_run(long_project.root / name) for name in ("one", "two"))
    assert texts(one) == texts(two)
    assert committed(long_project.root / ".harness" / "cache.sqlite") == 40
