"""What the limits of a gate line can mean: a metric has a scale, a judge has judged or has not."""

from __future__ import annotations

from dataclasses import dataclass

from harness.collect.gate_spec import GateSpec


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value of a metric; None where there is no bound."""

    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        """The range as people write it."""
        if self.low is None:
            return "any number" if self.high is None else f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"


_SHARE, _PERCENT, _COSINE, _UP = Range(0, 1), Range(0, 100), Range(-1, 1), Range(0)
SCALES = {
    "exact_match": _SHARE,
    "includes": _SHARE,
    "regex": _SHARE,
    "choice": _SHARE,
    "choice_norm": _SHARE,
    "rouge_1": _SHARE,
    "rouge_2": _SHARE,
    "rouge_l": _SHARE,
    "bleu": _PERCENT,
    "chrf": _PERCENT,
    "meteor": _SHARE,
    "semantic_similarity": _COSINE,
    "context_relevance": _COSINE,
    "bertscore_f1": _SHARE,
    "perplexity": _UP,
    "token_count": _UP,
    "format": _SHARE,
    "vqa_accuracy": _SHARE,
    "gqa_accuracy": _SHARE,
    "pope": _SHARE,
    "circular": _SHARE,
    "error_f1": _SHARE,
    "frame_localization": _SHARE,
    "exercise_identification": _SHARE,
}
"""Metric -> its scale, as its scorer has it; a test holds the two together."""
JUDGE_KEYS = ("min_kappa", "max_judge_error_rate", "allow_embedding_judge")
"""Keys of a line that ask something of a judge."""

Fault = tuple[str, str]
"""The key that is at fault, and what is wrong with it."""


def limit_fault(spec: GateSpec, scale: Range) -> Fault | None:
    """A limit that every value of the metric keeps, or none can; None if there is none."""
    for key in ("min", "max"):
        limit = getattr(spec, key)
        if limit is None:
            continue
        below = scale.low is not None and limit < scale.low
        above = scale.high is not None and limit > scale.high
        if below or above:
            what = f"the values of '{spec.metric}' are {scale.words}"
            return key, f"'{key}' cannot be {limit:g}: {what}"
    if spec.max_drop is None or scale.low is None or scale.high is None:
        return None
    if spec.max_drop >= scale.high - scale.low:
        what = f"no drop of '{spec.metric}' ({scale.words}) is larger"
        return "max_drop", f"'max_drop' {spec.max_drop:g} allows everything: {what}"
    return None


def judge_key_fault(spec: GateSpec) -> Fault | None:
    """A key that asks something of a judge, on a line about what no judge has judged."""
    for key in JUDGE_KEYS:
        if getattr(spec, key) not in (None, False):
            return key, f"'{key}' is about judges, and '{spec.metric}' is not judged"
    return None
