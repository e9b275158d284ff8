"""What every adapter is: requests in, completions out, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from harness.collect.specs import ModelSpec
from harness.records import Completion, Request


class Adapter(Protocol):
    """One loaded base and the models that share it.

    An adapter is opened for models with the same `load_key` and keeps one base in memory;
    `complete` switches the LoRA in place. Nothing is loaded before the first `complete` that
    has a request to answer, so that a run whose answers are all cached loads nothing.
    """

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of all that makes this model answer as it does, without loading it.

        Weights, revision, LoRA, quantization, dtype, chat template. Raises ModelError if files
        are missing.
        """
        ...

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """Prompt tokens (and continuation tokens) of each request; loads no weights."""
        ...

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """What the model is given to read for each request, as text; loads no weights.

        After the chat template, before truncation, without tokens that only the tokenizer adds
        (BOS) and without continuations. None where nothing is sent.
        """
        ...

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Answer all requests, in an order of the adapter's choosing, batch by batch.

        Exactly one completion for each request id. A request that fails becomes a completion with
        `error`; only what makes every request fail (no weights, wrong LoRA) raises ModelError.
        """
        ...

    def close(self) -> None:
        """Free the memory of the base."""
        ...
