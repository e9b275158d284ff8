"""A model's numbers: places, badges, differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from siteruns import JUDGED, Cell, questions, store

from harness.leaderboard.columns import Standing, Standings
from harness.leaderboard.deltas import comparison_rows, find_deltas, refused_rows
from harness.leaderboard.gather import Bench, Board, gather
from harness.leaderboard.views import CellView
from harness.records import Score
from harness.results.run import MetricRow, ScorerInfo, SpecText
from harness.results.store import RunReader


def standings(*runs: RunReader) -> Standings:
    board = gather(runs)
    return Standings(board, find_deltas(board))


def cells(found: Standings, metric: str = "exact_match") -> dict[str, CellView]:
    """Model -> its number in the column of a metric."""
    (one,) = [one for one in found.all if one.info.name == metric]
    return {model: cell for model in one.bench.cells if (cell := one.cell(model)) is not None}


def share(right: int, of: int = 20) -> list[float]:
    return [1.0] * right + [0.0] * (of - right)


# --------------------------------------------------------------------------- places


def test_the_best_value_is_first_and_equal_ones_share_a_place(tmp_path: Path) -> None:
    rights = {"a": 10, "b": 19, "c": 10, "d": 0}
    run = store(tmp_path, *(Cell(m, values={"exact_match": share(n)}) for m, n in rights.items()))
    found = cells(standings(run))
    assert {m: cell.rank for m, cell in found.items()} == {"b": 1, "a": 2, "c": 2, "d": 4}
    # 19 of 20 is surely better than 10; 10 and 10 cannot be told apart; 0 is surely worse
    assert {m: cell.ranks for m, cell in found.items()} == {
        "b": (1, 1), "a": (2, 3), "c": (2, 3), "d": (4, 4),
    }  # fmt: skip


def test_where_lower_is_better_the_least_value_is_first(tmp_path: Path) -> None:
    info = ScorerInfo("errors", higher_is_better=False, kind="proportion", low=0.0, high=1.0)
    run = store(
        tmp_path,
        *(
            Cell(m, values={"errors": share(n)}, infos={"errors": info})
            for m, n in {"a": 19, "b": 1}.items()
        ),
    )
    found = standings(run)
    assert {m: (c.rank, c.ranks) for m, c in cells(found, "errors").items()} == {
        "a": (2, (2, 2)),
        "b": (1, (1, 1)),
    }
    assert found.all[0].column.note == "lower is better"


def test_what_is_neither_good_nor_bad_has_no_rank(tmp_path: Path) -> None:
    info = ScorerInfo("length", neutral=True)
    run = store(
        tmp_path,
        Cell(values={"length": [3, 4]}, infos={"length": info}),
        Cell("tuned", values={"length": [30, 40]}, infos={"length": info}),
        baselines={"tuned": "base"},
    )
    found = standings(run)
    assert [cell.rank for cell in cells(found, "length").values()] == [None, None]
    assert [row.mean_rank for row in found.rows(found.primary)] == [None, None]
    delta = cells(found, "length")["tuned"].delta
    assert delta is not None
    assert delta.kind in ("few", "more")


def test_what_only_one_model_ran_gives_no_rank_and_takes_none_away(tmp_path: Path) -> None:
    run = store(
        tmp_path,
        Cell("a", values={"exact_match": share(19)}),
        Cell("b", values={"exact_match": share(1)}),
        Cell("a", "alone", values={"exact_match": share(1)}),
        Cell("a", variant="fps=1", values={"exact_match": share(1)}),
    )
    found = standings(run)
    (alone, swept) = (one for one in found.all if one.bench.task == "alone" or one.bench.variant)
    for one in (alone, swept):
        cell = one.cell("a")
        assert cell is not None
        assert (cell.rank, cell.ranks) == (None, None)
    assert [row.mean_rank for row in found.rows(found.primary)] == [1.0, 2.0]
    assert [row.scored for row in found.rows(found.primary)] == [3, 1]


def test_a_profile_is_in_no_column_beside_whole_runs(tmp_path: Path) -> None:
    cells = Cell("a", values={"exact_match": share(9)}), Cell("b", values={"exact_match": share(1)})
    whole = store(tmp_path, *cells)
    settings = {"profile": "after 3 to warm up"}
    timed = [Cell(m, variant=f"batch_size={n}") for n in (1, 2) for m in ("a", "b")]
    other = Cell("c", values={"exact_match": [1, 1]})
    speed = store(tmp_path, *timed, other, after=60, settings=settings, baselines={"c": "a"})
    found = standings(whole, speed)
    assert [one.column.variant for one in found.all] == [""]
    cell = found.all[0].cell("c")
    assert cell is not None
    assert (cell.rank, cell.delta) == (None, None)
    assert [badge.text for badge in cell.badges] == ["profile"]


class _Bench(Bench):
    """A bench of metrics alone."""

    def comparable(self, cell: object) -> bool:
        return True


def standing(rows: Sequence[tuple[float, float, float]], *, higher: bool) -> Standing:
    """A column of models m0, m1, ... with these values and intervals."""

    class Stored:
        def __init__(self, row: MetricRow) -> None:
            self.metrics = {"x": row}

    stored = {
        f"m{n}": Stored(
            MetricRow("", "t", f"m{n}", "", "x", v, low, high, 9, 0, 0, 0, None, "", higher)
        )
        for n, (low, v, high) in enumerate(rows)
    }
    bench = _Bench("t", "", stored)  # type: ignore[arg-type]
    info = ScorerInfo("x", higher_is_better=higher)
    board = Board((), (bench,), ())
    board.__dict__["_checkpoints"] = frozenset()  # which it would read from the runs' cards
    return Standing(board, bench, info, find_deltas(Board((), (), ())))


VALUES = st.floats(-5, 5)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES).map(sorted).map(tuple), min_size=2, max_size=8)


@given(ROWS, st.booleans())
@settings(max_examples=60)
def test_a_place_lies_within_what_the_intervals_allow(
    rows: list[tuple[float, float, float]], higher: bool
) -> None:
    one = standing(rows, higher=higher)
    models = [f"m{n}" for n in range(len(rows))]
    spans = [one.ranks(model) for model in models]
    for model, span in zip(models, spans, strict=True):
        place = one.rank(model)
        assert place is not None
        assert span is not None
        assert 1 <= span[0] <= place <= span[1] <= len(rows)
    known = [span for span in spans if span]
    assert min(low for low, _ in known) == 1
    assert max(high for _, high in known) == len(rows)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=2, max_size=5), st.booleans())
@settings(max_examples=30)
def test_even_an_interval_beside_its_value_holds_its_place(
    rows: list[tuple[float, float, float]], higher: bool
) -> None:
    one = standing([(min(a, c), b, max(a, c)) for a, b, c in rows], higher=higher)
    for n in range(len(rows)):
        place, span = one.rank(f"m{n}"), one.ranks(f"m{n}")
        assert place is not None
        assert span is not None
        assert span[0] <= place <= span[1]


# --------------------------------------------------------------------------- marks


def test_a_part_of_the_samples_has_a_badge_and_no_rank(tmp_path: Path) -> None:
    whole = store(tmp_path, Cell(values={"exact_match": share(9)}))
    few = store(tmp_path, Cell("tuned", values={"exact_match": [1] * 5}), after=60, limit=5)
    found = cells(standings(whole, few))["tuned"]
    assert [(badge.kind, badge.text) for badge in found.badges] == [("partial", "5 of 20")]
    assert (found.rank, found.ranks) == (None, None)


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_stale_has_a_badge_and_no_rank_and_no_difference(
    tmp_path: Path, version: int
) -> None:
    samples = questions(21)[1:]
    old = store(tmp_path, Cell("tuned", values={"exact_match": share(9)}))
    new = store(
        tmp_path,
        Cell(values={"exact_match": share(9)}, samples=samples, version=version),
        Cell("tuned2", values={"exact_match": share(9)}, samples=samples, version=version),
        after=60,
        baselines={"tuned": "base", "tuned2": "base"},
    )
    again = store(tmp_path, Cell("tuned", values={"exact_match": share(8)}), after=90,
                  baselines={"tuned": "base"})  # fmt: skip
    found = standings(old, again, new)
    # of the same version, the data of the latest run are today's
    stale = "base" if version == 1 else "tuned"
    views = cells(found)
    assert [badge.kind for badge in views[stale].badges] == ["stale"]
    assert views[stale].rank is None
    delta = views["tuned"].delta
    assert delta is not None
    assert (delta.kind, delta.words, delta.text) == ("mismatch", "not comparable", "")
    reason = "task versions" if version == 2 else "samples"
    assert reason in delta.title
    rows = refused_rows(found.deltas)
    assert ("sums", "", "base", "tuned") in [tuple(row[:4]) for row in rows]
    assert all(isinstance(row[4], str) and row[4] for row in rows)


def test_failed_samples_are_counted_and_stand_in_no_mean(tmp_path: Path) -> None:
    values = [1, None, 1, None, Score(None, "skipped")]
    view = cells(standings(store(tmp_path, Cell(values={"exact_match": values}))))["base"]
    assert (view.value, view.n, view.failed) == (1.0, 2, 3)


def test_all_samples_failed(tmp_path: Path) -> None:
    run = store(
        tmp_path,
        Cell(values={"exact_match": [None, None]}),
        Cell("tuned", values={"exact_match": [1, 0]}),
        baselines={"tuned": "base"},
    )
    found = standings(run)
    view = cells(found)["base"]
    assert (view.value, view.text, view.n, view.failed, view.rank) == (None, "-", 0, 2, None)
    from harness.leaderboard.scripts import script

    script("comparisons", comparison_rows(found.deltas))  # no number there that JSON has not


def test_judges_have_their_marks(tmp_path: Path) -> None:
    from harness.results.run import JUDGE_ERROR

    kin = ScorerInfo("strict[nli]", judge="strict", judged_by="nli", same_family=True, kappa=0.61,
                     kappa_n=40)  # fmt: skip
    broken = Score(None, "error", explanation=f"{JUDGE_ERROR}the reply is empty")
    run = store(tmp_path, Cell(values={"strict[nli]": [0.5, broken]}, infos={"strict[nli]": kin}))
    found = standings(run)
    badges = cells(found, "strict[nli]")["base"].badges
    assert [(badge.kind, badge.text) for badge in badges] == [
        ("kin", "same family"),
        ("stale", "1 judge errors"),
    ]
    assert found.all[0].column.note == "judged by nli; kappa with people 0.610 (n=40)"


def test_what_was_never_calibrated_says_so(tmp_path: Path) -> None:
    run = store(tmp_path, Cell(values={"strict[nli]": [0.5]}, infos={"strict[nli]": JUDGED}))
    assert "agreement with people not measured" in standings(run).all[0].column.note


def test_a_card_gives_a_model_its_badges(tmp_path: Path) -> None:
    card = (
        "model: tuned\nadapter: transformers\nbase: /home/somebody/weights/llama\nlora: ./out\n"
        "quantize: nf4\ntags: [checkpoint, small]\n"
    )
    run = store(
        tmp_path,
        Cell("tuned"),
        Cell("base"),
        specs=[SpecText("model", "tuned", "adapters/tuned.model.yaml", card)],
    )
    found = standings(run)
    row = found.row("tuned", found.all)
    assert [badge.text for badge in row.badges] == ["LoRA of llama", "checkpoint", "nf4"]
    assert row.tags == ("checkpoint", "small")
    assert not any("/home" in badge.title for badge in row.badges)


@pytest.mark.parametrize("card", ["", "]:", "- a list", "tags: 5\nbase: [1]\nlora: true\n", "\0"])
def test_a_card_that_makes_no_sense_has_no_badges_and_does_no_harm(
    tmp_path: Path, card: str
) -> None:
    run = store(tmp_path, Cell(), specs=[SpecText("model", "base", "x.model.yaml", card)])
    found = standings(run)
    assert found.row("base", found.all).tags == ()


# --------------------------------------------------------------------------- differences


def test_a_model_without_a_baseline_has_no_difference(tmp_path: Path) -> None:
    run = store(tmp_path, Cell(), Cell("tuned"), Cell("far"), baselines={"far": "elsewhere"})
    found = standings(run)
    assert [cell.delta for cell in cells(found).values()] == [None, None, None]
    assert found.row("base", found.all).baseline is None
    link = found.row("far", found.all).baseline
    assert link is not None
    assert (link.text, link.href) == ("elsewhere", "")  # it is named, and leads nowhere


def test_a_difference_is_told_with_all_that_stands_behind_it(tmp_path: Path) -> None:
    run = store(
        tmp_path,
        Cell(values={"exact_match": share(20, 100)}),
        Cell("tuned", values={"exact_match": share(80, 100)}),
        baselines={"tuned": "base"},
    )
    found = standings(run)
    delta = cells(found)["tuned"].delta
    assert delta is not None
    assert (delta.text, delta.kind) == ("+0.600", "better")
    assert "60 better, 40 equal, 0 not, of 100" in delta.title
    (row,) = comparison_rows(found.deltas)
    assert row[:5] == ("sums", "", "exact_match", "base", "tuned")
    assert (row[5], row[6], row[7], row[13:16]) == (100, 0.2, 0.8, (60, 40, 0))


def test_one_variant_that_cannot_be_compared_does_not_hinder_the_other(tmp_path: Path) -> None:
    four = {"exact_match": share(9)}
    own = questions(40)[20:]
    run = store(tmp_path, Cell(values=four, variant="fps=1"), Cell(values=four, variant="fps=2"))
    tuned = store(
        tmp_path,
        Cell("tuned", values=four, variant="fps=1"),
        Cell("tuned", values=four, variant="fps=2", samples=own),
        after=60,
        baselines={"tuned": "base"},
    )
    deltas = find_deltas(gather([run, tuned]))
    assert {key[1] for key in deltas.found} == {"fps=1"}
    assert {key[1] for key in deltas.refused} == {"fps=2"}


def test_clusters_are_drawn_as_one(tmp_path: Path) -> None:
    from dataclasses import replace

    samples = [replace(one, cluster=f"video {n // 5}") for n, one in enumerate(questions(20))]
    run = store(
        tmp_path,
        Cell(values={"exact_match": share(5)}, samples=samples),
        Cell("tuned", values={"exact_match": share(10)}, samples=samples),
        baselines={"tuned": "base"},
    )
    plain = store(
        tmp_path / "plain",
        Cell(values={"exact_match": share(5)}),
        Cell("tuned", values={"exact_match": share(10)}),
        baselines={"tuned": "base"},
    )
    wide, narrow = (cells(standings(one))["tuned"] for one in (run, plain))
    assert wide.low is not None and narrow.low is not None  # noqa: PT018
    assert wide.low < narrow.low


def test_a_metric_of_the_whole_corpus(tmp_path: Path) -> None:
    info = ScorerInfo("perplexity", higher_is_better=False, aggregate="perplexity")
    rows = {"base": 20.0, "tuned": 10.0}
    run = store(
        tmp_path,
        *(
            Cell(
                model,
                values={"perplexity": [Score(nll, detail=(nll + n, 10.0)) for n in range(8)]},
                infos={"perplexity": info},
            )
            for model, nll in rows.items()
        ),
        baselines={"tuned": "base"},
    )
    views = cells(standings(run), "perplexity")
    assert views["base"].rank == 2
    assert views["tuned"].rank == 1
    assert views["tuned"].delta is not None
    assert views["tuned"].delta.kind in ("better", "few")
