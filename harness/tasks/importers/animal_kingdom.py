"""Animal Kingdom (Ng et al. 2022): what animals do, in two parts.

``animal-kingdom-actions``: the grounding subset as free text. ``video_grounding/annotation/
{train,test}.txt`` as in the authors' repository, a line a segment: ``AANNQNXN 28.7 30.9##The
jellyfish is swimming.`` (clip, start and end in seconds, sentence), with ``ak_vg_duration.json``
beside them. The videos come in an archive of their own, whose inner folders we have not seen:
``<clip>.mp4`` is looked for anywhere in the tree. The study's wording of the questions is not
known; ours is below. It used one pair a video: ``--one-per-cluster``.

``animal-kingdom-mcq``: species, class and action as multiple choice, from the sheet 'AR' of
``AR_metadata.xlsx`` (or AR_metadata.csv saved from it): columns video_id, type, list_animal,
list_animal_parent_class, list_animal_action, lists as Python writes them; the clips are
``action_recognition/dataset/video/<video_id>.mp4``. As read by public code; the workbook itself
was not seen. Three questions a clip. The class is asked among all classes, where the clip shows
one only. Species and action are asked among four options of which the clip shows just one: others
are drawn by ``--seed`` from all the answers, species of the same class where there are enough.
The authors' frame lists (train.csv, val.csv) name actions by number and are not read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from harness.tasks.importers.read import json_entries, optional, table, text, text_lines
from harness.tasks.importers.source import (
    OPTIONS,
    Record,
    Source,
    drawn,
    our_split,
    telling,
    with_distractors,
)
from harness.tasks.importers.xlsx import sheet_rows
from harness.tasks.rows import Place, Row, shown

DOES = "What happens in this video of animals?"
SPECIES, CLASS, ACTION = (
    "Which of these animals does the video show?",
    "To which of these groups does the animal in the video belong?",
    "Which of these does an animal in the video do?",
)
SEVERAL = "the clip shows several classes (the question has no one answer)"
UNTOLD = "the list of animals or actions is empty"


@dataclass(frozen=True, slots=True)
class Clip:
    """A row of the metadata: (species, action) as they occur, and the classes."""

    id: str
    split: str
    media: str
    pairs: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]

    @property
    def species(self) -> tuple[str, ...]:
        """Each species once."""
        return tuple(dict.fromkeys(species for species, _ in self.pairs))

    @property
    def actions(self) -> tuple[str, ...]:
        """Each action once."""
        return tuple(dict.fromkeys(action for _, action in self.pairs))


def read(source: Source) -> Iterator[Record]:
    """Records of both parts, or of the one that is there."""
    grounding = [
        (path, split)
        for split in ("test", "train")
        if (path := source.tree.one(f"{split}.txt", within="annotation"))
    ]
    metadata = source.tree.one("AR_metadata.xlsx", "AR_metadata.csv")
    if not grounding and metadata is None:
        names = ("annotation/train.txt", "annotation/test.txt", "AR_metadata.xlsx")
        raise source.tree.missing("Animal Kingdom", *names)
    if not grounding:
        source.notes.append("no video_grounding/annotation/test.txt: no free-text part")
    if metadata is None:
        source.notes.append("no AR_metadata.xlsx: no multiple-choice part")
    durations = _durations(source) if grounding else {}
    for path, split in grounding:
        yield from _segments(source, path, split, durations)
    if metadata is not None:
        yield from _choices(source, metadata)


# --------------------------------------------------------------------------- free text


def _durations(source: Source) -> dict[str, float]:
    path = source.tree.one("ak_vg_duration.json")
    found: dict[str, float] = {}
    for read_ in json_entries(source.tree.place(path)) if path else ():
        if isinstance(read_, tuple) and isinstance(read_[1].get("duration"), int | float):
            found[optional(read_[1], "vid")] = float(read_[1]["duration"])  # type: ignore[arg-type]
    return found


def _segments(
    source: Source, path: str, split: str, durations: dict[str, float]
) -> Iterator[Record]:
    count: dict[str, int] = {}
    for place, line in text_lines(source.tree.place(path)):
        span, found, sentence = line.partition("##")
        parts = span.split()
        try:
            clip, start, end = parts[0], float(parts[1]), float(parts[2])
        except (IndexError, ValueError):
            found = ""
        if not found or len(parts) != 3 or not sentence.strip() or not 0 <= start <= end:
            what = f"'{shown(line, 80)}' is not: clip start end##sentence"
            source.errors.append(place.error(what))
            continue
        number = count[clip] = count.get(clip, 0) + 1
        if not source.wants(split):
            continue
        media = source.media(f"{clip}.mp4", f"{clip}.mp4 ({place.where}:{place.line})")
        if media is None:
            continue
        more: dict[str, object] = {"start": start, "end": end}
        if clip in durations:
            more["duration"] = durations[clip]
        key = f"{clip}-{number:03d}"
        yield Record(
            key, split, DOES, sentence.strip(), (media,), clip, "", (), more, part="actions"
        )


# --------------------------------------------------------------------------- multiple choice


def _choices(source: Source, metadata: str) -> Iterator[Record]:
    path = source.tree.place(metadata)
    found = sheet_rows(path, "AR") if metadata.endswith(".xlsx") else table(path, ",")
    clips: list[Clip] = []

    def keep(place: Place, row: Row) -> Iterator[Record]:
        clips.extend(_clip(source, place, row))
        return iter(())

    for _ in source.each(found, keep):
        pass
    pools = _Pools.of(clips)
    for clip in clips:
        if source.wants(clip.split):
            for record in (
                _about_species(source, clip, pools),
                _about_class(source, clip, pools),
                _about_action(source, clip, pools),
            ):
                if record is not None:
                    yield record


def _clip(source: Source, place: Place, row: Row) -> Iterator[Clip]:
    name = text(row, "video_id", place).removesuffix(".mp4")
    pairs = [_pair(pair, place) for pair in _literal(row, "list_animal_action", place)]
    classes = _literal(row, "list_animal_parent_class", place)
    if not pairs or not classes:
        source.left.add(UNTOLD, f"{name} ({place.where}:{place.line})")
        return
    media = source.media(f"{name}.mp4", f"{name}.mp4 ({place.where}:{place.line})", prefer="video")
    if media is not None:
        own = tuple(dict.fromkeys(str(each).strip() for each in classes))
        yield Clip(name, our_split(text(row, "type", place)), media, tuple(pairs), own)


def _pair(value: object, place: Place) -> tuple[str, str]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise place.error("'list_animal_action' is no list of (animal, action)")
    return str(value[0]).strip(), str(value[1]).strip()


def _literal(row: Row, key: str, place: Place) -> list[object]:
    """A list as Python writes it."""
    written = text(row, key, place)
    try:
        found = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise place.error(f"'{key}' is no list: '{shown(written, 60)}'") from None
    if not isinstance(found, list | tuple):
        raise place.error(f"'{key}' is no list: '{shown(written, 60)}'")
    return list(found)


@dataclass(frozen=True)
class _Pools:
    """Every answer as often as a clip has it."""

    species: tuple[str, ...]
    by_class: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]
    actions: tuple[str, ...]

    @classmethod
    def of(cls, clips: list[Clip]) -> _Pools:
        by_class: dict[str, list[str]] = {}
        for clip in clips:
            if len(clip.classes) == 1:
                by_class.setdefault(clip.classes[0], []).extend(clip.species)
        return cls(
            tuple(chain.from_iterable(clip.species for clip in clips)),
            {name: tuple(found) for name, found in by_class.items()},
            tuple(sorted({name for clip in clips for name in clip.classes})),
            tuple(chain.from_iterable(clip.actions for clip in clips)),
        )


def _about_species(source: Source, clip: Clip, pools: _Pools) -> Record | None:
    key = f"{clip.id}-species"
    right = clip.species[drawn(source.seed, key, len(clip.species))]
    pool = pools.by_class.get(clip.classes[0], ()) if len(clip.classes) == 1 else ()
    if len(set(pool) - set(clip.species)) < 3:
        pool = pools.species
    choices = with_distractors(source.seed, key, right, pool, clip.species)
    return _asked(source, clip, "species", SPECIES, choices, right)


def _about_class(source: Source, clip: Clip, pools: _Pools) -> Record | None:
    if len(clip.classes) > 1:
        source.left.add(SEVERAL, f"{clip.id}-class")
        return None
    return _asked(source, clip, "class", CLASS, pools.classes, clip.classes[0])


def _about_action(source: Source, clip: Clip, pools: _Pools) -> Record | None:
    key = f"{clip.id}-action"
    right = clip.actions[drawn(source.seed, key, len(clip.actions))]
    choices = with_distractors(source.seed, key, right, pools.actions, clip.actions)
    return _asked(source, clip, "action", ACTION, choices, right)


def _asked(
    source: Source, clip: Clip, kind: str, question: str, choices: tuple[str, ...], right: str
) -> Record | None:
    target = telling(choices, choices.index(right))
    if target is None:
        source.left.add(OPTIONS, f"{clip.id}-{kind}")
        return None
    more = {
        "question_kind": kind,
        "species": list(clip.species),
        "classes": list(clip.classes),
        "actions": list(clip.actions),
    }
    label = kind
    return Record(
        f"{clip.id}-{kind}", clip.split, question, target, (clip.media,), clip.id, label, choices,
        more, part="mcq",
    )  # fmt: skip
