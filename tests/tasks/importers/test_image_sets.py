"""The six image sets: what each benchmark's scoring needs is in the records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import datasettrees
import pytest
from datasettrees import JPEG, TEN, put

from harness.tasks.importers.mmbench import NO_IMAGE, NO_ROW
from harness.tasks.importers.scienceqa import NO_SPLIT, TEXT_ONLY
from harness.tasks.importers.source import NO_ANSWER, OPTIONS
from harness.tasks.importers.vqav2 import UNASKED


def test_gqa(importing: Any) -> None:
    datasettrees.gqa(importing.root)
    done = importing("gqa")
    row = importing.row("gqa", "201307251")
    assert (row["split"], row["target"], row["class"]) == ("testdev", "no", "verify")
    assert (row["media"], row["cluster"]) == (["images/n161313.jpg"], "n161313")
    assert row["full_answer"] == "No, it is blue."
    assert importing.row("gqa", "05515938")["split"] == "validation"
    assert done.left.found == {NO_ANSWER: ["test 9"]}


def test_mmbench_images_become_files_once_each(importing: Any) -> None:
    datasettrees.mmbench(importing.root)
    importing("mmbench")
    row = importing.row("mmbench", "241")
    [path] = row["media"]
    assert (importing.to / "data" / path).read_bytes() == JPEG * 9
    assert row["input"] == "Read\nthis.\nWhich is true?"
    assert (row["target"], row["choices"]) == ("B", ["Up", "Down", "Left", "Right"])
    assert importing.row("mmbench", "1000241")["media"] == [path]
    assert importing.row("mmbench", "1000241")["cluster"] == row["cluster"]
    two = importing.row("mmbench", "252")
    assert (two["choices"], two["hint"]) == (["Yes", "No"], "")
    assert len([name for name in importing.files() if "images" in name]) == 2


def test_mmbench_pictures_of_other_records_are_not_written(importing: Any) -> None:
    datasettrees.mmbench(importing.root)
    importing("mmbench", classes=("identity",))
    assert len([name for name in importing.files() if "images" in name]) == 1


def test_mmbench_rows_that_cannot_be_used(importing: Any, refused: Callable[..., str]) -> None:
    datasettrees.mmbench(importing.root)
    table = importing.root / "mmbench_dev_20230712.tsv"
    whole = table.read_text()
    more = ["x", "y", "nan", "dev"]
    odd = [
        ["7", "Q", "", "a", "b", "", "", "A", "logic", "999", *more],
        ["8", "Q", "", "a", "b", "", "", "nan", "logic", "241", *more],
        ["9", "Q", "", "a", "a", "", "", "A", "logic", "241", *more],
        ["10", "Q", "", "a", "b", "", "", "A", "logic", "A" * 80, *more],
    ]
    table.write_text(whole + "".join("\t".join(row) + "\n" for row in odd))
    left = importing("mmbench").left.found
    assert {reason: len(found) for reason, found in left.items()} == {
        NO_ANSWER: 1, OPTIONS: 1, NO_IMAGE: 1, NO_ROW: 1,
    }  # fmt: skip
    table.write_text(whole + "11\tQ\t\ta\n" + "\t".join(["12", *odd[0][1:7], "E", *odd[1][8:]]))
    told = refused("mmbench", force=True).splitlines()
    assert "mmbench_dev_20230712.tsv:6: 4 values for 14 columns" in told[0]
    assert "mmbench_dev_20230712.tsv:7: answer 'E' is not the letter of an option" in told[1]


def test_pope(importing: Any, refused: Callable[..., str]) -> None:
    datasettrees.pope(importing.root)
    importing("pope")
    row = importing.row("pope", "coco-random-1")
    assert (row["target"], row["class"]) == ("yes", "random")
    assert row["media"] == ["val2014/COCO_val2014_000000310196.jpg"]
    assert len({row["cluster"] for row in importing.rows("pope")}) == 1
    put(importing.root / "coco" / "coco_pope_popular.json", '{"question_id": 1}\n{"que\n')
    told = refused("pope").splitlines()
    assert "coco_pope_popular.json:1: no 'image' (keys: question_id)" in told[0]
    assert "coco_pope_popular.json:2: not a JSON object" in told[1]


def test_scienceqa(importing: Any) -> None:
    datasettrees.scienceqa(importing.root)
    problems = json.loads((importing.root / "problems.json").read_text())
    problems |= {"5": problems["1"], "6": {**problems["1"], "choices": ["B", "A"]}}
    put(importing.root / "problems.json", problems)
    splits = json.loads((importing.root / "pid_splits.json").read_text())
    put(importing.root / "pid_splits.json", {**splits, "test": ["3", "6"]})
    left = importing("scienceqa").left.found
    row = importing.row("scienceqa", "2")
    assert row["input"] == "See the map.\nWhich is the capital of Oregon?"
    assert (row["split"], row["target"], row["class"]) == ("validation", "B", "social science")
    assert row["media"] == ["images/val/2/image.png"]
    assert left == {TEXT_ONLY: ["4"], NO_SPLIT: ["5"], OPTIONS: ["6"]}


def test_scienceqa_splits_that_overlap_are_refused(
    importing: Any, refused: Callable[..., str]
) -> None:
    datasettrees.scienceqa(importing.root)
    put(importing.root / "pid_splits.json", {"train": ["1"], "val": ["2"], "test": ["1"]})
    assert "problem '1' is in 'train' and in 'test'" in refused("scienceqa")


@pytest.mark.parametrize(("name", "key"), [("vizwiz", "VizWiz_val_00000000"), ("vqav2", "9000")])
def test_ten_answers_are_kept_for_the_soft_accuracy(importing: Any, name: str, key: str) -> None:
    datasettrees.TREES[name](importing.root)
    importing(name)
    row = importing.row(name, key)
    assert row["answers"] == TEN
    assert row["answer_confidences"] == ["yes"] * 10
    assert (row["target"], row["split"]) == ("cat", "validation")


def test_questions_on_one_image_are_one_cluster(importing: Any) -> None:
    datasettrees.vqav2(importing.root)
    importing("vqav2")
    assert [row["cluster"] for row in importing.rows("vqav2")] == ["COCO_000000000009"] * 2


def test_vqa_questions_and_annotations_that_do_not_meet(importing: Any) -> None:
    datasettrees.vqav2(importing.root)
    path = importing.root / "v2_OpenEnded_mscoco_val2014_questions.json"
    questions = json.loads(path.read_text())["questions"]
    questions[0]["question_id"] = 5
    put(path, {"questions": questions})
    left = importing("vqav2").left.found
    assert left == {NO_ANSWER: ["val2014 5"], UNASKED: ["val2014 9000"]}
