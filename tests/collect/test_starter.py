"""Starters are valid as they stand, under any name, and overwrite nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.collect.library import Project
from harness.collect.specs import SPEC_KINDS
from harness.collect.starter import starter_files, write_starter
from harness.collect.tree import collect
from harness.errors import SelectionError, SpecError, StoreError


@pytest.mark.parametrize("kind", SPEC_KINDS)
@pytest.mark.parametrize("name", ["x", "my-first_thing.2", "NAME", "n" * 80])
def test_starters_are_valid(tmp_path: Path, kind: str, name: str) -> None:
    files = starter_files(kind, name)
    write_starter(tmp_path, files)
    spec = tmp_path / next(iter(files))
    collected = collect([str(spec)], Project.here(tmp_path)).check()
    specs = (*collected.tasks, *collected.models, *collected.judges, *collected.recipes)
    assert [each.path for each in specs] == [spec]
    assert not any("NAME" in text for text in files.values()) or name == "NAME"


def test_the_starters_comments_are_valid_too(tmp_path: Path) -> None:
    files = starter_files("task", "x")
    write_starter(tmp_path, files)
    path = tmp_path / "tasks" / "x" / "x.task.yaml"
    text = path.read_text()
    for old in (
        "  # temperature",
        "# variants:",
        "#   prompt",
        "  # - {metric",
        "# gate:",
        "#   - {",
    ):
        assert old in text
        text = text.replace(old, old.replace("# ", "", 1).replace("#   ", "  ", 1))
    path.write_text(text)
    task = Project.here(tmp_path).get_task("x")
    assert task.generate.temperature == 0.7
    assert task.variants == {"prompt.num_fewshot": (0, 2)}
    assert len(task.score) == 4
    assert task.gate[0].max_drop == 0.05


def test_the_judges_starter_adds_up_to_100_and_its_comments_are_valid(tmp_path: Path) -> None:
    files = starter_files("judge", "x")
    write_starter(tmp_path, files)
    path = tmp_path / "judges" / "x.judge.yaml"
    path.write_text(path.read_text().replace("# panel", "panel"))
    judge = Project.here(tmp_path).get_judge("x")
    assert [(each.name, each.max) for each in judge.criteria] == [
        ("correctness", 70),
        ("clarity", 30),
    ]
    assert judge.panel == ("gpt-4o-mini",)
    shown = files[Path("judges", "x.j2")]
    assert all(f"{{{{ {name} }}}}" in shown for name in ("question", "reference", "answer"))


def test_nothing_is_overwritten_and_nothing_is_half_written(tmp_path: Path) -> None:
    files = starter_files("task", "x")
    readme = tmp_path / "tasks" / "x" / "README.md"
    readme.parent.mkdir(parents=True)
    readme.write_text("mine")
    with pytest.raises(SpecError, match=r"README\.md: exists already and is not overwritten"):
        write_starter(tmp_path, files)
    assert readme.read_text() == "mine"
    assert list(readme.parent.iterdir()) == [readme]


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b", "n" * 81])
def test_names_that_cannot_be_names(name: str) -> None:
    with pytest.raises(SelectionError, match="cannot be a name"):
        starter_files("task", name)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "adapters").write_text("a file")
    with pytest.raises(StoreError, match="cannot write to"):
        write_starter(tmp_path, starter_files("model", "x"))
