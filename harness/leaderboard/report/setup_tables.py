"""What was asked of whom: the tasks and the models of a report, as their runs keep them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.collect.yamlio import parse
from harness.leaderboard.report.choosing import Chosen
from harness.leaderboard.report.evidence import Evidence, bare
from harness.leaderboard.report.paper import PaperTable, listed, plain
from harness.results.answers import task_label
from harness.results.render import Record

HASH = 12


def tasks_table(evidence: Evidence) -> PaperTable:
    """Every task with its version, size, first metric, licence and what it asks."""
    firsts = {one.key[:2]: bare(one.info.name) for one in evidence.primary}
    rows, records = [], []
    seen: set[tuple[str, str]] = set()
    for one in evidence.cells:
        if one.place in seen:
            continue
        seen.add(one.place)
        said = _spec(one, "task", one.cell.task)
        record: Record = {
            "task": one.cell.task,
            "variant": one.cell.variant,
            "version": one.cell.task_version,
            "samples": one.cell.samples,
            "answers_each": one.cell.completions,
            "first_metric": firsts.get(one.place, ""),
            "metrics": ", ".join(info.name for info in one.cell.scorers if not info.criterion),
            "licence": _word(said, "licence"),
            "description": _word(said, "description"),
            "data_hash": one.cell.data_hash,
        }
        records.append(record)
        words = [task_label(*one.place), str(one.cell.task_version), str(one.cell.samples)]
        words += [str(record[name]) for name in ("first_metric", "licence", "description")]
        rows.append(plain(*words))
    return PaperTable(
        name="tasks",
        caption="The tasks",
        columns=("task", "version", "samples", "first metric", "licence", "what it asks"),
        align="lrrllp",
        groups=[rows],
        records=records,
    )


def models_table(evidence: Evidence) -> PaperTable:
    """Every model: how it was run, and the fingerprint of its weights."""
    rows, records = [], []
    for name in evidence.models:
        runs = [one.side.run for one in evidence.cells if one.cell.model == name]
        infos = [info for run in runs for info in run.manifest.models if info.model == name]
        chosen = next(one for one in evidence.cells if one.cell.model == name)
        card = _spec(chosen, "model", name)
        parts = [dict.fromkeys(getattr(info, key) for info in infos) for key in ("dtype", "device")]
        prints = dict.fromkeys(info.fingerprint for info in infos)
        record: Record = {
            "model": name,
            "baseline": evidence.baselines.get(name, ""),
            "adapter": listed(dict.fromkeys(info.adapter for info in infos)),
            "base": Path(_word(card, "base")).name,
            "lora": "yes" if _word(card, "lora") else "no",
            "quantize": _word(card, "quantize") or "none",
            "dtype": listed(filter(None, parts[0])),
            "device": listed(filter(None, parts[1])),
            "weights": listed(prints),
        }
        records.append(record)
        words = [str(record[key]) for key in list(record)[:-1]]
        rows.append(plain(*words, listed(one[:HASH] for one in prints)))
    columns = ("model", "baseline", "adapter", "base", "LoRA", "quantized", "dtype", "device")
    return PaperTable(
        name="models",
        caption="The models",
        columns=(*columns, "weights"),
        align="lllllllll",
        groups=[rows],
        records=records,
        notes=[f"Weights: the first {HASH} digits of their fingerprint; CSV has all of it."],
    )


def _spec(chosen: Chosen, kind: str, name: str) -> Mapping[str, object]:
    """A spec as the run keeps it; empty if it does not, or cannot be read today."""
    for spec in chosen.side.run.manifest.specs:
        if (spec.kind, spec.name) == (kind, name):
            document, _ = parse(Path(spec.path), spec.text)
            return document.data if document else {}
    return {}


def _word(spec: Mapping[str, object], key: str) -> str:
    value = spec.get(key)
    return value if isinstance(value, str) else ""
