"""Rows and films of the offline tasks; the keys of the rows are those of `harness import`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clips.animals import ACTIONS, SPECIES, Zoo, blank
from clips.crime import CLASSES, Crime
from clips.draw import RATE, SECONDS, Film
from clips.exercise import ERRORS, EXERCISES, Exercise
from clips.questions import (
    Question,
    about_clip,
    about_one,
    about_picture,
    sentence,
    short_about_clip,
)
from clips.wording import CRIME, DOES, FEEDBACK, FORM_ERRORS, LETTERS

Row = dict[str, object]
SCENES, NORMAL_SCENES, CUTS = 6, 10, 2
ROTATIONS = 4
STRIDE = 1_000_000
"""MMBench numbers the rotations of a question by millions."""


@dataclass
class Made:
    """Films by the name of their file, and the rows that show them."""

    films: dict[str, Film] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def add(self, key: str, asked: tuple[str, str], media: str, label: str, **more: object) -> None:
        """A row; ``asked`` is the question and its target; the cluster is the film, unless told."""
        question, target = asked
        row: Row = {"id": key, "split": "test", "input": question, "target": target}
        if "choices" in more:
            row["choices"] = more.pop("choices")
        cluster = more.pop("cluster", media.rpartition(".")[0])
        self.rows.append(row | {"media": [media], "cluster": cluster, "class": label, **more})

    def choose(self, key: str, one: Question, media: str, label: str, **more: object) -> None:
        """A row with choices; the target is a letter."""
        target = LETTERS[one.choices.index(one.answer)]
        self.add(key, (one.text, target), media, label, choices=one.choices, **more)


def crime_mcq() -> Made:
    """140 clips: of each class 6 scenes, of Normal 10, and two cuts of every scene."""
    made = Made()
    for label in CLASSES:
        for scene in range(1, 1 + (NORMAL_SCENES if label == "Normal" else SCENES)):
            source = f"{label.replace(' ', '')}{scene:03d}"
            for cut in range(1, 1 + CUTS):
                crime = Crime.of(label, f"test {source}", str(cut))
                made.films[f"{source}_{cut}.mp4"] = crime.film()
                made.choose(
                    f"{source}_{cut}", Question("", CRIME, label, CLASSES), f"{source}_{cut}.mp4",
                    label, cluster=source, anomaly="normal" if label == "Normal" else "anomaly",
                    events=crime.events, event_unit="second",
                )  # fmt: skip
    return made


def _zoos(task: str, count: int, others: bool) -> list[tuple[random.Random, Zoo]]:
    """Clips of animals in which every species and action comes equally often."""
    rng = random.Random(f"test {task}")
    kinds = [SPECIES[k % len(SPECIES)] for k in range(count)]
    does = [ACTIONS[(k + k // len(ACTIONS)) % len(ACTIONS)] for k in range(count)]
    return [
        (rng, Zoo.moving(rng, kind, action, number % 3 if others else 0))
        for number, (kind, action) in enumerate(zip(kinds, does, strict=True))
    ]


def animal_mcq() -> Made:
    """20 clips, three questions each."""
    made = Made()
    for number, (rng, zoo) in enumerate(_zoos("animal_mcq", 20, others=False), 1):
        clip = f"animal{number:03d}"
        made.films[f"{clip}.mp4"] = zoo.film()
        first = zoo.first
        told = {
            "species": [first.species.name], "classes": [first.species.group],
            "actions": [first.action],
        }  # fmt: skip
        for one in about_clip(rng, zoo):
            key, more = f"{clip}-{one.kind}", {"question_kind": one.kind, **told}
            made.choose(key, one, f"{clip}.mp4", one.kind, **more)
    return made


def animal_actions() -> Made:
    """30 clips, a sentence each."""
    made = Made()
    for number, (_, zoo) in enumerate(_zoos("animal_actions", 30, others=False), 1):
        clip = f"action{number:03d}"
        made.films[f"{clip}.mp4"] = zoo.film()
        made.add(
            f"{clip}-001", (DOES, sentence(zoo)), f"{clip}.mp4", zoo.first.action,
            cluster=clip, start=0.0, end=SECONDS, duration=SECONDS,
        )  # fmt: skip
    return made


def msvd_qa() -> Made:
    """16 clips, three questions each."""
    made = Made()
    for number, (rng, zoo) in enumerate(_zoos("msvd_qa", 16, others=True), 1):
        clip = f"vid{number}"
        made.films[f"{clip}.mp4"] = zoo.film()
        for place, one in enumerate(short_about_clip(rng, zoo)):
            key, asked = f"msvd-{3 * number + place}", (one.text, one.answer)
            made.add(key, asked, f"{clip}.mp4", one.kind, video_id=clip)
    return made


def _exercised(task: str, rounds: int) -> list[tuple[str, Exercise]]:
    """Every exercise with each of its errors and without one, so many times."""
    rng = random.Random(f"test {task}")
    pairs = [(name, error) for name in EXERCISES for error in ("", *ERRORS[name])]
    return [
        (f"{name.replace(' ', '_')}_{turn}_{error or 'good'}", Exercise.of(rng, name, error))
        for turn in range(1, 1 + rounds)
        for name, error in pairs
    ]


def _told(one: Exercise) -> Row:
    return {
        "exercise": one.name,
        "errors": [one.error] if one.error else [],
        "error_frames": [round(time * RATE) for time in one.error_times],
        "error_times": one.error_times,
    }


def physio_feedback() -> Made:
    """42 clips with the feedback that they deserve."""
    made = Made()
    for key, one in _exercised("physio_feedback", 3):
        made.films[f"{key}.mp4"] = one.film()
        made.add(key, (FEEDBACK, one.feedback), f"{key}.mp4", one.name, **_told(one))
    return made


def physio_errors() -> Made:
    """28 clips with their form errors and when they are made."""
    made = Made()
    for key, one in _exercised("physio_errors", 2):
        made.films[f"{key}.mp4"] = one.film()
        made.add(key, (FORM_ERRORS, one.answer), f"{key}.mp4", one.name, **_told(one))
    return made


# --------------------------------------------------------------------------- pictures


def _pictures(task: str, count: int, most: int) -> list[tuple[random.Random, str, Zoo]]:
    """Pictures of one to ``most`` animals."""
    rng = random.Random(f"test {task}")
    names = [f"{task}_{number:03d}.png" for number in range(1, 1 + count)]
    return [(rng, name, Zoo.still(rng, 1 + k % most)) for k, name in enumerate(names)]


def _people(rng: random.Random, answer: str, others: Sequence[str]) -> Row:
    """Ten answers, as ten people might have given them; most agree."""
    odd = rng.choice((0, 0, 1, 2))
    answers = [answer] * (10 - odd) + [rng.choice(others) for _ in range(odd)]
    return {"answers": answers, "answer_confidences": ["yes"] * 10}


def gqa() -> Made:
    """12 pictures, three questions each."""
    made = Made()
    for rng, name, zoo in _pictures("gqa", 12, 3):
        made.films[name] = zoo.film()
        for place, one in enumerate(about_picture(rng, zoo)["gqa"]):
            key, more = f"{name[:-4]}-{place}", {"types": {"structural": one.kind}}
            made.add(key, (one.text, one.answer), name, one.kind, **more)
    return made


def pope() -> Made:
    """18 pictures, two questions each; half of the answers are yes."""
    made = Made()
    for rng, name, zoo in _pictures("pope", 18, 3):
        made.films[name] = zoo.film()
        there = {one.species.name for one in zoo.animals}
        absent = [one.name for one in SPECIES if one.name not in there]
        for asked, label in ((rng.choice(sorted(there)), "yes"), (rng.choice(absent), "no")):
            question = f"Is there a {asked} in the image?"
            made.add(f"coco-random-{name[:-4]}-{label}", (question, label), name, "random",
                     images="coco")  # fmt: skip
    return made


def vqav2() -> Made:
    """12 pictures, three questions each, ten answers a question."""
    made = Made()
    for rng, name, zoo in _pictures("vqav2", 12, 3):
        made.films[name] = zoo.film()
        for place, one in enumerate(about_picture(rng, zoo)["vqav2"]):
            more = _people(rng, one.answer, ("yes", "no", "2", "grey"))
            key = f"{name[:-4]}-{place}"
            made.add(key, (one.text, one.answer), name, one.kind, **more)
    return made


def vizwiz() -> Made:
    """30 pictures, a question each; on six of them nothing can be made out."""
    made = Made()
    for number, (rng, name, zoo) in enumerate(_pictures("vizwiz", 30, 1)):
        one = rng.choice(about_one(rng, zoo)["vizwiz"])
        seen = number % 5 != 4
        made.films[name] = zoo.film() if seen else blank(rng)
        answer = one.answer if seen else "unanswerable"
        more = _people(rng, answer, ("unsuitable", "animal"))
        label = one.kind if seen else "unanswerable"
        made.add(name[:-4], (one.text, answer), name, label, **more, answerable=int(seen))
    return made


def scienceqa() -> Made:
    """28 pictures, a question with choices each."""
    made = Made()
    for rng, name, zoo in _pictures("scienceqa", 28, 1):
        made.films[name] = zoo.film()
        (one,) = about_one(rng, zoo)["scienceqa"]
        made.choose(name[:-4], one, name, one.kind, question=one.text, hint="")
    return made


def mmbench() -> Made:
    """6 pictures, two questions each, every one in four orders of its choices."""
    made = Made()
    for number, (rng, name, zoo) in enumerate(_pictures("mmbench", 6, 1)):
        made.films[name] = zoo.film()
        for place, one in enumerate(about_one(rng, zoo)["mmbench"]):
            for turn in range(ROTATIONS):
                choices = (*one.choices[turn:], *one.choices[:turn])
                key = str(100 + 2 * number + place + STRIDE * turn)
                turned = Question(one.kind, one.text, one.answer, choices)
                more = {"question": one.text, "hint": "", "l2_category": "finegrained_perception"}
                made.choose(key, turned, name, one.kind, **more)
    return made


TASKS: dict[str, Callable[[], Made]] = {
    "crime_mcq": crime_mcq,
    "animal_mcq": animal_mcq,
    "animal_actions": animal_actions,
    "msvd_qa": msvd_qa,
    "physio_feedback": physio_feedback,
    "physio_errors": physio_errors,
    "image_vqa/image_vqa_gqa": gqa,
    "image_vqa/image_vqa_mmbench": mmbench,
    "image_vqa/image_vqa_pope": pope,
    "image_vqa/image_vqa_scienceqa": scienceqa,
    "image_vqa/image_vqa_vizwiz": vizwiz,
    "image_vqa/image_vqa_vqav2": vqav2,
}
"""Folder, or folder/name of one of its tasks -> what makes its rows and films."""
