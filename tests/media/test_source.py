"""Frames for requests: in their order, decoded once, made worse alike for every model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from media.clips import Style, number_of, write

from harness.errors import MediaError
from harness.media.cache import MediaCache
from harness.media.sampling import Sampling
from harness.media.source import MediaSource, Seen, sampling_of
from harness.records import FrameSettings, Request


def ask(name: str, path: Path, frames: FrameSettings) -> Request:
    return Request(name, "generate", "?", media=(str(path),), frames=frames)


def test_clips_come_in_the_order_of_requests_and_a_bad_file_fails_its_own(tmp_path: Path) -> None:
    good = write(tmp_path / "good.mp4", Style(count=20))
    (tmp_path / "bad.mp4").write_text("no video")
    two = FrameSettings(frames=2)
    requests = [
        ask("a", good, two),
        ask("b", tmp_path / "bad.mp4", two),
        ask("c", tmp_path / "none.mp4", two),
        replace(ask("d", good, FrameSettings(fps=5)), media=(str(good), str(good))),
    ]
    seen = [(request.id, found) for request, found in MediaSource().clips(requests)]
    assert [name for name, _ in seen] == ["a", "b", "c", "d"]
    first, text, missing, last = (found for _, found in seen)
    assert isinstance(first, Seen)
    assert isinstance(last, Seen)
    assert [number_of(frame) for frame in first.clips[0].frames] == [5, 15]
    assert first.times == (0.5, 1.5)
    assert first.decode_ms > 0
    assert len(last.clips) == 2
    assert len(last.times) == 20
    assert isinstance(text, MediaError)
    assert isinstance(missing, MediaError)
    assert "none.mp4" in str(missing)


def test_a_file_is_decoded_once_for_all_that_a_run_expects(tmp_path: Path) -> None:
    clips = [write(tmp_path / f"{n}.mp4", Style(count=10 + n)) for n in range(3)]
    one, six = FrameSettings(fps=1), FrameSettings(fps=6)
    models = [
        [ask(f"{model}{clip.name}", clip, frames) for frames in (one, six) for clip in clips]
        for model in "ab"
    ]
    source = MediaSource(MediaCache(tmp_path / "cache"))
    source.expect([request for requests in models for request in requests])
    for requests in models:
        assert all(isinstance(found, Seen) for _, found in source.clips(requests))
    assert source.passes == len(clips)


def test_noise_is_the_samples_own_and_the_same_for_every_model(tmp_path: Path) -> None:
    one, other = (write(tmp_path / name, Style(count=4)) for name in ("a.mp4", "b.mp4"))
    noisy = FrameSettings(frames=2, degrade="noise:0.5")

    def pixels(path: Path, frames: FrameSettings) -> np.ndarray:
        ((_, seen),) = MediaSource().clips([ask("x", path, frames)])
        assert isinstance(seen, Seen)
        return np.stack(seen.clips[0].frames)

    clean, first = pixels(one, FrameSettings(frames=2)), pixels(one, noisy)
    assert not np.array_equal(clean, first)
    assert np.array_equal(first, pixels(one, noisy))
    assert not np.array_equal(first - clean, pixels(other, noisy) - clean)
    assert not np.array_equal(first, pixels(one, replace(noisy, seed=1)))


def test_what_settings_take(tmp_path: Path) -> None:
    assert sampling_of(FrameSettings()) == Sampling(fps=1)
    assert sampling_of(FrameSettings(frames=8, max_frames=4)) == Sampling(frames=8, max_frames=4)
    assert sampling_of(FrameSettings(fps=2, frames=8)) == Sampling(fps=2, max_frames=8)
    assert sampling_of(FrameSettings(fps="source/4", frames=8)) == Sampling(every=4, max_frames=8)
    assert sampling_of(FrameSettings(fps="source")) == Sampling(every=1)
    assert sampling_of(FrameSettings(fps=2, resolution="64x32", start=1, end=2)) == Sampling(
        fps=2, resolution=(64, 32), start=1, end=2
    )


def test_a_part_of_the_sources_own_rate(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mp4", Style(count=20))  # 10 frames a second

    def numbers(fps: str, frames: int | None = None) -> list[int]:
        ((_, seen),) = MediaSource().clips([ask("x", clip, FrameSettings(fps=fps, frames=frames))])
        assert isinstance(seen, Seen)
        assert list(seen.clips[0].indices) == [number_of(frame) for frame in seen.clips[0].frames]
        return list(seen.clips[0].indices)

    assert numbers("source") == list(range(20))
    assert numbers("source/4") == [0, 4, 8, 12, 16]
    assert numbers("source/4", 2) == [4, 12]
    assert numbers("source/7") == [0, 7, 14]


def test_times_that_make_no_sense_fail_their_sample(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mp4", Style(count=4))
    good, bad = FrameSettings(frames=1), FrameSettings(frames=1, start=3, end=2)
    requests = [ask("x", clip, bad), ask("y", clip, good), ask("z", clip, bad)]
    source = MediaSource()
    source.expect(requests)
    seen = {request.id: found for request, found in source.clips(requests)}
    assert str(seen["x"]) == str(seen["z"]) == "end (2) must be after start (3)"
    assert isinstance(seen["y"], Seen)


def test_a_level_that_makes_no_sense_fails_the_sample(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mp4", Style(count=4))
    ((_, seen),) = MediaSource().clips([ask("x", clip, FrameSettings(degrade="blur:7"))])
    assert str(seen) == "degrade: the level of blur goes from 0 to 1"
