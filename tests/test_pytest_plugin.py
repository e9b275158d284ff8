"""`pytest --harness`, run by pytest: in this process if that suffices, else in one of its own."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from faultserver import FaultServer

    from tests.conftest import UserProject

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = any(point.name == "harness" for point in entry_points(group="pytest11"))
EDITABLE = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"
"""pytest says so of the import hook of every plugin that is installed editable."""
PLUGIN = ("-W", EDITABLE) if INSTALLED else ("-p", "harness.pytest_plugin")
SUMS = "tasks/sums/sums.task.yaml::sums"
RIGHT = {f"s{n}": str(2 * n + 1) for n in range(6)}
Pytest = Callable[..., pytest.RunResult]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """pytester forgets what a run has imported, and numpy cannot be imported twice."""
    import numpy
    import pyarrow.parquet
    import scipy.stats

    import harness.cli.in_pytest
    import harness.cli.items
    import harness.results.gate_by_task  # noqa: F401

    assert numpy
    assert pyarrow.parquet
    assert scipy.stats


@pytest.fixture
def own(
    project: UserProject, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> UserProject:
    """A user's project with the task `sums` and one recorded model, where pytester is."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = type(project)(pytester.path)
    found.add_sums(6)
    found.add_replay(RIGHT, "good")
    return found


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> Pytest:
    """pytest with our plugin, in this process."""
    return lambda *words: pytester.runpytest_inprocess(*words, *PLUGIN)


def worse(own: UserProject, count: int, wrong: int, gate: str = "") -> None:
    """Models `base` and `tuned`, whose baseline it is, with so many wrong answers."""
    text = (own.root / "tasks/sums/sums.task.yaml").read_text(encoding="utf-8")
    gate = gate or "gate: [{metric: exact_match, max_drop: 0.02}]\n"
    own.add_sums(count)
    own.write("tasks/sums/sums.task.yaml", text + gate)
    right = {f"s{n}": str(2 * n + 1) for n in range(count)}
    own.add_replay(right, "base")
    own.add_replay(right | {f"s{n}": "no idea" for n in range(wrong)}, "tuned")
    card = own.root / "adapters/tuned.model.yaml"
    card.write_text(card.read_text(encoding="utf-8") + "baseline: base\n", encoding="utf-8")


# --------------------------------------------------------------------------- without --harness


def test_without_the_option_it_is_not_there(own: UserProject, pytester: pytest.Pytester) -> None:
    own.write(
        "test_own.py",
        "import sys\n"
        "def test_own(pytestconfig):\n"
        "    ours = {n for n in sys.modules if n.partition('.')[0] == 'harness'}\n"
        "    assert ours <= {'harness', 'harness.pytest_plugin'}\n"
        "    assert not pytestconfig.pluginmanager.has_plugin('harness-models')\n"
        "    assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)\n",
    )
    done = pytester.runpytest_subprocess("-W", "error", "--strict-markers", ".", *PLUGIN)
    done.assert_outcomes(passed=1)
    assert not (own.root / "runs").exists()


def test_options_stand_in_a_group_of_their_own(run_pytest: Pytest) -> None:
    text = "\n".join(run_pytest("--help").outlines)
    group = text.partition("models as tests (tune-harness):")[2].partition("\n\n")[0]
    for name in ("", "-model", "-baseline", "-limit", "-set", "-judge-model", "-max-cost"):
        assert f"--harness{name}" in group


# --------------------------------------------------------------------------- collection


def test_ids_are_those_of_harness_collect(own: UserProject, run_pytest: Pytest) -> None:
    listed = own.harness("collect", "tasks", "--model", "good", "-q").stdout.splitlines()
    own.write("test_own.py", "def test_own(): pass\n")
    done = run_pytest("--harness", "--harness-model", "good", "--collect-only", "-q")
    assert [line for line in done.outlines if "::" in line] == [*listed, "test_own.py::test_own"]
    assert not (own.root / "runs").exists()


def test_variants_are_items(own: UserProject, run_pytest: Pytest) -> None:
    words = ("--harness-set", "generate.max_new_tokens=4,8", "--collect-only", "-q")
    done = run_pytest("--harness", "--harness-model", "good", *words)
    done.stdout.fnmatch_lines([f"{SUMS}[[]good,generate.max_new_tokens=4]", "*=8]"])


def test_tasks_are_found_though_testpaths_names_others(
    own: UserProject, run_pytest: Pytest
) -> None:
    own.write("pytest.ini", "[pytest]\ntestpaths = checks\n")
    own.write("checks/test_own.py", "def test_own(): pass\n")
    own.write("examples/other.task.yaml", "this is none of tasks/\n")
    done = run_pytest("--harness", "--harness-model", "good")
    done.assert_outcomes(passed=2)
    run_pytest("--harness", "--harness-model", "good", "checks").assert_outcomes(passed=1)


def test_an_id_names_its_model(own: UserProject, run_pytest: Pytest) -> None:
    own.add_replay(RIGHT, "other")
    done = run_pytest("--harness", f"{SUMS}[good]", "-v", "-n", "0")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*sums[[]good]*"])


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (("-k", "good"), 1),
        (("-k", "sums and not good"), 1),
        (("-k", "arithmetic"), 3),
        (("-m", "arithmetic"), 2),
        (("-m", "harness and not arithmetic"), 0),
        (("-m", "not harness"), 1),
    ],
)
def test_names_and_tags_select(
    own: UserProject, run_pytest: Pytest, words: tuple[str, str], passed: int
) -> None:
    own.add_replay(RIGHT, "other")
    own.write("test_own.py", "def test_arithmetic(): pass\n")
    done = run_pytest("--harness", "--harness-model=good,other", "--strict-markers", *words)
    done.assert_outcomes(passed=passed, deselected=3 - passed)


def test_tags_of_any_form_are_no_trouble(own: UserProject, run_pytest: Pytest) -> None:
    file = own.root / "tasks/sums/sums.task.yaml"
    text = file.read_text(encoding="utf-8")
    tags = "tags: [skip, parametrize, 'with space', _hidden, a(b), numéro-1]"
    file.write_text(text.replace("tags: [text, arithmetic]", tags), encoding="utf-8")
    done = run_pytest("--harness", "--harness-model=good", "--strict-markers", "-m", "numéro-1")
    done.assert_outcomes(passed=1)


# --------------------------------------------------------------------------- mistakes


def test_a_mistake_in_a_file_is_one_line_of_that_file(own: UserProject, run_pytest: Pytest) -> None:
    own.write("tasks/bad/bad.task.yaml", "task: bad\nversion: 1\nscor: [rouge_l]\n")
    own.write("test_own.py", "def test_own(): pass\n")
    words = ("--harness", "--harness-model", "good", "--continue-on-collection-errors")
    done = run_pytest(*words)
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(["tasks/bad/bad.task.yaml:3: *'scor'*did you mean 'score'*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_outcomes_stand_behind_their_file(own: UserProject, run_pytest: Pytest) -> None:
    own.add_replay(RIGHT, "other")
    own.write("test_own.py", "def test_own(): pass\n")
    done = run_pytest("--harness", "--harness-model=good,other")
    done.stdout.fnmatch_lines(
        ["tasks/sums/sums.task.yaml .. *", "test_own.py . *", "*models*", "good: 6/6 samples*"]
    )
    assert not done.errlines
    done = run_pytest("--harness", "--harness-model=good,other", "-v")
    done.stdout.fnmatch_lines([f"{SUMS}[[]good] PASSED*", f"{SUMS}[[]other] PASSED*"])


def test_a_long_wait_is_told_line_by_line(
    own: UserProject, run_pytest: Pytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.in_pytest.SOON", 0.0)
    own.add_replay(RIGHT, "other")
    done = run_pytest("--harness", "--harness-model=good,other")
    file = "tasks/sums/sums.task.yaml"
    done.stdout.fnmatch_lines(
        [f"{file} ", "good: 6/6 samples*", f"{file} .", "other: 6/6 samples*", f"{file} .*"]
    )


def test_a_warning_shows_the_gate(own: UserProject, run_pytest: Pytest) -> None:
    worse(own, 6, 1)
    done = run_pytest("--harness", "--harness-model=base,tuned", "-W", "default")
    done.assert_outcomes(passed=2, warnings=1)
    done.stdout.fnmatch_lines(
        ["  tasks/sums/sums.task.yaml:13: InconclusiveWarning: *", "    gate: [[]{metric: *"]
    )


def test_two_baselines_of_one_task_are_a_mistake(own: UserProject, run_pytest: Pytest) -> None:
    worse(own, 6, 1)
    words = ("--harness-model=base,tuned", "--harness-baseline=base", "--harness-baseline=tuned")
    done = run_pytest("--harness", *words)
    done.stdout.fnmatch_lines(["ERROR sums has several baselines, base and tuned: name one*"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "*no model named: --harness-model NAME,...*"),
        (("--harness-baseline", "good"), "*no model named: --harness-model NAME,...*"),
        (("--harness-model", "godo"), "*no model named 'godo' (did you mean 'good'?)*"),
        (("--harness-model", "good", "--harness-set", "x"), "--harness-set 'x': write KEY=VALUE*"),
        (("--harness-model", "good", "--harness-limit", "0"), "*--harness-limit 0: at least 1*"),
        (("--harness-model", "good", "--harness-max-cost", "-1"), "*not a sum of dollars*"),
        (("--harness-model", "good", "--harness-judge-model", "x"), "*no model named 'x'*"),
        (("--harness-model=good", "--harness-baseline", "./no"), "*./no: no such file or folder"),
        (("--harness-model=good", "--harness-baseline", ""), "--harness-baseline is empty"),
        (("--harness-model=good", "--harness-judge-model="), "--harness-judge-model is empty"),
        (("--harness-model=good", "--harness-baseline=godo"), "*'godo' (did you mean 'good'?)"),
        (("--harness-model=good", "--harness-baseline", "x:y"), "no runs *--harness-runs DIR*"),
        (("--harness-model=good", "--harness-baseline=./tasks"), "tasks is no baseline: *"),
        (("--harness-model", "good", "-n", "2"), "*cannot be spread by xdist: add -n 0*"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    own: UserProject, run_pytest: Pytest, words: tuple[str, ...], told: str
) -> None:
    done = run_pytest("--harness", *words)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: {told}"])
    assert len([line for line in done.errlines if line]) == 1


def test_a_worker_of_xdist_refuses_as_well(own: UserProject, pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig(*PLUGIN, "--harness", "--harness-model", "good")
    config.workerinput = {"workerid": "gw0"}  # type: ignore[attr-defined]
    with pytest.raises(pytest.UsageError, match="xdist"):
        config._do_configure()
    config._ensure_unconfigure()


def test_data_that_cannot_be_read_are_an_error_of_their_task_alone(
    own: UserProject, run_pytest: Pytest
) -> None:
    text = (own.root / "tasks/sums/sums.task.yaml").read_text(encoding="utf-8")
    own.write("tasks/torn/torn.task.yaml", text.replace("task: sums", "task: torn"))
    own.write("tasks/torn/data/sums.jsonl", '{"id": "s0", "question":\n')
    done = run_pytest("--harness", "--harness-model", "good")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["ERROR tasks/torn/data/sums.jsonl:1: *"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_a_model_that_cannot_be_loaded_is_an_error_of_its_items(
    own: UserProject, run_pytest: Pytest
) -> None:
    own.write("adapters/gone.model.yaml", "model: gone\nadapter: transformers\nbase: no/where\n")
    done = run_pytest("--harness", "--harness-model", "gone,good")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["ERROR adapters/gone*:3: *no/where*", f"ERROR {SUMS}[[]gone] - *"])
    done.stdout.no_fnmatch_line("*Traceback*")


# --------------------------------------------------------------------------- running


def test_without_a_gate_all_must_be_answered(own: UserProject, run_pytest: Pytest) -> None:
    own.add_replay({f"s{n}": "x" for n in range(4)}, "half")
    done = run_pytest("--harness", "--harness-model", "good,half")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*sums[[]half]*",
            "2 of 6 samples failed",
            "  2 x no recorded answer*",
            "  samples: s4, s5",
            "run runs/*: 1 cell of good",
            "run runs/*: 1 cell of half",
            f"FAILED {SUMS}[[]half] - *2 of 6 samples failed",
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")


def test_without_a_gate_all_must_be_judged(own: UserProject, run_pytest: Pytest) -> None:
    from judged import JUDGE, TEMPLATE, score

    own.write("judges/strict.judge.yaml", JUDGE.replace("model: api", "model: mute"))
    own.write("judges/strict.j2", TEMPLATE)
    own.add_replay({"x": "x"}, "mute")
    score(own, "[rouge_l, {judge: strict}]")
    done = run_pytest("--harness", "--harness-model", "good")
    done.assert_outcomes(failed=1)
    told = [
        "6 of 6 answers have no verdict of strict",
        "  6 x *",
        "  samples: s0, s1, s2 and 3 more",
    ]
    done.stdout.fnmatch_lines(told)
    done = run_pytest("--harness", "--harness-model", "good", "--harness-judge-model", "good")
    done.stdout.fnmatch_lines(told)


STRICT = """\
[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = ["--strict-markers", "--strict-config"]
filterwarnings = ["error"]
"""


def test_in_a_fresh_project_models_of_one_base_are_asked_on_one_load(
    own: UserProject, pytester: pytest.Pytester
) -> None:
    """With the real model, a second task, a user's own tests, and warnings that are errors."""
    own.write("pyproject.toml", STRICT)
    own.write("tests/test_own.py", "def test_own(): pass\n")
    card = f"adapter: transformers\nbase: {ROOT}/adapters/tiny-llama\ndtype: float32\n"
    for name in ("one", "two"):
        own.write(f"adapters/{name}.model.yaml", f"model: {name}\n{card}")
    text = (own.root / "tasks/sums/sums.task.yaml").read_text(encoding="utf-8")
    own.write("tasks/more/more.task.yaml", text.replace("task: sums", "task: more"))
    own.write_rows("tasks/more/data/sums.jsonl", [{"id": "s0", "question": "b", "answer": "c"}])
    words = ("--harness", "--harness-model", "one,good,two", "--harness-limit", "1")
    done = pytester.runpytest_subprocess(*words, *PLUGIN)
    done.assert_outcomes(passed=7)
    done.stdout.fnmatch_lines(["run runs/*: 4 cells of one, two", "run runs/*: 2 cells of good"])
    assert len(list((own.root / "runs").iterdir())) == 2


def test_stopping_at_the_first_failure_loads_no_further_model(
    own: UserProject, run_pytest: Pytest
) -> None:
    own.add_replay({"s0": "x"}, "half")
    text = (own.root / "tasks/sums/sums.task.yaml").read_text(encoding="utf-8")
    own.write("tasks/again/again.task.yaml", text.replace("task: sums", "task: again"))
    own.write_rows("tasks/again/data/sums.jsonl", [{"id": "s1", "question": "b", "answer": "c"}])
    words = ("--harness", "-x", "--harness-runs", "out")
    done = run_pytest(*words, "--harness-model", "half,good")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["run out/*: 2 cells of half"])  # all of its load, not only the first
    assert len(list((own.root / "out").iterdir())) == 1


def test_the_last_failures_are_asked_again(own: UserProject, run_pytest: Pytest) -> None:
    own.add_replay({"s0": "x"}, "half")
    models = ("--harness", "--harness-model", "half,good")
    run_pytest(*models).assert_outcomes(passed=1, failed=1)
    done = run_pytest(*models, "--lf")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["run runs/*: 1 cell of half"])
    own.add_replay(RIGHT, "half")
    run_pytest(*models, "--lf").assert_outcomes(passed=1)


def test_an_item_that_somebody_skips_is_not_asked(own: UserProject, run_pytest: Pytest) -> None:
    own.write(
        "conftest.py",
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        if '=4' in item.name: item.add_marker(pytest.mark.skip)\n",
    )
    words = ("--harness-set", "generate.max_new_tokens=4,8")
    done = run_pytest("--harness", "--harness-model", "good", *words)
    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["run runs/*: 1 cell of good"])


def test_the_junit_file_tells_failures_from_errors(own: UserProject, run_pytest: Pytest) -> None:
    own.add_replay({"s0": "x"}, "half")
    own.write("adapters/gone.model.yaml", "model: gone\nadapter: transformers\nbase: no/where\n")
    run_pytest("--harness", "--harness-model", "good,half,gone", "--junitxml", "out.xml")
    suite = ElementTree.parse(own.root / "out.xml").getroot()[0]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors")}
    assert counts == {"tests": "3", "failures": "1", "errors": "1"}
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    good = cases["sums[good]"]
    assert good.get("classname") == "tasks.sums.sums.task.yaml"
    assert [child.tag for child in good] == ["properties"]
    (stored,) = good.iter("property")
    assert (own.root / str(stored.get("value")) / "manifest.json").is_file()
    failure = cases["sums[half]"].find("failure")
    assert failure is not None
    assert "5 of 6 samples failed" in str(failure.text)
    assert cases["sums[gone]"].find("error") is not None


def test_it_needs_no_cache_and_no_root_of_its_own(own: UserProject, run_pytest: Pytest) -> None:
    """From another folder, with --rootdir or with a path: the project is the tasks'."""
    own.write("pytest.ini", "[pytest]\n")
    elsewhere = own.root.parent / f"{own.root.name}-elsewhere"
    elsewhere.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for folder in (elsewhere, own.root / "tasks" / "sums"):
            patch.chdir(folder)
            words = ("-p", "no:cacheprovider", "--harness", "--harness-model", "good")
            done = run_pytest(*words, "--rootdir", str(own.root))
            done.assert_outcomes(passed=1)
            done.stdout.fnmatch_lines(["*sums.task.yaml*"])
            run_pytest(*words, str(own.root / "tasks")).assert_outcomes(passed=1)
    assert len(list((own.root / "runs").iterdir())) == 4
    assert not (own.root / ".pytest_cache").exists()


def test_interrupted_it_goes_on_when_it_is_run_again(
    own: UserProject, fault_server: FaultServer
) -> None:
    card = f"model: api\nadapter: openai\nbase: some-model\nbase_url: {fault_server.url}\n"
    own.write("adapters/api.model.yaml", card)
    own.add_sums(60)
    fault_server.delay = 0.05
    command = [sys.executable, "-m", "pytest", *PLUGIN, "--harness", "--harness-model", "api"]
    process = subprocess.Popen(
        command, cwd=own.root, env=own.environment(), stdout=subprocess.PIPE, text=True
    )
    while committed(own.root) < 10 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, out
    assert "answers are kept; run the same command again to go on from there" in out
    kept, asked = committed(own.root), len(fault_server.asked)
    assert 10 <= kept < 60
    assert not list((own.root / "runs").glob("*/manifest.json"))
    fault_server.delay = 0.0
    done = subprocess.run(
        command, cwd=own.root, env=own.environment(), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert len(fault_server.asked) - asked == 60 - kept


def committed(root: Path) -> int:
    """Answers in the cache."""
    try:
        file = root / ".harness" / "cache.sqlite"
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30) as db:
            return int(db.execute("SELECT count(*) FROM completions").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


# --------------------------------------------------------------------------- gates

MODELS = ("--harness", "--harness-model", "base,tuned")


def test_a_worse_model_fails_with_the_reason_and_its_worst_samples(
    own: UserProject, run_pytest: Pytest
) -> None:
    worse(own, count=40, wrong=12)
    done = run_pytest(*MODELS)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*_ sums[[]tuned] _*",
            "FAIL exact_match: max_drop 0.02 *1.000 -> 0.700*it is worse (p *",
            "  lost most: s*",
            "  s*: no idea",
            "    target: *",
            f"FAILED {SUMS}[[]tuned] - *FAIL exact_match*",
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")


def test_alone_it_is_compared_with_the_last_run_of_its_baseline(
    own: UserProject, run_pytest: Pytest
) -> None:
    worse(own, count=40, wrong=12)
    tuned = ("--harness", "--harness-model", "tuned")
    done = run_pytest(*tuned)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["ERROR no baseline of sums to compare tuned*--harness-baseline (repeatable) names one"]
    )
    done.stdout.no_fnmatch_line("*Traceback*")
    run_pytest("--harness", "--harness-model", "base", "--harness-baseline", "base")
    run_pytest(*tuned).assert_outcomes(failed=1)
    run_pytest(*MODELS, "--lf").assert_outcomes(failed=1)
    run_pytest(*tuned, "--harness-baseline", "tuned").assert_outcomes(passed=1)


def test_a_committed_baseline_is_found_and_may_be_stale(
    own: UserProject, run_pytest: Pytest
) -> None:
    from harness.results.baseline import write_baseline
    from harness.results.pairs import Side
    from harness.results.store import find_run

    worse(own, count=40, wrong=12)
    run_pytest("--harness", "--harness-model", "base", "--harness-baseline", "base")
    base = Side(find_run(own.root / "runs", "latest"), "base")
    write_baseline(own.root / "leaderboard" / "baselines", base)
    (moved := own.root / "elsewhere").mkdir()
    (own.root / "runs").rename(moved / "runs")
    for words in ((), ("--harness-baseline", "leaderboard/baselines/sums")):
        run_pytest(*MODELS, *words).assert_outcomes(passed=1, failed=1)
    done = run_pytest(*MODELS, "--harness-limit", "20")
    done.assert_outcomes(errors=2)
    way = "*or 'harness gate RUN --intersect' compares what both have"
    done.stdout.fnmatch_lines([f"ERROR exact_match: * not the samples of the baseline*{way}"])


def test_a_damaged_baseline_that_is_named_is_told_before_anything_is_asked(
    own: UserProject, run_pytest: Pytest
) -> None:
    worse(own, 6, 1)
    own.write("leaderboard/baselines/sums/manifest.json", "{")
    done = run_pytest(*MODELS, "--harness-baseline", "leaderboard/baselines")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: leaderboard/baselines/sums/manifest.json: *not JSON"])
    assert not (own.root / "runs").exists()


def test_settings_are_called_as_they_are_typed(own: UserProject, run_pytest: Pytest) -> None:
    done = run_pytest("--harness", "--harness-model", "good", "--harness-set", "nope=3")
    done.stdout.fnmatch_lines(["--harness-set nope: unknown setting 'nope'*"])


def test_what_cannot_be_told_is_a_warning_of_our_own(own: UserProject, run_pytest: Pytest) -> None:
    worse(own, count=12, wrong=1)
    done = run_pytest(*MODELS, "-W", "default")
    done.assert_outcomes(passed=2, warnings=1)
    done.stdout.fnmatch_lines(
        ["tasks/sums/sums.task.yaml::sums[[]tuned]", "*InconclusiveWarning: INCONCLUSIVE *"]
    )
    ours = "error::harness.pytest_plugin.InconclusiveWarning"
    done = run_pytest(*MODELS, "-W", ours)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["INCONCLUSIVE exact_match: max_drop 0.02 *"])


@pytest.mark.parametrize(("what", "outcomes"), [("fail", (1, 1)), ("pass", (2, 0))])
def test_a_gate_says_what_becomes_of_what_cannot_be_told(
    own: UserProject, run_pytest: Pytest, what: str, outcomes: tuple[int, int]
) -> None:
    line = f"{{metric: exact_match, max_drop: 0.02, on_inconclusive: {what}}}"
    worse(own, count=12, wrong=1, gate=f"gate: [{line}]\n")
    done = run_pytest(*MODELS, "-W", "error")
    done.assert_outcomes(passed=outcomes[0], failed=outcomes[1])


def test_failed_samples_are_an_error_and_no_failure(own: UserProject, run_pytest: Pytest) -> None:
    worse(own, count=20, wrong=0)
    own.add_replay({f"s{n}": str(2 * n + 1) for n in range(15)}, "tuned")
    done = run_pytest("--harness", "--harness-model", "base,tuned", "--harness-baseline", "base")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["ERROR exact_match: *5 of 20 samples failed*"])


def test_a_line_about_another_task_needs_its_cells(own: UserProject, run_pytest: Pytest) -> None:
    gate = "gate: [{metric: exact_match, task: kept, max_drop: 0.02}]\n"
    text = (own.root / "tasks/sums/sums.task.yaml").read_text(encoding="utf-8")
    worse(own, count=40, wrong=12, gate=gate)
    own.write("tasks/kept/kept.task.yaml", text.replace("task: sums", "task: kept"))
    rows = (own.root / "tasks/sums/data/sums.jsonl").read_text(encoding="utf-8")
    own.write("tasks/kept/data/sums.jsonl", rows)
    done = run_pytest(*MODELS)
    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(["FAIL exact_match: max_drop 0.02 * (task kept)"])
    done = run_pytest(*MODELS, "-k", "sums and tuned")
    done.assert_outcomes(errors=1, deselected=3)
    done.stdout.fnmatch_lines(["ERROR *no cell of kept with tuned: run that task, too*"])


def test_a_metric_that_does_not_exist_is_one_line(own: UserProject, run_pytest: Pytest) -> None:
    worse(own, count=6, wrong=0, gate="gate: [{metric: exact_matsch, max_drop: 0.02}]\n")
    done = run_pytest(*MODELS)
    assert done.ret != 0
    done.stdout.fnmatch_lines(["*exact_matsch*did you mean 'exact_match'*"])
    done.stdout.no_fnmatch_line("*Traceback*")
