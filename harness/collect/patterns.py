"""A task's regular expressions: the language of Python's `re`, matched by an engine that can stop.

`re` cannot be given a time limit, and `^(a|aa)+$` on sixty letters outlives its user. The package
`regex` has one. Where the two read the same text differently, the text is rewritten, so that what
is found is what `re` finds; only their editions of Unicode differ.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

WORD = r"\p{L}\p{N}_"  # re's \w is str.isalnum() and "_"; regex also takes combining marks
NOT_WORD = r"\p{M}\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}\p{S}\p{Z}\p{C}‿-⁀⁔︳-︴﹍-﹏＿"
SPACE = r"\s\x1c-\x1f"  # re's \s is str.isspace(), which has four separators more
NOT_SPACE = r"\x00-\x08\x0e-\x1b\x21-\x84\x86-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027"
NOT_SPACE += r"\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\U0010ffff"
IN_SET = {"w": WORD, "W": NOT_WORD, "s": SPACE, "S": NOT_SPACE}
OUTSIDE = {
    "w": f"[{WORD}]",
    "W": f"[^{WORD}]",
    "s": f"[{SPACE}]",
    "S": f"[^{SPACE}]",
    "b": f"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))",
    "B": f"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))",
}
_TOKEN = re.compile(
    r"(?P<escape>\\(?:N\{[^}]*\}|.))|(?P<repeat>\{(?=[\d,])(?P<least>\d*)(?P<rest>(?:,\d*)?)\})"
    r"|(?P<scoped>\(\?[a-zA-Z]*-?[a-zA-Z]*:)|(?P<comment>\(\?\#[^)]*\))|(?P<note>\#[^\n]*)|(?P<open>\[\^?\]?)|(?P<other>.)",
    re.DOTALL,
)


def compile_pattern(text: str) -> regex.Pattern[str]:
    """The pattern, ready to be searched with ``timeout=`` seconds.

    Raises ValueError with what is wrong, and where, if `re` would not take it.
    """
    import regex

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of sets that `re` may read otherwise
            flags = re.compile(text).flags
    except re.error as error:
        at = f" at position {error.pos + 1}" if error.pos is not None else ""
        raise ValueError(f"{error.msg}{at}") from None
    except (RecursionError, OverflowError):
        raise ValueError("nested too deeply or repeated too often") from None
    try:
        compiled: regex.Pattern[str] = regex.compile(_rewritten(text, flags), regex.VERSION0)
        return compiled
    except regex.error as error:
        raise ValueError(f"{error.msg} (it begins {text[:40]!r})") from None


def _rewritten(text: str, flags: int) -> str:
    """The same pattern in the language of `regex`; ``text`` must be one that `re` takes."""
    classes = not flags & re.ASCII  # with (?a) both engines mean the same letters
    found, at, in_set = [], 0, False
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None  # the last alternative takes any character
        kind, part = token.lastgroup, token[0]
        if in_set and kind != "escape":
            kind, part = "member", text[at]  # in a set, all but "\" and "]" stand for themselves
        elif kind == "note" and not flags & re.VERBOSE:
            kind, part = "other", text[at]
        at += len(part)
        if kind == "escape" and classes:
            found.append((IN_SET if in_set else OUTSIDE).get(part[1], part))
        elif kind == "member":
            in_set = part != "]"
            found.append("\\[" if part == "[" else part)  # regex has [[:alpha:]]
        elif kind == "open":
            in_set = True
            found.append(part.replace("]", "\\]"))
        elif kind == "scoped" and set(part) & set("aux"):
            what = f"'{part}' sets a flag for a part of the pattern"
            raise ValueError(f"{what}: of a, u and x only the whole can have one")
        elif kind == "repeat":
            found.append("{" + (token["least"] or "0") + token["rest"] + "}")
        elif part == "{":  # regex has a{e<=1}: a, give or take a letter
            found.append("\\{")
        else:
            found.append(part)
    return "".join(found)
