"""Manifests that were edited: what is wrong is told in one line, wherever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StoreError
from harness.results.baseline_tables import KEPT
from harness.results.manifest import FILE_NAME, NEEDED
from harness.results.pairs import CompareOptions, Side, pair_cells
from harness.results.run import ScorerInfo
from harness.results.store import read_run

Store = Callable[..., Path]


@pytest.fixture
def edited(store: Store, cell) -> Callable[..., Path]:
    """A run of two models whose manifest has another value at one place."""

    def make(value: object, *place: str | int) -> Path:
        infos = {"m": ScorerInfo("m", kind="number", low=0.0, high=1.0)}
        values = {"m": [0.1, 0.2, 0.3]}
        path = store(cell("a", values=values, infos=infos), cell("b", values=values, infos=infos))
        body: Any = json.loads((path / FILE_NAME).read_text())
        inner = body
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        (path / FILE_NAME).write_text(json.dumps(body))
        return path

    return make


SCORER = ("cells", 0, "scorers", 0)


@pytest.mark.parametrize(
    ("value", "place", "said"),
    [
        ("foo", (*SCORER, "aggregate"), "cells[0].scorers[0].aggregate is 'foo', not mean, bleu"),
        ("a", (*SCORER, "low"), "cells[0].scorers[0].low is 'a', not a number"),
        (float("nan"), (*SCORER, "low"), "it holds NaN, which is no number"),
        (float("inf"), (*SCORER, "high"), "it holds Infinity, which is no number"),
        (["m"], (*SCORER, "name"), "name is a list, not text"),
        ("no", (*SCORER, "higher_is_better"), "higher_is_better is 'no', not true or false"),
        ("share", (*SCORER, "kind"), "kind is 'share', not proportion or number"),
        (["x"], ("cells", 0, "variant"), "cells[0].variant is a list, not text"),
        ("3", ("cells", 0, "samples"), "cells[0].samples is '3', not a whole number"),
        ({}, ("cells",), "cells is an object, not a list"),
        ("x", ("cells", 0), "cells[0] is no object"),
        ("model", ("kind",), "kind is 'model', not run or baseline"),
        ("baseline", ("kind",), "it does not say what it is a baseline of"),
        ([], ("parts",), "parts has no samples.parquet"),
        (None, ("models",), "models is None, not a list"),
        (3, ("settings",), "settings is 3, not an object"),
    ],
)
def test_a_value_of_another_kind_is_told_with_its_place(
    edited: Callable[..., Path], value: object, place: tuple[str | int, ...], said: str
) -> None:
    path = edited(value, *place)
    with pytest.raises(StoreError) as caught:
        read_run(path)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_numbers_too_large_and_lists_too_deep(edited: Callable[..., Path]) -> None:
    path = edited(0.5, *SCORER, "low")
    file = path / FILE_NAME
    body = file.read_text()
    file.write_text(body.replace('"low": 0.5', '"low": 1e999'))
    with pytest.raises(StoreError, match="low is inf, not a finite number"):
        read_run(path)
    file.write_text("[" * 100_000)
    with pytest.raises(StoreError, match="is damaged: not JSON"):
        read_run(path)


def test_a_part_outside_the_folder_is_none(edited: Callable[..., Path]) -> None:
    part = {"file": "../x.parquet", "rows": 1, "bytes": 1, "sha256": ""}
    path = edited(0.0, *SCORER, "low")
    body = json.loads((path / FILE_NAME).read_text())
    (path / FILE_NAME).write_text(json.dumps({**body, "parts": [*body["parts"], part]}))
    with pytest.raises(StoreError, match="no file of this folder"):
        read_run(path)


def test_a_corpus_metric_without_statistics_is_damaged(edited: Callable[..., Path]) -> None:
    run = read_run(edited("bleu", *SCORER, "aggregate"))
    options = CompareOptions(collect_reasons=True)
    with pytest.raises(StoreError, match="scores of m hold no statistics of bleu"):
        pair_cells(Side(run, "a"), Side(run, "b"), options)


def test_a_baseline_needs_the_tables_that_it_keeps() -> None:
    assert NEEDED["baseline"] == KEPT
