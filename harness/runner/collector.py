"""Python's garbage collector, told that records are no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 50_000  # between two looks; Python's own number is 700
LOOKS = 20  # at new objects before one at older ones


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for cycles less often.

    Every look at the older objects goes through all records of a run, none of which is ever in a
    cycle: a sixth of the time that 100,000 verdicts from the cache take.
    """
    before = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, LOOKS, LOOKS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
