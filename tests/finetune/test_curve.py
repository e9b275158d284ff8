"""The loss curve: what is kept of a trainer's log, and how it is drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from harness.finetune.curve import BLOCKS, points_of, sparkline, write_curve

LOG = [
    {"loss": 5.0, "learning_rate": 1e-3, "epoch": 0.5, "step": 6},
    {"eval_loss": 4.5, "epoch": 1.0, "step": 12, "eval_runtime": 0.1},
    {"train_runtime": 12.0, "epoch": 1.0, "step": 12},
]


def test_points_hold_train_and_validation_loss_and_leave_the_rest() -> None:
    points = points_of(LOG)
    assert [(p.step, p.loss, p.eval_loss) for p in points] == [(6, 5.0, None), (12, None, 4.5)]


def test_the_curve_is_a_table_and_a_drawing(tmp_path: Path) -> None:
    write_curve(points_of(LOG), tmp_path)
    rows = pq.read_table(tmp_path / "curve.parquet").to_pylist()
    assert [row["step"] for row in rows] == [6, 12]
    assert rows[1]["eval_loss"] == 4.5
    svg = ET.fromstring((tmp_path / "curve.svg").read_text(encoding="utf-8"))
    text = "".join(svg.itertext())
    assert "optimizer step" in text
    assert "validation" in text


@example([1.1125369292536007e-308, 0.0], 2)  # 7 divided by their distance is no number
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=500), st.integers(1, 80))
def test_a_sparkline_is_never_wider_than_asked(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert 1 <= len(line) <= width
    assert set(line) <= set(BLOCKS)


def test_a_falling_loss_falls() -> None:
    assert sparkline([4.0, 3.0, 2.0, 1.0]) == "█▆▃▁"
    assert sparkline([]) == ""
