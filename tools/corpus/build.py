"""The corpus of tiny-llama: documents mixed from the grammars, the same for the same seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

from corpus.anomaly import AnomalyProse
from corpus.general import EverydayProse, FactProse, ResearchProse

SEED = 20261120
FACT_ROUNDS = 24
COUNTS = {
    "detailed": 8000,
    "plan": 4000,
    "overview": 1500,
    "question": 4000,
    "mixed": 2500,
    "answer": 4500,
    "related": 3000,
    "research": 1800,
    "story": 2500,
    "chat": 800,
}
"""Documents of each kind; every fact besides gets FACT_ROUNDS documents of its own."""


def documents(seed: int = SEED) -> list[str]:
    """All documents, shuffled; pure ASCII."""
    rng = random.Random(seed)
    anomaly, facts = AnomalyProse(), FactProse()
    research, everyday = ResearchProse(), EverydayProse()
    makers: dict[str, Callable[[random.Random], str]] = {
        "detailed": anomaly.detailed,
        "plan": anomaly.plan,
        "overview": anomaly.overview,
        "question": anomaly.question,
        "mixed": facts.mixed,
        "answer": facts.answer,
        "related": facts.related,
        "research": research.about,
        "story": everyday.story,
        "chat": everyday.chat,
    }
    found = [makers[kind](rng) for kind, count in COUNTS.items() for _ in range(count)]
    found += [facts.about(fact, rng) for fact in facts.facts for _ in range(FACT_ROUNDS)]
    rng.shuffle(found)
    return found


def digest(texts: list[str]) -> str:
    """SHA-256 of the documents in order."""
    whole = hashlib.sha256()
    for text in texts:
        whole.update(text.encode("utf-8") + b"\x00")
    return whole.hexdigest()
