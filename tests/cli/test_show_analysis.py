"""`harness show` along settings and class by class, on real runs of recorded answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
TASK = """\
task: crimes
version: 1
data:
  path: data/crimes.jsonl
  fields: {input: question, target: answer, choices: choices, cluster: video}
prompt: {template: "{{ input }} {{ choices | join(', ') }}"}
score: [choice]
gate:
  - {metric: choice, min: 0.3}
"""
CHOICES = ["Arson", "Fighting", "Normal"]


@pytest.fixture
def crimes(project: UserProject, invoke: Invoke) -> UserProject:
    """Three orders of the choices; one model answers in words, the other always with the letter A.

    Of the training samples 6 are Normal, 3 Fighting and 1 Arson.
    """
    rows = [
        {"id": f"s{n}", "split": "test", "question": "What?", "answer": CHOICES[n % 3],
         "choices": CHOICES, "video": f"v{n // 2}"}
        for n in range(18)
    ] + [
        {"id": f"t{n}", "split": "train", "question": "What?", "answer": name,
         "choices": CHOICES, "video": f"w{n}"}
        for n, name in enumerate(["Normal"] * 6 + ["Fighting"] * 3 + ["Arson"])
    ]  # fmt: skip
    project.write("tasks/crimes/crimes.task.yaml", TASK)
    project.write_rows("tasks/crimes/data/crimes.jsonl", rows)
    # Normal is always seen, Fighting half of the time, Arson taken for Normal
    seen = {
        f"s{n}": ["Normal", ["Normal", "Fighting"][n // 3 % 2], "Normal"][n % 3] for n in range(18)
    }
    project.add_replay(seen, "words")
    project.add_replay({f"s{n}": "A" for n in range(18)}, "letter")
    code, _, err = invoke("run", "crimes", "-m", "words,letter", "--set", "shuffle_choices=1,2,3")
    assert code == 0, err
    return project


def test_a_curve_along_a_setting_as_csv(crimes: UserProject, invoke: Invoke) -> None:
    code, out, _ = invoke("show", "latest", "--by", "shuffle_choices", "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    words = [row for row in rows if row["model"] == "words"]
    assert [row["shuffle_choices"] for row in words] == ["1", "2", "3"]
    assert {row["value"] for row in words} == {"0.5"}  # words do not care for the order
    assert words[1]["difference"] == "0.0"
    assert words[1]["pairs"] == "18"


def test_a_map_of_models_and_a_setting(crimes: UserProject, invoke: Invoke) -> None:
    code, out, _ = invoke("show", "latest", "--by", "model,shuffle_choices")
    assert code == 0
    assert "crimes, choice by model (down) and shuffle_choices (across)" in out
    assert "0.611 *" in out


def test_an_unknown_key_is_one_line(crimes: UserProject, invoke: Invoke) -> None:
    code, _, err = invoke("show", "latest", "--by", "shufle_choices")
    assert code != 0
    assert "did you mean 'shuffle_choices'?" in err
    assert "shuffle_choices, model, task" in err
    assert "Traceback" not in err


def test_classes_training_and_the_preferred_letter(crimes: UserProject, invoke: Invoke) -> None:
    words = ("--classes", "--headroom", "--examples", "2", "--format", "json")
    code, out, err = invoke("show", "latest", *words)
    assert code == 0, err
    body = json.loads(out)
    of_words = [row for row in body["classes"] if row["model"] == "words"][:3]
    assert {row["class"]: (row["training"], row["recognised"]) for row in of_words} == {
        "Arson": (1, 0.0), "Fighting": (3, 0.5), "Normal": (6, 1.0),
    }  # fmt: skip
    first = body["summary"][0]
    assert (first["rho"], first["rho_classes"]) == (pytest.approx(1.0), 3)
    assert first["normal_accuracy"] == pytest.approx(9 / 18)
    letters = [row for row in body["positions"] if row["model"] == "letter"]
    assert [row["chosen"] for row in letters if row["letter"] == "A"] == [1.0, 1.0, 1.0]
    together = [row for row in body["positions_together"] if row["model"] == "letter"]
    assert [(row["letter"], row["n"]) for row in together] == [("A", 54), ("B", 54), ("C", 54)]
    assert {row["reached"] for row in body["headroom"]} <= {"met", "not met", "undecided"}
    assert len(body["headroom"]) == 6
    assert len(body["examples"]) == 12


def test_data_without_splits_have_no_training_samples(project: UserProject, invoke: Invoke) -> None:
    rows = [
        {"id": f"s{n}", "question": "?", "answer": CHOICES[n % 3], "choices": CHOICES, "video": n}
        for n in range(6)
    ]
    project.write("tasks/crimes/crimes.task.yaml", TASK)
    project.write_rows("tasks/crimes/data/crimes.jsonl", rows)
    project.add_replay({f"s{n}": "Normal" for n in range(6)}, "words")
    assert invoke("run", "crimes", "-m", "words")[0] == 0
    code, out, _ = invoke("show", "latest", "--classes", "--format", "json")
    assert code == 0
    body = json.loads(out)
    assert [row["training"] for row in body["classes"]] == [None, None, None]
    assert (
        "crimes: its data have no training samples apart from those that are asked" in body["notes"]
    )


def test_training_samples_are_those_of_the_data_that_the_run_was_given(
    crimes: UserProject, invoke: Invoke
) -> None:
    data = crimes.root / "tasks/crimes/data/crimes.jsonl"
    data.rename(data.with_name("other.jsonl"))
    untrained = {"id": "x", "split": "test", "question": "?", "answer": "Arson", "video": "z"}
    crimes.write_rows("tasks/crimes/data/crimes.jsonl", [untrained | {"choices": CHOICES}])
    code, _, err = invoke("run", "crimes", "-m", "words", "--set", "data.path=data/other.jsonl")
    assert code == 0, err
    code, out, _ = invoke("show", "latest", "--classes", "--format", "json")
    assert code == 0
    body = json.loads(out)
    assert [row["training"] for row in body["classes"]] == [1, 3, 6]
    assert not any("not known" in note for note in body["notes"])


def test_the_page_itself_has_no_analysis(crimes: UserProject, invoke: Invoke) -> None:
    code, out, _ = invoke("show", "latest", "--worst", "0")
    assert code == 0
    assert "by class" in out
    assert "most confused" not in out
