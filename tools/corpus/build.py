"""The corpus of tiny-llama: documents mixed from the grammars, the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable

from corpus.anomaly import AnomalyProse, Pair
from corpus.general import EverydayProse, FactProse, ResearchProse
from corpus.grammar import HERE

SEED = 20261120
PAIRS = HERE.parents[1] / "tasks" / "vad_approach" / "data" / "approaches.jsonl"
FACT_ROUNDS = 24
COUNTS = {
    "detailed": 2000,
    "plan": 16000,
    "overview": 1500,
    "question": 9000,
    "mixed": 2500,
    "answer": 4500,
    "related": 3000,
    "research": 2500,
    "story": 2500,
    "chat": 800,
}
"""Documents of each kind; every fact besides gets FACT_ROUNDS documents of its own."""


def pairs(*splits: str) -> list[Pair]:
    """The rows of vad_approach that are in one of the splits."""
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["split"] in splits]


def documents(seed: int = SEED) -> list[str]:
    """All documents, shuffled; pure ASCII.

    No document names both the place and the anomaly of a held-out question.
    """
    rng = random.Random(seed)
    anomaly, facts = AnomalyProse(pairs("train")), FactProse()
    research, everyday = ResearchProse(), EverydayProse()
    secret = anomaly.scenes([pair["question"] for pair in pairs("validation", "test")])
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
    found = []
    for kind, count in COUNTS.items():
        for _ in range(count):
            text = makers[kind](rng)
            while any(p in text.lower() and a in text.lower() for p, a in secret):
                text = makers[kind](rng)
            found.append(text)
    found += [facts.about(fact, rng) for fact in facts.facts for _ in range(FACT_ROUNDS)]
    rng.shuffle(found)
    return found


def digest(texts: list[str]) -> str:
    """SHA-256 of the documents in order."""
    whole = hashlib.sha256()
    for text in texts:
        whole.update(text.encode("utf-8") + b"\x00")
    return whole.hexdigest()
