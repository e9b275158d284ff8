"""How long `harness compare` takes on two runs of 100,000 samples x 7 metrics, two of them corpus
metrics.

    python benchmarks/bench_compare.py

The runs are written once into a temporary folder (``bench_compare.py FOLDER`` writes them there
and ends); the command is measured as a whole process,
start and imports included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
import numpy as np  # noqa: E402
from process import Measured, measure  # noqa: E402
from table import Row, table  # noqa: E402

from harness.records import Completion, Sample, Score  # noqa: E402
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo, SpecText  # noqa: E402
from harness.results.store import write_run  # noqa: E402

COUNT = int(os.environ.get("BENCH_COMPARE_COUNT", "100000"))
REPEATS = int(os.environ.get("BENCH_REPEATS", "2"))
SECONDS, MEGABYTES = 10.0, 1000.0
UNIT = {"kind": "number", "low": 0.0, "high": 1.0}
SCORERS = (
    ScorerInfo("exact_match"),
    ScorerInfo("includes"),
    ScorerInfo("rouge_l", overlap=True, **UNIT),  # type: ignore[arg-type]
    ScorerInfo("similarity", overlap=True, **UNIT),  # type: ignore[arg-type]
    ScorerInfo("token_count", kind="number", low=0.0, neutral=True),
    ScorerInfo("bleu", aggregate="bleu", overlap=True, kind="number", low=0.0, high=100.0),
    ScorerInfo("chrf", aggregate="chrf", overlap=True, kind="number", low=0.0, high=100.0),
)


def cell(model: str, count: int, seed: int) -> CellResult:
    """One model's answers to `count` samples, a little better the higher its seed."""
    samples = [Sample(f"sample-{i:06d}", f"Question {i}?", f"answer {i}") for i in range(count)]
    rows = [CompletionRow(s.id, 0, Completion(s.id, "an answer")) for s in samples]
    draw = np.random.default_rng(seed)
    scores = {info.name: list(_scores(info, count, draw, 0.01 * seed)) for info in SCORERS}
    name = f"tasks/many.task.yaml::many[{model}]"
    return CellResult(
        name, f"hash of {model}", "many", "task", 1, model, "", samples, rows, scores, SCORERS
    )


def _scores(
    info: ScorerInfo, count: int, draw: np.random.Generator, gain: float
) -> Iterator[Score]:
    if info.aggregate == "mean":
        if info.kind != "number":
            yield from (Score(float(x)) for x in draw.random(count) < 0.6 + gain)
        elif info.neutral:
            yield from (Score(float(x)) for x in draw.integers(1, 80, count))
        else:
            values = draw.beta(3, 5, count) * (1 - gain) + gain
            yield from map(_overlapping, values, values * draw.random(count))
        return
    words = draw.integers(5, 40, count)
    for length, share in zip(words, draw.beta(3, 5, count) + gain, strict=True):
        yield Score(100 * share, control=30.0, detail=_statistics(info, int(length), share))


def _overlapping(value: float, control: float) -> Score:
    return Score(float(value), control=float(control))


def _statistics(info: ScorerInfo, length: int, share: float) -> tuple[float, ...]:
    """Statistics of one answer of so many words, in the layouts of harness.results.corpus."""
    if info.aggregate == "bleu":
        grams = [float(max(length - order, 0)) for order in range(4)]
        hits = [float(int(g * share ** (order + 1))) for order, g in enumerate(grams)]
        return (float(length), float(length), *hits, *grams)
    counts: list[float] = []
    for order in range(6):
        grams_of_order = float(5 * length - order)
        counts += [grams_of_order, grams_of_order, float(int(grams_of_order * share / (order + 1)))]
    return tuple(counts)


def write_runs(folder: Path, count: int = COUNT, specs: Sequence[SpecText] = ()) -> None:
    """Two runs that can be compared; ``specs`` are kept in them."""
    for number, model in enumerate(("before", "after")):
        when = datetime(2026, 11, 20, 12, number, tzinfo=UTC)
        write_run(folder, Run([cell(model, count, number + 1)], when, when, specs=specs))


@contextmanager
def two_runs() -> Iterator[tuple[Path, Sequence[str]]]:
    """A folder of runs, and the names of the two in it; removed afterwards.

    They are written by a process of their own: the peak memory of a process that starts another
    one counts for that one, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, __file__, folder], env=environment, check=True)
        yield Path(folder), sorted(os.listdir(folder))


def compared(repeats: int = REPEATS) -> list[Row]:
    """The rows of RESULTS.md."""
    environment = {"PYTHONPATH": str(ROOT)}
    with two_runs() as (folder, names):
        command = [sys.executable, "-m", "harness", "compare", *names, "--runs", str(folder)]
        done: list[Measured] = []
        for _ in range(repeats):
            done.append(measure([*command, "--format", "json"], folder, environment))
    found = json.loads(done[0].stdout)["comparisons"]
    assert len(found) == len(SCORERS), "every metric is compared"
    best = min(done, key=lambda one: one.wall_s)
    what = f"`harness compare`, two runs of {COUNT:,} samples x {len(SCORERS)} metrics, bootstrap"
    target = f"<= {SECONDS:.0f} s, <= {MEGABYTES:.0f} MB"
    met = best.wall_s <= SECONDS and best.peak_mb <= MEGABYTES
    return [Row(what, best.words(), "", "", target, met)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_runs(Path(sys.argv[1]))
    else:
        print(table(compared()))
