"""What a model behind an API is shown of a request's media: frames as images, or whole files.

`video: frames` in a card: the frames that the request asks for, in the order of time, each behind
a line with its time; an image file is sent as it is, unless it is to be changed. `video: url`:
each video as one `video_url` (vLLM), of which the server takes the frames that it likes. Images
without `frames` (judges') are sent as they are.

Clips are decoded ahead by `MediaSource`, on its threads, and encoded on others, so that the event
loop goes on. At most its ``ahead`` clips and ENCODERS + 1 more are held in memory, and of requests
that are being asked no more than what is sent.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.adapters.api_media import (
    MAX_MEDIA_BYTES,
    UnusableImage,
    data_url,
    frame_url,
    video_url,
)
from harness.adapters.api_wire import Part, text_tokens
from harness.collect.specs import OpenAIModel
from harness.errors import MediaError, shown
from harness.records import FrameSettings, Request

if TYPE_CHECKING:
    from harness.media.clip import Clip
    from harness.media.source import MediaSource, Seen

    Clips = Iterator[tuple[Request, Seen | MediaError]]

ENCODERS = 2  # requests whose frames are encoded, or waited for, at once
TILE, TILE_TOKENS, BASE_TOKENS = 512, 170, 85
LONG_SIDE, SHORT_SIDE = 2048, 768  # what OpenAI scales a picture to before it is cut into tiles
URL_FRAMES = 32  # what vLLM takes of a video, if its server was not told otherwise
UNKNOWN = (10.0, 640, 480)  # seconds, width, height of a file whose header cannot be read
URL_NOTE = "video: url: the server chooses the frames, whatever fps, frames and max_frames say"
ROTATION = 0x0112  # Exif
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

How = Literal["text", "files", "frames", "url"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is sent of a request's media.

    tokens: an estimate, of media with ``frames`` only. times: seconds of the frames, where we
    chose them. encode_ms: reading files, JPEG and base64. note: for the run, in one line.
    """

    parts: tuple[Part, ...] = ()
    tokens: int = 0
    times: tuple[float, ...] = ()
    decode_ms: float = 0.0
    encode_ms: float = 0.0
    frames: int = 0
    note: str = ""


class Feed:
    """Requests in their order, each with what it shows; belongs to one event loop."""

    def __init__(
        self, card: OpenAIModel, requests: Sequence[Request], source: Callable[[], MediaSource]
    ) -> None:
        self._card, self._requests, self._source = card, requests, source
        self._at = 0  # the next request
        self._turn, self._encoders = asyncio.Lock(), asyncio.Semaphore(ENCODERS)
        self._lock = threading.Lock()  # around the clips, which stop only between two of them
        self._clips: Clips | None = None
        self._left = 0  # clips that are still to come
        self._closed = False

    async def next(
        self, why_not: Callable[[Request], str | None]
    ) -> tuple[Request, Shown | str] | None:
        """The next request, and what is shown of its media or why it cannot be asked; None
        behind the last. ``why_not`` is asked first: what is not sent is not decoded."""
        async with self._encoders:
            async with self._turn:
                if self._at >= len(self._requests):
                    return None
                at, request = self._at, self._requests[self._at]
                self._at += 1
                why = why_not(request)
                if why is not None:
                    if self._clips is not None:  # the next clip would be this request's
                        await asyncio.to_thread(self._drop)
                    return request, why
                if not request.media:
                    return request, Shown()
                how, seen = await asyncio.to_thread(self._seen, at)
            return request, await asyncio.to_thread(shown_of, request, how, seen)

    async def close(self) -> None:
        """Stop decoding; waits for the clip that is being decoded."""
        self._closed = True
        if self._clips is not None or self._turn.locked():
            await asyncio.to_thread(self._drop)

    def _seen(self, at: int) -> tuple[How, Seen | MediaError | None]:
        request = self._requests[at]
        how = sent_as(self._card, request)
        if how != "frames":
            return how, None
        with self._lock:
            if self._closed:
                return how, MediaError("not asked: the adapter was closed")
            if self._clips is None:
                later = [r for r in self._requests[at:] if sent_as(self._card, r) == "frames"]
                self._clips, self._left = self._source().clips(later), len(later)
            _, seen = next(self._clips)
            self._left -= 1
            if not self._left:  # to its end, so that the source counts what it did
                next(self._clips, None)
            return how, seen

    def _drop(self) -> None:
        with self._lock:
            clips, self._clips = self._clips, None
            close = getattr(clips, "close", None)
            if close:
                close()


def sent_as(card: OpenAIModel, request: Request) -> How:
    """How a request's media are sent; a request of nothing but images shows them as frames,
    whatever the card says of videos."""
    if not request.media:
        return "text"
    if request.frames is None:
        return "files"
    whole = card.video == "url" and not all(_is_image(path) for path in request.media)
    return "url" if whole else "frames"


def url_cannot(card: OpenAIModel, request: Request) -> str | None:
    """Why videos that are sent whole cannot be what a request asks for; None if they can."""
    own = request.frames
    if card.video != "url" or own is None:
        return None
    given = {"start": own.start, "end": own.end, "resolution": own.resolution}
    names = [name for name, value in given.items() if value is not None]
    names += ["degrade"] if own.degrade != "none" else []
    if not names or sent_as(card, request) != "url":
        return None
    return f"video: url sends the file as it is, without {', '.join(names)} (video: frames can)"


def shown_of(request: Request, how: How, seen: Seen | MediaError | None) -> Shown | str:
    """What is sent, or the one line that says why nothing can be. Reads files and encodes frames:
    for a thread."""
    began = time.perf_counter()
    try:
        if isinstance(seen, MediaError):
            return str(seen)
        if seen is not None:
            return _frames(request, seen, began)
        if how == "url":
            return _whole(request, began)
        return Shown(tuple(_image(data_url(path)) for path in request.media))
    except (UnusableImage, MediaError) as error:
        return str(error)


def image_tokens(width: int, height: int) -> int:
    """About how many tokens a picture of this size is, by OpenAI's rule for high detail: it is
    made to fit into 2048 x 2048, then its short side is made 768 if it is longer, and each tile of
    512 x 512 that it touches is 170 tokens, beside 85 for the whole. Patches of 28 x 28 (Qwen) are
    about as many at 640 x 480, fewer below and more above."""
    scale = min(1.0, LONG_SIDE / max(width, height))
    scale = min(scale, SHORT_SIDE / min(width, height))
    across, down = (math.ceil(round(side * scale) / TILE) for side in (width, height))
    return BASE_TOKENS + TILE_TOKENS * max(1, across) * max(1, down)


def media_tokens(card: OpenAIModel, request: Request) -> int:
    """About how many tokens the frames of a request will be, by its settings and by the headers
    of its files (duration and size); a video that is sent whole counts 32 frames, which is what
    vLLM takes. Nothing is decoded."""
    how = sent_as(card, request) if request.frames else "text"
    if how in ("text", "files") or request.frames is None:
        return 0
    return sum(_file_tokens(path, request.frames, how) for path in request.media)


def _file_tokens(path: str, own: FrameSettings, how: How) -> int:
    from harness.media.clip import DEFAULT_LIMITS
    from harness.media.sampling import times
    from harness.media.source import sampling_of

    seconds, width, height = _header(path)
    try:
        sampling = sampling_of(own)
        size = sampling.size(width, height)
        if _is_image(path):
            return image_tokens(*size)
        if how == "url":
            return URL_FRAMES * image_tokens(width, height)
        stamps = times(sampling, seconds, DEFAULT_LIMITS.frames)
    except MediaError:  # which is the sample's error, and is not sent
        return 0
    return len(stamps) * image_tokens(*size) + sum(text_tokens(_stamp(t)) for t in stamps)


@lru_cache(maxsize=4096)
def _header(path: str) -> tuple[float, int, int]:
    """Seconds, width and height as a file declares them; UNKNOWN if it says nothing."""
    from harness.media.clip import DEFAULT_LIMITS
    from harness.media.decode import check_file
    from harness.media.timeline import MICROSECONDS, opened

    try:
        check_file(Path(path), DEFAULT_LIMITS)
        if _is_image(path):
            return 0.0, *_image_size(path)
        with opened(Path(path), DEFAULT_LIMITS) as (container, stream):
            seconds = (container.duration or 0) / MICROSECONDS or UNKNOWN[0]
            return seconds, stream.width or UNKNOWN[1], stream.height or UNKNOWN[2]
    except MediaError:
        return UNKNOWN


def _image_size(path: str) -> tuple[int, int]:
    from PIL import Image

    try:
        with warnings.catch_warnings():  # of a picture that is too large
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return image.size
    except Exception:  # whatever a reader of hostile bytes stumbles over
        return UNKNOWN[1:]


# --------------------------------------------------------------------------- parts


def _frames(request: Request, seen: Seen, began: float) -> Shown:
    """The parts of all clips; MediaError if they are too much for one request."""
    parts: list[Part] = []
    tokens = size = 0
    for number, (path, clip) in enumerate(zip(request.media, seen.clips, strict=True), 1):
        image = _is_image(path)
        which = f"{'image' if image else 'video'} {number}" if len(request.media) > 1 else ""
        for at, url in _encoded(request, path, clip, image):
            stamp = "" if image else _stamp(at)
            if label := ", ".join(filter(None, (which, stamp.strip("[]")))):
                parts.append({"type": "text", "text": f"[{label}]"})
                tokens += text_tokens(f"[{label}]")
            parts.append(_image(url))
            size += len(url) * 3 // 4
            if size > MAX_MEDIA_BYTES:
                most = f"{MAX_MEDIA_BYTES // 1_000_000} MB"
                what = f"{len(seen.times):,} frames make a request of more than {most}"
                raise MediaError(f"{what}: set max_frames or resolution")
        height, width = clip.frames[0].shape[:2]
        tokens += len(clip.frames) * image_tokens(width, height)
    encode_ms = (time.perf_counter() - began) * 1e3
    count = sum(len(clip.frames) for clip in seen.clips)
    return Shown(tuple(parts), tokens, seen.times, seen.decode_ms, encode_ms, count)


def _encoded(request: Request, path: str, clip: Clip, image: bool) -> Iterator[tuple[float, str]]:
    """Time and data URL of each frame; one that repeats the one before is not encoded again."""
    own = request.frames or FrameSettings()
    if image:
        kept = own.resolution is None and own.degrade == "none" and _is_upright(path)
        yield clip.times[0], data_url(path) if kept else frame_url(clip.frames[0], "png")
        return
    before, url = None, ""
    for at, frame in zip(clip.times, clip.frames, strict=True):
        if frame is not before:
            before, url = frame, frame_url(frame, "jpeg")
        yield at, url


def _whole(request: Request, began: float) -> Shown:
    """A `video_url` for each video, which must be whole; images as they are."""
    from harness.media.clip import DEFAULT_LIMITS
    from harness.media.decode import check_file
    from harness.media.timeline import read_index

    parts: list[Part] = []
    size = 0
    for path in request.media:
        try:
            check_file(Path(path), DEFAULT_LIMITS)
            size += Path(path).stat().st_size
            if size > MAX_MEDIA_BYTES:
                most = f"{MAX_MEDIA_BYTES // 1_000_000} MB"
                raise MediaError(f"too large to be sent, a request shows at most {most}")
            if _is_image(path):
                parts.append(_image(data_url(path)))
            else:
                read_index(Path(path), DEFAULT_LIMITS)
                parts.append({"type": "video_url", "video_url": {"url": video_url(path)}})
        except MediaError as error:
            raise MediaError(f"{shown(path)}: {error}") from None
    own = request.frames or FrameSettings()
    tokens = sum(_file_tokens(path, own, "url") for path in request.media)
    encode_ms = (time.perf_counter() - began) * 1e3
    return Shown(tuple(parts), tokens, encode_ms=encode_ms, note=URL_NOTE)


def _image(url: str) -> Part:
    return {"type": "image_url", "image_url": {"url": url}}


def _stamp(seconds: float) -> str:
    return f"[{seconds:.2f} s]"


def _is_image(path: str) -> bool:
    """By its first bytes; False for what cannot be read, which decoding explains."""
    from harness.media.image import is_image

    try:
        return Path(path).is_file() and is_image(Path(path))  # opening a pipe would wait for ever
    except (OSError, ValueError):
        return False


def _is_upright(path: str) -> bool:
    """Whether a JPEG, PNG or WebP is to be seen as it is stored; other kinds are not sent so."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                sendable = image.format in ("JPEG", "PNG", "WEBP")
                return sendable and image.getexif().get(ROTATION, 1) == 1
    except Exception:  # it was decoded before, so that what was decoded can be sent
        return False
