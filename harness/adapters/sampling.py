"""The next token of each row: the most probable, or one drawn by the request's own generator."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.records import Request

if TYPE_CHECKING:
    import torch


def generator(request: Request, ids: Sequence[int]) -> random.Random | None:
    """The source of chance of one request; None if it is greedy.

    Seeded by the settings' seed, the epoch and the prompt's tokens: neither the batch nor the
    order of requests changes the result, and two requests that are one to the cache draw alike.
    """
    if request.settings.temperature == 0:
        return None
    text = json.dumps([request.settings.seed, request.epoch, list(ids)])
    return random.Random(hashlib.sha256(text.encode()).digest())


def draw(logits: torch.Tensor, requests: Sequence[Request], chance: Sequence[float]) -> list[int]:
    """One token for each row of (rows, vocabulary) logits, by inverse transform.

    Temperature first, then top_k, then top_p (the smallest set of most probable tokens whose
    probability reaches top_p), as transformers orders them. ``chance`` holds a number from
    [0, 1) for each row.
    """
    import torch

    if logits.device.type == "mps":
        logits = logits.cpu()  # float64 does not exist there

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64, device=logits.device)[:, None]

    vocab = logits.shape[1]
    heat = column([request.settings.temperature for request in requests])
    ranked, tokens = (logits.double() / heat).sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(vocab, device=logits.device)
    kept = rank < column([request.settings.top_k or vocab for request in requests])
    probs = ranked.masked_fill(~kept, -torch.inf).softmax(-1)
    before = probs.cumsum(-1) - probs
    kept &= (before < column([request.settings.top_p for request in requests])) | (rank == 0)
    probs = probs.masked_fill(~kept, 0)
    upto = probs.cumsum(-1)
    goal = upto[:, -1:] * column(list(chance))
    # first rank whose cumulative probability exceeds the goal; never past the last kept one
    place = torch.minimum((upto <= goal).sum(-1), kept.sum(-1) - 1)
    return [int(token) for token in tokens.gather(1, place[:, None])[:, 0].tolist()]
