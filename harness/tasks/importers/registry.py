"""Which data sets can be imported, and where the code for each of them is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness.collect.suggest import known_or_near
from harness.errors import SelectionError

if TYPE_CHECKING:
    from harness.tasks.importers.source import Record, Source

    Importer = Callable[[Source], Iterator[Record]]
    """Reads the tree of a data set. Raises DataError if the tree is none of that data set."""

IMPORTERS = {
    "ucf-crime": ("ucf_crime", "surveillance videos, which crime: multiple choice"),
    "animal-kingdom": ("animal_kingdom", "animals: what they do; species, class, action"),
    "qved": ("qved", "physiotherapy exercises: feedback, form errors"),
    "msvd": ("msvd", "MSVD-QA: short answers on YouTube clips"),
    "gqa": ("gqa", "balanced questions on images"),
    "mmbench": ("mmbench", "multiple choice on images (TSV with the images in it)"),
    "pope": ("pope", "is there such an object: yes or no"),
    "scienceqa": ("scienceqa", "school science, the questions that have an image"),
    "vizwiz": ("vizwiz", "blind people's photos and questions, 10 answers"),
    "vqav2": ("vqav2", "VQA v2.0, open-ended, 10 answers"),
}
"""Name -> its module, and its line in `harness import --help`, which imports none of them."""


TASKS = {
    "ucf-crime": ("crime_mcq",),
    "animal-kingdom-mcq": ("animal_mcq",),
    "animal-kingdom-actions": ("animal_actions",),
    "qved": ("physio_feedback", "physio_errors"),
    "msvd": ("msvd_qa",),
    **{name: (f"image_vqa_{name}",) for name in ("gqa", "mmbench", "pope", "scienceqa")},
    **{name: (f"image_vqa_{name}",) for name in ("vizwiz", "vqav2")},
}
"""Name of what an import writes -> the tasks of ours that read its rows as they are."""


def get_importer(name: str) -> Importer:
    """The importer of that name; raises SelectionError with the names there are."""
    if name not in IMPORTERS:
        known = ", ".join(IMPORTERS)
        hint = known_or_near(name, IMPORTERS)
        raise SelectionError(f"no data set '{name}'{hint or f' (there are: {known})'}")
    module = importlib.import_module(f"harness.tasks.importers.{IMPORTERS[name][0]}")
    importer: Importer = module.read
    return importer
