"""`harness run` as a user types it: what is printed, what is kept, how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
RIGHT = {f"s{n}": str(2 * n + 1) for n in range(6)}


@pytest.fixture
def sums(project: UserProject) -> UserProject:
    project.add_sums()
    project.add_replay(RIGHT)
    return project


def completions(root: Path) -> list[dict[str, object]]:
    (run,) = [path for path in (root / "runs").iterdir() if not path.name.startswith(".")]
    rows: list[dict[str, object]] = pq.read_table(run / "completions.parquet").to_pylist()
    return rows


def test_a_run_ends_with_a_table_and_whole_parquet_files(sums: UserProject, invoke: Invoke) -> None:
    code, out, err = invoke("run", "sums", "-m", "recorded")
    assert (code, err.count("Traceback")) == (0, 0)
    assert "exact_match" in out
    assert "6/6 samples" in err
    (run,) = (sums.root / "runs").iterdir()
    names = {path.name for path in run.iterdir()}
    assert names >= {"manifest.json", "completions.parquet", "scores.parquet", "metrics.parquet"}
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["tasks"] == "sums"
    assert str(sums.root) not in json.dumps(manifest["specs"])


def test_limit_epochs_and_set_change_what_is_asked(sums: UserProject, invoke: Invoke) -> None:
    words = ("--limit", "2", "--epochs", "3", "--set", "generate.max_new_tokens=4")
    code, _, err = invoke("run", "sums", "-m", "recorded", *words)
    assert code == 0
    assert "6/6 samples" in err
    assert {row["epoch"] for row in completions(sums.root)} == {0, 1, 2}


def test_several_values_of_a_setting_are_several_cells(sums: UserProject, invoke: Invoke) -> None:
    code, out, _ = invoke("run", "sums", "-m", "recorded", "--set", "generate.max_new_tokens=4,8")
    assert code == 0
    assert {row["variant"] for row in completions(sums.root)} == {
        "generate.max_new_tokens=4",
        "generate.max_new_tokens=8",
    }
    assert "max_new_tokens=8" in out


def test_a_sample_without_an_answer_is_counted_kept_and_exits_with_1(
    sums: UserProject, invoke: Invoke
) -> None:
    sums.add_replay({key: text for key, text in RIGHT.items() if key != "s3"})
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert "1 of 6 samples failed" in out
    failed = [row for row in completions(sums.root) if row["error"]]
    assert [row["sample"] for row in failed] == ["s3"]
    (run,) = (sums.root / "runs").iterdir()
    metrics = {row["metric"]: row for row in pq.read_table(run / "metrics.parquet").to_pylist()}
    assert metrics["exact_match"]["value"] == 1.0  # not 5/6: no answer is not a wrong answer
    assert (metrics["exact_match"]["n"], metrics["exact_match"]["n_error"]) == (5, 1)


def test_a_pattern_without_end_is_counted_and_does_not_hang(
    sums: UserProject, invoke: Invoke
) -> None:
    task = sums.root / "tasks/sums/sums.task.yaml"
    scores = "score: [exact_match, {metric: format, pattern: '^([0-9]|[0-9][0-9])+$'}]"
    text = task.read_text().replace("score: [exact_match, rouge_l]", scores)
    task.write_text(text, encoding="utf-8")
    sums.add_replay({**RIGHT, "s3": "1" * 90 + "."})
    code, out, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 1
    assert "1 of 12 scores could not be computed" in out
    assert "format: no answer within 5 s: pattern '^([0-9]|[0-9][0-9])+$' on sample 's3'" in out
    (run,) = (sums.root / "runs").iterdir()
    metrics = {row["metric"]: row for row in pq.read_table(run / "metrics.parquet").to_pylist()}
    assert [metrics["format"][name] for name in ("value", "n", "n_error")] == [1.0, 5, 1]
    assert [metrics["exact_match"][name] for name in ("n", "n_error")] == [6, 0]
    code, out, _ = invoke("show", "latest", "--metric", "format")
    assert "remark  format: no answer within 5 s" in out


def test_a_pattern_that_is_none_is_told_with_its_line(sums: UserProject, invoke: Invoke) -> None:
    task = sums.root / "tasks/sums/sums.task.yaml"
    scores = "score: [{metric: format, pattern: '(a'}, {metric: regex, pattern: '\\p{L}'}]"
    text = task.read_text().replace("score: [exact_match, rouge_l]", scores)
    task.write_text(text, encoding="utf-8")
    code, _, err = invoke("collect", "sums")
    assert code == 4
    assert "sums.task.yaml:12: 'pattern' is not a regular expression: missing )" in err
    assert "bad escape \\p at position 1" in err


def test_an_empty_answer_is_an_answer(sums: UserProject, invoke: Invoke) -> None:
    sums.add_replay({**RIGHT, "s0": ""})
    code, _, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    (run,) = (sums.root / "runs").iterdir()
    metrics = {row["metric"]: row for row in pq.read_table(run / "metrics.parquet").to_pylist()}
    assert metrics["exact_match"]["value"] == pytest.approx(5 / 6)


def test_dry_run_asks_nothing_and_writes_no_run(sums: UserProject, invoke: Invoke) -> None:
    code, out, _ = invoke("run", "sums", "-m", "recorded,tiny-llama", "--dry-run")
    assert code == 0
    assert "nothing was asked" in out
    table = out.partition("to ask")[2].splitlines()
    line = next(line for line in table if "tiny-llama" in line)
    assert int(line.split()[3]) == 6  # to be asked
    assert int(line.split()[4].replace(",", "")) > 6 * 5  # tokens of six prompts
    assert not (sums.root / "runs").exists()


CHAT = """\
{% for turn in messages %}<{{ turn.role }}>{{ turn.content }}
{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"""


@pytest.fixture
def chat(sums: UserProject) -> UserProject:
    """A task of messages, and a model with a chat template."""
    task = sums.root / "tasks/sums/sums.task.yaml"
    head, _, tail = task.read_text().partition("prompt:")
    turns = "prompt:\n  messages:\n    - {role: system, content: Add.}\n"
    turns += "    - {role: user, content: 'Now {{ input }}'}\n"
    task.write_text(f"{head}{turns}{tail[tail.index('generate:') :]}", encoding="utf-8")
    base = Path(__file__).resolve().parents[2] / "adapters/tiny-llama"
    card = {"model": "talker", "adapter": "transformers", "base": str(base), "chat_template": CHAT}
    sums.write("adapters/talker.model.yaml", json.dumps(card))
    return sums


def test_a_dry_run_shows_the_first_prompt_as_the_model_reads_it(
    chat: UserProject, invoke: Invoke
) -> None:
    code, out, err = invoke("run", "sums", "-m", "recorded,talker", "--dry-run")
    assert code == 0, err
    assert out.startswith(
        "sums, sample 's0', as talker reads it:\n\n"
        "  | <system>Add.\n  | <user>Now What is 0 and 1?\n  | <assistant>\n\n"
    )
    assert out.count("s0") == 1  # one for each task ...
    words = ("--set", 'prompt.target_delimiter=" ",":"')
    _, out, _ = invoke("run", "sums", "-m", "talker", "--dry-run", *words)
    assert out.count("s0") == 2  # ... and each variant of its prompt
    assert "sums [prompt.target_delimiter=:], sample 's0'" in out
    _, out, _ = invoke("run", "sums", "-m", "recorded", "--dry-run")
    assert "as the task asks it (recorded is sent nothing):\n\n  | [system]\n  | Add." in out


def test_a_dry_run_shows_the_ends_of_a_very_long_prompt(sums: UserProject, invoke: Invoke) -> None:
    rows = [{"id": "a", "question": "\n".join(map(str, range(100))), "answer": "1"}]
    sums.write_rows("tasks/sums/data/sums.jsonl", rows)
    _, out, _ = invoke("run", "sums", "-m", "recorded", "--dry-run")
    assert "  | 18\n  | 19\n  ... 61 lines left out ...\n  | 81\n" in out


def test_what_was_sent_is_stored_and_shown(chat: UserProject, invoke: Invoke) -> None:
    words = ("--limit", "1", "--set", "generate.max_new_tokens=2")
    for cached in (False, True):
        code, _, err = invoke("run", "sums", "-m", "talker,recorded", *words)
        assert code == 0, err
        code, out, _ = invoke("show", "latest:talker", "--sample", "s0", "--prompt")
        assert code == 0
        assert "prompt   | <system>Add.\n             | <user>Now What is 0 and 1?\n" in out, cached
    _, out, _ = invoke("show", "latest:recorded", "--sample", "s0", "--prompt")
    assert "prompt   (nothing was sent)" in out


def test_what_is_hardly_ever_meant_is_said_once(sums: UserProject, invoke: Invoke) -> None:
    sums.write(
        "tasks/told/told.task.yaml",
        "task: told\nversion: 1\ndata: {path: d.jsonl, fields: {input: q, target: a}}\n"
        "prompt: {template: '{{ q }} Hint: {{ a }}'}\nscore: [exact_match]\n",
    )
    rows = [{"id": str(n), "q": "Why?", "a": f"Because it is so, {n}."} for n in range(2)]
    sums.write_rows("tasks/told/d.jsonl", rows)
    sums.add_replay({"0": "x", "1": "x"})
    _, _, err = invoke("run", "told", "-m", "recorded", "--epochs", "2")
    assert err.count("note: told: every prompt contains its own target") == 1
    assert err.count("note: told: at temperature 0 all 2 epochs give the same answers") == 1
    sums.add_replay({f"s{n}": "x" for n in range(6)})
    _, _, err = invoke("run", "sums", "-m", "recorded")
    assert "note:" not in err


def test_a_node_id_names_task_and_model(sums: UserProject, invoke: Invoke) -> None:
    code, _, _ = invoke("run", "tasks/sums/sums.task.yaml::sums[recorded]")
    assert code == 0
    assert len(completions(sums.root)) == 6


def test_text_beyond_ascii_survives(sums: UserProject, invoke: Invoke) -> None:
    rows = [{"id": "ä/#1", "question": "Wie heißt 東京 auf Deutsch? 🗼\u2028", "answer": "Tokio ✓"}]
    sums.write_rows("tasks/sums/data/sums.jsonl", rows)
    sums.add_replay({"ä/#1": "Tokio ✓"})
    code, _, _ = invoke("run", "sums", "-m", "recorded")
    assert code == 0
    (row,) = completions(sums.root)
    assert (row["sample"], row["text"]) == ("ä/#1", "Tokio ✓")


# ----------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "sum", "-m", "recorded"), 4, "did you mean 'sums'?"),
        (("run", "sums", "-m", "recordde"), 4, "did you mean 'recorded'?"),
        (("run", "sums", "-m", "recorded", "--set", "generate.max_tokens=3"), 4, "did you mean"),
        (("run", "sums", "-m", "recorded", "--set", "generate.max_new_tokens=x"), 4, "max_new"),
        (("run", "sums", "-m", "recorded", "-k", "nothing"), 5, "nothing selected"),
        (("run", "sums", "-m", "recorded", "-k", "a and"), 4, "column"),
        (("run", "sums", "-m", "recorded", "--limit", "0"), 4, "--limit"),
        (("rnu", "sums"), 4, "did you mean 'run'?"),
        (("run", "sums"), 4, "no model named"),
        (("run", "sums", "-m", ","), 4, "no model named"),
        (("run", "sums", "-m", "recorded", "--runs", ""), 4, "'--runs': empty name"),
    ],
)
def test_a_mistake_is_one_line(
    sums: UserProject, invoke: Invoke, words: tuple[str, ...], code: int, said: str
) -> None:
    found, _, err = invoke(*words)
    assert found == code
    assert said in err
    assert "Traceback" not in err


def test_all_mistakes_of_all_files_are_told_at_once(sums: UserProject, invoke: Invoke) -> None:
    task = sums.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text().replace("max_new_tokens", "max_new_token"), encoding="utf-8")
    sums.write("adapters/broken.model.yaml", "model: broken\nadapter: transformer\nbase: x\n")
    code, _, err = invoke("run", "sums", "-m", "broken,nobody")
    assert code == 4
    assert "sums.task.yaml:11:" in err
    assert "broken.model.yaml:2:" in err
    assert "nobody" in err


def test_a_bad_line_40000_is_named(sums: UserProject, invoke: Invoke) -> None:
    rows = [{"id": f"s{n}", "question": "q", "answer": "a"} for n in range(40_100)]
    lines = [json.dumps(row) for row in rows]
    lines[39_999] = lines[39_999][:-1]
    sums.write("tasks/sums/data/sums.jsonl", "\n".join(lines))
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "sums.jsonl:40000:" in err
    assert err.strip().count("\n") == 0


def test_data_outside_the_project_needs_a_word(sums: UserProject, invoke: Invoke) -> None:
    outside = sums.root.parent / "elsewhere.jsonl"
    outside.write_text((sums.root / "tasks/sums/data/sums.jsonl").read_text(), encoding="utf-8")
    task = sums.root / "tasks/sums/sums.task.yaml"
    task.write_text(
        task.read_text().replace("data/sums.jsonl", "../../../elsewhere.jsonl"), encoding="utf-8"
    )
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "may not leave the project" in err
    code, _, err = invoke("run", "sums", "-m", "recorded", "--allow-outside")
    assert code == 0, err


def test_a_template_cannot_run_code(sums: UserProject, invoke: Invoke) -> None:
    task = sums.root / "tasks/sums/sums.task.yaml"
    attack = "{{ input.__class__.__mro__[1].__subclasses__() }}"
    task.write_text(task.read_text().replace("{{ input }}", attack), encoding="utf-8")
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "sums.task.yaml" in err
    assert "Traceback" not in err
    assert "<class" not in err


def test_an_unknown_name_in_a_template_is_told_with_those_that_exist(
    sums: UserProject, invoke: Invoke
) -> None:
    task = sums.root / "tasks/sums/sums.task.yaml"
    task.write_text(task.read_text().replace("{{ input }}", "{{ inptu }}"), encoding="utf-8")
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "'inptu' is undefined" in err
    assert "question" in err


def test_missing_weights_offline_are_one_line_and_nothing_is_written(
    sums: UserProject, invoke: Invoke
) -> None:
    sums.write(
        "adapters/far.model.yaml", "model: far\nadapter: transformers\nbase: nobody/nothing-1b\n"
    )
    code, _, err = invoke("run", "sums", "-m", "far")
    assert code == 4
    assert err.splitlines()[-1].startswith("adapters/far.model.yaml:3: base 'nobody/nothing-1b'")
    assert "Traceback" not in err
    assert not list((sums.root / "runs").iterdir())


def test_all_models_are_looked_for_before_the_first_is_asked(
    sums: UserProject, invoke: Invoke
) -> None:
    for name in ("far", "farther"):
        text = f"model: {name}\nadapter: transformers\nbase: nobody/{name}\n"
        sums.write(f"adapters/{name}.model.yaml", text)
    code, _, err = invoke("run", "sums", "-m", "recorded,far,farther")
    assert code == 4
    assert "nobody/far'" in err
    assert "nobody/farther'" in err
    assert "6/6" not in err
    code, _, err = invoke("run", "sums", "-m", "far", "--dry-run")
    assert code == 4
    assert "nobody/far'" in err


def test_an_unwritable_run_folder_is_found_before_anything_is_asked(
    sums: UserProject, invoke: Invoke
) -> None:
    sums.write("runs", "a file where a folder should be")
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 4
    assert "cannot write to" in err


def test_a_full_disk_ends_with_2_and_says_what_to_do(sums: UserProject) -> None:
    """RLIMIT_FSIZE stands in for a full disk: writes beyond it fail as on one."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "from harness.cli import main; sys.exit(main(['run', 'sums', '-m', 'recorded']))"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=sums.root,
        env=sums.environment(PYTHONDONTWRITEBYTECODE="1"), check=False,
    )  # fmt: skip
    assert done.returncode in (2, 4)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    assert not [path for path in (sums.root / "runs").glob("*") if path.name[0] != "."]


def test_bundled_mistakes_cannot_break_a_users_run(sums: UserProject, invoke: Invoke) -> None:
    sums.write("tasks/other/other.task.yaml", "task: other\nnonsense: [\n")
    code, _, err = invoke("run", "sums", "-m", "recorded")
    assert code == 0, err


def test_a_task_from_the_bundled_library_runs_in_an_empty_folder(
    project: UserProject, invoke: Invoke
) -> None:
    code, out, err = invoke("run", "general_retention", "-m", "tiny-llama", "--limit", "4")
    assert code == 0, err
    assert "choice" in out
    assert {path.name for path in project.root.iterdir()} == {"runs", ".harness"}


def test_a_second_run_asks_nothing_and_loads_no_model(project: UserProject) -> None:
    words = ("run", "general_retention", "-m", "tiny-llama", "--limit", "4")
    assert project.harness(*words).returncode == 0
    again = (
        "import sys; from harness.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", again, *words], capture_output=True, text=True,
        cwd=project.root, env=project.environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 from the cache" in done.stderr


def test_fresh_asks_again(project: UserProject, invoke: Invoke) -> None:
    words = ("run", "general_retention", "-m", "tiny-llama", "--limit", "4")
    invoke(*words)
    _, _, err = invoke(*words, "--fresh")
    assert "from the cache" not in err


def test_help_is_cheap_and_complete(invoke: Invoke) -> None:
    code, out, _ = invoke("run", "--help")
    assert code == 0
    for option in ("--limit", "--set", "--epochs", "--dry-run", "--fresh", "--seed"):
        assert option in out
