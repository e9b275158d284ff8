from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.records import Completion, Sample, Score, Stages
from harness.results.manifest import FILE_NAME
from harness.results.run import CompletionRow, Run, StageRow
from harness.results.store import (
    find_run,
    passed_over,
    read_run,
    remove_leftovers,
    whole_runs,
    write_run,
)
from harness.results.tables import TABLES, schema

Store = Callable[..., Path]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path, cell, make_run) -> None:
    built = cell(values={"rouge_l": [0.25, None]}, controls={"rouge_l": [0.1, 0.0]}).build()
    done = Completion(
        "0/q0",
        "Grüße 你好 \x1b[31m",
        "length",
        prompt_tokens=7,
        completion_tokens=3,
        logprobs=(-1.5, -2.25),
        logprob_tokens=(3, 4),
        truncated="left",
        latency_ms=12.5,
        stages=Stages(4.0, 2.0, 1.5, 11.0, frames=2),
        frame_times=(0.0, 0.5),
    )
    failed = Completion("0/q1", finish_reason="error", error="NaN in the logits")
    first_row = CompletionRow("q0", 0, done, bytes(range(32)), True, "Grüßen?\n ", (" Ja", "no"))
    rows = [first_row, CompletionRow("q1", 0, failed)]
    run = make_run(replace(built, completions=rows))
    profile = [StageRow(built.cell_id, "total", 1.0, 2.0, 3.0, n=2, memory="RSS", weights_mb=9.0)]
    reader = read_run(write_run(tmp_path, replace(run, profile=profile)))

    first, second = reader.table("completions").to_pylist()
    assert first == {
        "cell": built.cell_id,
        "cell_hash": "hash-capitals-tiny",
        "task": "capitals",
        "model": "tiny",
        "variant": "",
        "sample": "q0",
        "epoch": 0,
        "text": "Grüße 你好 \x1b[31m",
        "finish_reason": "length",
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "truncated": "left",
        "latency_ms": 12.5,
        "logprobs": [-1.5, -2.25],
        "logprob_tokens": [3, 4],
        "error": None,
        "cached": True,
        "key": bytes(range(32)),
        "prompt": "Grüßen?\n ",
        "continuations": [" Ja", "no"],
        "decode_ms": 4.0,
        "preprocess_ms": 2.0,
        "prefill_ms": 1.5,
        "generate_ms": 11.0,
        "frames": 2,
        "frame_times": [0.0, 0.5],
    }
    assert (second["frames"], second["frame_times"]) == (None, [])
    assert (second["error"], second["latency_ms"], second["key"]) == (
        "NaN in the logits",
        None,
        None,
    )
    scores = reader.table("scores", ["sample", "value", "control", "status"]).to_pylist()
    assert scores == [
        {"sample": "q0", "value": 0.25, "control": 0.1, "status": "ok"},
        {"sample": "q1", "value": None, "control": None, "status": "error"},
    ]
    (stage,) = reader.table("profile").to_pylist()
    assert StageRow(**stage) == profile[0]
    (metric,) = reader.metrics()
    assert (metric.metric, metric.value, metric.n, metric.n_error) == ("rouge_l", 0.25, 1, 1)
    reader.verify()


def test_every_table_is_there_with_its_columns(store: Store, cell) -> None:
    reader = read_run(store(cell(values={"f1": [0.5, 0.6]})))
    for name in TABLES:
        assert reader.table(name).schema.equals(schema(name))
    assert reader.table("verdicts").num_rows == 0


def test_models_share_the_samples_of_a_task(store: Store, cell) -> None:
    values = {"f1": [0.5, 0.6]}
    reader = read_run(
        store(
            cell("a", values=values),
            cell("b", values=values),
            cell("a", variant="fps=1", values=values),
        )
    )
    found = reader.table("samples", ["variant", "sample"]).to_pylist()
    assert [(row["variant"], row["sample"]) for row in found] == [
        ("", "q0"),
        ("", "q1"),
        ("fps=1", "q0"),
        ("fps=1", "q1"),
    ]


def test_columns_and_rows_can_be_selected(store: Store, cell) -> None:
    reader = read_run(
        store(cell("a", values={"f1": [0.1, 0.2]}), cell("b", values={"f1": [0.3, 0.4]}))
    )
    where = {"cell": "tasks/capitals.task.yaml::capitals[b]"}
    table = reader.table("scores", ["value"], where)
    assert table.to_pylist() == [{"value": 0.3}, {"value": 0.4}]


def test_half_a_surrogate_pair_is_kept_visibly(tmp_path: Path, cell, make_run) -> None:
    built = cell(values={"f1": [0.5]}).build()
    rows = [CompletionRow("q0", 0, Completion("q0", "half \ud83d"))]
    path = write_run(tmp_path, make_run(replace(built, completions=rows)))
    assert read_run(path).table("completions", ["text"]).to_pylist() == [{"text": "half \\ud83d"}]


def test_the_source_row_is_kept_as_json(tmp_path: Path, cell, make_run) -> None:
    sample = Sample("q0", "Kapital?", "Café", row={"frage": "Kapital?", "jahr": 1912})
    path = write_run(tmp_path, make_run(cell(values={"f1": [1.0]}, samples=[sample]).build()))
    (row,) = read_run(path).table("samples", ["row"]).to_pylist()
    assert json.loads(row["row"]) == {"frage": "Kapital?", "jahr": 1912}


def test_the_manifest_says_what_was_run(store: Store, cell) -> None:
    manifest = read_run(store(cell(values={"f1": [0.5, None]}))).manifest
    assert manifest.run_id.startswith("20261120-161502-")
    assert manifest.started == "2026-11-20T16:15:02.000+00:00"
    assert manifest.counts == {"ok": 1, "error": 1, "skipped": 0, "truncated": 0}
    assert manifest.revision == "0123abc"
    assert manifest.models[0].fingerprint == "weights of tiny"
    assert manifest.specs[0].text == "task: capitals\n"
    assert len(manifest.specs[0].sha256) == 64
    assert [part.file for part in manifest.parts] == [f"{name}.parquet" for name in TABLES]
    assert manifest.cells[0].scorers[0].name == "f1"


def test_scores_that_do_not_fit_their_completions_are_a_bug(cell) -> None:
    built = cell(values={"f1": [0.5, 0.6]}).build()
    with pytest.raises(ValueError, match="1 scores of f1, 2 completions"):
        replace(built, scores={"f1": [Score(0.5)]})


# --------------------------------------------------------------------------- whole or not at all


def test_nothing_but_whole_runs_is_left(store: Store, cell, tmp_path: Path) -> None:
    path = store(cell(values={"f1": [0.5]}))
    assert [one.name for one in (tmp_path / "runs").iterdir()] == [path.name]


def test_runs_of_the_same_second_get_names_of_their_own(store: Store, cell) -> None:
    one = cell(values={"f1": [0.5]})
    assert len({store(one), store(one), store(one)}) == 3


def test_a_folder_without_manifest_is_no_run(store: Store, cell) -> None:
    path = store(cell(values={"f1": [0.5]}))
    (path / FILE_NAME).unlink()
    with pytest.raises(StoreError, match=r"is not a whole run: it has no manifest\.json"):
        read_run(path)
    with pytest.raises(StoreError, match="is not a whole run"):
        find_run(path.parent, str(path))
    assert whole_runs(path.parent) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', "null"])
def test_a_damaged_manifest_is_said_in_one_line(store: Store, cell, text: str) -> None:
    path = store(cell(values={"f1": [0.5]}))
    (path / FILE_NAME).write_text(text)
    with pytest.raises(StoreError, match="is damaged") as caught:
        read_run(path)
    assert "\n" not in str(caught.value)


def test_a_run_of_a_later_version_is_refused(store: Store, cell) -> None:
    path = store(cell(values={"f1": [0.5]}))
    manifest = json.loads((path / FILE_NAME).read_text())
    (path / FILE_NAME).write_text(json.dumps({**manifest, "schema_version": 99}))
    with pytest.raises(StoreError, match="written by a later version"):
        read_run(path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_file_that_was_cut_short_is_never_read_as_a_shorter_one(
    store: Store, cell, kept: int
) -> None:
    path = store(cell(values={"f1": [0.5, 0.6]}))
    body = (path / "scores.parquet").read_bytes()
    (path / "scores.parquet").write_bytes(body[:kept])
    with pytest.raises(StoreError, match="damaged or cut short") as caught:
        read_run(path).table("scores")
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="is not the file that was written"):
        read_run(path).verify()


def test_a_missing_file_and_a_changed_byte_are_found(store: Store, cell) -> None:
    path = store(cell(values={"f1": [0.5, 0.6]}))
    body = bytearray((path / "samples.parquet").read_bytes())
    body[40] ^= 1
    (path / "samples.parquet").write_bytes(body)
    with pytest.raises(StoreError, match="is not the file that was written"):
        read_run(path).verify()
    (path / "scores.parquet").unlink()
    with pytest.raises(StoreError, match="is missing; the run is not whole"):
        read_run(path).table("scores")


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path, cell, make_run) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(
        StoreError, match=r"cannot write the run below .*/runs/mine: Not a directory"
    ):
        write_run(tmp_path / "runs" / "mine", make_run(cell(values={"f1": [0.5]}).build()))


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    script = """
        import resource, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from harness.errors import StoreError
        from harness.records import Completion, Sample, Score, Stages
        from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo
        from harness.results.store import write_run

        sample, text = Sample("q", "in", "out"), bytes(range(33, 120)).decode() * 2
        rows = [CompletionRow("q", e, Completion("q", text[e % 80:])) for e in range(3000)]
        scores = {"f1": [Score(0.5)] * 3000}
        info = ScorerInfo("f1")
        cell = CellResult("c", "h", "t", "th", 1, "m", "", [sample], rows, scores, [info])
        run = Run([cell], datetime.now(UTC), datetime.now(UTC))
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))  # bytes any file may have
        try:
            write_run(Path(sys.argv[1]), run)
        except StoreError as error:
            print(error)
    """
    root = tmp_path / "runs"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(root)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout == f"cannot write the run below {root}: File too large\n"
    assert list(root.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_after_a_day(tmp_path: Path, cell, make_run) -> None:
    old, young = tmp_path / ".tmp-20260101-000000-abcdef", tmp_path / ".tmp-20260102-000000-abcdef"
    for folder in (old, young):
        folder.mkdir()
        (folder / "samples.parquet").write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    write_run(tmp_path, make_run(cell(values={"f1": [0.5]}).build()))
    assert not old.exists()
    assert young.exists()
    remove_leftovers(tmp_path / "no such folder")


# --------------------------------------------------------------------------- finding


@pytest.fixture
def two_runs(store: Store, cell) -> tuple[Path, Path]:
    """An older run with models a and b, a newer one with b and c."""
    values = {"f1": [0.5, 0.6]}
    older = store(cell("a", values=values), cell("b", values=values))
    newer = store(cell("b", values=values), cell("c", values=values), after=60)
    return older, newer


def test_a_run_is_found_by_any_of_its_names(two_runs: tuple[Path, Path]) -> None:
    older, newer = two_runs
    root = older.parent
    names = {
        str(older): older,
        older.name: older,
        older.name[:15]: older,
        newer.name[:18]: newer,
        "latest": newer,
        "a": older,
        "b": newer,
        "c": newer,
    }
    assert {name: find_run(root, name).path for name in names} == names


def test_a_run_that_is_not_found_is_answered_with_a_hint(
    two_runs: tuple[Path, Path], tmp_path: Path
) -> None:
    root = two_runs[0].parent
    with pytest.raises(StoreError, match="begins the names of 2 runs: 2026"):
        find_run(root, "2026")
    with pytest.raises(StoreError, match="no run and no model 'z' below"):
        find_run(root, "z")
    with pytest.raises(StoreError, match=rf"did you mean '{two_runs[0].name}'"):
        find_run(root, two_runs[0].name[:-1] + "x")
    with pytest.raises(StoreError, match=r"no runs below .*; 'harness run' makes one"):
        find_run(tmp_path / "empty", "latest")


def test_a_damaged_run_does_not_hide_the_others(two_runs: tuple[Path, Path]) -> None:
    older, newer = two_runs
    (newer / FILE_NAME).write_text("{")
    assert find_run(older.parent, "b").path == older
    assert find_run(older.parent, "latest").path == older


def test_a_folder_named_like_a_model_is_not_taken_for_a_run(
    two_runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_run(two_runs[0].parent, "a").path == two_runs[0]


@pytest.mark.parametrize("text", ["\0", "x" * 5000, "", "../..", "a b"])
def test_odd_names_are_not_found_rather_than_a_crash(
    two_runs: tuple[Path, Path], text: str
) -> None:
    with pytest.raises(StoreError):
        find_run(two_runs[0].parent, text)


def test_latest_of_one_second_is_the_one_written_last(store: Store, cell, tmp_path: Path) -> None:
    store(cell("a", values={"f1": [0.5]}))
    second = store(cell("b", values={"f1": [0.5]}))
    assert find_run(tmp_path / "runs", "latest").path == second


def test_an_empty_run_can_be_stored(tmp_path: Path, make_run) -> None:
    run: Run = make_run()
    reader = read_run(write_run(tmp_path, run))
    assert reader.table("scores").num_rows == 0
    assert reader.metrics() == []


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"run_id": "x"}'])
def test_a_manifest_that_is_none_is_told_in_words(store: Store, cell, text: str) -> None:
    path = store(cell(values={"f1": [0.5]}))
    (path / FILE_NAME).write_text(text)
    with pytest.raises(StoreError, match="is damaged: it ") as caught:
        read_run(path)
    said = str(caught.value).partition("is damaged: ")[2]
    assert said in ("it is not the manifest of a run", "it has no 'schema_version'")


def test_a_manifest_of_before_kinds_and_bounds_is_read(store: Store, cell) -> None:
    path = store(cell(values={"match": [1.0, 0.0]}))
    manifest = json.loads((path / FILE_NAME).read_text())
    for name in ("kind", "low", "high", "neutral"):
        del manifest["cells"][0]["scorers"][0][name]
    (path / FILE_NAME).write_text(json.dumps(manifest))
    (info,) = read_run(path).manifest.cells[0].scorers
    assert (info.name, info.kind, info.span, info.neutral) == ("match", None, None, False)


def test_every_ambiguous_run_is_named(store: Store, cell) -> None:
    paths = [store(cell(values={"f1": [0.5]}), after=i) for i in range(7)]
    with pytest.raises(StoreError) as caught:
        find_run(paths[0].parent, "20261120")
    assert all(path.name in str(caught.value) for path in paths)


def test_newer_folders_without_manifest_are_known(store: Store, cell) -> None:
    one = cell(values={"f1": [0.5]})
    old, whole, new = store(one), store(one, after=60), store(one, after=120)
    for path in (old, new):
        (path / FILE_NAME).unlink()
    assert passed_over(whole.parent) == [new.name]
    assert passed_over(whole.parent / "none") == []
