"""How long `harness collect` takes for 1,000 task files, and `harness --help` for nothing.

    python benchmarks/bench_collect.py

Whole processes are timed, import of Python included; the best of RUNS is printed as JSON. Every
task file has a template and a description of its own, so that no cache can help.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASKS, RUNS = 1000, 5

TASK = """\
# harness run task_{n} -m tiny-llama
task: task_{n}
version: 1
tags: [text, generation]
description: Answer question number {n}.
licence: CC0-1.0
data:
  path: data/rows.jsonl
  split: test
  fields: {{input: question, target: answer}}
prompt:
  template: |
    Question {n}: {{{{ input }}}}
    {{% if choices %}}{{{{ choices | join(", ") }}}}{{% endif %}}
    Answer:
generate: {{max_new_tokens: 64, stop: ["\\nQuestion {n}:"]}}
score:
  - rouge_l
  - {{metric: regex, pattern: "answer {n}"}}
gate:
  - {{metric: rouge_l, max_drop: 0.02}}
"""


def write_project(root: Path) -> None:
    for number in range(TASKS):
        folder = root / "tasks" / f"task_{number}"
        (folder / "data").mkdir(parents=True)
        (folder / f"task_{number}.task.yaml").write_text(TASK.format(n=number))
        (folder / "data" / "rows.jsonl").write_text('{"question": "q", "answer": "a"}\n')


def timed(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Wall seconds, CPU seconds and output of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def best(command: list[str], folder: Path) -> dict[str, float]:
    timed(command, folder)  # writes .pyc files, warms the disk
    runs = [timed(command, folder) for _ in range(RUNS)]
    return {
        "wall_s": round(min(wall for wall, _, _ in runs), 3),
        "cpu_s": round(min(cpu for _, cpu, _ in runs), 3),
    }


def main() -> None:
    harness = [sys.executable, "-m", "harness"]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_project(root)
        collect = [*harness, "collect", "tasks", "--model", "tiny-llama"]
        summary = timed(collect, root)[2].splitlines()[-1]
        result = {
            "collect_1000": best(collect, root) | {"limit_wall_s": 2.0},
            "collect_1000_all_models": best([*harness, "collect"], root) | {"limit_wall_s": 2.0},
            "help": best([*harness, "--help"], root) | {"limit_cpu_s": 0.12},
            "collected": summary.split(",")[0],
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
