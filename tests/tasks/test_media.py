"""Where a task's videos lie, and what a request says of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.collect.library import Project
from harness.collect.specs import TaskSpec
from harness.errors import CollectError, HarnessError, SpecError
from harness.records import Request
from harness.tasks.dataset import load_samples
from harness.tasks.prompt import Prompt, make_requests

ROW = {"id": "a", "input": "What?", "target": "x", "media": ["clips/a.mp4"]}


def make(root: Path, rows: Sequence[dict[str, object]], data: str = "", more: str = "") -> TaskSpec:
    home = root / "tasks" / "t"
    home.mkdir(parents=True, exist_ok=True)
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "t.task.yaml").write_text(
        "task: t\nversion: 1\n"
        f"data: {{path: rows.jsonl, {data} fields: {{media: media, start: start, end: end}}}}\n"
        'prompt: {template: "{{ input }}"}\nscore: [exact_match]\nmedia: {fps: 2, end: 9}\n' + more
    )
    return Project.here(root).get_task("t")


def asked(task: TaskSpec) -> list[Request]:
    return make_requests(task, Prompt.of(task), load_samples(task))


def test_media_lie_beside_the_data_unless_a_root_is_named(tmp_path: Path) -> None:
    row = ROW | {"start": 1.5, "end": None}
    (request,) = asked(make(tmp_path, [row]))
    assert request.media == (str(tmp_path / "tasks/t/clips/a.mp4"),)
    (tmp_path / "videos").mkdir()
    (request,) = asked(make(tmp_path, [row], "media_root: ../../videos,"))
    assert request.media == (str(tmp_path / "videos/clips/a.mp4"),)


def test_a_samples_own_times_go_before_the_tasks(tmp_path: Path) -> None:
    rows = [ROW | {"start": 1.5, "end": 4}, ROW | {"id": "b", "start": None, "end": ""}]
    first, second = (request.frames for request in asked(make(tmp_path, rows)))
    assert first is not None
    assert second is not None
    assert (first.fps, first.start, first.end) == (2, 1.5, 4.0)
    assert (second.start, second.end) == (None, 9.0)


def test_times_may_be_written_as_players_do(tmp_path: Path) -> None:
    (request,) = asked(make(tmp_path, [ROW | {"start": "0:01:30.5", "end": "2:00"}]))
    assert request.frames is not None
    assert (request.frames.start, request.frames.end) == (90.5, 120.0)


@pytest.mark.parametrize("value", ["soon", -1, [1], "1:2:3:4", "1:-2", ":"])
def test_a_time_that_is_none_is_told_at_its_row(tmp_path: Path, value: object) -> None:
    task = make(tmp_path, [ROW | {"start": 0, "end": 1}, ROW | {"id": "b", "start": value}])
    with pytest.raises(HarnessError, match=r"rows.jsonl:2: .*'start' holds"):
        load_samples(task)


def test_media_may_not_leave_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    outside = {"media": ["../../../secret.mp4"], "start": 0, "end": 1}
    (tmp_path / "secret.mp4").write_bytes(b"x")
    with pytest.raises(SpecError, match=r"media '../../../secret.mp4' of sample 'a' lies outside"):
        asked(make(project, [ROW | outside]))
    task = make(project, [ROW | {"start": 0, "end": 1}])
    os.symlink(tmp_path, project / "tasks/t/clips")
    with pytest.raises(SpecError, match=r"lies outside the project \(--allow-outside permits it\)"):
        asked(task)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a\0b.mp4", "is no path: it holds a NUL"),
        ("https://example.org/a.mp4", "is a URL, and media are files: download it"),
    ],
)
def test_names_that_can_be_no_file_are_told(tmp_path: Path, name: str, what: str) -> None:
    task = make(tmp_path, [ROW | {"media": [name], "start": 0, "end": 1}])
    with pytest.raises(SpecError, match=what):
        asked(task)


@pytest.mark.parametrize("root", ["nowhere", "rows.jsonl", "~nobody-of-this-name/x"])
def test_a_root_that_is_no_folder_is_told_at_its_line(tmp_path: Path, root: str) -> None:
    task = make(tmp_path, [ROW | {"start": 0, "end": 1}], f"media_root: '{root}',")
    with pytest.raises(SpecError, match=r"t.task.yaml:3: 'media_root' is no folder: "):
        asked(task)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"start": 1, "end": 0.5}, r"rows.jsonl:1: end \(0.5\) must be after start \(1\)"),
        ({"start": 0, "end": 0}, r"rows.jsonl:1: end \(0\) must be after start \(0\)"),
        ({"start": 0, "end": 1, "media": [5]}, "column 'media' holds something that is no path"),
    ],
)
def test_rows_that_cannot_be_are_told_at_their_line(
    tmp_path: Path, row: dict[str, object], what: str
) -> None:
    with pytest.raises(HarnessError, match=what):
        load_samples(make(tmp_path, [ROW | row]))


def test_examples_with_media_are_refused(tmp_path: Path) -> None:
    rows = [ROW | {"start": 0, "end": 1, "input": f"What {n}?", "id": str(n)} for n in range(3)]
    task = make(tmp_path, rows)
    prompt = Prompt.of(task, load_samples(task))
    with pytest.raises(SpecError, match="few-shot examples of a task with media have none"):
        make_requests(task, prompt, load_samples(task))


def test_choices_are_shuffled_by_seed_and_the_answer_goes_with_them(tmp_path: Path) -> None:
    rows = [
        {"id": f"{n}", "input": "?", "target": "B", "choices": ["w", "x", "y", "z"]}
        for n in range(40)
    ]
    home = tmp_path / "tasks"
    home.mkdir()
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = (
        "task: t\nversion: 1\ndata: {path: rows.jsonl, fields: {choices: choices}}\n"
        'prompt: {template: "{{ input }}"}\noutput_type: choices\nscore: [choice]\n'
    )

    def orders(extra: str) -> list[tuple[str, ...]]:
        (home / "t.task.yaml").write_text(text + extra)
        samples = load_samples(Project.here(tmp_path).get_task("t"))
        assert {s.choices["ABCD".index(s.target)] for s in samples} == {"x"}
        return [sample.choices for sample in samples]

    assert set(orders("")) == {("w", "x", "y", "z")}
    first, again, other = (orders(f"shuffle_choices: {n}\n") for n in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) > 10


def test_no_row_with_the_column_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises((CollectError, HarnessError), match="no column 'start'"):
        load_samples(make(tmp_path, [ROW, ROW | {"id": "b"}]))
