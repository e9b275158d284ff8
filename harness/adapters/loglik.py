"""Log-likelihood of continuations: the context once, then all its continuations at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.adapters.decode import NOT_FINITE
from harness.adapters.engine import LOGITS, Context, Engine, read_context
from harness.adapters.prompts import Ready
from harness.records import Completion

if TYPE_CHECKING:
    import torch
    from transformers import Cache


@dataclass
class Scoring:
    """A request whose continuations are being scored, window by window."""

    ready: Ready
    windows: int
    sums: list[float]
    tokens: list[int]
    latency_ms: float = 0.0
    failed: bool = False

    def fail(self, what: str) -> list[Completion]:
        """The request's one failure; nothing if it has failed before."""
        if self.failed:
            return []
        self.failed = True
        return [Completion.of_error(self.ready.request, what, prompt_tokens=len(self.ready.ids))]

    def completion(self) -> Completion:
        """The sums over all windows; an error if the model gave no numbers."""
        ready = self.ready
        prompt_tokens = len(ready.ids)
        if not all(abs(value) != float("inf") and value == value for value in self.sums):
            return Completion.of_error(ready.request, NOT_FINITE, prompt_tokens=prompt_tokens)
        return Completion(
            ready.request.id,
            finish_reason="scored",
            prompt_tokens=prompt_tokens,
            completion_tokens=sum(self.tokens),
            logprobs=tuple(self.sums),
            logprob_tokens=tuple(self.tokens),
            truncated=ready.truncated,
            latency_ms=self.latency_ms,
        )


@dataclass(frozen=True)
class Window:
    """A context and continuations that fit the model together."""

    owner: Scoring
    ids: Sequence[int]
    continuations: Sequence[Sequence[int]]

    @property
    def size(self) -> int:
        """Tokens that the model reads for it, packed."""
        return len(self.ids) + sum(len(tokens) - 1 for tokens in self.continuations)


def windows(ready: Ready, max_length: int) -> list[Window]:
    """A request in pieces that fit; all but long `perplexity` texts are one piece.

    A long text is cut as lm-eval's rolling log-likelihood does: each token is scored once, in
    windows of ``max_length``, the later ones with at least one token of context; the last window
    reaches back as far as it can.
    """
    count = len(ready.continuations)
    owner = Scoring(ready, 1, [0.0] * count, [len(tokens) for tokens in ready.continuations])
    text = list(ready.ids) + list(ready.continuations[0])
    if ready.request.output_type != "perplexity" or len(text) <= max_length + 1:
        return [Window(owner, ready.ids, ready.continuations)]
    pieces = []
    scored = len(ready.ids)
    while scored < len(text):
        end = min(scored + max_length, len(text)) if pieces else max_length + 1
        start = max(0, end - max_length - 1)
        pieces.append(Window(owner, text[start:scored], [text[scored:end]]))
        scored = end
    owner.windows = len(pieces)
    return pieces


def score(engine: Engine, batch: Sequence[Window], prefix: Cache | None) -> list[Completion]:
    """Score a batch of windows; returns the requests that are whole with it."""
    import torch

    started = time.perf_counter()
    with torch.inference_mode():
        packed = engine.support == "padded" and (_single(batch) or _tree_fits(engine, batch))
        sums = _score_packed(engine, batch, prefix) if packed else _score_plain(engine, batch)
    latency = (time.perf_counter() - started) * 1000 / len(batch)
    whole = []
    for window, values in zip(batch, sums, strict=True):
        owner = window.owner
        owner.sums = [old + new for old, new in zip(owner.sums, values, strict=True)]
        owner.latency_ms += latency
        owner.windows -= 1
        if owner.windows == 0 and not owner.failed:
            whole.append(owner.completion())
    return whole


def _single(batch: Sequence[Window]) -> bool:
    """Whether there is one continuation a context: then the model's own causal mask will do."""
    return all(len(window.continuations) == 1 for window in batch)


def _tree_fits(engine: Engine, batch: Sequence[Window]) -> bool:
    """Whether a mask of our own is taken, and no token is out of another's sliding window."""
    longest = max(window.size for window in batch)
    return engine.packs and (engine.window is None or longest <= engine.window)


def _score_packed(
    engine: Engine, batch: Sequence[Window], prefix: Cache | None
) -> list[list[float]]:
    """Contexts first; their last logits score every first token. The rest of all continuations
    of a context then follows it in one row, each seeing the context and itself alone."""
    import torch

    rest = [[t for tokens in window.continuations for t in tokens[:-1]] for window in batch]
    width = max(map(len, rest))
    context = read_context(engine, [window.ids for window in batch], prefix, width)
    norms = context.logits.logsumexp(-1).tolist()
    first = [[tokens[0] for tokens in window.continuations] for window in batch]
    sums = [
        [value - norm for value in context.logits[row, tokens].tolist()]
        for row, (tokens, norm) in enumerate(zip(first, norms, strict=True))
    ]
    if width == 0:
        return sums
    pack = _Pack.of(batch, width, engine.device)
    logprobs = _read_packed(engine, context, pack)
    for row, window in enumerate(batch):
        start = 0
        values = logprobs[row].tolist()
        for index, tokens in enumerate(window.continuations):
            sums[row][index] += sum(values[start : start + len(tokens) - 1])
            start += len(tokens) - 1
    return sums


@dataclass
class _Pack:
    """Continuations side by side, all (rows, width): their tokens but the last, the token that
    follows each, the distance of each from the context's end, and which one it belongs to."""

    tokens: torch.Tensor
    targets: torch.Tensor
    offsets: torch.Tensor
    numbers: torch.Tensor

    @classmethod
    def of(cls, batch: Sequence[Window], width: int, device: torch.device) -> _Pack:
        import torch

        columns: list[list[list[int]]] = [[], [], [], []]
        for window in batch:
            row: list[list[int]] = [[], [], [], []]
            for number, tokens in enumerate(window.continuations):
                row[0] += tokens[:-1]
                row[1] += tokens[1:]
                row[2] += range(len(tokens) - 1)
                row[3] += [number] * (len(tokens) - 1)
            fill = [0, 0, 0, -1]
            for column, values, pad in zip(columns, row, fill, strict=True):
                column.append(values + [pad] * (width - len(values)))
        return cls(*(torch.tensor(column, device=device) for column in columns))


def _read_packed(engine: Engine, context: Context, pack: _Pack) -> torch.Tensor:
    """(rows, width) log-probability of each target, in steps that bound the logits in memory."""
    import torch

    rows, width = pack.tokens.shape
    step = max(1, LOGITS // (rows * engine.vocab))
    positions = context.lengths[:, None] + pack.offsets
    single = bool((pack.numbers <= 0).all())
    mask = torch.cat([context.mask, pack.numbers >= 0], dim=1)
    before = context.mask.shape[1]
    found = []
    for start in range(0, width, step):
        end = min(start + step, width)
        output = engine.model(
            input_ids=pack.tokens[:, start:end],
            attention_mask=mask[:, : before + end] if single else _tree(context, pack, start, end),
            position_ids=positions[:, start:end],
            past_key_values=context.cache,
            use_cache=True,
        )
        found.append(_logprobs(output.logits, pack.targets[:, start:end]))
    return torch.cat(found, dim=1)


def _tree(context: Context, pack: _Pack, start: int, end: int) -> torch.Tensor:
    """(rows, 1, end - start, columns) mask: each continuation sees the context and itself."""
    import torch

    order = torch.arange(end, device=context.mask.device)
    same = pack.numbers[:, start:end, None] == pack.numbers[:, None, :end]
    same &= order[start:end, None] >= order
    past = context.mask[:, None, :].expand(-1, end - start, -1)
    return torch.cat([past, same], dim=2)[:, None]


def _score_plain(engine: Engine, batch: Sequence[Window]) -> list[list[float]]:
    """Every continuation behind its whole context, nothing shared, padded on the right: what any
    causal model bears."""
    flat = [(window, tokens) for window in batch for tokens in window.continuations]
    flat.sort(key=lambda pair: len(pair[0].ids) + len(pair[1]))
    known: dict[tuple[int, int], float] = {}
    while flat:
        widest = len(flat[-1][0].ids) + len(flat[-1][1])
        count = max(1, min(engine.rows, engine.step_tokens // widest))
        part, flat = flat[-count:], flat[:-count]
        for (window, tokens), value in zip(part, _plain_rows(engine, part), strict=True):
            known[id(window), id(tokens)] = value
    return [[known[id(w), id(tokens)] for tokens in w.continuations] for w in batch]


def _plain_rows(
    engine: Engine, rows: Sequence[tuple[Window, Sequence[int]]]
) -> list[float]:
    import torch

    texts = [list(window.ids) + list(tokens) for window, tokens in rows]
    width = max(map(len, texts)) - 1
    first = min(len(window.ids) for window, _ in rows) - 1
    ids = [text[:-1] + [0] * (width + 1 - len(text)) for text in texts]
    targets = [text[first + 1 :] + [0] * (width + 1 - len(text)) for text in texts]
    output = engine.model(
        input_ids=torch.tensor(ids, device=engine.device),
        use_cache=False,
        logits_to_keep=width - first,
    )
    found = _logprobs(output.logits, torch.tensor(targets, device=engine.device)).tolist()
    sums = []
    for (window, tokens), values in zip(rows, found, strict=True):
        start = len(window.ids) - 1 - first
        sums.append(sum(values[start : start + len(tokens)]))
    return sums


def _logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(rows, positions) natural log-probability of the targets, computed in float32."""
    logits = logits.float()
    chosen = logits.gather(-1, targets[..., None])[..., 0]
    return chosen - logits.logsumexp(-1)
