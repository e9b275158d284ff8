"""A loaded vision-language model as the loops see it: a batch of sights in, logits out."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.adapters.decode import FIRST_ROOM, Row, go_on
from harness.adapters.engine import Context, Engine
from harness.adapters.kv import new_cache
from harness.adapters.tokenizer import TextTokenizer
from harness.adapters.vision_prompts import TYPES, Sight
from harness.records import Completion

if TYPE_CHECKING:
    import torch
    from transformers.utils import ModelOutput


@dataclass
class VisionEngine(Engine):
    """An engine whose model also takes pixels."""

    accepts: frozenset[str]
    """Names of the model's arguments."""

    @classmethod
    def of(cls, engine: Engine) -> VisionEngine:
        """The same model, seeing."""
        known = {one.name: getattr(engine, one.name) for one in fields(engine)}
        arguments = inspect.signature(engine.model.forward).parameters
        return cls(**known, accepts=frozenset(arguments))

    def forward(self, ids: torch.Tensor, keep: int, **inputs: Any) -> ModelOutput:
        """One pass; a class that would compute all logits is asked for its hidden states."""
        if self.keeps:
            return super().forward(ids, keep, **inputs)
        output = self.model.model(input_ids=ids, **inputs)
        output["logits"] = self.model.lm_head(output[0][:, -keep:])
        return output

    def wait(self) -> None:
        """Until the device has done what it was given, so that a clock tells the truth."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def look(engine: VisionEngine, batch: Sequence[Sight], room: int) -> Context:
    """Read prompts and pixels of sights of one key, left-padded; ``lengths`` of the result are the
    positions of the next tokens, which are no lengths where a class counts frames otherwise."""
    import torch

    rows = [sight.ready.ids for sight in batch]
    width = max(map(len, rows))
    lengths = torch.tensor([len(row) for row in rows], device=engine.device)
    mask = torch.arange(width, device=engine.device) >= (width - lengths)[:, None]
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=engine.device)
    inputs = _pixels(engine, batch)
    positions = (mask.long().cumsum(-1) - 1).clamp(min=0)
    following = lengths
    rope = getattr(engine.model.model, "get_rope_index", None)
    if rope is not None and inputs:
        types = [[0] * (width - len(sight.types)) + sight.types for sight in batch]
        grids = {name: one for name, one in inputs.items() if not name.startswith("pixel")}
        grids[TYPES] = torch.tensor(types, device=engine.device)
        positions, deltas = rope(ids, attention_mask=mask, **grids)
        following = lengths + deltas[:, 0]
    cache = new_cache(engine.layers, len(rows), width + room)
    output = engine.forward(
        ids,
        keep=1,
        attention_mask=None if bool(mask.all()) else mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        **inputs,
    )
    return Context(cache, mask, following, output.logits[:, -1])


def _pixels(engine: VisionEngine, batch: Sequence[Sight]) -> Mapping[str, torch.Tensor]:
    """The sights' tensors in one, on the device; what the model does not take is left out."""
    import torch

    found = {}
    for name in batch[0].inputs:
        if name in engine.accepts:
            parts = [sight.inputs[name] for sight in batch]
            found[name] = torch.cat(parts).to(engine.device)
    return found


def generate(
    engine: VisionEngine, tokenizer: TextTokenizer, batch: Sequence[Sight]
) -> list[Completion]:
    """Answer a batch of `generate` requests of one key; completions in the batch's order."""
    import torch

    began = time.perf_counter()
    rows = [Row.of(sight.ready, tokenizer, engine.eos) for sight in batch]
    longest = max(row.ready.request.settings.max_new_tokens for row in rows)
    with torch.inference_mode():
        context = look(engine, batch, min(longest, FIRST_ROOM))
        engine.wait()
        read = time.perf_counter()
        go_on(engine, rows, context)
    done = time.perf_counter()
    prefill, rest = [
        (end - start) * 1e3 / len(rows) for start, end in ((began, read), (read, done))
    ]
    return [
        sight.seen(row.completion(prefill + rest), prefill, rest)
        for sight, row in zip(batch, rows, strict=True)
    ]
