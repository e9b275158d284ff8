"""Sentence grammars: `[a|b]` is a choice (it may nest), `{slot}` is filled in."""

from __future__ import annotations

import random
import re
from pathlib import Path

HERE = Path(__file__).parent
Sections = dict[str, list[str]]
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aei]|o(?!ne)|umbr)")


def sections(name: str) -> Sections:
    """Read `name`: lines under `# heading`, empty lines left out."""
    found: Sections = {}
    heading = ""
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            heading = line[2:].strip()
            found.setdefault(heading, [])
        elif line.strip():
            found[heading].append(line.strip())
    return found


def rows(name: str) -> list[list[str]]:
    """Read `name`: one row a line, cells split at `|`."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line.strip()]


def expand(template: str, slots: dict[str, str], rng: random.Random) -> str:
    """One sentence of the template, spaces tidied, first letter upper case.

    Raises KeyError when the template names a slot that is not given.
    """
    while match := _CHOICE.search(template):
        choice = rng.choice(match[1].split("|"))
        template = template[: match.start()] + choice + template[match.end() :]
    sentence = re.sub(r" +", " ", template.format(**slots)).strip()
    return upper_first(_ARTICLE.sub(r"\1n ", sentence))


def upper_first(sentence: str) -> str:
    """The sentence with an upper-case first letter, the rest untouched."""
    return sentence[:1].upper() + sentence[1:]
