"""`harness judge RUN` and what of judges shows on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from faultserver import FaultServer
from judged import JUDGE, TEMPLATE, metrics, newest, score, table, verdict
from judged import judged as judged
from judged import server as server

if TYPE_CHECKING:
    from tests.conftest import UserProject

Invoke = Callable[..., tuple[int, str, str]]


def test_a_finished_run_is_judged_without_its_model_and_without_torch(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    score(judged, "[rouge_l]")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    first = newest(judged.root)
    for file in judged.root.glob("adapters/recorded.*"):  # it cannot be asked any more
        file.unlink()
    code = (
        "import sys; from harness.cli import main; code = main(['judge', 'latest', '--judge', "
        "'strict']); heavy = {'torch', 'transformers'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=judged.root, env=judged.environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    second = newest(judged.root)
    assert second != first
    assert metrics(judged.root)["strict"]["value"] == 86.0
    assert len(server.asked) == 6
    for name in ("samples", "completions"):
        old, new = (pq.read_table(run / f"{name}.parquet") for run in (first, second))
        assert old.equals(new), name
    manifest = json.loads((second / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["judged"] == first.name
    kinds = {(spec["kind"], spec["name"]) for spec in manifest["specs"]}
    assert {("judge", "strict"), ("judge", "strict.j2"), ("model", "api")} <= kinds


def test_the_judges_that_the_tasks_name_judge_again_at_no_cost(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    before = metrics(judged.root)
    code, out, err = invoke("judge", "latest")
    assert code == 0, out + err
    assert len(server.asked) == 6
    assert "6 from the cache" in err
    after = metrics(judged.root)
    assert after == before
    assert len(table(judged.root, "verdicts")) == 6


def test_another_model_or_rubric_replaces_the_old_verdicts_only(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.write("judges/open.judge.yaml", JUDGE.replace("strict", "open"))
    judged.write("judges/open.j2", TEMPLATE)
    score(judged, "[rouge_l, {judge: strict}, {judge: open}]")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    first = newest(judged.root)
    text = (judged.root / "adapters/api.model.yaml").read_text(encoding="utf-8")
    text = text.replace("model: api", "model: mild").replace("some-judge", "mild-judge")
    judged.write("adapters/mild.model.yaml", text)
    server.answer = lambda asked: verdict(
        accuracy=40, completeness=30, relevance=20, practicality=10
    )
    code, out, err = invoke("judge", first.name, "--judge", "strict", "--judge-model", "mild")
    assert code == 0, out + err
    found = metrics(judged.root)
    assert (found["strict"]["value"], found["open"]["value"]) == (100.0, 86.0)
    models = {(row["judge"], row["judge_model"]) for row in table(judged.root, "verdicts")}
    assert models == {("strict", "mild"), ("open", "api")}
    # two judges' numbers are not compared as if they were one's
    code, _, err = invoke("compare", first.name, newest(judged.root).name)
    assert code == 4
    assert "strict was judged by api and mild" in err
    code, out, _ = invoke("compare", first.name, newest(judged.root).name, "--metric", "open")
    assert code == 0
    assert "open: judged by api" in out


def test_judge_errors_of_a_finished_run_end_with_1(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    server.answer = lambda asked: "No."
    code, out, _ = invoke("judge", "latest", "--fresh")
    assert code == 1
    assert "judge strict: 6 of 6 answers have no verdict" in out
    assert metrics(judged.root)["strict"]["n_judge_error"] == 6


def test_compare_counts_the_judge_errors_of_both_sides(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    judged.add_replay({f"s{n}": "unjudgeable" for n in range(6)}, name="other")
    server.answer = lambda asked: "No." if "unjudgeable" in asked.prompt else verdict()
    assert invoke("run", "sums", "-m", "recorded,other")[0] == 1
    code, out, _ = invoke("compare", "recorded", "other")
    assert code == 0
    words = " ".join(out.split())
    assert "strict: judged by api; judge errors, left out: 0 in A, 6 in B" in words


def test_several_judge_models_are_a_panel(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    text = (judged.root / "adapters/api.model.yaml").read_text(encoding="utf-8")
    judged.write("adapters/second.model.yaml", text.replace("model: api", "model: second"))
    assert invoke("run", "sums", "-m", "recorded", "--judge-model", "api,second")[0] == 0
    rows = table(judged.root, "verdicts")
    assert {row["judge_model"] for row in rows} == {"api", "second"}
    assert len(rows) == 12
    (run,) = (judged.root / "runs").iterdir()
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    infos = {info["name"]: info for info in manifest["cells"][0]["scorers"]}
    assert infos["strict"]["judged_by"] == "api + second"
    assert manifest["settings"]["judge_model"] == "api,second"


def test_a_run_without_judges_asks_for_one(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    score(judged, "[rouge_l]")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    code, _, err = invoke("judge", "latest")
    assert code == 4
    assert "names a judge: --judge NAME does" in err
    code, _, err = invoke("judge", "latest", "--judge", "strct")
    assert code == 4
    assert "no judge named 'strct' (did you mean 'strict'?)" in err
    code, _, err = invoke("judge", "nothing")
    assert code == 4


def test_dry_run_counts_calls_tokens_and_cost_and_asks_nobody(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    code, out, _ = invoke("run", "sums", "-m", "recorded", "--dry-run")
    assert code == 0
    line = next(line.split() for line in out.splitlines() if line.startswith("strict"))
    assert line[:4] == ["strict", "api", "6", "6"]
    assert int(line[5].replace(",", "")) == 6 * 1024
    (cost,) = re.findall(r"judging: \$([0-9.]+) at most", out)
    assert 6 * 1024 * 10 / 1e6 < float(cost) < 0.08
    assert not server.asked
    assert not (judged.root / "runs").exists()
    # the sum that was told is the one that lets all be asked
    assert invoke("run", "sums", "-m", "recorded", "--max-cost", cost)[0] == 0
    _, out, _ = invoke("judge", "latest", "--dry-run")
    line = next(line.split() for line in out.splitlines() if line.startswith("strict"))
    assert line[:4] == ["strict", "api", "6", "0"]  # all known
    assert len(list((judged.root / "runs").iterdir())) == 1


@pytest.mark.parametrize("fault", ["429", "500", "max-cost"])
def test_where_no_reply_came_the_cost_is_not_unknown(
    judged: UserProject, server: FaultServer, invoke: Invoke, fault: str
) -> None:
    card = (judged.root / "adapters/api.model.yaml").read_text(encoding="utf-8")
    judged.write("adapters/api.model.yaml", card + "max_retries: 0\n")
    more = ("--max-cost", "0") if fault == "max-cost" else ()
    server.play = lambda asked: fault
    code, out, _ = invoke("run", "sums", "-m", "recorded", *more)
    assert code == 1
    assert "unknown" not in out
    assert {row["cost_usd"] for row in table(judged.root, "verdicts")} == {0.0}


@pytest.mark.parametrize("command", ["collect", "run"])
def test_unknown_judges_and_their_models_are_told_with_their_line(
    judged: UserProject, invoke: Invoke, command: str
) -> None:
    more = ("-m", "recorded") if command == "run" else ()
    score(judged, "[rouge_l, {judge: strikt}]")
    code, _, err = invoke(command, "sums", *more)
    assert code == 4
    assert "sums.task.yaml:12: no judge named 'strikt' (did you mean 'strict'?)" in err
    score(judged, "[rouge_l, {judge: strict}]")
    judged.write("judges/strict.judge.yaml", JUDGE + "panel: [apo]\n")
    code, _, err = invoke(command, "sums", *more)
    assert code == 4
    assert "strict.judge.yaml:10: no model named 'apo' (did you mean 'api'?)" in err
    code, _, err = invoke("run", "sums", "-m", "recorded", "--judge-model", "apo")
    assert code == 4
    assert "no model named 'apo'" in err


def test_a_judge_reads_text_and_says_so(judged: UserProject, invoke: Invoke) -> None:
    task = judged.root / "tasks/sums/sums.task.yaml"
    score(judged, "[perplexity, {judge: strict}]")
    text = task.read_text(encoding="utf-8") + "output_type: perplexity\n"
    task.write_text(text, encoding="utf-8")
    code, _, err = invoke("run", "sums", "-m", "tiny-llama")
    assert code == 4
    assert "sums.task.yaml:12: judge 'strict' reads text, and 'output_type' is 'perplexity'" in err


def test_show_says_why_an_answer_got_its_score(judged: UserProject, invoke: Invoke) -> None:
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    code, out, _ = invoke("show", "latest", "--metric", "strict", "--worst", "1")
    assert code == 0
    assert "judge: Because it is so." in out
    code, out, _ = invoke("show", "latest", "--format", "json")
    rows = {row["metric"]: row for row in json.loads(out)["metrics"]}
    assert rows["strict"]["judged_by"] == "api"
    assert (rows["strict"]["kappa"], rows["rouge_l"]["judge"]) == (None, "")


def test_a_run_of_an_earlier_version_can_be_shown_and_judged(
    judged: UserProject, server: FaultServer, invoke: Invoke
) -> None:
    score(judged, "[rouge_l]")
    assert invoke("run", "sums", "-m", "recorded")[0] == 0
    run = newest(judged.root)
    as_before_judges(run)
    code, out, err = invoke("show", "latest")
    assert code == 0, out + err
    assert "rouge_l" in out
    code, out, err = invoke("judge", "latest", "--judge", "strict")
    assert code == 0, out + err
    assert metrics(judged.root)["strict"]["value"] == 86.0


def as_before_judges(run: Path) -> None:
    """Take from a run what came with judges: columns of tables, keys of the manifest."""
    import hashlib

    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    new = "template_hash judge_model value mode flags captured_mass error cached_tokens attempts"
    gone = {"verdicts": new.split(), "metrics": ["n_judge_error"]}
    for name, columns in gone.items():
        file = run / f"{name}.parquet"
        pq.write_table(pq.read_table(file).drop_columns(columns), file)
        body = file.read_bytes()
        for part in manifest["parts"]:
            if part["file"] == file.name:
                part.update(bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    for cell in manifest["cells"]:
        for info in cell["scorers"]:
            for key in ("judge", "judged_by", "template", "same_family", "kappa"):
                del info[key]
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_help_names_the_run_and_the_commands(invoke: Invoke) -> None:
    code, out, _ = invoke("judge", "--help")
    assert code == 0
    assert "RUN" in out
    for word in ("--judge-model", "--max-cost", "calibrate", "selftest", "label"):
        assert word in out, word
    code, out, _ = invoke("run", "--help")
    assert "--judge-model" in out
    assert "--max-cost" in out
