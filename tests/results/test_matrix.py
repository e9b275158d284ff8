from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q

from harness.errors import StoreError
from harness.records import Score
from harness.results.compare import compare
from harness.results.matrix import Matrix, make_matrices
from harness.results.matrix_report import matrix_report
from harness.results.multiple import holm
from harness.results.pairs import CompareOptions, find_groups
from harness.results.render import FORMATS, render
from harness.results.run import ScorerInfo
from harness.results.store import write_run

Store = Callable[..., Path]


def spread(mean: float, n: int = 16, seed: int = 0) -> list[float]:
    return [float(x) for x in mean + np.random.default_rng(seed).normal(0, 0.02, n)]


def matrices(path: Path, *words: str, intersect: bool = False) -> tuple[list[Matrix], list[str]]:
    groups = find_groups(path.parent, words)
    return make_matrices(groups, CompareOptions(intersect=intersect))


def text(path: Path, *words: str, form: str = "table", columns: int = 100) -> str:
    return render(matrix_report(*matrices(path, *words), columns), form, columns)  # type: ignore[arg-type]


@pytest.fixture
def three(store: Store, cell) -> Path:
    """A model that is better than two that are alike."""
    means = {"plain": 0.4, "other": 0.4, "tuned": 0.6}
    return store(
        *(cell(m, values={"m": spread(x, seed=i)}) for i, (m, x) in enumerate(means.items()))
    )


def test_who_differs_from_whom(three: Path) -> None:
    (matrix,), notes = matrices(three, "plain", "other", "tuned")
    assert notes == []
    assert [[matrix.shown(i, j) for j in range(3) if j != i] for i in range(3)] == [
        [0, -1],
        [0, -1],
        [1, 1],
    ]
    assert matrix.omnibus is not None
    assert matrix.omnibus.p < 0.001
    said = text(three, "plain", "other", "tuned")
    assert "capitals: m (n=16)" in said
    assert "all alike? p<0.001 (repeated anova" in said
    line = next(line for line in said.splitlines() if "+0.2" in line)
    assert line.startswith("C  tuned")
    assert line.endswith("> AB")


def test_a_pair_is_what_comparing_two_says(three: Path) -> None:
    (matrix,), _ = matrices(three, "plain", "other", "tuned")
    (row,), _ = compare(three.parent, "plain", "tuned", CompareOptions())
    found = matrix.pairs[0, 2]
    assert replace(found, p_holm=1.0, q=1.0) == replace(row, p_holm=1.0, q=1.0)
    p = [pair.difference.p for pair in matrix.pairs.values()]
    assert [pair.p_holm for pair in matrix.pairs.values()] == holm(p)


def test_yes_and_no_are_tested_by_cochrans_q(store: Store, cell) -> None:
    drawn = np.random.default_rng(0).random((40, 3)) < [0.3, 0.5, 0.9]
    cells = [cell(m, values={"match": list(map(float, drawn[:, i]))}) for i, m in enumerate("abc")]
    (matrix,), _ = matrices(store(*cells), "a", "b", "c")
    assert matrix.omnibus is not None
    assert matrix.omnibus.p == pytest.approx(cochrans_q(drawn.astype(float)).pvalue)


def test_samples_of_one_cluster_are_no_samples_of_their_own(store: Store, cell) -> None:
    videos = [f"video {i // 8}" for i in range(24)]
    cells = [
        cell(m, values={"match": [float(i % 3 < k) for i in range(24)]}, clusters=videos)
        for k, m in enumerate("abc")
    ]
    (matrix,), _ = matrices(store(*cells), "a", "b", "c")
    assert matrix.omnibus is not None
    assert matrix.omnibus.n == 3
    assert "anova" in matrix.omnibus.method


def test_only_samples_that_all_have_count(store: Store, cell) -> None:
    path = store(
        cell("a", values={"m": [None, *spread(0.4, 9)]}),
        cell("b", values={"m": [*spread(0.4, 9, 1), None]}),
        cell("c", values={"m": spread(0.6, 10, 2)}),
    )
    (matrix,), _ = matrices(path, "a", "b", "c")
    assert (matrix.n, matrix.left_out) == (8, 2)
    assert {pair.n for pair in matrix.pairs.values()} == {8}
    assert "failed 1 in A, 1 in B, 0 in C" in text(path, "a", "b", "c")


def test_a_corpus_metric_is_compared_by_its_sums(tmp_path: Path, cell, make_run) -> None:
    info = ScorerInfo("perplexity", aggregate="perplexity", higher_is_better=False)

    def model(name: str, factor: float, seed: int):
        built = cell(name, values={"perplexity": [1.0] * 30}).build()
        nll = np.random.default_rng(seed).gamma(20, 1, 30) * factor
        scores = [Score(float(np.exp(x / 8)), detail=(float(x), 8.0)) for x in nll]
        return replace(built, scores={"perplexity": scores}, scorers=[info])

    models = [model("a", 1.0, 1), model("b", 1.0, 2), model("c", 0.5, 3)]
    path = write_run(tmp_path / "runs", make_run(*models))
    (matrix,), _ = matrices(path, "a", "b", "c")
    assert matrix.shown(2, 0) == matrix.shown(2, 1) == 1
    assert matrix.omnibus is not None
    assert matrix.omnibus.p < 0.001
    assert "perplexity (n=30; lower is better)" in text(path, "a", "b", "c")


@pytest.mark.parametrize("value", [[0.5] * 5, [1.0] * 5, [0.5], [None] * 3])
def test_data_that_say_nothing_do_not_break_it(
    store: Store, cell, value: Sequence[float | None]
) -> None:
    path = store(*(cell(m, values={"m": value}) for m in "abc"))
    (matrix,), _ = matrices(path, "a", "b", "c")
    assert not any(matrix.shown(i, j) for i in range(3) for j in range(i))
    for form in FORMATS:
        assert text(path, "a", "b", "c", form=form)


def test_one_run_stands_for_all_its_models(three: Path) -> None:
    (group,) = find_groups(three.parent, ["latest"])
    assert [side.model for side in group] == ["plain", "other", "tuned"]


def test_three_runs_of_several_models_are_compared_model_by_model(store: Store, cell) -> None:
    paths = [
        store(*(cell(m, values={"m": spread(0.4, seed=i)}) for m in "xy"), after=60 * i)
        for i in range(3)
    ]
    groups = find_groups(paths[0].parent, [path.name for path in paths])
    assert [[side.model for side in group] for group in groups] == [["x"] * 3, ["y"] * 3]
    found, _ = make_matrices(groups, CompareOptions())
    assert [one.sides[0].model for one in found] == ["x", "y"]


def test_sides_that_cannot_be_compared_are_refused(store: Store, cell) -> None:
    values = {"m": spread(0.4)}
    path = store(
        cell("a", values=values), cell("b", values=values), cell("c", values=values, version=2)
    )
    with pytest.raises(StoreError, match=r"a with .*:c: task versions 1 and 2 \(--intersect"):
        matrices(path, "a", "b", "c")
    found, notes = matrices(path, "a", "b", "c", intersect=True)
    assert len(found) == 1
    assert notes == [f"capitals: MISMATCH allowed: {path.name}:c: task versions 1 and 2"]
    with pytest.raises(StoreError, match=r"2 sides are .*:a: name two runs or two models"):
        matrices(path, "a", "b", "a")
    alone = store(cell("z", values=values), after=60)
    with pytest.raises(StoreError, match=r"nothing to compare .*:z with"):
        find_groups(path.parent, [alone.name])


def test_six_models_fit_100_columns(store: Store, cell) -> None:
    names = [f"researcher-llama-3.2-{i}b-instruct" for i in range(6)]
    path = store(*(cell(m, values={"m": spread(0.2 * i, seed=i)}) for i, m in enumerate(names)))
    said = text(path, *names)
    assert max(map(len, said.splitlines())) <= 100
    assert "> ABCDE" in said


def test_every_format_holds_every_pair(three: Path) -> None:
    words = ("plain", "other", "tuned")
    rows = list(csv.DictReader(io.StringIO(text(three, *words, form="csv"))))
    assert [(row["model_a"], row["model_b"]) for row in rows] == [
        ("plain", "other"),
        ("plain", "tuned"),
        ("other", "tuned"),
    ]
    body = json.loads(text(three, *words, form="json"))
    assert len(body["comparisons"]) == 3
    best = body["models"][2]
    assert best["model"] == "tuned"
    assert [name.partition(":")[2] for name in best["better_than"]] == ["plain", "other"]
    assert body["tests"][0]["p"] < 0.001
    assert "| C  tuned" in text(three, *words, form="markdown")


def test_latex_is_a_table_whatever_the_names(store: Store, cell) -> None:
    names = ["a_b&c", "50% {x}", "d#e^f~"]
    path = store(*(cell(m, values={"m_1[x]": spread(0.2 * i)}) for i, m in enumerate(names)))
    said = text(path, *names, form="latex")
    body = said.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    assert len(body.strip().splitlines()) == 3
    for line in body.strip().splitlines():
        assert len(re.findall(r"(?<!\\)&", line)) == 4
        assert line.endswith(r"\\")
        assert not re.search(r"(?<!\\)[%#_^~]", line)
