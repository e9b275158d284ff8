"""UCF-Crime: lists, classes, events, the video that lies in two folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasettrees
import pytest

from harness.tasks.importers.source import EMPTY, LINK_OUT, MISSING
from harness.tasks.importers.ucf_crime import SECOND, TWICE, UNNAMED

LIST = "UCF_Crimes-Train-Test-Split/Anomaly_Detection_splits/Anomaly_Test.txt"


@pytest.fixture
def root(importing: Any) -> Path:
    return datasettrees.ucf_crime(importing.root)


def test_every_record_has_the_same_choices_and_its_own_class(root: Path, importing: Any) -> None:
    importing("ucf-crime")
    rows = importing.rows("ucf-crime")
    assert len(rows) == 6
    assert {tuple(row["choices"]) for row in rows} == {
        ("Abuse", "Fighting", "Normal", "Road Accident")
    }
    row = importing.row("ucf-crime", "RoadAccidents001_x264")
    assert (row["split"], row["target"], row["class"]) == ("test", "D", "Road Accident")
    assert row["media"] == ["Anomaly-Videos-Part-2/RoadAccidents/RoadAccidents001_x264.mp4"]
    assert (row["cluster"], row["anomaly"]) == ("RoadAccidents001", "anomaly")
    assert row["events"] == [[10, 20], [90, 95]]
    normal = importing.row("ucf-crime", "Normal_Videos003_x264")
    assert (normal["split"], normal["target"], normal["anomaly"]) == ("train", "C", "normal")
    assert "events" not in normal  # only test videos are annotated


def test_of_two_files_of_one_name_the_list_s_own_is_taken(root: Path, importing: Any) -> None:
    done = importing("ucf-crime")
    row = importing.row("ucf-crime", "Normal_Videos_015_x264")
    assert row["media"] == ["Testing_Normal_Videos/Normal_Videos_015_x264.mp4"]
    other = "Normal_Videos_for_Event_Recognition/Normal_Videos_015_x264.mp4"
    assert done.left.found == {SECOND: [other]}


def test_the_study_s_classes_are_chosen_by_name(root: Path, importing: Any) -> None:
    importing("ucf-crime", classes=("Abuse", "Normal"))
    rows = importing.rows("ucf-crime")
    assert {row["class"] for row in rows} == {"Abuse", "Normal"}
    assert {tuple(row["choices"]) for row in rows} == {("Abuse", "Normal")}


def test_videos_that_are_not_there_are_counted(root: Path, importing: Any) -> None:
    (root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse001_x264.mp4").unlink()
    (root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse028_x264.mp4").write_bytes(b"")
    (root / "Normal_Videos_for_Event_Recognition" / "Normal_Videos_015_x264.mp4").unlink()
    datasettrees.put(root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse099_x264.mp4")
    done = importing("ucf-crime")
    assert len(importing.rows("ucf-crime")) == 4
    assert done.left.found == {
        EMPTY: ["Abuse/Abuse028_x264.mp4"],
        MISSING: ["Abuse/Abuse001_x264.mp4"],
        UNNAMED: ["Anomaly-Videos-Part-1/Abuse/Abuse099_x264.mp4"],
    }
    assert [row["what"] for row in importing.rows("ucf-crime.left-out")] == [
        "Abuse/Abuse028_x264.mp4",
        "Abuse/Abuse001_x264.mp4",
        "Anomaly-Videos-Part-1/Abuse/Abuse099_x264.mp4",
    ]


def test_a_video_that_is_named_twice_stays_in_test(root: Path, importing: Any) -> None:
    train = root / LIST.replace("Test.txt", "Train.txt")
    train.write_text(train.read_text() + "Abuse/Abuse028_x264.mp4\n")
    done = importing("ucf-crime")
    assert importing.row("ucf-crime", "Abuse028_x264")["split"] == "test"
    [what] = done.left.found[TWICE]
    assert what.startswith("Abuse/Abuse028_x264.mp4 (")
    assert what.endswith("Anomaly_Train.txt:4)")


def test_broken_lines_are_told_all_with_their_place(
    root: Path, refused: Callable[..., str]
) -> None:
    (root / LIST).write_text("Abuse/Abuse028_x264.mp4\nAbuse028\nGardening/x.mp4\n")
    notes = root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"
    notes.write_text("Abuse028_x264.mp4 Abuse 165\nAbuse028_x264.mp4 Abuse 9 5 -1 -1\n")
    told = refused("ucf-crime").splitlines()
    assert len(told) == 4
    assert "Anomaly_Test.txt:2: 'Abuse028' is not <class>/<video>.mp4" in told[0]
    assert "Anomaly_Test.txt:3: 'Gardening/x.mp4'" in told[1]
    assert "Testing_Videos.txt:1:" in told[2]
    assert "Testing_Videos.txt:2: an event ends before it begins" in told[3]


def test_the_recognition_lists_serve_where_there_are_no_others(root: Path, importing: Any) -> None:
    folder = (root / LIST).parent
    for path in folder.iterdir():
        path.unlink()
    other = folder.parent / "Action_Regnition_splits"
    datasettrees.put(other / "train_001.txt", "Fighting/Fighting003_x264.mp4 \n")
    datasettrees.put(
        other / "test_001.txt",
        "Abuse/Abuse001_x264.mp4 \nNormal_Videos_event/Normal_Videos_015_x264.mp4 \n",
    )
    importing("ucf-crime")
    row = importing.row("ucf-crime", "Normal_Videos_015_x264")
    assert row["media"] == ["Normal_Videos_for_Event_Recognition/Normal_Videos_015_x264.mp4"]
    assert len(importing.rows("ucf-crime")) == 3


def test_links_out_of_the_folder_need_leave(root: Path, importing: Any, tmp_path: Path) -> None:
    folder = root / "Anomaly-Videos-Part-2"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    done = importing("ucf-crime")
    assert len(done.records) == 4
    assert len(done.left.found[MISSING]) == 2
    linked = root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse001_x264.mp4"
    linked.rename(tmp_path / "video.mp4")
    linked.symlink_to(tmp_path / "video.mp4")
    done = importing("ucf-crime", force=True)
    assert done.left.found[LINK_OUT] == ["Abuse/Abuse001_x264.mp4"]
    done = importing("ucf-crime", force=True, allow_outside=True)
    assert len(done.records) == 6
    row = importing.row("ucf-crime", "RoadAccidents001_x264")
    assert row["media"] == [str(tmp_path / "elsewhere" / "RoadAccidents/RoadAccidents001_x264.mp4")]


def test_a_link_in_a_circle_ends(root: Path, importing: Any) -> None:
    (root / "Anomaly-Videos-Part-1" / "again").symlink_to(root)
    assert len(importing("ucf-crime").records) == 6
