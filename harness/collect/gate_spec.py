"""The shape of one line of a task's `gate`: what a candidate must keep to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

COSTS = ("latency_p95_ms", "latency_p50_ms", "peak_memory_mb", "completion_tokens")
"""What an answer costs: metrics that every run measures and no task scores.

`latency_p95_ms` and `latency_p50_ms` are percentiles over samples of the time of an answer,
`peak_memory_mb` that of the GPU if the model ran on one, else of the process,
`completion_tokens` the mean over samples. Less is better.
"""
ASKED = (
    "max_drop",
    "min",
    "max",
    "max_ratio",
    "max_error_rate",
    "max_judge_error_rate",
    "min_kappa",
)
"""The keys of a line that ask for something; a line has at least one of them."""


class GateSpec(BaseModel):
    """What a candidate must keep to in one metric of this task, or of another one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: str = Field(description="what the task scores, a judge's criterion, or a cost")
    task: str | None = Field(None, description="another task, as general_retention; default: this")
    max_drop: float | None = Field(
        None, ge=0, description="non-inferiority margin to the baseline, in units of the metric"
    )
    min: float | None = Field(None, description="the candidate's mean must reach it")
    max: float | None = Field(None, description="the candidate's mean must not exceed it")
    max_ratio: float | None = Field(None, gt=0, description="of a cost: candidate / baseline")
    rule: Literal["interval", "point"] = Field(
        "interval", description="what must keep to it: the interval, or (blind to chance) the mean"
    )
    per_class: str | None = Field(
        None, description="a column of the data: the line holds for each of its values; or target"
    )
    max_error_rate: float = Field(
        0.02, ge=0, le=1, description="share of failed samples above which nothing is decided"
    )
    max_judge_error_rate: float | None = Field(
        None, ge=0, le=1, description="the same for verdicts; default: the judge's own limit"
    )
    min_kappa: float | None = Field(
        None, ge=-1, le=1, description="agreement with people that the judge must have"
    )
    allow_embedding_judge: bool = Field(
        False, description="believe a judge that is no language model"
    )
    on_inconclusive: Literal["pass", "warn", "fail"] = "warn"

    @property
    def is_cost(self) -> bool:
        """Whether the line is about what answers cost."""
        return self.metric in COSTS

    @property
    def words(self) -> str:
        """What is asked, in the words of the file: "max_drop 0.02, min 0.4"."""
        keys = ("max_drop", "min", "max", "max_ratio")
        asked = [f"{key} {getattr(self, key):g}" for key in keys if getattr(self, key) is not None]
        limits = ("max_error_rate", "max_judge_error_rate", "min_kappa")
        given = [key for key in limits if key in self.model_fields_set]
        asked += [
            f"{key} {getattr(self, key):g}" for key in given if getattr(self, key) is not None
        ]
        point = ["rule: point"] if self.rule == "point" else []
        return ", ".join([*asked, *point])

    @model_validator(mode="after")
    def _asks_for_something(self) -> GateSpec:
        given = [key for key in ASKED if key in self.model_fields_set]
        if all(getattr(self, key) is None for key in given):
            raise ValueError(f"gate on '{self.metric}' asks for nothing: give one of {_or(ASKED)}")
        return self

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> GateSpec:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"'min' ({self.min:g}) lies above 'max' ({self.max:g})")
        if self.max_ratio is not None and not self.is_cost:
            raise ValueError(f"'max_ratio' is for costs ({', '.join(COSTS)}); use 'max_drop'")
        if self.is_cost and self.max_drop is not None:
            raise ValueError(f"'{self.metric}' is a cost, which rises: use 'max_ratio' or 'max'")
        if self.is_cost and self.per_class is not None:
            raise ValueError("a cost has no classes: leave 'per_class' out")
        if self.is_cost and min(self.min or 0.0, self.max or 0.0) < 0:
            raise ValueError(f"'{self.metric}' is a cost, and no cost lies below 0")
        return self


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def contradictions(lines: Mapping[int, GateSpec]) -> list[tuple[int, str]]:
    """Lines, by their number, that cannot both hold or say the same thing twice: (number, what).

    Lines of the same metric, task and class column may complete each other (one with `min`, one
    with `max_drop`), but not set the same limit twice, nor a `min` above another's `max`.
    """
    found: list[tuple[int, str]] = []
    seen: dict[tuple[str, str | None, str | None], dict[str, float]] = {}
    for number, line in lines.items():
        known = seen.setdefault((line.metric, line.task, line.per_class), {})
        alone = not known
        for key in ("max_drop", "min", "max", "max_ratio"):
            value = getattr(line, key)
            if value is None:
                continue
            if key in known:
                what = f"'{key}' of '{line.metric}' is given twice: {known[key]:g} and {value:g}"
                found.append((number, what))
            known.setdefault(key, value)
        if not alone and known.get("min", -math.inf) > known.get("max", math.inf):
            what = f"'min' ({known['min']:g}) lies above 'max' ({known['max']:g})"
            found.append((number, f"gate lines on '{line.metric}' contradict each other: {what}"))
    return found
