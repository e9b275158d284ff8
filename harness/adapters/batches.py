"""What goes through the model together: by real lengths, longest first, less after running out
of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MIN_PREFIX = 16
"""Tokens that prompts must share at least before they are grouped."""
MIN_SAVING = 0.2
"""Part of a group's prompt tokens that reading the prefix once must save."""
CPU_OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "cannot allocate memory")


@dataclass
class Limits:
    """What one batch may hold: rows, and tokens counted as rows times the longest row."""

    rows: int
    tokens: int


@dataclass(frozen=True)
class Group(Generic[T]):
    """Items whose prompts begin with the same ``shared`` tokens (0: nothing in common)."""

    items: list[T]
    shared: int


def in_batches(
    items: Sequence[T],
    limits: Limits,
    size: Callable[[T], int],
    run: Callable[[list[T]], R],
) -> Iterator[tuple[list[T], R | None]]:
    """Run all items in batches within the limits and yield each batch with its result.

    Longest first, so that running out of memory shows at once; then the limits are halved for
    good, and the batch is run again in parts. A single item that does not fit is yielded with
    None.
    """
    queue = sorted(items, key=size, reverse=True)
    while queue:
        batch = queue[: _count(queue, limits, size)]
        done, result = _attempt(run, batch)
        if done:
            yield batch, result
        elif len(batch) == 1:
            yield batch, None
        else:
            limits.rows = len(batch) // 2
            limits.tokens = max(1, len(batch) * size(batch[0]) // 2)
            continue
        queue = queue[len(batch) :]


def share_prefixes(items: Sequence[T], ids: Callable[[T], Sequence[int]]) -> list[Group[T]]:
    """Group items by a long common beginning, where reading it once saves a good part.

    The few-shot examples and instructions of a task are such a beginning. All others stand in one
    group that shares nothing.
    """
    heads: dict[tuple[int, ...], list[T]] = {}
    for item in items:
        heads.setdefault(tuple(ids(item)[:MIN_PREFIX]), []).append(item)
    groups: list[Group[T]] = []
    rest: list[T] = []
    for members in heads.values():
        shared = common_length([ids(item) for item in members])
        total = sum(len(ids(item)) for item in members)
        if shared >= MIN_PREFIX and shared * (len(members) - 1) >= MIN_SAVING * total:
            groups.append(Group(members, shared))
        else:
            rest += members
    return [*groups, Group(rest, 0)] if rest else groups


def common_length(sequences: Sequence[Sequence[int]]) -> int:
    """Length of the beginning that all sequences share."""
    # the least and the greatest in order differ first where any two differ
    low, high = min(map(list, sequences)), max(map(list, sequences))
    for index, (one, other) in enumerate(zip(low, high, strict=False)):
        if one != other:
            return index
    return min(len(low), len(high))


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that there is no memory left, on whatever device."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(phrase in str(error).lower() for phrase in CPU_OUT_OF_MEMORY)


def _count(queue: Sequence[T], limits: Limits, size: Callable[[T], int]) -> int:
    """How many of the first items make a batch; all are as wide as the first, at least one."""
    by_tokens = limits.tokens // max(1, size(queue[0]))
    return max(1, min(limits.rows, by_tokens, len(queue)))


def _attempt(run: Callable[[list[T]], R], batch: list[T]) -> tuple[bool, R | None]:
    try:
        return True, run(batch)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    # here the exception, and with it every tensor of the failed batch, is gone
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False, None
