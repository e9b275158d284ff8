"""How long `harness publish` takes: 6 models x 100,000 samples x 7 scores, and again when nothing
has changed.

    python benchmarks/bench_publish.py

The run is written once by a process of its own (``bench_publish.py FOLDER``); the command is
measured as a whole process, start and imports included. Answers are about 670 characters of words
that are drawn by Zipf's law, as in the facts that the sizes of this project come from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
import numpy as np  # noqa: E402
from bench_compare import SCORERS, cell  # noqa: E402
from process import measure  # noqa: E402
from table import Row, table  # noqa: E402

from harness.records import Completion, Sample  # noqa: E402
from harness.results.run import CellResult, CompletionRow, ModelInfo, Run, SpecText  # noqa: E402
from harness.results.store import write_run  # noqa: E402

COUNT = int(os.environ.get("BENCH_PUBLISH_COUNT", "100000"))
MODELS = int(os.environ.get("BENCH_PUBLISH_MODELS", "6"))
SECONDS, MEGABYTES, AGAIN_SECONDS = 60.0, 1500.0, 2.0
WORDS = 110
TASK = """\
task: many
version: 1
description: Numbers for a benchmark.
data: {path: data/many.jsonl}
prompt: {template: "{{ input }}"}
score: [exact_match]
"""


def texts(count: int, seed: int) -> Iterator[str]:
    """So many texts of WORDS words."""
    draw = np.random.default_rng(seed)
    known = [
        "".join(draw.choice(list("abcdefghijklmnopqrst"), n)) for n in draw.integers(2, 9, 5000)
    ]
    for _ in range(count):
        yield " ".join(known[i] for i in draw.zipf(1.3, WORDS) % len(known))


def big_cell(model: str, seed: int, samples: Sequence[Sample], count: int) -> CellResult:
    """One model's answers and scores."""
    done = cell(model, count, seed)
    rows = [
        CompletionRow(sample.id, 0, Completion(sample.id, text, "stop", 40, WORDS, latency_ms=20.0))
        for sample, text in zip(samples, texts(count, seed), strict=True)
    ]
    return CellResult(
        done.cell_id,
        done.cell_hash,
        "many",
        "task",
        1,
        model,
        "",
        samples,
        rows,
        done.scores,
        SCORERS,
    )


def write_big_run(root: Path, count: int = COUNT, models: int = MODELS) -> None:
    """One run of all models; the first is the baseline of the others."""
    questions = texts(count, 99)
    samples = [
        Sample(f"sample-{i:06d}", next(questions)[:200], f"answer {i}") for i in range(count)
    ]
    names = [f"model-{n}" for n in range(models)]
    when = datetime(2026, 11, 20, 12, tzinfo=UTC)
    cells = [big_cell(name, n + 1, samples, count) for n, name in enumerate(names)]
    infos = [
        ModelInfo(name, f"fp {name}", baseline=names[0] if n else None)
        for n, name in enumerate(names)
    ]
    specs = [SpecText("task", "many", "tasks/many/many.task.yaml", TASK)]
    write_run(root, Run(cells, when, when, models=infos, specs=specs))


def published() -> list[Row]:
    """The rows of RESULTS.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, __file__, name], env=environment, check=True)
        command = [sys.executable, "-X", "importtime", "-m", "harness", "publish", "--runs", name]
        command += ["--to", str(folder / "site")]
        first = measure(command[:1] + command[3:], folder, {"PYTHONPATH": str(ROOT)})
        again = measure(command[:1] + command[3:], folder, {"PYTHONPATH": str(ROOT)})
        modules = subprocess.run(
            [sys.executable, "-c", _LOADED, *command[5:]],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        ).stdout.split()[-1]  # fmt: skip
    what = f"`harness publish`, {COUNT:,} samples x {len(SCORERS)} scores x {MODELS} models"
    met = first.wall_s <= SECONDS and first.peak_mb <= MEGABYTES
    return [
        Row(what, first.words(), "", "", f"<= {SECONDS:.0f} s, <= {MEGABYTES:.0f} MB", met),
        Row(
            "the same again, nothing changed",
            again.words(),
            "",
            "",
            f"<= {AGAIN_SECONDS:.0f} s",
            again.wall_s <= AGAIN_SECONDS,
        ),
        Row(
            "heavy packages that `harness publish` imports",
            modules,
            "",
            "",
            "no torch",
            modules == "none",
        ),
    ]


_LOADED = """
import sys
from harness.cli import main
main([*sys.argv[1:], "--fresh"])
heavy = [m for m in ("torch", "transformers", "sentence_transformers") if m in sys.modules]
print(",".join(heavy) or "none")
"""

if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_big_run(Path(sys.argv[1]))
    else:
        print(table(published()))
