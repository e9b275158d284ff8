"""The data scripts of a site, group by group: what has not changed is not written again."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.leaderboard.answers import (
    CellTables,
    answer_scripts,
    cell_tables,
    score_script,
    values_of_column,
)
from harness.leaderboard.classes import is_choice
from harness.leaderboard.downloads import run_files
from harness.leaderboard.folder import FORMAT, SiteFolder
from harness.leaderboard.frames_seen import Looks, looks_of, times_of
from harness.leaderboard.gather import Bench, Board, BoardCell
from harness.leaderboard.keeping import disagreements, failures
from harness.leaderboard.media import Pictures, file_stamp
from harness.leaderboard.names import short_hash
from harness.leaderboard.posters import BUDGET, Posters, look_id, strip_files, wanted
from harness.leaderboard.samples import (
    SampleTexts,
    Shown,
    index_script,
    keep,
    read_samples,
    sample_scripts,
)
from harness.leaderboard.scripts import finite
from harness.leaderboard.texts import Texts
from harness.results.manifest import FILE_NAME
from harness.results.store import RunReader

SCHEMA = 1
"""Of the data scripts, for the pages that read them."""


@dataclass
class DataFiles:
    """Writes the data of a board. ``most`` is how many samples of a task keep their texts."""

    board: Board
    site: SiteFolder
    texts: Texts
    most: int | None = None
    home: tuple[Path, ...] = ()
    pictures: Pictures = field(default_factory=Pictures)
    posters: Posters = field(default_factory=Posters)
    changed: list[str] = field(default_factory=list)
    """Runs whose data were written."""
    shown: dict[str, Shown] = field(default_factory=dict)
    strips: dict[tuple[str, str], str] = field(default_factory=dict)
    """Run and cell -> the folder of the frames that were seen in it."""

    def write(self) -> None:
        """All samples, then all runs. Raises StoreError for a damaged run, or a full disk."""
        cells: dict[str, list[BoardCell]] = {}
        for cell in self.board.past:
            cells.setdefault(cell.samples, []).append(cell)
        looks = {look_id(c.samples, one) for c in self.board.past if (one := looks_of(c))}
        self.posters.share = BUDGET // max(1, len(looks))
        for group in cells.values():
            found = self._write_samples(group)
            self._write_strips(group, found)
        for run in self.board.runs:
            self._write_run(run)

    def kept(self, run: RunReader, task: str, variant: str) -> Collection[str] | None:
        """The samples of a run's task with texts; None for all."""
        for cell in self.board.past:
            if cell.run is run and cell.place[:2] == (task, variant):
                shown = self.shown[cell.samples]
                return None if shown.kept is None else {shown.ids[i] for i in shown.kept}
        return None

    def _write_samples(self, cells: list[BoardCell]) -> SampleTexts:
        key = cells[0].samples
        found = read_samples(cells[0])
        if self.most is not None and found.shown.count > self.most:
            wanted = failures(cells, found.shown) | disagreements(cells, found.shown)
            kept = keep(found.shown.count, sorted(wanted), self.most, key)
            found = SampleTexts(Shown(key, found.shown.ids, kept), found.columns)
        self.shown[key] = found.shown
        pictures = self.pictures.of(cells[0], found)
        stamp = _stamp(found.shown.stamp, self.texts.words, self.pictures.stamp(pictures))
        if not self.site.keep(f"samples/{key}", stamp):
            folder = cells[0].samples_folder
            files = _below(folder, _sample_files(found, self.texts, pictures.entries))
            self.site.write(f"samples/{key}", stamp, [*files, *pictures.files])
        return found

    def _write_strips(self, cells: list[BoardCell], found: SampleTexts) -> None:
        """Frames of videos, once for all cells that saw the same samples in the same way."""
        groups: dict[Looks, list[BoardCell]] = {}
        for cell in cells:
            if any(found.columns["media"]) and (looks := looks_of(cell)) is not None:
                groups.setdefault(looks, []).append(cell)
        for looks, own in groups.items():
            root = self.pictures.roots.get(own[0].record.task)
            files = wanted(found, root, looks)
            if not files:
                continue
            name = look_id(found.shown.key, looks)
            self.strips |= {(c.run.run_id, c.record.cell): f"data/posters/{name}" for c in own}
            seen = times_of(own)
            paths = sorted({path for i in files for path in found.columns["media"][i]})
            there = [[path, *file_stamp(root, path)] for path in paths]
            words = [self.texts.words, self.posters.share, sorted(seen.items())]
            stamp = _stamp(found.shown.stamp, name, there, *words)
            if not self.site.keep(f"posters/{name}", stamp):
                strips = self.posters.of(found, files, looks, seen)
                made = strip_files(name, found.shown, strips, self.texts)
                self.site.write(f"posters/{name}", stamp, made)

    def _write_run(self, run: RunReader) -> None:
        cells = [cell for cell in self.board.past if cell.run is run]
        manifest = short_hash((run.path / FILE_NAME).read_bytes().decode("utf-8", "replace"), 32)
        shown = [self.shown[cell.samples].stamp for cell in cells]
        stamp = _stamp(manifest, self.texts.words, shown)
        if self.site.keep(f"runs/{run.run_id}", stamp):
            return
        run.verify()
        self.site.write(f"runs/{run.run_id}", stamp, self._run_files(run, cells))
        self.changed.append(run.run_id)

    def _run_files(self, run: RunReader, cells: list[BoardCell]) -> Iterator[tuple[str, bytes]]:
        for tables in cell_tables(run, cells):
            cell = tables.cell
            shown = self.shown[cell.samples]
            yield f"{cell.folder}/scores.js", self._scores(tables)
            yield from _below(cell.folder, answer_scripts(tables, shown, self.texts))

        def kept(task: str, variant: str) -> Collection[str] | None:
            return self.kept(run, task, variant)

        files = run_files(run, self.texts, kept, self.home)
        yield from _below(f"data/runs/{run.run_id}", files)

    def _scores(self, tables: CellTables) -> bytes:
        cell = tables.cell
        return score_script(cell, self.shown[cell.samples], _letters(tables), self.texts)


def _letters(tables: CellTables) -> dict[str, str]:
    """The choice that each sample was answered with first, of a task with choices."""
    names = ("scorer", "sample", "answer")
    rows = zip(*(values_of_column(tables.scores, name) for name in names), strict=True)
    found: dict[str, str] = {}
    for scorer, sample, answer in rows:
        if answer is not None and is_choice(scorer):
            found.setdefault(sample, answer)
    return found


Strips = Mapping[tuple[str, str], str]


def board_value(
    board: Board, rows: Mapping[str, Any], shown: Mapping[str, Shown], strips: Strips | None = None
) -> dict[str, Any]:
    """``board.js``: what the pages on which people dig must know of all cells."""
    cells = [cell for bench in board.benches for cell in _cells_of(bench, shown, strips or {})]
    return {"schema": SCHEMA, **rows, "cells": cells}


def _cells_of(bench: Bench, shown: Mapping[str, Shown], strips: Strips) -> Iterator[dict[str, Any]]:
    for model, cell in bench.cells.items():
        metrics = {
            name: [*map(finite, (row.value, row.low, row.high)), row.n, row.n_error + row.n_skipped]
            for name, row in cell.metrics.items()
        }
        judges = dict.fromkeys(info.judge for info in cell.record.scorers if info.judge)
        folder = strips.get((cell.run.run_id, cell.record.cell))
        yield {
            "task": bench.task,
            "variant": bench.variant,
            "model": model,
            "run": cell.run.run_id,
            "dir": cell.folder,
            "samples": cell.samples_folder,
            "whole": shown[cell.samples].kept is None,
            "n": cell.record.samples,
            "metrics": metrics,
            "judges": list(judges),
            **({"posters": folder} if folder else {}),
        }


def _sample_files(
    found: SampleTexts, texts: Texts, media: list[list[dict[str, Any]]] | None
) -> Iterator[tuple[str, bytes]]:
    yield "index.js", index_script(found, texts)
    yield from sample_scripts(found, texts, media)


def _below(folder: str, files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    return ((f"{folder}/{name}", body) for name, body in files)


def _stamp(*parts: object) -> str:
    return short_hash(json.dumps([FORMAT, _code(), *parts], default=str), 32)


@functools.cache
def _code() -> str:
    """A hash of what writes data: another version of it may write others."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return short_hash("".join(file.read_text("utf-8") for file in files), 16)
