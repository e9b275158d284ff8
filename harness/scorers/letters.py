"""Reading which choice a generated answer names.

From the surest sign to the weakest; the first kind of sign that is there decides, and if signs of
that kind name different choices, the answer is unreadable:

1. the first line is a letter and nothing else: `B`, `(B)`, `**B**.`
2. a final answer: "Final answer: B", `\\boxed{B}`
3. a verdict: "Answer: B", "The answer is (B).", "the correct option is B", "B is correct"
4. the whole answer is the text of one choice
5. a choice marker: the answer begins "B) ..." or "B. ...", or has "(B)", "option B",
   "I choose B", "so B" in it
6. the text of exactly one choice stands in the answer, and not after "not"

A letter counts only if nothing follows that makes it a word of the sentence ("Answer: A network
...", "B-tree", "C++"), unless what follows is the text of that very choice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from harness.records import LETTERS

Answer = Literal["letter", "text"]

MARKUP = r"[\s*_`\"'“(\[{$]*"
# what may stand after a letter that is meant as a letter
AFTER = (
    r"(?=[*_`\"”)\]}$]*(?:\s*$|\s*\n|[.,:;!?](?!\w)|[。，：；！？]|[)\]}]|\s+[-–—(]"
    r"|\s+(?:because|since|as|is|for|due)\b))"
    r"(?!\W*(?:,|/|&|\band\b|\bor\b)\W*(?-i:[A-Z])\b)"
)
LONG_RUN = re.compile(r"[\s*_`\"'“(\[{$#:=-]{9,}")  # would cost the patterns below too much time
FINAL = (
    r"final\s+(?:answer|choice|option)\s*(?:is|:|=|-)*\s*:?",
    r"\\boxed\{(?:\\(?:text|textbf|mathrm|mathbf)\{)?",
)
VERDICT = (
    r"\b(?:answer|letter|(?:correct|right|best|true)\s+(?:one|choice|option|response))"
    r"[*_]*(?:\s*[:=]|\s+(?:is|would be|should be|must be|will be))[*_]*\s*:?"
    r"\s*(?:the\s+)?(?:letter|option|choice|answer)?\s*:?",
    r"\banswer\s*(?=[(\[*])",
    r"(?m:^)[#*\s]*answer[*_:\s]*\n",
    r"答案\s*(?:是|为)?\s*[:：]?",
)
VERDICT_AFTER = (
    r"\s*(?:is|must be|would be)\s+(?:the\s+)?(?:correct|right|true|best|answer)\b(?!\s+to\b\s*no)"
)
MARKER = (
    r"\A",
    r"\b(?:option|choice|letter)\b",
    r"\bI(?:'d| would| will|'ll)?\s+(?:choose|pick|select|say|guess|think|believe|go\s+with)"
    r"(?:\s+(?:that\s+)?(?:it\s+is|it's|is))?(?:\s+(?:the\s+)?(?:option|choice|letter|answer))?",
    r"\b(?:so|thus|hence|therefore),?",
    r"\A(?:it|that)(?:['’]s|\s+is)",
)


def find_choice(text: str, choices: Sequence[str], answer: Answer | None = None) -> str | None:
    """The letter of the choice that a generated answer names, or None if it cannot be read.

    ``answer`` says what was asked for: of "letter" the words of choices do not count (4 and 6
    above), of "text" the letters do not.
    """
    text = LONG_RUN.sub(_shorter, unicodedata.normalize("NFC", text)).strip()
    letters = LETTERS[: len(choices)]
    if not text or not letters:
        return None
    first_line = re.fullmatch(
        rf"{MARKUP}([{letters}{letters.lower()}])[\s*_`\"'”)\]}}$.,:;!]*", text.split("\n", 1)[0]
    )
    if first_line and answer != "text":
        return first_line[1].upper()
    finals, verdicts, markers = _patterns(letters)
    readers: tuple[tuple[Answer, Callable[[], set[str]]], ...] = (
        ("letter", lambda: set(_named(finals, text, choices))),
        ("letter", lambda: set(_named(verdicts, text, choices))),
        ("text", lambda: {letter for letter, plain in _plain(choices) if plain == _words(text)}),
        ("letter", lambda: set(_named(markers, text, choices))),
        ("text", lambda: set(_contained(text, choices))),
    )
    for kind, read in readers:
        if answer is not None and kind != answer:
            continue
        found = read()
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _shorter(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else " "


@lru_cache(maxsize=64)
def _patterns(letters: str) -> tuple[tuple[re.Pattern[str], ...], ...]:
    """Finals, verdicts, markers; each pattern's group 1 is a letter."""
    any_case = f"([{letters}{letters.lower()}])"
    flags = re.IGNORECASE
    letter = rf"{MARKUP}(?<![A-Za-z0-9_]){any_case}\b"
    finals = [re.compile(lead + letter, flags) for lead in FINAL]
    verdicts = [re.compile(lead + letter, flags) for lead in VERDICT]
    # without a word in front only a capital letter is a letter
    verdicts.append(re.compile(rf"(?<![\w'’-])([{letters}])[*_`\"”)\]]*(?i:{VERDICT_AFTER})"))
    markers = [re.compile(lead + letter, flags) for lead in MARKER]
    markers.append(re.compile(rf"[(\[]{any_case}[)\]]"))
    markers.append(re.compile(rf"(?<![\w(\[])([{letters}])\)"))
    return tuple(finals), tuple(verdicts), tuple(markers)


_AFTER = re.compile(AFTER, re.IGNORECASE)


def _named(patterns: Sequence[re.Pattern[str]], text: str, choices: Sequence[str]) -> Iterator[str]:
    """Letters that the patterns find and that are meant as letters."""
    for pattern in patterns:
        for found in pattern.finditer(text):
            letter = found[1].upper()
            rest = text[found.end(1) :]
            whole = found.end() > found.end(1)  # the pattern has looked at what follows
            follows = {name for name, own in _plain(choices) if _starts_with(_words(rest), own)}
            if letter in follows or whole or _AFTER.match(rest):
                yield letter
            elif follows and not re.match(r"(?i:a)\s+\w", text[found.start(1) :]):
                # "B Paris", where Paris is A; but "a dog" is an article and a choice
                yield from {letter, *follows}


def _words(text: str) -> str:
    """Words of a text, folded, one space apart, so that punctuation does not matter."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    kept = (
        char if char.isalnum() or unicodedata.category(char)[0] in "MS" else " " for char in folded
    )
    return " ".join("".join(kept).split())


def _starts_with(text: str, words: str) -> bool:
    return f"{text} ".startswith(f"{words} ")


def _plain(choices: Sequence[str]) -> list[tuple[str, str]]:
    """(letter, words) of the choices that have words."""
    pairs = [(LETTERS[index], _words(choice)) for index, choice in enumerate(choices)]
    return [(letter, words) for letter, words in pairs if words]


def _contained(text: str, choices: Sequence[str]) -> Iterator[str]:
    """Letters of choices whose text stands in the answer, longest first.

    What one choice has covered is gone for the shorter ones: "dark red" does not say "red".
    """
    rest = f" {_words(text)} "
    for letter, words in sorted(_plain(choices), key=lambda pair: -len(pair[1])):
        found = re.compile(rf"(?<= )(?<!not )(?<! t ){re.escape(words)}(?= )")
        if found.search(rest):
            yield letter
        rest = re.sub(rf"(?<= ){re.escape(words)}(?= )", "\x00", rest)
