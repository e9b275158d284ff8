"""The composite action and the example workflow: their own scripts are run, as a CI would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import UserProject

ROOT = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/gate.yml").read_text())


def step(name: str) -> dict[str, Any]:
    """A step of the action by its name."""
    found: dict[str, Any] = next(one for one in ACTION["runs"]["steps"] if one.get("name") == name)
    return found


class Job:
    """A runner's machine: the project, the command on the path, and the files that GitHub gives."""

    def __init__(self, project: UserProject, inputs: Mapping[str, str]) -> None:
        defaults = {key: one.get("default", "") for key, one in ACTION["inputs"].items()}
        self.inputs, self.project = {**defaults, **inputs}, project
        shim = project.root / "bin" / "harness"
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
        shim.chmod(0o755)

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """A step's script, its inputs in the environment, as the action says."""
        found = step(name)
        given = {
            key: self.inputs[value.removeprefix("${{ inputs.").removesuffix(" }}")]
            for key, value in found["env"].items()
        }
        files = {"GITHUB_OUTPUT": "output.txt", "GITHUB_STEP_SUMMARY": "summary.md"}
        path = f"{self.project.root / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"]],
            capture_output=True,
            text=True,
            cwd=self.project.root,
            env=self.project.environment(**given, **files, PATH=path),
            check=False,
        )


@pytest.fixture
def models(project: UserProject) -> UserProject:
    """The task `sums` with a gate; `bad` is worse than its baseline `good`."""
    project.add_sums(40)
    task = project.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text() + "gate: [{metric: exact_match, max_drop: 0.1}]\n")
    for name, missed in (("good", 1), ("bad", 15)):
        answers = {f"s{n}": "?" if n < missed else str(2 * n + 1) for n in range(40)}
        project.add_replay(answers, name)
    done = project.harness("run", "sums", "-m", "good")
    assert done.returncode == 0, done.stderr
    done = project.harness("baseline", "set", "latest:good")
    assert done.returncode == 0, done.stderr
    return project


@pytest.mark.parametrize(("model", "code"), [("good", 0), ("bad", 1)])
def test_the_action_stops_a_worse_model_and_leaves_a_report(
    models: UserProject, model: str, code: int
) -> None:
    job = Job(models, {"model": model, "tasks": "sums"})
    done = job.run("Run")
    assert done.returncode == 0, done.stderr
    done = job.run("Gate")
    assert done.returncode == code, done.stdout + done.stderr
    assert f"exit-code={code}" in (models.root / "output.txt").read_text()
    report = (models.root / "harness-report/gate.txt").read_text()
    assert report == done.stdout
    assert "gate: " in report
    assert ElementTree.parse(models.root / "harness-report/gate.xml").getroot().tag == "testsuites"
    assert "### harness gate: " in (models.root / "summary.md").read_text()


def test_a_mistake_ends_the_job_before_the_gate(models: UserProject) -> None:
    done = Job(models, {"model": "nobody", "tasks": "sums"}).run("Run")
    assert done.returncode == 4
    for place in ("harness-report/run.txt", "summary.md"):
        assert "no model named 'nobody'" in (models.root / place).read_text()
    assert "### harness run: ended with 4" in (models.root / "summary.md").read_text()


def test_a_mistake_of_the_gate_stands_in_report_and_summary(models: UserProject) -> None:
    job = Job(models, {"model": "good", "tasks": "sums", "baseline": "leaderboard/none"})
    assert job.run("Run").returncode == 0
    assert job.run("Gate").returncode == 4
    for place in ("harness-report/gate.txt", "summary.md"):
        assert "no baseline leaderboard/none" in (models.root / place).read_text()
    assert "### harness gate: ended with 4" in (models.root / "summary.md").read_text()
    assert "exit-code=4" in (models.root / "output.txt").read_text()


def test_several_models_are_gated_together(models: UserProject) -> None:
    job = Job(models, {"model": "good,bad", "tasks": "sums"})
    assert job.run("Run").returncode == 0
    assert job.run("Gate").returncode == 1
    report = (models.root / "harness-report/gate.txt").read_text()
    assert "sums: good" in report
    assert "sums: bad" in report


def test_pip_is_not_cached_by_files_that_a_repository_may_lack() -> None:
    setup = next(one for one in ACTION["runs"]["steps"] if "setup-python" in one.get("uses", ""))
    assert "cache" not in setup["with"]


def test_inputs_never_become_script() -> None:
    for one in ACTION["runs"]["steps"]:
        assert "${{" not in one.get("run", ""), one.get("name")


def test_the_workflow_uses_inputs_that_the_action_has() -> None:
    steps = WORKFLOW["jobs"]["gate"]["steps"]
    used = next(one for one in steps if one.get("uses") == "./")
    assert used["with"].keys() <= ACTION["inputs"].keys()
    needed = {key for key, one in ACTION["inputs"].items() if one.get("required")}
    assert needed <= used["with"].keys()
