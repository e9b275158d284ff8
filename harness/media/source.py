"""The frames that requests ask for: decoded ahead, made worse if asked, in the order of requests.

    source = MediaSource(MediaCache(project / ".harness/media"))
    source.expect(all_requests)                    # of all models and variants of the run
    for request, seen in source.clips(requests):   # Seen, or the MediaError of this request
        ...

A file is decoded once for all that the run expects of it; see ahead.py.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import MediaError
from harness.media.ahead import Decoder, Job
from harness.media.cache import MediaCache
from harness.media.clip import DEFAULT_LIMITS, Clip, Limits
from harness.media.degrade import Degradation, degrade
from harness.media.sampling import Sampling
from harness.records import FrameSettings, Request

FPS = 1.0
"""Frames a second where neither `fps` nor `frames` says anything."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The media of one request: a clip each, and the milliseconds that decoding them took."""

    clips: tuple[Clip, ...]
    decode_ms: float

    @property
    def times(self) -> tuple[float, ...]:
        """Seconds of all frames, clip after clip."""
        return tuple(time for clip in self.clips for time in clip.times)


class MediaSource:
    """Clips for adapters. ``passes`` counts decodings of files, ``hits`` clips from the cache,
    ``waited_ms`` how long readers had to wait for the next clip."""

    def __init__(
        self,
        cache: MediaCache | None = None,
        limits: Limits = DEFAULT_LIMITS,
        *,
        threads: int = 2,
        ahead: int = 8,
    ) -> None:
        self.cache, self.limits, self.threads, self.ahead = cache, limits, threads, ahead
        self.passes = self.hits = 0
        self.waited_ms = 0.0
        self._expected: dict[Path, dict[Sampling, None]] = {}

    def expect(self, requests: Iterable[Request]) -> None:
        """Say what the run will ask for, so that a file that is read is read for all of it."""
        for request in requests:
            if request.frames is None:
                continue
            wanted = _sampling(request)
            if isinstance(wanted, Sampling):
                for path in request.media:
                    self._expected.setdefault(Path(path), {})[wanted] = None

    def clips(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Seen | MediaError]]:
        """Each request with its clips, in their order; one file that fails fails its request."""
        taken = [_sampling(request) for request in requests]
        readable = [
            request
            for request, one in zip(requests, taken, strict=True)
            if isinstance(one, Sampling)
        ]
        jobs = [
            Job(Path(path), one)
            for request, one in zip(requests, taken, strict=True)
            if isinstance(one, Sampling)
            for path in request.media
        ]
        owners = [(r, number) for r in readable for number in range(len(r.media))]
        with Decoder(
            jobs, self.cache, self.limits, threads=self.threads, ahead=self.ahead
        ) as decoder:
            decoder.expected = self._expected
            decoder.after = lambda job, clip: _degraded(clip, *owners[job])
            made, first = iter(decoder), 0
            try:
                for request, one in zip(requests, taken, strict=True):
                    if isinstance(one, MediaError):
                        yield request, one
                        continue
                    began, last = time.perf_counter(), first + len(request.media)
                    parts = [next(made) for _ in request.media]
                    self.waited_ms += (time.perf_counter() - began) * 1e3
                    yield request, _seen(parts, sum(decoder.took_ms[first:last]))
                    first = last
            finally:
                self.passes += decoder.passes
                self.hits += decoder.hits


def _sampling(request: Request) -> Sampling | MediaError:
    try:
        return sampling_of(request.frames or FrameSettings())
    except MediaError as error:  # a row's own times
        return error


def _degraded(clip: Clip, request: Request, number: int) -> Clip | MediaError:
    try:
        how = Degradation.parse(request.frames.degrade if request.frames else "none")
        if how is None:
            return clip
        return replace(clip, frames=degrade(clip.frames, how, clip_seed(request, number)))
    except MediaError as error:
        return error


def _seen(parts: Sequence[Clip | MediaError], decode_ms: float) -> Seen | MediaError:
    failed = next((part for part in parts if isinstance(part, MediaError)), None)
    return failed or Seen(tuple(part for part in parts if isinstance(part, Clip)), decode_ms)


def sampling_of(frames: FrameSettings) -> Sampling:
    """What is taken of a file: ``frames`` beside ``fps`` is the most that are taken."""
    fps, most = frames.fps, frames.max_frames
    if fps is not None and frames.frames is not None:
        most = frames.frames if most is None else min(most, frames.frames)
    count, every = frames.frames if fps is None else None, None
    if isinstance(fps, str):
        every, fps = int(fps.partition("/")[2] or 1), None
    elif fps is None and count is None:
        fps = FPS
    resolution: object = frames.resolution
    return replace(
        Sampling.of({"resolution": resolution}),
        fps=fps,
        every=every,
        frames=count,
        max_frames=most,
        start=frames.start,
        end=frames.end,
    )


def clip_seed(request: Request, number: int) -> int:
    """The seed of what is drawn for a clip: of the file's name and of the settings' own seed, so
    that every model and every variant gets the same noise."""
    own = request.frames.seed if request.frames else 0
    return (zlib.crc32(Path(request.media[number]).name.encode()) + own * 1_000_003) % 2**32
