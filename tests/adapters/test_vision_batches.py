"""Groups of equal shape, and work done ahead on a thread."""

from __future__ import annotations

import threading

import pytest

from harness.adapters.prompts import Ready
from harness.adapters.vision_batches import Ahead, in_groups
from harness.adapters.vision_prompts import Sight
from harness.records import Completion, Request, Stages


def sight(name: str, shape: object) -> Sight:
    ready = Ready(Request(name, "generate", name), [1, 2, 3], [])
    return Sight(ready, {}, [], (shape,), Stages(), ())


def names(groups) -> list[object]:
    return [
        group.id if isinstance(group, Completion) else "".join(s.ready.request.id for s in group)
        for group in groups
    ]


def test_only_equal_shapes_go_together_and_full_groups_go_first():
    items = [sight("a", 4), sight("b", 2), sight("c", 4), sight("d", 2), sight("e", 4)]
    assert names(in_groups(items, 2)) == ["ac", "bd", "e"]
    assert names(in_groups(items, 1)) == ["a", "b", "c", "d", "e"]
    assert names(in_groups(items, 8)) == ["ace", "bd"]


def test_failures_are_handed_on_at_once():
    failed = Completion.of_error(Request("f", "generate", ""), "no such file")
    assert names(in_groups([sight("a", 1), failed, sight("b", 1)], 2)) == ["f", "ab"]


def test_few_wait_for_others_of_their_shape():
    items = [sight(letter, number) for number, letter in enumerate("abcdefghijklm")]
    made = []

    def telling():
        for item in items:
            made.append(item)
            yield item

    first = next(iter(in_groups(telling(), 2)))
    assert (len(first), len(made)) == (1, 9)  # 4 batches of 2 may wait
    assert sorted("".join(names(in_groups(items, 2)))) == list("abcdefghijklm")


def test_work_is_done_ahead_on_a_thread_and_in_order():
    threads, reached = set(), threading.Event()

    def items():
        for number in range(5):
            threads.add(threading.current_thread().name)
            if number == 2:
                reached.set()
            yield number

    with Ahead(items(), 2) as ahead:
        assert next(ahead) == 0
        assert reached.wait(30)  # nobody asked for the third yet
        assert list(ahead) == [1, 2, 3, 4]
    assert threads == {"preprocess"}


def test_an_exception_reaches_the_reader():
    def items():
        yield 1
        raise OSError("the disk is gone")

    with Ahead(items(), 4) as ahead:
        assert next(ahead) == 1
        with pytest.raises(OSError, match="the disk is gone"):
            next(ahead)


def test_leaving_early_stops_the_thread_and_closes_what_it_reads():
    closed = []

    def items():
        try:
            yield from range(1_000_000)
        finally:
            closed.append(threading.current_thread().name)

    with Ahead(items(), 2) as ahead:
        next(ahead)
    assert closed == ["preprocess"]
    assert "preprocess" not in {thread.name for thread in threading.enumerate()}


def test_what_is_ready_takes_no_more_than_its_share_of_memory(monkeypatch):
    import torch

    monkeypatch.setattr("harness.adapters.vision_batches.WAITING_BYTES", 1000)
    made, step = [], threading.Semaphore(0)

    def items():
        for letter in "abcdefgh":
            one = sight(letter, 1)
            made.append(letter)
            step.release()
            yield Sight(one.ready, {"x": torch.zeros(100)}, [], (1,), Stages(), ())  # 400 bytes

    with Ahead(items(), 8) as ready:
        for _ in range(3):  # two are ready, the third is in hand
            step.acquire()
        assert not step.acquire(timeout=0.2)
        assert len(made) == 3
        assert [one.ready.request.id for one in ready] == list("abcdefgh")
