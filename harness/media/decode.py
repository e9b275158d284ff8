"""A file and what is wanted of it to frames, in one pass, or one clear reason why not.

The timeline says beforehand which frames are to come (see timeline.py), so that a frame is known
by its own time and not by counting. A wanted frame that does not come is an error, and so are
frames whose times do not rise in the order in which the decoder gives them. Wanted frames are
scaled in the decoder's own picture format, so that a full-size RGB frame is never held.

What cannot be seen: bits that flip inside a frame's coded pixels and leave its syntax whole. The
decoder is told to give up at the first fault it finds (``err_detect=explode``) instead of painting
over it, but there is no checksum in a video, and in some codecs (VP8, and MPEG-4 in part) every
sequence of bits is a picture. The checksums of a task's data are for that.

Same file, same sampling, same FFmpeg: same bytes. One thread decodes one file (threads would cost
CPU time, and files are decoded beside each other anyhow); scaling is bicubic and bit-exact. Colours
whose standard the file does not name are BT.601, as FFmpeg, OpenCV and decord have it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from harness.errors import MediaError, shown
from harness.media.clip import DEFAULT_LIMITS, Clip, Frame, Limits
from harness.media.image import decode_image, is_image, larger
from harness.media.sampling import Sampling, Taken, take
from harness.media.timeline import Index, opened, read_index

SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
Stop = Callable[[], bool]


class Stopped(Exception):
    """``stop`` said so."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How a coded frame is turned and mirrored to be seen: quarter turns to the left, after a flip
    of left and right."""

    quarters: int = 0
    flip: bool = False

    def display(self, width: int, height: int) -> tuple[int, int]:
        """A coded size as it is seen, and the other way round."""
        return (height, width) if self.quarters % 2 else (width, height)

    def apply(self, frame: Frame) -> Frame:
        """The frame as it is to be seen."""
        if self.flip:
            frame = frame[:, ::-1]
        return np.ascontiguousarray(np.rot90(frame, self.quarters)) if self != Turn() else frame


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Decoded frames by (index, sampling's number), and the size of the source as it is seen."""

    frames: dict[tuple[int, int], Frame]
    width: int
    height: int


def decode(path: Path, sampling: Sampling, limits: Limits = DEFAULT_LIMITS) -> Clip:
    """The frames of a video or an image that a sampling takes; MediaError says why not."""
    (clip,) = decode_many(path, [sampling], limits)
    if isinstance(clip, MediaError):
        raise clip
    return clip


def decode_many(
    path: Path,
    samplings: Sequence[Sampling],
    limits: Limits = DEFAULT_LIMITS,
    stop: Stop = lambda: False,
) -> tuple[Clip | MediaError, ...]:
    """One clip a sampling, from a single pass over the file (more than one only if all frames
    together are over ``limits.clip_bytes``).

    What is wrong with the file is the error of every sampling; what is wrong with one sampling
    (it starts behind the end, it takes too much) is that one's alone. Raises Stopped as soon as
    ``stop()`` is true.
    """
    try:
        check_file(path, limits)
        clips = (_image if is_image(path) else _video)(path, samplings, limits, stop)
    except MediaError as error:
        clips = [error] * len(samplings)
    return tuple(
        MediaError(f"{shown(path)}: {clip}") if isinstance(clip, MediaError) else clip
        for clip in clips
    )


def check_file(path: Path, limits: Limits) -> None:
    """MediaError if there is no file with something in it, or too much."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise MediaError("is not a file")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"cannot be read: {reason}") from None
    if not size:
        raise MediaError("an empty file")
    if size > limits.file_bytes:
        raise MediaError(f"{size:,} bytes are over the limit of {limits.file_bytes:,}")


def _image(
    path: Path, samplings: Sequence[Sampling], limits: Limits, stop: Stop
) -> list[Clip | MediaError]:
    return [decode_image(path, sampling, limits) for sampling in samplings]


def _video(
    path: Path, samplings: Sequence[Sampling], limits: Limits, stop: Stop
) -> list[Clip | MediaError]:
    index = read_index(path, limits)
    taken: dict[int, Taken] = {}
    clips: list[Clip | MediaError] = [MediaError("not decoded")] * len(samplings)
    for number, sampling in enumerate(samplings):
        try:
            taken[number] = take(sampling, index.timeline, limits.frames)
        except MediaError as error:
            clips[number] = error
    with opened(path, limits) as (_, stream):
        costs = _costs(samplings, taken, stream)
        sizes = {n: samplings[n].size(max(1, stream.width), max(1, stream.height)) for n in taken}
    for number in [number for number, size in sizes.items() if math.prod(size) > limits.pixels]:
        costs.pop(number)
        clips[number] = larger(sizes[number], limits)
    for number in [number for number, cost in costs.items() if cost > limits.clip_bytes]:
        clips[number] = MediaError(
            f"the frames wanted take {costs.pop(number):,} bytes, over the limit of "
            f"{limits.clip_bytes:,}: set resolution or max_frames"
        )
    for batch in _batches(costs, limits.clip_bytes):
        with opened(path, limits) as (container, stream):
            frames = _decoded(container.demux(stream), stream, limits, index.pts is not None)
            together = {number: taken[number] for number in batch}
            pictures = _pictures(frames, index, samplings, together, stop)
        for number in batch:
            clips[number] = _clip(index, taken[number], number, pictures)
    return clips


def _clip(index: Index, taken: Taken, number: int, pictures: _Pictures) -> Clip:
    timeline, notes = index.timeline, list(index.notes)
    if repeats := len(taken.indices) - len(set(taken.indices)):
        notes.append(f"{repeats} of {len(taken.indices)} frames repeat the one before")
    return Clip(
        frames=tuple(pictures.frames[i, number] for i in taken.indices),
        times=tuple(timeline.ticks[i] * timeline.tick for i in taken.indices),
        wanted=taken.wanted,
        indices=taken.indices,
        duration=timeline.duration,
        source_fps=timeline.fps,
        source_frames=len(timeline.ticks),
        width=pictures.width,
        height=pictures.height,
        note="; ".join(notes),
    )


def _costs(
    samplings: Sequence[Sampling], taken: dict[int, Taken], stream: VideoStream
) -> dict[int, int]:
    """Bytes of all frames of each sampling."""
    width, height = max(1, stream.width), max(1, stream.height)
    return {
        number: 3 * math.prod(samplings[number].size(width, height)) * len(set(one.indices))
        for number, one in taken.items()
    }


def _batches(costs: dict[int, int], most: int) -> Iterator[list[int]]:
    """Samplings that are decoded together: all of them, unless memory forbids it."""
    batch: list[int] = []
    for number, cost in costs.items():
        if batch and sum(costs[one] for one in batch) + cost > most:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _decoded(
    packets: Iterator[av.Packet[VideoStream]], stream: VideoStream, limits: Limits, by_time: bool
) -> Iterator[VideoFrame]:
    """The frames of a stream in the order of display; MediaError at the first fault."""
    context = stream.codec_context
    context.thread_type, context.thread_count = av.codec.context.ThreadType.NONE, 1
    context.options = {"err_detect": "+crccheck+explode", "max_pixels": str(limits.pixels)}
    at, before = 0.0, -math.inf
    try:
        for packet in packets:
            for frame in packet.decode():
                if frame.width * frame.height > limits.pixels:
                    size = f"{frame.width} x {frame.height}"
                    raise MediaError(f"a frame of {size} pixels is over {limits.pixels:,}")
                if frame.is_corrupt:
                    raise MediaError(f"damaged: the frame at {at:.2f} s is incomplete")
                if frame.pts is not None and by_time:
                    if frame.pts <= before:
                        raise MediaError(f"damaged: its times run backwards after {at:.2f} s")
                    at, before = frame.time, frame.pts
                yield frame
    except (av.FFmpegError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"damaged: cannot be decoded after {at:.2f} s ({cause})") from None


def _pictures(
    frames: Iterator[VideoFrame],
    index: Index,
    samplings: Sequence[Sampling],
    taken: dict[int, Taken],
    stop: Stop,
) -> _Pictures:
    """All wanted frames; MediaError if one of them does not come."""
    needs = _needs(taken)
    known = None if index.pts is None else {pts: number for number, pts in enumerate(index.pts)}
    found: dict[tuple[int, int], Frame] = {}
    scaler, width, height, came = None, 0, 0, 0
    for frame in frames:
        if stop():
            raise Stopped
        if scaler is None:
            turn = turn_of(frame)
            width, height = turn.display(frame.width, frame.height)
            sizes = {n: turn.display(*samplings[n].size(width, height)) for n in taken}
            scaler = _Scaler(turn, sizes)
        number = came if known is None else known.get(-1 if frame.pts is None else frame.pts, -1)
        came += 1
        if wanting := needs.pop(number, None):
            found.update(scaler.scaled(frame, number, wanting))
        # without times the count is the only proof that no frame was left out
        if not needs and known is not None:
            break
    if needs:
        time = index.timeline.ticks[min(needs)] * index.timeline.tick
        raise MediaError(f"damaged: the frame at {time:.2f} s cannot be decoded")
    if known is None and came != len(index.timeline.ticks):
        wanted = len(index.timeline.ticks)
        raise MediaError(f"damaged: {came} of {wanted} frames can be decoded, without timestamps")
    return _Pictures(found, width, height)


def _needs(taken: dict[int, Taken]) -> dict[int, list[int]]:
    """Which samplings want a frame, by its index."""
    needs: dict[int, list[int]] = {}
    for number, one in taken.items():
        for index in set(one.indices):
            needs.setdefault(index, []).append(number)
    return needs


class _Scaler:
    """Frames to arrays: one conversion for all samplings that want the same size."""

    def __init__(self, turn: Turn, sizes: dict[int, tuple[int, int]]) -> None:
        self.turn, self.sizes = turn, sizes
        self.scalers = {size: VideoReformatter() for size in sizes.values()}

    def scaled(
        self, frame: VideoFrame, index: int, samplings: Sequence[int]
    ) -> dict[tuple[int, int], Frame]:
        """The frame for each sampling, by (index, sampling)."""
        made: dict[tuple[int, int], Frame] = {}
        for number in samplings:
            size = self.sizes[number]
            if size not in made:
                made[size] = self._one(frame, size)
        return {(index, number): made[self.sizes[number]] for number in samplings}

    def _one(self, frame: VideoFrame, size: tuple[int, int]) -> Frame:
        scaled = self.scalers[size].reformat(
            frame, *size, format="rgb24", interpolation=SCALING, threads=1
        )
        array = self.turn.apply(np.asarray(scaled.to_ndarray(), np.uint8))
        array.flags.writeable = False
        return array


def turn_of(frame: VideoFrame) -> Turn:
    """What the file's display matrix says; MediaError if that is no multiple of a quarter turn.

    The matrix maps a coded (x, y) to (a x + c y, b x + d y), rows before columns: a b u, c d v.
    """
    found = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(found, SideData):
        return Turn()
    a, b, _, c, d = struct.unpack("<5i", bytes(found)[:20])
    most = max(abs(value) for value in (a, b, c, d))
    signs = tuple(0 if 16 * abs(v) < most else int(math.copysign(1, v)) for v in (a, b, c, d))
    if signs not in TURNS:
        raise MediaError("is to be shown at an angle that is no multiple of 90 degrees")
    return TURNS[signs]


TURNS = {
    (1, 0, 0, 1): Turn(),
    (0, 1, -1, 0): Turn(3),
    (-1, 0, 0, -1): Turn(2),
    (0, -1, 1, 0): Turn(1),
    (-1, 0, 0, 1): Turn(0, True),
    (0, -1, -1, 0): Turn(3, True),
    (1, 0, 0, -1): Turn(2, True),
    (0, 1, 1, 0): Turn(1, True),
}
"""(a, b, c, d) by sign. Flip left-right sends x to -x; then turns to the left."""
