"""How the answers of two cells were asked for: settings that make other answers of one model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from harness.collect.core_schema import read_scalar
from harness.collect.yamlio import get_in, parse
from harness.records import GenerateSettings
from harness.results.manifest import CellRecord
from harness.results.mismatch import Stored
from harness.results.store import RunReader

SETTING = re.compile(r"\bgenerate\.(\w+)=([^\s,]+)")
Settings = Mapping[str, object]


def asked_differently(sides: tuple[Stored, Stored]) -> list[str]:
    """Generation settings in which two cells of one task differ, one a line.

    A seed is none: other draws of the same model are still its own. Nothing is said of a run that
    does not keep its task, or whose task cannot be read today.
    """
    if sides[0][1].task_hash == sides[1][1].task_hash:
        return []
    left, right = (_generate(*side) for side in sides)
    return [
        f"{name} {left[name]} and {right[name]}"
        for name in left
        if name in right and name != "seed" and left[name] != right[name]
    ]


def seeds_differ(sides: tuple[Stored, Stored]) -> str:
    """What to say of sampled answers that were drawn with other seeds; "" if they were not."""
    (first, _), (second, _) = sides
    seeds = [run.manifest.settings.get("seed", "") for run in (first, second)]
    sampled = any(_generate(*side).get("temperature") for side in sides)
    if seeds[0] == seeds[1] or not sampled:
        return ""
    return f"sampled with seeds {seeds[0] or '(none)'} and {seeds[1] or '(none)'}"


def _generate(run: RunReader, cell: CellRecord) -> Settings:
    texts = [s.text for s in run.manifest.specs if (s.kind, s.name) == ("task", cell.task)]
    document = parse(Path(f"{cell.task}.task.yaml"), texts[0])[0] if texts else None
    if document is None:
        return {}
    own = get_in(document.data, ("generate",))
    found: dict[str, object] = {
        **asdict(GenerateSettings()),
        **(own if isinstance(own, dict) else {}),
    }
    for text in (run.manifest.settings.get("set", ""), cell.variant):
        found |= {key: read_scalar(value) for key, value in SETTING.findall(text)}
    return {key: list(v) if isinstance(v, (list, tuple)) else v for key, v in found.items()}
