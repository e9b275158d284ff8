"""Which cells a change touches, in real git repositories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.collect.changed import changed_cells
from harness.collect.library import Project
from harness.collect.plan import Cell, make_plan
from harness.errors import SelectionError

TASK = """\
task: {name}
version: 1
data: {{path: data/{name}.jsonl, fields: {{input: q, target: a}}}}
prompt: {{template: "{{{{ input }}}}"}}
score: [exact_match{judge}]
{gate}"""
JUDGE = """\
judge: strict
version: 1
model: grader
template: strict.j2
scale: mean
criteria: [{name: quality, max: 10}]
calibration: {labels: ./labels.jsonl}
"""
LORA = """\
model: tuned
adapter: transformers
base: ./weights
lora: lora/tuned
"""


class Repository:
    """A project in a git repository of its own, with everything committed."""

    def __init__(self, root: Path, inside: str = "") -> None:
        self.top, self.root = root, root / inside
        self.git("init", "-q", "-b", "main")
        self.write("tasks/plain/plain.task.yaml", TASK.format(name="plain", judge="", gate=""))
        text = TASK.format(name="judged", judge=", {judge: strict}", gate="")
        self.write("tasks/judged/judged.task.yaml", text)
        for name in ("plain", "judged"):
            self.write(f"tasks/{name}/data/{name}.jsonl", '{"q": "1", "a": "1"}\n')
        self.write("judges/strict.judge.yaml", JUDGE)
        self.write("judges/strict.j2", "{{ question }} {{ answer }} {{ reference }}")
        self.write("judges/labels.jsonl", "")
        for name in ("recorded", "grader"):
            card = f"model: {name}\nadapter: replay\ncompletions: ./{name}.jsonl\n"
            self.write(f"adapters/{name}.model.yaml", card)
            self.write(f"adapters/{name}.jsonl", "{}\n")
        self.write("adapters/tuned.model.yaml", LORA)
        for path in ("adapters/weights", "lora/tuned"):
            self.write(f"{path}/model.safetensors", "numbers")
        self.write(".gitignore", "runs/\n")
        self.commit()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(self.top), *who, *words], check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def touched(self, revision: str = "HEAD") -> dict[str, tuple[str, ...]]:
        """`task[model]` -> reasons."""
        project = Project.here(self.root)
        tasks = [project.get_task(name) for name in ("plain", "judged")]
        models = [project.get_model(name) for name in ("recorded", "tuned")]
        cells, why = changed_cells(make_plan(tasks, models), project, revision)
        return named(cells, why)


def named(cells: list[Cell], why: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    assert [cell.id for cell in cells] == list(why)
    return {cell.id.partition("::")[2]: why[cell.id] for cell in cells}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    # what a user's own configuration says must not matter
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    return Repository(tmp_path)


PLAIN, JUDGED = ("plain[recorded]", "plain[tuned]"), ("judged[recorded]", "judged[tuned]")
TUNED = ("plain[tuned]", "judged[tuned]")


def test_nothing_changed_touches_nothing(repository: Repository) -> None:
    assert repository.touched() == {}
    repository.write("README.md", "words")
    repository.write("runs/x/model.safetensors", "ignored by git")
    assert repository.touched() == {}


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("tasks/plain/plain.task.yaml", PLAIN),
        ("tasks/plain/data/plain.jsonl", PLAIN),
        ("judges/strict.judge.yaml", JUDGED),
        ("judges/strict.j2", JUDGED),
        ("judges/labels.jsonl", JUDGED),
        ("adapters/grader.model.yaml", JUDGED),
        ("adapters/grader.jsonl", JUDGED),
        ("adapters/recorded.jsonl", ("plain[recorded]", "judged[recorded]")),
        ("adapters/tuned.model.yaml", TUNED),
        ("adapters/weights/model.safetensors", TUNED),
        ("lora/tuned/model.safetensors", TUNED),
    ],
)
@pytest.mark.parametrize("how", ["unstaged", "staged", "committed"])
def test_a_changed_file_touches_the_cells_made_of_it(
    repository: Repository, path: str, cells: tuple[str, ...], how: str
) -> None:
    file = repository.root / path
    file.write_text(file.read_text() + ("\ndescription: other\n" if "yaml" in path else "\n"))
    if how != "unstaged":
        repository.git("add", "-A")
    if how == "committed":
        repository.git("commit", "-q", "-m", "y")
        assert repository.touched() == {}
    found = repository.touched("HEAD~1" if how == "committed" else "HEAD")
    assert sorted(found) == sorted(cells)
    assert set(found.values()) == {(f"{path} changed",)}


def test_new_deleted_and_renamed_files_count(repository: Repository) -> None:
    repository.write("lora/tuned/extra/ümlaut file.json", "{}")
    words = ("lora/tuned/extra/ümlaut file.json is new, not in git",)
    assert repository.touched() == dict.fromkeys(TUNED, words)
    repository.git("add", "-A")
    words = ("lora/tuned/extra/ümlaut file.json added",)
    assert repository.touched() == dict.fromkeys(TUNED, words)
    repository.git("rm", "-q", "-r", "--cached", "lora/tuned/extra")
    (repository.root / "lora/tuned/extra/ümlaut file.json").unlink()
    (repository.root / "lora/tuned/model.safetensors").unlink()
    words = ("lora/tuned/model.safetensors deleted",)
    assert repository.touched() == dict.fromkeys(TUNED, words)
    repository.git("checkout", "-q", "HEAD", "lora")
    repository.write(
        "judges/other.j2", "{{ question }} {{ answer }} {{ reference }}\n" + "more words\n" * 9
    )
    repository.commit()
    repository.git("mv", "-f", "judges/other.j2", "judges/strict.j2")
    found = repository.touched()
    assert set(found) == set(JUDGED)
    assert found["judged[tuned]"][0].startswith("judges/strict.j2 ")


def test_a_baseline_and_a_gate_count(repository: Repository) -> None:
    repository.write("leaderboard/baselines/plain/manifest.json", "{}")
    words = ("leaderboard/baselines/plain/manifest.json is new, not in git",)
    assert repository.touched() == dict.fromkeys(PLAIN, words)
    repository.commit()
    file = repository.root / "tasks/plain/plain.task.yaml"
    before = file.read_text()
    file.write_text(before + "gate: [{metric: exact_match, min: 0.5}]\n")
    words = ("tasks/plain/plain.task.yaml changed in its gate only",)
    assert repository.touched() == dict.fromkeys(PLAIN, words)
    file.write_text("# a word\n" + before)
    words = ("tasks/plain/plain.task.yaml changed in its comments only",)
    assert repository.touched() == dict.fromkeys(PLAIN, words)


def test_a_gate_on_another_task_ties_both_together(repository: Repository) -> None:
    gate = "gate: [{metric: exact_match, task: plain, min: 0.1}]\n"
    text = TASK.format(name="judged", judge="", gate=gate)
    repository.write("tasks/judged/judged.task.yaml", text)
    repository.commit()
    repository.write("tasks/judged/data/judged.jsonl", '{"q": "2", "a": "2"}\n')
    assert repository.touched() == {
        **dict.fromkeys(PLAIN, ("the gate of judged asks for it",)),
        **dict.fromkeys(JUDGED, ("tasks/judged/data/judged.jsonl changed",)),
    }
    repository.commit()
    repository.write("tasks/plain/data/plain.jsonl", '{"q": "2", "a": "2"}\n')
    assert set(repository.touched()) == {*PLAIN, *JUDGED}


def test_a_project_may_lie_deeper_and_data_behind_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    repository = Repository(tmp_path, "evals/ours")
    data = repository.root / "tasks/plain/data/plain.jsonl"
    shared = repository.write("shared/plain.jsonl", data.read_text())
    data.unlink()
    data.symlink_to(shared)
    repository.commit()
    shared.write_text('{"q": "2", "a": "2"}\n')
    monkeypatch.chdir(repository.root / "tasks")
    repository.git("config", "diff.relative", "true")
    assert repository.touched() == dict.fromkeys(PLAIN, ("shared/plain.jsonl changed",))


def test_what_broke_a_judge_is_not_passed_over(repository: Repository) -> None:
    repository.write("judges/strict.j2", "{{ nothing_known }}")
    assert repository.touched() == dict.fromkeys(JUDGED, ("judges/strict.j2 changed",))


@pytest.mark.parametrize("revision", ["nonsense", "--output=x", "", "HEAD:adapters"])
def test_an_unknown_revision_is_one_line(repository: Repository, revision: str) -> None:
    with pytest.raises(SelectionError, match="revision") as caught:
        repository.touched(revision)
    assert "\n" not in str(caught.value)
    assert not (repository.root / "x").exists()


def test_outside_a_repository_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project = Project.here(tmp_path)
    with pytest.raises(SelectionError, match="--changed-since needs a git repository") as caught:
        changed_cells([], project, "HEAD")
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SelectionError, match="git cannot be run"):
        changed_cells([], project, "HEAD")
