"""The peak of memory: of what was done since the watch began, and of nothing before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.runner.memory import MemoryWatch

SIZE = 150_000_000


def touch() -> int:
    taken = bytearray(SIZE)
    taken[::4096] = b"x" * len(taken[::4096])
    return len(taken)


def test_what_was_given_back_still_counts_and_the_next_watch_begins_anew() -> None:
    watch = MemoryWatch()
    before = watch.peak()
    assert touch() == SIZE
    after = watch.peak()
    assert after.mb - before.mb > 0.8 * SIZE / 1e6
    fresh = MemoryWatch().peak()
    if fresh.kind == "RSS":  # where the system lets us set it back
        assert after.mb - fresh.mb > 0.8 * SIZE / 1e6
    else:
        assert fresh.mb >= after.mb


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are told by /proc alone")
def test_a_worker_of_its_own_counts_too() -> None:
    before = MemoryWatch().peak()
    code = f"x = b'x' * {SIZE}; print(len(x), flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert int(worker.stdout.readline()) == SIZE
        during = MemoryWatch().peak()
        worker.stdin.write(b"\n")
    assert during.mb - before.mb > 0.8 * SIZE / 1e6
