"""Whether a candidate is its baseline: then nothing needs to be estimated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.results.manifest import CellRecord
from harness.results.pairs import CellPair, Metric, Side

Texts = dict[tuple[str, int], tuple[str, int]]
"""(sample, epoch) -> hash of the text, and its tokens."""
MANY_TOKENS = 256
"""In all answers together: two models that differ write so much alike by no chance."""


@dataclass(frozen=True)
class Comparable:
    """Both sides of a metric, and the texts that were read already, by side."""

    sides: tuple[Side, Side]
    pair: CellPair
    metric: Metric
    texts: dict[str, Texts]

    def read(self) -> tuple[Texts, Texts]:
        """The texts of both cells."""
        cells = (self.pair.a, self.pair.b)
        for side, cell in zip(self.sides, cells, strict=True):
            name = f"{side.name} {cell.cell}"
            if name not in self.texts:
                self.texts[name] = _texts(side, cell)
        first, second = (f"{s.name} {c.cell}" for s, c in zip(self.sides, cells, strict=True))
        return self.texts[first], self.texts[second]


def same_answers(found: Comparable, at: Sequence[int]) -> str:
    """Why nothing needs to be estimated on the samples ``at``, in words: their scores are equal,
    and either the weights (or recorded answers) and all that was asked are, or every text of so
    many tokens that no other model would have written them. "" if something does.

    Equal scores alone say less, and so do a few equal letters: on another sample they might differ.
    If one answer in ten does, sixteen samples show none with a chance of 0.9^16, 19 %. Nor do equal
    fingerprints say more where nobody has seen the weights, as behind a server.
    """
    import numpy as np

    metric, pair = found.metric, found.pair
    a, b = metric.a.take(at), metric.b.take(at)
    if bool((a.status != b.status).any()):
        return ""
    if not np.array_equal(a.value, b.value, equal_nan=True):
        return ""
    if not np.array_equal(a.detail, b.detail):
        return ""
    ids = set(a.ids)
    left, right = ({k: v for k, v in one.items() if k[0] in ids} for one in found.read())
    if left == right and sum(tokens for _, tokens in left.values()) >= MANY_TOKENS:
        return "every answer is the baseline's own"
    prints = [_known(side) for side in found.sides]
    if prints[0] is None or prints[0] != prints[1] or pair.a.task_hash != pair.b.task_hash:
        return ""
    what = "weights" if prints[0][0] == "transformers" else "recorded answers"
    return f"the baseline's own {what}, task and scores"


def text_hash(text: str) -> str:
    """The first 16 hex digits of a text's SHA-256; what a baseline keeps of an answer."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _known(side: Side) -> tuple[str, str] | None:
    """Adapter and fingerprint of a model whose adapter reads all that its answers depend on; None
    of any other."""
    for one in side.run.manifest.models:
        if one.model == side.model and one.adapter in ("transformers", "replay"):
            return (one.adapter, one.fingerprint) if one.fingerprint else None
    return None


def _texts(side: Side, cell: CellRecord) -> Texts:
    hashed = side.run.has_column("completions", "text_hash")
    column = "text_hash" if hashed else "text"
    names = ["sample", "epoch", column, "completion_tokens"]
    table = side.run.table("completions", names, {"cell": cell.cell})
    samples, epochs, texts, tokens = (table.column(name).to_pylist() for name in names)
    known = [text or "" if hashed else text_hash(text or "") for text in texts]
    counts = [count or 0 if text else 0 for text, count in zip(texts, tokens, strict=True)]
    found = zip(known, counts, strict=True)
    return dict(zip(zip(samples, epochs, strict=True), found, strict=True))
