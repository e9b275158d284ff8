"""What was seen of videos, by the settings of a run and by what it recorded."""

from __future__ import annotations

import pytest
from conftest import UserProject
from filmruns import Films, film_cell, films
from siteruns import Cell, store

from harness.leaderboard.frames_seen import Looks, events_of, looks_of, row_of, times_of
from harness.leaderboard.gather import gather
from harness.records import FrameSettings


@pytest.mark.parametrize(
    ("variant", "given", "frames"),
    [
        ("", "", FrameSettings(fps=1, resolution=48)),
        ("fps=6", "", FrameSettings(fps=6, resolution=48)),
        ("fps=6,degrade=blur:0.5", "", FrameSettings(fps=6, resolution=48, degrade="blur:0.5")),
        ("frames=8", "", FrameSettings(frames=8, resolution=48)),  # in place of the file's fps
        ("resolution=64x32,quantize=int8", "", FrameSettings(fps=1, resolution="64x32")),
        ("", "media.fps=3 media.max_frames=4", FrameSettings(fps=3, max_frames=4, resolution=48)),
        ("fps=6", "fps=1,6 resolution=24", FrameSettings(fps=6, resolution=24)),
        ("fps=source/4", "", FrameSettings(fps="source/4", resolution=48)),
        ("prompt=other", "generate.stop=a b=c", FrameSettings(fps=1, resolution=48)),
    ],
)
def test_settings_are_those_of_the_file_of_the_variant_and_of_the_command(
    project: UserProject, variant: str, given: str, frames: FrameSettings
) -> None:
    run = Films(project).run(film_cell(variant=variant, samples=films("a.mp4")), given=given)
    looks = looks_of(gather([run]).past[0])
    assert looks == Looks(frames, "start", "end")


def test_a_task_without_media_looks_at_nothing(project: UserProject) -> None:
    assert looks_of(gather([store(project.root / "runs", Cell())]).past[0]) is None


@pytest.mark.parametrize("variant", ["fps=many", "fps=-1", "degrade=fog", "resolution=0"])
def test_settings_that_mean_nothing_are_none(project: UserProject, variant: str) -> None:
    run = Films(project).run(film_cell(variant=variant, samples=films("a.mp4")))
    assert looks_of(gather([run]).past[0]) is None


@pytest.mark.parametrize(
    ("row", "start", "end"),
    [
        ({}, None, 9.0),
        ({"from": 1, "to": {"s": "2.5"}}, 1.0, 2.5),
        ({"from": "x", "to": -1}, None, 9.0),
        ({"from": "", "to": {"s": float("inf")}}, None, 9.0),
    ],
)
def test_a_row_says_which_part_is_meant(
    row: dict[str, object], start: float | None, end: float
) -> None:
    found = Looks(FrameSettings(fps=2, end=9.0), "from", "to.s").of(row)
    assert (found.start, found.end, found.fps) == (start, end, 2)


def test_looks_in_words() -> None:
    assert Looks(FrameSettings()).words == "fps=1"
    many = FrameSettings(fps=6.0, max_frames=8, resolution="64x32", degrade="noise:0.1")
    assert Looks(many).words == "fps=6, max_frames=8, resolution=64x32, degrade=noise:0.1"
    assert Looks(FrameSettings(fps=0.5, frames=4)).words == "fps=0.5, frames=4"


def test_the_first_cell_that_says_what_it_saw_counts(project: UserProject) -> None:
    samples = films("a.mp4", "b.mp4", "c.mp4")
    cells = [
        film_cell("replay", samples=samples),
        film_cell("base", samples=samples, seen={0: (0.0, 1.0)}),
        film_cell("tuned", samples=samples, seen={0: (0.5,), 1: (0.25, 0.75)}),
    ]
    found = times_of(gather([Films(project).run(*cells)]).past)
    assert found == {"v0": (0.0, 1.0), "v1": (0.25, 0.75)}


@pytest.mark.parametrize(
    ("row", "events"),
    [
        ({"events": [[0.5, 0.7], [2, 3]]}, [(0.5, 0.7), (2.0, 3.0)]),
        ({"events": [[0.5, 0.7]], "event_unit": "second"}, [(0.5, 0.7)]),
        ({"events": [[31, 60]], "event_unit": "frame from 1, last included, 30 a second"},
         [(1.0, 2.0)]),
        ({"events": [[31, 60]], "event_unit": "frame"}, []),
        ({"events": [[31, 60]], "event_unit": "frame, 0 a second"}, []),
        ({"events": [[31, 60]], "event_unit": "furlong"}, []),
        ({"events": [[3, 1], [1], "ab", [None, 1], [-1, 2], ["0", 1], [float("nan"), 1]]}, []),
        ({"events": "none"}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_events_are_seconds(row: dict[str, object], events: list[tuple[float, float]]) -> None:
    assert events_of(row) == events


@pytest.mark.parametrize("text", [None, "", "[1]", "{", "[" * 100_000])
def test_rows_that_cannot_be_read_are_empty(text: str | None) -> None:
    assert row_of(text) == {}
