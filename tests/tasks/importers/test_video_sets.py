"""QVED and MSVD-QA."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import datasettrees
from datasettrees import put

from harness.tasks.importers.qved import NO_SPLIT, QUESTION
from harness.tasks.importers.source import MISSING, NO_ANSWER


def test_feedback_errors_and_exercise_of_the_design_s_records(importing: Any) -> None:
    datasettrees.qved(importing.root)
    done = importing("qved")
    row = importing.row("qved", "squats/00000123")
    assert row["target"] == "Keep the knees over the toes."
    assert (row["errors"], row["error_frames"]) == (["knee_valgus"], [12, 15])
    assert (row["class"], row["exercise"]) == ("squats", "squats")
    assert done.notes == (NO_SPLIT,)


def test_the_question_does_not_name_the_exercise(importing: Any) -> None:
    datasettrees.qved(importing.root)
    importing("qved")
    assert {row["input"] for row in importing.rows("qved")} == {QUESTION}


def test_an_augmented_video_is_in_the_cluster_of_its_original(importing: Any) -> None:
    datasettrees.qved(importing.root)
    importing("qved")
    assert importing.row("qved", "squats/00000123_5")["cluster"] == "squats/00000123"


def test_the_form_that_systems_are_trained_on(importing: Any) -> None:
    turns = [
        {"from": "human", "value": "Analyze this squats video."},
        {"from": "gpt", "value": "squats - too fast"},
    ]
    put(importing.root / "squats" / "1.mp4")
    for split in ("train", "test"):
        row = {"video": "dataset/squats/1.mp4", "conversations": turns, "split": split}
        put(importing.root / f"qved_{split}.json", [row])
    importing("qved", splits=("test",))
    [row] = importing.rows("qved")
    assert (row["target"], row["class"], row["split"]) == ("squats - too fast", "squats", "test")
    assert row["media"] == ["squats/1.mp4"]
    assert "errors" not in row  # that none are annotated does not mean that there are none


def test_the_distributed_labels(importing: Any) -> None:
    rows = [
        {"video_path": "./squats/1.mp4", "labels": ["a", "b"], "labels_descriptive": ["A.", "B."],
         "split": "train"},
        {"video_path": "./squats/2.mp4", "labels": ["squats - fast"], "split": "test"},
        {"video_path": "./squats/3.mp4", "labels": [], "split": "test"},
    ]  # fmt: skip
    put(importing.root / "fine_grained_labels.json", rows)
    for number in (1, 2, 3):
        put(importing.root / "squats" / f"{number}.mp4")
    done = importing("qved")
    assert [row["target"] for row in importing.rows("qved")] == ["A.\nB.", "squats - fast"]
    assert done.left.found == {NO_ANSWER: ["./squats/3.mp4"]}


def test_broken_records_are_told_all(importing: Any, refused: Callable[..., str]) -> None:
    good = {"video": "a/1.mp4", "ground_truth": "x"}
    rows = [good, {"ground_truth": "x"}, {**good, "error_frames": ["12"]}, 7]
    put(importing.root / "qved.jsonl", "".join(json.dumps(row) + "\n" for row in rows) + "{\n")
    put(importing.root / "a" / "1.mp4")
    told = refused("qved").splitlines()
    assert [line.partition("qved.jsonl:")[2] for line in told] == [
        "2: no 'video' (keys: split, ground_truth)",
        "3: 'error_frames' holds no list of frame numbers",
        "4: a JSON object is needed, not int",
        "5: not a JSON object: Expecting property name enclosed in double quotes at column 2",
    ]


def test_msvd_finds_clips_through_the_mapping(importing: Any) -> None:
    datasettrees.msvd(importing.root)
    importing("msvd")
    row = importing.row("msvd", "msvd-3")
    assert row["media"] == ["YouTubeClips/abc-1_20_31.avi"]
    assert (row["target"], row["class"], row["split"]) == ("two", "how", "test")
    assert importing.row("msvd", "msvd-2")["split"] == "validation"


def test_clips_of_one_youtube_video_are_one_cluster(importing: Any) -> None:
    datasettrees.msvd(importing.root)
    importing("msvd")
    clusters = [row["cluster"] for row in importing.rows("msvd")]
    assert clusters == ["abc-1", "x_y_z", "abc-1"]


def test_msvd_clips_may_be_named_by_number(importing: Any) -> None:
    datasettrees.msvd(importing.root)
    (importing.root / "youtube_mapping.txt").unlink()
    (importing.root / "YouTubeClips" / "x_y_z_0_5.avi").rename(importing.root / "vid3.mp4")
    done = importing("msvd")
    assert [row["media"] for row in importing.rows("msvd")] == [["vid3.mp4"]]
    assert len(done.left.found[MISSING]) == 2
    assert "vid<number>.avi" in done.notes[0]


def test_a_broken_mapping_is_told_by_line(importing: Any, refused: Callable[..., str]) -> None:
    datasettrees.msvd(importing.root)
    mapping = importing.root / "youtube_mapping.txt"
    mapping.write_text(mapping.read_text() + "only\nother_1_2 vid1\n")
    told = refused("msvd").splitlines()
    assert "youtube_mapping.txt:4: 'only' is not: name vid<number>" in told[0]
    assert "youtube_mapping.txt:5: 'vid1' stands twice" in told[1]
