"""The right frames with their true times, out of every kind of file."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from media.clips import Style, number_of, picture, write

from harness.errors import MediaError
from harness.media.clip import Clip, Limits
from harness.media.decode import decode, decode_many
from harness.media.sampling import Sampling

KINDS = {
    "plain.mp4": Style(),
    "frames_b.mp4": Style(codec="mpeg4", options={"bf": "2"}),
    "fragments.mp4": Style(container={"movflags": "frag_keyframe+empty_moov"}),
    "clip.mkv": Style(),
    "live.mkv": Style(format="matroska", container={"live": "1"}),
    "clip.webm": Style(codec="libvpx"),
    "clip.ts": Style(),
    "clip.flv": Style(),
    "clip.wmv": Style(codec="wmv2"),
    "frames_b.avi": Style(codec="mpeg4", options={"bf": "2"}),
    "h264.avi": Style(),
}
SAMPLINGS = (
    Sampling(fps=5),
    Sampling(frames=4, resolution=48),
    Sampling(max_frames=5),
    Sampling(fps=2, start=0.5, end=1.2),
)


def numbers(clip: Clip) -> list[int]:
    return [number_of(frame) for frame in clip.frames]


@pytest.mark.parametrize("name", KINDS)
def test_frames_and_times_are_right(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, KINDS[name])
    expected = ([*range(0, 20, 2)], [2, 7, 12, 17], [2, 6, 10, 14, 18], [5, 10])
    for clip, right in zip(decode_many(path, SAMPLINGS), expected, strict=True):
        assert isinstance(clip, Clip)
        assert numbers(clip) == list(clip.indices) == right
        assert clip.times == pytest.approx([number / 10 for number in right], abs=0.002)
        assert (clip.duration, clip.source_fps) == pytest.approx((2.0, 10.0), abs=0.01)
        assert (clip.source_frames, clip.width, clip.height) == (20, 96, 64)


def test_a_variable_frame_rate_is_followed(tmp_path: Path) -> None:
    times = (0, 50, 400, 410, 1000, 1700, 1750, 1760, 2500, 4000)
    path = write(tmp_path / "vfr.mp4", Style(count=10, times=times))
    clip = decode(path, Sampling(fps=2))
    assert numbers(clip) == [0, 3, 4, 4, 7, 8, 8, 8, 9]
    assert clip.times == pytest.approx([times[n] / 1000 for n in numbers(clip)], abs=0.001)
    assert clip.wanted == tuple(k / 2 for k in range(9))
    assert clip.note == "3 of 9 frames repeat the one before"
    assert clip.frames[2] is clip.frames[3]


def test_bare_h264_is_read_to_its_end_and_says_what_was_assumed(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.h264", Style(format="h264"))
    clip = decode(path, Sampling(fps=5))
    assert numbers(clip) == [0, 5, 10, 15]
    assert clip.note.startswith("has no timestamps: frames are taken to be 1/25 s apart")


def test_a_missing_duration_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "live.mkv", KINDS["live.mkv"])
    assert "declares no duration" in decode(path, Sampling(fps=1)).note


def test_a_recording_that_begins_in_the_middle_begins_at_its_first_key_frame(
    tmp_path: Path,
) -> None:
    path = tmp_path / "joined.ts"
    packets = 188 * 21
    path.write_bytes(write(path, Style(count=40, options={"g": "10"})).read_bytes()[packets:])
    clip = decode(path, Sampling())
    assert numbers(clip) == list(range(numbers(clip)[0], 40))
    assert clip.times[0] == 0.0
    assert "frames before the first key frame are left out" in clip.note


def test_pixels_that_are_not_square_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.mp4", Style(count=2, options={"aspect": "2:1"}))
    clip = decode(path, Sampling(frames=1))
    assert clip.frames[0].shape == (64, 96, 3)
    assert clip.note == "pixels are not square (2:1), taken as if they were"


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_phone_held_upright_gives_upright_frames(
    degrees: int, flip: bool, tmp_path: Path
) -> None:
    path = write(tmp_path / "turned.mp4", Style(count=3, rotation=degrees, flip=flip))
    with av.open(str(path)) as container:
        coded = next(container.decode(video=0))
    matrix = coded.side_data.get("DISPLAYMATRIX")  # none is written for "as it is"
    a, b, _, c, d = struct.unpack("<5i", bytes(matrix)[:20]) if matrix else (1, 0, 0, 0, 1)
    clip = decode(path, Sampling(fps=1))
    frame = clip.frames[0]
    # by the standard: the coded point (x, y) is seen at (a x + c y, b x + d y), moved to 0
    source = coded.to_ndarray(format="rgb24").astype(int)
    rows, columns = np.indices(source.shape[:2])
    x = (np.sign(a) * columns + np.sign(c) * rows).astype(int)
    y = (np.sign(b) * columns + np.sign(d) * rows).astype(int)
    seen = np.zeros_like(frame, int)
    seen[y - y.min(), x - x.min()] = source
    assert np.abs(seen - frame).mean() < 2  # colours are interpolated in another way
    assert (clip.width, clip.height) == ((64, 96) if degrees % 180 else (96, 64))


def test_resolution_is_of_the_frame_as_it_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "turned.mp4", Style(count=3, rotation=90))
    shapes = [
        decode(path, Sampling(frames=1, resolution=size)).frames[0].shape
        for size in (32, (40, 80), None)
    ]
    assert shapes == [(48, 32, 3), (80, 40, 3), (96, 64, 3)]


def test_an_edit_list_that_shows_half_is_no_truncation(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "whole.mp4", Style(options={"bf": "0"})).read_bytes())
    at = data.index(b"elst") + 12  # its one entry's duration, in 1/1000 s
    assert struct.unpack(">I", data[at : at + 4])[0] == 2000
    data[at : at + 4] = struct.pack(">I", 1000)
    (tmp_path / "cut.mp4").write_bytes(data)
    clip = decode(tmp_path / "cut.mp4", Sampling(fps=5))
    assert numbers(clip) == [0, 2, 4, 6, 8]
    assert clip.duration == pytest.approx(1.0)


def test_sound_beside_the_pictures_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "talking.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10, width=96, height=64, pix_fmt="yuv420p")
        audio = out.add_stream("aac", rate=16000, layout="mono")
        for number in range(10):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture(number))))
        out.mux(video.encode())
        for number in range(48):  # three seconds of sound for one of pictures
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 16000, number * 1024
            out.mux(audio.encode(sound))
        out.mux(audio.encode())
    clip = decode(path, Sampling(fps=5))
    assert (numbers(clip), clip.duration) == ([0, 2, 4, 6, 8], pytest.approx(1.0))


def test_the_same_bytes_every_time_and_from_every_pass(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.mp4")
    alone = [decode(path, sampling) for sampling in SAMPLINGS]
    for clip, other in zip(decode_many(path, SAMPLINGS), alone, strict=True):
        assert isinstance(clip, Clip)
        assert [f.tobytes() for f in clip.frames] == [f.tobytes() for f in other.frames]


def test_memory_for_one_pass_is_bounded_by_taking_more_passes(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.mp4")
    whole = 20 * 96 * 64 * 3
    every, few = decode_many(
        path, [Sampling(), Sampling(fps=9, resolution=63)], Limits(clip_bytes=whole)
    )
    assert isinstance(every, Clip)
    assert isinstance(few, Clip)
    assert numbers(every) == list(range(20))
    with pytest.raises(MediaError, match="set resolution or max_frames"):
        decode(path, Sampling(), Limits(clip_bytes=whole - 1))


def test_what_is_wrong_with_one_sampling_is_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.mp4")
    late, good = decode_many(path, [Sampling(fps=1, start=7), Sampling(fps=1)])
    assert isinstance(late, MediaError)
    assert str(late).endswith("plain.mp4: start is 7 s, the clip ends at 2.000 s")
    assert isinstance(good, Clip)


def test_frames_cannot_be_written_to(tmp_path: Path) -> None:
    clip = decode(write(tmp_path / "plain.mp4"), Sampling(frames=1))
    with pytest.raises(ValueError, match="read-only"):
        clip.frames[0][0, 0] = 0
