"""Human ratings: read with every mistake located, shuffled blind, written whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.judge_spec import JudgeSpec
from harness.errors import CollectError, DataError, HarnessError, StoreError
from harness.judges.base import Material, Unreadable
from harness.judges.labels import (
    LabelFile,
    blinded,
    check_writable,
    item_id,
    labels_path,
    make_label,
    read_items,
)


def judge(**more: object) -> JudgeSpec:
    shape: dict[str, object] = {
        "judge": "rubric",
        "version": 1,
        "model": "m",
        "template": "rubric.j2",
        "criteria": [{"name": "accuracy", "max": 40}, {"name": "practicality", "max": 60}],
    }
    return JudgeSpec.model_validate(shape | more)


ROW = {
    "id": "a",
    "question": "Why?",
    "reference": "Because.",
    "answer": "So.",
    "ratings": {"accuracy": 30, "practicality": 5},
    "rater": "anna",
}


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def mistake(path: Path, *rows: object, spec: JudgeSpec | None = None) -> str:
    with pytest.raises(DataError) as error:
        read_items([write(path, *rows)], spec or judge())
    return str(error.value)


# --------------------------------------------------------------------------- reading


def test_two_peoples_ratings_of_one_answer_are_one_item(tmp_path: Path) -> None:
    second = ROW | {"rater": "ben", "ratings": {"accuracy": 40, "practicality": 60}}
    (item,) = read_items([write(tmp_path / "l.jsonl", ROW, second)], judge())
    assert item.material == Material("Why?", "Because.", "So.")
    assert [(one.rater, one.total, one.value) for one in item.labels] == [
        ("anna", 35, 0.35),
        ("ben", 100, 1.0),
    ]


def test_a_total_may_stand_for_the_ratings(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "ratings"} | {"total": 12.5}
    (item,) = read_items([write(tmp_path / "l.jsonl", row)], judge())
    assert (item.labels[0].total, item.labels[0].value) == (12.5, 0.125)
    assert item.labels[0].ratings == {}


def test_a_judge_that_sees_no_reference_needs_none_and_gets_none(tmp_path: Path) -> None:
    bare = {key: value for key, value in ROW.items() if key != "reference"}
    spec = judge(needs_reference=False)
    for row in (ROW, bare):
        (item,) = read_items([write(tmp_path / "l.jsonl", row)], spec)
        assert item.material.reference is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"rateing": 1}, "unknown key 'rateing' (did you mean 'ratings'?)"),
        ({"question": ""}, "'question' is empty"),
        ({"answer": 7}, "'answer' must be text, not int"),
        ({"reference": None}, "'reference' must be text, not NoneType"),
        ({"total": 3}, "give exactly one of 'ratings' and 'total'"),
        ({"ratings": [1, 2]}, "'ratings' must be {criterion: number}"),
        ({"ratings": {"accuracy": 30}}, "'practicality' is not rated"),
        (
            {"ratings": {"acuracy": 30, "practicality": 5}},
            "the judge has no criterion 'acuracy' (did you mean 'accuracy'?)",
        ),
        (
            {"ratings": {"accuracy": 41, "practicality": 5}},
            "'accuracy' is 41; it goes from 0 to 40",
        ),
        (
            {"ratings": {"accuracy": 3.5, "practicality": 5}},
            "'accuracy' is 3.5; whole numbers are needed",
        ),
        (
            {"ratings": {"accuracy": "30", "practicality": 5}},
            "'accuracy' must be a number, not str",
        ),
        (
            {"ratings": {"accuracy": True, "practicality": 5}},
            "'accuracy' must be a number, not bool",
        ),
        ({"media": "clip.mp4"}, "'media' must be a list of paths"),
    ],
)
def test_a_bad_line_is_an_error_with_file_and_line(
    tmp_path: Path, change: dict[str, object], what: str
) -> None:
    path = tmp_path / "l.jsonl"
    assert mistake(path, ROW, ROW | {"id": "b"} | change) == f"{path}:2: {what}"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    for key in ("id", "question", "reference", "answer", "rater"):
        row = {name: value for name, value in ROW.items() if name != key}
        assert mistake(path, row) == f"{path}:1: '{key}' is missing"


def test_nan_is_no_rating(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    row = json.dumps(ROW).replace("30", "NaN")
    assert mistake(path, row).startswith(f"{path}:1: ")


def test_a_total_outside_the_scale_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    row = {key: value for key, value in ROW.items() if key != "ratings"} | {"total": 101}
    assert mistake(path, row) == f"{path}:1: 'total' is 101; it goes from 0 to 100"


def test_one_id_for_two_answers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    other = ROW | {"rater": "ben", "answer": "Otherwise."}
    assert mistake(path, ROW, other) == (
        f"{path}:2: id 'a' has another question, reference or answer at {path}:1"
    )


def test_one_person_rates_an_answer_once(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    assert mistake(path, ROW, ROW) == f"{path}:2: 'anna' has rated 'a' already"


def test_all_bad_lines_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "l.jsonl", "{", ROW, ROW | {"id": ""})
    with pytest.raises(CollectError) as error:
        read_items([path], judge())
    first, second = str(error.value).splitlines()
    assert first.startswith(f"{path}:1: not a JSON object")
    assert second == f"{path}:3: 'id' is empty"


def test_a_file_without_labels_and_a_file_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    assert mistake(path) == f"{path}: holds no labels"
    with pytest.raises(DataError, match=r"must end in \.jsonl"):
        read_items([tmp_path / "l.csv"], judge())
    with pytest.raises(DataError, match="cannot be read"):
        read_items([tmp_path / "none.jsonl"], judge())


def test_a_pairwise_judge_has_nothing_to_rate_by(tmp_path: Path) -> None:
    spec = judge(pairwise=True, criteria=[])
    with pytest.raises(HarnessError, match="compares two answers"):
        read_items([write(tmp_path / "l.jsonl", ROW)], spec)


# --------------------------------------------------------------------------- one rating


def test_people_and_judge_are_added_up_by_one_arithmetic() -> None:
    spec = judge(
        scale="yesno_score",
        criteria=[{"name": "match", "kind": "yesno"}, {"name": "score", "max": 5}],
    )
    label = make_label("a", "anna", Material("q", "r", "a"), {"match": 1, "score": 4}, spec)
    assert label.ratings == {"match": 1, "score": 4}
    assert (label.total, label.value) == (4, 0.8)
    with pytest.raises(Unreadable, match=r"'match' is 0.5; whole numbers"):
        make_label("a", "anna", Material("q", "r", "a"), {"match": 0.5, "score": 4}, spec)


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_of_supported_claims_is_kept(share: tuple[int, int]) -> None:
    supported, claims = share
    spec = judge(scale="mean", criteria=[{"name": "facts", "kind": "claims"}])
    label = make_label("a", "anna", Material("q", "r", "a"), {"facts": supported / claims}, spec)
    assert label.value == pytest.approx(supported / claims)


# --------------------------------------------------------------------------- showing


def answers(count: int) -> list[Material]:
    return [Material(f"question {n}", "r", f"answer {n}") for n in range(count)]


def test_the_order_depends_on_person_and_run_and_not_on_whose_answers_they_are() -> None:
    shown = blinded(answers(30), "anna", "run-1")
    assert blinded(answers(30)[::-1], "anna", "run-1") == shown
    assert blinded(answers(30), "ben", "run-1") != shown
    assert blinded(answers(30), "anna", "run-2") != shown
    assert [one.question for _, one in shown] != [one.question for one in answers(30)]


def test_equal_answers_of_two_models_are_shown_once() -> None:
    assert len(blinded([*answers(3), *answers(3)], "anna", "run")) == 3


def test_an_id_tells_nothing_but_whether_it_is_the_same_answer() -> None:
    first, second = answers(2)
    assert item_id(first) == item_id(Material("question 0", "r", "answer 0"))
    assert item_id(first) != item_id(second)
    assert len(item_id(first)) == 16


# --------------------------------------------------------------------------- writing


def test_ratings_are_kept_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    path, spec = labels_path(tmp_path, "rubric", "anna"), judge()
    assert path == tmp_path / "judges" / "labels" / "rubric.anna.jsonl"
    first, second = [(item_id(one), one) for one in answers(2)]
    LabelFile(path, spec, "anna").add(*first, {"accuracy": 40, "practicality": 1})
    opened = LabelFile(path, spec, "anna")
    assert opened.rated == {first[0]}
    opened.add(*second, {"accuracy": 0, "practicality": 0})
    items = read_items([path], spec)
    assert [(one.id, one.material) for one in items] == [first, second]
    assert [one.labels[0].total for one in items] == [41, 0]
    assert [file.name for file in path.parent.iterdir()] == ["rubric.anna.jsonl"]


@given(st.text(min_size=1).filter(str.strip), st.text(), st.text(min_size=1).filter(str.strip))
def test_every_text_is_read_as_it_was_written(question: str, answer: str, reference: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        material = Material(question, reference, answer, media=("clip.mp4",), folder=folder)
        opened = LabelFile(Path(folder) / "j.anna.jsonl", judge(), "anna")
        opened.add("x", material, {"accuracy": 1, "practicality": 1})
        (item,) = read_items([opened.path], judge())
        assert item.material == material


def test_a_second_window_of_the_same_person_loses_nothing(tmp_path: Path) -> None:
    path, spec = tmp_path / "j.anna.jsonl", judge()
    one, other = LabelFile(path, spec, "anna"), LabelFile(path, spec, "anna")
    for opened, (n, material) in zip((one, other), enumerate(answers(2)), strict=True):
        opened.add(str(n), material, {"accuracy": 1, "practicality": 1})
    assert LabelFile(path, spec, "anna").rated == {"0", "1"}


def test_a_rating_that_is_wrong_is_not_stored(tmp_path: Path) -> None:
    opened = LabelFile(tmp_path / "j.anna.jsonl", judge(), "anna")
    with pytest.raises(Unreadable, match="'practicality' is not rated"):
        opened.add("x", answers(1)[0], {"accuracy": 1})
    assert not opened.path.exists()


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "j.ben.jsonl", ROW)
    with pytest.raises(DataError, match="holds ratings of 'anna'"):
        LabelFile(path, judge(), "ben")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "judges").write_text("a file", encoding="utf-8")
    opened = LabelFile(labels_path(tmp_path, "j", "anna"), judge(), "anna")
    with pytest.raises(StoreError, match=r"cannot write .*j\.anna\.jsonl"):
        check_writable(opened.path)
    with pytest.raises(StoreError, match="cannot write"):
        opened.add("x", answers(1)[0], {"accuracy": 1, "practicality": 1})


def test_looking_whether_a_file_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    check_writable(labels_path(tmp_path, "j", "anna"))
    assert list(tmp_path.iterdir()) == []


def test_media_are_told_beside_the_labels_and_found_beside_the_data(tmp_path: Path) -> None:
    data = str(tmp_path / "tasks/gym/data")
    material = Material("Why?", "So.", "Thus.", media=("clips/a.png",), folder=data)
    path = tmp_path / "judges/labels/rubric.anna.jsonl"
    file = LabelFile(path, judge(), "anna")
    for id in "xy":  # the first line is written again with the second one
        file.add(id, material, {"accuracy": 1, "practicality": 1})
    assert json.loads(path.read_text("utf-8").splitlines()[0])["media"] == [
        "../../tasks/gym/data/clips/a.png"
    ]
    for item in read_items([path], judge()):
        (found,) = item.material.paths
        assert Path(found).resolve() == Path(data, "clips/a.png").resolve()
