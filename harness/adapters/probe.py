"""Whether an architecture nobody tested bears what the fast path does to it."""

from __future__ import annotations

from harness.adapters.engine import Engine, read_context, read_prefix

TOLERANCE = 0.05
"""Difference of logits, in their own standard deviations, that rounding may explain."""


def bears_padding(engine: Engine) -> bool:
    """Read two short texts padded, behind a shared prefix, and go on by one token: the logits
    must be those of each text read alone. False also if the model refuses the attempt.

    Costs five passes over a few tokens; spares a wrong answer from an architecture that counts
    columns where it should count tokens.
    """
    import torch

    if engine.support != "padded":
        return False
    prefix = [3, 5, 7]
    texts = [[*prefix, 11, 13, 17, 19], [*prefix, 23]]
    following = 29
    try:
        with torch.inference_mode():
            context = read_context(engine, texts, read_prefix(engine, prefix), room=1)
            mask = torch.cat([context.mask, context.mask.new_ones(2, 1)], dim=1)
            output = engine.forward(
                torch.full((2, 1), following, device=engine.device),
                keep=1,
                attention_mask=mask,
                position_ids=context.lengths[:, None],
                past_key_values=context.cache,
                use_cache=True,
            )
            for row, text in enumerate(texts):
                ids = torch.tensor([[*text, following]], device=engine.device)
                alone = engine.forward(ids, keep=1, use_cache=False).logits[0, -1].float()
                if (output.logits[row, -1] - alone).abs().max() > TOLERANCE * alone.std():
                    return False
    except (TypeError, ValueError, AttributeError, LookupError, RuntimeError, NotImplementedError):
        return False
    return True
