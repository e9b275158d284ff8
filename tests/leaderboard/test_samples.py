"""What was asked, as data scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from siteruns import Cell, call, questions, store

from harness.leaderboard.gather import gather
from harness.leaderboard.keeping import disagreements, failures
from harness.leaderboard.samples import (
    SampleTexts,
    Shown,
    index_script,
    keep,
    read_samples,
    sample_scripts,
)
from harness.leaderboard.texts import Texts
from harness.records import Sample
from harness.results.run import ScorerInfo


@given(st.integers(0, 300), st.data(), st.none() | st.integers(0, 400))
def test_all_that_is_wanted_is_kept_and_no_more_than_asked(
    count: int, data: st.DataObject, most: int | None
) -> None:
    wanted = sorted(data.draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=count)))
    wanted = [one for one in wanted if one < count]
    kept = keep(count, wanted, most, "seed")
    assert kept == keep(count, wanted, most, "seed")
    if kept is None:
        assert most is None or count <= max(most, len(wanted))
        return
    assert most is not None
    assert set(wanted) <= set(kept)
    assert kept == tuple(sorted(set(kept)))
    assert len(kept) == max(len(wanted), most) < count


def test_which_others_are_kept_depends_on_the_samples_alone() -> None:
    assert keep(1000, [], 100, "a") == keep(1000, [], 100, "a") != keep(1000, [], 100, "b")
    assert set(keep(1000, [], 10, "a") or ()) < set(keep(1000, [], 100, "a") or ())


@given(st.integers(0, 1200), st.data())
@settings(max_examples=30)
def test_every_sample_with_texts_has_its_place_in_a_shard(count: int, data: st.DataObject) -> None:
    some = st.sets(st.integers(0, max(count - 1, 0)), max_size=min(count, 40))
    kept = data.draw(st.none() | some.map(sorted).map(tuple)) if count else None
    shown = Shown("k", tuple(f"s{n}" for n in range(count)), kept)
    places = shown.positions.tolist()
    there = range(count) if kept is None else kept
    assert [places[i] for i in there] == list(range(len(there)))
    assert sum(place < 0 for place in places) == count - len(there)
    assert shown.shards == -(-len(there) // 1000)


def scripts(
    root: Path,
    samples: list[Sample],
    texts: Texts | None = None,
    kept: tuple[int, ...] | None = None,
) -> tuple[Any, list[Any]]:
    """The index and the shards of a task with these samples."""
    run = store(root, Cell(values={"exact_match": [1] * len(samples)}, samples=samples))
    found = read_samples(gather([run]).past[0])
    found = SampleTexts(Shown(found.shown.key, found.shown.ids, kept), found.columns)
    texts = texts or Texts()
    name, index = call(index_script(found, texts))
    assert name == f"samples/{found.shown.key}"
    parts = [call(body) for _, body in sample_scripts(found, texts, None)]
    assert [name for name, _ in parts] == [
        f"samples/{found.shown.key}/{n + 1}" for n in range(len(parts))
    ]
    return index, [value for _, value in parts]


def test_the_index_has_ids_titles_and_clusters(tmp_path: Path) -> None:
    samples = [Sample("a", "Long\n  question " + "x" * 200, "y", cluster="v1"), Sample("b", "", "")]
    index, (part,) = scripts(tmp_path, samples)
    assert index["n"] == 2
    assert index["ids"] == ["a", "b"]
    assert index["titles"] == [("Long question " + "x" * 200)[:100], ""]
    assert index["clusters"] == ["v1", None]
    assert index["kept"] is None
    assert index["split"] == "test"
    assert part["input"][0] == samples[0].input
    assert part["cluster"] == ["v1", None]
    assert "choices" not in part
    assert "media" not in part


def test_shards_hold_a_thousand_samples_each(tmp_path: Path) -> None:
    index, parts = scripts(tmp_path, questions(2001))
    assert [len(part["i"]) for part in parts] == [1000, 1000, 1]
    assert [i for part in parts for i in part["i"]] == list(range(2001))
    assert [i for part in parts for i in part["id"]] == index["ids"]


def test_shards_hold_what_is_kept_and_the_index_says_so(tmp_path: Path) -> None:
    kept = (*range(1200), 1500)
    index, parts = scripts(tmp_path, questions(2000), kept=kept)
    assert index["kept"] == list(kept)
    assert [part["i"] for part in parts] == [list(kept[:1000]), list(kept[1000:])]
    assert parts[1]["id"][-1] == "s1500"


def test_long_lists_have_no_titles(tmp_path: Path) -> None:
    index, _ = scripts(tmp_path, questions(5001))
    assert index["titles"] is None
    assert index["targets"] is None


def test_references_that_are_classes_stand_in_the_index(tmp_path: Path) -> None:
    letters = [Sample(str(n), "?", "AB"[n % 2], choices=("yes", "no")) for n in range(40)]
    assert scripts(tmp_path / "1", letters)[0]["targets"] == [one.target for one in letters]
    words = [Sample(str(n), "?", f"class {n % 30}") for n in range(60)]
    assert scripts(tmp_path / "2", words)[0]["targets"] == [one.target for one in words]
    assert scripts(tmp_path / "3", questions(31))[0]["targets"] is None  # 31 different ones
    long = [Sample("a", "?", "x" * 41), Sample("b", "?", "y")]
    assert scripts(tmp_path / "4", long)[0]["targets"] is None
    redacted = scripts(tmp_path / "5", words, Texts.of(["class 7$"]))[0]["targets"]
    assert redacted[7] == "[redacted]"


def test_columns_of_the_source_stand_beside_what_is_shown_anyhow(tmp_path: Path) -> None:
    row = {"question": "Q?", "context": "Q?", "level": 3, "by": {"name": "Ann 555"}, "id": "a"}
    samples = [Sample("a", "Q?", "A", row=row), Sample("b", "x", "y")]
    _, (part,) = scripts(tmp_path / "1", samples)
    assert part["row"] == [{"context": "Q?", "level": 3, "by": {"name": "Ann 555"}}, {}]
    _, (part,) = scripts(tmp_path / "2", samples, Texts.of(["Ann", "[35]"]))
    assert part["row"][0] == {
        "context": "Q?",
        "level": "[redacted]",
        "by": {"name": "[redacted] [redacted][redacted][redacted]"},
    }


def test_a_source_that_javascript_cannot_hold_is_left_out() -> None:
    columns: dict[str, list[Any]] = {
        "sample": list("abcde"), "split": ["test"] * 5, "input": ["?"] * 5, "target": ["!"] * 5,
        "choices": [None] * 5, "media": [None] * 5, "cluster": [None] * 5,
        "row": ["NaN", '{"a": NaN, "b": -Infinity}', '{"a": 1e999}', "[" * 50_000, "{"],
    }  # fmt: skip
    found = SampleTexts(Shown("k", tuple("abcde")), columns)
    ((_, body),) = sample_scripts(found, Texts(), None)
    assert call(body)[1]["row"] == [None, {"a": "NaN", "b": "-Infinity"}, None, None, None]


def test_names_of_pictures_are_texts(tmp_path: Path) -> None:
    run = store(tmp_path, Cell(values={"exact_match": [1]}))
    found = read_samples(gather([run]).past[0])
    entry = {"kind": "image", "name": "Ann.png", "src": "media/x.jpg", "time": None}
    ((_, body),) = sample_scripts(found, Texts.of(["Ann"]), [[entry]])
    assert call(body)[1]["media"] == [[{**entry, "name": "[redacted].png"}]]


# --------------------------------------------------------------------------- keeping


def kept_of(root: Path, *cells: Cell) -> tuple[set[int], set[int]]:
    """(failures, disagreements) of cells on the same samples."""
    found = gather([store(root, *cells)]).past
    shown = read_samples(found[0]).shown
    return failures(found, shown), disagreements(found, shown)


def test_every_failure_counts_whichever_scorer_it_is_of(tmp_path: Path) -> None:
    one = Cell(values={"exact_match": [1, None, 1, 1], "rouge_l": [1, 1, 1, None]})
    two = Cell("tuned", values={"exact_match": [1, 1, None, 1]})
    assert kept_of(tmp_path, one, two)[0] == {1, 2, 3}


def test_one_failed_epoch_is_a_failure(tmp_path: Path) -> None:
    assert kept_of(tmp_path, Cell(values={"exact_match": [1, 1, 1, None]}, epochs=2))[0] == {1}


def test_models_disagree_where_one_is_right_and_another_wrong(tmp_path: Path) -> None:
    cells = [Cell(m, values={"exact_match": v}) for m, v in
             {"a": [1, 0, 1, None], "b": [1, 0, 0, 1], "c": [1, 0, 1, 1]}.items()]  # fmt: skip
    assert kept_of(tmp_path, *cells)[1] == {2}


def test_models_disagree_by_half_of_the_range(tmp_path: Path) -> None:
    info = {"points": ScorerInfo("points", low=0.0, high=10.0)}
    cells = [
        Cell("a", values={"points": [0, 0, 4]}, infos=info),
        Cell("b", values={"points": [5, 6, 5]}, infos=info),
    ]
    assert kept_of(tmp_path / "1", *cells)[1] == {1}
    free = [Cell(one.model, values=one.values) for one in cells]  # of the observed range, 6
    assert kept_of(tmp_path / "2", *free)[1] == {0, 1}


def test_a_model_alone_and_equal_models_do_not_disagree(tmp_path: Path) -> None:
    same = {"exact_match": [1, 0, 1]}
    assert kept_of(tmp_path / "1", Cell(values=same))[1] == set()
    assert kept_of(tmp_path / "2", Cell(values=same), Cell("b", values=same))[1] == set()


def test_rows_are_json(tmp_path: Path) -> None:
    """What a run stores of a row is what `read_samples` reads."""
    run = store(tmp_path, Cell(samples=[Sample("a", "", "", row={"x": "é"}), *questions(1)]))
    assert json.loads(read_samples(gather([run]).past[0]).columns["row"][0]) == {"x": "é"}
