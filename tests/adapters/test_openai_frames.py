"""Videos and images for models behind an API: what a server on the loopback receives of them."""

from __future__ import annotations

import base64
import io
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from faultserver import Asked, FaultServer
from media.clips import Style, faststart, number_of, picture, write
from PIL import Image

from harness.adapters import api_frames
from harness.adapters.api_frames import ENCODERS, URL_FRAMES, image_tokens
from harness.adapters.api_limits import ALIKE
from harness.adapters.openai import OpenAIAdapter
from harness.adapters.registry import open_adapter
from harness.collect.specs import OpenAIModel
from harness.errors import MediaError
from harness.media.cache import MediaCache
from harness.media.source import MediaSource, Seen
from harness.records import Completion, FrameSettings, Message, Request, Stages

SIZE = (96, 64)
QUESTION = Request(
    "q", "generate", (Message("system", "Look."), Message("user", "Why?")), frames=FrameSettings()
)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 10 fps; each frame bears its number."""
    return write(tmp_path_factory.mktemp("clips") / "walk.mp4")


def card_of(server: FaultServer | None = None, **parts: object) -> OpenAIModel:
    words: dict[str, object] = {"model": "eye", "adapter": "openai", "base": "m"}
    url = server.url if server else "http://127.0.0.1:9/v1"
    return OpenAIModel.model_validate(words | {"base_url": url, "max_retries": 0} | parts)


def seeing(path: Path, name: str = "q", **frames: Any) -> Request:
    return replace(QUESTION, id=name, media=(str(path),), frames=FrameSettings(**frames))


def ask(
    card: OpenAIModel, *requests: Request, source: MediaSource | None = None
) -> tuple[list[Completion], tuple[str, ...]]:
    """Completions in the order of the requests, and the adapter's notes."""
    adapter = OpenAIAdapter(False, source)
    try:
        done = {c.id: c for batch in adapter.complete(card, requests) for c in batch}
        return [done[request.id] for request in requests], adapter.notes
    finally:
        adapter.close()


def content(asked: Asked) -> list[dict[str, Any]]:
    """The parts of the last turn."""
    parts: list[dict[str, Any]] = asked.body["messages"][-1]["content"]
    return parts


def urls(asked: Asked, kind: str = "image_url") -> list[tuple[str, bytes]]:
    """Media type and bytes of each data URL of a kind, in their order."""
    found = [part[kind]["url"].partition(";base64,") for part in content(asked) if kind in part]
    return [(head, base64.b64decode(body, validate=True)) for head, _, body in found]


def texts(asked: Asked) -> list[str]:
    return [part["text"] for part in content(asked) if part["type"] == "text"]


def opened(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)))


# --------------------------------------------------------------------------- frames


def test_frames_stand_in_front_of_the_question_each_behind_its_time(
    fault_server: FaultServer, walk: Path
) -> None:
    (done,), notes = ask(card_of(fault_server), seeing(walk, fps=2))
    (asked,) = fault_server.asked
    assert asked.body["messages"][0] == {"role": "system", "content": "Look."}
    kinds = [part["type"] for part in content(asked)]
    assert kinds == ["text", "image_url"] * 4 + ["text"]
    assert texts(asked) == ["[0.00 s]", "[0.50 s]", "[1.00 s]", "[1.50 s]", "Why?"]
    heads, bodies = zip(*urls(asked), strict=True)
    assert set(heads) == {"data:image/jpeg"}
    pictures = [opened(body) for body in bodies]
    assert [p.shape for p in pictures] == [(64, 96, 3)] * 4
    assert [number_of(p) for p in pictures] == [0, 5, 10, 15]
    assert (done.text, done.frame_times) == ("echo " + asked.prompt, (0.0, 0.5, 1.0, 1.5))
    assert notes == ()
    assert isinstance(done.stages, Stages)
    assert done.stages.frames == 4
    assert done.stages.generate_ms == done.latency_ms
    assert min(done.stages.decode_ms, done.stages.preprocess_ms) > 0 == done.stages.prefill_ms


@pytest.mark.parametrize(
    ("frames", "numbers", "shape"),
    [
        ({}, [0, 10], (64, 96, 3)),
        ({"frames": 4}, [2, 7, 12, 17], (64, 96, 3)),
        ({"fps": 5, "max_frames": 2, "resolution": 32}, [5, 15], (32, 48, 3)),
        ({"fps": 2, "start": 0.5, "end": 1.5, "resolution": "40x80"}, [5, 10], (80, 40, 3)),
    ],
)
def test_as_many_frames_as_were_sampled_in_the_size_that_was_wanted(
    fault_server: FaultServer,
    walk: Path,
    frames: dict[str, Any],
    numbers: list[int],
    shape: tuple[int, ...],
) -> None:
    (done,), _ = ask(card_of(fault_server), seeing(walk, **frames))
    pictures = [opened(body) for _, body in urls(fault_server.asked[0])]
    assert [(number_of(p), p.shape) for p in pictures] == [(n, shape) for n in numbers]
    assert done.frame_times == pytest.approx([n / 10 for n in numbers])


def test_degraded_frames_are_what_is_sent(fault_server: FaultServer, walk: Path) -> None:
    ask(card_of(fault_server), seeing(walk, frames=1, degrade="brightness:-1"))
    ((_, body),) = urls(fault_server.asked[0])
    assert opened(body).max() == 0


def test_a_frame_that_repeats_is_sent_as_often_as_it_is_wanted(
    fault_server: FaultServer, walk: Path
) -> None:
    (done,), _ = ask(card_of(fault_server), seeing(walk, fps=20, end=0.2))
    sent = [body for _, body in urls(fault_server.asked[0])]
    assert [number_of(opened(body)) for body in sent] == [0, 0, 1, 1]
    assert done.frame_times == pytest.approx((0.0, 0.0, 0.1, 0.1))


def test_several_media_are_told_apart_by_number_and_never_by_name(
    fault_server: FaultServer, walk: Path, tmp_path: Path
) -> None:
    Image.fromarray(picture(3)).save(tmp_path / "Robbery.png")
    media = (str(walk), str(tmp_path / "Robbery.png"))
    request = replace(QUESTION, media=media, frames=FrameSettings(frames=2))
    (done,), _ = ask(card_of(fault_server), request)
    (asked,) = fault_server.asked
    assert texts(asked) == ["[video 1, 0.50 s]", "[video 1, 1.50 s]", "[image 2]", "Why?"]
    assert done.frame_times == (0.5, 1.5, 0.0)
    assert "Robbery" not in str(asked.body)
    assert "walk" not in str(asked.body)


def test_an_image_is_sent_as_it_is_unless_it_is_to_be_changed(
    fault_server: FaultServer, tmp_path: Path
) -> None:
    upright, turned, old = (tmp_path / name for name in ("a.jpg", "b.jpg", "c.bmp"))
    Image.fromarray(picture(6)).save(upright)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(7)).save(turned, exif=exif)
    Image.fromarray(picture(8)).save(old)
    requests = [seeing(path, path.name) for path in (upright, turned, old)]
    requests.append(seeing(upright, "small", resolution=32))
    ask(card_of(fault_server, max_concurrency=1), *requests)
    sent = [urls(asked)[0] for asked in fault_server.asked]
    assert sent[0] == ("data:image/jpeg", upright.read_bytes())
    assert [head for head, _ in sent[1:]] == ["data:image/png"] * 3
    assert [opened(body).shape for _, body in sent[1:]] == [(96, 64, 3), (64, 96, 3), (32, 48, 3)]
    assert (opened(sent[2][1]) == picture(8)).all()
    assert [texts(asked) for asked in fault_server.asked] == [["Why?"]] * 4  # an image has no time


def test_images_of_a_judge_still_follow_the_text_and_are_the_files_themselves(
    fault_server: FaultServer, tmp_path: Path
) -> None:
    image = tmp_path / "poster.png"
    Image.fromarray(picture(1)).save(image)
    request = replace(QUESTION, media=(str(image),), frames=None)
    source = MediaSource()
    (done,), _ = ask(card_of(fault_server, video="url"), request, source=source)
    (asked,) = fault_server.asked
    assert [part["type"] for part in content(asked)] == ["text", "image_url"]
    assert urls(asked) == [("data:image/png", image.read_bytes())]
    assert (done.stages, done.frame_times, source.passes) == (None, (), 0)


def test_a_bad_file_is_the_error_of_its_own_sample(
    fault_server: FaultServer, walk: Path, tmp_path: Path
) -> None:
    text, cut, missing = tmp_path / "text.mp4", tmp_path / "cut.mp4", tmp_path / "missing.mp4"
    text.write_text("no video at all", "utf-8")
    whole = faststart(tmp_path / "whole.mp4")
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    requests = [seeing(walk, "first"), *(seeing(p, p.name) for p in (text, cut, missing))]
    requests += [seeing(walk, "late", start=9), seeing(walk, "last"), replace(QUESTION, id="none")]
    done, _ = ask(card_of(fault_server), *requests)
    assert [c.error is None for c in done] == [True, False, False, False, False, True, True]
    for completion, path in zip(done[1:4], (text, cut, missing), strict=True):
        assert str(completion.error).startswith(f"{path}: ")
        assert "\n" not in str(completion.error)
        assert not completion.replied
    assert "start is 9 s" in str(done[4].error)
    assert len(fault_server.asked) == 3


def test_more_frames_than_a_request_can_hold_are_a_counted_error(
    fault_server: FaultServer, walk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_frames, "MAX_MEDIA_BYTES", 3000)
    many, few = seeing(walk, "many", fps=10), seeing(walk, "few", frames=1)
    done, _ = ask(card_of(fault_server), many, few)
    assert done[0].error == (
        "20 frames make a request of more than 0 MB: set max_frames or resolution"
    )
    assert done[1].error is None


def test_what_is_asked_again_shows_the_same_frames(fault_server: FaultServer, walk: Path) -> None:
    fault_server.play = lambda asked: "reset" if asked.attempt == 1 else "ok"
    source = MediaSource()
    (done,), _ = ask(card_of(fault_server, max_retries=2), seeing(walk), source=source)
    first, second = fault_server.asked
    assert (done.error, first.body, source.passes) == (None, second.body, 1)


def test_the_runs_source_is_used_and_its_cache(
    fault_server: FaultServer, walk: Path, tmp_path: Path
) -> None:
    source = MediaSource(MediaCache(tmp_path / "media"))
    adapter = open_adapter([card_of(fault_server)], media=source)
    for name in ("once", "again"):
        ((done,),) = adapter.complete(card_of(fault_server), [seeing(walk, name)])
        assert done.error is None
    adapter.close()
    assert (source.passes, source.hits) == (1, 1)


# --------------------------------------------------------------------------- many at once


def copies(walk: Path, folder: Path, count: int) -> list[Request]:
    """Requests for a file each."""
    paths = [folder / f"{n}.mp4" for n in range(count)]
    for n, path in enumerate(paths):  # an own content each: a cache tells files by that
        path.write_bytes(walk.read_bytes() + b"\0\0\0\x09free" + bytes([n]))
    return [seeing(path, f"q{n}", frames=2) for n, path in enumerate(paths)]


def decoded(folder: Path) -> int:
    """How many clips were decoded and kept in a cache."""
    return sum(path.is_file() for path in (folder / "cache").rglob("*"))


class Watched(MediaSource):
    """Knows which of the clips that it has handed on are still in memory."""

    def __init__(self, ahead: int) -> None:
        super().__init__(ahead=ahead)
        self._handed: list[weakref.ref[Any]] = []

    def clips(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Seen | MediaError]]:
        for request, seen in super().clips(requests):
            assert isinstance(seen, Seen)
            self._handed += [weakref.ref(clip.frames[0]) for clip in seen.clips]
            yield request, seen

    @property
    def alive(self) -> int:
        return sum(frame() is not None for frame in self._handed)


def test_not_all_clips_of_a_run_are_in_memory_at_once(
    fault_server: FaultServer, walk: Path, tmp_path: Path
) -> None:
    """Beside those that are decoded ahead: they are encoded and let go before they are sent."""
    source, alive = Watched(ahead=2), list[int]()
    # six are asked at once, and all of them wait for the sixth
    fault_server.hold = lambda asked: fault_server.most_busy < 6

    def count(asked: Asked) -> str:
        alive.append(source.alive)
        return "ok"

    fault_server.play = count
    done, _ = ask(
        card_of(fault_server, max_concurrency=6), *copies(walk, tmp_path, 16), source=source
    )
    assert not [c.error for c in done if c.error]
    assert (source.passes, len(alive), fault_server.most_busy) == (16, 16, 6)
    assert max(alive) <= ENCODERS + 1  # the source holds the one that it has handed on last
    assert source.alive == 0


def test_decoding_goes_on_while_answers_are_waited_for(
    fault_server: FaultServer, walk: Path
) -> None:
    """The event loop is free: a request without media is answered while a clip is decoded."""
    requests = [seeing(walk, f"q{n}", fps=10) for n in range(6)]
    plain = [Request(f"p{n}", "generate", f"number {n}") for n in range(6)]
    mixed = [request for pair in zip(requests, plain, strict=True) for request in pair]
    done, _ = ask(card_of(fault_server, max_concurrency=4), *mixed)
    assert [c.text for c in done[1::2]] == [f"echo number {n}" for n in range(6)]
    assert [len(c.frame_times) for c in done] == [20, 0] * 6


def decoders() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("decode")]


def test_what_is_left_halfway_decodes_no_more(
    fault_server: FaultServer, walk: Path, tmp_path: Path
) -> None:
    fault_server.hold = lambda asked: asked.number > 2
    adapter = OpenAIAdapter(False, MediaSource(MediaCache(tmp_path / "cache"), ahead=2))
    requests = copies(walk, tmp_path, 40)
    answers: Iterator[Any] = iter(adapter.complete(card_of(fault_server), requests))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    adapter.close()
    assert decoders() == []
    assert 1 <= decoded(tmp_path) < 40


# --------------------------------------------------------------------------- refused


def refuse(what: str) -> web.Response:
    return web.json_response({"error": {"message": what, "code": None}}, status=400)


def test_a_server_that_takes_no_images_is_not_sent_all_of_them(
    fault_server: FaultServer, walk: Path, tmp_path: Path
) -> None:
    what = "m is not a multimodal model"
    fault_server.play = lambda asked: (
        refuse(what) if isinstance(asked.body["messages"][-1]["content"], list) else "ok"
    )
    source = MediaSource(MediaCache(tmp_path / "cache"), ahead=2)
    requests = copies(walk, tmp_path, 20)
    plain = Request("plain", "generate", "hello")
    done, _ = ask(card_of(fault_server, max_concurrency=1), plain, *requests, source=source)
    assert done[0].text == "echo hello"
    errors = [str(c.error) for c in done[1:]]
    assert errors[0] == f"HTTP 400: {what}"
    assert errors[-1].startswith("not asked: ")
    assert errors[-1].endswith(f"(HTTP 400: {what})")
    assert len(fault_server.asked) == 1 + ALIKE
    assert decoded(tmp_path) <= ALIKE + 2


# --------------------------------------------------------------------------- whole files


def test_a_video_is_sent_whole_as_video_url(fault_server: FaultServer, walk: Path) -> None:
    requests = [seeing(walk, "one", fps=6), seeing(walk, "two")]
    source = MediaSource()
    done, notes = ask(card_of(fault_server, video="url"), *requests, source=source)
    for asked in fault_server.asked:
        assert [part["type"] for part in content(asked)] == ["video_url", "text"]
        assert urls(asked, "video_url") == [("data:video/mp4", walk.read_bytes())]
    assert notes == (
        "video: url: the server chooses the frames, whatever fps, frames and max_frames say",
    )
    assert [(c.error, c.frame_times) for c in done] == [(None, ())] * 2
    assert source.passes == 0
    stages = done[0].stages
    assert isinstance(stages, Stages)
    assert (stages.frames, stages.decode_ms) == (0, 0.0)
    assert stages.preprocess_ms > 0


@pytest.mark.parametrize(
    ("frames", "names"),
    [
        ({"degrade": "blur:0.5"}, "degrade"),
        ({"start": 1, "end": 2}, "start, end"),
        ({"resolution": 224, "degrade": "noise"}, "resolution, degrade"),
    ],
)
def test_what_a_whole_file_cannot_be_is_a_counted_error(
    fault_server: FaultServer, walk: Path, frames: dict[str, Any], names: str
) -> None:
    card, request = card_of(fault_server, video="url"), seeing(walk, **frames)
    (done, other), _ = ask(card, request, seeing(walk, "other"))
    assert done.error == (
        f"video: url sends the file as it is, without {names} (video: frames can)"
    )
    assert other.error is None
    assert OpenAIAdapter().prompts(card, [request]) == [None]


def test_images_alone_are_changed_whatever_the_card_says_of_videos(
    fault_server: FaultServer, tmp_path: Path
) -> None:
    image = tmp_path / "a.png"
    Image.fromarray(picture(2)).save(image)
    (done,), notes = ask(card_of(fault_server, video="url"), seeing(image, resolution=32))
    assert [opened(body).shape for _, body in urls(fault_server.asked[0])] == [(32, 48, 3)]
    assert (done.error, notes) == (None, ())


def test_a_file_that_cannot_be_sent_whole_is_a_counted_error(
    fault_server: FaultServer, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = faststart(tmp_path / "whole.mp4")
    cut, text, flow = tmp_path / "cut.mp4", tmp_path / "text.mp4", tmp_path / "flow.ts"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    text.write_text("no video at all", "utf-8")
    write(flow, Style(format="mpegts"))
    large = write(tmp_path / "large.mp4", Style(count=60, size=(320, 240)))
    monkeypatch.setattr(api_frames, "MAX_MEDIA_BYTES", large.stat().st_size - 1)
    assert walk.stat().st_size < large.stat().st_size
    card = card_of(fault_server, video="url")
    done, _ = ask(card, *(seeing(path, path.name) for path in (cut, text, large, walk)))
    monkeypatch.undo()
    done += ask(card, seeing(flow))[0]
    errors = [str(c.error) for c in done]
    assert errors[0].startswith(f"{cut}: truncated")
    assert errors[1].startswith(f"{text}: ")
    assert errors[2].startswith(f"{large}: too large to be sent")
    assert errors[4] == f"{flow} is no MP4, QuickTime, WebM, Matroska or AVI video"
    assert errors[3] == "None"
    assert len(fault_server.asked) == 1


# --------------------------------------------------------------------------- before it is asked


def test_the_key_of_a_card_covers_how_videos_are_sent_only_where_that_is_said() -> None:
    adapter = OpenAIAdapter()
    plain, same, url = (card_of(), card_of(video="frames"), card_of(video="url"))
    assert adapter.fingerprint(plain) == adapter.fingerprint(same) != adapter.fingerprint(url)
    # as it was before there were videos
    assert adapter.fingerprint(plain) == (
        "b11b3c6cd32c48beef1dea44a746c7c530b913d59f70ee474e64eb733975909d"
    )


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        ((512, 512), 255),
        ((1024, 1024), 765),
        ((2048, 4096), 1105),
        ((640, 480), 425),
        ((1, 1), 255),
    ],
)
def test_a_pictures_tokens_go_by_its_tiles(size: tuple[int, int], tokens: int) -> None:
    assert image_tokens(*size) == tokens


@pytest.mark.parametrize(
    ("frames", "count"),
    [({}, 2), ({"fps": 6}, 12), ({"frames": 5}, 5), ({"fps": 6, "max_frames": 3}, 3)],
)
def test_frames_are_counted_by_the_header_without_decoding(
    walk: Path, frames: dict[str, Any], count: int
) -> None:
    source = MediaSource()
    adapter, card = OpenAIAdapter(False, source), card_of()
    request = seeing(walk, **frames)
    plain, seen = adapter.count_tokens(card, [replace(request, media=()), request])
    assert seen - plain == count * (image_tokens(*SIZE) + 2)  # the time is two tokens
    assert source.passes == 0


def test_resolution_counts_and_so_do_whole_files_and_images(walk: Path, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.fromarray(picture(0, (640, 480))).save(image)
    adapter = OpenAIAdapter()
    requests = [
        seeing(walk, frames=1, resolution=768),
        seeing(walk),
        seeing(image),
        seeing(tmp_path / "missing.mp4", frames=2),
        seeing(walk, start=5),
    ]
    text = adapter.count_tokens(card_of(), [replace(QUESTION, media=())])[0]
    framed = [n - text for n in adapter.count_tokens(card_of(), requests)]
    assert framed[0] == image_tokens(1152, 768) + 2
    assert framed[2] == image_tokens(640, 480)
    assert framed[3] == 2 * (image_tokens(640, 480) + 2)  # a file that nothing is known of
    assert framed[4] == 0  # an error, which is never sent
    whole = adapter.count_tokens(card_of(video="url"), requests[1:2])[0] - text
    assert whole == URL_FRAMES * image_tokens(*SIZE)


def test_the_rate_limit_counts_the_frames_that_are_sent(
    fault_server: FaultServer, walk: Path
) -> None:
    shown = api_frames.shown_of(
        request := seeing(walk, fps=2), "frames", next(MediaSource().clips([request]))[1]
    )
    assert not isinstance(shown, str)
    assert shown.tokens == 4 * (image_tokens(*SIZE) + 2)


def test_prompts_name_the_media_as_far_as_they_are_known(walk: Path, tmp_path: Path) -> None:
    requests = [
        seeing(walk),
        seeing(walk, frames=6, resolution="320x240", degrade="blur:0.5"),
        seeing(walk, fps=6, start=1.5, end=3, max_frames=9),
        replace(QUESTION, media=(str(walk), "there/is no\nsuch.png")),
    ]
    shown = OpenAIAdapter().prompts(card_of(), requests)
    assert [str(text).removeprefix("[system]\nLook.\n\n[user]\n") for text in shown] == [
        "[video: walk.mp4, fps=1]\nWhy?",
        "[video: walk.mp4, frames=6, resolution=320x240, degrade=blur:0.5]\nWhy?",
        "[video: walk.mp4, fps=6, max_frames=9, start=1.5, end=3]\nWhy?",
        "[video: walk.mp4, fps=1]\n[image: is no such.png]\nWhy?",
    ]
    (whole,) = OpenAIAdapter().prompts(card_of(video="url"), requests[:1])
    assert str(whole).endswith("[user]\n[video: walk.mp4, the whole file]\nWhy?")


def test_videos_need_a_chat(walk: Path) -> None:
    (done,), _ = ask(card_of(api="completions"), replace(seeing(walk), prompt="Why?"))
    assert done.error == (
        "the prompt has images or videos: they need 'api: chat' in the model card"
    )
