"""Decoding ahead: every clip once, in order, with its errors, and never too many at a time."""

from __future__ import annotations

import threading
from pathlib import Path

from media.clips import Style, number_of, write

from harness.errors import MediaError
from harness.media.ahead import Decoder, Job
from harness.media.cache import MediaCache
from harness.media.clip import Clip
from harness.media.sampling import Sampling

VARIANTS = (
    Sampling(fps=1),
    Sampling(fps=5),
    Sampling(frames=4),
    Sampling(frames=4, resolution=32),
)


def some_clips(folder: Path, count: int = 3) -> list[Path]:
    """Files that differ in their first frames' numbers of frames."""
    return [write(folder / f"{n}.mp4", Style(count=10 + n)) for n in range(count)]


def variants_of(paths: list[Path]) -> list[Job]:
    """As a run asks: one variant after the other, each over all files."""
    return [Job(path, sampling) for sampling in VARIANTS for path in paths]


def right(job: Job, clip: Clip | MediaError) -> bool:
    assert isinstance(clip, Clip)
    numbers = [number_of(frame) for frame in clip.frames]
    return numbers == list(clip.indices) and clip.source_frames == 10 + int(job.path.stem)


def test_all_variants_of_a_file_cost_one_pass(tmp_path: Path) -> None:
    jobs = variants_of(some_clips(tmp_path))
    with Decoder(jobs, MediaCache(tmp_path / "cache")) as decoder:
        clips = list(decoder)
    assert all(right(job, clip) for job, clip in zip(jobs, clips, strict=True))
    assert decoder.passes == 3


def test_a_second_run_decodes_nothing(tmp_path: Path) -> None:
    jobs, cache = variants_of(some_clips(tmp_path)), MediaCache(tmp_path / "cache")
    with Decoder(jobs, cache) as first:
        before = list(first)
    with Decoder(jobs, cache) as second:
        after = list(second)
    assert (second.passes, second.hits) == (0, len(jobs))
    for one, other in zip(before, after, strict=True):
        assert isinstance(one, Clip)
        assert isinstance(other, Clip)
        assert [f.tobytes() for f in one.frames] == [f.tobytes() for f in other.frames]


def test_a_new_variant_decodes_only_what_is_new(tmp_path: Path) -> None:
    paths, cache = some_clips(tmp_path, 1), MediaCache(tmp_path / "cache")
    with Decoder([Job(paths[0], VARIANTS[0])], cache) as decoder:
        list(decoder)
    with Decoder(variants_of(paths), cache) as decoder:
        list(decoder)
    assert (decoder.passes, decoder.hits) == (1, 1)


def test_without_a_cache_neighbours_share_a_pass(tmp_path: Path) -> None:
    path = some_clips(tmp_path, 1)[0]
    jobs = [Job(path, sampling) for sampling in VARIANTS]
    with Decoder(jobs, ahead=4) as decoder:
        assert all(right(job, clip) for job, clip in zip(jobs, decoder, strict=True))
    assert decoder.passes == 1


def test_errors_come_in_order_and_cost_the_others_nothing(tmp_path: Path) -> None:
    good = some_clips(tmp_path, 1)[0]
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    jobs = [
        Job(path, sampling)
        for sampling in (Sampling(fps=1), Sampling(fps=1, start=5))
        for path in (good, text, tmp_path / "gone.mp4", good)
    ]
    with Decoder(jobs, MediaCache(tmp_path / "cache")) as decoder:
        told = [str(clip).partition(": ")[2] if isinstance(clip, MediaError) else clip.source_frames
                for clip in decoder]  # fmt: skip
    unreadable = "not a video or an image that can be read, or its header is damaged"
    missing, late = "cannot be read: No such file or directory", "start is 5 s, the clip ends at 1"
    assert told[:4] == [10, unreadable, missing, 10]
    assert told[4].startswith(late)
    assert told[5:7] == [unreadable, missing]
    assert told[7] == told[4]


def test_damage_in_the_cache_is_decoded_again(tmp_path: Path) -> None:
    jobs, cache = variants_of(some_clips(tmp_path, 1)), MediaCache(tmp_path / "cache")
    with Decoder(jobs, cache) as decoder:
        list(decoder)
    for path in cache.folder.glob("*/*.clip"):
        path.write_bytes(path.read_bytes()[:-1])
    with Decoder(jobs, cache) as decoder:
        assert all(right(job, clip) for job, clip in zip(jobs, decoder, strict=True))


def test_a_cache_that_is_too_small_costs_time_only(tmp_path: Path) -> None:
    jobs = variants_of(some_clips(tmp_path))
    with Decoder(jobs, MediaCache(tmp_path / "cache", max_bytes=100_000)) as decoder:
        assert all(right(job, clip) for job, clip in zip(jobs, decoder, strict=True))


def test_no_more_than_a_few_are_decoded_ahead(tmp_path: Path) -> None:
    paths = some_clips(tmp_path, 8)
    with Decoder([Job(path, VARIANTS[0]) for path in paths], ahead=3, threads=2) as decoder:
        clips = iter(decoder)
        next(clips)
    assert decoder.passes <= 3


def test_closing_stops_in_the_middle_and_leaves_no_thread(tmp_path: Path) -> None:
    path = write(tmp_path / "longer.mp4", Style(count=200))
    before = threading.active_count()
    decoder = Decoder([Job(path, Sampling())] * 5)
    clips = iter(decoder)
    first = next(clips)
    assert isinstance(first, Clip)
    decoder.close()
    assert list(clips) == []
    assert threading.active_count() == before
