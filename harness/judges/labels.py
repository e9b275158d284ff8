"""Human ratings of answers, on a judge's own criteria: read, checked, shuffled, written.

A file of labels is JSON lines, one rating of one answer by one person a line:

    {"id": "a1", "question": "...", "reference": "...", "answer": "...",
     "ratings": {"accuracy": 35, "completeness": 20}, "rater": "anna", "version": 1}

``total`` in place of ``ratings`` is a rating of the whole, in the units of the rubric.
``version`` is the version of the judge whose criteria were rated by; ratings by those of another
version are left out, and asked for again. A line without one is taken as of today's version.
``reference`` may be missing or null for a judge that is shown none; ``media``, a list of paths,
relative ones beside the file, may be missing. Two lines with one id are two people's ratings of one
answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from harness.collect.judge_spec import Criterion, JudgeSpec
from harness.collect.suggest import did_you_mean
from harness.errors import DataError, HarnessError, StoreError, shown
from harness.judges.base import Material, Unreadable
from harness.judges.rubric import Rubric, span
from harness.tasks.rows import Place, Row, read_rows, together

KEYS = ("id", "question", "reference", "answer", "media", "ratings", "total", "rater", "version")
MOST_CLAIMS = 1000  # a share of supported claims is read as a fraction with at most so many


@dataclass(frozen=True, slots=True)
class Label:
    """One person's rating of one answer. ``ratings`` are empty if only the whole was rated;
    ``total`` is in the units of the rubric, ``value`` the same in [0, 1]."""

    id: str
    rater: str
    material: Material
    ratings: Mapping[str, float]
    total: float
    value: float


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """One answer and everybody's rating of it, in the order of the files."""

    id: str
    material: Material
    labels: tuple[Label, ...]


# --------------------------------------------------------------------------- reading


def read_items(paths: Sequence[Path], spec: JudgeSpec) -> tuple[LabelledItem, ...]:
    """All labels of some files, answer by answer.

    Raises DataError (several: CollectError) with file and line: what is no JSON, unknown or missing
    keys, a criterion that the judge does not have, a rating out of its range, one id for two
    answers, one person's second rating of an answer, a file without a line, files without a rating
    by this version of the judge.
    """
    items = _read_items(paths, spec)
    if not items:
        was = ", ".join(str(one) for one in _other_versions(paths, spec))
        what = f"holds no ratings by version {spec.version} of {spec.judge}, only by {was}"
        raise DataError(paths[0], 0, f"{what}: rate again, 'harness judge label' asks for them")
    return items


def outdated(paths: Sequence[Path], spec: JudgeSpec) -> list[str]:
    """A line on ratings by other versions of the judge, which `read_items` leaves out."""
    return [
        f"{count} ratings by version {version} of {spec.judge} are left out: it is version "
        f"{spec.version}; 'harness judge label' asks for them again"
        for version, count in _other_versions(paths, spec).items()
    ]


def _other_versions(paths: Sequence[Path], spec: JudgeSpec) -> Counter[object]:
    reads = [read for path in paths for read in read_rows(path)]
    rows = [read[1] for read in reads if not isinstance(read, DataError)]
    return Counter(row["version"] for row in rows if _is_outdated(row, spec))


def _is_outdated(row: Row, spec: JudgeSpec) -> bool:
    """Whether a line says that it is about another version; what is no version is an error."""
    version = row.get("version")
    return isinstance(version, int) and not isinstance(version, bool) and version != spec.version


def _read_items(paths: Sequence[Path], spec: JudgeSpec) -> tuple[LabelledItem, ...]:
    """As `read_items`, and nothing if all ratings are by other versions."""
    rubric = rubric_of(spec)
    errors: list[HarnessError] = []
    items: dict[str, tuple[Place, list[Label]]] = {}
    for path in paths:
        if path.suffix.lower() != ".jsonl":
            raise DataError(path, 0, "labels are JSON lines; the file's name must end in .jsonl")
        count = 0
        for read in read_rows(path):
            count += 1
            try:
                if isinstance(read, DataError):
                    raise read
                place, row = read
                if _is_outdated(row, spec):
                    continue
                _add(items, place, _label(place, row, spec, rubric, path.parent))
            except HarnessError as error:
                errors.append(error)
        if not count:
            errors.append(DataError(path, 0, "holds no labels"))
    if errors:
        raise together(errors)
    return tuple(
        LabelledItem(id, labels[0].material, tuple(labels)) for id, (_, labels) in items.items()
    )


def rubric_of(spec: JudgeSpec) -> Rubric:
    """The rubric that people rate by. Raises HarnessError for a pairwise judge: it has none."""
    if spec.pairwise:
        what = "compares two answers; it has no criteria that people could rate one answer by"
        raise HarnessError(f"{shown(spec.path)}: the judge {spec.judge} {what}")
    return Rubric.of(spec)


def _add(items: dict[str, tuple[Place, list[Label]]], place: Place, label: Label) -> None:
    first, labels = items.setdefault(label.id, (place, []))
    if labels and labels[0].material != label.material:
        where = f"{first.where}:{first.line}"
        raise place.error(f"id '{label.id}' has another question, reference or answer at {where}")
    if label.rater in {other.rater for other in labels}:
        raise place.error(f"'{label.rater}' has rated '{label.id}' already")
    labels.append(label)


def _label(place: Place, row: Row, spec: JudgeSpec, rubric: Rubric, folder: Path) -> Label:
    for key in row:
        if key not in KEYS:
            raise place.error(f"unknown key '{key}'{did_you_mean(key, KEYS)}")
    if row.get("version", spec.version) != spec.version or row.get("version") is True:
        raise place.error("'version' must be the judge's, a whole number")
    material = Material(
        question=_text(place, row, "question"),
        reference=_reference(place, row, spec),
        answer=_text(place, row, "answer", empty=True),
        media=_media(place, row),
        folder=str(folder),
    )
    id, rater = _text(place, row, "id"), _text(place, row, "rater")
    if ("ratings" in row) == ("total" in row):
        raise place.error("give exactly one of 'ratings' and 'total'")
    try:
        if "total" in row:
            total = _number("total", row["total"], rubric.low, rubric.high)
            value = (total - rubric.low) / (rubric.high - rubric.low)
            return Label(id, rater, material, {}, total, value)
        if not isinstance(row["ratings"], dict):
            raise Unreadable("'ratings' must be {criterion: number}")
        return make_label(id, rater, material, row["ratings"], spec)
    except Unreadable as error:
        raise place.error(str(error)) from None


def _reference(place: Place, row: Row, spec: JudgeSpec) -> str | None:
    """What the judge is shown; a reference that it is not shown is no part of the material."""
    if spec.needs_reference:
        return _text(place, row, "reference")
    if row.get("reference") is not None:
        _text(place, row, "reference", empty=True)
    return None


def _text(place: Place, row: Row, key: str, *, empty: bool = False) -> str:
    if key not in row:
        raise place.error(f"'{key}' is missing")
    value = row[key]
    if not isinstance(value, str):
        raise place.error(f"'{key}' must be text, not {type(value).__name__}")
    if not empty and not value.strip():
        raise place.error(f"'{key}' is empty")
    return value


def _media(place: Place, row: Row) -> tuple[str, ...]:
    found = row.get("media", [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise place.error("'media' must be a list of paths")
    return tuple(found)


# --------------------------------------------------------------------------- one rating


def make_label(
    id: str, rater: str, material: Material, ratings: Mapping[str, object], spec: JudgeSpec
) -> Label:
    """A person's rating of an answer on all criteria of a judge.

    The total is computed as that of the judge's own verdicts. Raises Unreadable for a criterion
    that is unknown, missing, out of its range or, where the judge gives whole numbers, no whole
    number.
    """
    names = [criterion.name for criterion in spec.criteria]
    for name in ratings:
        if name not in names:
            raise Unreadable(f"the judge has no criterion '{name}'{did_you_mean(name, names)}")
    values = {}
    for criterion in spec.criteria:
        if criterion.name not in ratings:
            raise Unreadable(f"'{criterion.name}' is not rated")
        low, high = span(criterion)
        number = _number(criterion.name, ratings[criterion.name], low, high)
        values[criterion.name] = _as_reply(criterion, number)
    grade = Rubric.of(spec).grade(values)
    return Label(id, rater, material, dict(grade.criteria), grade.total, grade.value)


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(f"'{name}' must be a number, not {type(value).__name__}")
    if not low <= value <= high:
        raise Unreadable(f"'{name}' is {value}; it goes from {low:g} to {high:g}")
    return value


def _as_reply(criterion: Criterion, number: float) -> object:
    """A number as a judge would have to write it, so that one arithmetic serves both."""
    if criterion.kind == "claims":
        share = Fraction(number).limit_denominator(MOST_CLAIMS)
        yes, count = share.numerator, share.denominator
        return [{"claim": "-", "supported": "yes" if n < yes else "no"} for n in range(count)]
    if number != int(number):
        raise Unreadable(f"'{criterion.name}' is {number}; whole numbers are needed")
    if criterion.kind == "yesno":
        return "yes" if number else "no"
    return int(number)


# --------------------------------------------------------------------------- showing


def item_id(material: Material) -> str:
    """A name that tells nothing of who answered: 16 hex digits of a hash of what is judged."""
    parts = [material.question, material.reference, material.answer, list(material.media)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def blinded(materials: Iterable[Material], rater: str, run: str) -> list[tuple[str, Material]]:
    """What a person is shown, by `item_id`: equal answers once, in an order that depends on the
    person and the run alone, and not on whose answers they are."""
    known = {item_id(material): material for material in materials}

    def place(id: str) -> bytes:
        return hashlib.sha256(json.dumps([rater, run, id]).encode()).digest()

    return [(id, known[id]) for id in sorted(known, key=place)]


# --------------------------------------------------------------------------- writing


class LabelFile:
    """One person's labels for one judge; every rating is safe on disk when `add` returns."""

    def __init__(self, path: Path, spec: JudgeSpec, rater: str) -> None:
        """Read what is there. Raises as `read_items`, also if another's ratings are in the file."""
        self.path, self._spec, self._rater = path, spec, rater
        self.rated: frozenset[str] = frozenset(self._read())
        """Ids of what needs no second look: rated, and by this version of the judge."""

    def _read(self) -> dict[str, str]:
        if not self.path.exists() or not self.path.stat().st_size:
            return {}
        lines = {}
        for item in _read_items([self.path], self._spec):
            for label in item.labels:
                if label.rater != self._rater:
                    raise DataError(self.path, 0, f"holds ratings of '{label.rater}'")
                lines[item.id] = self._line(label)
        return lines

    def _line(self, label: Label) -> str:
        return _line_of(label, self.path.parent, self._spec.version)

    def _outdated(self) -> dict[str, str]:
        """Lines of other versions, which stay until they are rated again."""
        if not self.path.exists():
            return {}
        rows = [read[1] for read in read_rows(self.path) if not isinstance(read, DataError)]
        old = [row for row in rows if _is_outdated(row, self._spec)]
        return {f"{row.get('id')} {row['version']}": json.dumps(row) + "\n" for row in old}

    def add(self, id: str, material: Material, ratings: Mapping[str, object]) -> Label:
        """Check a rating and store it; raises Unreadable (nothing is stored) or StoreError."""
        label = make_label(id, self._rater, material, ratings, self._spec)
        # read again: a second window of the same person may have written meanwhile
        lines = {**self._read(), id: self._line(label)}
        write_whole(self.path, "".join([*self._outdated().values(), *lines.values()]))
        self.rated = frozenset(lines)
        return label


def labels_path(project: Path, judge: str, rater: str) -> Path:
    """Where a person's labels for a judge are kept."""
    return project / "judges" / "labels" / f"{judge}.{rater}.jsonl"


def check_writable(path: Path) -> None:
    """Before anybody is asked: raises StoreError if `write_whole` could not write this file.

    Nothing is left behind, no folder either.
    """
    folder = path.parent
    while not (folder.exists() or folder.is_symlink()) and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"cannot write {shown(path)}: {error.strerror or error}") from None


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is the old or the new one, never half; raises StoreError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreError(f"cannot write {shown(path)}: {error.strerror or error}") from None


def _line_of(label: Label, folder: Path, version: int) -> str:
    """A line of a file in a folder, beside which paths of media are told."""
    material = label.material
    row: dict[str, object] = {"id": label.id, "question": material.question}
    if material.reference is not None:
        row["reference"] = material.reference
    row["answer"] = material.answer
    if material.media:
        row["media"] = [os.path.relpath(path, folder) for path in material.paths]
    row |= {"ratings": dict(label.ratings)} if label.ratings else {"total": label.total}
    row |= {"rater": label.rater, "version": version}
    return json.dumps(row) + "\n"
