"""Replies in a cache to verdicts, nothing else: `python benchmarks/reread.py RUN CACHE CARD`.

Reads the keys of a run's verdicts, then measures the way from the cache's file to graded verdicts.
Prints JSON: how many, how many of them good, wall and CPU seconds (start of Python left out).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from harness.adapters.cache import Cache
from harness.collect.library import Project
from harness.judges.judge import Judge
from harness.records import Request, Verdict

CHUNK = 10_000


def main(run: Path, file: Path, card: str) -> None:
    """In the folder of the project."""
    project = Project.here()
    model = project.get_model(card)
    judge = Judge.of(project.get_judge("vad_rubric").model_copy(update={"model": card}), [model])
    keys: list[bytes] = pq.read_table(run / "verdicts.parquet", columns=["key"])["key"].to_pylist()
    request = Request("sample#0", "generate", ())
    cache = Cache(file)
    good, wall, cpu = 0, time.perf_counter(), time.process_time()
    for start in range(0, len(keys), CHUNK):
        for key, done in cache.get(keys[start : start + CHUNK]).items():
            found = judge.read(model, request, done, cached=True, key=key)
            good += isinstance(found, Verdict) and found.status == "ok"
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    print(json.dumps({"keys": len(keys), "good": good, **seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
