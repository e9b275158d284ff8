"""Arguments to specs: folders, files, names, ids."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.collect.library import Project
from harness.collect.plan import make_plan
from harness.collect.tree import Collected, collect, default_models
from harness.errors import CollectError, SelectionError

TASK = """\
task: {name}
version: 1
data: {{path: rows.jsonl}}
prompt: {{template: "{{{{ input }}}}"}}
score: [exact_match]
"""


def add_task(root: Path, name: str, extra: str = "") -> Path:
    folder = root / "tasks" / name
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text("{}\n")
    path = folder / f"{name}.task.yaml"
    path.write_text(TASK.format(name=name) + extra)
    return path


def add_model(root: Path, name: str, extra: str = "") -> Path:
    path = root / "adapters" / f"{name}.model.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"model: {name}\nadapter: transformers\nbase: x\n{extra}")
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("north", "south"):
        add_task(tmp_path, name)
    add_task(tmp_path, "varied", "variants: {generate.temperature: [0, 0.7]}\n")
    add_model(tmp_path, "one")
    add_model(tmp_path, "two")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [task.task for task in collect(arguments, Project.here()).check().tasks]


def ids(*arguments: str) -> list[str]:
    project = Project.here()
    collected = collect(arguments, project).check()
    models = [project.get_model("one"), project.get_model("two")]
    return [
        cell.id.rpartition("::")[2] for cell in collected.wanted(make_plan(collected.tasks, models))
    ]


def test_nothing_means_all_the_project_sees(root: Path) -> None:
    found = names()
    assert found[:3] == ["north", "south", "varied"]
    assert "vad_approach" in found
    everything = collect([], Project.here())
    assert {"one", "two", "tiny-llama"} <= {model.model for model in everything.models}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tasks"], ["north", "south", "varied"]),
        (["."], ["north", "south", "varied"]),
        (["tasks/north"], ["north"]),
        (["tasks/north/"], ["north"]),
        (["tasks/north/north.task.yaml"], ["north"]),
        (["north"], ["north"]),
        (["south", "north", "south"], ["south", "north"]),
        (["tasks/south/south.task.yaml::south"], ["south"]),
        (["tasks/vad_approach"], ["vad_approach"]),
        (["tasks/vad_approach/vad_approach.task.yaml::vad_approach"], ["vad_approach"]),
    ],
)
def test_arguments(root: Path, arguments: list[str], expected: list[str]) -> None:
    assert names(*arguments) == expected


def test_paths_start_from_the_present_folder_then_from_the_projects_root(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "tasks")
    assert names("north/north.task.yaml") == ["north"]
    assert names("tasks/south") == ["south"]


def test_ids_of_cells(root: Path) -> None:
    varied = "tasks/varied/varied.task.yaml::varied"
    assert ids(f"{varied}[two,generate.temperature=0.7]") == [
        "varied[two,generate.temperature=0.7]"
    ]
    assert len(ids(varied)) == 4
    assert ids(f"{varied}[one,generate.temperature=0]", "north") == [
        "varied[one,generate.temperature=0]",
        "north[one]",
        "north[two]",
    ]
    with pytest.raises(SelectionError, match=r"no cell '.*0.8\]' \(did you mean '.*0.7\]'"):
        ids(f"{varied}[two,generate.temperature=0.8]")


def test_ids_say_which_models_are_wanted(root: Path) -> None:
    project = Project.here()
    collected = collect(["tasks/north/north.task.yaml::north[two]"], project)
    models, wrong = default_models(collected, project)
    assert [model.model for model in models] == ["two"]
    assert not wrong


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("nord", r"no task named 'nord' \(did you mean 'north'\?\)"),
        ("one", "'one' is a model, not a task"),
        ("tasks/nord", r"no such file or folder: 'tasks/nord' \(did you mean 'tasks/north'\?\)"),
        ("tasks/nord/x.task.yaml::x", "no such file or folder: 'tasks/nord/x.task.yaml'"),
        ("tasks/north/north.task.yaml::south", "no task 'south' in 'tasks/north/north.task.yaml'"),
        ("tasks/north/north.task.yaml::north[one", "the ']' is missing"),
        ("adapters/one.model.yaml::one", "is not the file of a task"),
        ("", "no task named ''"),
    ],
)
def test_what_names_nothing(root: Path, argument: str, message: str) -> None:
    with pytest.raises(SelectionError, match=message.replace("[one", r"\[one")):
        collect([argument], Project.here())


def test_mistakes_of_all_selected_files_come_at_once(root: Path) -> None:
    for name in ("north", "south"):
        path = root / "tasks" / name / f"{name}.task.yaml"
        path.write_text(
            path.read_text().replace("version: 1", "versoin: 1").replace("exact", "exat")
        )
    collected = collect(["tasks"], Project.here())
    assert [task.task for task in collected.tasks] == ["varied"]
    with pytest.raises(CollectError) as caught:
        collected.check()
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert lines[0] == (
        "tasks/north/north.task.yaml:2: unknown key 'versoin' (did you mean 'version'?)"
    )
    assert lines[3].startswith("tasks/south/south.task.yaml:5: unknown metric 'exat_match'")


def test_a_broken_file_that_is_not_selected_breaks_nothing(root: Path) -> None:
    (root / "tasks" / "south" / "south.task.yaml").write_text("nonsense")
    assert names("north") == ["north"]


def test_broken_files_of_other_libraries_are_noted(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from harness.collect.library import Library

    other = tmp_path_factory.mktemp("other")
    add_task(other, "strange", "colour: red\n")
    here = Project.here()
    project = Project(root, [*here.libraries, Library(other, "bundled")], allow_outside=False)
    collected = collect([], project)
    assert not collected.errors
    assert ["unknown key 'colour'" in str(note) for note in collected.notes] == [True]
    assert [str(error).rpartition(": ")[2] for error in collect(["strange"], project).errors] == [
        "unknown key 'colour'"
    ]


def test_a_name_used_twice_is_a_mistake_of_both(root: Path) -> None:
    again = root / "tasks" / "again"
    again.mkdir()
    (again / "rows.jsonl").write_text("{}\n")
    (again / "north.task.yaml").write_text(TASK.format(name="north"))
    for arguments in ([], ["tasks"]):
        errors = [str(error) for error in collect(arguments, Project.here()).errors]
        assert errors == [
            "tasks/north/north.task.yaml: the task 'north' exists twice; "
            "the other is tasks/again/north.task.yaml"
        ]
    assert names("tasks/again") == ["north"]


def test_other_kinds_are_collected_by_path(root: Path) -> None:
    collected = collect(["adapters"], Project.here())
    assert [model.model for model in collected.models] == ["one", "two"]
    assert collected.tasks == ()


def test_a_file_of_no_kind_is_told_so(root: Path) -> None:
    (root / "x.yaml").write_text("a: 1\n")
    assert "the name of a spec's file ends in .task.yaml" in str(
        collect(["x.yaml"], Project.here()).errors[0]
    )


def test_a_broken_card_is_left_out_of_the_default_models_and_told(root: Path) -> None:
    add_model(root, "three", "bas: y\n")
    add_model(root, "four", "bas: y\nx: 1\n")
    project = Project.here()
    models, wrong = default_models(Collected(), project)
    assert {"one", "two"} <= {model.model for model in models}
    assert len(wrong) == 3


def test_a_model_that_only_judges_is_no_default_model(root: Path) -> None:
    models, _ = default_models(Collected(), Project.here())
    assert "embedding-judge" in Project.here().names("model")
    assert "embedding-judge" not in {model.model for model in models}


def test_a_file_outside_has_a_project_of_its_own(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    path = add_task(other, "far")
    task = collect([str(path)], Project.here()).check().tasks[0]
    assert task.root == other


def test_a_pipe_that_is_named_like_a_spec_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "tasks" / "pipe.task.yaml")
    assert "pipe" not in [task.task for task in collect(["tasks"], Project.here(root)).tasks]
    named = collect(["tasks/pipe.task.yaml"], Project.here(root))
    assert [str(error) for error in named.errors] == ["tasks/pipe.task.yaml: not a regular file"]


def test_a_link_to_a_spec_is_read(root: Path) -> None:
    (root / "linked").mkdir()
    link = root / "linked" / "north.task.yaml"
    link.symlink_to(root / "tasks" / "north" / "north.task.yaml")
    (root / "linked" / "rows.jsonl").write_text("{}\n")
    assert [task.path for task in collect(["linked"], Project.here(root)).tasks] == [link]


@pytest.mark.parametrize("folder", ["/", ".."])
def test_what_lies_around_the_project_is_not_searched(root: Path, folder: str) -> None:
    with pytest.raises(SelectionError, match=f"^'{folder}' lies around the project "):
        collect([folder], Project.here(root))


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("tasks/east/east.task.yml", "task"),
        ("tasks/east/east.tasks.yaml", "task"),
        ("adapters/three.Model.yaml", "model"),
        ("finetune/r.recipe.yml", "recipe"),
    ],
)
def test_names_that_are_almost_those_of_specs_are_noted(root: Path, file: str, kind: str) -> None:
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text("x: 1\n")
    note = f"{file}: not read: the name of a {kind}'s file must end in .{kind}.yaml"
    assert note in [str(each) for each in collect([], Project.here(root)).notes]
    folder = file.partition("/")[0]
    assert [str(each) for each in collect([folder], Project.here(root)).notes] == [note]
