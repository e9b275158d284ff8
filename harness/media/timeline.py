"""Which frames a video has, and when: read from its packets, before anything is decoded.

Reading all packets costs about a hundredth of decoding them, and settles what headers leave open
or lie about: duration, number of frames, variable frame rate, an end that is missing. PyAV says
nothing about a truncated file by itself; here it is found by one of three signs:

- a packet that is marked incomplete;
- an index (mp4, mov) with an entry that lies behind the end of the file;
- a declared duration (mp4, mov, Matroska, AVI, FLV, ASF) that is longer than what came by more
  than max(0.25 s, 3 mean frame intervals), or max(0.1 s, 2 intervals) for the pictures of an mp4.

A file that declares nothing (a live recording, a transport stream, bare H.264) cannot be checked
for a missing end; its note says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from harness.errors import MediaError
from harness.media.clip import Limits
from harness.media.sampling import Timeline

# demuxers that read one file and nothing else: no playlist, no list of files, no device
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,ivf,obu,mxf,"
    "h264,hevc,m4v,mp3,wav,flac,aac"
)
DECLARING = {"mov", "matroska", "avi", "flv", "asf"}
BY_ORDER = {"avi"}  # stores no time of display: what FFmpeg makes up is wrong with B-frames
SLACK = (0.25, 3)  # seconds, frames
EXACT_SLACK = (0.1, 2)
MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True)
class Index:
    """The frames of a file.

    pts: the time of each frame as its decoder will say it, in the order of display; None if the
    file has none, then the k-th frame that comes out is the k-th of the timeline.
    notes: what is worth saying about the file.
    """

    timeline: Timeline
    pts: tuple[int, ...] | None
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Packets:
    """What was read of the picture stream; ``latest`` is the largest pts, ``last`` its packet's
    duration, ``ends`` the begin and end of all streams together in seconds."""

    pts: list[int | None]
    dts: list[int | None]
    keys: list[bool]
    latest: float = float("-inf")
    last: int = 0
    ends: tuple[float, float] = (float("inf"), float("-inf"))

    def reach(self, begin: float, end: float) -> None:
        self.ends = (min(self.ends[0], begin), max(self.ends[1], end))


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file and its picture stream; MediaError if there is none, or one that is too large."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(_unreadable(path, error)) from None
    with container:
        stream = _picture_stream(container)
        if stream.width * stream.height > limits.pixels:
            size = f"{stream.width} x {stream.height}"
            raise MediaError(f"frames of {size} pixels are over the limit of {limits.pixels:,}")
        for declared in (container.duration or 0) / MICROSECONDS, _declared(stream):
            if declared > limits.duration:
                raise MediaError(_too_long(declared, limits))
        yield container, stream


def read_index(path: Path, limits: Limits) -> Index:
    """The frames of a video; MediaError if it has none, too many, or lacks its end."""
    with opened(path, limits) as (container, stream):
        kind = container.format.name.partition(",")[0]
        try:
            found = _packets(container, stream, limits)
        except av.FFmpegError as error:
            raise MediaError(f"damaged, its packets cannot be read ({_cause(error)})") from None
        if not found.pts:
            raise MediaError("a video without a single frame")
        if kind == "mov" and any(
            entry.pos + entry.size > path.stat().st_size for entry in stream.index_entries
        ):
            raise MediaError("truncated: its index names frames behind the end of the file")
        index = _index(found, stream, by_order=kind in BY_ORDER)
        if kind == "mov" and len(index.timeline.ticks) < len(found.pts) and not index.notes:
            raise MediaError("damaged: its index puts two frames at the same time")
        if index.timeline.duration > limits.duration:
            raise MediaError(_too_long(index.timeline.duration, limits))
        notes = [*index.notes, *_shape_note(stream)]
        if kind in DECLARING and container.duration is not None:
            _check_end(index.timeline, found, stream, container.duration / MICROSECONDS)
        else:
            notes.append("declares no duration, so a missing end would go unseen")
        return Index(index.timeline, index.pts, tuple(notes))


def _packets(container: InputContainer, stream: VideoStream, limits: Limits) -> _Packets:
    found, strict = _Packets([], [], []), container.format.name.startswith("mov")
    for packet in container.demux():
        if not packet.size:  # the end of a stream, or a frame that AVI leaves out
            if packet.pts is not None and packet.stream_index == stream.index and strict:
                raise MediaError("damaged: its index has a frame without content")
            continue
        if packet.pts is not None and packet.time_base is not None:
            tick = float(packet.time_base)
            found.reach(packet.pts * tick, (packet.pts + (packet.duration or 0)) * tick)
        if packet.stream_index != stream.index:
            continue
        if packet.is_corrupt:
            raise MediaError("truncated: a frame is incomplete in the file")
        if packet.is_discard:  # decoded but, by the file's edit list, never shown
            continue
        found.pts.append(packet.pts)
        found.dts.append(packet.dts)
        found.keys.append(packet.is_keyframe)
        if packet.pts is not None and packet.pts > found.latest:
            found.latest, found.last = packet.pts, packet.duration or 0
        if len(found.pts) > limits.source_frames:
            raise MediaError(f"more than {limits.source_frames:,} frames, which is the limit")
    return found


def _index(found: _Packets, stream: VideoStream, *, by_order: bool) -> Index:
    """The timeline, from the best times that the packets have."""
    if not by_order and all(pts is not None for pts in found.pts):
        times = [pts for pts in found.pts if pts is not None]
        first = next((t for t, key in zip(times, found.keys, strict=True) if key), min(times))
        shown = tuple(sorted({pts for pts in times if pts >= first}))
        lost = sum(pts < first for pts in times)
        note = (f"{lost} frames before the first key frame are left out",) if lost else ()
        timeline = _timeline([pts - first for pts in shown], _tick(stream), found.last, stream)
        return Index(timeline, shown, note)
    dts = [dts for dts in found.dts if dts is not None]
    if len(dts) == len(found.dts) and len(set(dts)) == len(dts):
        ticks = [one - min(dts) for one in sorted(dts)]
        return Index(_timeline(ticks, _tick(stream), 0, stream), None, ())
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        raise MediaError("has neither timestamps nor a frame rate")
    note = (f"has no timestamps: frames are taken to be 1/{float(rate):g} s apart",)
    count = len(found.pts)
    return Index(Timeline(tuple(range(count)), float(1 / rate), float(count / rate)), None, note)


def _timeline(ticks: list[int], tick: float, last: int, stream: VideoStream) -> Timeline:
    """``last`` is the length of the last frame in ticks, 0 if unknown: then the mean interval."""
    if last:
        end: float = ticks[-1] + last
    elif len(ticks) > 1:
        end = ticks[-1] * len(ticks) / (len(ticks) - 1)
    else:
        end = float(1 / stream.average_rate) / tick if stream.average_rate else 0.0
    return Timeline(tuple(ticks), tick, end * tick)


def _check_end(timeline: Timeline, found: _Packets, stream: VideoStream, whole: float) -> None:
    """MediaError if less came than was declared, for the pictures or for the ``whole`` file."""
    kind = stream.container.format.name
    if kind == "avi" and stream.average_rate:  # FFmpeg guesses from what is left of the file
        whole = stream.frames / float(stream.average_rate)
    begin, end = found.ends
    # a container's duration may count from 0 or from its first packet
    all_came = max(end, end - begin, timeline.duration)
    exact = EXACT_SLACK if kind.startswith("mov") else SLACK
    checks = ((_declared(stream), timeline.duration, exact), (whole, all_came, SLACK))
    mean = timeline.duration / len(timeline.ticks)
    for declared, came, (seconds, frames) in checks:
        if declared > came + max(seconds, frames * mean):
            raise MediaError(f"truncated: {declared:.2f} s are declared, {came:.2f} s are there")


def _picture_stream(container: InputContainer) -> VideoStream:
    attached = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & attached]
    if not streams:
        kinds = sorted(
            {"a cover" if s.disposition & attached else s.type for s in container.streams}
        )
        raise MediaError(f"holds no video, only {' and '.join(kinds) or 'an empty header'}")
    if streams[0].codec_context is None:
        raise MediaError("its codec is unknown, or its header is damaged")
    return streams[0]


def _tick(stream: VideoStream) -> float:
    return float(stream.time_base) if stream.time_base else 1.0


def _declared(stream: VideoStream) -> float:
    """Seconds that the picture stream declares for itself; 0 if it does not."""
    if stream.duration is not None:
        return stream.duration * _tick(stream)
    try:  # Matroska writes 00:01:02.500000000
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _shape_note(stream: VideoStream) -> list[str]:
    ratio = stream.sample_aspect_ratio
    if not ratio or ratio == 1:
        return []
    return [f"pixels are not square ({ratio.numerator}:{ratio.denominator}), taken as if they were"]


def _too_long(seconds: float, limits: Limits) -> str:
    return f"lasts {seconds:,.0f} s, over the limit of {limits.duration:,.0f} s"


def _unreadable(path: Path, error: Exception) -> str:
    """Why a file could not be opened, in words."""
    if isinstance(error, av.MemoryError | PermissionError):
        return f"cannot be opened ({_cause(error)})"
    names = top_boxes(path)
    if names[:1] == ("ftyp",) and "moov" not in names:
        return "an mp4 without its index (no moov box): the recording or the copy broke off"
    return "not a video or an image that can be read, or its header is damaged"


def top_boxes(path: Path, most: int = 1000) -> tuple[str, ...]:
    """The names of an mp4's outermost boxes, as far as they make sense."""
    names: list[str] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size and len(names) < most:
            file.seek(at)
            head = file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:], "big")
            if not name.isascii() or (length and length < 8):
                break
            names.append(name.decode())
            at = at + length if length else size
    return tuple(names)


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
