"""Whether a model can be asked: its files, its fingerprint, a short question in words, and one
about a few frames where it sees.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.adapters.base import Adapter
from harness.adapters.conformance import Check, examine_worker, moving_square
from harness.adapters.registry import open_adapter
from harness.collect.specs import BridgeModel, ModelSpec
from harness.errors import HarnessError
from harness.records import FrameSettings, GenerateSettings, Message, Request

QUESTION = "What is two plus two? Answer with one number."
WATCHED = "What moves in this video? Answer in a few words."
TOKENS, SHOWN = 8, 60
UNASKED = {
    "replay": "recorded answers; nothing is asked",
    "embedding-judge": "fills in judges' forms; nothing is asked",
}
"""Adapters that answer no question of ours."""


def examine(model: ModelSpec, allow_code: bool) -> Iterator[Check]:
    """All checks that make sense for a model, in their order; raises nothing that a user can
    mend. A question to an API is sent, and paid for."""
    if isinstance(model, BridgeModel):
        yield from examine_worker(model, allow_code)
        return
    adapter = open_adapter([model], allow_code)
    try:
        began = time.perf_counter()
        printed = adapter.fingerprint(model)
        yield Check("files, fingerprint", True, printed[:16], time.perf_counter() - began)
        if model.adapter in UNASKED:
            yield Check("question", True, UNASKED[model.adapter])
        else:
            yield from _questions(adapter, model)
    except HarnessError as error:
        first = str(error).splitlines()[0]
        yield Check("can be asked", False, first)
    finally:
        adapter.close()


def sees(model: ModelSpec) -> bool:
    """Whether a model is shown frames: all of adapter `vision`; behind an API only those whose
    card says how a video is sent (`video:`), since most see nothing."""
    return model.adapter == "vision" or "video" in model.model_fields_set


def _questions(adapter: Adapter, model: ModelSpec) -> Iterator[Check]:
    """A question in words, and to a model that sees one about frames; each is asked twice."""
    yield from _twice(adapter, model, _request(), ("question", "same again"))
    if sees(model):
        with tempfile.TemporaryDirectory(prefix="harness-doctor-") as folder:
            request = _watched(_write(Path(folder) / "square.mp4"))
            yield from _twice(adapter, model, request, ("frames", "same frames again"))


def _twice(
    adapter: Adapter, model: ModelSpec, request: Request, names: tuple[str, str]
) -> Iterator[Check]:
    first = _answer(adapter, model, request, names[0])
    yield first
    if first.ok:
        yield _again(first, _answer(adapter, model, request, names[1]), model)


def _answer(adapter: Adapter, model: ModelSpec, request: Request, name: str) -> Check:
    began = time.perf_counter()
    (done,) = [one for batch in adapter.complete(model, [request]) for one in batch]
    took = time.perf_counter() - began
    if done.error is not None:
        return Check(name, False, done.error, took)
    line = " ".join(done.text.split())
    return Check(name, True, repr(line[:SHOWN]), took)


def _again(first: Check, second: Check, model: ModelSpec) -> Check:
    if not second.ok or second.said == first.said:
        return second
    what = f"{first.said}, then {second.said}"
    if model.adapter == "openai":  # servers do not promise it
        return replace(second, said=f"{what}: the server is not repeatable")
    return replace(second, ok=False, said=f"{what}, at temperature 0")


def _request() -> Request:
    settings = GenerateSettings(max_new_tokens=TOKENS)
    return Request("doctor", "generate", QUESTION, settings=settings)


def _watched(path: Path) -> Request:
    """A question about four frames of a short clip."""
    settings = GenerateSettings(max_new_tokens=TOKENS)
    turns = (Message("user", WATCHED),)
    frames = FrameSettings(frames=4)
    return Request("doctor", "generate", turns, (), settings, (str(path),), frames)


def _write(path: Path) -> Path:
    """The moving square as an mp4."""
    import av

    clip = moving_square(8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=4, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        for frame in clip.frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
    return path
