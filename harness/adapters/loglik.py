"""Log-likelihood of continuations: the context once, then all its continuations at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.adapters.decode import NOT_FINITE
from harness.adapters.engine import Engine
from harness.adapters.kv import new_cache, place
from harness.adapters.prompts import Ready
from harness.records import Completion, Stages

if TYPE_CHECKING:
    import torch
    from transformers import Cache

MASK = 1 << 24
"""Elements of a mask of our own at most; longer rows are read in two steps."""


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
            stages=Stages(prefill_ms=self.latency_ms),
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
    pieces: list[Window] = []
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
    """One row a context: behind it stand the continuations, each but for its last token, and each
    seeing the context and itself alone. Contexts are read once, continuations are not padded."""
    pack = Pack.of(batch, 0 if prefix is None else prefix.get_seq_length(), engine.device)
    logprobs = _read(engine, pack, prefix).tolist()
    sums = []
    for values, window in zip(logprobs, batch, strict=True):
        start = len(values) - sum(map(len, window.continuations))
        row = []
        for tokens in window.continuations:
            row.append(sum(values[start : start + len(tokens)]))
            start += len(tokens)
        sums.append(row)
    return sums


@dataclass
class Pack:
    """Rows of contexts and continuations, all ending in the last column.

    ``ids``, ``positions`` and ``numbers`` are (rows, width): tokens, their positions in their own
    text, and which continuation each belongs to (0 the context, -1 padding). ``past`` is how many
    tokens of the prefix stand in front of each row's. ``places`` and ``targets`` are (rows, most
    targets): a column counted from the first that any row needs logits of, and the token that is
    to follow it; right-aligned. ``keep`` is how many columns need logits.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    numbers: torch.Tensor
    past: list[int]
    places: torch.Tensor
    targets: torch.Tensor
    keep: int

    @classmethod
    def of(cls, batch: Sequence[Window], shared: int, device: torch.device) -> Pack:
        """Lay out a batch behind ``shared`` tokens that are known already."""
        import torch

        rows = [_Row.of(window) for window in batch]
        # the context's last token is always read: its logits score the first tokens
        width = max(len(row.ids) - min(shared, row.context - 1) for row in rows)
        keep = max(len(row.ids) - row.context for row in rows) + 1
        most = max(len(row.targets) for row in rows)

        def stack(values: list[list[int]], size: int, fill: int) -> torch.Tensor:
            padded = [[fill] * (size - len(row)) + row[-size:] for row in values]
            return torch.tensor(padded, device=device)

        return cls(
            ids=stack([row.ids for row in rows], width, 0),
            positions=stack([row.positions for row in rows], width, 0),
            numbers=stack([row.numbers for row in rows], width, -1),
            past=[max(len(row.ids) - width, 0) for row in rows],
            places=stack([[p - len(r.ids) + keep for p in r.places] for r in rows], most, 0),
            targets=stack([row.targets for row in rows], most, 0),
            keep=keep,
        )


@dataclass
class _Row:
    """One window's tokens laid out, columns counted from its first token."""

    ids: list[int]
    positions: list[int]
    numbers: list[int]
    places: list[int]
    targets: list[int]
    context: int

    @classmethod
    def of(cls, window: Window) -> _Row:
        size = len(window.ids)
        row = cls(list(window.ids), list(range(size)), [0] * size, [], [], size)
        for number, tokens in enumerate(window.continuations, 1):
            start, count = len(row.ids), len(tokens) - 1
            row.ids += tokens[:-1]
            row.positions += range(size, size + count)
            row.numbers += [number] * count
            row.places += [size - 1, *range(start, start + count)]
            row.targets += tokens
        return row


def _read(engine: Engine, pack: Pack, prefix: Cache | None) -> torch.Tensor:
    """(rows, targets) log-probability of each target; in steps that bound logits and masks."""
    import torch

    rows, width = pack.ids.shape
    past = torch.tensor(pack.past, device=engine.device)[:, None]
    before = max(pack.past)
    front = torch.arange(before, device=engine.device) >= before - past
    numbers = torch.cat([front.int() - 1, pack.numbers], dim=1)
    steps = _steps(engine, pack, before)
    cache = None
    if before or len(steps) > 1:
        cache = new_cache(engine.layers, rows, before + width)
        place(cache, slice(0, rows), before, prefix, pack.past)
    found = torch.zeros(pack.targets.shape, device=engine.device)
    for start, end in steps:
        first = max(start, width - pack.keep)  # the first column of this step with a target
        output = engine.forward(
            pack.ids[:, start:end],
            keep=max(1, end - first),
            attention_mask=_mask(numbers[:, : before + end], before + start),
            position_ids=pack.positions[:, start:end],
            past_key_values=cache,
            use_cache=cache is not None,
        )
        if end > first:
            _gather(output.logits, pack, first - (width - pack.keep), found)
    return found


def _steps(engine: Engine, pack: Pack, before: int) -> list[tuple[int, int]]:
    """Column ranges to read one after the other: one if logits and mask are small enough."""
    rows, width = pack.ids.shape
    few = rows * pack.keep * engine.vocab <= engine.logits
    if few and rows * width * (before + width) <= MASK:
        return [(0, width)]
    start = width - pack.keep
    step = max(1, engine.logits // (rows * engine.vocab))
    ends = [*range(start + step, width, step), width]
    steps = list(zip([start, *ends[:-1]], ends, strict=True))
    return [(0, start), *steps] if start else steps


def _mask(numbers: torch.Tensor, start: int) -> torch.Tensor | None:
    """What the columns from ``start`` on may see of all: nothing but their past, no padding, and
    of other continuations nothing. Plain where there is one continuation or none."""
    import torch

    if bool((numbers <= 1).all()):
        tokens = numbers >= 0
        return None if bool(tokens.all()) and start == 0 else tokens
    order = torch.arange(numbers.shape[1], device=numbers.device)
    own = numbers[:, start:, None] == numbers[:, None, :]
    seen = (own | (numbers == 0)[:, None, :]) & (order <= order[start:, None])
    return seen[:, None]


def _gather(logits: torch.Tensor, pack: Pack, first: int, found: torch.Tensor) -> None:
    """Add what the logits of kept columns from ``first`` on say about their targets."""
    here = (pack.places >= first) & (pack.places < first + logits.shape[1])
    rows, slots = here.nonzero(as_tuple=True)
    columns = pack.places[rows, slots] - first
    chosen = logits[rows, columns, pack.targets[rows, slots]].float()
    found[rows, slots] = chosen - logits.float().logsumexp(-1)[rows, columns]


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


def _plain_rows(engine: Engine, rows: Sequence[tuple[Window, Sequence[int]]]) -> list[float]:
    import torch

    texts = [list(window.ids) + list(tokens) for window, tokens in rows]
    width = max(map(len, texts)) - 1
    first = min(len(window.ids) for window, _ in rows) - 1
    ids = [text[:-1] + [0] * (width + 1 - len(text)) for text in texts]
    targets = [text[first + 1 :] + [0] * (width + 1 - len(text)) for text in texts]
    output = engine.forward(
        torch.tensor(ids, device=engine.device), keep=width - first, use_cache=False
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
