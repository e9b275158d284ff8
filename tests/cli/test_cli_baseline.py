"""`harness baseline` as it is typed."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable

import pytest
from conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ran(project: UserProject, invoke: Invoke) -> UserProject:
    """A project with one run of two models on six sums."""
    project.add_sums(6)
    project.add_replay({f"s{n}": str(2 * n + 1) for n in range(6)}, "good")
    project.add_replay({f"s{n}": "?" for n in range(6)}, "bad")
    task = project.root / "tasks/sums/sums.task.yaml"
    gate = "gate:\n  - {metric: exact_match, max_drop: 0.1, per_class: question}\n"
    task.write_text(task.read_text() + gate)
    assert invoke("run", "sums", "-m", "good,bad")[0] == 0
    return project


def test_set_show_list(ran: UserProject, invoke: Invoke) -> None:
    code, out, err = invoke("baseline", "set", "latest:bad")
    assert code == 0, err
    assert out.startswith("baseline leaderboard/baselines/sums: ")
    folder = ran.root / "leaderboard/baselines/sums"
    assert "kept; column question of the data kept" in (folder / "README.md").read_text()

    code, out, err = invoke("baseline", "set", "good")
    assert code == 4
    assert "is a baseline of the model bad: --replace puts" in err
    code, out, err = invoke("baseline", "set", "good", "--replace")
    assert code == 0, err
    assert "  exact_match: 0.000 -> 1.000 (+1.000" in out

    code, out, _ = invoke("baseline", "list", "--format", "csv")
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["task"], row["model"], row["samples"]) == ("sums", "good", "6")
    for name in ("sums", "leaderboard/baselines/sums"):
        code, out, _ = invoke("baseline", "show", name)
        assert code == 0
        assert "exact_match  1.000" in out
    assert invoke("show", str(folder))[0] == 0
    assert invoke("compare", str(folder), "latest:bad")[0] == 0


def test_a_limited_run_may_be_a_baseline_that_says_so(ran: UserProject, invoke: Invoke) -> None:
    assert invoke("run", "sums", "-m", "good", "--limit", "3")[0] == 0
    code, _, err = invoke("baseline", "set", "good", "--to", "kept")
    assert code == 0
    assert "note: the run was limited to 3 samples a task" in err
    assert "- settings: limit 3" in (ran.root / "kept/sums/README.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "latest"), "holds good, bad: say which one, as"),
        (("set", "godo"), "no run and no model 'godo'"),
        (("set", "good", "--task", "sum"), "has no task 'sum' (did you mean 'sums'?)"),
        (("show", "sums"), "'harness baseline set RUN' makes one"),
        (("show",), "no baselines below leaderboard/baselines"),
        (("list",), "'harness baseline set RUN' makes one"),
        (("show", "tasks"), "tasks is no baseline: it has no manifest.json"),
    ],
)
def test_mistakes_are_one_line(
    ran: UserProject, invoke: Invoke, words: tuple[str, ...], said: str
) -> None:
    code, out, err = invoke("baseline", *words)
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert said in err


def test_failed_samples_make_a_weak_baseline(ran: UserProject, invoke: Invoke) -> None:
    ran.add_replay({"s0": "1"}, "half")
    assert invoke("run", "sums", "-m", "half")[0] == 1
    code, _, err = invoke("baseline", "set", "half")
    assert code == 4
    assert "5 of 6 samples of sums have no exact_match, more than 2%" in err
    assert not (ran.root / "leaderboard").exists()
    assert invoke("baseline", "set", "half", "--allow-errors")[0] == 0
    assert "(5 error)" in (ran.root / "leaderboard/baselines/sums/README.md").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("set", ""),
        ("set", "latest:good", "--to", ""),
        ("set", "latest:good", "--runs", ""),
        ("set", "latest:good", "--task", ""),
        ("list", "--from", ""),
        ("show", ""),
    ],
)
def test_an_empty_name_is_a_mistake(
    ran: UserProject, invoke: Invoke, words: tuple[str, ...]
) -> None:
    before = sorted(ran.root.iterdir())
    code, _, err = invoke("baseline", *words)
    assert code == 4
    assert "empty name" in err
    assert sorted(ran.root.iterdir()) == before


@pytest.mark.parametrize("form", ["table", "markdown", "json", "csv"])
def test_damaged_baselines_are_listed_beside_the_others(
    ran: UserProject, invoke: Invoke, form: str
) -> None:
    assert invoke("baseline", "set", "latest:good")[0] == 0
    folder = ran.root / "leaderboard/baselines"
    for name, missing in (("half", "manifest.json"), ("torn", "scores.parquet")):
        shutil.copytree(folder / "sums", folder / name)
        (folder / name / missing).unlink()
    code, out, err = invoke("baseline", "list", "--format", form)
    assert code == 0
    assert "good" in out
    said = err if form == "csv" else out.replace("\n  ", " ")
    assert "leaderboard/baselines/half is not a whole baseline" in said
    assert "torn/scores.parquet: cannot be read: No such file" in said
    shutil.rmtree(folder / "sums")
    code, out, err = invoke("baseline", "list", "--format", form)
    assert "half is not a whole baseline" in out + err


def test_texts_that_go_are_told(ran: UserProject, invoke: Invoke) -> None:
    assert "texts" not in invoke("baseline", "set", "latest:good", "--answers")[2]
    assert "texts" not in invoke("baseline", "set", "latest:good", "--answers")[2]
    _, _, err = invoke("baseline", "set", "latest:good")
    assert "note: sums: the old baseline kept texts, this one does not (--answers)" in err
    assert "texts" not in invoke("baseline", "set", "latest:good")[2]


def test_what_is_read_only_is_not_replaced_and_nothing_is_left_behind(
    ran: UserProject, invoke: Invoke, no_override: None
) -> None:
    assert invoke("baseline", "set", "latest:good")[0] == 0
    folder = ran.root / "leaderboard/baselines/sums"
    folder.chmod(0o555)
    code, _, err = invoke("baseline", "set", "latest:bad", "--replace")
    assert code == 4
    assert "leaderboard/baselines/sums is read-only: it is not replaced" in err
    assert [one.name for one in folder.parent.iterdir()] == ["sums"]
    assert invoke("baseline", "set", "latest:good")[0] == 0, "there is nothing to replace"
    folder.chmod(0o755)


def test_what_nobody_may_read_is_one_line(
    ran: UserProject, invoke: Invoke, no_override: None
) -> None:
    assert invoke("baseline", "set", "latest:good")[0] == 0
    folder = ran.root / "leaderboard/baselines/sums"
    for place in (folder, folder / "scores.parquet", folder / "manifest.json", folder.parent):
        mode = place.stat().st_mode
        place.chmod(0)
        for words in (
            ("gate", "latest:bad"),
            ("gate", "latest:bad", "--baseline", "sums"),
            ("gate", "latest:bad", "--baseline", "leaderboard/baselines"),
            ("baseline", "show", "sums"),
        ):
            code, _, err = invoke(*words)
            assert (code, err.count("\n")) == (4, 1), (place, words, err)
            assert "cannot be read: Permission denied" in err
        place.chmod(mode)


def test_a_folder_of_runs_that_nobody_may_read_is_not_called_empty(
    ran: UserProject, invoke: Invoke, no_override: None
) -> None:
    runs = ran.root / "runs"
    mode = runs.stat().st_mode
    runs.chmod(0)
    for words in (("gate", "bad"), ("gate", "latest:bad"), ("compare", "good", "bad")):
        code, _, err = invoke(*words)
        assert (code, err) == (4, "runs: cannot be read: Permission denied\n"), words
    runs.chmod(mode)


def test_a_half_written_run_is_refused(ran: UserProject, invoke: Invoke) -> None:
    (run,) = (ran.root / "runs").iterdir()
    (run / "manifest.json").unlink()
    code, _, err = invoke("baseline", "set", f"runs/{run.name}:good")
    assert code == 4
    assert "is not a whole run: it has no manifest.json" in err
