"""Decoding ahead, on threads, while the model works.

    with Decoder([Job(path, sampling), ...], MediaCache()) as clips:
        for clip in clips:  # in the order of the jobs; a Clip, or the MediaError of this job
            ...

A file is read in one pass for all samplings of it that the jobs name and the cache lacks, so the
variants of a task (1 and 6 frames a second, three resolutions) cost one decoding. A worker is at
most ``ahead`` jobs in front of the reader: that many clips are held in memory at a time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import MediaError
from harness.media.cache import Digests, MediaCache, clip_key
from harness.media.clip import DEFAULT_LIMITS, Clip, Limits
from harness.media.decode import Stopped, check_file, decode_many
from harness.media.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Job:
    """One clip that is wanted: a file and what is to be taken of it."""

    path: Path
    sampling: Sampling


class Decoder:
    """The clips of jobs, in order; iterate once.

    ``passes`` counts how often a file was decoded, ``hits`` the clips that the cache had.
    ``took_ms[number]`` is what the clip of a job cost, of a pass for several its share.
    Before iterating, ``expected`` may name further samplings of files, which are decoded in the
    same pass and kept in the cache, and ``after`` what is done to each clip on its thread.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        cache: MediaCache | None = None,
        limits: Limits = DEFAULT_LIMITS,
        *,
        threads: int = 2,
        ahead: int = 4,
    ) -> None:
        self.jobs, self.cache, self.limits = tuple(jobs), cache, limits
        self.ahead = max(1, ahead)
        self.expected: Mapping[Path, Collection[Sampling]] = {}
        self.after: Callable[[int, Clip], Clip | MediaError] | None = None
        self.took_ms = [0.0] * len(self.jobs)
        self.passes = self.hits = 0
        self._digests = Digests()
        self._next = 0  # the first job that was not given to a thread yet
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max(1, threads), "decode")
        self._of_file: dict[Path, list[int]] = {}
        for number, job in enumerate(self.jobs):
            self._of_file.setdefault(job.path, []).append(number)
        self._file_locks = {path: threading.Lock() for path in self._of_file}
        self._ready: dict[int, Clip | MediaError] = {}
        self._failed: dict[tuple[Path, Sampling], MediaError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Clip | MediaError]:
        waiting: deque[Future[Clip | MediaError]] = deque()
        try:
            while not self._stop.is_set():
                while len(waiting) < self.ahead and self._next < len(self.jobs):
                    waiting.append(self._pool.submit(self._work, self._next))
                    self._next += 1
                if not waiting:
                    return
                yield waiting.popleft().result()
        except (Stopped, CancelledError):
            return
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Stop the threads, in the middle of a file if need be, and wait for them."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, number: int) -> Clip | MediaError:
        """The clip of a job as its reader gets it."""
        clip = self._clip(number)
        if self.after is None or isinstance(clip, MediaError):
            return clip
        began = time.perf_counter()
        done = self.after(number, clip)
        self.took_ms[number] += (time.perf_counter() - began) * 1e3
        return done

    def _clip(self, number: int) -> Clip | MediaError:
        """The clip of a job: from an earlier pass over its file, from the cache, or decoded."""
        job = self.jobs[number]
        with self._file_locks[job.path]:
            if self._stop.is_set():
                raise Stopped
            with self._lock:
                done = self._ready.pop(number, None) or self._failed.get((job.path, job.sampling))
            if done is not None:
                return done
            began = time.perf_counter()
            done = self._look_up(number)
            self.took_ms[number] += (time.perf_counter() - began) * 1e3
            return done

    def _look_up(self, number: int) -> Clip | MediaError:
        job, digest = self.jobs[number], ""
        if self.cache is not None:
            try:
                check_file(job.path, self.limits)
                digest = self._digests.of(job.path)
            except MediaError:  # which decoding says better, and for all of its jobs
                return self._decode(number, "")
            if clip := self.cache.get(clip_key(digest, job.sampling)):
                with self._lock:
                    self.hits += 1
                return clip
        return self._decode(number, digest)

    def _decode(self, number: int, digest: str) -> Clip | MediaError:
        """One pass over a file for this job and all later ones that lack their clip."""
        job = self.jobs[number]
        later = [other for other in self._of_file[job.path] if other > number]
        wanted = {job.sampling: clip_key(digest, job.sampling)}
        for other in later:
            sampling = self.jobs[other].sampling
            if sampling not in wanted and self._wants(other, number, digest):
                wanted[sampling] = clip_key(digest, sampling)
        if self.cache is not None and digest:
            for sampling in self.expected.get(job.path, ()):
                key = clip_key(digest, sampling)
                if sampling not in wanted and not self.cache.has(key):
                    wanted[sampling] = key
        made = decode_many(job.path, list(wanted), self.limits, self._stop.is_set)
        clips = dict(zip(wanted, made, strict=True))
        with self._lock:
            self.passes += 1
            self._failed |= {
                (job.path, sampling): clip
                for sampling, clip in clips.items()
                if isinstance(clip, MediaError)
            }
            for other in later:
                sampling = self.jobs[other].sampling
                if other < number + self.ahead and sampling in clips:
                    self._ready[other] = clips[sampling]
        for sampling, clip in clips.items():
            if self.cache is not None and digest and isinstance(clip, Clip):
                self.cache.put(wanted[sampling], clip)
        return clips[job.sampling]

    def _wants(self, other: int, number: int, digest: str) -> bool:
        """Whether the pass for one job is to serve a later one: it lacks its clip, and there is
        somewhere to keep that."""
        if self.cache is None or not digest:
            return other < number + self.ahead
        return not self.cache.has(clip_key(digest, self.jobs[other].sampling))
