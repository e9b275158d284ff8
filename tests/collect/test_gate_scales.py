"""What limits can mean: the scales that gates know are those of the scorers."""

from __future__ import annotations

import pytest

from harness.collect.gate_scales import SCALES, Range, judge_key_fault, limit_fault
from harness.collect.gate_spec import GateSpec
from harness.collect.specs import METRICS, OUTPUT_TYPES, ScoreSpec
from harness.scorers.base import ScorerContext
from harness.scorers.bertscore import BertScore
from harness.scorers.registry import make_scorer
from harness.scorers.similarity import Similarity

FROM_ENCODERS = ("semantic_similarity", "context_relevance", "bertscore_f1")
"""Metrics whose scorers read a model when they are made."""


def test_every_metric_has_a_scale() -> None:
    assert tuple(SCALES) == METRICS


@pytest.mark.parametrize("metric", [name for name in METRICS if name not in FROM_ENCODERS])
def test_a_scale_is_its_scorers(metric: str) -> None:
    pattern = "x" if metric in ("regex", "format") else None
    output = OUTPUT_TYPES.get(metric, ("generate",))[0]
    scorer = make_scorer(
        ScoreSpec(metric=metric, pattern=pattern), ScorerContext(output_type=output)
    )
    assert SCALES[metric] == Range(scorer.scale.low, scorer.scale.high)


def test_scales_of_scorers_that_need_an_encoder() -> None:
    for scale, names in (
        (Similarity.scale, ("semantic_similarity", "context_relevance")),
        (BertScore.scale, ("bertscore_f1",)),
    ):
        assert {SCALES[name] for name in names} == {Range(scale.low, scale.high)}


@pytest.mark.parametrize(
    ("keys", "scale", "fault"),
    [
        ({"min": 0.0}, Range(0, 1), None),
        ({"min": 1.0}, Range(0, 1), None),
        ({"max": 1.5}, Range(0, 1), "max"),
        ({"max": 1.5}, Range(0), None),
        ({"min": -0.5}, Range(-1, 1), None),
        ({"min": -0.5}, Range(0), "min"),
        ({"max_drop": 1.0}, Range(0, 1), "max_drop"),
        ({"max_drop": 0.99}, Range(0, 1), None),
        ({"max_drop": 1.0}, Range(-1, 1), None),
        ({"max_drop": 1000.0}, Range(0), None),
        ({"max_drop": 0.1, "min": 3.0}, Range(), None),
    ],
)
def test_a_limit_lies_on_the_scale(keys: dict[str, float], scale: Range, fault: str | None) -> None:
    found = limit_fault(GateSpec.model_validate({"metric": "m", **keys}), scale)
    assert (found[0] if found else None) == fault


def test_keys_about_judges() -> None:
    assert judge_key_fault(GateSpec(metric="m", min=0.1)) is None
    found = judge_key_fault(GateSpec(metric="m", min=0.1, allow_embedding_judge=True))
    assert found == (
        "allow_embedding_judge",
        "'allow_embedding_judge' is about judges, and 'm' is not judged",
    )
