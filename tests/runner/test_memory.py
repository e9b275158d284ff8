"""The peak of memory: of what was done since the watch began, and of nothing before."""

from __future__ import annotations

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
