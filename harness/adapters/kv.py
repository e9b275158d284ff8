"""Keys and values of the tokens read so far, in memory that is not copied at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import Cache

GROWTH = 1.5


class GrowingLayer:
    """One layer's keys and values, (rows, heads, columns, head size).

    They are written into a buffer with room to spare, which grows geometrically; what `update`
    hands out are views of it. All columns are kept also under a sliding window: the window is in
    the mask, which counts columns as tokens. It serves as a layer of `transformers.Cache`.
    """

    is_compileable = False
    is_croppable = False
    is_sliding = False
    is_initialized = True
    record_past = False

    def __init__(self, rows: int, room: int) -> None:
        self._rows, self._room = rows, room
        self._slice = slice(0, rows)
        self._blank = False
        self.length = 0
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    def at(self, rows: slice, length: int) -> None:
        """Let the next `update` write these rows, behind so many columns."""
        self._slice, self.length = rows, length
        self._blank = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (rows, heads, new, size) and return all so far."""
        start, end = self.length, self.length + key_states.shape[2]
        self.keys = self._fit(self.keys, key_states, end)
        self.values = self._fit(self.values, value_states, end)
        if self._blank:
            # masked columns that nobody wrote must be numbers all the same: 0 * NaN is NaN
            self.keys[self._slice, :, :start] = 0
            self.values[self._slice, :, :start] = 0
            self._blank = False
        self.keys[self._slice, :, start:end] = key_states
        self.values[self._slice, :, start:end] = value_states
        self.length = end
        return self.keys[self._slice, :, :end], self.values[self._slice, :, :end]

    def use_all(self) -> None:
        """Let the next `update` write all rows."""
        self._slice = slice(0, self._rows)

    def keep(self, rows: torch.Tensor, skip: int) -> None:
        """Drop all rows but these, and the first ``skip`` columns of all."""
        if self.keys is None or self.values is None:
            return
        self.keys = self.keys[:, :, skip : self.length].index_select(0, rows)
        self.values = self.values[:, :, skip : self.length].index_select(0, rows)
        self._rows = len(rows)
        self.length -= skip
        self.use_all()

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that the next `query_length` tokens see, and the first column's number."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Columns so far."""
        return self.length

    def get_max_length(self) -> int:
        """No limit."""
        return -1

    def _fit(self, buffer: torch.Tensor | None, like: torch.Tensor, end: int) -> torch.Tensor:
        _, heads, _, size = like.shape
        if buffer is None:
            return like.new_empty(self._rows, heads, max(end, self._room), size)
        if buffer.shape[2] >= end:
            return buffer
        grown = like.new_empty(len(buffer), heads, int(end * GROWTH), size)
        grown[:, :, : self.length] = buffer[:, :, : self.length]
        return grown


def new_cache(layers: int, rows: int, room: int) -> Cache:
    """An empty cache of so many layers and rows, with buffers for ``room`` columns at first."""
    from transformers.cache_utils import Cache, CacheLayerMixin

    CacheLayerMixin.register(GrowingLayer)
    return Cache(layers=[GrowingLayer(rows, room) for _ in range(layers)])


def place(
    cache: Cache, rows: slice, start: int, prefix: Cache | None, lengths: Sequence[int]
) -> None:
    """Make ready for tokens of these rows from column ``start`` on.

    The first ``lengths[i]`` columns of the one-row ``prefix`` are written in front of it, right-
    aligned, into row i of ``rows``; what stands further left is to be masked.
    """
    import torch

    width = max(lengths)
    for index, layer in enumerate(cache.layers):
        layer.at(rows, start - width)
        if prefix is None or width == 0:
            continue
        keys, values = prefix.layers[index].keys, prefix.layers[index].values
        past = torch.tensor(lengths, device=keys.device)
        columns = torch.arange(width, device=keys.device) - (width - past)[:, None]
        columns = columns.clamp(min=0)
        layer.update(keys[0][:, columns].transpose(0, 1), values[0][:, columns].transpose(0, 1))


def use_all_rows(cache: Cache) -> None:
    """Let the next tokens be written to all rows again."""
    for layer in cache.layers:
        layer.use_all()


def keep_rows(cache: Cache, rows: torch.Tensor, skip: int) -> None:
    """Drop all rows but these and the first ``skip`` columns, in every layer."""
    for layer in cache.layers:
        layer.keep(rows, skip)
