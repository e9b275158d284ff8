"""How long `harness gate` takes on two finished runs of 1,000 samples.

    python benchmarks/bench_gate.py

Whole processes, start and imports included; torch is not among them. The runs are those of
bench_compare.py, smaller; the gate has a line for each metric that has a better side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
from bench_compare import SCORERS, write_runs  # noqa: E402
from process import Measured, measure  # noqa: E402
from table import Row, table  # noqa: E402

from harness.results.run import SpecText  # noqa: E402

COUNT, SECONDS = 1000, 2.0
REPEATS = int(os.environ.get("BENCH_REPEATS", "2")) + 1
LINES = [info for info in SCORERS if not info.neutral]
TASK = """\
task: many
version: 1
data: {path: many.jsonl}
prompt: {template: "{{ input }}"}
score: [exact_match, includes, rouge_l, bleu, chrf]
gate:
"""


def gated() -> list[Row]:
    """The rows of RESULTS.md."""
    environment = {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, __file__, str(folder / "runs")]
        subprocess.run(command, env={**os.environ, **environment}, check=True)
        runs = sorted(os.listdir(folder / "runs"))
        words = [f"{runs[1]}:after", "--baseline", f"{runs[0]}:before", "--json"]
        done: list[Measured] = []
        for _ in range(REPEATS):
            command = [sys.executable, "-m", "harness", "gate", *words]
            done.append(measure(command, folder, environment, (0, 1)))
    found = json.loads(done[0].stdout)["rulings"]
    assert len(found) == len(LINES), "every line is ruled on"
    best = min(done, key=lambda one: one.wall_s)
    what = f"`harness gate`, two runs of {COUNT:,} samples, {len(LINES)} lines"
    return [Row(what, best.words(), "", "", f"<= {SECONDS:.0f} s", best.wall_s <= SECONDS)]


def write_project(runs: Path) -> None:
    """Two runs whose task's text, gate included, is kept in them."""
    lines = [f"  - {{metric: {info.name}, max_drop: {_margin(info.high)}}}\n" for info in LINES]
    text = SpecText("task", "many", "tasks/many/many.task.yaml", TASK + "".join(lines))
    write_runs(runs, COUNT, [text])


def _margin(high: float | None) -> float:
    return 0.02 * (high or 1.0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_project(Path(sys.argv[1]))
    else:
        print(table(gated()))
