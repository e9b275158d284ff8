"""What losses say about a training."""

from __future__ import annotations

import pytest

from harness.finetune.curve import CurvePoint
from harness.finetune.verdict import is_finite, rise


def curve(*losses: tuple[float | None, float | None]) -> list[CurvePoint]:
    return [CurvePoint(n, n / 4, loss, watched, None) for n, (loss, watched) in enumerate(losses)]


def test_a_loss_that_falls_is_no_news() -> None:
    assert rise(curve((None, 5.0), (4.0, None), (3.0, 4.5))) is None
    assert rise(curve((4.0, None), (3.0, None))) is None
    assert rise([]) is None


def test_a_loss_that_rises_is_told_with_its_numbers() -> None:
    points = curve((None, 5.0), (4.0, None), (3.0, 7.314))
    assert rise(points) == "validation loss rose from 5.00 to 7.31"
    assert rise(curve((4.0, None), (4.5, None))) == "train loss rose from 4.00 to 4.50"
    both = "validation loss rose from 5.00 to 6.00 and train loss rose from 4.00 to 8.00"
    assert rise(curve((None, 5.0), (4.0, None), (8.0, 6.0))) == both


def test_the_best_weights_are_judged_by_the_best_loss() -> None:
    points = curve((None, 5.0), (4.0, 4.0), (3.0, 7.0))
    assert rise(points, best=True) is None
    assert rise(points) == "validation loss rose from 5.00 to 7.00"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_what_is_no_number_is_seen_in_either_loss(loss: float) -> None:
    assert not is_finite(CurvePoint(1, 0.1, loss, None, None))
    assert not is_finite(CurvePoint(1, 0.1, 3.0, loss, None))
    assert is_finite(CurvePoint(1, 0.1, None, 3.0, None))
