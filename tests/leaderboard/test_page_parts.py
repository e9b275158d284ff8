"""What pages are made of: examples, classes, settings, the past, costs, facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from siteruns import Cell, questions, store

from harness.leaderboard.classes import UNREADABLE, class_table, confusions, is_choice
from harness.leaderboard.columns import Standings
from harness.leaderboard.costs import costs_of
from harness.leaderboard.deltas import find_deltas
from harness.leaderboard.examples import LONGEST, find_examples, worst
from harness.leaderboard.gather import Board, gather
from harness.leaderboard.history_page import history_view, series_of
from harness.leaderboard.overview_page import overview
from harness.leaderboard.page_parts import Sources
from harness.leaderboard.task_facts import description, facts, prompts
from harness.leaderboard.texts import Texts
from harness.leaderboard.variants import variant_charts
from harness.records import LETTERS, Sample, Score
from harness.results.metrics import STATUS, SampleScores
from harness.results.run import ScorerInfo, SpecText, StageRow
from harness.results.store import RunReader
from harness.results.variants import settings_of


def standings(*runs: RunReader) -> Standings:
    board = gather(runs)
    return Standings(board, find_deltas(board))


# --------------------------------------------------------------------------- examples


def scores(values: list[float | None]) -> SampleScores:
    """Scores of samples 0, 1, ...; None failed."""
    value = np.array([np.nan if v is None else v for v in values], dtype=float)
    status = np.array([STATUS["error" if v is None else "ok"] for v in values], dtype=np.int8)
    return SampleScores([str(n) for n in range(len(values))], value, value, value[:, None], status)


@given(
    st.lists(st.none() | st.floats(-9, 9) | st.sampled_from([0.0, 1.0]), max_size=12), st.booleans()
)
def test_the_worst_are_failures_then_the_lowest(values: list[float | None], higher: bool) -> None:
    found = [int(one) for one in worst(scores(values), higher)]
    assert len(set(found)) == len(found) <= 3
    failed = [n for n, value in enumerate(values) if value is None]
    assert found[: len(failed)] == failed[:3]
    shown = [values[n] for n in found if values[n] is not None]
    others = [v for n, v in enumerate(values) if v is not None and n not in found]
    assert shown == sorted(shown, key=lambda v: v if higher else -v)  # type: ignore[operator,arg-type]
    if len(found) == 3 and shown and others:
        last = shown[-1]
        assert last is not None
        assert all((v >= last) if higher else (v <= last) for v in others)


def test_a_right_answer_is_no_example() -> None:
    assert worst(scores([1, 1, 0, 1]), True) == ["2"]
    assert worst(scores([1, 1]), True) == []
    assert worst(scores([0, 0, 1]), False) == ["2"]
    assert worst(scores([0.2, 0.9, 0.5, 1.0]), True) == ["0", "2", "1"]


def test_examples_show_what_every_model_said(tmp_path: Path) -> None:
    long = "x" * (LONGEST + 5)
    run = store(
        tmp_path,
        Cell("a", values={"exact_match": [0, 1]}, texts=[long, "right"]),
        Cell("b", values={"exact_match": [None, 1]}),
    )
    board = gather([run])
    (found,) = find_examples(board, Texts())["sums", ""]
    assert found.sample.text == "s000"
    assert found.sample.href == ("samples.html#task=sums&metric=exact_match&m=a&m=b&sample=s000")
    assert found.answers == (
        ("a", f"{'x' * LONGEST} ...", "exact_match 0.000"),
        ("b", "no answer", "exact_match failed"),
    )
    assert find_examples(board, Texts(answers=False)) == {}
    (cleaned,) = find_examples(board, Texts.of(["Question", "answer"]))["sums", ""]
    assert cleaned.input == "[redacted] 0?"
    assert cleaned.answers[1][1] == "no [redacted]"


def test_a_choice_that_was_only_weighed_is_told_by_its_letter(tmp_path: Path) -> None:
    samples = [Sample("q", "?", "A", choices=("yes", "no"))]
    run = store(
        tmp_path,
        Cell(
            values={"choice": [Score(0.0, answer="B")]}, samples=samples, texts=[""],
            finish="scored",
        ),
    )  # fmt: skip
    (found,) = find_examples(gather([run]), Texts())["sums", ""]
    assert found.answers[0][1] == "chose B"


# --------------------------------------------------------------------------- classes


def quiz(tmp_path: Path, choices: list[tuple[str, ...]], targets: str, picked: str) -> Board:
    samples = [
        Sample(f"q{n}", "?", target, choices=own)
        for n, (own, target) in enumerate(zip(choices, targets, strict=True))
    ]
    values = [
        Score(float(a == t), answer=None if a == "-" else a)
        for a, t in zip(picked, targets, strict=True)
    ]
    return gather([store(tmp_path, Cell(values={"choice": values}, samples=samples))])


def test_classes_are_words_where_the_choices_are_the_same(tmp_path: Path) -> None:
    choices = [("walk", "run"), ("run", "walk"), ("walk", "run")]
    board = quiz(tmp_path, choices, "AAB", "AB-")  # walk: walk; run: walk; run: unreadable
    found = confusions(board.benches[0], ["base", "nobody"])
    table = found["base"]
    assert set(table.labels) == {"walk", "run"}
    walk, run = table.labels.index("walk"), table.labels.index("run")
    assert table.counts[walk][walk] == 1
    assert table.counts[run][walk] == 1
    assert table.counts[run][len(table.labels)] == 1  # the last column: unreadable
    rows = class_table(found)
    assert rows is not None
    assert set(rows.rows) == {
        ("base", "walk", "1", "0.500", "1.000", "0.667"),
        ("base", "run", "2", "-", "0.000", "0.000"),
    }
    assert UNREADABLE.startswith("(")


def test_classes_are_letters_where_the_choices_differ(tmp_path: Path) -> None:
    board = quiz(tmp_path, [("a", "b"), ("c", "d")], "AB", "AB")
    assert confusions(board.benches[0], ["base"])["base"].labels == ("A", "B")


@pytest.mark.parametrize("targets", ["AZ", "A1"])
def test_targets_that_are_no_letters_of_choices_have_no_classes(
    tmp_path: Path, targets: str
) -> None:
    board = quiz(tmp_path, [("a", "b"), ("a", "b")], targets, "AA")
    assert confusions(board.benches[0], ["base"]) == {}


def test_more_classes_than_can_be_read_have_no_picture(tmp_path: Path) -> None:
    letters = LETTERS * 2
    choices = [tuple(f"{n}{letter}" for letter in LETTERS) for n in (0, 1) for _ in LETTERS]
    board = quiz(tmp_path, choices, letters, letters)
    assert len(confusions(board.benches[0], ["base"])["base"].labels) == 26  # by letter
    assert class_table({}) is None


def test_exercises_and_yes_and_no_are_classes_too(tmp_path: Path) -> None:
    names, told = ["squats", "lunges", "squats"], ["squats", "squats", None]
    samples = [Sample(f"q{n}", "?", "", row={"exercise": one}) for n, one in enumerate(names)]
    values = [Score(float(a == b), answer=b) for a, b in zip(names, told, strict=True)]
    cell = Cell(values={"exercise_identification": values}, samples=samples)
    found = confusions(gather([store(tmp_path / "a", cell)]).benches[0], ["base"])
    assert found["base"].labels == ("lunges", "squats")
    assert found["base"].counts == ((0, 1, 0), (0, 1, 1))

    samples = [Sample(f"q{n}", "A cat?", one) for n, one in enumerate(["yes", "no"])]
    values = [Score(1.0, answer="yes"), Score(0.0, answer="yes")]
    board = gather([store(tmp_path / "b", Cell(values={"pope": values}, samples=samples))])
    assert confusions(board.benches[0], ["base"])["base"].counts == ((0, 1, 0), (0, 1, 0))


def test_which_metrics_are_choices() -> None:
    assert is_choice("choice")
    assert is_choice("choice[x]")
    assert not is_choice("choice_norm")


# --------------------------------------------------------------------------- settings

NAMES = st.text("abcdefg_.", min_size=1, max_size=6)


@given(st.dictionaries(NAMES, st.text("0123456789.-abc", max_size=5), max_size=4))
def test_settings_are_read_as_they_are_written(settings: dict[str, str]) -> None:
    variant = ",".join(f"{name}={value}" for name, value in settings.items())
    assert settings_of(variant) == settings


def drawn(tmp_path: Path, *variants: str) -> list[str]:
    run = store(tmp_path, *(Cell(variant=one) for one in variants))
    board = gather([run])
    return [chart.title for chart in variant_charts(board.benches, board.models)]


def test_one_number_makes_a_curve_and_two_a_map(tmp_path: Path) -> None:
    assert drawn(tmp_path / "0", "") == []
    assert drawn(tmp_path / "1", "fps=1") == []
    assert drawn(tmp_path / "2", "fps=1", "fps=2") == ["exact_match over fps"]
    assert drawn(tmp_path / "3", "a=1,b=1", "a=2,b=2") == ["base: exact_match over a and b"]
    assert drawn(tmp_path / "4", "mode=fast", "mode=slow") == []  # no numbers
    # another mode is another picture: only the first is drawn
    assert drawn(tmp_path / "5", "fps=1,mode=a", "fps=2,mode=a", "fps=3,mode=b") == [
        "exact_match over fps (mode=a)"
    ]


# --------------------------------------------------------------------------- the past


@given(st.text(max_size=20), st.integers(0, 10**9))
def test_checkpoints_are_steps_of_a_training(name: str, step: int) -> None:
    assert series_of(f"a{name.strip()}-checkpoint-{step}")[1] == step or "\n" in name
    assert series_of("plain") == ("plain", None)


def test_checkpoints_make_a_series(tmp_path: Path) -> None:
    cells = [Cell(f"tuned-checkpoint-{n}", values={"exact_match": [1, 0, 1]}) for n in (100, 20)]
    found = history_view(standings(store(tmp_path, *cells)), {})
    assert [(p.series, p.step) for p in found.points] == [("tuned", 20), ("tuned", 100)]
    assert found.charts[0].title == "tuned over steps"
    assert len(found.table.rows) == 2


def test_the_past_is_told_newest_first(tmp_path: Path) -> None:
    runs = [
        store(tmp_path, Cell("b"), after=0),
        store(tmp_path, Cell("a", "other"), after=120),
        store(tmp_path, Cell("b"), after=60),
    ]
    found = history_view(standings(*runs), {})
    assert [row[0] for row in found.table.rows] == [
        "2026-11-20 16:17", "2026-11-20 16:16", "2026-11-20 16:15",
    ]  # fmt: skip


# --------------------------------------------------------------------------- the first page


def test_where_lower_is_better_the_least_value_leads(tmp_path: Path) -> None:
    info = {"errors": ScorerInfo("errors", higher_is_better=False, kind="number")}
    values = {"a": [9.0, 9.1, 9.2], "b": [1.0, 1.1, 1.2]}
    run = store(tmp_path, *(Cell(m, values={"errors": v}, infos=info) for m, v in values.items()))
    said = overview(standings(run)).sentences
    assert said[0].startswith("sums (errors): b has the best value, 1.10")


def test_who_could_be_as_good_is_named(tmp_path: Path) -> None:
    cells = [Cell(m, values={"exact_match": v}) for m, v in
             {"a": [1, 1, 1, 0], "b": [1, 1, 0, 0]}.items()]  # fmt: skip
    found = overview(standings(store(tmp_path, *cells)))
    assert "by its interval, b could be as good" in found.sentences[0]
    assert found.counts == {
        "models": 2, "tasks": 1, "runs": 1, "samples": 4, "completions": 8, "failed": 0,
    }  # fmt: skip
    assert found.differences == ()


def test_the_same_value_is_said_to_be_the_same(tmp_path: Path) -> None:
    half = {"exact_match": [1, 0, 1, 0]}
    three = [Cell(m, values=half) for m in ("a", "b", "c")]
    (said, *_) = overview(standings(store(tmp_path, *three))).sentences
    assert said.startswith("sums (exact_match): a, b and c have the same value, 0.500.")
    worse = Cell("d", values={"exact_match": [0, 0, 0, 0]})
    (said, *_) = overview(standings(store(tmp_path, *three[:2], worse, after=9))).sentences
    assert said.startswith("sums (exact_match): a and b have the same value, 0.500, the best;")
    assert "by its interval, d could be as good" in said


def test_nobody_could_be_as_good_who_is_shown_to_be_worse(tmp_path: Path) -> None:
    """Sample by sample 16 are better and none is worse, though the intervals overlap."""
    before = [1.0] * 40 + [0.0] * 60
    after = [1.0] * 56 + [0.0] * 44
    cells = Cell("a", values={"exact_match": before}), Cell("b", values={"exact_match": after})
    for at, baselines in enumerate(({"b": "a"}, {"a": "b"}, {})):
        run = store(tmp_path / str(at), *cells, baselines=baselines)
        board = standings(run)
        cell = board.primary[0].cell("a")
        assert cell is not None
        assert cell.ranks == (1, 2)
        (said, *_) = overview(board).sentences
        assert said.startswith("sums (exact_match): b has the best value, 0.560")
        assert "as good" not in said
        assert ("real" in said) == bool(baselines)


def test_columns_are_not_called_tasks(tmp_path: Path) -> None:
    cells = [Cell(m, variant=f"fps={n}") for n in range(1, 15) for m in ("a", "b")]
    timed = Cell("a", variant="batch_size=2")
    runs = [store(tmp_path, *cells), store(tmp_path, timed, after=9, settings={"profile": "yes"})]
    found = overview(standings(*runs))
    assert found.counts["tasks"] == 1
    assert found.sentences[-2:] == (
        "And 2 more columns, in the table.",
        "1 profile measures speed on a few rows: shown with the speeds, left out of all scores.",
    )


def test_differences_that_cannot_be_had_say_why(tmp_path: Path) -> None:
    run = store(
        tmp_path,
        Cell(),
        Cell("tuned", version=2),
        baselines={"tuned": "base"},
    )
    (table,) = overview(standings(run)).differences
    (row,) = table.rows
    assert row[6] == "-"
    assert str(row[8]).startswith("not compared with base: task versions 1 and 2")


# --------------------------------------------------------------------------- costs and facts


def test_costs_that_are_known(tmp_path: Path) -> None:
    run = store(tmp_path, Cell())
    cell = gather([run]).past[0]
    stage = StageRow("c", "generate", p50=10.0, p95=float("nan"), peak_memory_mb=0.0)
    assert costs_of(cell, [stage], 123.456, None) == {
        "latency_p50_ms": 10.0,
        "completion_tokens": 4.0,
        "size_mb": 123.5,
    }
    assert costs_of(cell, [], None, None) == {"completion_tokens": 4.0}


def test_facts_come_from_what_the_run_keeps(tmp_path: Path) -> None:
    spec = (
        "task: sums\ndescription: By Ann.\nlicence: CC0\n"
        "data: {path: /home/ann/x.jsonl, split: dev}\n"
        "prompt:\n  messages:\n    - {role: system, content: Be kind to Ann.}\n"
        "generate: {max_new_tokens: 8, stop: ['x']}\n"
    )
    run = store(tmp_path, Cell(), specs=[SpecText("task", "sums", "x", spec)])
    bench = gather([run]).benches[0]
    sources = Sources(Texts.of(["Ann"]), home=(Path("/home/ann"),))
    told = dict(facts(bench, sources))
    assert (told["licence"], told["data"], told["split"]) == ("CC0", "x.jsonl", "dev")
    assert told["generation"] == "max_new_tokens 8, stop 'x'"
    assert description(bench, sources) == "By [redacted]."
    assert [(code.title, code.text) for code in prompts(bench, sources)] == [
        ("template, system", "Be kind to [redacted]."),
        ("a prompt as base read it", "Q: Question 0? A:"),
    ]
    hidden = Sources(Texts(answers=False))
    assert [code.title for code in prompts(bench, hidden)] == ["template, system"]


def test_a_run_without_its_specs_has_facts_all_the_same(tmp_path: Path) -> None:
    bench = gather([store(tmp_path, Cell(samples=questions(2)))]).benches[0]
    told = dict(facts(bench, Sources()))
    assert told["licence"] == "not stated"
    assert told["samples"] == "2"
