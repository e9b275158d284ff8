"""A recipe in, a model card out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.finetune.callback import EvalCallback

__all__ = ["EvalCallback"]


def __getattr__(name: str) -> object:
    """`EvalCallback` is imported when it is asked for: transformers comes with it."""
    if name == "EvalCallback":
        from harness.finetune.callback import EvalCallback

        return EvalCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
