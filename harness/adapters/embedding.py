"""Texts -> sentence embeddings, each text once, remembered in the run's store.

A row of the store is the encoder's limit in tokens if the text was longer (else 0) as a
little-endian uint32, then the vector as little-endian float32. Rows are written a chunk at a
time; the chunks are cut from the sorted list of *all* texts, so a run that was killed and
started again computes the same batches, and the same last bits, as one that was not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from harness.adapters.encoder import Encoder, key_of
from harness.adapters.load import quiet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DTYPE = "float32"
BATCH, CHUNK = 32, 512
DIGITS = 6  # of a cosine; beyond them values depend on which texts shared a batch
# whether a tokenizer truncates is a setting of the tokenizer: of two threads that ask for either at
# once, one gets what the other asked for
_one_at_a_time = Lock()


class VectorStore(Protocol):
    """Where embeddings outlive a run; one `put` is all there afterwards, or nothing of it."""

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The rows of those keys that are known."""
        ...

    def put(self, rows: Mapping[bytes, bytes]) -> None:
        """Remember rows; a key always means the same row."""
        ...


@dataclass(frozen=True)
class Embedded:
    """Unit vectors of texts.

    ``vectors`` has one row a text, ``place[text]`` is its row; ``limits`` has the encoder's limit
    in tokens for a text that was cut there, else 0.
    """

    place: dict[str, int]
    vectors: NDArray[np.float32]
    limits: NDArray[np.uint32]


def embed(texts: Collection[str], encoder: Encoder, store: VectorStore | None) -> Embedded:
    """Embed texts that are not empty; torch is imported only if one is not in the store."""
    import numpy as np

    ordered = sorted(set(texts), key=lambda text: (len(text), text))
    keys = {text: key_of("embedding 1", encoder.identity, DTYPE, text) for text in ordered}
    rows = dict(store.get(list(keys.values()))) if store is not None else {}
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        missing = [text for text in chunk if keys[text] not in rows]
        if not missing:
            continue
        new = dict(zip([keys[text] for text in missing], encode(encoder, missing), strict=True))
        if store is not None:
            store.put(new)
        rows.update(new)
    raw = [rows[keys[text]] for text in ordered]
    limits = np.array([int.from_bytes(row[:4], "little") for row in raw], np.uint32)
    vectors = np.array([np.frombuffer(row, "<f4", offset=4) for row in raw], np.float32)
    return Embedded({text: index for index, text in enumerate(ordered)}, vectors, limits)


def cosine(one: str, other: str, embedded: Embedded) -> float:
    """Cosine of two texts' unit vectors, within [-1, 1]; 0 if one of them is empty."""
    if one not in embedded.place or other not in embedded.place:
        return 0.0
    left = embedded.vectors[embedded.place[one]]
    right = embedded.vectors[embedded.place[other]]
    return min(1.0, max(-1.0, float(left @ right)))


def encode(encoder: Encoder, texts: Sequence[str]) -> list[bytes]:
    """Rows of texts, computed; normalised, in float32. Several threads may call it."""
    with _one_at_a_time:
        return _encode(encoder, texts)


def _encode(encoder: Encoder, texts: Sequence[str]) -> list[bytes]:
    import numpy as np

    model = load(encoder.folder)
    # half a surrogate pair is no text that a tokenizer takes
    plain = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    vectors = model.encode(
        plain,
        batch_size=BATCH,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    limits = cut_at(plain, model.tokenizer, model.max_seq_length)
    return [
        limit.to_bytes(4, "little") + np.asarray(vector, "<f4").tobytes()
        for limit, vector in zip(limits, vectors, strict=True)
    ]


def cut_at(texts: Sequence[str], tokenizer: Any, limit: int | None) -> list[int]:
    """For each text the limit if it has more tokens than that (special ones included), else 0."""
    if limit is None:
        return [0] * len(texts)
    tokens = tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
    return [limit if len(ids) > limit else 0 for ids in tokens]


@lru_cache(maxsize=1)
def load(folder: Path) -> Any:
    """The SentenceTransformer in a folder, on the accelerator if there is one."""
    with quiet():
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(
            str(folder),
            local_files_only=True,
            model_kwargs={"dtype": DTYPE, "use_safetensors": True},
        )
