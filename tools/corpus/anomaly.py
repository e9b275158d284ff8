"""Prose about video anomaly detection: which sensors, models and limits go with which scene."""

from __future__ import annotations

import json
import random
import re
from typing import TypedDict

from corpus.grammar import HERE, Sections, expand, sections, upper_first

Words = dict[str, str]


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


class Pair(TypedDict):
    """One row of vad_approach."""

    domain: str
    question: str
    approach: str


class Fit(TypedDict):
    """What suits one anomaly, best first."""

    sensors: list[str]
    architectures: list[str]
    fusion: list[str]
    cue: str
    confusion: str
    sign: str


_VERBS = ("runs ", "keeps ", "survives ", "works ")
_CLAUSE = (" may ", " are ", " stays ", " confirm ", " flies ", " move ", " is ")
_LIMITS = (
    ("limit_verb", _VERBS),
    ("limit_robust", ("robust ",)),
    ("limit_alarm", ("alarm within", "an alarm within")),
    ("limit_latency", ("latency ",)),
    ("limit_data", ("few ", "only normal data")),
    ("limit_scarce", ("no ", "only a ", "a link ", "less than ", "solar power ")),
)
"""Which kind of sentence a limit fits into, by how it begins; clauses are found before."""
_MODELS = (
    ("normal", ("autoencoder", "predictor", "flow on", "PatchCore", "teacher", "PointNet")),
    ("tracks", ("ByteTrack", "graph attention")),
    ("weak", ("MIL ",)),
)
"""How a model is trained, by a word of its name; any other is trained on acted events."""
_VAGUE = ("{q} {a}", "{q}\n{a}", "User: {q}\nAssistant: {a}") + ("Question: {q}\n{h}: {a}",) * 9
"""How a question and its vague answer stand together."""
_PLANS = (
    "Planned for {place}: {a}",
    "Design against {anomaly}: {a}",
    *(f"{word}: {{q}}\n{{h}}: {{a}}" for word in ("Problem", "Task", "Request", "Case")),
)
_HEADINGS = (
    "Answer",
    "System",
    "Design",
    "Plan",
    "Proposal",
    "Comment",
    "Thoughts",
    "Remark",
    "Opinion",
    "Attempt",
    "Notes",
    "Idea",
    "Reply",
    "Method",
    "Solution",
    "Advice",
)
"""Headings of vague answers and of systems alike, so that what stands before the question decides;
never the heading of the task."""
WRITTEN = 0.5
"""Share of the sentences of a system that come from train pairs."""
_JOINING = {"a", "an", "the", "in", "on", "at", "of", "under", "to", "with", "from", "through"}
WRITTEN = 0.5
"""Share of the sentences of a system that come from train pairs."""
BEST = 0.7
"""How often the best of what suits an anomaly comes first; else the second best does."""


def of(pair: Pair, entry: Entry) -> bool:
    """Whether the pair speaks of the entry's domain."""
    return pair["domain"] == entry["domain"]


def bare(name: str) -> str:
    """The name in lower case without its article."""
    return re.sub("^(a|an|the) ", "", name.lower())


def content_words(text: str) -> list[str]:
    """Lower-case words without the small ones that join the others."""
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [word for word in found if word not in _JOINING]


def head_noun(place: str) -> str:
    """The word that decides between `in` and `on`."""
    return re.split(r" (?:at|through|of) ", place)[0].split()[-1]


def limit_kind(limit: str) -> str:
    """Which kind of sentence the limit fits into."""
    begins = [kind for kind, starts in _LIMITS if limit.startswith(starts)]
    if begins[:1] == ["limit_verb"]:
        return "limit_verb"
    if any(word in limit for word in _CLAUSE):
        return "limit_clause"
    return begins[0] if begins else "limit_noun"


def limit_clause(limit: str) -> str:
    """The limit as a clause with subject and verb."""
    kind = limit_kind(limit)
    if kind == "limit_clause":
        return limit
    words = {
        "limit_verb": "the model",
        "limit_robust": "it must be",
        "limit_scarce": "there is",
        "limit_data": "there is" if "data" in limit else "there are",
    }
    return f"{words.get(kind, 'we need')} {limit}"


def model_kind(model: str) -> str:
    """How the model is trained: the section of sentences that speak of it."""
    return next((k for k, names in _MODELS if any(n in model for n in names)), "acted")


class AnomalyProse:
    """Documents about the glossary's scenes."""

    def __init__(self, pairs: list[Pair]) -> None:
        """`pairs`: train pairs of vad_approach, whose sentences are used again for other scenes."""
        text = (HERE / "vad_glossary.json").read_text(encoding="utf-8")
        self.glossary: list[Entry] = json.loads(text)
        text = (HERE / "vad_fits.json").read_text(encoding="utf-8")
        self.fits = json.loads(text)
        self.forms: Sections = sections("anomaly.txt")
        self.written = {
            entry["domain"]: [self.reusable(pair, entry) for pair in pairs if of(pair, entry)]
            for entry in self.glossary
        }
        self.prepositions = {
            noun: kind
            for kind in ("in", "on")
            for line in self.forms[f"preposition {kind}"]
            for noun in line.split()
        }

    def slots(self, rng: random.Random) -> Words:
        """Words for one document, all of one scene."""
        entry = rng.choice(self.glossary)
        place, anomaly = rng.choice(entry["places"]), rng.choice(entry["anomalies"])
        known = self.fits[entry["domain"]]
        fit: Fit = known["anomalies"][anomaly]
        words = {
            "domain": entry["domain"],
            "place": place,
            "in": self.preposition(place),
            "anomaly": anomaly,
            "staff": known["staff"],
            "cue": fit["cue"],
            "confusion": fit["confusion"],
            "sign": fit["sign"],
            "limit": rng.choice(entry["limits"]),
            "measure": rng.choice(entry["measures"]),
        }
        words["limitclause"] = limit_clause(words["limit"])
        words |= numbered("sensor", suited(fit["sensors"], entry["sensors"], rng))
        words |= numbered("arch", suited(fit["architectures"], entry["architectures"], rng))
        words |= numbered("fusion", suited(fit["fusion"], entry["fusion"], rng))
        words |= numbered("anomaly", [anomaly, *others(anomaly, entry["anomalies"], rng)])
        words |= numbered("place", [place, *others(place, entry["places"], rng)])
        return words

    def scenes(self, questions: list[str]) -> set[tuple[str, str]]:
        """Place and anomaly, without articles, where a question has all words of both."""
        asked = [set(content_words(question)) for question in questions]
        return {
            (bare(place), bare(anomaly))
            for entry in self.glossary
            for place in entry["places"]
            for anomaly in entry["anomalies"]
            if any({*content_words(place), *content_words(anomaly)} <= words for words in asked)
        }

    def preposition(self, place: str) -> str:
        """`in`, `on` or `at`, by the head noun of the place."""
        return self.prepositions.get(head_noun(place), "at")

    def say(self, role: str, words: Words, rng: random.Random) -> str:
        """One sentence of the role."""
        if role == "arch":
            role = model_kind(words["arch"])
        elif role == "limit":
            role = limit_kind(words["limit"])
        return expand(rng.choice(self.forms[role]), words, rng)

    def reusable(self, pair: Pair, entry: Entry) -> list[str]:
        """The sentences of an approach, with slots where they name its place or its anomaly."""
        text = pair["approach"]
        for slot, names in (("place", entry["places"]), ("anomaly", entry["anomalies"])):
            for name in names:
                text = re.sub(
                    rf"\b(?:a|an|the|each) {re.escape(bare(name))}\b", f"{{{slot}}}", text
                )
        return re.split(r"(?<=[.?!]) (?=[A-Z0-9{])", text)

    def system(self, words: Words, rng: random.Random) -> str:
        """Sensor, model, fusion, limit: always in this order, so that greedy text never circles.

        Half of the sentences stood, for a scene of the same domain, in a train pair.
        """
        parts = ["sensor", "arch", "fusion", "limit"]
        if rng.random() < 0.3:
            parts = ["arch", "sensor", "fusion", "limit"]
        said = []
        for position, part in enumerate(parts):
            if rng.random() < WRITTEN:
                sentences = rng.choice(self.written[words["domain"]])
                form = sentences[min(position, len(sentences) - 1)]
                said.append(upper_first(form.format(**words)))
            else:
                said.append(self.say(part, words, rng))
        return " ".join(said)

    def detailed(self, rng: random.Random) -> str:
        """A scene, then a system for it."""
        words = self.slots(rng)
        return f"{self.say('opening', words, rng)} {self.system(words, rng)}"

    def plan(self, rng: random.Random) -> str:
        """A system under a heading or after a question."""
        words = self.slots(rng)
        ask = self.say("question", words, rng)
        heading = rng.choice(_HEADINGS)
        text = rng.choice(_PLANS).format(q=ask, h=heading, a=self.system(words, rng), **words)
        return upper_first(text)

    def overview(self, rng: random.Random) -> str:
        """Several facts about one domain, each list in one sentence."""
        words = self.slots(rng)
        count = rng.randint(2, 4)
        return " ".join(expand(form, words, rng) for form in rng.sample(self.forms["list"], count))

    def question(self, rng: random.Random) -> str:
        """A question about a scene and a fluent answer that says little."""
        words = self.slots(rng)
        roles = ["vague1", "vague2", "vague3"]
        reply = " ".join(self.say(role, words, rng) for role in roles)
        ask = self.say("question", words, rng)
        return rng.choice(_VAGUE).format(q=ask, h=rng.choice(_HEADINGS), a=reply)


def numbered(name: str, values: list[str]) -> Words:
    """`name`, `name2`, `name3`: the values."""
    return {name if i == 1 else f"{name}{i}": value for i, value in enumerate(values, start=1)}


def others(taken: str, values: list[str], rng: random.Random) -> list[str]:
    """Two other values."""
    return rng.sample([value for value in values if value != taken], 2)


def suited(best: list[str], values: list[str], rng: random.Random) -> list[str]:
    """Three of the values, mostly those that suit, the best first."""
    order = list(best)
    if rng.random() > BEST:
        order.reverse()
    return order + rng.sample([value for value in values if value not in order], 1)
