"""The transformers adapter as a whole process: `gen` or `choices`, JSON with wall, CPU, peak.

Usage: python benchmarks/bench_adapter.py gen|choices FOLDER [--count 512] [--answers FILE]
where FOLDER is what benchmarks/models.py made.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import models

from harness.adapters.registry import open_adapter
from harness.collect.specs import TransformersModel
from harness.records import Completion, GenerateSettings, Request

NEW_TOKENS = 64


def requests(kind: str, folder: Path, count: int) -> list[Request]:
    """The same work that bench_lm_eval.py gives to lm-eval."""
    work = models.work(folder, count)
    texts = work.prompts
    if kind == "gen":
        settings = GenerateSettings(max_new_tokens=NEW_TOKENS)
        numbered = enumerate(texts)
        return [Request(str(i), "generate", text, settings=settings) for i, text in numbered]
    return [
        Request(str(i), "choices", text, tuple(" " + choice for choice in work.choices[i]))
        for i, text in enumerate(texts)
    ]


def answer(kind: str, done: Completion) -> str | int:
    """What is compared: the text, or the number of the most probable choice."""
    if done.failed:
        raise SystemExit(f"request {done.id} failed: {done.error}")
    return done.text if kind == "gen" else done.logprobs.index(max(done.logprobs))


def main() -> None:
    """Run, and print one line of JSON."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["gen", "choices"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--answers", type=Path)
    args = parser.parse_args()
    asked = requests(args.kind, args.folder, args.count)
    card = TransformersModel(
        model="bench", adapter="transformers", base=str(args.folder), dtype="float32", device="cpu"
    )
    adapter = open_adapter([card])
    found: dict[str, str | int] = {}
    for batch in adapter.complete(card, asked):
        found |= {done.id: answer(args.kind, done) for done in batch}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    if args.answers:
        args.answers.write_text(json.dumps([found[request.id] for request in asked]), "utf-8")
    report = {
        "wall_s": round(time.perf_counter() - started, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6),
        "answers": len(found),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
