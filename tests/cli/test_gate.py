"""`harness gate` as CI calls it: exit codes, one line a metric, files for others to read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
GATE = "gate:\n  - {metric: exact_match, max_drop: 0.1}\n"


def add_models(project: UserProject, count: int, **wrong: Sequence[int]) -> None:
    """The task `sums` with a gate, and models that give wrong answers to some samples."""
    project.add_sums(count)
    task = project.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text() + GATE)
    for name, missed in wrong.items():
        answers = {
            f"s{n}": f"no idea, says {name}" if n in missed else str(2 * n + 1)
            for n in range(count)
        }
        project.add_replay(answers, name)


def set_gate(project: UserProject, lines: str) -> None:
    """Another gate in the task file; the run stays."""
    task = project.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text().partition("gate:")[0] + lines)


@pytest.fixture
def ran(project: UserProject, invoke: Invoke) -> Callable[..., None]:
    """Run models, all of them in one run."""

    def run(count: int, **wrong: Sequence[int]) -> None:
        add_models(project, count, **wrong)
        code, _, err = invoke("run", "sums", "-m", ",".join(wrong))
        assert code == 0, err

    return run


def test_a_worse_model_fails_and_is_named_with_its_worst_samples(
    ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0], bad=list(range(15)))
    code, out, err = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert code == 1, err
    line = next(line for line in out.splitlines() if "FAIL" in line)
    assert "exact_match" in line
    assert "0.975 -> 0.625 (-0.350)" in line
    assert "it is worse" in line
    assert "lost most: s1, s10, s11" in out
    assert out.splitlines()[-1] == "gate: FAIL (1 FAIL)"


def test_the_base_against_itself_passes(ran: Callable[..., None], invoke: Invoke) -> None:
    ran(12, good=[0])
    assert invoke("run", "sums", "-m", "good")[0] == 0
    runs = sorted(path.name for path in Path("runs").iterdir())
    code, out, err = invoke("gate", f"{runs[1]}:good", "--baseline", f"{runs[0]}:good")
    assert code == 0, err
    assert "the baseline's own recorded answers, task and scores" in out
    assert "gate: PASS (1 PASS)" in out


def test_twelve_samples_tell_too_little_and_say_how_many_would_do(
    ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(12, good=[0], other=[1])
    code, out, err = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert code == 0, err
    line = next(line for line in out.splitlines() if "INCONCLUSIVE" in line)
    assert "needs about" in line
    assert "has 12" in line


def test_inconclusive_stops_if_the_task_says_so(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(12, good=[0], other=[1])
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0.1, on_inconclusive: fail}]\n")
    code, out, _ = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert code == 1
    assert "INCONCLUSIVE" in out
    assert "(stops)" in out


def test_a_large_set_shows_that_a_drop_is_ruled_out(
    ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(200, good=[0, 1], other=[2, 3])
    code, out, _ = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert code == 0
    assert "a drop of 0.1 is ruled out" in out
    assert "gate: PASS (1 PASS)" in out


def test_a_floor_needs_no_baseline(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(60, good=[0], bad=list(range(40)))
    set_gate(project, "gate: [{metric: exact_match, min: 0.7}]\n")
    assert invoke("gate", "latest:good")[0] == 0
    code, out, _ = invoke("gate", "latest:bad")
    assert code == 1
    assert "0.333, 95 %" in out
    set_gate(project, "gate: [{metric: exact_match, max: 0.7, rule: point}]\n")
    code, out, _ = invoke("gate", "latest:good")
    assert code == 1
    assert "0.983 exceeds 0.7, chance not considered" in out


def test_a_line_for_each_class(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(60, good=[], bad=range(0, 60, 2))
    rows = Path("tasks/sums/data/sums.jsonl").read_text().splitlines()
    named = [
        {**json.loads(row), "kind": "even" if n % 2 == 0 else "odd"} for n, row in enumerate(rows)
    ]
    project.write_rows("tasks/sums/data/sums.jsonl", named)
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0.2, per_class: kind}]\n")
    assert invoke("run", "sums", "-m", "good,bad")[0] == 0
    code, out, err = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert code == 1, err
    lines = {line.split()[2]: line.split()[0] for line in out.splitlines() if "(" in line[:40]}
    assert "FAIL          exact_match (even)" in out, lines
    assert "PASS          exact_match (odd)" in out
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0.2, per_class: knid}]\n")
    code, _, err = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert code == 4
    assert "no column 'knid' (did you mean 'kind'?)" in err


def test_json_junit_and_the_summary_of_a_job(
    ran: Callable[..., None], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(40, good=[0], bad=list(range(15)))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("before\n")
    words = ("gate", "latest:bad", "--baseline", "latest:good", "--junit", "out/gate.xml", "--json")
    code, out, _ = invoke(*words)
    found = json.loads(out)
    assert (code, found["verdict"], found["exit_code"]) == (1, "FAIL", 1)
    (ruling,) = found["rulings"]
    assert ruling["outcome"] == "FAIL"
    assert ruling["difference"] == pytest.approx(-0.35)
    assert ruling["p_holm"] < 0.05
    (suite,) = ElementTree.parse("out/gate.xml").getroot()
    assert suite.attrib["failures"] == "1"
    (case,) = suite
    assert case.attrib["classname"] == "tasks/sums/sums.task.yaml::sums[bad]"
    assert case[0].tag == "failure"
    assert "worse" in case[0].attrib["message"]
    summary = Path("summary.md").read_text()
    assert summary.startswith("before\n### harness gate: FAIL")
    assert "| **FAIL** | sums | bad | exact\\_match |".replace("\\", "") in summary


def test_holm_corrects_for_all_lines(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0], bad=list(range(6)))
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0}]\n")
    words = ("gate", "latest:bad", "--baseline", "latest:good", "--json")
    (alone,) = json.loads(invoke(*words)[1])["rulings"]
    lines = "gate: [{metric: exact_match, max_drop: 0}, {metric: rouge_l, max_drop: 0}]\n"
    set_gate(project, lines)
    both = json.loads(invoke(*words)[1])["rulings"]
    assert alone["p_holm"] == alone["p"] == pytest.approx(0.5**5)
    assert both[0]["p"] == alone["p"]
    assert both[0]["p_holm"] == pytest.approx(2 * 0.5**5)
    assert alone["outcome"] == "FAIL"
    assert both[0]["outcome"] == "INCONCLUSIVE"


def test_retention_is_gated_by_another_tasks_line(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0], bad=[0])
    other = Path("tasks/sums/sums.task.yaml").read_text().replace("task: sums", "task: keeps")
    project.write("tasks/keeps/keeps.task.yaml", other.partition("gate:")[0])
    rows = [{"id": f"k{n}", "question": f"What is {n} and 0?", "answer": str(n)} for n in range(40)]
    project.write_rows("tasks/keeps/data/sums.jsonl", rows)
    for name, right in (("good", 40), ("bad", 20)):
        file = project.root / f"adapters/{name}.jsonl"
        more = [{"id": f"k{n}", "text": str(n) if n < right else "?"} for n in range(40)]
        file.write_text(file.read_text() + "".join(json.dumps(row) + "\n" for row in more))
    set_gate(project, GATE + "  - {task: keeps, metric: exact_match, max_drop: 0.2}\n")
    code, out, err = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert code == 6, err
    assert "run that task, too" in out
    assert invoke("run", "sums", "keeps", "-m", "good,bad")[0] == 0
    code, out, err = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert code == 1, err
    assert "keeps: bad against" in out
    assert "1.000 -> 0.500" in out


def test_what_answers_cost(project: UserProject, ran: Callable[..., None], invoke: Invoke) -> None:
    ran(40, good=[0], bad=[0])
    set_gate(
        project,
        "gate:\n  - {metric: peak_memory_mb, max: 1.0e+6}\n"
        "  - {metric: peak_memory_mb, max_ratio: 1.5}\n",
    )
    code, out, err = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert code == 0, err + out
    assert "keeps to 1e+06" in out
    assert "keeps to 1.5 x" in out
    set_gate(project, "gate: [{metric: peak_memory_mb, max: 1}]\n")
    assert invoke("gate", "latest:bad")[0] == 1


def test_a_stale_baseline_is_an_error_and_no_fail(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0], bad=list(range(30)))
    assert invoke("baseline", "set", "latest:good")[0] == 0
    task = project.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text().replace("version: 1", "version: 2"))
    assert invoke("run", "sums", "-m", "bad")[0] == 0
    code, out, err = invoke("gate", "latest")
    assert code == 6, err
    assert "is stale (task versions 1 and 2): set it again" in out
    assert "gate: ERROR (1 ERROR)" in out


def test_a_full_run_against_its_baseline_passes_without_a_word_too_many(
    ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0])
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke("run", "sums", "-m", "good")[0] == 0
    code, out, err = invoke("gate", "latest:good")
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line] == [
        "sums: good against baseline/sums:good",
        "  PASS          exact_match: max_drop 0.1  "
        "0.975 -> 0.975: the baseline's own recorded answers, task and scores",
        "gate: PASS (1 PASS)",
    ]


def test_answers_asked_for_in_another_way_are_stale(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0])
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke("run", "sums", "-m", "good", "--set", "generate.max_new_tokens=7")[0] == 0
    code, out, _ = invoke("gate", "latest:good")
    assert code == 6
    assert "(max_new_tokens 8 and 7): ask alike, or set it again" in out
    assert invoke("run", "sums", "-m", "good", "--epochs", "3")[0] == 0
    code, out, _ = invoke("gate", "latest:good")
    assert code == 6
    assert "(epochs 1 and 3): ask alike, or set it again" in out


def test_another_prompt_of_the_same_version_is_noted(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0])
    assert invoke("baseline", "set", "latest:good")[0] == 0
    task = project.root / "tasks/sums/sums.task.yaml"
    old = task.read_text()
    task.write_text(old.replace("{{ input }}", "{{ input }} now"))
    assert task.read_text() != old
    assert invoke("run", "sums", "-m", "good")[0] == 0
    code, out, _ = invoke("gate", "latest:good")
    assert code == 0
    assert "note: sums: the task differs from the baseline's (prompt or settings)" in out


def test_other_draws_of_sampled_answers_are_noted(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0])
    greedy = ("gate", "latest:good")
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke("run", "sums", "-m", "good", "--seed", "7")[0] == 0
    assert "note:" not in invoke(*greedy)[1]
    sampled = ("run", "sums", "-m", "good", "--set", "generate.temperature=0.5")
    assert invoke(*sampled)[0] == 0
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke(*sampled, "--seed", "7")[0] == 0
    code, out, _ = invoke("gate", "latest:good")
    assert code == 0
    assert "note: sums: sampled with seeds (none) and 7" in out


def test_a_variant_that_only_the_baseline_has_is_an_error(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    add_models(project, 40, good=[0])
    both = ("--set", "generate.max_new_tokens=7,8")
    assert invoke("run", "sums", "-m", "good", *both)[0] == 0
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke("gate", "latest:good")[0] == 0
    task = project.root / "tasks/sums/sums.task.yaml"
    text = task.read_text()
    task.write_text(text + "variants: {generate.max_new_tokens: [7]}\n")
    assert invoke("run", "sums", "-m", "good")[0] == 0
    code, out, _ = invoke("gate", "latest:good")
    assert code == 6, out
    assert "has no variant 'generate.max_new_tokens=8' of sums" in out
    assert "gate: ERROR (1 PASS, 1 ERROR)" in out
    code, out, _ = invoke("gate", "latest:good", "--intersect")
    assert code == 0
    assert "were not run: generate.max_new_tokens=8" in out


def test_a_comparison_of_what_both_share_says_so(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0], other=[0])
    assert invoke("run", "sums", "-m", "other", "--limit", "30")[0] == 0
    words = ("gate", "latest:other", "--baseline", "good")
    assert invoke(*words)[0] == 6
    code, out, _ = invoke(*words, "--intersect")
    assert code == 0
    assert "note: sums: MISMATCH allowed: samples differ: 40 and 30, 30 in both" in out


def test_too_many_failed_samples_decide_nothing(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0])
    project.add_replay({f"s{n}": str(2 * n + 1) for n in range(30)}, "half")
    assert invoke("run", "sums", "-m", "half")[0] == 1
    code, out, err = invoke("gate", "latest:half", "--baseline", "good")
    assert code == 6, err
    assert "10 of 40 samples failed, more than 0.02 of them" in out
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0.1, max_error_rate: 0.3}]\n")
    assert invoke("gate", "latest:half", "--baseline", "good")[0] == 0


def test_the_card_names_the_baseline(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    add_models(project, 40, good=[0], bad=list(range(15)))
    card = project.root / "adapters/bad.model.yaml"
    card.write_text(card.read_text() + "baseline: good\n")
    assert invoke("run", "sums", "-m", "good,bad")[0] == 0
    code, out, err = invoke("gate", "latest")
    assert code == 1, err
    assert "sums: bad against" in out
    assert "sums: good against" not in out


def test_the_gate_can_be_checked_itself(ran: Callable[..., None], invoke: Invoke) -> None:
    ran(60, good=list(range(10)), other=list(range(5, 15)))
    words = ("gate", "latest:other", "--baseline", "latest:good", "--self-check", "--rounds", "60")
    code, out, err = invoke(*words)
    assert code == 0, err
    assert "false fails of the whole gate: " in out
    assert "sums exact_match" in out
    assert "0.400" in out  # four times the margin: the power table's last line


def test_a_self_check_says_why_there_is_nothing_to_check(
    ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(12, good=[0], other=[1])
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke("run", "sums", "-m", "other", "--limit", "3")[0] == 0
    code, _, err = invoke("gate", "latest:other", "--self-check")
    assert code == 4
    assert err.startswith("nothing to check: not the samples of the baseline baseline/sums:good")
    assert len(err.splitlines()) == 1


def test_a_baseline_of_another_task_is_told_as_such(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(12, good=[0], other=[1])
    assert invoke("baseline", "set", "latest:good")[0] == 0
    task = Path("tasks/sums/sums.task.yaml")
    text = task.read_text().replace("task: sums", "task: more")
    project.write("tasks/more/more.task.yaml", text)
    project.write("tasks/more/data/sums.jsonl", Path("tasks/sums/data/sums.jsonl").read_text())
    assert invoke("run", "more", "-m", "other")[0] == 0
    shutil.copytree("leaderboard/baselines/sums", "leaderboard/baselines/more")
    code, _, err = invoke("gate", "latest:other")
    assert code == 4
    assert err == "leaderboard/baselines/more is no baseline of more: it holds sums\n"


def test_a_half_written_run_of_a_model_is_told(ran: Callable[..., None], invoke: Invoke) -> None:
    ran(12, good=[0], other=[1])
    (first,) = Path("runs").iterdir()
    assert invoke("run", "sums", "-m", "other")[0] == 0
    (newest,) = set(Path("runs").iterdir()) - {first}  # both may be of the same second
    (newest / "manifest.json").unlink()
    code, out, err = invoke("gate", "other", "--baseline", "good")
    assert code == 0, err
    assert "PASS" in out or "INCONCLUSIVE" in out
    assert f"note: {newest.name} is not whole and was passed over" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name one run or model to gate"),
        (("latest", "good"), "name one run or model to gate (latest good given)"),
        (("nobody",), "no run and no model 'nobody'"),
        (("latest:good",), "no baseline of sums to compare good with"),
        (("latest:good",), "--baseline (repeatable) names one"),
        (("latest:good", "--baseline", "nowhere"), "nowhere"),
        (("latest:good", "--baseline", "tasks"), "tasks"),
        (("latest:good", "--task", "smus"), "no task 'smus' (did you mean 'sums'?)"),
        (("latest:good", "--baseline", ""), "empty"),
        (("latest:good", "--checkpoints", "x", "--changed-since", "HEAD"), "give one of them"),
        (("latest:other", "--baseline", "latest:good", "--metric", "zzz"), "--metric names the"),
        (("latest:other", "--limit", "3", "-m", "foo"), "-m, --limit: nothing is run here"),
        (("latest:other", "--allow-code"), "--allow-code: nothing is run here"),
        (("latest:other", "--cache", "c.db"), "--cache: nothing is run here"),
        (("latest:other", "--judge-model", "good"), "--judge-model: nothing is run here"),
        (("latest:other", "--rounds", "50"), "--rounds are those of --self-check"),
        (("--self-check", "--changed-since", "HEAD"), "--self-check tries a run that is there"),
        (("latest:other", "--self-check", "--junit", "a.xml"), "--self-check gives none"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(
    ran: Callable[..., None], invoke: Invoke, words: Sequence[str], said: str
) -> None:
    ran(12, good=[0], other=[1])
    before = sorted(os.listdir("."))
    code, out, err = invoke("gate", *words)
    assert code == 4, out + err
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(os.listdir(".")) == before


@pytest.mark.parametrize("option", ["--junit", "--runs", "--cache", "--metric"])
def test_an_empty_name_is_told_as_such(invoke: Invoke, option: str) -> None:
    code, _, err = invoke("gate", "latest", option, "")
    assert code == 4
    assert f"Invalid value for '{option}': empty name" in err


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[{metric: exact_mach, max_drop: 0.1}]", "(did you mean 'exact_match'?)"),
        ("[{metric: exact_match}]", "asks for nothing"),
        ("[{metric: exact_match, min: 0.9, max: 0.1}]", "'min' (0.9) lies above 'max' (0.1)"),
        (
            "[{metric: exact_match, min: 0.9}, {metric: exact_match, max: 0.1}]",
            "contradict each other",
        ),
        (
            "[{metric: exact_match, max_drop: 0.1}, {metric: exact_match, max_drop: 0.2}]",
            "'max_drop' of 'exact_match' is given twice: 0.1 and 0.2",
        ),
        ("[{metric: exact_match, max_drop: -1}]", "must be at least 0, not -1"),
        ("[{metric: exact_match, max_dorp: 1}]", "(did you mean 'max_drop'?)"),
        ("[{metric: peak_memory_mb, max_drop: 1}]", "is a cost, which rises"),
        ("[{metric: exact_match, max_ratio: 1}]", "'max_ratio' is for costs"),
        ("[{metric: exact_match, max_drop: }]", "asks for nothing"),
        ("[{metric: exact_match, min: 0.1, max_drop: }]", "'max_drop' is empty"),
        ("[{metric: exact_match, min: 70}]", "the values of 'exact_match' are 0 to 1"),
        ("[{metric: exact_match, min: -3}]", "'min' cannot be -3"),
        ("[{metric: exact_match, max: 70}]", "'max' cannot be 70"),
        ("[{metric: exact_match, max_drop: 5}]", "allows everything"),
        ("[{metric: exact_match, min: 0.1, min_kappa: 0.6}]", "'exact_match' is not judged"),
        ("[{metric: latency_p95_ms, max: -1}]", "no cost lies below 0"),
        ("[{metric: rouge_l, task: smus, max_drop: 0.1}]", "no task named 'smus'"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_told_with_its_line(
    project: UserProject, ran: Callable[..., None], invoke: Invoke, lines: str, said: str
) -> None:
    ran(12, good=[0])
    set_gate(project, f"gate: {lines}\n")
    code, _, err = invoke("gate", "latest:good")
    assert code == 4
    assert err.startswith("tasks/sums/sums.task.yaml:13: ")
    assert said in err


def test_the_real_command_starts_no_torch(project: UserProject, ran: Callable[..., None]) -> None:
    ran(40, good=[0], bad=list(range(15)))
    script = (
        "import sys; from harness.cli import main;"
        "code = main(['gate', 'latest:bad', '--baseline', 'latest:good']);"
        "heavy = {'torch', 'transformers', 'pandas', 'statsmodels', 'scipy.stats'};"
        "print('loaded:', sorted(heavy & set(sys.modules))); sys.exit(code)"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=project.root,
        env=project.environment(),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "loaded: []" in done.stdout


def test_a_limited_run_is_told_how_to_be_compared(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[0], bad=[0])
    assert invoke("baseline", "set", "latest:good")[0] == 0
    assert invoke("run", "sums", "-m", "bad", "--limit", "20")[0] == 0
    code, out, _ = invoke("gate", "latest")
    assert code == 6
    assert "not the samples of the baseline" in out
    assert "run the same ones, or --intersect compares what both have" in out
    assert invoke("gate", "latest", "--intersect")[0] == 0


def test_what_is_only_undecided_is_not_called_a_pass(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(12, good=[0], other=[1])
    code, out, _ = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert (code, out.splitlines()[-1]) == (0, "gate: INCONCLUSIVE (1 INCONCLUSIVE)")
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0.1, on_inconclusive: pass}]\n")
    code, out, _ = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert (code, out.splitlines()[-1]) == (0, "gate: PASS (1 INCONCLUSIVE)")


def test_a_candidate_that_lost_a_file_is_no_run(ran: Callable[..., None], invoke: Invoke) -> None:
    ran(12, good=[0], other=[0])
    (run,) = Path("runs").iterdir()
    (run / "completions.parquet").unlink()
    code, _, err = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert code == 4
    assert "completions.parquet" in err
    assert len(err.strip().splitlines()) == 1


def test_a_task_that_changed_since_the_run_is_told(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(12, good=[0], other=[0])
    task = project.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text().replace("version: 1", "version: 2"))
    _, out, _ = invoke("gate", "latest:other", "--baseline", "latest:good")
    assert "note: sums: the task file says version 2" in out
    assert "is of 1: run it again" in out


def test_a_class_of_few_short_answers_that_are_the_baselines_own_is_no_proof(
    project: UserProject, ran: Callable[..., None], invoke: Invoke
) -> None:
    ran(40, good=[], bad=[])
    rows = Path("tasks/sums/data/sums.jsonl").read_text().splitlines()
    named = [{**json.loads(row), "kind": "ab"[n % 2]} for n, row in enumerate(rows)]
    project.write_rows("tasks/sums/data/sums.jsonl", named)
    other = {f"s{n}": str(2 * n + 1) if n % 2 == 0 else f" {2 * n + 1}" for n in range(40)}
    project.add_replay(other, "bad")
    set_gate(project, "gate: [{metric: exact_match, max_drop: 0.1, per_class: kind}]\n")
    assert invoke("run", "sums", "-m", "good,bad")[0] == 0
    _, out, _ = invoke("gate", "latest:bad", "--baseline", "latest:good")
    assert "INCONCLUSIVE  exact_match (a): max_drop 0.1  1.000 -> 1.000 (0.000)" in out
    assert "needs about" in out
    assert "INCONCLUSIVE  exact_match (b)" in out
