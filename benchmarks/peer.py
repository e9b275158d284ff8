"""lm-eval 0.4.13 on the same prompts and choices as ours, in a process of its own.

It is no dependency: `make bench` installs it into .benchmarks/lm_eval (requirements-peer.txt).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from process import Measured, measure

PEER = "lm-eval 0.4.13, hf, batch 16"
COMMON = """
task: bench
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
doc_to_text: "{{text}}"
"""
GENERATE = """
output_type: generate_until
doc_to_target: ""
generation_kwargs: {until: [], max_gen_toks: NEW_TOKENS, do_sample: false}
metric_list: [{metric: exact_match}]
"""
CHOICES = """
output_type: multiple_choice
doc_to_choice: choices
doc_to_target: 0
target_delimiter: " "
metric_list: [{metric: acc}]
"""


def install(folder: Path) -> Path:
    """lm-eval and what it needs beyond our own dependencies; once."""
    target = folder / "lm_eval"
    stamp = target / ".installed"
    if not stamp.exists():
        wanted = Path(__file__).with_name("requirements-peer.txt")
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
        subprocess.run([*command, "--target", str(target), "-r", str(wanted)], check=True)
        stamp.touch()
    return target


def environment(target: Path) -> dict[str, str]:
    """The environment that finds the peer, and nothing on a network."""
    return {
        "PYTHONPATH": str(target),
        "TQDM_DISABLE": "1",
        # as `harness run` sets it for itself: spinning threads would cost the peer several times
        # its time whenever something else runs on the machine, and that is not its fault
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
    }


class Peer:
    """lm-eval with a task of our rows."""

    def __init__(self, target: Path, work: Path) -> None:
        self._environment, self._work = environment(target), work

    def help(self) -> Measured:
        """`lm_eval --help`."""
        return measure([sys.executable, "-m", "lm_eval", "--help"], self._work, self._environment)

    def run(
        self, kind: str, rows: list[dict[str, object]], model: Path, lora: Path | None = None
    ) -> tuple[Measured, list[str | int]]:
        """Run "gen" or "choices"; what it took, and the answers in the order of the rows."""
        new_tokens = os.environ.get("BENCH_NEW_TOKENS", "64")
        data = self._work / "data.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        text = COMMON + (GENERATE if kind == "gen" else CHOICES)
        text = text.replace("DATA", str(data)).replace("NEW_TOKENS", new_tokens)
        (self._work / "bench.yaml").write_text(text, "utf-8")
        out = self._work / f"out-{kind}-{lora.name if lora else 'base'}"
        arguments = f"pretrained={model},dtype=float32" + (f",peft={lora}" if lora else "")
        command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--tasks", "bench"]
        command += ["--model_args", arguments, "--device", "cpu", "--batch_size", "16"]
        command += ["--include_path", str(self._work), "--output_path", str(out), "--log_samples"]
        taken = measure(command, self._work, self._environment)
        return taken, _answers(out, kind)


def _answers(out: Path, kind: str) -> list[str | int]:
    file = max(out.rglob("samples_bench_*.jsonl"), key=lambda path: path.stat().st_mtime)
    rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    rows.sort(key=lambda row: row["doc_id"])
    if kind == "gen":
        return [row["resps"][0][0] for row in rows]
    scores = [[float(choice[0][0]) for choice in row["resps"]] for row in rows]
    return [values.index(max(values)) for values in scores]
