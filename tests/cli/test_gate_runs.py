"""`harness gate --checkpoints` and `--changed-since`: what is run first, and then gated."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from harness.results.store import read_run, whole_runs

if TYPE_CHECKING:
    from conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]
BASE = Path(__file__).resolve().parents[2] / "adapters" / "tiny-llama"
TASK = """\
task: colours
version: 1
data: {path: data/colours.jsonl, fields: {input: question, target: answer}}
prompt: {template: "Question: {{ input }}\\nAnswer:"}
generate: {max_new_tokens: 4}
score: [exact_match, rouge_l, token_count]
gate:
  - {metric: exact_match, max_drop: 0.05}
"""
RECIPE = "recipe: quick\nbase: tiny-llama\ntask: colours\nmodel: quick\n"
PATTERN = "runs/finetune/quick/checkpoints/checkpoint-*"


@pytest.fixture(scope="session")
def loras(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`same` does nothing, `bad` turns everything to noise, `foreign` is made for another base;
    `rows` are questions with the base's own answers, of which it therefore knows all."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.adapters.load import quiet

    root = tmp_path_factory.mktemp("loras")
    with quiet():
        base = AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")
        tokenizer = AutoTokenizer.from_pretrained(BASE)
        rows = []
        for n in range(16):
            text = f"Question: what colour is {n}?\nAnswer:"
            given = tokenizer(text, return_tensors="pt")
            said = base.generate(**given, max_new_tokens=4, do_sample=False)[0]
            answer = tokenizer.decode(said[given["input_ids"].shape[1] :])
            rows.append({"question": f"what colour is {n}?", "answer": answer})
        (root / "rows").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        torch.manual_seed(0)
        model = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
        model.save_pretrained(root / "same")
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=3.0)
        model.save_pretrained(root / "bad")
    shutil.copytree(root / "same", root / "foreign")
    config = root / "foreign/adapter_config.json"
    body = json.loads(config.read_text())
    config.write_text(json.dumps({**body, "base_model_name_or_path": "meta/other"}))
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def training(project: UserProject, loras: dict[str, Path]) -> Callable[..., UserProject]:
    """A project with a training whose checkpoints are these LoRAs, by step."""

    def make(**steps: str) -> UserProject:
        project.write("tasks/colours/colours.task.yaml", TASK)
        project.write("tasks/colours/data/colours.jsonl", loras["rows"].read_text())
        project.write("finetune/quick.recipe.yaml", RECIPE)
        project.write("runs/finetune/quick/recipe.json", '{"recipe": "quick", "model": "quick"}')
        for step, name in steps.items():
            folder = project.root / "runs/finetune/quick/checkpoints" / f"checkpoint-{step[1:]}"
            shutil.copytree(loras[name], folder)
        return project

    return make


def test_the_first_bad_checkpoint_is_named_and_the_best_one_ships(
    training: Callable[..., UserProject],
) -> None:
    project = training(s2="same", s10="bad", s4="same")
    done = project.harness("gate", "--checkpoints", PATTERN, "--junit", "gate.xml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines]
    curve = {row[0]: row for row in rows if row and row[0] in ("base", "2", "4", "10")}
    assert list(curve) == ["base", "2", "4", "10"], "by number, not as text"
    assert [curve[step][-1] for step in ("2", "4", "10")] == [
        "best",
        "INCONCLUSIVE",  # four tokens alike, sixteen times, are no proof of another checkpoint
        "fail",
    ]
    assert "first to fail: quick-checkpoint-10" in lines
    assert lines[-1].startswith("gate: PASS (best: quick-checkpoint-2, exact_match")
    assert any("FAIL" in line and "it is worse" in line for line in lines)
    suites = ElementTree.fromstring((project.root / "gate.xml").read_bytes())
    assert [suite.get("failures") for suite in suites] == ["1"]
    # one run of all, on one load
    (run,) = whole_runs(project.root / "runs")
    names = ["tiny-llama", *(f"quick-checkpoint-{n}" for n in (2, 4, 10))]
    assert read_run(run).manifest.model_names == names


def test_a_training_of_bad_checkpoints_fails(
    training: Callable[..., UserProject], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = training(s1="bad", s2="bad")
    summary = project.root / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, out, err = invoke("gate", "--checkpoints", PATTERN, "--json")
    assert code == 1, err
    told = json.loads(out)
    assert (told["verdict"], told["exit_code"]) == ("FAIL", 1)
    assert told["first_failed"] == told["best"] == "quick-checkpoint-1", "of equals the earlier"
    assert [one["outcome"] for one in told["checkpoints"]] == ["FAIL", "FAIL"]
    # Holm runs over both checkpoints
    assert all(one["p_holm"] > one["p"] for one in told["rulings"])
    assert "no checkpoint passes" in summary.read_text()


def test_all_share_one_load_of_the_base(
    training: Callable[..., UserProject], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    training(s1="same", s2="bad")
    loaded = []
    load = AutoModelForCausalLM.from_pretrained

    def counted(*given: object, **named: object) -> object:
        loaded.append(given)
        return load(*given, **named)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", counted)
    assert invoke("gate", "--checkpoints", PATTERN, "--limit", "4")[0] == 0
    assert len(loaded) == 1


def test_another_metric_names_another_best(
    training: Callable[..., UserProject], invoke: Invoke
) -> None:
    training(s1="same", s2="bad")
    code, out, err = invoke("gate", "--checkpoints", PATTERN, "--metric", "rouge_l")
    assert code in (0, 1), err
    assert "rouge_l of colours by step" in out
    code, _, err = invoke("gate", "--checkpoints", PATTERN, "--metric", "rouge_x")
    assert code == 4
    assert "no metric 'rouge_x' to choose by (did you mean 'rouge_l'?)" in err
    code, _, err = invoke("gate", "--checkpoints", PATTERN, "--metric", "token_count")
    assert code == 4
    assert "has no better side" in err


def test_a_half_written_checkpoint_is_passed_over(
    training: Callable[..., UserProject], invoke: Invoke
) -> None:
    project = training(**{f"s{n}": "same" for n in range(1, 6)})
    folder = project.root / "runs/finetune/quick/checkpoints"
    (folder / "checkpoint-2/adapter_model.safetensors").unlink()
    weights = folder / "checkpoint-3/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (folder / "checkpoint-4/adapter_config.json").write_text("{}")
    (folder / "checkpoint-5/adapter_config.json").write_text('{"peft_type": "IA3"}')
    code, out, err = invoke("gate", "colours", "--checkpoints", PATTERN, "--limit", "2")
    assert code == 0, err
    assert "checkpoint-4 is passed over: adapter_config.json is damaged: it has no 'pef" in err
    assert "checkpoint-5 is passed over: it holds an adapter of type IA3, not a LoRA" in err
    assert "checkpoint-2 is passed over: it has no adapter_model.safetensors" in err
    assert "checkpoint-3 is passed over: adapter_model.safetensors is damaged" in err
    assert "quick-checkpoint-1" in out


def test_a_pattern_may_be_written_out_by_the_shell_and_a_baseline_committed(
    training: Callable[..., UserProject], invoke: Invoke
) -> None:
    project = training(s1="same", s2="same")
    assert invoke("run", "colours", "-m", "tiny-llama", "--limit", "4")[0] == 0
    assert invoke("baseline", "set", "latest")[0] == 0
    words = [str(path) for path in sorted(project.root.glob(PATTERN))]
    code, out, err = invoke("gate", "--checkpoints", *words, "--limit", "4")
    assert code == 0, err
    assert "base  " not in out, "the base is not asked again"
    assert "quick-checkpoint-2" in out


def test_the_finished_card_says_how_checkpoints_are_worn(
    training: Callable[..., UserProject], invoke: Invoke
) -> None:
    project = training(s1="same")
    project.write(
        "runs/finetune/quick/quick.model.yaml",
        f"model: quick\nadapter: transformers\nbase: {BASE}\nlora: ./checkpoints/checkpoint-1\n"
        "dtype: bfloat16\nbaseline: tiny-llama\n",
    )
    code, out, err = invoke("gate", "--checkpoints", PATTERN, "--limit", "2")
    assert code == 0, err
    assert "on one load of tiny-llama-bfloat16" in err
    assert "against" in out
    assert "tiny-llama-bfloat16" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--checkpoints", "runs/none-*"], "no checkpoint matches 'runs/none-*'"),
        (
            ["--checkpoints", "runs/finetune/quick/checkpoints"],
            "'runs/finetune/quick/checkpoints/checkpoint-*' names the checkpoints in it",
        ),
        (["--checkpoints", PATTERN, "colour"], "no task named 'colour' (did you mean 'colours'?)"),
        (["--checkpoints", PATTERN, "-m", "tiny"], "no model named 'tiny'"),
        (["--checkpoints", PATTERN, "--baseline", "nobody"], "no run and no model 'nobody'"),
        (["--checkpoints", "elsewhere/checkpoint-*"], "-m BASE does"),
        (["--checkpoints", PATTERN, "--changed-since", "HEAD"], "give one of them"),
    ],
)
def test_mistakes_are_one_line(
    training: Callable[..., UserProject], invoke: Invoke, words: list[str], told: str
) -> None:
    project = training(s1="same")
    shutil.copytree(project.root / "runs/finetune/quick/checkpoints", project.root / "elsewhere")
    code, out, err = invoke("gate", *words, "--limit", "1")
    assert code == 4, out
    assert told in err
    assert "Traceback" not in err


def test_a_lora_of_another_base_and_a_task_without_gate_are_one_line(
    training: Callable[..., UserProject], invoke: Invoke
) -> None:
    project = training(s1="foreign")
    code, _, err = invoke("gate", "--checkpoints", PATTERN)
    assert code == 4
    assert "checkpoint-1: lora 'runs/finetune/quick/checkpoints/checkpoint-1' was made for" in err
    assert not whole_runs(project.root / "runs")
    project.write("tasks/colours/colours.task.yaml", TASK.partition("gate:")[0])
    code, _, err = invoke("gate", "--checkpoints", PATTERN)
    assert code == 4
    assert "no gate is declared by colours" in err


# --------------------------------------------------------------------------- what changed


def git(project: UserProject, *words: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *name, *words], cwd=project.root, check=True, capture_output=True)


@pytest.fixture
def committed(project: UserProject) -> UserProject:
    """Two gated tasks, a model and its baseline, all committed."""
    project.add_sums(12)
    task = project.root / "tasks/sums/sums.task.yaml"
    text = task.read_text() + "gate:\n  - {metric: exact_match, max_drop: 0.2}\n"
    task.write_text(text)
    project.write("tasks/more/more.task.yaml", text.replace("task: sums", "task: more"))
    shutil.copytree(project.root / "tasks/sums/data", project.root / "tasks/more/data")
    right = {f"s{n}": str(2 * n + 1) for n in range(12)}
    project.add_replay(right, "base")
    project.add_replay(right, "tuned")
    card = project.root / "adapters/tuned.model.yaml"
    card.write_text(card.read_text() + "baseline: base\n")
    project.write(".gitignore", "runs/\n.harness/\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    return project


def test_nothing_changed_runs_nothing(committed: UserProject, invoke: Invoke) -> None:
    code, out, err = invoke("gate", "--changed-since", "HEAD")
    assert code == 0, err
    assert "no cell of 2 changed since HEAD: nothing is run" in err
    assert out.splitlines()[-1] == "gate: PASS (no lines)"
    assert not (committed.root / "runs").exists()
    code, out, _ = invoke("gate", "--changed-since", "HEAD", "--json")
    assert (code, json.loads(out)["rulings"]) == (0, [])


def test_only_the_cells_of_a_changed_task_are_run(committed: UserProject, invoke: Invoke) -> None:
    rows = [
        {"id": f"s{n}", "question": f"How much is {n} and {n + 1}?", "answer": str(2 * n + 1)}
        for n in range(12)
    ]
    committed.write_rows("tasks/more/data/sums.jsonl", rows)
    code, out, err = invoke("gate", "--changed-since", "HEAD")
    assert code == 0, err
    assert "1 of 2 cells changed since HEAD" in err
    assert "more[tuned]: tasks/more/data/sums.jsonl changed" in err
    assert "more[base]: to compare with" in err
    assert "more: tuned" in out
    assert "sums: tuned" not in out
    (run,) = whole_runs(committed.root / "runs")
    cells = [(one.task, one.model) for one in read_run(run).manifest.cells]
    assert cells == [("more", "tuned"), ("more", "base")]


def test_a_model_that_got_worse_fails(committed: UserProject) -> None:
    wrong = {f"s{n}": "no idea" for n in range(12)}
    committed.add_replay(wrong, "tuned")
    card = committed.root / "adapters/tuned.model.yaml"
    card.write_text(card.read_text() + "baseline: base\n")
    done = committed.harness("gate", "--changed-since", "HEAD", "sums")
    assert done.returncode == 1, done.stderr
    assert "1 of 1 cell changed since HEAD" in done.stderr
    assert done.stdout.splitlines()[-1] == "gate: FAIL (1 FAIL)"


def test_mistakes_about_changes_are_one_line(committed: UserProject, invoke: Invoke) -> None:
    code, _, err = invoke("gate", "--changed-since", "no-such-revision")
    assert (code, "no-such-revision" in err) == (4, True)
    code, _, err = invoke("gate", "--changed-since", "HEAD", "-m", "tund")
    assert (code, "did you mean 'tuned'" in err) == (4, True)
    card = committed.root / "adapters/tuned.model.yaml"
    card.write_text(card.read_text().replace("baseline: base\n", ""))
    code, _, err = invoke("gate", "--changed-since", "HEAD")
    assert (code, "no model card of the project names a 'baseline'" in err) == (4, True)
