"""A loaded model as the loops see it: tokens in, logits out, keys and values kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.adapters.kv import new_cache, place, use_all_rows

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel
    from transformers.utils import ModelOutput

Support = Literal["padded", "equal"]
ROWS = {"cpu": 64, "cuda": 256}
"""Rows in one batch at most. On a CPU 64 was fastest of 16, 64 and 128 (shared/facts)."""
STEP_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Prompt tokens in one forward pass at most, unless a single row has more."""
LOGITS = {"cpu": 1 << 24, "cuda": 1 << 28}
"""Logits in memory at once, where several positions of a row are asked for."""


@dataclass
class Engine:
    """A model and what must be known to run it.

    ``support`` says what the model was found to bear: "padded" is left padding, keys and values
    in our own buffers and rows that leave; "equal" is batches of equal length with the model's
    own cache, for architectures with other state than keys and values.
    """

    model: PreTrainedModel
    device: torch.device
    support: Support
    layers: int
    vocab: int
    window: int | None
    eos: frozenset[int]
    packs: bool
    """Whether a (rows, 1, queries, columns) mask of our own is taken as it is."""
    keeps: bool
    """Whether the model computes only the logits that are asked for."""

    def forward(self, ids: torch.Tensor, keep: int, **inputs: Any) -> ModelOutput:
        """One pass over (rows, new) tokens; ``logits`` of the output are of the last ``keep``."""
        if self.keeps:
            inputs["logits_to_keep"] = keep
        output = self.model(input_ids=ids, **inputs)
        if not self.keeps:
            output.logits = output.logits[:, -keep:]
        return output

    @property
    def rows(self) -> int:
        """Rows in one batch at most."""
        return ROWS.get(self.device.type, ROWS["cpu"])

    @property
    def step_tokens(self) -> int:
        """Prompt tokens in one forward pass at most."""
        return STEP_TOKENS.get(self.device.type, STEP_TOKENS["cpu"])

    @property
    def logits(self) -> int:
        """Logits in memory at once."""
        return LOGITS.get(self.device.type, LOGITS["cpu"])


@dataclass
class Context:
    """Prompts that were read: their keys and values, and what is needed to go on.

    ``mask`` is (rows, columns) bool: which columns are tokens; every row ends in the last column.
    ``lengths`` is (rows,), the number of tokens. ``logits`` is (rows, vocabulary), behind each
    row's last token.
    """

    cache: Cache
    mask: torch.Tensor
    lengths: torch.Tensor
    logits: torch.Tensor


def read_context(
    engine: Engine, sequences: Sequence[Sequence[int]], prefix: Cache | None, room: int
) -> Context:
    """Read prompts of any lengths into one cache, left-padded, a few rows at a time.

    ``prefix`` holds the keys and values of tokens that all of them begin with; they are not
    computed again. Rows that are shorter than the longest re-read the prefix's end instead of
    padding, so that a row's tokens stay next to each other. ``room`` is how many columns more to
    expect. Sequences should be sorted by length.
    """
    import torch

    columns = max(map(len, sequences))
    cache = new_cache(engine.layers, len(sequences), columns + room)
    lengths = torch.tensor([len(sequence) for sequence in sequences], device=engine.device)
    mask = torch.arange(columns, device=engine.device) >= (columns - lengths)[:, None]
    logits = []
    count = max(1, engine.step_tokens // columns)
    for first in range(0, len(sequences), count):
        rows = slice(first, first + count)
        logits.append(_read_rows(engine, cache, sequences[rows], rows, mask[rows], prefix))
    use_all_rows(cache)
    return Context(cache, mask, lengths, torch.cat(logits))


def _read_rows(
    engine: Engine,
    cache: Cache,
    sequences: Sequence[Sequence[int]],
    rows: slice,
    mask: torch.Tensor,
    prefix: Cache | None,
) -> torch.Tensor:
    """Read some rows into their place in the cache; logits behind their last tokens."""
    import torch

    columns = mask.shape[1]
    shared = 0 if prefix is None else prefix.get_seq_length()
    width = max(1, max(map(len, sequences)) - shared)
    past = [max(len(sequence) - width, 0) for sequence in sequences]
    place(cache, rows, columns - width, prefix, past)
    ids = [[0] * (width - len(s)) + list(s[-width:]) for s in sequences]
    sizes = mask.sum(1, keepdim=True)
    positions = torch.arange(width, device=engine.device) + sizes - width
    output = engine.forward(
        torch.tensor(ids, device=engine.device),
        keep=1,
        attention_mask=None if bool(mask.all()) else mask,
        position_ids=positions.clamp(min=0),
        past_key_values=cache,
        use_cache=True,
    )
    last: torch.Tensor = output.logits[:, -1]
    return last


def read_prefix(engine: Engine, ids: Sequence[int]) -> Cache:
    """Keys and values of one sequence, to be the `prefix` of others; in steps, to save memory."""
    import torch

    cache = new_cache(engine.layers, 1, len(ids))
    for start in range(0, len(ids), engine.step_tokens):
        step = torch.tensor([ids[start : start + engine.step_tokens]], device=engine.device)
        positions = torch.arange(start, start + step.shape[1], device=engine.device)[None]
        engine.forward(step, keep=1, position_ids=positions, past_key_values=cache, use_cache=True)
    return cache
