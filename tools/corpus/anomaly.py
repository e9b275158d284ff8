"""Prose about video anomaly detection: which sensors, models and limits go with which scene."""

from __future__ import annotations

import json
import random
import re
from typing import TypedDict

from corpus.grammar import HERE, Sections, expand, rows, sections, upper_first


class Entry(TypedDict):
    """One domain of the glossary."""

    domain: str
    places: list[str]
    anomalies: list[str]
    sensors: list[str]
    architectures: list[str]
    fusion: list[str]
    limits: list[str]
    measures: list[str]


_VERBS = ("runs ", "keeps ", "survives ", "works ")
_CLAUSE = (" may ", " are ", " stays ", " confirm ", " flies ", " move ", " is ")
_LAYOUTS = (
    "{q} {a}",
    "{q}\n{a}",
    "Question: {q}\n{a}",
    "Question: {q}\nAnswer: {a}",
    "Question: {q}\nComment: {a}",
    "Question: {q}\nThoughts: {a}",
    "User: {q}\nAssistant: {a}",
    "Problem: {q}\nIdea: {a}",
    "Topic: {q}\nNotes: {a}",
    "Request: {q}\nReply: {a}",
)
"""How a question and its prose answer stand together; never the layout of the task."""
_ORDER = ("cue", "sensor", "arch", "explain", "training", "fusion", "limit", "measure")
_PLANS = (
    "Problem: {q}\nSystem: {a}",
    "Task: {q}\nPlan: {a}",
    "{q} {a}",
    "Planned for {place}: {a}",
    "Design against {anomaly}: {a}",
    "{domain}, {place}: {a}",
)


def head_noun(place: str) -> str:
    """The word that decides between `in` and `on`."""
    return re.split(r" (?:at|through|of) ", place)[0].split()[-1]


def limit_kind(limit: str) -> str:
    """Which kind of sentence the limit fits into."""
    if limit.startswith(_VERBS):
        return "limit_verb"
    if limit.startswith("robust "):
        return "limit_robust"
    return "limit_clause" if any(word in limit for word in _CLAUSE) else "limit_noun"


def limit_clause(limit: str) -> str:
    """The limit as a clause with subject and verb."""
    kind = limit_kind(limit)
    if kind == "limit_clause":
        return limit
    if kind == "limit_verb":
        return f"the box {limit}"
    if kind == "limit_robust":
        return f"it must be {limit}"
    return f"there is {limit}" if limit[:2] in ("a ", "an", "on") else f"we have {limit}"


class AnomalyProse:
    """Documents about the glossary's scenes."""

    def __init__(self) -> None:
        text = (HERE / "vad_glossary.json").read_text(encoding="utf-8")
        self.glossary: list[Entry] = json.loads(text)
        self.forms: Sections = sections("anomaly.txt")
        self.concepts = rows("research.txt")
        self.cues = rows("cues.txt")
        self.prepositions = {
            noun: kind
            for kind in ("in", "on")
            for line in self.forms[f"preposition {kind}"]
            for noun in line.split()
        }

    def slots(self, rng: random.Random) -> dict[str, str]:
        """Words for one document, all of one domain."""
        entry = rng.choice(self.glossary)
        places = rng.sample(entry["places"], 3)
        anomalies = rng.sample(entry["anomalies"], 3)
        sensors = rng.sample(entry["sensors"], 3)
        models = rng.sample(entry["architectures"], 3)
        fusion = rng.sample(entry["fusion"], 2)
        limits = rng.sample(entry["limits"], 2)
        words = {"domain": entry["domain"], "in": self.preposition(places[0])}
        for name, values in (
            ("place", places),
            ("anomaly", anomalies),
            ("sensor", sensors),
            ("arch", models),
            ("fusion", fusion),
            ("limit", limits),
        ):
            for number, value in enumerate(values, start=1):
                words[name if number == 1 else f"{name}{number}"] = value
        words["measure"] = rng.choice(entry["measures"])
        words["cue"] = self.cue(words["anomaly"], rng)
        words["limitclause"] = limit_clause(limits[0])
        return words

    def cue(self, anomaly: str, rng: random.Random) -> str:
        """What the anomaly looks like: of the first keyword that is in its name."""
        for keyword, *cues in self.cues:
            if keyword in anomaly:
                return rng.choice(cues)
        return "motion that does not fit the scene"

    def preposition(self, place: str) -> str:
        """`in`, `on` or `at`, by the head noun of the place."""
        return self.prepositions.get(head_noun(place), "at")

    def say(self, role: str, words: dict[str, str], rng: random.Random) -> str:
        """One sentence of the role."""
        if role == "explain":
            return self.explain(words, rng)
        if role == "limit":
            role = limit_kind(words["limit"])
        return expand(rng.choice(self.forms[role]), words, rng)

    def explain(self, words: dict[str, str], rng: random.Random) -> str:
        """What the document's model or sensor does, in general words."""
        named = f"{words['arch']} {words['sensor']}".lower()
        fits = [row for row in self.concepts if re.sub("^an? ", "", row[0]).lower() in named]
        if not fits:
            return expand(rng.choice(self.forms["training"]), words, rng)
        return upper_first(rng.choice(rng.choice(fits)[1:]))

    def system(self, words: dict[str, str], rng: random.Random) -> str:
        """Sensor and model, and some more sentences about the system, in an order or in none."""
        rest = ["cue", "fusion", "limit", "explain", "training", "measure"]
        keep = ["sensor", "arch", *rng.sample(rest, rng.randint(1, 3))]
        if rng.random() < 0.5:
            rng.shuffle(keep)
        else:
            keep.sort(key=_ORDER.index)
        return " ".join(self.say(part, words, rng) for part in keep)

    def detailed(self, rng: random.Random) -> str:
        """A scene, then a system for it."""
        words = self.slots(rng)
        return f"{self.say('opening', words, rng)} {self.system(words, rng)}"

    def plan(self, rng: random.Random) -> str:
        """A system under a heading or after a question."""
        words = self.slots(rng)
        ask = self.say("question", words, rng)
        text = rng.choice(_PLANS).format(q=ask, a=self.system(words, rng), **words)
        return upper_first(text)

    def overview(self, rng: random.Random) -> str:
        """Several facts about one domain, each list in one sentence."""
        words = self.slots(rng)
        count = rng.randint(2, 4)
        return " ".join(expand(form, words, rng) for form in rng.sample(self.forms["list"], count))

    def question(self, rng: random.Random) -> str:
        """A question about a scene and a fluent answer that says little."""
        words = self.slots(rng)
        vague = rng.sample(self.forms["vague"], rng.randint(3, 5))
        sentences = [expand(form, words, rng) for form in vague]
        if rng.random() < 0.4:
            sentences.append(self.say(rng.choice(("arch", "sensor")), words, rng))
        ask, reply = self.say("question", words, rng), " ".join(sentences)
        return rng.choice(_LAYOUTS).format(q=ask, a=reply)
