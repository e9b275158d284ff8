"""Whether a text, in place of a verdict, says that there will be none."""

from __future__ import annotations

import re

from harness.judges.base import Refused

MAX_REFUSAL = 600  # characters; a text that says more than that it will not is something else
_REFUSAL = re.compile(
    r"\W*(?:(?:i['’]?m|i am|we['’]?re|we are)?\s*(?:very |so |truly )?sorry|i apologi[sz]e"
    r"|unfortunately)?[\s,.;:!—-]*(?:but,? |as an ai[^,.]{0,40},? |however,? ){0,3}"
    r"(?:i|we)(?:['’]m| am|['’]re| are)?\s+"
    r"(?:can['’]?t|can ?not|could ?n['’]t|unable to|not able to|won['’]?t|will not|must decline to"
    r"|have to decline to|decline to|refuse to|not (?:comfortable|allowed|permitted))\b",
    re.IGNORECASE,
)


def check_refusal(text: str) -> None:
    """Raise Refused for a short text that says it will not judge, in English; pass all others."""
    if len(text) <= MAX_REFUSAL and "{" not in text and _REFUSAL.match(text):
        raise Refused(f"refused: {' '.join(text.split())[:200]}")
