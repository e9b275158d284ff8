"""What was asked, as data scripts: which samples are shown, and a thousand texts in each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.leaderboard.gather import SAMPLE_COLUMNS, BoardCell
from harness.leaderboard.jsontext import json_text
from harness.leaderboard.names import short_hash
from harness.leaderboard.scripts import script
from harness.leaderboard.texts import Texts
from harness.results.arrays import values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARD = 1000
"""Samples in one script."""
MOST_TITLES = 5000
TITLE = 100
MOST_TARGETS, LONGEST_TARGET = 30, 40
"""Different references, and characters in one, up to which samples can be chosen by them."""
KNOWN = ("id", "input", "target", "choices", "split", "media")
"""Columns of a row that the page shows anyhow, if they are called so."""


@dataclass(frozen=True)
class Shown:
    """The samples of a bench as the site numbers them; ``kept`` are those with texts, sorted, or
    None for all."""

    key: str
    ids: tuple[str, ...]
    kept: tuple[int, ...] | None = None

    @property
    def count(self) -> int:
        """All samples."""
        return len(self.ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """Sample -> its number."""
        return {sample: number for number, sample in enumerate(self.ids)}

    @cached_property
    def positions(self) -> NDArray[np.int_]:
        """A sample's place among those that have texts, -1 for the others."""
        import numpy as np

        if self.kept is None:
            return np.arange(self.count)
        found = np.full(self.count, -1)
        found[list(self.kept)] = np.arange(len(self.kept))
        return found

    @property
    def shards(self) -> int:
        """Scripts that hold the texts."""
        return -(-(self.count if self.kept is None else len(self.kept)) // SHARD)

    @property
    def stamp(self) -> str:
        """What determines the scripts of cells beside their own data."""
        return self.key if self.kept is None else f"{self.key}:{short_hash(str(self.kept))}"


@dataclass(frozen=True)
class SampleTexts:
    """The samples of a bench, column by column."""

    shown: Shown
    columns: dict[str, list[Any]]


def read_samples(cell: BoardCell) -> SampleTexts:
    """The samples that a cell was asked, all of them kept."""
    where = {"task": cell.record.task, "variant": cell.record.variant}
    table = cell.run.table("samples", SAMPLE_COLUMNS, where)
    columns = {
        name: [value for chunk in table.column(name).chunks for value in values_of(chunk)]
        for name in SAMPLE_COLUMNS
    }
    return SampleTexts(Shown(cell.samples, tuple(columns["sample"])), columns)


def keep(count: int, wanted: Sequence[int], most: int | None, seed: str) -> tuple[int, ...] | None:
    """Which samples have texts: all ``wanted`` (failures, disagreements), then others up to
    ``most`` in an order that depends on nothing but ``seed``; None for all."""
    if most is None or count <= most:
        return None
    chosen = set(wanted)
    others = (i for i in range(count) if i not in chosen)
    by_chance = sorted(others, key=lambda i: short_hash(f"{seed}/{i}"))
    found = tuple(sorted([*chosen, *by_chance[: max(0, most - len(chosen))]]))
    return None if len(found) == count else found


def index_script(found: SampleTexts, texts: Texts) -> bytes:
    """``index.js``: the ids, and what a list of samples shows beside them."""
    shown, columns = found.shown, found.columns
    clusters = columns["cluster"]
    titles = None
    if shown.count <= MOST_TITLES:
        titles = [" ".join(texts.clean(text).split())[:TITLE] for text in columns["input"]]
    value = {
        "n": shown.count,
        "ids": list(shown.ids),
        "titles": titles,
        "clusters": clusters if any(one is not None for one in clusters) else None,
        "kept": None if shown.kept is None else list(shown.kept),
        "targets": _targets(columns, texts),
        "split": columns["split"][0] if columns["split"] else "",
    }
    return script(f"samples/{shown.key}", value)


def _targets(columns: dict[str, list[Any]], texts: Texts) -> list[str | None] | None:
    """The reference of every sample where these are classes to choose from: letters of choices, or
    few and short ones; else None."""
    targets = columns["target"]
    few = set(targets) if len(targets) <= MOST_TITLES else set()
    if not few or not (any(columns["choices"]) or len(few) <= MOST_TARGETS):
        return None
    return texts.all(targets) if max(map(len, few)) <= LONGEST_TARGET else None


def sample_scripts(
    found: SampleTexts, texts: Texts, media: Sequence[Sequence[dict[str, Any]]] | None
) -> Iterator[tuple[str, bytes]]:
    """``0001.js`` and so on: (name, content). ``media[i]`` are the pictures of sample i."""
    shown = found.shown
    places = range(shown.count) if shown.kept is None else shown.kept
    for number in range(1, shown.shards + 1):
        rows = places[(number - 1) * SHARD : number * SHARD]
        value = _part(found.columns, rows, texts)
        if media is not None and any(media[i] for i in rows):
            value["media"] = [
                [{**one, "name": texts.clean(one["name"])} for one in media[i]] for i in rows
            ]
        yield f"{number:04d}.js", script(f"samples/{shown.key}/{number}", value)


def _part(columns: dict[str, list[Any]], rows: Sequence[int], texts: Texts) -> dict[str, Any]:
    value: dict[str, Any] = {"i": list(rows), "id": [columns["sample"][i] for i in rows]}
    for name in ("input", "target"):
        value[name] = texts.all([columns[name][i] for i in rows])
    choices = [texts.all(columns["choices"][i] or ()) for i in rows]
    clusters = [columns["cluster"][i] for i in rows]
    others = [_others(columns, i, texts) for i in rows]
    optional = {"choices": choices, "cluster": clusters, "row": others}
    return value | {name: found for name, found in optional.items() if any(found)}


def _others(columns: dict[str, list[Any]], i: int, texts: Texts) -> dict[str, Any] | None:
    """The columns of the source row that the page would not show anyhow."""
    try:
        row = json.loads(columns["row"][i] or "{}", parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    seen = (columns["input"][i], columns["target"][i])
    kept = {k: v for k, v in row.items() if k not in KNOWN and not (v in seen and k != "context")}
    try:
        found: dict[str, Any] = texts.inside(kept)
        json_text(found)
    except (ValueError, RecursionError):  # 1e999, or lists in lists in lists
        return None
    return found
