"""Stored scores of a cell as arrays, and those of several cells cut to the samples all have.

A run may hold 100,000 samples and more: nothing here walks over them in Python but to name them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import StoreError, shown
from harness.records import Sample
from harness.results.arrays import numbers_of, places_of, values_of
from harness.results.manifest import CellRecord
from harness.results.metrics import STATUS, SampleScores, ScoreArrays, averaged
from harness.results.questions import questions
from harness.results.run import ScorerInfo
from harness.results.store import RunReader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Aligned:
    """One metric on several sides; entry i of every array belongs to sample ``ids[i]``."""

    info: ScorerInfo
    ids: list[str]
    sides: tuple[SampleScores, ...]
    clusters: list[str | None]


def read_scores(
    run: RunReader, cell: CellRecord, infos: Sequence[ScorerInfo]
) -> dict[str, SampleScores]:
    """The scores of these scorers on a cell, samples in the order of their ids: results must not
    depend on the order in which a run was stored. What was read once is remembered with the run.
    Raises StoreError as ``RunReader.table`` does, and if a corpus metric has no statistics."""
    known = run.scores
    missing = [info for info in infos if (cell.cell, info.name) not in known]
    if missing:
        for name, found in _read_scores(run, cell, missing).items():
            known[cell.cell, name] = found
    return {info.name: known[cell.cell, info.name] for info in infos}


def _read_scores(
    run: RunReader, cell: CellRecord, infos: Sequence[ScorerInfo]
) -> dict[str, SampleScores]:
    import numpy as np

    detailed = any(info.aggregate != "mean" for info in infos)
    columns = ["sample", "scorer", "value", "control", "status", *(["detail"] if detailed else [])]
    table = run.table("scores", columns, {"cell": cell.cell})
    names, sample = _codes(table.column("sample"))
    scorers, scorer = _codes(table.column("scorer"))
    words, word = _codes(table.column("status"))
    status = np.array([STATUS[one] for one in words], dtype=np.int8)[word]
    value, control = (_floats(table.column(name)) for name in ("value", "control"))
    places = {name: i for i, name in enumerate(scorers)}
    found = {}
    for info in infos:
        at = np.flatnonzero(scorer == places.get(info.name, -1))
        ids, place = _present(names, sample[at])
        detail = np.zeros((len(at), 0))
        if info.aggregate != "mean":
            detail = _rows(table.column("detail").take(places_of(at)))
            if not _fits(info, detail) and bool((status[at] == STATUS["ok"]).any()):
                what = f"scores of {info.name} hold no statistics of {info.aggregate}"
                raise StoreError(f"{shown(run.path)}: is damaged: {what}")
        rows = ScoreArrays(ids, place, value[at], control[at], detail, status[at])
        found[info.name] = averaged(rows)
    return found


def read_clusters(run: RunReader, cell: CellRecord, ids: Sequence[str]) -> list[str | None]:
    """The cluster of each sample of a cell; None where it stands alone."""
    known = clusters_of(run, cell)
    return [known.get(sample) for sample in ids]


def _by_question(
    run: RunReader, cell: CellRecord, ids: Sequence[str], known: Sequence[str | None]
) -> list[str | None]:
    """The clusters, and for samples that stand alone the question that they are a rotation of."""
    where = {"task": cell.task, "variant": cell.variant}
    table = run.table("samples", ["sample", "input", "target", "choices", "row"], where)
    samples = [
        Sample(
            one["sample"],
            one["input"],
            one["target"],
            tuple(one["choices"] or ()),
            row=json.loads(one["row"]) if one["row"] else {},
        )
        for one in table.to_pylist()
    ]
    named = questions(samples)
    return [named.get(name) if own is None else own for name, own in zip(ids, known, strict=True)]


def clusters_of(run: RunReader, cell: CellRecord) -> dict[str, str | None]:
    """Sample -> its cluster; those that stand alone may be missing."""
    where = {"task": cell.task, "variant": cell.variant}
    table = run.table("samples", ["sample", "cluster"], where)
    clusters = table.column("cluster")
    if clusters.null_count == len(clusters):
        return {}
    return dict(zip(table.column("sample").to_pylist(), clusters.to_pylist(), strict=True))


def read_sides(
    sides: Sequence[tuple[RunReader, CellRecord]], infos: Sequence[ScorerInfo]
) -> list[dict[str, SampleScores]]:
    """Each side's scores by scorer; a side that stands there twice is read once."""
    known: dict[tuple[str, str], dict[str, SampleScores]] = {}
    names = [(str(run.path), cell.cell) for run, cell in sides]
    for name, (run, cell) in zip(names, sides, strict=True):
        if name not in known:
            known[name] = read_scores(run, cell, infos)
    return [known[name] for name in names]


def align(
    first: tuple[RunReader, CellRecord],
    infos: Sequence[ScorerInfo],
    scores: Sequence[Mapping[str, SampleScores]],
) -> list[Aligned]:
    """Each metric on the samples that all sides have, in the order of the ids.

    The clusters are those of the first side.
    """
    found: list[Aligned] = []
    plain: list[str | None] = []
    for info in infos:
        ids, sides = _common([of_side[info.name] for of_side in scores])
        circular = info.aggregate == "circular"
        if found and found[-1].ids == ids and not circular:  # as they mostly are
            clusters = plain
        else:
            clusters = plain = read_clusters(*first, ids)
        if circular:
            clusters = _by_question(*first, ids, plain)
        found.append(Aligned(info, ids, sides, clusters))
    return found


def _common(scores: Sequence[SampleScores]) -> tuple[list[str], tuple[SampleScores, ...]]:
    first = scores[0].ids
    if all(one.ids == first for one in scores):
        return first, tuple(scores)
    ids = sorted(set(first).intersection(*(one.ids for one in scores[1:])))
    return ids, tuple(_picked(one, ids) for one in scores)


def _picked(scores: SampleScores, ids: Sequence[str]) -> SampleScores:
    places = {sample: i for i, sample in enumerate(scores.ids)}
    return scores.take([places[sample] for sample in ids])


def _codes(column: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """The distinct texts of a column in order, and for each row its place among them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # no rows
        return [], np.zeros(0, dtype=np.intp)
    order = pc.sort_indices(whole.dictionary)
    rank = np.empty(len(order), dtype=np.intp)
    rank[numbers_of(order)] = np.arange(len(order))
    codes = numbers_of(whole.indices)
    return values_of(whole.dictionary.take(order)), rank[codes]


def _present(names: list[str], codes: Ints) -> tuple[list[str], Ints]:
    """Those of the names that occur, and the codes among them."""
    import numpy as np

    seen = np.zeros(len(names), dtype=bool)
    seen[codes] = True
    if seen.all():
        return names, codes
    return [names[i] for i in np.flatnonzero(seen)], (np.cumsum(seen) - 1)[codes]


def _floats(column: pa.ChunkedArray) -> Floats:
    """Numbers with nan for null."""
    return numbers_of(column)


def _fits(info: ScorerInfo, detail: Floats) -> bool:
    """Whether rows have the length that ``harness.results.corpus`` tells of."""
    width = int(detail.shape[1])
    if info.aggregate == "chrf":
        return width > 0 and width % 3 == 0
    return width == (10 if info.aggregate == "bleu" else 2)


def _rows(column: pa.ChunkedArray) -> Floats:
    """Lists of one length as the rows of a matrix; an empty list, of a sample that failed, is a
    row of zeros. Lists of several lengths are no matrix: it has no columns."""
    import numpy as np
    import pyarrow.compute as pc

    sizes = np.nan_to_num(numbers_of(pc.list_value_length(column))).astype(np.intp)
    width = int(sizes.max(initial=0))
    if ((sizes != 0) & (sizes != width)).any():
        width = 0
    found = np.zeros((len(sizes), width))
    if width:
        found[sizes > 0] = numbers_of(pc.list_flatten(column)).reshape(-1, width)
    return found
