"""Animal Kingdom: segments as free text, questions with options that give nothing away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasettrees
import pytest
from datasettrees import AR_COLUMNS, AR_ROWS

from harness.tasks.importers.animal_kingdom import SEVERAL, UNTOLD


@pytest.fixture(autouse=True)
def tree(importing: Any) -> None:
    datasettrees.animal_kingdom(importing.root)


def metadata(importing: Any) -> Any:
    return importing.root / "Animal_Kingdom" / "action_recognition" / "AR_metadata.xlsx"


def test_each_segment_is_a_record_of_its_video_s_cluster(importing: Any) -> None:
    importing("animal-kingdom")
    row = importing.row("animal-kingdom-actions", "AANNQNXN-002")
    assert row["target"] == "The bird dips its face into the water."
    assert (row["start"], row["end"], row["duration"]) == (31.1, 32.1, 48.2)
    assert (row["cluster"], row["split"]) == ("AANNQNXN", "test")
    assert row["media"] == ["Animal_Kingdom/video_grounding/dataset/AANNQNXN.mp4"]


def test_one_pair_a_video_as_in_the_study(importing: Any) -> None:
    importing("animal-kingdom", one_per_cluster=True)
    rows = importing.rows("animal-kingdom-actions")
    assert sorted(row["cluster"] for row in rows) == ["AABGBPZC", "AANNQNXN", "ABASTCVX"]


def test_just_one_of_the_options_is_right(importing: Any) -> None:
    importing("animal-kingdom")
    shown = {"species": "species", "class": "classes", "action": "actions"}
    for row in importing.rows("animal-kingdom-mcq"):
        right = set(row["choices"]) & set(row[shown[row["question_kind"]]])
        assert right == {row["choices"]["ABCD".index(row["target"])]}
        assert row["choices"] == sorted(row["choices"])
        assert len(row["choices"]) == (3 if row["question_kind"] == "class" else 4)


def test_other_species_are_of_the_same_class_where_there_are_enough(importing: Any) -> None:
    importing("animal-kingdom")
    row = importing.row("animal-kingdom-mcq", "AAGNQLXP-species")
    assert row["choices"] == ["Lion", "Otter", "Seal", "Wolf"]


def test_the_class_of_several_animals_is_not_asked(importing: Any) -> None:
    done = importing("animal-kingdom")
    assert done.left.found == {SEVERAL: ["AAECBKXM-class"]}


def test_another_seed_draws_other_options(importing: Any) -> None:
    importing("animal-kingdom", seed=1)
    first = importing.rows("animal-kingdom-mcq")
    importing("animal-kingdom", seed=2, force=True)
    assert importing.rows("animal-kingdom-mcq") != first


def test_half_a_tree_gives_one_part_and_says_so(importing: Any) -> None:
    metadata(importing).unlink()
    done = importing("animal-kingdom")
    assert done.notes == ("no AR_metadata.xlsx: no multiple-choice part",)
    assert sorted(importing.files()) == [
        "data/animal-kingdom-actions.jsonl",
        "data/animal-kingdom.checksums",
    ]


def test_a_sheet_that_was_saved_as_csv_is_the_same(importing: Any) -> None:
    importing("animal-kingdom")
    rows = importing.rows("animal-kingdom-mcq")
    book = metadata(importing)
    lines = [",".join(f'"{cell}"' for cell in row) for row in (AR_COLUMNS, *AR_ROWS)]
    book.with_suffix(".csv").write_text("\n".join(lines) + "\n")
    book.unlink()
    importing("animal-kingdom", force=True)
    assert importing.rows("animal-kingdom-mcq") == rows


def test_lists_that_are_none_are_told_with_their_row(
    importing: Any, refused: Callable[..., str]
) -> None:
    bad = ("X", "test", "1", "['A']", "['Bird']", "[('It's', 'Running')]")
    odd = ("Y", "test", "1", "['A']", "['Bird']", "['Running']")
    datasettrees.workbook(metadata(importing), "AR", [AR_COLUMNS, bad, *AR_ROWS, odd])
    told = refused("animal-kingdom").splitlines()
    assert "AR_metadata.xlsx:2: 'list_animal_action' is no list: '[('It's'" in told[0]
    assert "AR_metadata.xlsx:9: 'list_animal_action' is no list of (animal, action)" in told[1]


def test_a_clip_without_animals_is_counted(importing: Any) -> None:
    none = ("X", "test", "", "[]", "[]", "[]")
    datasettrees.workbook(metadata(importing), "AR", [AR_COLUMNS, *AR_ROWS, none])
    [what] = importing("animal-kingdom").left.found[UNTOLD]
    assert what.startswith("X (")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"not a workbook"])
def test_a_broken_workbook_is_one_line(
    importing: Any, refused: Callable[..., str], content: bytes
) -> None:
    metadata(importing).write_bytes(content)
    told = refused("animal-kingdom")
    assert "AR_metadata.xlsx: not an .xlsx workbook, or damaged" in told
    assert "\n" not in told


def test_broken_segments_are_told_with_their_line(
    importing: Any, refused: Callable[..., str]
) -> None:
    path = importing.root / "Animal_Kingdom" / "video_grounding" / "annotation" / "test.txt"
    path.write_text("A 1.0 2.0##Fine.\nA 1.0##No end.\nA 3.0 2.0##Backwards.\nA 1 2 Nothing.\n")
    told = refused("animal-kingdom").splitlines()
    assert [line.partition("test.txt:")[2][:2] for line in told] == ["2:", "3:", "4:"]
