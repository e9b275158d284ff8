"""Rows and films of the offline tasks; the keys of the rows are those of `harness import`."""

from __future__ import annotations

from collections.abc import Callable

from clips.crime import CLASSES, Crime
from clips.draw import Film
from clips.wording import CRIME, LETTERS

Row = dict[str, object]
Made = tuple[dict[str, Film], list[Row]]
"""Films by the name of their file, and the rows that show them."""

SCENES, NORMAL_SCENES, CUTS = 6, 10, 2


def crime_mcq() -> Made:
    """140 clips: of each class 6 scenes, of Normal 10, and two cuts of every scene."""
    films: dict[str, Film] = {}
    rows: list[Row] = []
    for label in CLASSES:
        for scene in range(1, 1 + (NORMAL_SCENES if label == "Normal" else SCENES)):
            for cut in range(1, 1 + CUTS):
                source = f"{label.replace(' ', '')}{scene:03d}"
                key = f"{source}_{cut}"
                crime = Crime.of(label, f"test {source}", str(cut))
                films[f"{key}.mp4"] = crime.film()
                rows.append(
                    {
                        "id": key, "split": "test", "input": CRIME,
                        "target": LETTERS[CLASSES.index(label)], "choices": CLASSES,
                        "media": [f"{key}.mp4"], "cluster": source, "class": label,
                        "anomaly": "normal" if label == "Normal" else "anomaly",
                        "events": crime.events, "event_unit": "second",
                    }
                )  # fmt: skip
    return films, rows


TASKS: dict[str, Callable[[], Made]] = {"crime_mcq": crime_mcq}
"""Folder, or folder/name of one of its tasks -> what makes its rows and films."""
