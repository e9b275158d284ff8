"""Fills a judge's form from sentence embeddings: a stand-in where no language model is at hand.

It reads no rubric. What it can see is how near texts are to each other, and every criterion is made
of three likenesses in [0, 1]:

- accuracy: the answer and the reference;
- completeness: each sentence of the reference and the nearest of the answer, in the mean;
- relevance: the answer and the question, or the reference if that is nearer.

Without a reference the question stands in its place. A cosine becomes a likeness on a straight
line between two anchors, measured with MiniLM-L6 on the bundled tasks (305 pairs): texts of
different topics have a mean cosine of 0.08, hence 0 for UNLIKE; the same text has 1, hence 1 for
SAME; references have 0.45 with their own questions and 95 % of them at most 0.7, hence 1 for ABOUT
wherever an answer is compared with a question. A criterion is the likeness times its span, rounded
half up: on 1 to 5 the steps are at cosines of 0.3, 0.5, 0.7 and 0.9.

A repeated question is as near to the question as a text can be, and says nothing. So of a sentence
that hardly has a word of its own, only those words are read, and sentences that ask are not read at
all, unless the reference does the same. An answer of which nothing is left gets the lowest grade.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from harness.adapters.embedding import DTYPE, Embedded, cosine, embed
from harness.adapters.encoder import Encoder, find_encoder
from harness.collect.specs import EmbeddingJudgeModel, ModelSpec
from harness.errors import ModelError, shown
from harness.records import Completion, Request

VERSION = 1  # raise it whenever the same texts would get another grade
BATCH = 64  # requests whose texts are embedded together
DIGITS = 4  # of a cosine; the last bits depend on which texts shared a batch
UNLIKE, ABOUT, SAME = 0.2, 0.7, 1.0
SENTENCES = 64  # of a text that are looked at one by one
NEW = 0.3  # a sentence with at least so large a share of words of its own is read whole
PASSAGE, COPIED = 40, 0.8
"""A question with more words than this brings a text to work on, and an answer may take sentences
from it, but not so large a share of all its words."""
YES = 0.5  # likeness from which a yes/no is a yes and a claim is supported
TIE = 0.02  # answers whose likenesses differ by less are equally good

MIXTURES: dict[str, tuple[float, float, float]] = {
    "completeness": (0.0, 1.0, 0.0),
    "relevance": (0.0, 0.0, 1.0),
    "faithfulness": (0.5, 0.0, 0.5),
    "practicality": (0.5, 0.5, 0.0),
    "actionability": (0.5, 0.5, 0.0),
    "root_cause": (0.5, 0.5, 0.0),
    "technical_depth": (0.5, 0.5, 0.0),
    "overall": (0.5, 0.25, 0.25),
}
"""Criterion -> its shares of accuracy, completeness and relevance; any other is accuracy alone.

Embeddings cannot see depth, practicality or a cause: there the mixture says only how much of an
answer that has them is there."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w+")
_EMPTY_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be been but by can could did do does for from had has have how i if in "
        "is it its may me of on or shall should so such that the their them then there these they "
        "this those to was we were what when where which who whom whose why will with would you "
        "your"
    )
)


class EmbeddingJudgeAdapter:
    """Answers a judge's requests with JSON of the form's schema, from `Request.material`.

    Criteria are known by the schema's property names: integers within their bounds, yes/no, lists
    of {claim, supported}, and a preference between two answers. The same material always gets the
    same reply, and a nearer text never a lower grade. Serves judges only: a request without a form
    raises ModelError.
    """

    def __init__(self, allow_code: bool = False) -> None:
        self._rows = _Rows()

    def fingerprint(self, model: ModelSpec) -> str:
        """SHA-256 of the encoder's identity and of this module's version; loads no weights."""
        parts = ["embedding judge", VERSION, _encoder(model).identity, DTYPE]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """No prompt is read: zeros."""
        return [0] * len(requests)

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """No prompt is read: None for each."""
        return [None] * len(requests)

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """One filled form a request. Raises ModelError if there is no encoder, or no form."""
        if any(request.form is None or not request.form.schema for request in requests):
            what = "fills the forms of judges and answers nothing else; name it as a judge's model"
            raise ModelError(f"{shown(model.path)}: embedding-judge {what}")
        encoder = _encoder(model)
        for start in range(0, len(requests), BATCH):
            batch, began = requests[start : start + BATCH], time.perf_counter()
            cases = [_Case.of(dict(request.material)) for request in batch]
            texts = {text for case in cases for text in case.texts()}
            embedded = embed(texts, encoder, self._rows)
            replies = [
                fill(_schema(request), case, case.likenesses(embedded), encoder.label)
                for request, case in zip(batch, cases, strict=True)
            ]
            each_ms = 1000 * (time.perf_counter() - began) / len(batch)
            yield [
                Completion(request.id, text=text, latency_ms=each_ms)
                for request, text in zip(batch, replies, strict=True)
            ]

    def close(self) -> None:
        """Forget the vectors."""
        self._rows.known.clear()


@dataclass
class _Rows:
    """Vectors of questions and references, which come back with every model's answers."""

    known: dict[bytes, bytes] = field(default_factory=dict)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: self.known[key] for key in keys if key in self.known}

    def put(self, rows: Mapping[bytes, bytes]) -> None:
        self.known.update(rows)


def _encoder(model: ModelSpec) -> Encoder:
    if not isinstance(model, EmbeddingJudgeModel):
        raise TypeError(f"{model.model} is not an embedding judge")
    return find_encoder(model.encoder, model.root)


def _schema(request: Request) -> dict[str, dict[str, Any]]:
    """The properties of the form, in its order."""
    assert request.form is not None
    properties: dict[str, dict[str, Any]] = json.loads(request.form.schema)["properties"]
    return properties


# --------------------------------------------------------------------------- texts


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text that have a word in them, the first SENTENCES."""
    parts = (part.strip() for part in _SENTENCE.split(text))
    return [part for part in parts if _WORD.search(part)][:SENTENCES]


def words(text: str) -> list[str]:
    """The words of a text that carry meaning, in small letters; all its words if none does."""
    found = [word.casefold() for word in _WORD.findall(text)]
    return [word for word in found if word not in _EMPTY_WORDS] or found


def own_sentences(answer: str, question: str, reference: str) -> list[str]:
    """What an answer says beyond its question, sentence by sentence; see the module's docstring.

    A sentence of the reference is always the answer's own.
    """
    expected = {tuple(words(sentence)) for sentence in sentences(reference)}
    asks = any(sentence.endswith(("?", "？")) for sentence in sentences(reference))
    said = [
        sentence
        for sentence in sentences(answer)
        if asks or tuple(words(sentence)) in expected or not sentence.endswith(("?", "？"))
    ]
    asked = set(words(question))
    if len(asked) > PASSAGE and len(asked & set(words(answer))) < COPIED * len(asked):
        return said
    # beginnings count as known: a model that stops in the middle of a word has no new one
    known = {word[:end] for word in asked for end in range(1, len(word) + 1)} | _EMPTY_WORDS
    expects = _new_share(reference, known) / 2 if sentences(reference) else NEW
    own = []
    for sentence in said:
        if tuple(words(sentence)) in expected or _new_share(sentence, known) >= min(NEW, expects):
            own.append(sentence)
        elif left := [word for word in words(sentence) if word not in known]:
            own.append(" ".join(left))
    return own


def _new_share(text: str, known: set[str] | frozenset[str]) -> float:
    found = set(words(text))
    return len(found - known) / len(found) if found else 0.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near one answer is, each in [0, 1]; ``claims`` are its sentences and their support."""

    accuracy: float = 0.0
    completeness: float = 0.0
    relevance: float = 0.0
    claims: tuple[tuple[str, float], ...] = ()

    def of(self, criterion: str) -> float:
        """The mixture that stands for a criterion of this name."""
        name = criterion.casefold().replace("-", "_")
        accuracy, completeness, relevance = MIXTURES.get(name, (1.0, 0.0, 0.0))
        return (
            accuracy * self.accuracy + completeness * self.completeness + relevance * self.relevance
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """The texts of one request: what is compared with what."""

    question: str
    expected: str
    """The reference, or the question if there is none."""
    same: float
    """The cosine with ``expected`` that stands for a perfect answer."""
    points: tuple[str, ...]
    """The sentences of ``expected``."""
    answers: tuple[str, ...]
    own: tuple[tuple[str, ...], ...]
    """For each answer its own sentences."""

    @classmethod
    def of(cls, material: Mapping[str, str]) -> _Case:
        """From `Request.material`: question, reference (or none), answer, answer_b (or none)."""
        question, reference = material.get("question", ""), material.get("reference") or ""
        given = [material[name] for name in ("answer", "answer_a", "answer_b") if name in material]
        own = [tuple(own_sentences(answer, question, reference)) for answer in given]
        whole = [tuple(sentences(answer)) for answer in given]
        answers = [
            answer if parts == all_parts else " ".join(parts)
            for answer, parts, all_parts in zip(given, own, whole, strict=True)
        ]
        expected, same = (reference, SAME) if _WORD.search(reference) else (question, ABOUT)
        points = tuple(sentences(expected))
        return cls(question, expected, same, points, tuple(answers), tuple(own))

    def texts(self) -> set[str]:
        """All texts whose vectors are needed."""
        if not any(self.own):
            return set()
        inner = {sentence for parts in self.own for sentence in parts}
        found = {self.question, self.expected, *self.points, *self.answers} | inner
        return {text for text in found if text.strip()}

    def likenesses(self, embedded: Embedded) -> list[Likeness]:
        """One for each answer."""
        return [
            self._likeness(answer, parts, embedded) if parts else Likeness()
            for answer, parts in zip(self.answers, self.own, strict=True)
        ]

    def _likeness(self, answer: str, parts: Sequence[str], embedded: Embedded) -> Likeness:
        said = [answer, *parts]  # a sentence may be covered by several of the answer's together
        expected = (self.expected, *self.points)

        def nearest(one: str, others: Sequence[str], same: float) -> float:
            return likeness(max(cosine(one, other, embedded) for other in others), same)

        accuracy = nearest(answer, [self.expected], self.same)
        covered = [nearest(point, said, self.same) for point in self.points]
        return Likeness(
            accuracy,
            fmean(covered) if covered else accuracy,
            max(nearest(answer, [self.question], ABOUT), accuracy),
            tuple((part, nearest(part, expected, self.same)) for part in parts),
        )


def likeness(near: float, same: float = SAME) -> float:
    """A cosine on the line from UNLIKE (0) to ``same`` (1), within [0, 1]."""
    return min(1.0, max(0.0, (round(near, DIGITS) - UNLIKE) / (same - UNLIKE)))


# --------------------------------------------------------------------------- forms


def fill(
    properties: Mapping[str, Mapping[str, Any]],
    case: _Case,
    found: Sequence[Likeness],
    encoder: str,
) -> str:
    """The form as JSON text: every property of a schema, in its order."""
    values = {
        name: _reasoning(case, found, encoder) if _is_text(shape) else _value(name, shape, found)
        for name, shape in properties.items()
    }
    return json.dumps(values, ensure_ascii=False)


def _is_text(shape: Mapping[str, Any]) -> bool:
    return shape.get("type") == "string" and "enum" not in shape


def _value(name: str, shape: Mapping[str, Any], found: Sequence[Likeness]) -> object:
    choices, first = shape.get("enum", ()), found[0] if found else Likeness()
    if shape.get("type") == "array":
        return [
            {"claim": claim, "supported": "yes" if support >= YES else "no"}
            for claim, support in first.claims or (("(no claim)", 0.0),)
        ]
    if "yes" in choices:
        return "yes" if first.of(name) >= YES else "no"
    if "tie" in choices:
        return _preferred(found)
    low = int(min(choices)) if choices else int(shape["minimum"])
    high = int(max(choices)) if choices else int(shape["maximum"])
    return low + math.floor(first.of(name) * (high - low) + 0.5)


def _preferred(found: Sequence[Likeness]) -> str:
    first, second = (each.of("overall") for each in found)
    if abs(first - second) < TIE:
        return "tie"
    return "A" if first > second else "B"


def _reasoning(case: _Case, found: Sequence[Likeness], encoder: str) -> str:
    against = "reference" if case.same == SAME else "question"
    told = [
        f"answer and {against} {each.accuracy:.2f}, {against} covered {each.completeness:.2f}, "
        f"relevance {each.relevance:.2f}"
        if parts
        else "nothing said beyond the question"
        for each, parts in zip(found, case.own, strict=True)
    ]
    return f"embedding judge, not an LLM; likeness by {encoder}: {' | '.join(told)}"
