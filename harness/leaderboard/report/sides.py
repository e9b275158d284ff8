"""Which models of which runs a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import StoreError, shown
from harness.results.pairs import Side, find_models
from harness.results.store import RunReader, passed_over, read_run, whole_runs


def find_sides(root: Path, words: Sequence[str]) -> tuple[list[Side], list[str]]:
    """The models of runs that words mean, or of all whole runs, and notes on what is left out.

    Raises StoreError if there are none, and if a run that was named is damaged.
    """
    damaged: list[str] = []
    if words:
        found = [find_models(root, text) for text in words]
    else:
        found, damaged = _sound(root)
    if not found and not damaged:
        what = "'harness run' makes one, --runs DIR names another folder"
        raise StoreError(f"no runs below {shown(root)}; {what}")
    if not found:
        raise StoreError(f"no run can be reported: {damaged[0]}")
    if words:
        for run, _ in found:
            run.verify()
    sides = {Side(run, model).name: Side(run, model) for run, models in found for model in models}
    halves = () if words else passed_over(root)
    notes = [f"{name} is not whole and was left out" for name in halves]
    return list(sides.values()), [*notes, *(f"left out: {why}" for why in damaged)]


def damaged_runs(root: Path) -> list[str]:
    """Why runs are left out of a report on all runs, a line each."""
    return _sound(root)[1]


def _sound(root: Path) -> tuple[list[tuple[RunReader, list[str]]], list[str]]:
    """All whole runs, oldest first, and why others are left out: nobody has named them."""
    found, damaged = [], []
    for path in reversed(whole_runs(root)):
        try:
            run = read_run(path)
            run.verify()
            found.append((run, run.manifest.model_names))
        except StoreError as error:
            damaged.append(str(error))
    return found, damaged
