"""Sights that fit together, and work that is done ahead of the model."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, cast

from harness.adapters.vision_prompts import Sight
from harness.records import Completion

T = TypeVar("T")
WAITING = 4
"""Batches whose sights may wait, half full, for others of their shape."""
WAITING_BYTES = 1 << 30
"""Memory that the pixels of waiting sights may take."""


def in_groups(items: Iterable[Sight | Completion], rows: int) -> Iterator[list[Sight] | Completion]:
    """Group sights of equal frame counts and sizes, at most ``rows`` together, as they come.

    A group is given out when it is full, or when too many wait; the fullest goes first. A
    completion is handed on at once.
    """
    groups: dict[tuple[object, ...], list[Sight]] = {}
    waiting = size = 0
    for item in items:
        if isinstance(item, Completion):
            yield item
            continue
        group = groups.setdefault(item.key, [])
        group.append(item)
        waiting, size = waiting + 1, size + item.bytes
        while group and (len(group) >= rows or waiting > WAITING * rows or size > WAITING_BYTES):
            key = item.key if len(group) >= rows else max(groups, key=lambda k: len(groups[k]))
            full = groups.pop(key)
            waiting, size = waiting - len(full), size - sum(one.bytes for one in full)
            yield full
            group = groups.get(item.key, [])
    yield from sorted(groups.values(), key=len, reverse=True)


class Ahead(Generic[T]):
    """What an iterable yields, made on a thread of its own, a few items ahead of the reader.

    Use it in a `with`: leaving it stops the thread after the item that it is making, and waits.
    An exception of the iterable is raised where the reader comes to it.
    """

    def __init__(self, items: Iterable[T], room: int) -> None:
        self._items = items
        self._ready: queue.Queue[tuple[str, object]] = queue.Queue(max(1, room))
        self._stop = threading.Event()
        self._held = 0  # bytes of what is ready
        self._taken = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="preprocess", daemon=True)

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._read()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._ready.get_nowait()  # the thread may wait for room
            except queue.Empty:
                self._thread.join(0.01)

    def _read(self) -> Iterator[T]:
        while True:
            kind, value = self._ready.get()
            if kind == "item":
                with self._taken:
                    self._held -= _bytes(value)
                    self._taken.notify()
                yield cast(T, value)
            elif kind == "error":
                raise cast(BaseException, value)
            else:
                return

    def _wait_for_room(self, size: int) -> None:
        """Until what is ready leaves memory for one more; a single item always has it."""
        with self._taken:
            while self._held and self._held + size > WAITING_BYTES and not self._stop.is_set():
                self._taken.wait(0.05)
            self._held += size

    def _work(self) -> None:
        source = iter(self._items)
        try:
            for item in source:
                self._wait_for_room(_bytes(item))
                self._ready.put(("item", item))
                if self._stop.is_set():
                    return
            self._ready.put(("end", None))
        except BaseException as error:
            self._ready.put(("error", error))
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()  # on this thread, which is inside of it


def _bytes(item: object) -> int:
    """What a sight's pixels take; a completion takes nothing."""
    return item.bytes if isinstance(item, Sight) else 0
