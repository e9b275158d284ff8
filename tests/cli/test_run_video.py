"""`harness run` on videos, from files on disk to stored rows, with the embedded vision model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from conftest import UserProject
from media.clips import Style, faststart, write
from media.test_bad_files import REASONS

Invoke = Callable[..., tuple[int, str, str]]
TASK = """\
task: seen
version: 1
data: {path: rows.jsonl, fields: {choices: choices, media: media, start: start}}
media: {fps: 2, resolution: 32}
prompt: {messages: [{role: user, content: "{{ input }}"}]}
prompts:
  short: {messages: [{role: user, content: "?"}]}
answer: likelihood
score: [choice]
"""


def rows_of(folder: Path, table: str) -> list[dict[str, object]]:
    (run,) = (path for path in folder.iterdir() if path.name[:2] == "20")
    rows: list[dict[str, object]] = pq.read_table(run / f"{table}.parquet").to_pylist()
    return rows


def add_task(project: UserProject, files: list[str]) -> Path:
    project.write("tasks/seen/seen.task.yaml", TASK)
    rows = [
        {"id": name, "input": "What is it?", "target": "red", "choices": ["red", "blue"]}
        | {"media": name, "start": None if number else 0}
        for number, name in enumerate(files)
    ]
    project.write_rows("tasks/seen/rows.jsonl", rows)
    return project.root / "tasks" / "seen"


def test_each_bad_file_is_a_counted_error_with_its_reason(
    project: UserProject, invoke: Invoke
) -> None:
    good = {
        "plain.mp4": Style(),
        "portrait.mp4": Style(rotation=90),
        "vfr.mp4": Style(count=6, times=(0, 40, 80, 1500, 1540, 1999)),
        "other-count.mp4": Style(count=40),
        "one-frame.mp4": Style(count=1),
    }
    cut = ("cut.mp4", "damaged.mp4")
    folder = add_task(project, [*good, *REASONS, *cut])
    for name, style in good.items():
        write(folder / name, style)
    for name, (make, _) in REASONS.items():
        make(folder / name)
    data = faststart(folder / cut[0])
    (folder / cut[0]).write_bytes(data[: -len(data) // 4])
    begin = data.index(b"mdat") + 900  # what stands before is the encoder's own words
    (folder / cut[1]).write_bytes(data[:begin] + bytes(200) + data[begin + 200 :])
    code, out, err = invoke("run", "seen", "-m", "tiny-vlm", "--runs", "out")
    assert code == 1, err  # something ran and did not pass
    bad = len(REASONS) + len(cut)
    assert f"{len(good) + bad} completions ({len(good)} ok, {bad} error" in out + err
    rows = {str(row["sample"]): row for row in rows_of(project.root / "out", "completions")}
    assert {name for name, row in rows.items() if row["error"] is None} == set(good)
    for name, (_, reason) in REASONS.items():
        assert reason.partition(r" \(")[0] in str(rows[name]["error"])
    assert "truncated" in str(rows["cut.mp4"]["error"])
    assert rows["vfr.mp4"]["frame_times"] == [0.0, 0.08, 0.08, 1.5, 1.999]
    assert [rows[name]["frames"] for name in good] == [4, 4, 5, 8, 1]
    scores = {row["sample"]: row["status"] for row in rows_of(project.root / "out", "scores")}
    assert {name for name, status in scores.items() if status == "ok"} == set(good)


def test_settings_make_cells_and_each_clip_is_decoded_once(
    project: UserProject, invoke: Invoke
) -> None:
    folder = add_task(project, ["a.mp4", "b.mp4"])
    for number, name in enumerate(("a.mp4", "b.mp4")):
        write(folder / name, Style(count=20 - number))
    sets = ("--set", "fps=1,2", "--set", "degrade=none,noise:0.5", "--set", "prompt=default,short")
    code, _, err = invoke("run", "seen", "-m", "tiny-vlm", "--runs", "out", *sets)
    assert code == 0, err
    rows = rows_of(project.root / "out", "completions")
    assert len({row["cell"] for row in rows}) == 8
    assert {(row["variant"], row["frames"]) for row in rows} >= {
        ("fps=1,degrade=none,prompt=default", 2),
        ("fps=2,degrade=noise:0.5,prompt=short", 4),
    }
    probabilities = {str(row["logprobs"]) for row in rows}
    assert len(probabilities) == len(rows)  # every cell saw or read something else
    clips = list((project.root / ".harness" / "media").glob("*/*.clip"))
    assert len(clips) == 4  # two files at two rates; noise is added to what is kept
    stages = [row["prefill_ms"] for row in rows]
    assert all(isinstance(value, float) and value > 0 for value in stages)
    code, _, err = invoke("run", "seen", "-m", "tiny-vlm", "--runs", "again", *sets)
    assert code == 0, err
    again = rows_of(project.root / "again", "completions")
    assert all(row["cached"] for row in again)
    assert [row["logprobs"] for row in again] == [row["logprobs"] for row in rows]
    assert [row["frame_times"] for row in again] == [row["frame_times"] for row in rows]


def test_a_changed_file_is_asked_again(project: UserProject, invoke: Invoke) -> None:
    folder = add_task(project, ["a.mp4"])
    write(folder / "a.mp4")
    assert invoke("run", "seen", "-m", "tiny-vlm", "--runs", "one")[0] == 0
    write(folder / "a.mp4", Style(count=30))
    assert invoke("run", "seen", "-m", "tiny-vlm", "--runs", "two")[0] == 0
    first, second = (rows_of(project.root / name, "completions")[0] for name in ("one", "two"))
    assert (first["frames"], second["frames"]) == (4, 6)
    assert second["cached"] is False


def test_settings_of_the_card_are_cells_too(project: UserProject, invoke: Invoke) -> None:
    folder = add_task(project, ["a.mp4", "b.mp4", "c.mp4"])
    for number, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        write(folder / name, Style(count=20 - number))
    code, _, err = invoke(
        "run", "seen", "-m", "tiny-vlm", "--runs", "out", "--set", "batch_size=1,2",
        "--set", "dtype=float32,bfloat16",
    )  # fmt: skip
    assert code == 0, err
    rows = rows_of(project.root / "out", "completions")
    by_cell: dict[str, list[object]] = {}
    for row in rows:
        by_cell.setdefault(str(row["variant"]), []).append(row["logprobs"])
    assert list(by_cell) == [
        "batch_size=1,dtype=float32",
        "batch_size=1,dtype=bfloat16",
        "batch_size=2,dtype=float32",
        "batch_size=2,dtype=bfloat16",
    ]
    assert by_cell["batch_size=1,dtype=float32"] != by_cell["batch_size=1,dtype=bfloat16"]
    assert len({row["key"] for row in rows}) == 6  # the batch's size does not change an answer


def test_a_model_that_sees_nothing_is_told(project: UserProject, invoke: Invoke) -> None:
    folder = add_task(project, ["a.mp4"])
    write(folder / "a.mp4")
    code, out, _ = invoke("run", "seen", "-m", "tiny-llama", "--dry-run")
    assert code == 0
    assert "and sees nothing of a.mp4: the adapter 'transformers' takes no media" in out
    code, out, err = invoke("run", "seen", "-m", "tiny-llama", "--runs", "out")
    assert code == 0, err
    assert "blind: a model of text does not see the videos or images of 1 request" in out + err
    project.add_replay({"a.mp4": "red"})
    sets = ("--set", "answer=text", "--set", "fps=1,2")
    code, out, err = invoke("run", "seen", "-m", "recorded", "--runs", "out", *sets)
    assert code == 0, err
    assert "those of all variants are the same" in out + err
