"""What may make a judge's numbers mean something else: length, kinship, answers beside the point,
and verdicts that are missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.collect.judge_spec import JudgeSpec
from harness.collect.specs import EmbeddingJudgeModel, ModelSpec, ReplayModel
from harness.judges.agreement import spearman
from harness.judges.combine import Combined
from harness.records import Verdict

FAMILIES: dict[str, str] = {
    "gpt": r"(?<![a-z])(chatgpt|openai|gpt-?(oss|[2345])|davinci|o[134](?![0-9a-z]))",
    "llama": r"(?<!o)llama(?!.?cpp)|vicuna|alpaca|(?<![a-z])sonar",  # Perplexity's sonar: Llama's
    "qwen": r"qwen|(?<![a-z])qwq",
    "mistral": r"mistral|mixtral|ministral|codestral|magistral|devstral|zephyr",
    "gemini": r"gemma|gemini",
    "claude": r"claude|anthropic",
    "deepseek": r"deepseek",
    "phi": r"(?<![a-z])phi-?[1-9]",
    "command": r"command-?[ar](?![a-z])|(?<![a-z])aya(?![a-z])|c4ai|cohere",
    "olmo": r"olmo|(?<![a-z])tulu",
    "falcon": r"falcon",
    "granite": r"granite",
    "glm": r"(?<![a-z])(chat)?glm",
    "smollm": r"smollm",
    "grok": r"(?<![a-z])grok",
    "kimi": r"(?<![a-z])kimi|moonshot",
    "yi": r"(?<![a-z])yi(?![a-z])",
}
"""A family -> the words in a base's name that speak of it; makers of whom one knows families."""


# --------------------------------------------------------------------------- length

ENOUGH = 10  # verdicts; two or three are in the order of their length by chance


@dataclass(frozen=True, slots=True)
class LengthAudit:
    """Whether longer answers score higher.

    ``rho`` is Spearman's correlation of value and tokens over all answers; ``slope`` how much the
    value rises when an answer of the *same* model is twice as long. None where lengths or values
    do not vary. ``warn`` says that ``|rho|`` of enough verdicts is above the judge's limit. Both
    may be due to quality: a warning asks for a look, not for a correction.
    """

    rho: float | None
    slope: float | None
    n: int
    warn: bool


def length_audit(spec: JudgeSpec, rows: Iterable[tuple[str, float, int]]) -> LengthAudit:
    """The audit of (model under test, value in [0, 1], tokens of the answer), one for an answer.

    The slope is least squares of the value on log2 of the tokens (an empty answer counts as one
    token), each model's own means taken out of both (fixed effects), so that a better and wordier
    model does not look like a bias.
    """
    known = list(rows)
    values = [value for _, value, _ in known]
    rho = spearman(values, [float(tokens) for _, _, tokens in known])
    enough = len(known) >= ENOUGH
    warn = enough and rho is not None and abs(rho) > spec.limits.length_correlation
    return LengthAudit(rho, _slope_within(known), len(known), warn)


def _slope_within(rows: Sequence[tuple[str, float, int]]) -> float | None:
    models: dict[str, list[tuple[float, float]]] = {}
    for model, value, tokens in rows:
        models.setdefault(model, []).append((math.log2(max(tokens, 1)), value))
    products, squares = [], []
    for points in models.values():
        x_mean = math.fsum(x for x, _ in points) / len(points)
        y_mean = math.fsum(y for _, y in points) / len(points)
        products += [(x - x_mean) * (y - y_mean) for x, y in points]
        squares += [(x - x_mean) ** 2 for x, _ in points]
    total = math.fsum(squares)
    return math.fsum(products) / total if total > 1e-12 else None


# --------------------------------------------------------------------------- kinship


def same_family(judge: ModelSpec, candidate: ModelSpec) -> bool:
    """Whether a judge would grade a model of its own family, which it is known to favour.

    A card's `family` decides, else the families that its base's name (or, of recorded answers,
    the model's own) speaks of. A name that speaks of none is a family of its own. The embedding
    judge has none.
    """
    return bool(_families(judge) & _families(candidate))


def _families(card: ModelSpec) -> frozenset[str]:
    if card.family is not None:
        return _named(card.family) or frozenset({card.family.strip().lower()})
    if isinstance(card, EmbeddingJudgeModel):
        return frozenset()
    if isinstance(card, ReplayModel):
        return _named(card.model) or frozenset({card.model.lower()})
    base = card.base.rstrip("/").rpartition("/")[2].lower()
    if card.base.startswith((".", "/")):  # a folder's name (./weights) makes nobody kin
        return _named(base) or _named(card.model) or frozenset({card.model.lower()})
    return _named(base) or _named(card.model) or frozenset({base})


@lru_cache(maxsize=1024)
def _named(name: str) -> frozenset[str]:
    """The families that a name speaks of; a distilled model's name speaks of two."""
    return frozenset(family for family, words in FAMILIES.items() if re.search(words, name.lower()))


# --------------------------------------------------------------------------- relevance, errors


def irrelevance_rate(spec: JudgeSpec, verdicts: Iterable[Verdict | Combined]) -> float | None:
    """The share of judged answers whose `relevance` lies below the judge's limit.

    None if the judge has no such criterion, or judged nothing.
    """
    found = next((one for one in spec.criteria if one.name == "relevance"), None)
    given = [one.criteria["relevance"] for one in verdicts if "relevance" in one.criteria]
    if found is None or not given:
        return None
    low, high = (0, 1) if found.kind != "score" else (found.min, found.max)
    shares = [(value - low) / (high - low) for value in given]
    return sum(share < spec.limits.irrelevant_below for share in shares) / len(given)


@dataclass(frozen=True, slots=True)
class JudgeErrors:
    """How many answers have no verdict though there was something to judge.

    ``n`` counts answers that were judged or should have been; skipped ones are not among them.
    """

    n: int
    n_error: int
    limit: float

    @property
    def rate(self) -> float | None:
        """The share of errors; None if there was nothing to judge."""
        return self.n_error / self.n if self.n else None

    @property
    def too_many(self) -> bool:
        """Whether a gate must fail: above the limit, or with nothing judged at all."""
        return self.rate is None or self.rate > self.limit


def judge_errors(spec: JudgeSpec, verdicts: Iterable[Verdict | Combined]) -> JudgeErrors:
    """The count of judge errors, with the judge's limit."""
    states = [one.status for one in verdicts if one.status != "skipped"]
    return JudgeErrors(len(states), states.count("error"), spec.limits.max_judge_error_rate)
