"""lm-eval on the same prompts and choices as bench_adapter.py, in a process of its own.

lm-eval 0.4.13 is no dependency: LM_EVAL names a folder that it was installed into
(`pip install --target FOLDER lm_eval==0.4.13`), or it is installed in this environment.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import models

NEW_TOKENS = 64
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


@dataclass(frozen=True)
class LmEvalRun:
    """What lm-eval answered, and what it took as a whole process (MB are 10^6 bytes)."""

    answers: list[str | int]
    wall_s: float
    cpu_s: float
    peak_mb: int


def run_lm_eval(kind: str, folder: Path, count: int = 512, batch_size: int = 16) -> LmEvalRun:
    """Run lm-eval's hf model in a subprocess: `kind` is "gen" or "choices".

    Answers stand in the order of the prompts: texts, or the number of the most probable choice.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        _write_task(work, kind, folder, count)
        command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--tasks", "bench"]
        command += ["--model_args", f"pretrained={folder},dtype=float32", "--device", "cpu"]
        command += ["--batch_size", str(batch_size), "--include_path", str(work)]
        command += ["--output_path", str(work / "out"), "--log_samples"]
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"lm-eval failed:\n{done.stderr[-2000:]}")
        answers = _read_answers(work / "out", kind)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # the peak of all children so far: run the smaller one in a process of its own
    return LmEvalRun(answers, round(wall, 2), round(cpu, 2), round(after.ru_maxrss * 1024 / 1e6))


def _environment() -> dict[str, str]:
    paths = [os.environ.get("LM_EVAL", ""), os.environ.get("PYTHONPATH", "")]
    own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TQDM_DISABLE": "1"}
    return {**os.environ, **own, "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}


def _write_task(work: Path, kind: str, folder: Path, count: int) -> None:
    models.work(folder, count)
    data = folder.resolve() / f"work-{count}.jsonl"
    text = COMMON + (GENERATE if kind == "gen" else CHOICES)
    text = text.replace("DATA", str(data)).replace("NEW_TOKENS", str(NEW_TOKENS))
    (work / "bench.yaml").write_text(text, "utf-8")


def _read_answers(out: Path, kind: str) -> list[str | int]:
    (file,) = out.rglob("samples_bench_*.jsonl")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows.sort(key=lambda row: row["doc_id"])
    if kind == "gen":
        return [row["resps"][0][0] for row in rows]
    scores = [[float(choice[0][0]) for choice in row["resps"]] for row in rows]
    return [values.index(max(values)) for values in scores]


def main() -> None:
    """Run, and print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["gen", "choices"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--answers", type=Path)
    args = parser.parse_args()
    report = asdict(run_lm_eval(args.kind, args.folder, args.count))
    answers = report.pop("answers")
    if args.answers:
        args.answers.write_text(json.dumps(answers), "utf-8")
    print(json.dumps({**report, "answers": len(answers)}))


if __name__ == "__main__":
    main()
