"""Files that are broken, hostile or no videos at all: one clear reason each, no wrong frame."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media.clips import Style, faststart, flipped, number_of, write, write_sound
from PIL import Image

from harness.errors import MediaError
from harness.media.clip import Limits
from harness.media.decode import Stopped, decode, decode_many
from harness.media.sampling import Sampling
from harness.media.timeline import top_boxes


def a_file(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def moovless(path: Path) -> None:
    data = write(path).read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


def without_frames(path: Path) -> None:
    """An mp4 with a video track in which nothing was ever shown."""
    with av.open(str(path), "w", container_options={"movflags": "empty_moov"}) as out:
        out.add_stream("mpeg4", rate=10, width=96, height=64, pix_fmt="yuv420p")
        out.start_encoding()


def hours_long(path: Path) -> None:
    write(path, Style(count=3, times=(0, 1000, 36_000_000)))


def live_for_hours(path: Path) -> None:
    style = Style(count=3, times=(0, 1000, 36_000_000))
    write(path, Style(**{**vars(style), "format": "matroska", "container": {"live": "1"}}))


def huge(path: Path) -> None:
    """10,000 x 10,000 pixels in a few bytes: a header is enough."""
    style = Style(count=2, codec="rawvideo", format="avi", tick=Fraction(1, 10))
    data = write(path, style).read_bytes()
    at = data.index(b"strf") + 12  # size of the header, then width and height
    large = (10_000).to_bytes(4, "little")
    path.write_bytes(data[:at] + large + large + data[at + 8 :])


REASONS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.mp4": (lambda path: None, "cannot be read: No such file or directory"),
    "folder.mp4": (lambda path: path.mkdir(), "is not a file"),
    "empty.mp4": (a_file(b""), "an empty file"),
    "text.mp4": (a_file(b"Thank you for the video!\n" * 99), "not a video or an image that"),
    "zeros.mp4": (a_file(bytes(9999)), "not a video or an image that can be read"),
    "playlist.mp4": (a_file(b"#EXTM3U\n#EXTINF:9,\nfile.ts\n"), "not a video or an image that"),
    "list.mp4": (a_file(b"ffconcat version 1.0\nfile /etc/passwd\n"), "not a video or an image"),
    "sound.mp4": (write_sound, "holds no video, only audio"),
    "song.m4a": (
        lambda path: write_sound(path, cover=True),
        "holds no video, only a cover and audio",
    ),
    "moovless.mp4": (moovless, r"an mp4 without its index \(no moov box\)"),
    "nothing.mp4": (without_frames, "a video without a single frame"),
    "long.mp4": (hours_long, "lasts 36,000 s, over the limit of 14,400 s"),
    "live.mkv": (live_for_hours, "lasts 36,000 s, over the limit of 14,400 s"),
    "huge.avi": (huge, "frames of 10000 x 10000 pixels are over the limit of 16,777,216"),
}


@pytest.mark.parametrize("name", REASONS)
def test_one_clear_reason(name: str, tmp_path: Path) -> None:
    make, reason = REASONS[name]
    make(tmp_path / name)
    with pytest.raises(MediaError, match=f"{name}: {reason}") as caught:
        decode(tmp_path / name, Sampling(fps=6))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["small.mp4", "small.png"])
def test_frames_may_not_be_made_huge_either(name: str, tmp_path: Path) -> None:
    if name.endswith("png"):
        Image.new("RGB", (96, 64)).save(tmp_path / name)
    else:
        write(tmp_path / name)
    with pytest.raises(MediaError, match=r"resolution makes frames of 12288 x 8192 pixels, over"):
        decode(tmp_path / name, Sampling(frames=1, resolution=8192))


def test_a_rate_beyond_all_reason_is_a_limit_not_an_overflow(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="frames would be taken, the limit is 10,000"):
        decode(write(tmp_path / "a.mp4"), Sampling(fps=1e308))
    assert len(decode(tmp_path / "a.mp4", Sampling(fps=1e308, max_frames=3)).frames) == 3


def test_a_name_that_is_a_protocol_or_a_pattern_is_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4|b.mp4", "frame%03d.mp4", "data:,x", "\udcff.mp4", "-"):
        write(tmp_path / "plain.mp4").rename(name)
        assert len(decode(Path(name), Sampling(frames=2)).frames) == 2


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.avi", "cut.flv"])
def test_a_truncated_file_is_never_taken_for_a_whole_one(name: str, tmp_path: Path) -> None:
    style = Style(count=40, options={"g": "10"}, tick=Fraction(1, 10))
    path = tmp_path / name
    data = faststart(path, style) if name == "cut.mp4" else write(path, style).read_bytes()
    for part in range(2, 19):
        path.write_bytes(data[: len(data) * part // 20])
        with pytest.raises(MediaError):
            decode(path, Sampling(fps=6))


def test_a_truncated_faststart_file_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    data = faststart(path)
    path.write_bytes(data[: -len(data) // 4])
    with pytest.raises(MediaError, match=r"cut.mp4: truncated"):
        decode(path, Sampling(frames=2, end=0.2))


def test_a_bit_in_the_index_never_gives_a_wrong_frame(tmp_path: Path) -> None:
    path, rng = tmp_path / "flipped.mp4", random.Random(5)
    data = faststart(path)
    failed = 0
    for _ in range(60):
        path.write_bytes(flipped(data, rng.randrange(data.index(b"mdat")), rng.randrange(8)))
        try:
            clip = decode(path, Sampling(fps=5))
        except MediaError:
            failed += 1
        else:
            assert [number_of(frame) for frame in clip.frames] == list(clip.indices)
    assert failed


def test_a_bit_in_the_pictures_is_found_where_the_syntax_breaks(tmp_path: Path) -> None:
    """Most frames of a clip depend on each other; a fault that FFmpeg would paint over is one."""
    path, rng = tmp_path / "flipped.mp4", random.Random(5)
    data = write_busy(path).read_bytes()
    begin = data.index(b"mdat") + 4
    outcomes = []
    for _ in range(20):
        path.write_bytes(flipped(data, rng.randrange(begin + 900, len(data)), rng.randrange(8)))
        try:
            clip = decode(path, Sampling())
        except MediaError as error:
            outcomes.append("damaged" if "damaged" in str(error) else str(error))
        else:
            right = [number_of(frame) for frame in clip.frames] == list(clip.indices)
            outcomes.append("right" if right else "wrong")
    assert set(outcomes) <= {"damaged", "right"}
    assert outcomes.count("damaged") > 10


def write_busy(path: Path) -> Path:
    """A clip in which most bits matter: noise beside the barcode."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", rate=10, options={"threads": "1", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(12):
            frame = rng.integers(0, 255, (64, 96, 3), np.uint8)
            frame[:16, :32] = barcode(number)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
    return path


def barcode(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from media.clips import picture

    return picture(number)[:16, :32]


def test_limits_on_what_a_file_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.mp4")
    for limits, reason in (
        (Limits(file_bytes=100), "bytes are over the limit of 100"),
        (Limits(pixels=96 * 64 - 1), "96 x 64 pixels are over"),
        (Limits(duration=1.9), "lasts 2 s, over the limit of 2 s"),
        (Limits(source_frames=19), "more than 19 frames"),
        (Limits(frames=9), "10 frames would be taken, the limit is 9"),
    ):
        with pytest.raises(MediaError, match=reason):
            decode(path, Sampling(fps=5), limits)


def test_frames_that_grow_in_the_middle_meet_the_limit_too(tmp_path: Path) -> None:
    """A transport stream may change its size at any key frame; its header says nothing of it."""
    small = write(tmp_path / "small.ts", Style(count=10)).read_bytes()
    large = write(tmp_path / "large.ts", Style(count=10, size=(192, 128))).read_bytes()
    path = tmp_path / "grows.ts"
    path.write_bytes(small + large)
    with pytest.raises(MediaError, match=r"grows.ts: "):
        decode(path, Sampling(), Limits(pixels=96 * 64))


def test_decoding_stops_when_told(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.mp4")
    with pytest.raises(Stopped):
        decode_many(path, [Sampling()], stop=lambda: True)


def test_boxes_of_rubbish_end(tmp_path: Path) -> None:
    path = tmp_path / "boxes.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\0free" + b"\xff" * 30)
    assert top_boxes(path) == ("ftyp", "free")


def test_a_turn_by_forty_five_degrees_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "askew.mp4", Style(count=2, rotation=45))
    with pytest.raises(MediaError, match="no multiple of 90 degrees"):
        decode(path, Sampling(frames=1))


def test_a_clip_of_one_frame_is_a_clip(tmp_path: Path) -> None:
    path = write(tmp_path / "one.mp4", Style(count=1))
    for sampling in (Sampling(fps=6), Sampling(), Sampling(frames=1)):
        assert number_of(decode(path, sampling).frames[0]) == 0
    assert decode(path, Sampling(frames=3)).note == "2 of 3 frames repeat the one before"
    assert Fraction(1, 10) == pytest.approx(decode(path, Sampling()).duration, abs=0.01)
