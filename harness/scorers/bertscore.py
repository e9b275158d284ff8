"""BERTScore F1: greedy matching of the contextual embeddings of tokens.

T. Zhang et al., "BERTScore: Evaluating Text Generation with BERT", 2020. Precision is the mean
over the answer's tokens of the best cosine with a token of the reference, recall the other way
round, F1 their harmonic mean. Without special tokens, without idf weights, not rescaled. Values
of different encoders or layers are not comparable, so both stand in the name.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from harness.adapters.embedding import BATCH, DIGITS, DTYPE, cut_at
from harness.adapters.encoder import Encoder, find_encoder, key_of
from harness.adapters.load import quiet
from harness.collect.specs import ScoreSpec
from harness.errors import ModelError
from harness.records import Completion, Sample, Score
from harness.scorers.base import SHARE, ScorerContext, mean_of
from harness.scorers.control import Controls, make_controls
from harness.scorers.overlap import EMPTY

CHUNK = 64  # answers whose tokens are in memory together, with their references and controls
Pair = tuple[str, str]


class Match(NamedTuple):
    """What is remembered of a pair: 20 bytes in the store."""

    precision: float
    recall: float
    limit: int  # tokens at which one of the texts was cut, 0 if none

    @property
    def f1(self) -> float:
        """Harmonic mean; 0 unless both are positive, as cosines can be negative."""
        if self.precision <= 0 or self.recall <= 0:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


NOTHING = Match(0.0, 0.0, 0)
ROW = struct.Struct("<ddI")


class BertScore:
    """BERTScore F1; detail = (precision, recall, 1 if a text was cut at the encoder's limit)."""

    version = 1
    higher_is_better = True
    scale = SHARE

    def __init__(self, encoder: Encoder, layer: int | None, context: ScorerContext) -> None:
        self._encoder, self._context = encoder, context
        self._layer = checked_layer(encoder, layer)
        shown = encoder.label if layer is None else f"{encoder.label},layer={layer}"
        self.name = f"bertscore_f1[{shown}]"
        note = f"; {encoder.note}" if encoder.note else ""
        self.method = (
            f"BERTScore F1, {encoder.identity}, layer {self._layer}, {DTYPE}, no idf, "
            f"not rescaled{note}"
        )

    def score(self, samples: Sequence[Sample], completions: Sequence[Completion]) -> list[Score]:
        """See `Scorer.score`; loads the encoder only if a pair is not in the store."""
        references = [sample.target for sample in samples]
        controls = make_controls(references, self._context.seed)
        matches = self._matches(references, completions, controls)
        return [
            Score.of_failure(completion)
            if completion.failed
            else self._score(completion.text, reference, controls.others[reference], matches)
            for completion, reference in zip(completions, references, strict=True)
        ]

    def _score(
        self, answer: str, reference: str, others: Sequence[str], matches: dict[Pair, Match]
    ) -> Score:
        match = matches.get((answer, reference), NOTHING)
        control = [matches.get((answer, other), NOTHING).f1 for other in others]
        cut = f"text truncated to {match.limit} tokens" if match.limit else None
        return Score(
            round(match.f1, DIGITS),
            control=round(fmean(control), DIGITS) if control else None,
            detail=(match.precision, match.recall, float(match.limit > 0)),
            explanation=cut if answer.strip() else EMPTY,
        )

    def _matches(
        self, references: list[str], completions: Sequence[Completion], controls: Controls
    ) -> dict[Pair, Match]:
        """All pairs that are needed, known ones from the store, the others a chunk at a time."""
        along = [i for i in controls.along(references) if not completions[i].failed]
        chunks = [along[start : start + CHUNK] for start in range(0, len(along), CHUNK)]
        wanted = [
            {
                (completions[i].text, text)
                for i in chunk
                for text in (references[i], *controls.others[references[i]])
                if completions[i].text.strip() and text.strip()
            }
            for chunk in chunks
        ]
        store = self._context.embedding_store
        keys = {pair: self._key(pair) for pairs in wanted for pair in pairs}
        rows = dict(store.get(list(keys.values()))) if store is not None else {}
        for pairs in wanted:
            missing = sorted(pair for pair in pairs if keys[pair] not in rows)
            if missing:
                found = match_pairs(missing, self._encoder, self._layer)
                new = {keys[pair]: ROW.pack(*match) for pair, match in found.items()}
                rows.update(new)
                if store is not None:
                    store.put(new)
        return {pair: Match(*ROW.unpack(rows[key])) for pair, key in keys.items()}

    def _key(self, pair: Pair) -> bytes:
        return key_of("bertscore 1", self._encoder.identity, str(self._layer), DTYPE, *pair)

    def corpus(self, scores: Sequence[Score]) -> float | None:
        """The mean."""
        return mean_of(scores)


def checked_layer(encoder: Encoder, layer: int | None) -> int:
    """The layer whose output is compared, default the last; 0 is the input embeddings."""
    config = json.loads((encoder.folder / "config.json").read_text("utf-8"))
    depth = int(config.get("num_hidden_layers") or config.get("n_layers") or 0)
    if layer is not None and layer > depth:
        raise ModelError(f"encoder '{encoder.label}' has {depth} layers, not {layer}")
    return depth if layer is None else layer


def match_pairs(pairs: Sequence[Pair], encoder: Encoder, layer: int) -> dict[Pair, Match]:
    """Precision and recall of pairs of texts that are not empty; each text is encoded once."""
    texts = sorted({text for pair in pairs for text in pair}, key=lambda text: (len(text), text))
    tokens: dict[str, tuple[Any, int]] = {}
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        tokens.update(zip(batch, token_vectors(batch, encoder.folder, layer), strict=True))
    return {pair: greedy(tokens[pair[0]], tokens[pair[1]]) for pair in pairs}


def greedy(answer: tuple[Any, int], reference: tuple[Any, int]) -> Match:
    """Each token with its most similar token of the other text."""
    limit = max(answer[1], reference[1])
    if not len(answer[0]) or not len(reference[0]):  # nothing but unknown white space
        return Match(0.0, 0.0, limit)
    cosines = answer[0] @ reference[0].T
    precision = float(cosines.max(axis=1).mean(dtype="float64"))
    recall = float(cosines.max(axis=0).mean(dtype="float64"))
    return Match(precision, recall, limit)


def token_vectors(texts: Sequence[str], folder: Path, layer: int) -> list[tuple[Any, int]]:
    """For each text its unit vectors [tokens, width], and the limit if it was cut there, else 0."""
    import torch

    tokenizer, model, limit = load(folder)
    plain = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    batch = tokenizer(
        plain,
        padding=True,
        truncation=True,
        max_length=limit,
        return_special_tokens_mask=True,
        return_tensors="pt",
    )
    special = batch.pop("special_tokens_mask").bool()
    with torch.inference_mode():
        output = model(**batch.to(model.device), output_hidden_states=True)
        hidden = torch.nn.functional.normalize(output.hidden_states[layer], dim=-1).cpu()
    own = ~special & batch["attention_mask"].bool().cpu()
    cuts = cut_at(plain, tokenizer, limit)
    return [(hidden[i][own[i]].numpy(), cuts[i]) for i in range(len(plain))]


@lru_cache(maxsize=1)
def load(folder: Path) -> tuple[Any, Any, int]:
    """Tokenizer, model and limit in tokens of the encoder in a folder."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    positions = getattr(model.config, "max_position_embeddings", math.inf)
    # RoBERTa's kind starts counting after the padding position
    if "roberta" in model.config.model_type or model.config.model_type == "mpnet":
        positions -= model.config.pad_token_id + 1
    limit = int(min(tokenizer.model_max_length, positions))
    return tokenizer, model.to(device).eval(), limit


def bertscore_f1(spec: ScoreSpec, context: ScorerContext) -> BertScore:
    """BERTScore F1."""
    return BertScore(find_encoder(spec.encoder, context.root), spec.layer, context)
