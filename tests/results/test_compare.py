from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import SelectionError, StoreError
from harness.records import Sample, Score
from harness.results.compare import Comparison, compare
from harness.results.compare_report import comparison_report, p_value
from harness.results.pairs import CompareOptions
from harness.results.render import render
from harness.results.run import ScorerInfo
from harness.results.store import write_run

Store = Callable[..., Path]
EVERYTHING = CompareOptions()
OVERLAP = {"rouge_l": ScorerInfo("rouge_l", overlap=True)}


def spread(mean: float, n: int = 16, seed: int = 0) -> list[float]:
    """Values around a mean, the same for the same seed."""
    return [float(x) for x in mean + np.random.default_rng(seed).normal(0, 0.02, n)]


def one(path: Path, a: str, b: str, options: CompareOptions = EVERYTHING) -> Comparison:
    """The only comparison there is to make."""
    rows, _ = compare(path.parent, a, b, options)
    (row,) = rows
    return row


def test_base_and_tuned_in_one_run(store: Store, cell) -> None:
    base, tuned = [0.0] * 8 + [1.0] * 8, [1.0] * 14 + [0.0] * 2
    path = store(cell("base", values={"match": base}), cell("tuned", values={"match": tuned}))
    row = one(path, "base", "tuned")
    assert (row.n, row.wins, row.difference.ties, row.losses) == (16, 8, 6, 2)
    assert (row.before.value, row.after.value) == (0.5, 14 / 16)
    assert row.difference.value == pytest.approx(6 / 16)
    assert row.difference.method == "tango"
    back = one(path, "tuned", "base")
    assert (back.wins, back.losses, back.difference.value) == (2, 8, -row.difference.value)


@pytest.mark.parametrize(
    ("a", "b", "higher", "verdict"),
    [
        (0.3, 0.5, True, "better"),
        (0.5, 0.3, True, "worse"),
        (0.3, 0.5, False, "worse"),
        (0.5, 0.3, False, "better"),
        (0.4, 0.4, True, "no difference shown"),
    ],
)
def test_verdict_follows_the_interval_and_the_direction(
    store: Store, cell, a: float, b: float, higher: bool, verdict: str
) -> None:
    infos = {"m": ScorerInfo("m", higher_is_better=higher)}
    path = store(
        cell("base", values={"m": spread(a)}, infos=infos),
        cell("tuned", values={"m": spread(b, seed=1)}, infos=infos),
    )
    assert one(path, "base", "tuned").verdict == verdict


def test_a_gain_that_other_references_share_shows_no_content(store: Store, cell) -> None:
    base = cell("base", values={"rouge_l": spread(0.2)}, controls={"rouge_l": spread(0.1, seed=1)})
    shape = cell("shape", values={"rouge_l": spread(0.4, seed=2)}, infos=OVERLAP)
    shape.controls = {"rouge_l": spread(0.3, seed=3)}
    topic = cell("topic", values={"rouge_l": spread(0.4, seed=4)}, infos=OVERLAP)
    topic.controls = {"rouge_l": spread(0.1, seed=5)}
    base.infos = OVERLAP
    path = store(base, shape, topic)
    row = one(path, "base", "shape")
    assert row.verdict == "better, content not shown"
    assert row.content is not None
    assert row.content.low < 0 < row.content.high
    assert one(path, "base", "topic").verdict == "better"


def test_identical_answers_show_no_difference(store: Store, cell) -> None:
    values = {"m": spread(0.4)}
    row = one(store(cell("base", values=values), cell("tuned", values=values)), "base", "tuned")
    assert row.verdict == "no difference seen"
    assert row.difference.low is None


@pytest.mark.parametrize(("n", "verdict"), [(4, "too few (n=4)"), (5, "better")])
def test_four_samples_can_show_nothing(store: Store, cell, n: int, verdict: str) -> None:
    path = store(
        cell("base", values={"match": [0.0] * n}), cell("tuned", values={"match": [1.0] * n})
    )
    assert one(path, "base", "tuned").verdict == verdict


def test_many_samples_of_few_videos_can_show_nothing(store: Store, cell) -> None:
    videos = [f"video {i // 10}" for i in range(40)]
    path = store(
        cell("base", values={"m": spread(0.2, 40)}, clusters=videos),
        cell("tuned", values={"m": spread(0.6, 40, 1)}, clusters=videos),
    )
    assert one(path, "base", "tuned").verdict == "too few (n=4 clusters)"


def test_samples_that_failed_on_either_side_are_left_out_and_counted(store: Store, cell) -> None:
    path = store(
        cell("base", values={"match": [None, 0.0, 0.0, 1.0, 0.0]}),
        cell("tuned", values={"match": [1.0, None, None, 1.0, 1.0]}),
    )
    row = one(path, "base", "tuned")
    assert (row.n, row.left_out, row.before.failed, row.after.failed) == (2, 3, 1, 2)
    assert (row.before.value, row.after.value) == (0.5, 1.0)


def test_nothing_answered_is_said(store: Store, cell) -> None:
    path = store(cell("a", values={"m": [None] * 3}), cell("b", values={"m": [0.1, 0.2, 0.3]}))
    assert one(path, "a", "b").verdict == "no pairs"
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    text = render(comparison_report(rows, notes), "table")
    line = next(line.split() for line in text.splitlines() if line.startswith("m "))
    assert line == ["m", "-", "-", "-", "no", "pairs"]
    (record,) = json.loads(render(comparison_report(rows, notes), "json"))["comparisons"]
    assert record["difference"] is None


def test_sides_without_a_common_metric_say_so(store: Store, cell) -> None:
    path = store(cell("a", values={"m": [0.1]}), cell("b", values={"other": [0.2]}))
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    text = render(comparison_report(rows, notes), "table")
    assert text == "no metric has a value on both sides: there is nothing to compare"


def test_pairs_are_made_by_sample_not_by_position(store: Store, cell) -> None:
    samples = [Sample(f"q{i}", "in", "out") for i in range(8)]
    values = spread(0.5, 8)
    path = store(
        cell("a", values={"m": values}, samples=samples),
        cell("b", values={"m": values[::-1]}, samples=samples[::-1]),
    )
    assert one(path, "a", "b").difference.ties == 8


def test_corpus_metrics_are_compared_by_their_sums(tmp_path: Path, cell, make_run) -> None:
    info = ScorerInfo("perplexity", aggregate="perplexity", higher_is_better=False)

    def model(name: str, factor: float):
        built = cell(name, values={"perplexity": [1.0] * 30}).build()
        nll = np.random.default_rng(7).gamma(20, 1, 30) * factor
        scores = [Score(float(np.exp(x / 8)), detail=(float(x), 8.0)) for x in nll]
        return replace(built, scores={"perplexity": scores}, scorers=[info])

    path = write_run(tmp_path / "runs", make_run(model("a", 1.0), model("b", 0.8)))
    row = one(path, "a", "b")
    assert (row.verdict, row.wins, row.difference.method) == ("better", 30, "paired bootstrap")
    assert row.after.value < row.before.value


def test_rounding_is_no_gain(store: Store, cell) -> None:
    values = spread(0.3)
    path = store(
        cell("a", values={"m": values}), cell("b", values={"m": [x / 10 * 3 / 0.3 for x in values]})
    )
    assert one(path, "a", "b").verdict == "no difference seen"


def test_holm_marks_what_chance_among_many_metrics_explains(store: Store, cell) -> None:
    base, tuned = [0.0] * 16, [1.0] * 5 + [0.0] * 11  # p = 0.03125
    names = [f"m{i}" for i in range(3)]
    path = store(
        cell("base", values=dict.fromkeys(names, base)),
        cell("tuned", values=dict.fromkeys(names, tuned)),
    )
    rows, notes = compare(path.parent, "base", "tuned", CompareOptions())
    assert [row.p_holm for row in rows] == pytest.approx([0.09375] * 3)
    assert {(row.verdict, row.holds) for row in rows} == {("better", False)}
    assert "better *" in render(comparison_report(rows, notes), "table")


# --------------------------------------------------------------------------- which sides


def test_models_are_taken_from_a_run_that_holds_both(store: Store, cell) -> None:
    values, other = {"m": spread(0.4)}, {"m": spread(0.9)}
    both = store(cell("base", values=values), cell("tuned", values=values))
    store(cell("tuned", values=other), after=60)
    row = one(both, "base", "tuned")
    assert row.b.run.path == both


def test_models_of_different_runs_are_taken_from_the_newest(store: Store, cell) -> None:
    store(cell("base", values={"m": spread(0.4)}))
    path = store(cell("tuned", values={"m": spread(0.1)}), after=60)
    newest = store(cell("tuned", values={"m": spread(0.9)}), after=120)
    assert one(path, "base", "tuned").b.run.path == newest


def test_two_runs_of_several_models_are_compared_model_by_model(store: Store, cell) -> None:
    old = store(cell("x", values={"m": spread(0.4)}), cell("y", values={"m": spread(0.4)}))
    new = store(cell("y", values={"m": spread(0.6)}), cell("x", values={"m": spread(0.7)}), after=9)
    rows, _ = compare(old.parent, old.name, str(new), CompareOptions())
    assert [(row.a.model, row.b.model) for row in rows] == [("x", "x"), ("y", "y")]
    row = one(old, f"{old.name}:x", "latest:y")
    assert (row.a.model, row.b.model) == ("x", "y")


def test_unclear_sides_are_refused_with_a_way_out(store: Store, cell) -> None:
    values = {"m": spread(0.4)}
    two = store(cell("x", values=values), cell("y", values=values))
    third = store(cell("z", values=values), after=9)
    root = two.parent
    with pytest.raises(StoreError, match=f"holds x, y: say which one, as {two.name}:x"):
        compare(root, two.name, third.name, CompareOptions())
    with pytest.raises(StoreError, match=r"both sides are .*:z: name two runs or two models"):
        compare(root, "z", third.name, CompareOptions())
    with pytest.raises(StoreError, match="has no model 'q'; it has z"):
        compare(root, "latest:q", "z", CompareOptions())
    with pytest.raises(StoreError, match="no run and no model 'zz'"):
        compare(root, "x", "zz", CompareOptions())


# --------------------------------------------------------------------------- mismatches


def test_different_task_versions_are_refused(store: Store, cell) -> None:
    values = {"m": spread(0.4)}
    path = store(cell("a", values=values), cell("b", values=values, version=2))
    with pytest.raises(StoreError, match=r"capitals: cannot compare .* task versions 1 and 2"):
        compare(path.parent, "a", "b", CompareOptions())
    rows, notes = compare(path.parent, "a", "b", CompareOptions(intersect=True))
    assert len(rows) == 1
    assert notes == ["capitals: MISMATCH allowed: task versions 1 and 2"]


def test_different_scorer_versions_are_refused(store: Store, cell) -> None:
    values = {"m": spread(0.4)}
    newer = {"m": ScorerInfo("m", version=3)}
    path = store(cell("a", values=values), cell("b", values=values, infos=newer))
    with pytest.raises(StoreError, match="versions 1 and 3 of m"):
        compare(path.parent, "a", "b", CompareOptions())


def test_different_samples_are_refused_or_intersected(store: Store, cell) -> None:
    path = store(cell("a", values={"m": spread(0.4, 16)}), cell("b", values={"m": spread(0.5, 12)}))
    with pytest.raises(StoreError, match="samples differ: 16 and 12, 12 in both"):
        compare(path.parent, "a", "b", CompareOptions())
    row = one(path, "a", "b", CompareOptions(intersect=True))
    assert (row.n, row.left_out) == (12, 0)


def test_other_inputs_under_the_same_ids_are_refused(store: Store, cell) -> None:
    values = {"m": [0.1, 0.2]}
    changed = [Sample("q0", "another question", "x"), Sample("q1", "y", "z")]
    path = store(cell("a", values=values), cell("b", values=values, samples=changed))
    with pytest.raises(StoreError, match="the data differ: same ids, other inputs or targets"):
        compare(path.parent, "a", "b", CompareOptions())


def test_a_changed_prompt_of_the_same_version_is_noted(tmp_path: Path, cell, make_run) -> None:
    a, b = (cell(name, values={"m": spread(0.4)}).build() for name in "ab")
    write_run(tmp_path / "runs", make_run(a, replace(b, task_hash="another")))
    _, notes = compare(tmp_path / "runs", "a", "b", CompareOptions())
    assert "though its version does not" in notes[0]


def test_tasks_and_metrics_can_be_chosen(store: Store, cell) -> None:
    values = {"m": spread(0.4), "sim[minilm]": spread(0.5)}
    path = store(
        *(cell(model, task, values=values) for model in "ab" for task in ("t1", "t2")),
        cell("a", "only_a", values=values),
    )
    root = path.parent
    rows, notes = compare(root, "a", "b", CompareOptions(tasks=["t2"], metrics=["sim"]))
    assert [(row.task, row.metric) for row in rows] == [("t2", "sim[minilm]")]
    assert notes == ["on one side only, not compared: only_a"]
    with pytest.raises(SelectionError, match="no metric 'sin' to compare"):
        compare(root, "a", "b", CompareOptions(metrics=["sin"]))
    with pytest.raises(SelectionError, match="no task 't3' to compare"):
        compare(root, "a", "b", CompareOptions(tasks=["t3"]))
    with pytest.raises(StoreError, match="nothing to compare"):
        compare(root, "a", "b", CompareOptions(tasks=["only_a"]))


# --------------------------------------------------------------------------- the table


def test_the_table_fits_a_page_and_explains_itself(store: Store, cell) -> None:
    name = "semantic_similarity[all-MiniLM-L6-v2]"
    infos = {name: ScorerInfo(name, overlap=True)}
    cells = [
        cell(model, values={name: [*spread(mean), None]}, infos=infos, task="vad_approach")
        for model, mean in (("llama-3.2-3b", 0.3), ("researcher-llama-3.2-3b-instruct", 0.5))
    ]
    cells[0].controls = {name: [*spread(0.1), 0]}
    cells[1].controls = {name: [*spread(0.3), 0]}
    path = store(*cells)
    rows, notes = compare(path.parent, cells[0].model, cells[1].model, CompareOptions())
    text = render(comparison_report(rows, notes), "table")
    assert max(map(len, text.splitlines())) <= 120
    for words in ("n=16, 1 left out", "content not", "control 0.", "95 % interval", "16/0/0"):
        assert words in text
    assert f"B  {cells[1].model}" in text


def test_json_holds_every_number(store: Store, cell) -> None:
    path = store(
        cell("a", values={"rouge_l": spread(0.2)}, controls={"rouge_l": spread(0.1)}),
        cell("b", values={"rouge_l": spread(0.5, seed=1)}, controls={"rouge_l": spread(0.2)}),
    )
    rows, notes = compare(path.parent, "a", "b", CompareOptions())
    body = json.loads(render(comparison_report(rows, notes), "json"))
    (found,) = body["comparisons"]
    assert found["model_a"] == "a"
    assert found["difference"] == pytest.approx(0.3, abs=0.02)
    assert found["content"] == pytest.approx(found["difference"] - 0.1)
    assert found["difference_low"] < 0.3 < found["difference_high"]
    assert found["p_holm"] == found["p"]
    assert found["verdict"] == "better"


@pytest.mark.parametrize(("b", "verdict"), [(8.0, "more"), (2.0, "fewer")])
def test_a_count_has_more_and_fewer_but_no_better_side(
    store: Store, cell, b: float, verdict: str
) -> None:
    infos = {"n": ScorerInfo("n", higher_is_better=False, kind="number", low=0.0, neutral=True)}
    path = store(
        cell("base", values={"n": spread(5.0)}, infos=infos),
        cell("tuned", values={"n": spread(b, seed=1)}, infos=infos),
    )
    rows, notes = compare(path.parent, "base", "tuned", EVERYTHING)
    assert (rows[0].verdict, rows[0].holds) == (verdict, True)
    assert (rows[0].wins, rows[0].losses) == ((16, 0) if b > 5 else (0, 16))
    text = render(comparison_report(rows, notes), "table")
    assert "(no better side)" in text
    assert "lower is better" not in text
    records = json.loads(render(comparison_report(rows, notes), "json"))["comparisons"]
    assert records[0]["higher_is_better"] is None


def test_a_corpus_metric_has_no_content_on_the_scale_of_samples(
    tmp_path: Path, cell, make_run
) -> None:
    info = ScorerInfo("chrf", aggregate="chrf", overlap=True, kind="number", low=0.0, high=100.0)

    def model(name: str, matches: int):
        built = cell(name, values={"chrf": [1.0] * 30}).build()
        details = [(20.0, 20.0, float(matches + i % 3)) * 6 for i in range(30)]
        scores = [Score(matches * 5.0, control=matches * 5.0, detail=one) for one in details]
        return replace(built, scores={"chrf": scores}, scorers=[info])

    path = write_run(tmp_path / "runs", make_run(model("a", 4), model("b", 12)))
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    assert (rows[0].content, rows[0].verdict) == (None, "better")
    text = render(comparison_report(rows, notes), "table")
    assert "chrf: computed from all answers together" in text
    assert "means over samples" not in text


def test_a_difference_is_never_larger_than_the_scale(store: Store, cell) -> None:
    infos = {"m": ScorerInfo("m", kind="number", low=0.0, high=1.0)}
    path = store(
        cell("a", values={"m": [0.0, 0.4]}, infos=infos),
        cell("b", values={"m": [1.0, 0.4]}, infos=infos),
    )
    row = one(path, "a", "b")
    assert (row.difference.low, row.difference.high) == (-1.0, 1.0)


def test_counts_of_0_and_1_are_compared_as_numbers(store: Store, cell) -> None:
    infos = {"n": ScorerInfo("n", kind="number", low=0.0)}
    path = store(
        cell("a", values={"n": [0.0, 1.0] * 6}, infos=infos),
        cell("b", values={"n": [1.0, 1.0, 1.0, 0.0] * 3}, infos=infos),
    )
    found = one(path, "a", "b").difference
    assert (found.method, found.p_method) == ("bootstrap-t", "sign flips, counted")


def test_only_a_real_difference_holds_after_holm(store: Store, cell) -> None:
    path = store(
        cell("a", values={"same": spread(0.4), "gain": spread(0.2)}),
        cell("b", values={"same": spread(0.4), "gain": spread(0.6, seed=1)}),
    )
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    body = json.loads(render(comparison_report(rows, notes), "json"))
    found = {row["metric"]: row for row in body["comparisons"]}
    assert (found["same"]["p_holm"], found["same"]["holds_after_holm"]) == (1.0, False)
    assert found["gain"]["holds_after_holm"] is True
    assert found["gain"]["p_method"] == "sign flips, counted"
    assert " *" not in render(comparison_report(rows, []), "table").partition("[low")[0]


def test_a_name_stays_on_one_line_where_the_width_allows(store: Store, cell) -> None:
    name = "semantic_similarity[minilm-l6]"
    path = store(
        cell("a", values={name: spread(0.4)}), cell("b", values={name: spread(0.6, seed=1)})
    )
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    wide = render(comparison_report(rows, notes, 120), "table")
    assert f"\n{name}  " in wide
    assert max(map(len, wide.splitlines())) <= 120
    narrow = render(comparison_report(rows, notes, 92), "table")
    assert "\nsemantic_similarity " in narrow
    assert "\n  [minilm-l6] " in narrow
    narrower = render(comparison_report(rows, notes, 86), "table")
    assert "\nsemantic_ " in narrower
    assert "\n  similarity " in narrower


# --------------------------------------------------------------------------- size and power


def test_a_table_has_effect_p_and_what_could_have_been_found(store: Store, cell) -> None:
    path = store(
        cell("a", values={"m": spread(0.4), "match": [1.0] * 4 + [0.0] * 12}),
        cell("b", values={"m": spread(0.41, seed=1), "match": [1.0] * 8 + [0.0] * 8}),
    )
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    text = render(comparison_report(rows, notes, 100), "table")
    numeric, binary = rows
    assert numeric.effect.kind == "d_z"
    assert f"d_z {numeric.effect.size:+.2f}" in text
    assert binary.effect.size == pytest.approx(0.5236, abs=1e-4)  # 25 % against 50 %
    assert "h +0.52" in text
    assert f"MDE {binary.effect.mde:.3f}" in text
    assert binary.difference.p == 0.0625  # mid-p of four wins
    assert p_value(binary.p_holm) in text
    assert "MDE: a true difference of this size would be found 80 % of the time" in text
    assert "Cohen's h" in text


def test_the_effect_has_the_sign_of_better(store: Store, cell) -> None:
    infos = {"m": ScorerInfo("m", higher_is_better=False)}
    path = store(
        cell("a", values={"m": spread(0.4)}, infos=infos),
        cell("b", values={"m": spread(0.2, seed=1)}, infos=infos),
    )
    row = one(path, "a", "b")
    assert row.verdict == "better"
    assert row.effect_size is not None
    assert row.effect_size > 0
    assert row.effect.size == -row.effect_size


def test_a_gain_smaller_than_the_mde_is_mostly_missed_and_a_larger_one_found(
    store: Store, cell
) -> None:
    rng = np.random.default_rng(3)
    n, found = 30, {0.5: 0, 1.5: 0}
    for factor in found:
        mde = 0.2 * 0.5298  # of 30 pairs with a spread of 0.2
        for _ in range(20):
            d = rng.normal(0, 0.2, n) + factor * mde
            a = rng.normal(5, 1, n)
            row = one(
                store(cell("a", values={"m": list(a)}), cell("b", values={"m": list(a + d)})),
                "a",
                "b",
            )
            assert row.effect.mde == pytest.approx(mde, rel=0.4)
            found[factor] += row.verdict == "better"
    assert found[0.5] < 10 < 16 < found[1.5]


@pytest.mark.parametrize("n", [1, 4])
def test_so_few_pairs_could_have_found_nothing(store: Store, cell, n: int) -> None:
    path = store(cell("a", values={"m": [0.0] * n}), cell("b", values={"m": [1.0] * n}))
    row = one(path, "a", "b")
    assert row.effect.mde is None
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    assert "MDE -" in render(comparison_report(rows, notes), "table")


def test_answers_that_never_differ_tell_what_could_have_been_seen(store: Store, cell) -> None:
    values = {"match": [1.0] * 20, "m": [0.5] * 20}
    path = store(cell("a", values=values), cell("b", values=values))
    rows, _ = compare(path.parent, "a", "b", EVERYTHING)
    assert rows[0].effect.mde == pytest.approx(0.199, abs=1e-3)
    assert (rows[1].effect.size, rows[1].effect.mde) == (None, None)


def test_q_values_forgive_more_than_holm(store: Store, cell) -> None:
    base, names = [0.0] * 16, [f"m{i}" for i in range(3)]
    path = store(
        cell("a", values=dict.fromkeys(names, base)),
        cell("b", values=dict.fromkeys(names, [1.0] * 5 + [0.0] * 11)),
    )
    rows, notes = compare(path.parent, "a", "b", EVERYTHING)
    body = json.loads(render(comparison_report(rows, notes), "json"))
    assert [row["q_bh"] for row in body["comparisons"]] == pytest.approx([0.03125] * 3)
    assert [row["p_holm"] for row in body["comparisons"]] == pytest.approx([0.09375] * 3)


def test_the_table_of_long_names_and_controls_fits_100_columns(store: Store, cell) -> None:
    name = "semantic_similarity[minilm-l6]"
    infos = {name: ScorerInfo(name, overlap=True)}
    cells = [cell(m, values={name: spread(-0.4, seed=i)}, infos=infos) for i, m in enumerate("ab")]
    for i, made in enumerate(cells):
        made.controls = {name: spread(-0.3, seed=i + 2)}
    rows, notes = compare(store(*cells).parent, "a", "b", EVERYTHING)
    for columns in (100, 120):
        text = render(comparison_report(rows, notes, columns), "table", columns)
        assert max(map(len, text.splitlines())) <= columns


def test_latex_is_a_table_whatever_the_names(store: Store, cell) -> None:
    values = {"m_1[50%&{x}]": spread(0.4), "d#e^f~": [1.0] * 16}
    path = store(cell("a_b", values=values), cell("b$", values=values))
    rows, notes = compare(path.parent, "a_b", "b$", EVERYTHING)
    text = render(comparison_report(rows, notes), "latex")
    lines = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert len(re.findall(r"(?<!\\)&", line)) == 6
        assert line.endswith(r"\\")
        assert not re.search(r"(?<!\\)[%#_^~$]", line.replace(r"\ensuremath", ""))
