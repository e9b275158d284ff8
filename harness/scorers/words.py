"""Text -> words, in the two ways that overlap metrics use."""

from __future__ import annotations

import unicodedata
from functools import cache

JOINERS = "\u200c\u200d"  # inside words of Persian and of Indic scripts


class RougeTable(dict[int, int]):
    """Maps each character to itself or to a space, as the rouge-score package's pattern says."""

    def __missing__(self, code: int) -> int:
        from rouge_score.tokenize import NON_ALPHANUM_RE

        self[code] = ord(" ") if NON_ALPHANUM_RE.match(chr(code)) else code
        return self[code]


_ROUGE_TABLE = RougeTable()


def rouge_words(text: str) -> list[str]:
    """The tokens of the rouge-score package without stemming: runs of a-z and 0-9.

    Everything else is a separator, so "résumé" is "r", "sum" and Hindi has no words at all; see
    `unicode_words`.
    """
    return text.lower().translate(_ROUGE_TABLE).split()


@cache
def _spaced(char: str) -> str:
    """The character as it stands among words: itself, a space, or a word of its own."""
    if unicodedata.name(char, "").startswith(("CJK ", "HIRAGANA ", "KATAKANA ")):
        return f" {char} " if char.isalnum() else " "
    word = char.isalnum() or char == "_" or char in JOINERS
    return char if word or unicodedata.category(char).startswith("M") else " "


def unicode_words(text: str, *, casefold: bool = True) -> list[str]:
    """Words of any script, after NFC: letters, digits, `_`, with their combining marks.

    Han and kana, which are written without spaces, give one word a character.
    """
    text = unicodedata.normalize("NFC", text)
    if casefold:
        text = unicodedata.normalize("NFC", text.casefold())
    table = {ord(char): _spaced(char) for char in set(text)}
    return text.translate(table).split()
