"""What happens to tests of pages on a machine without a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# one test with the driver of selenium, one with playwright
LOOK = (
    "tests/leaderboard/test_explore_js.py::test_one_pair_has_no_interval",
    "tests/leaderboard/test_site_board.py::test_the_board_is_sorted_by_a_click",
)


def run_without(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Two tests of pages, where no program can be found."""
    known = {k: v for k, v in os.environ.items() if k not in ("CI", "HARNESS_REQUIRE_BROWSER")}
    known.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", *LOOK, "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**known, "PATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_tests_of_pages_are_skipped_loudly(tmp_path: Path) -> None:
    done = run_without(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "3 skipped" in done.stdout.splitlines()[-1]
    assert "3 tests of pages were SKIPPED: there is no browser on this machine" in done.stdout
    assert "NO BROWSER: chromium and chromedriver not on this machine" in done.stdout


@pytest.mark.parametrize("name", ["CI", "HARNESS_REQUIRE_BROWSER"])
def test_where_ci_counts_on_it_they_fail(tmp_path: Path, name: str) -> None:
    done = run_without(tmp_path, **{name: "true"})
    assert done.returncode == 1, done.stdout
    assert "NO BROWSER: chromium not on this machine, so no page was looked at" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]
