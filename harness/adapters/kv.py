"""Keys and values of the tokens read so far, in memory that is not copied at every step."""

from __future__ import annotations

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

    def __init__(self, room: int) -> None:
        self._room = room
        self.length = 0
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (rows, heads, new, size) and return all so far."""
        start, end = self.length, self.length + key_states.shape[2]
        self.keys = self._fit(self.keys, key_states, end)
        self.values = self._fit(self.values, value_states, end)
        self.keys[:, :, start:end] = key_states
        self.values[:, :, start:end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, rows: torch.Tensor, skip: int) -> None:
        """Drop all rows but these, and the first ``skip`` columns of all."""
        if self.keys is None or self.values is None:
            return
        self.keys = self.keys[:, :, skip : self.length].index_select(0, rows)
        self.values = self.values[:, :, skip : self.length].index_select(0, rows)
        self.length -= skip

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
        if buffer is not None and buffer.shape[2] >= end:
            return buffer
        rows, heads, _, size = like.shape
        columns = max(end, self._room if buffer is None else int(end * GROWTH))
        grown = like.new_empty(rows, heads, columns, size)
        if buffer is not None:
            grown[:, :, : self.length] = buffer[:, :, : self.length]
        return grown


def new_cache(layers: int, room: int) -> Cache:
    """An empty cache of so many layers, with buffers for ``room`` columns at first."""
    from transformers.cache_utils import Cache, CacheLayerMixin

    CacheLayerMixin.register(GrowingLayer)
    return Cache(layers=[GrowingLayer(room) for _ in range(layers)])  # type: ignore[misc]


def keep_rows(cache: Cache, rows: torch.Tensor, skip: int) -> None:
    """Drop all rows but these and the first ``skip`` columns, in every layer."""
    for layer in cache.layers:
        layer.keep(rows, skip)  # type: ignore[union-attr]


def fill_prefix(cache: Cache, prefix: Cache, lengths: list[int]) -> None:
    """Write the first ``lengths[i]`` columns of a one-row cache right-aligned into row i.

    What stands to the left of them is to be masked.
    """
    import torch

    width = max(lengths)
    if width == 0:
        return
    for layer, source in zip(cache.layers, prefix.layers, strict=True):
        keys, values = source.keys, source.values
        device = keys.device
        past = torch.tensor(lengths, device=device)
        columns = torch.arange(width, device=device) - (width - past)[:, None]
        columns = columns.clamp(min=0)
        layer.update(
            keys[0][:, columns].transpose(0, 1), values[0][:, columns].transpose(0, 1)
        )
