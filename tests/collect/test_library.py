"""Which folders are asked for a spec, and in which order."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from harness.collect.library import Project, kind_of, library_root, project_root, spec_files
from harness.errors import CollectError, SelectionError, SpecError

CARD = "model: {name}\nadapter: transformers\nbase: {base}\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def card(root: Path, name: str, base: str = "x", folder: str = "adapters") -> Path:
    return write(root / folder / f"{name}.model.yaml", CARD.format(name=name, base=base))


def test_the_project_is_the_nearest_folder_with_specs(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert project_root(deep) == deep
    write(tmp_path / "pyproject.toml", "[project]\nname = 'x'\n")
    assert project_root(deep) == deep
    write(tmp_path / "pyproject.toml", "[tool.harness]\n")
    assert project_root(deep) == tmp_path
    write(tmp_path / "a" / "tasks" / "x" / "x.task.yaml", "")
    assert project_root(deep) == tmp_path / "a"
    assert project_root(tmp_path / "a" / "tasks" / "x") == tmp_path / "a"


def test_a_folder_with_a_spec_folders_name_is_not_yet_a_project(tmp_path: Path) -> None:
    write(tmp_path / "tasks" / "notes.txt", "")
    inner = tmp_path / "inner"
    inner.mkdir()
    assert project_root(inner) == inner


def test_kinds_by_file_name() -> None:
    assert kind_of(Path("a/x.task.yaml")) == "task"
    assert kind_of(Path("llama-3.2-3b.model.yaml")) == "model"
    assert kind_of(Path("x.yaml")) is None
    assert kind_of(Path("x.task.yml")) is None


def test_hidden_folders_and_checkpoints_are_not_entered(tmp_path: Path) -> None:
    for folder in ("a", ".venv/lib", "checkpoint-10", "__pycache__", "b/c"):
        write(tmp_path / folder / "x.task.yaml", "")
    found = [path.relative_to(tmp_path).as_posix() for path in spec_files(tmp_path)]
    assert found == ["a/x.task.yaml", "b/c/x.task.yaml"]


def test_the_bundled_library_is_seen_from_an_empty_folder(tmp_path: Path) -> None:
    project = Project.here(tmp_path)
    assert project.root == tmp_path
    assert "vad_approach" in project.names("task")
    assert project.get_model("tiny-llama").root == library_root()


def test_the_bundled_root_as_a_project_lists_everything_once() -> None:
    project = Project.here(library_root())
    assert [library.root for library in project.libraries].count(library_root()) == 2
    assert {library.title for library in project.libraries} >= {"fine-tuned", "project"}
    assert "bundled" not in {library.title for library in project.libraries}


def test_the_project_shadows_the_bundled_library(tmp_path: Path) -> None:
    card(tmp_path, "tiny-llama", "mine")
    model = Project.here(tmp_path).get_model("tiny-llama")
    assert model.path == tmp_path / "adapters" / "tiny-llama.model.yaml"


def test_what_was_fine_tuned_here_is_found_first(tmp_path: Path) -> None:
    card(tmp_path, "lora", "planned")
    card(tmp_path, "lora", "trained", folder="runs/finetune/recipe")
    card(tmp_path, "old", folder="runs/finetune/recipe/checkpoint-3")
    project = Project.here(tmp_path)
    assert project.get_model("lora").path.parent.name == "recipe"
    assert "old" not in project.names("model")


def test_one_name_twice_in_a_library_names_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card(tmp_path, "m", folder="adapters/a")
    card(tmp_path, "m", folder="adapters/b")
    with pytest.raises(SpecError) as caught:
        Project.here(tmp_path).get_model("m")
    assert str(caught.value) == (
        "adapters/b/m.model.yaml: the model 'm' exists twice; the other is adapters/a/m.model.yaml"
    )


def test_cards_are_found_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card(tmp_path, "m", folder="elsewhere")
    write(tmp_path / "tasks" / "t.task.yaml", "")
    monkeypatch.chdir(tmp_path)
    project = Project.here()
    assert project.get_model("elsewhere/m.model.yaml").model == "m"
    with pytest.raises(SelectionError, match="is not the file of a model"):
        project.get_model("tasks/t.task.yaml")
    with pytest.raises(SelectionError, match="no model named 'nowhere/m"):
        project.get_model("nowhere/m.model.yaml")


def test_unknown_names_say_what_was_meant(tmp_path: Path) -> None:
    project = Project.here(tmp_path)
    with pytest.raises(SelectionError, match=r"no model named 'tinylama' \(did you mean 'tiny-l"):
        project.get_model("tinylama")
    with pytest.raises(SelectionError, match=r"no task named 'vad' \(did you mean 'vad_approach'"):
        project.get_task("vad")
    with pytest.raises(SelectionError, match="no judge named 'zzz'"):
        project.get_judge("zzz")
    with pytest.raises(SelectionError, match="no recipe named 'zzz'"):
        project.get_recipe("zzz")


def test_a_broken_file_is_reported_only_to_who_asks_for_it(tmp_path: Path) -> None:
    write(tmp_path / "adapters" / "bad.model.yaml", "model: bad\nadapter: transformers\nbas: x\n")
    write(tmp_path / "adapters" / "two.model.yaml", "model: two\nadapter: transformers\nx: 1\n")
    card(tmp_path, "good")
    project = Project.here(tmp_path)
    assert project.get_model("good").model == "good"
    for _ in range(2):
        with pytest.raises(SpecError, match=r"bad\.model\.yaml:3: unknown key 'bas'"):
            project.get_model("bad")
        with pytest.raises(CollectError, match="missing key 'base'"):
            project.get_model("two")


def test_references_exist(tmp_path: Path) -> None:
    path = card(tmp_path, "m")
    path.write_text(path.read_text() + "baseline: tinyllama\n")
    where = re.escape(str(path))
    with pytest.raises(SpecError, match=rf"{where}:4: no model named 'tinyllama' \(did you mean"):
        Project.here(tmp_path).get_model("m")
    write(
        tmp_path / "finetune" / "r.recipe.yaml",
        "recipe: r\nbase: tiny-llam\ntask: vad_aproach\nmodel: out\n",
    )
    with pytest.raises(CollectError) as caught:
        Project.here(tmp_path).get_recipe("r")
    assert [str(error).split("recipe.yaml:")[1] for error in caught.value.errors] == [
        "2: no model named 'tiny-llam' (did you mean 'tiny-llama'?)",
        "3: no task named 'vad_aproach' (did you mean 'vad_approach'?)",
    ]


def test_a_recipe_may_start_from_a_card_by_its_path(tmp_path: Path) -> None:
    card(tmp_path, "m", folder="cards")
    write(
        tmp_path / "finetune" / "r.recipe.yaml",
        "recipe: r\nbase: ../cards/m.model.yaml\ntask: vad_approach\nmodel: out\n",
    )
    assert Project.here(tmp_path).get_recipe("r").base == "../cards/m.model.yaml"


def test_installed_packages_bring_specs_and_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    write(site / "acme_evals" / "__init__.py", "raise RuntimeError('imported')\n")
    card(site / "acme_evals" / "specs", "acme")
    info = site / "acme_evals-1.dist-info"
    write(info / "METADATA", "Name: acme-evals\nVersion: 1\n")
    write(info / "entry_points.txt", "[harness.library]\nacme = acme_evals.specs\n")
    monkeypatch.syspath_prepend(str(site))
    project = Project.here(tmp_path)
    model = project.get_model("acme")
    assert model.root == Path(os.path.realpath(site / "acme_evals" / "specs"))
    assert project.title_of(model.root) == "acme library"
    assert "acme_evals" not in sys.modules
