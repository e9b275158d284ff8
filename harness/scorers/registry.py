"""Metric name -> who computes it: a literal table, resolved when a metric is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from harness.collect.specs import OUTPUT_TYPES as OUTPUT_TYPES
from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.scorers.base import Scorer, ScorerContext

SCORERS: dict[str, str] = {
    "exact_match": "harness.scorers.text:exact_match",
    "includes": "harness.scorers.text:includes",
    "regex": "harness.scorers.text:regex",
    "choice": "harness.scorers.choice:choice",
    "choice_norm": "harness.scorers.choice:choice_norm",
    "rouge_1": "harness.scorers.rouge:rouge_1",
    "rouge_2": "harness.scorers.rouge:rouge_2",
    "rouge_l": "harness.scorers.rouge:rouge_l",
    "bleu": "harness.scorers.bleu:bleu",
    "chrf": "harness.scorers.bleu:chrf",
    "meteor": "harness.scorers.meteor:meteor",
    "semantic_similarity": "harness.scorers.similarity:semantic_similarity",
    "context_relevance": "harness.scorers.similarity:context_relevance",
    "bertscore_f1": "harness.scorers.bertscore:bertscore_f1",
    "perplexity": "harness.scorers.likelihood:perplexity",
    "token_count": "harness.scorers.text:token_count",
    "format": "harness.scorers.text:format_",
    "vqa_accuracy": "harness.scorers.vqa:vqa_accuracy",
    "gqa_accuracy": "harness.scorers.gqa:gqa_accuracy",
    "pope": "harness.scorers.pope:pope",
    "circular": "harness.scorers.circular:circular",
    "error_f1": "harness.scorers.form_errors:error_f1",
    "frame_localization": "harness.scorers.localization:frame_localization",
    "exercise_identification": "harness.scorers.exercise:exercise_identification",
}


def make_scorer(spec: ScoreSpec, context: ScorerContext) -> Scorer:
    """The scorer of a spec with a metric.

    Raises HarnessError if the metric is unknown, cannot be computed from the task's output or
    lacks its pattern; ModelError if its encoder is missing.
    """
    name = spec.metric or ""
    if name not in SCORERS:
        raise HarnessError(f"unknown metric '{name}'{_meant(name)}")
    allowed = OUTPUT_TYPES.get(name, ("generate",))
    if context.output_type not in allowed:
        raise HarnessError(
            f"metric '{name}' needs output_type {' or '.join(allowed)}, "
            f"and the task's is {context.output_type}"
        )
    module, _, factory = SCORERS[name].partition(":")
    make: Callable[[ScoreSpec, ScorerContext], Scorer] = getattr(import_module(module), factory)
    return make(spec, context)


def _meant(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, SCORERS, n=1)
    return f" (did you mean '{near[0]}'?)" if near else f"; known are {', '.join(SCORERS)}"
