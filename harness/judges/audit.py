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
from harness.judges.agreement import midranks, pearson
from harness.judges.combine import Combined
from harness.records import Verdict

FAMILIES: dict[str, str] = {
    "gpt": r"(?<![a-z])(chatgpt|openai|gpt-?(oss|[2345])|davinci|o[134](?![0-9a-z]))",
    "llama": r"(?<!o)llama(?!.?cpp)|vicuna|alpaca|(?<![a-z])sonar",  # Perplexity's sonar: Llama's
    # VideoLLaMA3 and Mobile-VideoGPT are built on Qwen, whatever their names say
    "qwen": r"qwen|(?<![a-z])qwq|video-?llama-?3|mobile-?videogpt",
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
    "internlm": r"internlm",
    "baichuan": r"baichuan",
    "nemotron": r"nemotron|minitron",
    "minimax": r"minimax",
    "stablelm": r"stablelm",
}
"""A family -> the words in a base's name that speak of it; makers of whom one knows families."""

_LEAST = 4  # letters that a name must begin with to speak of its family
_TELLS_NOTHING = re.compile(
    "base|chat|deep|instruct|judge|large|mini|mobile|model|nano|open|small|super|test|tiny|tuned|"
    "ultra|video|vision"
)
"""What names of different makers begin with."""


# --------------------------------------------------------------------------- length

ENOUGH = 10  # answers; two or three are in the order of their length by chance


@dataclass(frozen=True, slots=True)
class LengthAudit:
    """Whether longer answers score higher.

    ``rho`` is Spearman's correlation of value and length among answers of the *same* task and
    model; ``slope`` how much the value rises when such an answer is twice as long. None where
    lengths or values do not vary. ``warn`` says that ``|rho|`` of enough answers is above the
    judge's limit. Both may be due to quality: a warning asks for a look, not for a correction.
    """

    rho: float | None
    slope: float | None
    n: int
    warn: bool


def length_audit(spec: JudgeSpec, rows: Iterable[tuple[str, float, int]]) -> LengthAudit:
    """The audit of (cell, value in [0, 1], length), one row for each answer.

    Answers are compared within their cell alone, so that neither a better and wordier model nor an
    easier and wordier task looks like a bias; lengths of one cell must be of one kind (tokens, or
    words). ``rho`` is the correlation of the ranks that answers have in their cell, less the
    cell's mean rank and divided by its size (of one cell, Spearman's). The slope is least squares
    of the value on log2 of the length (an empty answer counts as 1), each cell's own means taken
    out of both (fixed effects).
    """
    known = list(rows)
    rho = _rho_within(known)
    enough = len(known) >= ENOUGH
    warn = enough and rho is not None and abs(rho) > spec.limits.length_correlation
    return LengthAudit(rho, _slope_within(known), len(known), warn)


def _rho_within(rows: Sequence[tuple[str, float, int]]) -> float | None:
    x: list[float] = []
    y: list[float] = []
    for points in _by_cell(rows).values():
        for ranks, values in ((x, [p[0] for p in points]), (y, [p[1] for p in points])):
            n = len(values)
            ranks += [(rank - (n + 1) / 2) / n for rank in midranks(values)]
    return pearson(x, y)


def _by_cell(rows: Sequence[tuple[str, float, int]]) -> dict[str, list[tuple[float, float]]]:
    """Cell -> its answers as (log2 of the length, value)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for cell, value, length in rows:
        found.setdefault(cell, []).append((math.log2(max(length, 1)), value))
    return found


def _slope_within(rows: Sequence[tuple[str, float, int]]) -> float | None:
    products, squares = [], []
    for points in _by_cell(rows).values():
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
    the model's own) speaks of. Of bases that speak of none we know, those whose names begin with
    the same word are kin (`acmelm-7b` and `acmelm2-chat`). The embedding judge has no family.
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
    return _named(base) or _named(card.model) or frozenset({_first_word(base)})


def _first_word(name: str) -> str:
    """The letters that a name begins with; all of it if they are few, or say nothing."""
    found = re.match("[a-z]*", name)
    word = found[0] if found else ""
    return name if len(word) < _LEAST or _TELLS_NOTHING.fullmatch(word) else word


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
