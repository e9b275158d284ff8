"""Which class serves which kind of model card, and which cards share one load."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module

from harness.adapters.base import Adapter
from harness.collect.specs import ModelSpec, TransformersModel

ADAPTERS: dict[str, str] = {
    "transformers": "harness.adapters.transformers:TransformersAdapter",
    "replay": "harness.adapters.replay:ReplayAdapter",
    "openai": "harness.adapters.openai:OpenAIAdapter",
    "embedding-judge": "harness.adapters.embedding_judge:EmbeddingJudgeAdapter",
}
"""`adapter:` of a model card -> module:Class, imported when a model of that kind is opened."""


def open_adapter(models: Sequence[ModelSpec], allow_code: bool = False) -> Adapter:
    """An adapter for models with one `load_key`; nothing is loaded yet.

    ``allow_code`` lets a card's `trust_remote_code` take effect; without it such a card is
    refused with a ModelError when it is used.
    """
    if len({load_key(model) for model in models}) != 1:
        raise ValueError("open_adapter takes models that share one load_key")
    module, _, name = ADAPTERS[models[0].adapter].partition(":")
    adapter: Adapter = getattr(import_module(module), name)(allow_code)
    return adapter


def load_key(model: ModelSpec) -> str:
    """Equal for models that share one load: base, revision, dtype, quantization and device."""
    if not isinstance(model, TransformersModel):
        return f"{model.adapter}:{model.model}"
    from harness.adapters.locate import base_identity

    parts = [model.adapter, base_identity(model), model.revision, model.dtype]
    parts += [model.quantize, model.device, str(model.trust_remote_code)]
    return json.dumps(parts)
