"""What the losses of a training say about it; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.errors import ExitCode, ModelError
from harness.finetune.curve import CurvePoint


class Diverged(ModelError):
    """The training ran and ended in numbers that are none; there is no model."""

    exit_code = ExitCode.FAILED


def is_finite(point: CurvePoint) -> bool:
    """Whether what was measured at this step is a number."""
    return all(value is None or math.isfinite(value) for value in (point.loss, point.eval_loss))


def rise(points: Sequence[CurvePoint], *, best: bool = False) -> str | None:
    """`validation loss rose from 5.00 to 7.31` (nats per token), where a loss did; else None.

    The validation loss is measured before the first step and after, on the same rows; the train
    loss is that of the first batch and of the last ones. With ``best`` the weights that were kept
    are those of the lowest validation loss.
    """
    watched = [(p.step, p.eval_loss) for p in points if p.eval_loss is not None]
    losses = [point.loss for point in points if point.loss is not None]
    told = []
    if len(watched) > 1 and watched[0][0] == 0:
        later = [loss for _, loss in watched[1:]]
        told.append(_rise("validation loss", watched[0][1], min(later) if best else later[-1]))
    if len(losses) > 1 and not best:
        told.append(_rise("train loss", losses[0], losses[-1]))
    return " and ".join(filter(None, told)) or None


def _rise(name: str, before: float, after: float) -> str:
    return f"{name} rose from {before:.2f} to {after:.2f}" if after > before else ""
