"""What goes through the model together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.batches import (
    MIN_PREFIX,
    Limits,
    common_length,
    in_batches,
    share_prefixes,
)

SIZES = st.lists(st.integers(1, 50), max_size=30)


@given(SIZES, st.integers(1, 8), st.integers(1, 200))
def test_every_item_runs_once_within_the_limits_longest_first(sizes, rows, tokens):
    batches = [b for b, _ in in_batches(sizes, Limits(rows, tokens), lambda n: n, lambda b: b)]
    assert [n for b in batches for n in b] == sorted(sizes, reverse=True)
    for batch in batches:
        assert len(batch) <= rows
        assert len(batch) == 1 or len(batch) * max(batch) <= tokens


@given(SIZES, st.integers(1, 100))
def test_batches_shrink_until_they_fit_in_memory(sizes, memory):
    import torch

    def run(batch: list[int]) -> int:
        if len(batch) * max(batch) > memory:
            raise torch.OutOfMemoryError("out of memory")
        return len(batch)

    found = list(in_batches(sizes, Limits(100, 10_000), lambda n: n, run))
    assert sorted(n for batch, _ in found for n in batch) == sorted(sizes)
    for batch, done in found:
        assert done == (None if batch[0] > memory else len(batch))


def test_the_limits_stay_halved():
    import torch

    tried: list[int] = []

    def run(batch: list[int]) -> None:
        tried.append(len(batch))
        if len(batch) > 4:
            raise torch.OutOfMemoryError("out of memory")

    list(in_batches([1] * 16, Limits(16, 100), lambda n: n, run))
    assert tried == [16, 8, 4, 4, 4, 4]


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=6))
def test_common_length_is_that_of_the_longest_shared_beginning(lists):
    length = common_length(lists)
    assert all(one[:length] == lists[0][:length] for one in lists)
    assert any(one[: length + 1] != lists[0][: length + 1] for one in lists) or length == min(
        map(len, lists)
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=20))
def test_groups_hold_every_item_once_and_really_share(pairs):
    items = [[head] * 30 + list(range(100, 100 + tail)) for head, tail in pairs]
    groups = share_prefixes(items, lambda ids: ids)
    assert sorted(ids for group in groups for ids in group.items) == sorted(items)
    for group in groups:
        first = group.items[0][: group.shared]
        assert all(ids[: group.shared] == first for ids in group.items)
        assert group.shared == 0 or group.shared >= MIN_PREFIX


def test_few_shot_prefixes_of_two_tasks_are_told_apart():
    tasks = [[7] * 60 + [i] for i in range(9)] + [[8] * 50 + [i] for i in range(9)]
    assert sorted(group.shared for group in share_prefixes(tasks, lambda ids: ids)) == [50, 60]


def test_short_beginnings_are_not_worth_it():
    groups = share_prefixes([[1] * 15 + [i] for i in range(9)], lambda ids: ids)
    assert [group.shared for group in groups] == [0]


def test_loading_leaves_logging_warnings_and_bars_as_they_were():
    import logging
    import warnings

    from transformers.utils import logging as hf_logging

    from harness.adapters.load import quiet

    before = (logging.root.manager.disable, hf_logging.is_progress_bar_enabled())
    with quiet():
        warnings.warn("not an error here", stacklevel=1)
        assert not hf_logging.is_progress_bar_enabled()
    assert (logging.root.manager.disable, hf_logging.is_progress_bar_enabled()) == before
    with pytest.warns(UserWarning, match="heard again"):
        warnings.warn("heard again", stacklevel=1)
