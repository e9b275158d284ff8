"""Which class serves which kind of model card, and which cards share one load."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from harness.adapters.base import Adapter
from harness.collect.specs import LocalModel, ModelSpec

if TYPE_CHECKING:
    from harness.media.source import MediaSource

ADAPTERS: dict[str, str] = {
    "transformers": "harness.adapters.transformers:TransformersAdapter",
    "vision": "harness.adapters.vision:VisionAdapter",
    "bridge": "harness.adapters.bridge:BridgeAdapter",
    "replay": "harness.adapters.replay:ReplayAdapter",
    "openai": "harness.adapters.openai:OpenAIAdapter",
    "embedding-judge": "harness.adapters.embedding_judge:EmbeddingJudgeAdapter",
}
"""`adapter:` of a model card -> module:Class, imported when a model of that kind is opened."""
SEEING = ("vision", "bridge", "openai")
"""Adapters that look at frames."""


def open_adapter(
    models: Sequence[ModelSpec], allow_code: bool = False, media: MediaSource | None = None
) -> Adapter:
    """An adapter for models with one `load_key`; nothing is loaded yet.

    ``media`` gives the frames that requests ask for; without one, the adapters that need frames
    decode for themselves and keep nothing.

    ``allow_code`` lets a card's `trust_remote_code` take effect; without it such a card is
    refused with a ModelError when it is used.
    """
    if len({load_key(model) for model in models}) != 1:
        raise ValueError("open_adapter takes models that share one load_key")
    kind = models[0].adapter
    module, _, name = ADAPTERS[kind].partition(":")
    opened = getattr(import_module(module), name)
    adapter: Adapter = opened(allow_code, media) if kind in SEEING else opened(allow_code)
    return adapter


def load_key(model: ModelSpec) -> str:
    """Equal for models that share one load: base, revision, dtype, quantization and device."""
    if not isinstance(model, LocalModel):
        return f"{model.adapter}:{model.model}"
    from harness.adapters.locate import base_identity

    parts = [model.adapter, base_identity(model), model.revision, model.dtype]
    parts += [model.quantize, model.device, str(model.trust_remote_code)]
    return json.dumps(parts)
