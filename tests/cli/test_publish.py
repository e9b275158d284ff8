"""`harness publish`: the real command, from runs to a folder that may be uploaded."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from siteruns import Cell, everything, put, store, tree

from harness.results.store import RunReader
from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
BASES = {"tuned": "base"}


@pytest.fixture
def runs(project: UserProject) -> list[RunReader]:
    """Two runs of the project: of two models, and of one of them again."""
    return [
        store(project.root / "runs", Cell(), Cell("tuned"), baselines=BASES),
        store(project.root / "runs", Cell("tuned", values={"exact_match": [1, 1]}), after=60),
    ]


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text.strip()


def files(root: Path) -> dict[str, bytes]:
    """A site, without what it says of itself."""
    return {path: body for path, body in tree(root).items() if path != "published.json"}


def test_a_task_that_was_run_becomes_a_site(project: UserProject, invoke: Invoke) -> None:
    project.add_sums(4)
    project.add_replay({f"s{n}": str(2 * n + 1) for n in range(3)} | {"s3": "no"})
    code, _, err = invoke("run", "sums", "--model", "recorded")
    assert (code, "Traceback" in err) == (0, False)
    code, out, err = invoke("publish")
    assert (code, err) == (0, "")
    what = r"1 run, 1 model, 1 task; \d+ files, 1\.\d MB, \d+ of them new or changed"
    assert re.fullmatch(rf"site/index\.html: {what}", one_line(out))
    (cell,) = put(project.root / "site" / "data" / "board.js")["cells"]
    assert cell["metrics"]["exact_match"][0] == 0.75
    code, out, err = invoke("publish", "--check")
    assert (code, err) == (0, "")
    assert one_line(out).endswith(" 0 problems")


@pytest.mark.usefixtures("runs")
def test_the_second_time_nothing_is_written(project: UserProject, invoke: Invoke) -> None:
    invoke("publish", "--to", "pages", "--title", "Ours")
    before = {p: p.stat().st_mtime_ns for p in (project.root / "pages").rglob("*")}
    code, out, err = invoke("publish", "--to", "pages", "--title", "Ours")
    assert (code, err) == (0, "")
    assert one_line(out).startswith("pages/index.html is up to date (")
    assert {p: p.stat().st_mtime_ns for p in (project.root / "pages").rglob("*")} == before


def test_runs_are_named_by_path_id_model_and_more_than_once(
    project: UserProject, runs: list[RunReader], invoke: Invoke
) -> None:
    first, second = (run.run_id for run in runs)
    for words in ([first], [f"runs/{first}"], [first, first[:20]], ["base"]):
        code, out, _ = invoke("publish", *words, "--to", f"site-{len(words)}")
        assert code == 0
        assert "1 run, " in out or "up to date" in out
    code, _, err = invoke("publish", f"{first}:base")
    assert (code, err) == (4, f"'{first}:base': a site holds whole runs: name {first}\n")
    assert invoke("publish", first, second, "latest")[0] == 0
    assert files(project.root / "site-1") == files(project.root / "site-2")
    board = put(project.root / "site" / "data" / "board.js")
    assert {cell["run"] for cell in board["cells"]} == {first, second}


def test_what_lies_beside_runs_is_passed_over(
    project: UserProject, runs: list[RunReader], invoke: Invoke
) -> None:
    """`harness publish runs/*`, as a shell writes it out."""
    project.write("runs/finetune/tuned/recipe.json", "{}")
    words = [f"runs/{one}" for one in (*(run.run_id for run in runs), "finetune")]
    code, out, err = invoke("publish", *words)
    assert (code, err) == (0, "")
    assert "2 runs" in out
    project.write("base/weights.txt", "a folder that is called as a model is")
    code, out, err = invoke("publish", "base", runs[1].run_id)
    assert (code, err) == (0, "")
    assert "is up to date" in out
    code, out, err = invoke("publish", "runs/finetune")
    assert (code, out) == (4, "")
    assert one_line(err) == "runs/finetune is not a whole run: it has no manifest.json"
    (project.root / "runs" / "20261120-161502-abcdef").mkdir()  # what is left of a run is damage
    code, out, err = invoke("publish", words[0], "runs/20261120-161502-abcdef")
    assert (code, out) == (4, "")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["nosuch"], "no run and no model 'nosuch'"),
        (["--runs", "nowhere"], "no runs below nowhere: 'harness run' makes one"),
        (["--redact", "("], "--redact '(': is no regular expression"),
        (["--redact", "x*"], "--redact 'x*': matches the empty text"),
        (["--to", "full"], "full is not replaced: it holds thesis.txt, and no site"),
        (["--to", "full/thesis.txt"], "full/thesis.txt is no folder: name another one with --to"),
        (["--check", "--to", "full"], "full is no site: 'harness publish' writes one"),
        (["--check", "--to", "nowhere"], "nowhere is no site: 'harness publish' writes one"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_mistakes_are_one_line(
    project: UserProject, invoke: Invoke, words: list[str], what: str
) -> None:
    project.write("full/thesis.txt", "all of it")
    code, out, err = invoke("publish", *words)
    assert (code, out) == (4, "")
    assert what in one_line(err)
    assert tree(project.root / "full") == {"thesis.txt": b"all of it"}
    assert not (project.root / "nowhere").exists()


def test_no_runs_is_one_line(invoke: Invoke) -> None:
    code, out, err = invoke("publish")
    assert (code, out) == (4, "")
    assert one_line(err) == "no runs below runs: 'harness run' makes one"


@pytest.mark.usefixtures("no_override")
def test_a_folder_that_cannot_be_written_is_one_line(
    project: UserProject, runs: list[RunReader], invoke: Invoke
) -> None:
    (project.root / "closed").mkdir(mode=0o555)
    code, out, err = invoke("publish", runs[0].run_id, "--to", "closed/site")
    assert (code, out) == (4, "")
    assert one_line(err).endswith("cannot write the site to closed/site: Permission denied")


@pytest.mark.parametrize("table", ["completions.parquet", "manifest.json"])
def test_a_damaged_run_is_left_out_unless_it_was_named(
    project: UserProject, runs: list[RunReader], invoke: Invoke, table: str
) -> None:
    file = runs[1].path / table
    file.write_bytes(file.read_bytes()[:99])
    code, out, err = invoke("publish")
    assert code == 0
    assert "1 run, 2 models, 1 task" in one_line(out)
    assert one_line(err).startswith("note: left out: runs/")
    assert table in err
    before = tree(project.root / "site")
    code, out, err = invoke("publish", runs[0].run_id, f"runs/{runs[1].run_id}")
    assert (code, out) == (4, "")
    assert table in one_line(err)
    assert tree(project.root / "site") == before


@pytest.mark.usefixtures("runs")
def test_options_say_what_is_left_out(project: UserProject, invoke: Invoke) -> None:
    assert invoke("publish", "--no-text", "--to", "a")[0] == 0
    assert "answer 0 of" not in everything(project.root / "a")
    assert invoke("publish", "--redact", "answer \\d", "--redact", "Question", "--to", "b")[0] == 0
    told = everything(project.root / "b")
    assert "answer 0" not in told
    assert "Question 0" not in told
    assert "[redacted] of base" in told
    assert invoke("publish", "--prompts", "--to", "c")[0] == 0
    assert invoke("publish", "--max-samples", "0", "--to", "d")[0] == 0
    (cell, _) = put(project.root / "d" / "data" / "board.js")["cells"]
    assert cell["whole"] is False


@pytest.mark.usefixtures("runs")
def test_check_tells_every_problem_and_fails(project: UserProject, invoke: Invoke) -> None:
    invoke("publish")
    page = project.root / "site" / "index.html"
    page.write_bytes(page.read_bytes() + b'<a href="gone.html">' + b"/home/me/secret")
    code, out, err = invoke("publish", "--check")
    assert (code, err) == (1, "")
    *problems, summary = out.splitlines()
    assert [problem.split(": ")[0].split(":")[0] for problem in problems] == ["index.html"] * 3
    assert any("points to gone.html, which is not there" in problem for problem in problems)
    assert any("a path of this machine: /home/me/secret" in problem for problem in problems)
    assert summary.endswith("3 problems")
    code, out, err = invoke("publish", "latest", "--check")  # named: written first
    assert (code, err) == (0, "note: 1 run that the site held before: no longer part of it\n")
    assert out.splitlines()[-1].endswith(" 0 problems")


@pytest.mark.usefixtures("runs")
def test_killed_at_any_moment_the_next_publish_completes(
    project: UserProject, invoke: Invoke
) -> None:
    """A kill -9 while the site is being written, several times over, the first time in an empty
    folder: no half a file stays, and in the end it is the site that it would have been."""
    root = project.root / "site"
    for least in (2, 15, 30):
        shutil.rmtree(root / "data", ignore_errors=True)  # there is something to write each time
        process = subprocess.Popen(
            project.command("publish", "--title", f"Killed at {least}"),
            cwd=project.root, env=project.environment(), stdout=subprocess.PIPE,
        )  # fmt: skip
        while process.poll() is None and count(root) < least:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    (root / "assets").mkdir(exist_ok=True)
    (root / "assets" / f".tmp-{process.pid}-site.js").write_bytes(b"half")
    (root / ".tmp-1-index.html").write_bytes(b"half")
    code, _, err = invoke("publish")
    assert (code, err) == (0, "")
    assert not [path for path in tree(root) if ".tmp-" in path]
    assert invoke("publish", "--to", "other")[0] == 0
    assert tree(root) == tree(project.root / "other")


def count(root: Path) -> int:
    """Files below a folder, while they come and go."""
    return sum(len(names) for _, _, names in os.walk(root))


def test_nothing_heavy_is_loaded(project: UserProject, runs: list[RunReader]) -> None:
    code = (
        "import sys; from harness.cli import main; main(['publish', sys.argv[1]]); "
        "print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    command = [*project.command()[:1], "-c", code, runs[0].run_id]
    done = subprocess.run(
        command, cwd=project.root, env=project.environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[]"
