"""Poster frames: those that models saw, small, and never a reason to fail."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import UserProject
from filmruns import Films, film_cell, films
from hypothesis import given
from hypothesis import strategies as st
from media.clips import number_of
from numpy.typing import NDArray
from PIL import Image
from siteruns import put, site, tree

from harness.collect.library import Project
from harness.leaderboard.frames_seen import Looks
from harness.leaderboard.gather import gather
from harness.leaderboard.posters import (
    CHANGED,
    LARGEST,
    MOST,
    OVER,
    UNREADABLE,
    WIDEST,
    Posters,
    chosen,
    matched,
    wanted,
)
from harness.leaderboard.posters import small as jpeg
from harness.leaderboard.samples import read_samples
from harness.leaderboard.texts import Texts
from harness.records import FrameSettings, Sample
from harness.results.store import RunReader


@pytest.fixture
def room(project: UserProject) -> Iterator[Films]:
    """A project with one film."""
    there = Films(project)
    there.film()
    return there


class Site:
    """The published site, as its pages read it."""

    def __init__(self, films: Films, *runs: RunReader, **options: Any) -> None:
        self.root = films.project.root / "site"
        self.done = site(runs, self.root, project=Project.here(), **options)

    def seen(self, variant: str = "", sample: int = 0) -> dict[str, Any]:
        """The frames of a sample."""
        folders = [
            c["posters"] for c in put(self.root / "data/board.js")["cells"]
            if c["variant"] == variant
        ]  # fmt: skip
        assert len(set(folders)) == 1
        part = put(self.root / folders[0] / "0001.js")
        (clip,) = part["clips"][part["i"].index(sample)]
        return dict(clip)

    def picture(self, frame: dict[str, Any]) -> NDArray[np.uint8]:
        """The pixels of a frame."""
        with Image.open(self.root / frame["src"]) as image:
            assert image.format == "JPEG"
            return np.asarray(image.convert("RGB"))


def times(strip: dict[str, Any]) -> list[float]:
    return [frame["time"] for frame in strip["frames"]]


def test_each_variant_has_the_frames_that_it_saw(room: Films) -> None:
    samples = films("a.mp4")
    cells = [
        film_cell(model, f"fps={fps}", samples, seen={0: room.times(fps=fps)})
        for fps in (1, 6)
        for model in ("base", "tuned")
    ]
    page = Site(room, room.run(*cells))
    one, six = page.seen("fps=1"), page.seen("fps=6")
    assert times(one) == [0.0, 1.0]
    assert [number_of(page.picture(frame)) for frame in one["frames"]] == [0, 10]
    assert (one["seen"], one["how"], one["name"]) == (2, "fps=1, resolution=48", "a.mp4")
    assert six["seen"] == 12
    assert len(six["frames"]) == MOST
    assert [number_of(page.picture(f)) for f in six["frames"]] == [
        round(10 * t) for t in times(six)
    ]
    assert {frame["kind"] for frame in six["frames"]} == {"frame"}
    assert "event" not in six["frames"][0]
    pictures = list((page.root / "media").rglob("*.jpg"))
    assert len(pictures) == len({f["src"] for f in one["frames"] + six["frames"]})
    assert all(path.stat().st_size <= LARGEST for path in pictures)


def test_frames_are_as_bad_as_the_model_saw_them(room: Films) -> None:
    cells = [
        film_cell("base", f"degrade={how}", films("a.mp4")) for how in ("none", "brightness:-1")
    ]
    page = Site(room, room.run(*cells))
    assert page.picture(page.seen("degrade=none")["frames"][0]).mean() > 60
    dark = page.seen("degrade=brightness:-1")
    assert page.picture(dark["frames"][0]).mean() < 2
    assert dark["how"] == "fps=1, resolution=48, degrade=brightness:-1"


def test_frames_within_an_event_are_marked_and_never_all_left_out(room: Films) -> None:
    samples = films("a.mp4", events=[[0.3, 0.45], [0.61, 0.64]])
    cells = [film_cell("base", f"fps={fps}", samples) for fps in (1, 10)]
    page = Site(room, room.run(*cells))
    assert page.seen("fps=1")["events"] == [[0.3, 0.45, 0], [0.61, 0.64, 0]]  # missed
    many = page.seen("fps=10")
    assert many["events"] == [[0.3, 0.45, 2], [0.61, 0.64, 0]]
    inside = [frame["time"] for frame in many["frames"] if frame.get("event")]
    assert inside
    assert set(inside) <= {0.3, 0.4}


def test_only_the_part_that_a_row_means_is_seen(room: Films) -> None:
    page = Site(room, room.run(film_cell(samples=films("a.mp4", start=0.5, end=1.0))))
    assert times(page.seen()) == [0.5]


@pytest.mark.parametrize("row", [{"start": 5}, {"start": 1, "end": 0.5}])
def test_a_part_that_is_none_is_told(room: Films, row: dict[str, float]) -> None:
    samples = [*films("a.mp4", **row), Sample("w", "?", "!", media=("a.mp4",))]
    page = Site(room, room.run(film_cell(samples=samples)))
    assert page.seen()["note"] == UNREADABLE
    assert times(page.seen(sample=1)) == [0.0, 1.0]


def test_recorded_times_choose_the_frames(room: Films) -> None:
    samples = films("a.mp4", "a.mp4")
    cell = film_cell("base", "fps=10", samples, seen={0: (0.2, 1.3), 1: (0.2, 9.0)})
    page = Site(room, room.run(cell))
    kept, changed = page.seen("fps=10"), page.seen("fps=10", 1)
    assert (times(kept), kept["seen"]) == ([0.2, 1.3], 2)
    assert (changed["frames"], changed["note"]) == ([], CHANGED)


def test_several_films_of_a_sample_follow_one_another(room: Films) -> None:
    room.film("b.mp4", count=10)
    both = Sample("v0", "?", "!", media=("a.mp4", "b.mp4"))
    page = Site(room, room.run(film_cell(samples=[both], seen={0: (0.0, 1.0, 0.0)})))
    strip = page.seen()
    assert times(strip) == [0.0, 1.0, 0.0]
    assert strip["name"] == "a.mp4, b.mp4"


def test_films_that_cannot_be_shown_are_told_in_a_line(room: Films) -> None:
    whole = (room.room / "a.mp4").read_bytes()
    (room.room / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (room.room / "text.mp4").write_text("no film")
    (room.room / "empty.mp4").write_bytes(b"")
    (room.room / "folder.mp4").mkdir()
    os.mkfifo(room.room / "pipe.mp4")
    secret = room.film("secret.mp4").rename(room.project.root.parent / "secret.mp4")
    (room.room / "link.mp4").symlink_to(secret)
    names = [
        "cut.mp4", "text.mp4", "empty.mp4", "folder.mp4", "pipe.mp4", "gone.mp4", "link.mp4",
        "../../../../secret.mp4", str(secret), "http://example.org/a.mp4", "nul\x00.mp4",
    ]  # fmt: skip
    page = Site(room, room.run(film_cell(samples=films(*names, "a.mp4"))))
    for n in range(len(names)):
        strip = page.seen(sample=n)
        assert (strip["frames"], strip["note"]) == ([], UNREADABLE), names[n]
    assert times(page.seen(sample=len(names))) == [0.0, 1.0]


def test_a_project_elsewhere_shows_no_frames(room: Films) -> None:
    run = room.run(film_cell(samples=films("a.mp4")))
    root = room.project.root / "site"
    site([run], root)
    assert not (root / "media").exists()
    (cell,) = put(root / "data/board.js")["cells"]
    part = put(root / cell["posters"] / "0001.js")
    assert part["clips"][0][0]["note"] == UNREADABLE


def test_a_linked_film_has_the_noise_that_its_own_name_draws(room: Films) -> None:
    (room.room / "b.mp4").symlink_to(room.room / "a.mp4")
    run = room.run(film_cell("base", "degrade=noise:1", films("a.mp4", "b.mp4")))
    page = Site(room, run)
    first, second = (page.seen("degrade=noise:1", n)["frames"][0] for n in (0, 1))
    assert (page.picture(first) != page.picture(second)).any()


def test_which_samples_have_frames_and_what_their_names_become(room: Films) -> None:
    samples = films(*["a.mp4"] * 30)
    run = room.run(film_cell(samples=samples))
    page = Site(room, run, max_samples=4, texts=Texts.of(["a[.]mp4"], answers=False))
    (folder,) = {c["posters"] for c in put(page.root / "data/board.js")["cells"]}
    part = put(page.root / folder / "0001.js")
    (index,) = (page.root / "data/samples").glob("*/index.js")
    assert part["i"] == put(index)["kept"]
    assert len(part["i"]) == 4
    names = {one["name"] for clips in part["clips"] for c in clips for one in [c, *c["frames"]]}
    assert names == {"[redacted]"}


def test_a_changed_film_is_noticed_and_the_same_one_is_not_decoded_again(room: Films) -> None:
    run = room.run(film_cell(samples=films("a.mp4")))
    first = Site(room, run)
    before = tree(first.root)
    again = Site(room, run)
    assert again.done.current
    film = room.room / "a.mp4"
    film.write_bytes(film.read_bytes())
    os.utime(film, ns=(10**18, 10**18))
    same = Site(room, run)
    assert not same.done.current
    assert {k: v for k, v in tree(same.root).items() if k != "published.json"} == {
        k: v for k, v in before.items() if k != "published.json"
    }
    room.film(count=10)
    assert times(Site(room, run).seen()) == [0.0]
    film.unlink()
    assert Site(room, run).seen()["note"] == UNREADABLE


def test_a_changed_picture_is_noticed(project: UserProject) -> None:
    there = Films(project)
    Image.new("RGB", (40, 30), (250, 0, 0)).save(there.room / "a.png")
    run = there.run(film_cell(samples=films("a.png")))

    def colour() -> Any:
        page = Site(there, run)
        (path,) = (page.root / "media").rglob("*.jpg")
        assert "posters" not in put(page.root / "data/board.js")["cells"][0]
        with Image.open(path) as image:
            return image.getpixel((5, 5))

    assert colour()[0] > 200
    Image.new("RGB", (40, 30), (0, 0, 250)).save(there.room / "a.png")
    assert colour()[0] < 50


def test_pictures_that_were_made_worse_are_shown_as_they_were_seen(project: UserProject) -> None:
    there = Films(project)
    Image.new("RGB", (60, 60), (250, 250, 250)).save(there.room / "a.png")
    page = Site(there, there.run(film_cell("base", "degrade=brightness:-1", films("a.png"))))
    (frame,) = page.seen("degrade=brightness:-1")["frames"]
    assert frame["time"] is None
    assert page.picture(frame).mean() < 2


def test_clips_that_runs_have_decoded_are_not_decoded_again(room: Films) -> None:
    cache = room.project.root / ".harness/media"
    cache.mkdir(parents=True)
    run = room.run(film_cell(samples=films("a.mp4")))
    Site(room, run)
    (clip,) = cache.rglob("*.clip")
    before = clip.stat().st_mtime_ns
    os.utime(clip, ns=(10**18, 10**18))
    Site(room, run, fresh=True)
    assert clip.stat().st_mtime_ns not in (10**18, before)  # a read renews it


def test_many_samples_have_fewer_frames_each_and_too_many_have_none(room: Films) -> None:
    found = read_samples(gather([room.run(film_cell(samples=films(*["a.mp4"] * 5)))]).past[0])
    looks = Looks(FrameSettings(fps=10, resolution=16))
    files = wanted(found, room.room, looks)
    counts = {}
    for share in (100, 12, 3):
        strips = Posters(share=share).of(found, files, looks, {})
        counts[share] = [len(strips.clips[i][0]["frames"]) for i in range(5)]
        assert sum(counts[share]) <= share
    assert counts == {100: [8] * 5, 12: [2] * 5, 3: [1, 1, 1, 0, 0]}
    assert strips.clips[4][0]["note"] == OVER
    assert len(strips.files) == 1  # they are the same film


# ------------------------------------------------------------------------------ choosing


@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(1, 8))
def test_frames_are_spread_evenly_with_an_event_among_them(inside: list[bool], most: int) -> None:
    places = chosen(inside, most)
    assert places == sorted(set(places))
    assert len(places) <= min(most, len(inside))
    assert len(places) >= min(most, len(inside)) - 1
    assert any(inside) == any(inside[place] for place in places)
    if len(inside) <= most:
        assert places == list(range(len(inside)))
    assert all(0 <= place < len(inside) for place in places)


def test_the_middles_of_equal_parts_are_taken() -> None:
    assert chosen([False] * 60, 3) == [10, 30, 50]
    assert chosen([False] * 29 + [True] + [False] * 30, 3) == [10, 29, 50]


@pytest.mark.parametrize(
    ("times", "seen", "places"),
    [
        ((0.0, 0.5, 1.0), (0.0, 0.5, 1.0), [0, 1, 2]),
        ((0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5), [0, 1, 2, 3]),
        ((0.0, 0.5, 1.0, 0.0, 0.5), (0.5, 0.0), [1, 3]),
        ((0.0, 0.5), (0.0005, 0.4995), [0, 1]),
        ((0.0, 0.5), (0.0, 0.6), None),
        ((0.0, 0.5), (0.5, 0.0), None),
    ],
)
def test_times_find_their_frames(
    times: tuple[float, ...], seen: tuple[float, ...], places: list[int] | None
) -> None:
    assert matched(times, seen) == places


@pytest.mark.parametrize("size", [(1, 1), (8, 2000), (640, 480), (3000, 40)])
def test_every_frame_becomes_a_small_jpeg(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    body = jpeg(noise)
    assert len(body) <= LARGEST
    with Image.open(io.BytesIO(body)) as image:
        assert max(image.size) <= min(WIDEST, max(size))


def test_folders_are_named_after_what_was_seen(room: Films) -> None:
    samples = films("a.mp4")
    page = Site(room, room.run(*(film_cell("m", v, samples) for v in ("fps=1", "fps=6"))))
    folders = {path.name for path in (page.root / "data/posters").iterdir()}
    assert len(folders) == 2
    assert all(Path(name).name == name for name in folders)
