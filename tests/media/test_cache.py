"""Clips on disk: whole or not there, within bounds, for several processes at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from media.clips import Style, write

from harness.errors import MediaError
from harness.media.cache import Digests, MediaCache, clip_key, packed, unpacked
from harness.media.clip import Clip
from harness.media.decode import decode
from harness.media.sampling import Sampling


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return decode(write(tmp_path / "plain.mp4", Style(count=4)), Sampling(fps=20, resolution=32))


def same(one: Clip | None, other: Clip) -> bool:
    assert one is not None
    told = all(
        getattr(one, field.name) == getattr(other, field.name)
        for field in fields(Clip)
        if field.name != "frames"
    )
    return told and [f.tobytes() for f in one.frames] == [f.tobytes() for f in other.frames]


def test_a_clip_comes_back_as_it_was(clip: Clip, tmp_path: Path) -> None:
    cache = MediaCache(tmp_path / "cache")
    assert cache.get("ab12") is None
    assert cache.put("ab12", clip)
    found = cache.get("ab12")
    assert same(found, clip)
    assert found is not None
    assert found.frames[0] is found.frames[1]  # 20 fps of 10: stored once
    assert not found.frames[0].flags.writeable


def test_what_is_damaged_is_not_there(clip: Clip, tmp_path: Path) -> None:
    cache, data = MediaCache(tmp_path / "cache"), packed(clip)
    cache.put("ab12", clip)
    assert cache.path("ab12").read_bytes() == data
    spoilt = [data[:0], data[:5], data[:60], data[:-1], data + b"x"]
    spoilt += [data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(0, 600, 7)]
    for one in spoilt:
        cache.path("ab12").write_bytes(one)
        assert cache.get("ab12") is None
        assert not cache.has("ab12")


def test_the_clips_read_longest_ago_make_room(clip: Clip, tmp_path: Path) -> None:
    size = len(packed(clip))
    cache = MediaCache(tmp_path / "cache", max_bytes=3 * size)
    for age, key in enumerate(["aa", "bb", "cc"]):
        cache.put(key, clip)
        os.utime(cache.path(key), (1000 + age, 1000 + age))
    assert same(cache.get("aa"), clip)  # now it is the youngest
    cache.put("dd", clip)
    assert [key for key in ("aa", "bb", "cc", "dd") if cache.has(key)] == ["aa", "cc", "dd"]


def test_what_another_process_left_counts_and_a_killed_one_s_rest_goes(
    clip: Clip, tmp_path: Path
) -> None:
    folder, size = tmp_path / "cache", len(packed(clip))
    MediaCache(folder).put("aa", clip)
    rest = folder / "aa" / "tmp123.part"
    rest.write_bytes(bytes(size))
    os.utime(rest, (1000, 1000))
    os.utime(folder / "aa" / "aa.clip", (1000, 1000))
    MediaCache(folder, max_bytes=size).put("bb", clip)
    assert [path.name for path in folder.glob("*/*")] == ["bb.clip"]


def test_a_clip_larger_than_the_cache_is_not_kept(clip: Clip, tmp_path: Path) -> None:
    cache = MediaCache(tmp_path / "cache", max_bytes=100)
    assert not cache.put("aa", clip)
    assert (cache.lost, cache.has("aa")) == (1, False)


def test_a_folder_that_cannot_be_written_costs_the_cache_only(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    cache = MediaCache(tmp_path / "cache")
    assert not cache.put("aa", clip)
    assert cache.get("aa") is None
    assert cache.lost == 1


WRITER = """
import sys
from pathlib import Path
from harness.media.cache import MediaCache, unpacked
clip = unpacked(Path(sys.argv[2]).read_bytes())
cache = MediaCache(Path(sys.argv[1]), max_bytes=3 * Path(sys.argv[2]).stat().st_size)
for turn in range(60):
    for key in ("aa", "ab", "ac", "ad", "ae"):
        found = cache.get(key)
        assert found is None or found.frames[0].tobytes() == clip.frames[0].tobytes()
        if found is None:
            assert cache.put(key, clip)
"""


def test_two_processes_share_a_cache(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "one.clip").write_bytes(packed(clip))
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache"), str(tmp_path / "one.clip")]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert not list((tmp_path / "cache").glob("*/*.part"))


def test_a_key_is_of_content_and_sampling(tmp_path: Path) -> None:
    digests = Digests()
    one, two = write(tmp_path / "one.mp4"), write(tmp_path / "two.mp4")
    assert digests.of(one) == digests.of(two)
    before = digests.of(two)
    two.write_bytes(two.read_bytes() + b"x")
    assert digests.of(two) != before
    assert len({clip_key(before, Sampling(fps=fps)) for fps in (1, 6, 6.0)}) == 2
    with pytest.raises(MediaError, match=r"gone.mp4: cannot be read: No such file"):
        digests.of(tmp_path / "gone.mp4")


def test_bytes_that_are_no_clip() -> None:
    with pytest.raises(ValueError, match="not found"):
        unpacked(b"nothing of the kind")
