"""VQA v2.0 (Goyal et al. 2017): ``v2_OpenEnded_mscoco_{train2014,val2014}_questions.json`` with
``{"questions": [{"image_id", "question", "question_id"}]}``; ``v2_mscoco_{...}_annotations.json``
with ``{"annotations": [{"question_id", "multiple_choice_answer", "answers": [{"answer",
"answer_confidence"}], "answer_type", "question_type"}]}``; and the images
``train2014/COCO_train2014_000000000009.jpg``. Questions of test2015 have no published answers.
The target is the authors' most frequent answer; all ten stand in ``answers``. The class is the type
of the answer (yes/no, number, other); the cluster is the image.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.tasks.importers.read import answers_of, json_entries, number, optional, text
from harness.tasks.importers.source import NO_ANSWER, Record, Source
from harness.tasks.rows import Place, Row

SETS = (
    ("val2014", "validation"),
    ("train2014", "train"),
    ("test-dev2015", "test-dev"),
    ("test2015", "test"),
)
UNASKED = "there is an annotation, but no such question"


def read(source: Source) -> Iterator[Record]:
    """Records of the sets whose questions are there."""
    files = [(source.tree.one(_questions(name)), name, split) for name, split in SETS]
    if not any(path for path, _, _ in files):
        names = [_questions(name) for name, _ in SETS[:2]]
        raise source.tree.missing("VQA v2", *names)
    for path, name, split in files:
        if path and source.wants(split):
            yield from _read(source, path, name, split)


def _questions(name: str) -> str:
    return f"v2_OpenEnded_mscoco_{name}_questions.json"


def _read(source: Source, path: str, name: str, split: str) -> Iterator[Record]:
    known = _annotations(source, name)
    folder = name.replace("test-dev", "test")

    def make(place: Place, row: Row) -> Iterator[Record]:
        key, image = text(row, "question_id", place), number(row, "image_id", place)
        question, found = text(row, "question", place), known.pop(key, None)
        if found is None:
            source.left.add(NO_ANSWER, f"{name} {key}")
            return
        answers, sure = answers_of(found[1], found[0])
        file = f"COCO_{folder}_{image:012d}.jpg"
        media = source.media(file, f"{file} (question {key})", prefer=folder)
        if media is None:
            return
        more = {
            "answers": answers,
            "answer_confidences": sure,
            "question_type": optional(found[1], "question_type"),
        }
        yield Record(
            key, split, question, text(found[1], "multiple_choice_answer", found[0]), (media,),
            f"COCO_{image:012d}", optional(found[1], "answer_type") or "other", (), more,
        )  # fmt: skip

    yield from source.each(json_entries(source.tree.place(path), "questions"), make)
    for key in known:
        source.left.add(UNASKED, f"{name} {key}")


def _annotations(source: Source, name: str) -> dict[str, tuple[Place, Row]]:
    path = source.tree.one(f"v2_mscoco_{name}_annotations.json")
    found: dict[str, tuple[Place, Row]] = {}
    for read_ in json_entries(source.tree.place(path), "annotations") if path else ():
        if isinstance(read_, tuple):
            found[optional(read_[1], "question_id")] = read_
        else:
            source.errors.append(read_)
    return found
