"""The clips of the offline tasks: drawn again they are the same, and no start gives them away."""

from __future__ import annotations

import importlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TASKS = ROOT / "tasks"
MOST = 3_000_000


@pytest.fixture(scope="module")
def clips() -> Iterator[Any]:
    """tools/clips, as tools/render_clips.py imports it."""
    sys.path.insert(0, str(ROOT / "tools"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def made(clips: Any) -> dict[str, Any]:
    return {name: make() for name, make in clips("clips.records").TASKS.items()}


def folder_of(name: str) -> Path:
    return TASKS / name.partition("/")[0]


def test_the_rows_are_those_that_the_script_writes(made: dict[str, Any]) -> None:
    for name, task in made.items():
        path = folder_of(name) / "data" / f"{name.rpartition('/')[2]}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert rows == json.loads(json.dumps(task.rows)), name


def test_every_medium_is_shown_and_all_take_at_most_three_megabytes(made: dict[str, Any]) -> None:
    shipped = {path for name in made for path in (folder_of(name) / "media").iterdir()}
    wanted = {
        folder_of(name) / "media" / file
        for name, task in made.items()
        for row in task.rows
        for file in row["media"]
    }
    assert shipped == wanted
    assert sum(path.stat().st_size for path in shipped) <= MOST


@pytest.mark.parametrize("name", ["crime_mcq", "physio_errors", "image_vqa/image_vqa_gqa"])
def test_a_file_shows_what_the_script_draws(name: str, clips: Any, made: dict[str, Any]) -> None:
    """Pixels, not bytes: another x264 writes another file."""
    import numpy as np

    from harness.media.decode import decode
    from harness.media.sampling import Sampling

    for file, film in list(made[name].films.items())[:3]:
        clip = decode(folder_of(name) / "media" / file, Sampling(fps=3))
        for time, frame in zip(clip.times, clip.frames, strict=True):
            drawn = film.picture(time, scale=2).astype(float)
            assert np.abs(frame - drawn).mean() < 6, (file, time)


def test_encoding_twice_gives_the_same_bytes(
    clips: Any, made: dict[str, Any], tmp_path: Path
) -> None:
    draw = clips("clips.draw")
    for file, film in list(made["crime_mcq"].films.items())[12:18]:
        for turn in "ab":
            draw.write_mp4(film, tmp_path / turn / file)
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_brief_events_are_seen_at_six_frames_a_second_and_mostly_missed_at_one(clips: Any) -> None:
    crime = clips("clips.crime")
    films = [
        crime.Crime.of(label, f"seen {number}", "1")
        for label in crime.BRIEF
        for number in range(40)
    ]

    def share(fps: int) -> float:
        # a frame of 15 a second is on display from its own time on
        times = [math.floor(k / fps * 15 + 1e-6) / 15 for k in range(3 * fps)]
        return sum(any(map(film.shows_event, times)) for film in films) / len(films)

    assert share(6) == 1.0
    assert share(1) < 0.25


def test_where_the_walkers_are_at_first_says_nothing_about_the_class(clips: Any) -> None:
    """Nearest neighbours on the first places guess no better than chance (1 in 11)."""
    crime = clips("clips.crime")
    known = [
        (
            label,
            [x for place in crime.Crime.of(label, f"leak {n}", "1").walkers(0.0) for x in place],
        )
        for n in range(60)
        for label in crime.CLASSES
    ]
    random.Random(1).shuffle(known)
    hits = 0
    for number, (label, places) in enumerate(known):
        others = [
            (math.dist(places, far), name) for k, (name, far) in enumerate(known) if k != number
        ]
        near = Counter(name for _, name in sorted(others)[:15])
        hits += near.most_common(1)[0][0] == label
    chance, n = 1 / len(crime.CLASSES), len(known)
    assert hits / n < chance + 3 * math.sqrt(chance * (1 - chance) / n)


def test_what_an_animal_will_do_cannot_be_seen_in_the_first_frame(clips: Any) -> None:
    animals = clips("clips.animals")
    for seed in range(20):
        rngs = [random.Random(seed) for _ in animals.ACTIONS]
        zoos = [
            animals.Zoo.moving(rng, animals.SPECIES[0], action)
            for rng, action in zip(rngs, animals.ACTIONS, strict=True)
        ]
        assert len({zoo.first.at(0.0) for zoo in zoos}) == 1


def test_answers_are_spread_evenly(made: dict[str, Any]) -> None:
    pope = Counter(row["target"] for row in made["image_vqa/image_vqa_pope"].rows)
    assert pope["yes"] == pope["no"]
    places = Counter(row["target"] for row in made["image_vqa/image_vqa_mmbench"].rows)
    assert len(set(places.values())) == 1
    crimes = Counter(row["class"] for row in made["crime_mcq"].rows)
    assert crimes.pop("Normal") == 20
    assert set(crimes.values()) == {12}
