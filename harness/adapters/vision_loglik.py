"""Log-likelihood of continuations behind frames: prompt and frames are read once a sample, and all
continuations at once behind them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.adapters.loglik import Scoring
from harness.adapters.vision_engine import VisionEngine, look
from harness.adapters.vision_prompts import Sight
from harness.records import Completion

if TYPE_CHECKING:
    import torch

    from harness.adapters.engine import Context


def score(engine: VisionEngine, batch: Sequence[Sight]) -> list[Completion]:
    """Score a batch of sights of one key; completions in the batch's order."""
    import torch

    began = time.perf_counter()
    with torch.inference_mode():
        tails = Tails.of(batch, engine.device)
        context = look(engine, batch, tails.ids.shape[1])
        engine.wait()
        read = time.perf_counter()
        sums = (_packed if engine.packs else _one_by_one)(engine, context, tails)
    done = time.perf_counter()
    prefill, rest = [
        (end - start) * 1e3 / len(batch) for start, end in ((began, read), (read, done))
    ]
    completions = []
    for sight, values in zip(batch, sums, strict=True):
        counts = [len(tokens) for tokens in sight.ready.continuations]
        scored = Scoring(sight.ready, 0, values, counts, latency_ms=prefill + rest)
        completions.append(sight.seen(scored.completion(), prefill, rest))
    return completions


@dataclass
class Tails:
    """The continuations of a batch, each but for its last token, one row a sample.

    ``ids``, ``offsets``, ``numbers`` and ``targets`` are (rows, width): tokens, how far each is
    from the prompt's end, which continuation it belongs to (0 is none: the row's end), and the
    token that is to follow it. ``first`` is each row's continuations' first tokens.
    """

    ids: torch.Tensor
    offsets: torch.Tensor
    numbers: torch.Tensor
    targets: torch.Tensor
    first: list[list[int]]

    @classmethod
    def of(cls, batch: Sequence[Sight], device: torch.device) -> Tails:
        """Lay out a batch."""
        import torch

        rows = []
        for sight in batch:
            rows.append(
                [
                    (token, offset, number, tokens[offset + 1])
                    for number, tokens in enumerate(sight.ready.continuations, 1)
                    for offset, token in enumerate(tokens[:-1])
                ]
            )
        width = max(map(len, rows))
        padded = [row + [(0, 0, 0, 0)] * (width - len(row)) for row in rows]
        table = torch.tensor(padded, dtype=torch.long, device=device).reshape(len(rows), width, 4)
        ids, offsets, numbers, targets = table.unbind(-1)
        first = [[tokens[0] for tokens in sight.ready.continuations] for sight in batch]
        return cls(ids, offsets, numbers, targets, first)


def _packed(engine: VisionEngine, context: Context, tails: Tails) -> list[list[float]]:
    """All continuations of a row side by side, each seeing the prompt and itself alone."""
    import torch

    sums = _first(context, tails)
    rows, width = tails.ids.shape
    own = tails.numbers[:, :, None] == tails.numbers[:, None, :]
    order = torch.arange(width, device=engine.device)
    own &= order <= order[:, None]
    seen = torch.cat([context.mask[:, None].expand(rows, width, -1), own], dim=2)[:, None]
    before = context.mask.shape[1]
    step = max(1, engine.logits // (rows * engine.vocab))
    for start in range(0, width, step):
        part = slice(start, min(start + step, width))
        output = engine.forward(
            tails.ids[:, part],
            keep=part.stop - start,
            attention_mask=seen[:, :, part, : before + part.stop],
            position_ids=context.lengths[:, None] + tails.offsets[:, part],
            past_key_values=context.cache,
            use_cache=True,
        )
        found = _logprobs(output.logits, tails.targets[:, part])
        _add(sums, found, tails.numbers[:, part])
    return sums


def _one_by_one(engine: VisionEngine, context: Context, tails: Tails) -> list[list[float]]:
    """One continuation of every row after the other, each behind the same keys and values: for
    attention that takes no mask of our own."""
    import torch

    sums = _first(context, tails)
    before = context.mask.shape[1]
    for number in range(1, max(map(len, tails.first)) + 1):
        mine = tails.numbers == number
        width = int(mine.sum(1).max())
        if width == 0:
            continue
        for layer in context.cache.layers:
            layer.length = before  # what the continuation before this one wrote is forgotten
        place = mine.int().argmax(1)[:, None] + torch.arange(width, device=engine.device)
        place = place.clamp(max=mine.shape[1] - 1)
        own = mine.gather(1, place)
        output = engine.forward(
            tails.ids.gather(1, place),
            keep=width,
            attention_mask=torch.cat([context.mask, torch.ones_like(own)], dim=1),
            position_ids=context.lengths[:, None] + torch.arange(width, device=engine.device),
            past_key_values=context.cache,
            use_cache=True,
        )
        found = _logprobs(output.logits, tails.targets.gather(1, place))
        _add(sums, found, own.int() * number)
    return sums


def _first(context: Context, tails: Tails) -> list[list[float]]:
    """The log-probability of each continuation's first token, from the prompt's last logits."""
    known = context.logits.float().log_softmax(-1)
    return [known[row, tokens].tolist() if tokens else [] for row, tokens in enumerate(tails.first)]


def _add(sums: list[list[float]], found: torch.Tensor, numbers: torch.Tensor) -> None:
    for row, (values, owners) in enumerate(zip(found.tolist(), numbers.tolist(), strict=True)):
        for value, owner in zip(values, owners, strict=True):
            if owner:
                sums[row][owner - 1] += value


def _logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(rows, positions) natural log-probability of the targets, computed in float32."""
    logits = logits.float()
    return logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(-1)
