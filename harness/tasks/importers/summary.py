"""An import in words: how many of what, what was left out and why, where it is now."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import shown as shown_path
from harness.tasks.importers.importing import Imported, Wanted
from harness.tasks.importers.registry import TASKS
from harness.tasks.importers.source import Record
from harness.tasks.rows import shown

EXAMPLES = 3  # of each reason
MAX_CLASSES = 20


def told(wanted: Wanted, done: Imported) -> Iterator[str]:
    """The lines to print."""
    parts = dict.fromkeys(record.part for record in done.records)
    for part in parts:
        records = [record for record in done.records if record.part == part]
        name = f"{wanted.name}-{part}" if part else wanted.name
        yield f"{name}: {_count(len(records), 'record')} from {shown_path(wanted.root)}"
        yield from _table(records)
    yield from (f"note: {note}" for note in done.notes)
    if len(done.left):
        yield "left out:"
        for reason, found in done.left.found.items():
            some = ", ".join(shown(what, 80) for what in found[:EXAMPLES])
            yield f"  {len(found):,} x {reason}: {some}{', ...' if len(found) > EXAMPLES else ''}"
    yield _media(done)
    verb = "is up to date:" if done.written.current else "wrote"
    for file, count in done.written.lines.items():
        yield f"{verb} {shown_path(file.absolute())} ({_count(count, 'line')})"
    yield from _runs(wanted, done)


def _runs(wanted: Wanted, done: Imported) -> Iterator[str]:
    """How the tasks that come with the harness are asked over these rows."""
    yield "to run what comes with the harness on it (or change `data:` in a task file of your own):"
    for part in dict.fromkeys(record.part for record in done.records):
        name = f"{wanted.name}-{part}" if part else wanted.name
        splits = [record.split for record in done.records if record.part == part]
        split = "test" if "test" in splits else next((s for s in splits if s != "train"), splits[0])
        rows = wanted.to / "data" / f"{name}.jsonl"
        settings = [f"data.path={_value(rows)}", f"data.media_root={_value(done.media_root)}"]
        settings += [f"data.split={split}"] if split != "test" else []
        words = " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
        for task in TASKS[name]:
            yield f"  harness run {task} -m MODEL --allow-outside {words}"


def _value(path: Path) -> str:
    """A path as the value of a setting, where a comma would part it."""
    text = str(path.absolute())
    return json.dumps(text, ensure_ascii=False) if "," in text else text


def _table(records: Sequence[Record]) -> Iterator[str]:
    splits = list(dict.fromkeys(sorted(record.split for record in records)))
    cells = Counter((record.label, record.split) for record in records)
    totals = Counter(record.label for record in records)
    labels = sorted(label for label in totals if label)
    if len(labels) > MAX_CLASSES:
        labels = [label for label, _ in totals.most_common(MAX_CLASSES) if label]
    rows = [["class", *splits]] if labels else [["", *splits]]
    rows += [[shown(name, 40), *(f"{cells[name, s]:,}" for s in splits)] for name in labels]
    rest = [name for name in totals if name and name not in labels]
    if rest:
        others = [f"{sum(cells[name, s] for name in rest):,}" for s in splits]
        rows.append([f"... {len(rest)} more", *others])
    rows.append(["all", *(f"{sum(r.split == s for r in records):,}" for s in splits)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for first, *others in rows:
        numbers = "".join(f"  {cell:>{w}}" for cell, w in zip(others, widths[1:], strict=True))
        yield f"  {first:<{widths[0]}}{numbers}"


def _media(done: Imported) -> str:
    size = "" if done.media_bytes is None else f", {done.media_bytes / 1e6:,.1f} MB"
    where = shown_path(done.media_root)
    return f"media: {_count(done.files, 'file')}{size}; their paths are relative to {where}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
