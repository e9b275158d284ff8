"""`harness import`, as a user types it, up to the task that reads what it wrote."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import datasettrees
import pytest
from conftest import UserProject
from datasettrees import TREES

Invoke = Callable[..., tuple[int, str, str]]
FILES = {
    "animal-kingdom": ("animal-kingdom-actions", "animal-kingdom-mcq"),
}
CHOICES = ("ucf-crime", "animal-kingdom-mcq", "mmbench", "scienceqa")
SPLITS = {"gqa": "testdev", "mmbench": "dev", "vizwiz": "validation", "vqav2": "validation"}

TASK = """\
task: NAME
version: 1
data:
  path: data/NAME.jsonl
  split: SPLIT
  fields: {media: media, cluster: cluster MORE}
prompt: {template: "{{ input }}"}
output_type: TYPE
score: [SCORE]
"""


@pytest.mark.parametrize("name", TREES)
def test_a_task_reads_what_was_written(project: UserProject, invoke: Invoke, name: str) -> None:
    TREES[name](project.root / "original")
    code, out, err = invoke("import", name, "original", "--to", "tasks/it")
    assert (code, err) == (0, "")
    assert f"media: {'2' if name == 'gqa' else ''}" in out
    for file in FILES.get(name, (name,)):
        many = file in CHOICES
        text = TASK.replace("NAME", file).replace("MORE", ", choices: choices" if many else "")
        text = text.replace("SPLIT", SPLITS.get(name, "test"))
        text = text.replace("TYPE", "choices" if many else "generate")
        text = text.replace("SCORE", "choice" if many else "exact_match")
        project.write(f"tasks/it/{file}.task.yaml", text)
    code, out, err = invoke("collect", "tasks/it", "--data", "--model", "tiny-llama")
    assert code == 0, out + err
    assert f"{len(FILES.get(name, (name,)))} cell" in out


def test_what_is_told(project: UserProject, invoke: Invoke) -> None:
    root = datasettrees.ucf_crime(project.root / "UCF_Crimes")
    (root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse001_x264.mp4").unlink()
    code, out, _ = invoke("import", "ucf-crime", "UCF_Crimes")
    assert code == 0
    assert out.splitlines()[:-2] == [
        "ucf-crime: 5 records from UCF_Crimes",
        "  class          test  train",
        "  Abuse             1      0",
        "  Fighting          0      1",
        "  Normal            1      1",
        "  Road Accident     1      0",
        "  all               3      2",
        "left out:",
        "  1 x the annotations name a file that is not there: Abuse/Abuse001_x264.mp4",
        "  1 x another file of the same name is taken: "
        "Normal_Videos_for_Event_Recognition/Normal_Videos_015_x264.mp4",
        "media: 5 files, 0.0 MB; their paths are relative to UCF_Crimes",
        "wrote tasks/ucf-crime/data/ucf-crime.jsonl (5 lines)",
        "wrote tasks/ucf-crime/data/ucf-crime.checksums (5 lines)",
        "wrote tasks/ucf-crime/data/ucf-crime.left-out.jsonl (2 lines)",
    ]
    code, out, _ = invoke("import", "ucf-crime", "UCF_Crimes")
    assert code == 0
    assert "is up to date: tasks/ucf-crime/data/ucf-crime.jsonl (5 lines)" in out


@pytest.mark.parametrize("name", TREES)
def test_the_commands_it_tells_can_be_typed(
    project: UserProject, invoke: Invoke, name: str
) -> None:
    TREES[name](project.root / "original, of 2020")
    _, out, _ = invoke("import", name, "original, of 2020")
    commands = [line for line in out.splitlines() if line.startswith("  harness run ")]
    assert commands
    for line in commands:
        words = shlex.split(line.replace("MODEL", "tiny-llama"))[1:]
        code, told, err = invoke(*words, "--dry-run")
        assert (code, err) == (0, ""), line
        assert "dry run: nothing was asked" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ucf_crime", "x"), "no data set 'ucf_crime' (did you mean 'ucf-crime'?)\n"),
        (("pope", "x"), "x: no such folder"),
        (("pope", ".", "--limit", "0"), "0 is not in the range"),
        (("pope", ".", "--media", "nowhere"), "nowhere: no such folder (--media)\n"),
        (("pope",), "Missing argument 'DIR'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_4(
    invoke: Invoke, words: tuple[str, ...], told: str
) -> None:
    code, out, err = invoke("import", *words)
    assert (code, out) == (4, "")
    assert told in err


def test_the_study_s_choice_of_classes(project: UserProject, invoke: Invoke) -> None:
    datasettrees.ucf_crime(project.root / "original")
    code, out, _ = invoke(
        "import", "ucf-crime", "original", "--classes", "Abuse, Road Accident", "--split", "test",
        "--no-checksums",
    )  # fmt: skip
    assert code == 0
    assert out.startswith("ucf-crime: 2 records from original\n")
    assert "media: 2 files; their paths" in out


def test_help_lists_the_data_sets(invoke: Invoke) -> None:
    code, out, _ = invoke("import", "--help")
    assert code == 0
    assert all(f"  {name} " in out for name in TREES)
