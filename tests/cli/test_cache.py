"""`harness cache stats` and `harness cache prune`."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.adapters.cache import Cache
from harness.cli.cache import cache
from harness.records import Completion


def harness_cache(*words: str, said: str = "") -> Result:
    return CliRunner().invoke(cache, words, input=said)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a cache: one answer of today, two that are 40 days old."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    (tmp_path / "tasks").mkdir()
    file = tmp_path / ".harness" / "cache.sqlite"
    opened = Cache(file)
    opened.put({key: Completion("", text="answer") for key in (b"new", b"old", b"older")})
    opened.close()
    db = sqlite3.connect(file, isolation_level=None)
    used = int(time.time()) - 40 * 86400
    db.execute("UPDATE completions SET used=? WHERE key != CAST('new' AS BLOB)", (used,))
    db.close()
    return file


def remembered(path: Path) -> int:
    opened = Cache(path)
    count = opened.stats().completions
    opened.close()
    return count


def test_stats_of_the_projects_cache(path: Path) -> None:
    done = harness_cache("stats")
    assert done.exit_code == 0
    words = dict(line.split(None, 1) for line in done.output.splitlines())
    assert words["cache"] == str(path)
    assert words["completions"] == "3"
    assert words["vectors"] == "0"
    assert words["oldest"] == "last used 40 days ago"


def test_the_environment_and_the_option_name_other_files(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.sqlite"
    Cache(other).close()
    monkeypatch.setenv("HARNESS_CACHE", str(other))
    assert f"cache        {other}\ncompletions  0\n" in harness_cache("stats").output
    assert "completions  3\n" in harness_cache("stats", "--cache", str(path)).output


def test_looking_at_a_cache_that_is_not_there_makes_none(tmp_path: Path) -> None:
    none = tmp_path / "none.sqlite"
    for command in (["stats"], ["prune", "--yes"]):
        done = harness_cache(*command, "--cache", str(none))
        assert done.exit_code == 0
        assert done.output == f"no cache at {none}: nothing is remembered\n"
    assert not none.exists()


def test_prune_forgets_what_is_30_days_old(path: Path) -> None:
    done = harness_cache("prune", "--yes")
    assert done.output.startswith("forgot 2 rows, freed ")
    assert remembered(path) == 1
    assert harness_cache("prune").output == "nothing to forget: all 1 answers are in use\n"


def test_prune_all(path: Path) -> None:
    assert harness_cache("prune", "--all", "--yes").output.startswith("forgot 3 rows")
    assert remembered(path) == 0


def test_prune_asks_first(path: Path) -> None:
    refused = harness_cache("prune", "--unused-days", "10", said="n\n")
    assert refused.exit_code != 0
    assert f"forget 2 rows (unused for 10 days) of {path}?" in refused.output
    assert remembered(path) == 3
    assert harness_cache("prune", "--unused-days", "10", said="y\n").exit_code == 0
    assert remembered(path) == 1


def test_days_are_not_negative(path: Path) -> None:
    for days in ("-1", "nan", "1e400"):
        assert harness_cache("prune", "--unused-days", days, "--yes").exit_code == 2
    assert remembered(path) == 3
