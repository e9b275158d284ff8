"""A judge's reply to the values in it; what cannot be read is never guessed.

The ladder, whose first rung that fits is recorded:

    schema     the whole text is the JSON object that was asked for
    json       the whole text, or the one fenced block it is, is a JSON object that grades
    balanced   the last JSON object in the text that speaks of the rubric grades
    tagged     a line `name: value` or a `<name>value</name>` for every criterion

A whole number in quotes is read as one; the form that was asked for is not kept to then. A text
that says in so many words that it will not judge is a refusal.

The last object, not the first: the first may be one that the judged answer brought along and the
judge quotes. For the same reason an object inside a broken one is not read, and nothing is read if
a verdict that is broken follows, or if the last verdict is better than one before it. An object or
a line that stands in the judged material itself is nobody's verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

from harness.judges.base import Unreadable
from harness.judges.refusal import check_refusal
from harness.judges.rubric import REASONING, TOTALS, Grade, Rubric
from harness.judges.strict_json import decoder as _decoder
from harness.judges.strict_json import unique
from harness.records import ParseMode

MAX_REPLY = 1_000_000  # characters; a verdict has a few thousand
MOST_ENDS = 50  # of the thinking that are looked at
MAX_TAG_LINE = 300  # characters of a line that may be `name: value`

_SPACE = re.compile(r"[ \t\r\n]*")
_BRACE = re.compile(r"[{}]")
_FENCED = re.compile(r"\s*```[A-Za-z0-9]*[ \t]*\r?\n(.*)\n[ \t]*```\s*", re.DOTALL)
_THINKING = re.compile(r"\s*<think>")
_THOUGHT = "</think>"
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_QUOTED = "the verdict stands in the judged material word for word; give your own, with reasoning"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply says: ``values`` by criterion, as JSON has them, and found to grade.

    ``starts`` are the offsets in the reply's text at which the values begin. ``stated_total`` is
    the judge's own sum, if it gave one. The flag "several_verdicts" says that an earlier object of
    the reply would have graded too, and differently. ``grade`` is what the values add up to.
    """

    values: Mapping[str, object]
    reasoning: str
    mode: ParseMode
    stated_total: object = None
    starts: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    grade: Grade | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A JSON object in a text: where it and its members' values begin, and where it ends."""

    start: int
    end: int
    members: Mapping[str, object]
    starts: Mapping[str, int]


def parse(text: str, rubric: Rubric, silent: Sequence[str] = ()) -> Parsed:
    """The verdict in a reply.

    ``silent`` are the texts that may not speak: a verdict that stands in one of them, but for
    white space, has been quoted and does not count. Raises Unreadable, with what is wrong in words
    a judge can mend it by, and Refused if it says that it will not judge.
    """
    if len(text) > MAX_REPLY:
        raise Unreadable(f"the reply has more than {MAX_REPLY:,} characters")
    start = _after_thinking(text)
    if not text[start:].strip():
        raise Unreadable("the reply is empty")
    told = [_bare(each) for each in silent if "{" in each]
    for decoder in (_decoder(strict=True), _decoder(strict=False)):
        found = _whole(text, start, decoder)
        if found is not None:
            if _quoted(found[0], text, told):
                raise Unreadable(_QUOTED)
            exact = decoder.strict and found[1]
            return _parsed(found[0], rubric, "schema" if exact else "json")
    objects = _Objects.of(text, start, rubric)
    own = [each for each in objects.verdicts if not _quoted(each, text, told)]
    if parsed := _balanced(text, start, rubric, objects, own):
        return parsed
    try:
        return _tagged(text, start, rubric, silent)
    except Unreadable:
        if objects.verdicts:
            raise Unreadable(_QUOTED) from None
        check_refusal(text[start:])
        raise


def _quoted(found: Found, text: str, told: Sequence[str]) -> bool:
    """Whether an object of a text stands in others, which are `_bare`, as well."""
    return bool(told) and any(_bare(text[found.start : found.end]) in each for each in told)


def _bare(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


def _after_thinking(text: str) -> int:
    """Where the reply begins; drafts of a verdict in a model's thinking are none.

    That is after the first end of the thinking behind which there is one JSON object and nothing
    else, or after the last end.
    """
    if not _THINKING.match(text):
        return 0
    ends = [match.end() for match in islice(re.finditer(_THOUGHT, text), MOST_ENDS)]
    if not ends:
        raise Unreadable("the reply ends before the thinking does")
    for end in ends:  # the mark may stand in the reasoning of the reply, too
        if any(_whole(text, end, _decoder(strict=strict)) for strict in (True, False)):
            return end
    return text.rfind(_THOUGHT) + len(_THOUGHT)


def _parsed(found: Found, rubric: Rubric, mode: ParseMode) -> Parsed:
    """The verdict that an object is; raises Unreadable if it is none."""
    members = found.members
    values, starts = {name: members[name] for name in rubric.names if name in members}, {}
    for name, value in values.items():
        starts[name] = found.starts[name]
        if name in rubric.scores and isinstance(value, str) and _WHOLE.fullmatch(value):
            values[name], starts[name] = int(value), starts[name] + 1
            mode = "json" if mode == "schema" else mode
    total = next((members[key] for key in TOTALS if key in members and key not in values), None)
    grade = rubric.grade(values, total)
    reasoning = members.get(REASONING, "")
    if mode == "schema" and not (
        isinstance(reasoning, str) and set(members) == {REASONING, *rubric.names}
    ):
        mode = "json"
    return Parsed(values, _clean(reasoning), mode, total, starts, grade=grade)


def _clean(reasoning: object) -> str:
    """Text that can be written as UTF-8: JSON may escape half a character."""
    return _SURROGATE.sub("\ufffd", reasoning) if isinstance(reasoning, str) else ""


# --------------------------------------------------------------------------- JSON


def _whole(text: str, start: int, decoder: json.JSONDecoder) -> tuple[Found, bool] | None:
    """The object that is the whole text, and whether it stands there without a fence."""
    fenced = _FENCED.fullmatch(text, start)
    at, end = fenced.span(1) if fenced else (start, len(text))
    at = _skip(text, at)
    if text[at : at + 1] != "{":
        return None
    try:
        found = _object_at(text, at, decoder)
    except ValueError:
        return None
    return (found, fenced is None) if not text[found.end : end].strip() else None


def _object_at(text: str, start: int, decoder: json.JSONDecoder) -> Found:
    """The JSON object that begins at a brace; raises ValueError if none does."""
    pairs, starts = list[tuple[str, object]](), dict[str, int]()
    try:
        at = _skip(text, start + 1)
        while text[at : at + 1] != "}":
            if pairs:
                at = _skip(text, _expect(text, at, ","))
            _expect(text, at, '"')
            key, at = decoder.raw_decode(text, at)
            at = _skip(text, _expect(text, _skip(text, at), ":"))
            value, end = decoder.raw_decode(text, at)
            pairs.append((key, value))
            starts[key] = at
            at = _skip(text, end)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    return Found(start, at + 1, unique(pairs), starts)


def _expect(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"malformed JSON: '{sign}' expected")
    return at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


@dataclass(frozen=True, slots=True)
class _Objects:
    """The JSON objects of a text that speak of a rubric, and why the last that is none is none."""

    verdicts: list[Found]
    why: str

    @classmethod
    def of(cls, text: str, start: int, rubric: Rubric) -> _Objects:
        objects, why = _objects(text, start)
        return cls([x for x in objects if any(name in x.members for name in rubric.names)], why)


def _balanced(
    text: str, start: int, rubric: Rubric, objects: _Objects, own: Sequence[Found]
) -> Parsed | None:
    """The last of the judge's ``own`` verdicts; None if there is none.

    Raises Unreadable if something like a verdict, and broken, follows the last of all.
    """
    rest = text[objects.verdicts[-1].end :] if objects.verdicts else text[start:]
    if any(re.search(rf'"{re.escape(name)}"\s*:', rest) for name in rubric.names):
        raise Unreadable(objects.why or "malformed JSON")
    if not own:
        return None
    last = _parsed(own[-1], rubric, "balanced")
    others = [found for found in own[:-1] if _differs(found, last, rubric)]
    return replace(last, flags=("several_verdicts",)) if others else last


def _differs(found: Found, last: Parsed, rubric: Rubric) -> bool:
    """Whether an earlier object is a verdict as well, and another one.

    Raises Unreadable unless it is the better one, which the judge may have quoted.
    """
    try:
        earlier = _parsed(found, rubric, "balanced")
    except Unreadable:
        return False
    if earlier.values == last.values:
        return False
    values = [rubric.grade(each.values).value for each in (earlier, last)]
    if rubric.pairwise or values[0] <= values[1]:
        raise Unreadable("the reply holds verdicts that differ; give one JSON object, nothing else")
    return True


def _objects(text: str, start: int) -> tuple[list[Found], str]:
    """All JSON objects that stand in no other brace, and why the last that is none is none.

    A brace that opens no object is counted until it closes, so that what a broken object holds
    (a text that is quoted without escapes, say) is not taken for a verdict of its own.
    """
    objects, why, depth, at = list[Found](), "", 0, start
    decoder = _decoder(strict=False)
    while brace := _BRACE.search(text, at):
        at = brace.end()
        if brace[0] == "}":
            depth = max(0, depth - 1)
            continue
        if depth == 0:
            try:
                objects.append(_object_at(text, brace.start(), decoder))
                at = objects[-1].end
                continue
            except json.JSONDecodeError as error:
                why = f"malformed JSON: {error.msg}"
            except ValueError as error:
                why = str(error)
        depth += 1
    return objects, why


# --------------------------------------------------------------------------- tagged text


def _tagged(text: str, start: int, rubric: Rubric, silent: Sequence[str] = ()) -> Parsed:
    """A value for every criterion out of lines and tags; two that differ are none."""
    values, starts = dict[str, object](), dict[str, int]()
    highest = {each.name: each.max for each in rubric.criteria}
    quoted = False
    for name in rubric.names:
        planted = {_scalar(word.casefold()) for each in silent for word in _spoken(each, name)}
        for at, word, of in _tags(text, start, name):
            if _scalar(word.casefold()) in planted:
                quoted = True
                continue
            if of is not None and of != highest.get(name):
                raise Unreadable(f"'{name}' is given out of {of}, not {highest.get(name)}")
            value = _scalar(word)
            if name in values and values[name] != value:
                raise Unreadable(f"'{name}' is given twice, and differently")
            values[name], starts[name] = value, at
    if quoted and len(values) < len(rubric.names):
        raise Unreadable(_QUOTED)
    if not values:
        raise Unreadable("the reply holds no JSON object")
    totals = [
        _scalar(w) for key in TOTALS if key not in values for _, w, _ in _tags(text, start, key)
    ]
    total = totals[-1] if totals else None
    grade = rubric.grade(values, total)
    return Parsed(values, _clean(_told(text, start)), "tagged", total, starts, grade=grade)


def _tags(text: str, start: int, name: str) -> Iterator[tuple[int, str, int | None]]:
    """Where a name has a value in a text: offset, the value's word, the scale's end if told."""
    line, tag = _patterns(name)
    for found in tag.finditer(text, start):
        yield found.start(1), found[1], None
    at = start
    for each in text[start:].splitlines(keepends=True):
        match = line.fullmatch(each.rstrip()) if len(each) <= MAX_TAG_LINE else None
        if match:
            yield at + match.start(1), match[1], int(match[2]) if match[2] else None
        at += len(each)


_WORD = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?|[A-Za-z]{1,9}"
_MARK, _GAP = r"[*_`]{0,3}", r"[ \t]{0,9}"  # bounded, so that no line takes long


def _spelt(name: str) -> str:
    return re.escape(name).replace("_", "[_ -]")


def _spoken(text: str, name: str) -> Iterator[str]:
    """The words that a text gives a name, in a line of its own or in the middle of one."""
    _, tag = _patterns(name)
    for pattern in (tag, _within(name)):
        yield from (found[1] for found in pattern.finditer(text))


@lru_cache(maxsize=256)
def _within(name: str) -> re.Pattern[str]:
    mark, gap, spelt = _MARK, _GAP, _spelt(name)
    tail = rf"{mark}{gap}[:=：]{mark}{gap}{mark}({_WORD})"
    return re.compile(rf"(?<![A-Za-z0-9]){spelt}{tail}", re.IGNORECASE)


@lru_cache(maxsize=256)
def _patterns(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    word, mark, gap, spelt = _WORD, _MARK, _GAP, _spelt(name)
    line = rf"[ \t>#*•-]{{0,9}}(?:[0-9]{{1,2}}[.)]{gap})?{mark}{spelt}{mark}{gap}[:=：]{mark}{gap}"
    line += rf"{mark}({word}){mark}(?:{gap}/{gap}([0-9]{{1,9}}))?{mark}{gap}[.,;]?"
    tag = rf"<{spelt}>\s*({word})\s*</{spelt}>"
    return re.compile(line, re.IGNORECASE), re.compile(tag, re.IGNORECASE)


def _scalar(word: str) -> object:
    """A number where the word is one."""
    if not word[-1].isdigit():
        return word
    return float(word) if "." in word else int(word)


_TOLD = re.compile(r"[ \t>#*_-]{0,9}reasoning[*_ \t]{0,9}[:=：][*_ \t]{0,9}(\S.*)", re.IGNORECASE)


def _told(text: str, start: int) -> str:
    """The reasoning of a tagged reply, if it is tagged as well."""
    opening, closing = f"<{REASONING}>", f"</{REASONING}>"
    begin = text.find(opening, start)
    end = text.find(closing, begin) if begin >= 0 else -1
    if end >= 0:
        return text[begin + len(opening) : end].strip()
    lines = (_TOLD.match(line) for line in text[start:].splitlines())
    return next((match[1].strip() for match in lines if match), "")
