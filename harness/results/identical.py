"""Whether a candidate gave the very answers of its baseline: then nothing needs to be estimated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.results.manifest import CellRecord
from harness.results.pairs import CellPair, Metric, Side

Texts = dict[tuple[str, int], str]
"""(sample, epoch) -> hash of the text."""


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
    and either the weights and all that was asked are, or every text that was written. "" if
    something does.

    Equal scores alone say less: of another sample they might differ. Nor do equal fingerprints say
    more than that where nobody has seen the weights, as behind a server.
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
    if left == right and any(text != text_hash("") for text in left.values()):
        return "every answer is the baseline's own"
    prints = [_weights(side) for side in found.sides]
    if prints[0] and prints[0] == prints[1] and pair.a.task_hash == pair.b.task_hash:
        return "the baseline's own weights, task and scores"
    return ""


def text_hash(text: str) -> str:
    """The first 16 hex digits of a text's SHA-256; what a baseline keeps of an answer."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _weights(side: Side) -> str:
    """The fingerprint of a model whose adapter reads the weights; "" of any other."""
    found = [
        one.fingerprint
        for one in side.run.manifest.models
        if one.model == side.model and one.adapter == "transformers"
    ]
    return found[0] if found else ""


def _texts(side: Side, cell: CellRecord) -> Texts:
    hashed = side.run.has_column("completions", "text_hash")
    column = "text_hash" if hashed else "text"
    table = side.run.table("completions", ["sample", "epoch", column], {"cell": cell.cell})
    samples, epochs, texts = (table.column(name).to_pylist() for name in (0, 1, 2))
    known = [text or "" if hashed else text_hash(text or "") for text in texts]
    return {(s, e): text for s, e, text in zip(samples, epochs, known, strict=True)}
