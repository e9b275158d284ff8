"""The loss curve of a training run: a Parquet table, an SVG, and a line for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.results.sparkline import BLOCKS, sparkline

__all__ = ["BLOCKS", "CurvePoint", "points_of", "sparkline", "write_curve"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One line of the trainer's log; what was not measured at that step is None."""

    step: int
    epoch: float
    loss: float | None
    eval_loss: float | None
    learning_rate: float | None


def points_of(history: Iterable[Mapping[str, object]]) -> list[CurvePoint]:
    """Points from ``TrainerState.log_history``."""
    points = []
    for entry in history:
        if "loss" in entry or "eval_loss" in entry:
            points.append(
                CurvePoint(
                    step=int(_number(entry, "step") or 0),
                    epoch=_number(entry, "epoch") or 0.0,
                    loss=_number(entry, "loss"),
                    eval_loss=_number(entry, "eval_loss"),
                    learning_rate=_number(entry, "learning_rate"),
                )
            )
    return points


def write_curve(points: Sequence[CurvePoint], folder: Path) -> None:
    """Write ``curve.parquet`` and ``curve.svg`` into the folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("step", pa.int32()),
            ("epoch", pa.float32()),
            ("loss", pa.float64()),
            ("eval_loss", pa.float64()),
            ("learning_rate", pa.float64()),
        ]
    )
    table = pa.Table.from_pylist([asdict(point) for point in points], schema=schema)
    pq.write_table(table, folder / "curve.parquet", compression="zstd")
    (folder / "curve.svg").write_text(_svg(points), encoding="utf-8")


def _svg(points: Sequence[CurvePoint]) -> str:
    import altair
    import vl_convert

    rows = [
        {"step": point.step, "loss": value, "split": split}
        for point in points
        for split, value in (("train", point.loss), ("validation", point.eval_loss))
        if value is not None
    ]
    chart = (
        altair.Chart(altair.InlineData(values=rows), width=480, height=260)
        .mark_line()
        .encode(
            x=altair.X("step:Q", title="optimizer step"),
            y=altair.Y("loss:Q", title="loss (nats per token)").scale(zero=False),
            color=altair.Color("split:N", title=None).scale(range=["#0072B2", "#D55E00"]),
        )
    )
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def _number(entry: Mapping[str, object], key: str) -> float | None:
    value = entry.get(key)
    return float(value) if isinstance(value, int | float) else None
