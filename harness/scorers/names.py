"""Finding names of a closed list in an answer: form errors, exercises.

A name is found however it is spelt: `knee_valgus`, "Knee-valgus", "knees valgus" and "kneevalgus"
are one, and so are "push-up", "push ups" and "pushups"; each word may be singular or plural. Where
names overlap the longer one counts: "jump squats" does not say "squats". Words between those of a
name are not bridged ("valgus of the knee" says nothing), nor are synonyms.

A mention is denied, after NegEx (Chapman et al. 2001), if

- a word such as no, not, without, never, isn't stands before it, at most five words away and with
  neither a comma nor another name nor the end of the clause between;
- or the mention before it is denied, and between the two stand nothing but commas and "or", "nor",
  "and", "any", "no": "no knee valgus, forward lean or poor alignment" denies three;
- or it is followed by ": no", "is absent", "was not ..." and the like.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REACH = 5
"""Words between a denial and what it denies."""
_WORD = re.compile(r"[^\W_]+")
_DENIAL = (
    r"(?:no|not(?!\s+(?:only|just)\b)|none|without|never|neither|nor|lacks?|lacking|cannot"
    r"|absent|absence of|free of|free from|zero|[a-z]+n't)"
)
_BEFORE = re.compile(
    rf"(?<![^\W_]){_DENIAL}(?![^\W_'])(?:[\s\-\"(]+[^\W_]+){{0,{REACH}}}[\s\-\"(*]*\Z"
)
_AFTER = re.compile(
    r"[\"'*`)\] \t]*(?:[:=]|is|are|was|were|has|have)?[\"'*` \t]*(?:been\s+|be\s+)?"
    r"(?:(?:not(?!\s+(?:only|just)\b)|never|absent|avoided|[a-z]+n't)(?![^\W_])"
    r"|(?<=[:= \"])(?:no|none|false)[\"'*`]?[ \t]*(?=[.,;)\]}\n]|\Z))"
)
_LIST = re.compile(r"(?:[ \t,/\"'*`\-]|(?:or|nor|and|any|no)(?![^\W_]))*")
_CLAUSE = re.compile(
    r"[.!?;:,\n]|(?<![^\W_])(?:but|however|although|though|yet|while|whereas|instead|except)(?![^\W_])"
)
_LOOKBACK = 200  # characters; more than five words and a denial


def plain(text: str) -> str:
    """The text as names are looked for in it: folded, `_` a space, one sort of apostrophe."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return text.replace("_", " ").replace("’", "'").replace("‐", "-").replace("‑", "-")


def singular(word: str) -> str:
    """A plural's singular, roughly; good for telling whether two spellings are one name."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def spelt(name: str) -> str:
    """A name's words in lower case with `_` between: its label, unless it has another spelling."""
    return "_".join(_WORD.findall(plain(name)))


def key_of(name: str) -> str:
    """What all spellings of a name have in common; empty if it has no word."""
    return "".join(singular(word) for word in _WORD.findall(plain(name)))


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of the list in an answer; ``start`` is the place in the plain text."""

    label: str
    start: int
    denied: bool


class Names:
    """A list of names; a name's label is its words in lower case with `_` between.

    Of two spellings of one name the first by alphabet is the label, so labels do not depend on
    the order of the names. ``gerunds`` also finds "squatting" for "squats".
    """

    def __init__(self, names: Iterable[str], *, gerunds: bool = False) -> None:
        labels: dict[str, str] = {}
        for label in sorted({spelt(name) for name in names} - {""}):
            labels.setdefault(key_of(label), label)
        self._labels = labels
        parts = [(key, _pattern(label, gerunds)) for key, label in labels.items()]
        parts.sort(key=lambda part: (-len(part[1]), part[0]))
        self._keys = [key for key, _ in parts]
        choices = "|".join(f"({pattern})" for _, pattern in parts)
        self._found = re.compile(rf"(?<![^\W_])(?:{choices})(?![^\W_])") if parts else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted(self._labels.values()))

    def label(self, name: str) -> str | None:
        """The label of a name that stands alone; None if it is none of the list."""
        return self._labels.get(key_of(name))

    def mentions(self, text: str) -> list[Mention]:
        """All names in an answer, in its order."""
        return list(self._mentions(plain(text)))

    def _mentions(self, text: str) -> Iterator[Mention]:
        end, denied = -1, False
        for found in self._found.finditer(text) if self._found else ():
            start = found.start()
            listed = end >= 0 and _LIST.fullmatch(text, end, start) is not None
            before = text[max(0, end, start - _LOOKBACK) : start]
            denied = (denied and listed) or _is_denied(before, text, found.end())
            end = found.end()
            key = self._keys[(found.lastindex or 1) - 1]
            yield Mention(self._labels[key], start, denied)


def _is_denied(before: str, text: str, end: int) -> bool:
    """Whether a mention that ends at ``end`` is denied by what is before or right after it."""
    clause = _CLAUSE.split(before)[-1]
    return _BEFORE.search(clause) is not None or _AFTER.match(text, end) is not None


def _pattern(label: str, gerunds: bool) -> str:
    """Finds the spellings of a label in plain text."""
    words = label.split("_")
    forms = [_forms(word, gerunds and at == len(words) - 1) for at, word in enumerate(words)]
    return r"[\s\-]{0,3}".join(forms)


def _forms(word: str, gerund: bool) -> str:
    stem = singular(word)
    found = {word, stem, stem + "s", stem + "es"}
    if stem.endswith("y"):
        found.add(stem[:-1] + "ies")
    if gerund and len(stem) > 2:
        found |= {stem + "ing", stem + stem[-1] + "ing", stem.removesuffix("e") + "ing"}
    longest = sorted(found, key=lambda form: (-len(form), form))
    return f"(?:{'|'.join(map(re.escape, longest))})"
