"""What all data sets have in common: the same bytes again, whole or not at all, bad input."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasettrees
import pytest
from datasettrees import TREES, put

from harness.errors import StoreError
from harness.tasks.importers.importing import NOT_OPENED, NOT_TEXT, UNREADABLE
from harness.tasks.importers.registry import IMPORTERS, get_importer
from harness.tasks.importers.source import MISSING, ODD_NAME, TWICE
from harness.tasks.importers.ucf_crime import UNNAMED


def pope(importing: Any, *images: str, text: str = "Is there a dog?") -> None:
    """A POPE folder that asks about these images, which are not there yet."""
    rows = [
        {"question_id": n, "image": image, "text": text, "label": "yes"}
        for n, image in enumerate(images)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    put(importing.root / "coco_pope_random.json", lines)


def test_there_is_a_small_tree_for_every_importer() -> None:
    assert set(TREES) == set(IMPORTERS)
    for name in IMPORTERS:
        assert callable(get_importer(name))


@pytest.mark.parametrize("name", TREES)
def test_the_same_folder_gives_the_same_bytes(importing: Any, name: str) -> None:
    TREES[name](importing.root)
    assert not importing(name).written.current
    files = importing.files()
    assert importing(name).written.current
    for path in importing.to.rglob("*.*"):
        path.unlink()
    importing(name)
    assert importing.files() == files


@pytest.mark.parametrize("name", TREES)
def test_every_file_that_is_named_has_a_checksum(importing: Any, name: str) -> None:
    TREES[name](importing.root)
    root = importing(name).media_root
    named = {path for rows in _all_rows(importing) for row in rows for path in row["media"]}
    told = {}
    for line in (importing.to / "data" / f"{name}.checksums").read_text().splitlines():
        digest, size, path = line.split(" ", 2)
        told[json.loads(path)] = digest, int(size)
    assert set(told) == named
    for path, (digest, size) in told.items():
        body = (root / path).read_bytes()
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (digest, size)


def _all_rows(importing: Any) -> list[list[dict[str, Any]]]:
    found = (importing.to / "data").glob("*.jsonl")
    return [importing.rows(path.stem) for path in found if "left-out" not in path.name]


@pytest.mark.parametrize("name", TREES)
def test_nothing_is_written_into_the_data_set(importing: Any, name: str) -> None:
    TREES[name](importing.root)
    before = {path: path.stat().st_mtime_ns for path in importing.root.rglob("*")}
    importing(name)
    assert {path: path.stat().st_mtime_ns for path in importing.root.rglob("*")} == before


def test_without_checksums_no_file_is_opened(importing: Any, no_override: None) -> None:
    pope(importing, "a.jpg")
    put(importing.root / "a.jpg").chmod(0)
    assert len(importing("pope", checksums=False).records) == 1
    assert list(importing.files()) == ["data/pope.jsonl"]


def test_a_file_that_cannot_be_read_is_left_out(importing: Any, no_override: None) -> None:
    pope(importing, "a.jpg", "b.jpg")
    put(importing.root / "a.jpg").chmod(0)
    put(importing.root / "b.jpg")
    done = importing("pope")
    assert [record.id for record in done.records] == ["coco-random-1"]
    assert done.left.found == {UNREADABLE: ["a.jpg: Permission denied"]}


def test_a_folder_that_cannot_be_read_is_told(importing: Any, no_override: None) -> None:
    pope(importing, "a.jpg", "b.jpg")
    put(importing.root / "a.jpg")
    folder = put(importing.root / "closed" / "b.jpg").parent
    folder.chmod(0)
    try:
        left = importing("pope").left.found
    finally:
        folder.chmod(0o755)
    assert left == {MISSING: [next(iter(left[MISSING]))], NOT_OPENED: ["closed"]}


# --------------------------------------------------------------------------- choosing


def test_a_limit_is_drawn_by_the_seed_for_each_split(importing: Any) -> None:
    pope(importing, *(f"{n}.jpg" for n in range(30)))
    for n in range(30):
        put(importing.root / f"{n}.jpg")
    importing("pope", limit=5)
    first = [row["id"] for row in importing.rows("pope")]
    assert len(first) == 5
    assert first == sorted(first, key=lambda key: int(key.rpartition("-")[2]))
    importing("pope", limit=5, seed=1, force=True)
    assert [row["id"] for row in importing.rows("pope")] != first
    importing("pope", limit=6, force=True)
    assert set(first) < {row["id"] for row in importing.rows("pope")}


def test_a_split_or_class_that_is_not_there_is_told(
    importing: Any, refused: Callable[..., str]
) -> None:
    datasettrees.ucf_crime(importing.root)
    assert "no split 'tests' (did you mean 'test'?)" in refused("ucf-crime", splits=("tests",))
    told = refused("ucf-crime", classes=("Abuse", "Fihgting"))
    assert "no class 'Fihgting' (did you mean 'Fighting'?)" in told


def test_ids_that_stand_twice_are_counted(importing: Any) -> None:
    pope(importing, "a.jpg")
    put(importing.root / "a.jpg")
    path = importing.root / "coco_pope_random.json"
    path.write_text(path.read_text() * 2)
    assert importing("pope").left.found == {TWICE: ["coco-random-0"]}


# --------------------------------------------------------------------------- where it goes


def test_files_of_other_content_are_not_overwritten(
    importing: Any, refused: Callable[..., str]
) -> None:
    datasettrees.pope(importing.root)
    mine = put(importing.to / "data" / "pope.jsonl", "mine\n")
    told = refused("pope")
    assert told.endswith("pope.jsonl exists with other content (--force overwrites)")
    assert mine.read_text() == "mine\n"
    importing("pope", force=True)
    assert len(importing.rows("pope")) == 2


def test_what_belongs_to_older_data_goes_with_them(importing: Any) -> None:
    pope(importing, "a.jpg", "b.jpg")
    put(importing.root / "a.jpg")
    importing("pope")
    assert len(importing.files()) == 3
    put(importing.root / "b.jpg")
    importing("pope", checksums=False, force=True)
    assert list(importing.files()) == ["data/pope.jsonl"]


def test_paths_are_relative_to_what_media_says(
    importing: Any, refused: Callable[..., str], tmp_path: Path
) -> None:
    datasettrees.pope(importing.root)
    importing("pope", media=tmp_path)
    name = "val2014/COCO_val2014_000000310196.jpg"
    assert importing.rows("pope")[0]["media"] == [f"original/{name}"]
    (tmp_path / "other").mkdir()
    told = refused("pope", media=tmp_path / "other", force=True)
    assert "lies outside --media (--allow-outside writes absolute paths)" in told
    importing("pope", media=tmp_path / "other", force=True, allow_outside=True)
    assert importing.rows("pope")[0]["media"] == [str(importing.root / name)]


def test_a_data_set_beside_the_data_is_named_from_there(importing: Any, tmp_path: Path) -> None:
    datasettrees.pope(tmp_path / "elsewhere")
    (importing.to / "data").mkdir(parents=True)
    (importing.to / "data" / "coco").symlink_to(tmp_path / "elsewhere")
    importing.root = importing.to / "data" / "coco"
    done = importing("pope")
    [path] = importing.rows("pope")[0]["media"]
    assert path == "coco/val2014/COCO_val2014_000000310196.jpg"
    assert (importing.to / "data" / path).is_file()
    assert done.media_root == importing.to / "data"


def test_an_import_that_fails_leaves_no_folder(importing: Any, no_override: None) -> None:
    datasettrees.pope(importing.root)
    importing.to.parent.chmod(0o555)
    try:
        with pytest.raises(StoreError, match=r"cannot write to .*Permission denied"):
            importing("pope")
    finally:
        importing.to.parent.chmod(0o755)
    assert not importing.to.exists()


def test_an_interrupted_import_leaves_nothing(
    importing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasettrees.pope(importing.root)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        importing("pope")
    assert not importing.to.exists()


# --------------------------------------------------------------------------- odd names


@pytest.mark.parametrize(
    "name", ["a b.jpg", "näh.jpg", "zwei\nzeilen.jpg", '"q\t.jpg', "影片 1.jpg"]
)
def test_odd_names_are_kept(importing: Any, name: str) -> None:
    pope(importing, name)
    put(importing.root / name)
    importing("pope")
    assert importing.rows("pope")[0]["media"] == [name]


def test_an_accent_may_be_written_in_two_ways(importing: Any) -> None:
    pope(importing, unicodedata.normalize("NFC", "é.jpg"))
    path = unicodedata.normalize("NFD", "é.jpg")
    put(importing.root / path)
    importing("pope")
    assert importing.rows("pope")[0]["media"] == [path]


def test_a_file_whose_name_is_no_text_is_told(importing: Any) -> None:
    datasettrees.ucf_crime(importing.root)
    folder = os.fsencode(importing.root / "Anomaly-Videos-Part-1")
    Path(os.fsdecode(folder + b"/b\xff.mp4")).write_bytes(b"x")
    importing("ucf-crime")
    [row] = [row for row in importing.rows("ucf-crime.left-out") if row["reason"] == UNNAMED]
    assert row["what"] == "Anomaly-Videos-Part-1/b\udcff.mp4"


def test_what_no_file_could_hold_is_left_out(importing: Any) -> None:
    datasettrees.gqa(importing.root)
    [path] = importing.root.rglob("testdev_balanced_questions.json")
    entry = next(iter(json.loads(path.read_text()).values()))
    odd = {"question": "\ud800?"}, {"imageId": "\udcff"}
    put(path, {str(number): {**entry, **more} for number, more in enumerate(odd)})
    name = os.fsencode(importing.root / "images") + b"/\xff.jpg"
    Path(os.fsdecode(name)).write_bytes(b"x")
    left = importing("gqa").left.found
    assert (left[NOT_TEXT], left[ODD_NAME]) == (["0"], ["\udcff.jpg (question 1)"])


# --------------------------------------------------------------------------- wrong folders


@pytest.mark.parametrize("name", TREES)
def test_a_folder_of_something_else_says_what_was_looked_for(
    importing: Any, refused: Callable[..., str], name: str
) -> None:
    put(importing.root / "notes.txt", "x")
    told = refused(name)
    assert told.startswith(str(importing.root))
    assert ": no " in told
    assert "\n" not in told


@pytest.mark.parametrize("name", TREES)
def test_an_empty_annotation_is_one_clear_line(
    importing: Any, refused: Callable[..., str], name: str
) -> None:
    TREES[name](importing.root)
    for path in importing.root.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".txt", ".tsv", ".xlsx"):
            path.write_bytes(b"")
    assert "\n" not in refused(name)


@pytest.mark.parametrize("name", sorted(set(TREES) - {"mmbench", "pope", "ucf-crime"}))
def test_json_that_is_cut_off_is_told_by_line(
    importing: Any, refused: Callable[..., str], name: str
) -> None:
    TREES[name](importing.root)
    for path in importing.root.rglob("*.json"):
        path.write_text('[\n{"a": 1},\n{"b"')
    told = refused(name)
    assert ".json:3: not JSON: " in told


def test_the_folder_above_or_the_folder_of_the_copy_is_named(
    importing: Any, refused: Callable[..., str], tmp_path: Path
) -> None:
    datasettrees.scienceqa(tmp_path / "sqa")
    importing.root = tmp_path / "sqa" / "images"
    assert f"no problems.json in it (did you mean '{tmp_path / 'sqa'}'?)" in refused("scienceqa")
    datasettrees.scienceqa(tmp_path / "both" / "one")
    datasettrees.scienceqa(tmp_path / "both" / "two")
    importing.root = tmp_path / "both"
    told = refused("scienceqa")
    assert "'problems.json' is there 2 times: one/problems.json, two/problems.json" in told
    assert f"(did you mean '{tmp_path / 'both' / 'one'}'?)" in told


def test_a_misspelt_folder_or_an_archive(
    importing: Any, refused: Callable[..., str], tmp_path: Path
) -> None:
    datasettrees.pope(tmp_path / "pope")
    importing.root = tmp_path / "popa"
    assert refused("pope").endswith("popa: no such folder (did you mean 'pope'?)")
    importing.root = put(tmp_path / "pope.zip")
    assert refused("pope").endswith("pope.zip: an archive: unpack it first, not a folder")
    importing.root = put(tmp_path / "packed" / "coco.zip").parent
    assert refused("pope").endswith("in it (unpack coco.zip first)")


def test_annotations_that_are_a_link_out_of_the_folder(
    importing: Any, refused: Callable[..., str], tmp_path: Path
) -> None:
    datasettrees.scienceqa(importing.root)
    problems = importing.root / "problems.json"
    problems.rename(tmp_path / "problems.json")
    problems.symlink_to(tmp_path / "problems.json")
    told = refused("scienceqa")
    assert told.endswith("(problems.json is a link out of it, see --allow-outside)")
    assert len(importing("scienceqa", allow_outside=True).records) == 3


def test_a_folder_without_permission(
    importing: Any, refused: Callable[..., str], no_override: None
) -> None:
    datasettrees.pope(importing.root)
    importing.root.chmod(0)
    try:
        assert refused("pope").endswith("original: the folder cannot be read")
    finally:
        importing.root.chmod(0o755)


def test_pipes_and_devices_are_not_opened(importing: Any) -> None:
    pope(importing, "a.jpg", "b.jpg")
    put(importing.root / "a.jpg")
    os.mkfifo(importing.root / "b.jpg")
    [what] = importing("pope").left.found[MISSING]
    assert what.startswith("b.jpg (")


def test_when_nothing_is_left_the_reasons_are_told(
    importing: Any, refused: Callable[..., str]
) -> None:
    pope(importing, "a.jpg", "b.jpg")
    told = refused("pope")
    assert f"no record is left (2 x {MISSING})" in told
