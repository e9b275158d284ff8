"""JSON that may stand in a page and in a script: no part of it can end either."""

from __future__ import annotations

import json
import re

# "<", ">" and "&" end or comment out a <script> of a page; U+2028 and U+2029 ended lines in old
# JavaScript; half of a surrogate pair has no UTF-8
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def json_text(value: object) -> str:
    r"""A value as JSON on one line, with what HTML or JavaScript might misread as ``\uXXXX``.

    Raises ValueError for NaN and infinities, which JSON does not know, and TypeError for objects.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
