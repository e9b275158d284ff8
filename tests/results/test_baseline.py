"""Baselines: what they keep, what they refuse, and that they are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import SelectionError, StoreError
from harness.records import Completion, Sample, Score
from harness.results import swap
from harness.results.baseline import (
    check_failures,
    find_baselines,
    find_references,
    read_baseline,
    write_baseline,
)
from harness.results.baseline_report import baseline_report, changes
from harness.results.compare import compare_sides
from harness.results.identical import text_hash
from harness.results.pairs import CompareOptions, Side
from harness.results.restore import restore
from harness.results.run import CompletionRow, ScorerInfo, StageRow
from harness.results.show import ShowOptions, show
from harness.results.store import read_run, write_run
from harness.results.tables import TABLES

Store = Callable[..., Path]


def side(path: Path, model: str = "tiny") -> Side:
    return Side(read_run(path), model)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def numbers(size: int, right: int) -> list[float]:
    return [float(i < right) for i in range(size)]


def test_a_baseline_is_a_run_of_one_task_and_model(tmp_path: Path, store: Store, cell) -> None:
    run = store(
        cell(values={"match": [1.0, 0.0], "rouge_l": [0.25, 0.5]}),
        cell(values={"match": [1.0, 1.0]}, task="sums"),
        cell(values={"match": [0.0, 0.0]}, model="other-model"),
    )
    (place,) = write_baseline(tmp_path / "b", side(run), tasks=["capitals"])
    assert place == tmp_path / "b" / "capitals"
    found = read_baseline(place)
    assert (found.model, found.name) == ("tiny", "baseline/capitals:tiny")
    manifest = found.run.manifest
    assert [one.task for one in manifest.cells] == ["capitals"]
    assert [one.fingerprint for one in manifest.models] == ["weights of tiny"]
    assert manifest.counts == {"ok": 2, "error": 0, "skipped": 0, "truncated": 0}
    assert (manifest.revision, manifest.packages) == ("0123abc", {"torch": "2.15.0"})
    values = found.run.table("scores", ["sample", "scorer", "value"]).to_pylist()
    assert values == read_run(run).table("scores", ["sample", "scorer", "value"]).to_pylist()[:4]
    assert {row.metric: row.value for row in found.run.metrics()} == {
        "match": 0.5,
        "rouge_l": 0.375,
    }
    assert not any(b"other-model" in body for body in bytes_of(place).values())


def test_no_text_of_inputs_and_answers_is_kept_unless_asked(tmp_path: Path, cell, make_run) -> None:
    secret = "s3cr3t-w0rd"
    samples = [
        Sample(f"q{i}", f"{secret} {i}", "A", (secret, "b"), (f"{secret}.mp4",), row={"x": secret})
        for i in range(3)
    ]
    done = [
        Completion("q0", secret, logprobs=(-1.0,)),
        Completion("q1", secret),
        Completion("q2", error=f"refused: {secret}", finish_reason="error"),
    ]
    scores = [
        Score(1.0, answer=secret, explanation=secret),
        Score(None, "error", explanation=f"judge_error: {secret}"),
        Score(None, "error", explanation=secret),
    ]
    rows = [CompletionRow(c.id, 0, c, bytes(32), False, secret, (secret,)) for c in done]
    built = cell(values={"match": [1.0, 1.0, 1.0]}, samples=samples).build()
    built = replace(built, completions=rows, scores={"match": scores})
    run = side(write_run(tmp_path / "runs", make_run(built)))

    (place,) = write_baseline(tmp_path / "b", run)
    tables = {name: read_baseline(place).run.table(name) for name in TABLES}
    assert secret not in json.dumps([t.to_pylist() for t in tables.values()], default=str)
    # small pages are stored as they are where zstd does not help, so the bytes would show it
    assert not any(secret.encode() in body for body in bytes_of(place).values())
    hashes = tables["completions"].column("text_hash").to_pylist()
    assert hashes == [text_hash(secret), text_hash(secret), text_hash("")]
    errors = tables["completions"].column("error").to_pylist()
    assert [error is None for error in errors] == [True, True, False]
    # whose fault a missing score is stays known
    why = tables["scores"].column("explanation").to_pylist()
    assert (why[0], why[1].startswith("judge_error: "), why[2]) == (None, True, None)

    (place,) = write_baseline(tmp_path / "b", run, answers=True, columns={"capitals": ["x"]})
    kept = read_baseline(place).run
    assert kept.table("completions").column("text").to_pylist() == [secret, secret, ""]
    assert json.loads(kept.table("samples").column("row").to_pylist()[0]) == {"x": secret}


def test_columns_that_gates_go_by_are_kept(tmp_path: Path, cell, make_run) -> None:
    samples = [Sample(f"q{i}", "?", "A", row={"kind": i % 2, "note": "long"}) for i in range(4)]
    built = cell(values={"match": [1.0] * 4}, samples=samples).build()
    run = side(write_run(tmp_path / "runs", make_run(built)))
    (place,) = write_baseline(tmp_path / "b", run, columns={"capitals": ["kind", "missing"]})
    rows = read_baseline(place).run.table("samples").column("row").to_pylist()
    assert [json.loads(row) for row in rows] == [{"kind": 0}, {"kind": 1}] * 2


def test_the_same_run_makes_the_same_bytes(tmp_path: Path, store: Store, cell) -> None:
    run = store(cell(values={"match": numbers(20, 7)}), cell(values={"match": numbers(20, 3)}))
    (first,) = write_baseline(tmp_path / "a", side(run))
    (second,) = write_baseline(tmp_path / "b", side(run))
    assert bytes_of(first) == bytes_of(second)
    before = first.stat().st_ino
    write_baseline(tmp_path / "a", side(run))
    assert first.stat().st_ino == before  # not even written again
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["capitals"]


def test_compare_and_show_read_a_baseline(tmp_path: Path, store: Store, cell, make_run) -> None:
    infos = {"bleu": ScorerInfo("bleu", aggregate="bleu")}
    built = cell(values={"match": numbers(12, 9), "bleu": numbers(12, 6)}, infos=infos).build()
    counts = [
        replace(s, detail=(1.0, 2.0, 3.0, 2.0) * 2 + (4.0, 4.0)) for s in built.scores["bleu"]
    ]
    built = replace(built, scores={**built.scores, "bleu": counts})
    profile = [StageRow(built.cell_id, "generate", 1.0, 2.0, 3.0)]
    run = write_run(tmp_path / "runs", replace(make_run(built), profile=profile))
    (place,) = write_baseline(tmp_path / "b", side(run))
    rows, notes = compare_sides([(read_baseline(place), side(run))], CompareOptions())
    assert {row.metric: row.difference.value for row in rows} == {"match": 0.0, "bleu": 0.0}
    assert notes == []
    report = show(read_run(place), ShowOptions())
    assert report.records["metrics"][0]["value"] == 0.75
    assert report.records["worst"][0]["text"] == "(not kept)"
    with pytest.raises(StoreError, match="is a baseline, which keeps no prompts"):
        show(read_run(place), ShowOptions(prompt=True))
    with pytest.raises(StoreError, match="keeps no answers to judge; name the run 2026"):
        restore(read_run(place))
    assert read_run(place).table("profile").column("p95").to_pylist() == [2.0]
    assert read_run(place).table("verdicts", ["judge", "total"]).num_rows == 0
    (place / "scores.parquet").unlink()
    with pytest.raises(StoreError, match=r"scores\.parquet: is missing"):
        read_run(place).table("scores")


def test_readme_tells_where_it_comes_from(tmp_path: Path, store: Store, cell) -> None:
    run = store(cell(values={"match": [1.0, None, 0.5]}))
    (place,) = write_baseline(tmp_path, side(run))
    text = (place / "README.md").read_text()
    assert "# Baseline of capitals: tiny" in text
    for line in (
        f"- run: {run.name}",
        "- weights: weights of t (transformers)",
        "- git revision: 0123abc",
        "- task version: 1",
        "- samples: 3 (1 error)",
        "- settings: limit 5",
        "torch 2.15.0",
        "- texts: not kept",
    ):
        assert line in text
    assert "| match  | 0.750 |" in text
    shown = baseline_report(read_baseline(place)).records["provenance"][0]
    assert (shown["model"], shown["run"]) == ("tiny", run.name)


# --------------------------------------------------------------------------- what gives way


def test_another_model_or_other_data_need_replace(tmp_path: Path, store: Store, cell) -> None:
    first = store(cell(values={"match": numbers(4, 2)}))
    other = store(cell(values={"match": numbers(4, 3)}, model="other"), after=60)
    more = store(cell(values={"match": numbers(5, 3)}), after=120)
    later = store(cell(values={"match": numbers(4, 2)}, version=2), after=180)
    better = store(cell(values={"match": numbers(4, 4)}), after=240)
    (place,) = write_baseline(tmp_path / "b", side(first))
    before = bytes_of(place)
    for run, why in (
        (side(other, "other"), "is a baseline of the model tiny: --replace puts"),
        (side(more), "was measured on other data"),
        (side(later), "is of version 1 of the task, not 2"),
    ):
        with pytest.raises(StoreError, match=why):
            write_baseline(tmp_path / "b", run)
        assert bytes_of(place) == before
    write_baseline(tmp_path / "b", side(better))  # the same model on the same data
    assert [row.value for row in read_baseline(place).run.metrics()] == [1.0]
    write_baseline(tmp_path / "b", side(other, "other"), replace=True)
    assert read_baseline(place).model == "other"
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["capitals"]


def test_nothing_of_several_tasks_is_written_if_one_is_refused(
    tmp_path: Path, store: Store, cell
) -> None:
    run = store(
        cell(values={"match": numbers(4, 2)}, task="apples"), cell(values={"match": [1.0] * 4})
    )
    other = store(cell(values={"match": [1.0] * 4}, model="other"), after=60)
    write_baseline(tmp_path / "b", side(other, "other"))
    with pytest.raises(StoreError, match="--replace"):
        write_baseline(tmp_path / "b", side(run))
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["capitals"]


def test_a_folder_of_the_users_own_is_never_replaced(tmp_path: Path, store: Store, cell) -> None:
    run = store(cell(values={"match": [1.0, 0.0]}))
    notes = tmp_path / "b" / "capitals" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    with pytest.raises(StoreError, match=r"is not replaced: it holds notes.txt"):
        write_baseline(tmp_path / "b", side(run), replace=True)
    assert notes.read_text() == "mine"
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "capitals").write_text("a file")
    with pytest.raises(StoreError, match="is in the way"):
        write_baseline(tmp_path / "c", side(run), replace=True)


def test_a_weak_run_is_refused(tmp_path: Path, store: Store, cell) -> None:
    check_failures(side(store(cell(values={"match": [1.0] * 49 + [None]}))))
    weak = side(store(cell(values={"match": [1.0] * 47 + [None] * 3}), after=60))
    with pytest.raises(StoreError, match="3 of 50 samples of capitals have no match, more than 2%"):
        check_failures(weak)
    with pytest.raises(SelectionError, match=r"has no task 'capital' .did you mean 'capitals'"):
        write_baseline(tmp_path, weak, tasks=["capital"])
    (place,) = write_baseline(tmp_path, weak)
    with pytest.raises(StoreError, match="is a baseline already"):
        write_baseline(tmp_path / "again", read_baseline(place))


def test_changes_are_told_metric_by_metric(tmp_path: Path, store: Store, cell) -> None:
    old = side(store(cell(values={"match": numbers(20, 5)})))
    new = side(store(cell(values={"match": numbers(20, 18)}), after=60))
    longer = side(store(cell(values={"match": numbers(25, 25)}), after=120))
    (line,) = changes(old, new, "capitals")
    assert line.startswith("  match: 0.250 -> 0.900 (+0.650 [")
    assert line.endswith("better)")
    means, why = changes(old, longer, "capitals")
    assert means == "  match: 0.250 -> 1.000"
    assert why == "  not comparable: samples differ: 20 and 25, 20 in both"


# --------------------------------------------------------------------------- whole or not at all

WRITER = """
import sys
from pathlib import Path
from harness.results.baseline import write_baseline
from harness.results.pairs import Side
from harness.results.store import read_run
root, *runs = map(Path, sys.argv[1:])
sides = [Side(read_run(run), "tiny") for run in runs]
print("ready", flush=True)
while True:
    for one in sides:
        write_baseline(root, one, replace=True)
"""


def test_a_kill_leaves_the_old_or_the_new_one(tmp_path: Path, store: Store, cell) -> None:
    runs = [store(cell(values={"match": numbers(8, right)}), after=60 * right) for right in (2, 7)]
    root = tmp_path / "b"
    known = [bytes_of(write_baseline(tmp_path / run.name, side(run))[0]) for run in runs]
    write_baseline(root, side(runs[0]))
    seen = set()
    for wait in (0.0, 0.013, 0.031, 0.047, 0.078, 0.11):
        words = [sys.executable, "-c", WRITER, str(root), *map(str, runs)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(wait)
            os.kill(writer.pid, signal.SIGKILL)
        read_baseline(root / "capitals")
        seen.add(known.index(bytes_of(root / "capitals")))
    assert seen <= {0, 1}
    assert find_baselines(root) == [root / "capitals"]


def test_where_names_cannot_be_exchanged_the_old_one_is_put_back(
    tmp_path: Path, store: Store, cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "exchange", lambda a, b: False)  # as on such a file system
    first, second = (store(cell(values={"match": numbers(4, n)}), after=60 * n) for n in (1, 2))
    (place,) = write_baseline(tmp_path / "b", side(first))
    before = bytes_of(place)
    # killed between the two steps
    place.rename(place.with_name(".old-capitals"))
    assert bytes_of(read_baseline(place).run.path) == before
    place.rename(place.with_name(".old-capitals"))
    assert find_baselines(tmp_path / "b") == [place]
    write_baseline(tmp_path / "b", side(second))
    assert [row.value for row in read_baseline(place).run.metrics()] == [0.5]
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["capitals"]


def test_two_folders_are_exchanged(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    if swap.exchange(tmp_path / "a", tmp_path / "b"):
        assert (tmp_path / "a" / "file").read_text() == "b"
    else:
        assert (tmp_path / "a" / "file").read_text() == "a"
    with pytest.raises(OSError, match="No such file"):
        swap.put_folder(tmp_path / "missing", tmp_path / "a")
    assert (tmp_path / "a" / "file").exists()


# --------------------------------------------------------------------------- bad input


def test_what_is_no_baseline_is_said_in_one_line(tmp_path: Path, store: Store, cell) -> None:
    run = store(cell(values={"match": [1.0, 0.0]}))
    (place,) = write_baseline(tmp_path / "b", side(run))

    def message(path: Path) -> str:
        with pytest.raises(StoreError) as caught:
            read_baseline(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no baseline" in message(tmp_path / "none")
    assert "'harness baseline set RUN' makes one" in message(tmp_path / "none")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "photo.jpg").touch()
    assert "is no baseline: it has no manifest.json" in message(tmp_path / "foreign")
    assert "is a run, not a baseline" in message(run)
    half = tmp_path / "half"
    shutil.copytree(place, half)
    (half / "manifest.json").unlink()
    assert "is not a whole baseline" in message(half)
    damaged = tmp_path / "damaged"
    shutil.copytree(place, damaged)
    body = (damaged / "scores.parquet").read_bytes()
    (damaged / "scores.parquet").write_bytes(body[: len(body) // 2])
    assert "scores.parquet: is not the file that was written" in message(damaged)
    (damaged / "manifest.json").write_text("{")
    assert "is damaged: not JSON" in message(damaged)


# --------------------------------------------------------------------------- references


def test_the_committed_baseline_comes_before_the_cards(tmp_path: Path, cell, make_run) -> None:
    base, tuned = (cell(values={"match": [1.0, 0.0]}, model=name) for name in ("base", "tuned"))
    made = make_run(base.build(), tuned.build())
    infos = [replace(info, baseline="base") for info in made.models]
    run = write_run(tmp_path / "runs", replace(made, models=infos))
    candidate = side(run, "tuned")
    references = find_references(tmp_path, tmp_path / "runs", [])
    assert references.of(candidate, "capitals") == Side(candidate.run, "base")
    assert references.of(candidate, "sums") is None
    write_baseline(tmp_path / "leaderboard" / "baselines", side(run, "base"))
    found = find_references(tmp_path, tmp_path / "runs", []).of(candidate, "capitals")
    assert found is not None
    assert found.name == "baseline/capitals:base"


def test_words_name_baselines_folders_runs_and_models(tmp_path: Path, store: Store, cell) -> None:
    old = store(cell(values={"match": [1.0]}, model="base"), cell(values={"match": [0.0]}))
    new = store(cell(values={"match": [1.0]}), after=60)
    candidate, runs = side(new), tmp_path / "runs"
    (place,) = write_baseline(tmp_path / "leaderboard/baselines", side(old, "base"))

    def name(*words: str) -> str:
        found = find_references(tmp_path, runs, words).of(candidate, "capitals")
        assert found is not None
        return found.name

    committed = "baseline/capitals:base"
    assert [name(w) for w in (str(place), str(place.parent), "capitals")] == [committed] * 3
    assert name("base") == f"{old.name}:base"
    assert name(f"{old.name}:tiny") == f"{old.name}:tiny"
    assert name(old.name) == f"{old.name}:tiny"  # several models: the candidate's own
    assert name(str(old)) == f"{old.name}:tiny"


def test_every_word_must_name_something_and_no_two_the_same_task(
    tmp_path: Path, store: Store, cell
) -> None:
    old = store(cell(values={"match": [1.0]}, model="base"), cell(values={"match": [0.0]}))
    both = [cell(values={"match": [1.0]}, task=task) for task in ("capitals", "sums")]
    candidate, runs = side(store(*both, after=60)), tmp_path / "runs"
    (place,) = write_baseline(tmp_path / "leaderboard/baselines", side(old, "base"))
    sums = write_baseline(tmp_path / "other", candidate, tasks=["sums"])[0]

    def of(*words: str) -> str:
        found = find_references(tmp_path, runs, words).of(candidate, "capitals")
        assert found is not None
        return found.name

    assert of(str(place), str(sums)) == of(str(place), "capitals") == "baseline/capitals:base"
    with pytest.raises(StoreError, match="no run and no model 'nobody'"):
        of(str(place), "nobody")
    with pytest.raises(StoreError, match=r"capitals has several baselines, .* and base: name one"):
        of(str(place), "base")
    for words in ([""], [str(place), " "]):
        with pytest.raises(SelectionError, match="empty name"):
            find_references(tmp_path, runs, words)


def test_words_can_be_checked_before_anything_is_asked(tmp_path: Path, store: Store, cell) -> None:
    old = store(cell(values={"match": [1.0]}))
    (place,) = write_baseline(tmp_path / "leaderboard/baselines", side(old))
    words = (str(place), "capitals", "tiny", old.name, f"{old.name}:tiny", "latest", "to-come")
    find_references(tmp_path, tmp_path / "runs", words).check(["to-come"])
    for word, said in (
        ("to-cme", "no baseline, run or model 'to-cme' .did you mean 'to-come'"),
        (f"{old.name}:big", "has no model 'big'"),
        ("leaderboard/none", "no baseline leaderboard/none"),
    ):
        with pytest.raises(StoreError, match=said):
            find_references(tmp_path, tmp_path / "runs", [word]).check(["to-come"])


def test_bad_words_are_said_in_one_line(tmp_path: Path, store: Store, cell) -> None:
    sums = store(cell(values={"match": [1.0]}, task="sums", model="adder"))
    candidate, runs = side(store(cell(values={"match": [1.0]}), after=60)), tmp_path / "runs"
    (place,) = write_baseline(tmp_path / "b", side(sums, "adder"))

    def message(word: str) -> str:
        with pytest.raises(StoreError) as caught:
            find_references(tmp_path, runs, [word]).of(candidate, "capitals")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "a baseline of sums; " in message(str(place))
    assert message(str(place)).endswith("ran capitals")
    assert "a baseline of sums; " in message("adder")
    assert "'harness baseline set RUN' makes one" in message("leaderboard/baselines/nothing")
    assert "no run and no model 'tyni'" in message("tyni")
    (tmp_path / "empty").mkdir()
    assert "is no baseline" in message(str(tmp_path / "empty"))
