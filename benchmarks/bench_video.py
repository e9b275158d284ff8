"""How much of the time the model works while `crime_mcq` runs on the embedded VLM, without a GPU.

    python benchmarks/bench_video.py

Both models, 1 and 6 frames a second, from the first request of a model to its last answer, with
nothing decoded before. The model is busy while a forward pass runs (prefill and the rest, as each
completion has it); the rest of the time it waited for frames, for pixels, or for us. Loading is
not counted.

The peer is the loop that one would write over PyAV and transformers: a clip is decoded, goes
through the processor with all its choices, and one forward pass scores them; on the same clips at
6 frames a second.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
from table import Row, table  # noqa: E402

from harness.adapters.registry import open_adapter  # noqa: E402
from harness.collect.library import Project  # noqa: E402
from harness.collect.plan import make_plan  # noqa: E402
from harness.media.cache import MediaCache  # noqa: E402
from harness.media.source import MediaSource  # noqa: E402
from harness.runner.generate import by_base  # noqa: E402
from harness.runner.work import Asking, Work, make_work  # noqa: E402

BUSY = 0.80
MODELS = ("tiny-vlm", "tiny-vlm-events")
REPEATS = int(os.environ.get("BENCH_REPEATS", "2"))
PEER_CLIPS = 48


@dataclass
class Spent:
    """Seconds of forward passes and of the clock, and how many answers came."""

    busy: float = 0.0
    wall: float = 0.0
    answers: int = 0
    passes: int = 0

    @property
    def share(self) -> float:
        """Of the time that the model worked."""
        return self.busy / self.wall

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.wall


def watched() -> list[Row]:
    """The rows of RESULTS.md; the best of some runs, since a busy machine takes its share."""
    works = _works("fps=1,6")
    six = _works("fps=6", "answer=likelihood", models=1, limit=PEER_CLIPS)
    both = max((ours(works) for _ in range(REPEATS)), key=lambda spent: spent.share)
    mine = max((ours(six) for _ in range(REPEATS)), key=lambda spent: spent.rate)
    other = max((peer(six[0]) for _ in range(REPEATS)), key=lambda spent: spent.rate)
    clips = len({request.media for work in works for request in work.requests})
    return [
        Row(
            f"crime_mcq, {both.answers} answers: model busy", f"{both.share:.0%}", "", "",
            f">= {BUSY:.0%}", both.share >= BUSY,
        ),
        Row(
            f"{clips} clips x 2 models x 2 rates: decoded", f"{both.passes} times", "", "",
            f"{clips} times", both.passes == clips,
        ),
        Row(
            "clips at 6 fps, 11 choices, answers a second", f"{mine.rate:.1f}",
            f"{other.rate:.1f}", f"{mine.rate / other.rate:.2f}x", "", True,
        ),
    ]  # fmt: skip


def _works(*settings: str, models: int = len(MODELS), limit: int | None = None) -> list[Work]:
    project = Project.here(ROOT)
    cards = [project.get_model(name) for name in MODELS[:models]]
    cells = make_plan([project.get_task("crime_mcq")], cards, settings)
    return make_work(cells, Asking(limit))


def ours(works: list[Work]) -> Spent:
    """The product's adapter, with clips decoded anew."""
    spent = Spent()
    with tempfile.TemporaryDirectory() as folder:
        source = MediaSource(MediaCache(Path(folder)))
        source.expect(request for work in works for request in work.requests)
        for group in by_base(works):
            adapter = open_adapter(group, media=source)
            text = works[0].requests[0]
            for model in group:
                requests = [r for w in works if w.cell.model == model for r in w.requests]
                list(adapter.complete(model, [_without_frames(text)]))  # loads the model
                began = time.perf_counter()
                for batch in adapter.complete(model, requests):
                    spent.answers += len(batch)
                    stages = [done.stages for done in batch if done.stages is not None]
                    spent.busy += sum(one.prefill_ms + one.generate_ms for one in stages) / 1e3
                spent.wall += time.perf_counter() - began
            adapter.close()
        spent.passes = source.passes
    return spent


def _without_frames(request: Any) -> Any:
    from dataclasses import replace

    return replace(request, id="warm", media=(), frames=None)


def peer(work: Work) -> Spent:
    """PyAV and transformers, a clip at a time."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = Path(work.cell.model.path).parent / str(work.cell.model.model_dump()["base"])
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    spent = Spent()
    began = time.perf_counter()
    for request in work.requests:
        frames, seconds = _decoded(request.media[0])
        turns = [{"role": turn.role, "content": [
            {"type": "video"}, {"type": "text", "text": turn.content},
        ]} for turn in request.prompt]  # fmt: skip
        text = processor.apply_chat_template(turns, add_generation_prompt=True)
        count = len(request.continuations)
        inputs = processor(
            text=[text + words for words in request.continuations],
            videos=[[frames]] * count,
            padding=True,
            return_tensors="pt",
            do_sample_frames=False,
            video_metadata=[[{
                "total_num_frames": len(frames), "fps": 6.0, "duration": seconds,
                "frames_indices": list(range(len(frames))),
            }]] * count,
        )  # fmt: skip
        with torch.inference_mode():
            output = model(**inputs)
        scores = output.logits.log_softmax(-1)
        scores[:, :-1].gather(-1, inputs["input_ids"][:, 1:, None]).sum((1, 2)).argmax()
        spent.answers += 1
    spent.wall = time.perf_counter() - began
    return spent


def _decoded(path: str) -> tuple[list[Any], float]:
    import av
    import numpy as np

    taken, wanted, time_ = [], 0.0, 0.0
    with av.open(path) as container:
        for frame in container.decode(video=0):
            time_ = float(frame.time)
            if time_ >= wanted - 1e-6:
                taken.append(np.asarray(frame.to_ndarray(format="rgb24")))
                wanted += 1 / 6
    return taken, time_


if __name__ == "__main__":
    print(table(watched()))
