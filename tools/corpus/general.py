"""Prose about general facts, everyday life, AI research, and short chats."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TypedDict

from corpus.grammar import HERE, expand, rows, sections, upper_first

_FRAMES = (
    "{s}",
    "{s}",
    "{s}",
    "It is well known: {s}",
    "Here is a fact: {s}",
    "Remember this: {s}",
    "The book says: {s}",
    "We learned this at school: {s}",
    "A simple fact: {s}",
    "Topic: {t}\nFact: {s}",
    "About {T}: {s}",
    "A note on {T}, {t}: {s}",
)
_CONCEPT_QUESTIONS = (
    "What is {c}?",
    "What does {c} do?",
    "How does {c} work?",
    "Explain {c} in a few words.",
    "What is the idea behind {c}?",
)
_FACT_ANSWERS = (
    "Question: {q}\nAnswer: {a}",
    "Question: {q}\nAnswer: {a}",
    "Question: {q}\nAnswer: {a}",
    "{q} {A}.",
    "{q} The answer is {a}.",
    "User: {q}\nAssistant: {A}.",
)


class Fact(TypedDict, total=False):
    """One line of general_facts.jsonl."""

    subject: str
    topic: str
    sentences: list[str]
    asked: bool


class FactProse:
    """Declarative sentences about all facts; questions about the facts that are never asked."""

    def __init__(self) -> None:
        text = (HERE / "general_facts.jsonl").read_text(encoding="utf-8")
        self.facts: list[Fact] = [json.loads(line) for line in text.splitlines() if line]
        self.topics: dict[str, list[Fact]] = {}
        for fact in self.facts:
            self.topics.setdefault(fact["topic"], []).append(fact)
        self.questions = rows("fact_questions.txt")
        self.relations = read_relations()

    def about(self, fact: Fact, rng: random.Random) -> str:
        """One fact in two or three wordings."""
        sentences = rng.sample(fact["sentences"], rng.choice((1, 2, 3)))
        frame = rng.choice(_FRAMES)
        return frame.format(s=" ".join(sentences), t=fact["subject"], T=fact["topic"])

    def mixed(self, rng: random.Random) -> str:
        """Three or four facts of one topic."""
        topic = self.topics[rng.choice(sorted(self.topics))]
        facts = rng.sample(topic, min(len(topic), rng.randint(3, 4)))
        return " ".join(rng.choice(fact["sentences"]) for fact in facts)

    def answer(self, rng: random.Random) -> str:
        """One to three questions with short answers."""
        return "\n\n".join(self._one_answer(rng) for _ in range(rng.randint(1, 3)))

    def _one_answer(self, rng: random.Random) -> str:
        if rng.random() < 0.4:
            question, answer = rng.choice(self.questions)
        else:
            relation = rng.choice(self.relations)
            x, answer = rng.choice(relation.pairs)
            question = rng.choice(relation.questions).format(x=x)
        form = rng.choice(_FACT_ANSWERS)
        return form.format(q=question, a=answer, A=upper_first(answer))

    def related(self, rng: random.Random) -> str:
        """One or two facts of a relation, each in one or two wordings."""
        relation = rng.choice(self.relations)
        found = []
        for x, y in rng.sample(relation.pairs, rng.choice((1, 1, 2))):
            count = min(len(relation.sentences), rng.choice((1, 2)))
            found += [s.format(x=x, y=y) for s in rng.sample(relation.sentences, count)]
        return " ".join(upper_first(sentence) for sentence in found)


@dataclass
class Relation:
    """Facts of one kind: sentences and questions with {x} and {y}, and the pairs."""

    sentences: list[str]
    questions: list[str]
    pairs: list[tuple[str, str]]


def read_relations() -> list[Relation]:
    """Every relation of relations.txt: `s` sentence, `q` question, `=` pair."""
    found = []
    for lines in sections("relations.txt").values():
        pairs = [line[2:].split("|") for line in lines if line[0] == "="]
        found.append(
            Relation(
                sentences=[line[2:] for line in lines if line[0] == "s"],
                questions=[line[2:] for line in lines if line[0] == "q"],
                pairs=[(x.strip(), y.strip()) for x, y in pairs],
            )
        )
    return found


class ResearchProse:
    """What the words of AI research mean."""

    def __init__(self) -> None:
        self.concepts = rows("research.txt")

    def about(self, rng: random.Random) -> str:
        """One concept, or two."""
        parts = []
        for concept in rng.sample(self.concepts, rng.choice((1, 1, 2))):
            sentences = rng.sample(concept[1:], rng.randint(1, len(concept) - 1))
            question = rng.choice(_CONCEPT_QUESTIONS).format(c=concept[0])
            parts += [question, *sentences] if rng.random() < 0.4 else sentences
        return " ".join(parts)


class EverydayProse:
    """Small stories and chats in plain words."""

    def __init__(self) -> None:
        self.forms = sections("everyday.txt")

    def words(self, rng: random.Random) -> dict[str, str]:
        """People and things of one story."""
        name, name2 = rng.sample(self.forms["name"], 2)
        picked = {key: rng.choice(self.forms[key]) for key in ("thing", "spot", "pet", "food")}
        return {"name": name, "name2": name2, **picked}

    def story(self, rng: random.Random) -> str:
        """Weather, a beginning, something that happens, an end."""
        words = self.words(rng)
        roles = ["start"] + ["middle"] * rng.randint(1, 3) + ["end"]
        if rng.random() < 0.5:
            roles.insert(0, "weather")
        if rng.random() < 0.2:
            roles = ["plain"] * rng.randint(2, 4)
        forms = [rng.choice(self.forms[role]) for role in roles]
        return " ".join(expand(form, words, rng) for form in dict.fromkeys(forms))

    def chat(self, rng: random.Random) -> str:
        """A request and its answer, in the chat template's form or an instruction's."""
        words = self.words(rng)
        number = rng.randrange(len(self.forms["chat_question"]))
        ask = expand(self.forms["chat_question"][number], words, rng)
        reply = expand(self.forms["chat_answer"][number], words, rng)
        forms = (
            "User: {q}\nAssistant: {a}",
            "### Instruction:\n{q}\n\n### Response:\n{a}",
            "{q} {a}",
        )
        return rng.choice(forms).format(q=ask, a=reply)
