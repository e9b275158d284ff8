"""Finding what a candidate is compared with: committed baselines, runs, models."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.collect.library import BASELINES
from harness.collect.suggest import did_you_mean, known_or_near
from harness.errors import SelectionError, StoreError, shown
from harness.results import manifest as manifests
from harness.results.pairs import Side, find_models
from harness.results.store import RunReader, find_named, one_line, read_run, whole_runs
from harness.results.swap import ASIDE, recover
from harness.results.tables import TABLES


def read_baseline(path: Path) -> Side:
    """The baseline in a folder, all its files checked.

    Raises StoreError if there is none, if it cannot be read, if it is half-written or damaged, or
    if it is a run.
    """
    recover(path)
    with one_line(f"{shown(path)}: cannot be read"):
        if not path.exists():
            raise StoreError(f"no baseline {shown(path)}: 'harness baseline set RUN' makes one")
        if not _has_manifest(path):
            what = "is not a whole baseline" if _begun(path) else "is no baseline"
            raise StoreError(f"{shown(path)} {what}: it has no {manifests.FILE_NAME}")
    run = read_run(path)
    origin = run.manifest.baseline
    if run.manifest.kind != "baseline" or origin is None:
        what = "is a run, not a baseline"
        raise StoreError(f"{shown(path)} {what}: 'harness baseline set {shown(path)}' makes one")
    run.verify()
    return Side(run, origin.model)


def find_baselines(folder: Path) -> list[Path]:
    """The folders of a folder that hold baselines, half-written and damaged ones too, by name.

    Raises StoreError if nobody may look into the folder.
    """
    with one_line(f"{shown(folder)}: cannot be read"):
        if not folder.is_dir():
            return []
        for aside in folder.glob(f"{ASIDE}*"):
            recover(aside.with_name(aside.name.removeprefix(ASIDE)))
        inside = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
        return [one for one in inside if _begun(one)]


def find_references(project: Path, runs: Path, words: Sequence[str] = ()) -> References:
    """Whom candidates are compared with.

    ``words`` are paths of baselines or of folders of them, names of the project's baselines, or
    RUN, RUN:MODEL, MODEL (runs below ``runs``). Without words: the project's baseline of the task,
    else the model that the candidate's card calls its `baseline`, in the same run. Nothing is read
    before it is asked for. Raises SelectionError for an empty word.
    """
    if not all(word.strip() for word in words):
        raise SelectionError("empty name of a baseline: name a folder, a run or a model")
    return References(project, runs, tuple(words))


@dataclass(frozen=True)
class References:
    """Where baselines are looked for; what was found is remembered."""

    project: Path
    runs: Path
    words: tuple[str, ...] = ()
    _read: dict[Path, Side] = field(default_factory=dict, compare=False, repr=False)
    _meant: dict[tuple[str, str], list[Side]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def check(self, asked: Collection[str] = ()) -> None:
        """Raise StoreError for a word that names nothing, or what cannot be read; ``asked`` are
        models that will be asked before they are compared with."""
        for word in self.words:
            if word in asked:
                continue
            place = self._place(word)
            if place is not None:
                if not _is_plain_run(place):
                    self._below(place)
                continue
            try:
                find_models(self.runs, word)
            except StoreError:
                hint = did_you_mean(word, asked)
                if hint:
                    raise StoreError(f"no baseline, run or model '{word}'{hint}") from None
                raise

    def of(self, candidate: Side, task: str) -> Side | None:
        """Whom a task of a candidate is compared with; None if nobody is known.

        Raises StoreError for any word whose baseline or run cannot be read or does not exist, if
        two words name different baselines of the task, and if the words have no task of the
        candidate at all.
        """
        if not self.words:
            return self._default(candidate, task)
        own = {c.task for c in candidate.run.manifest.cells if c.model == candidate.model}
        covered: set[str] = set()
        holding: dict[str, Side] = {}
        for word in self.words:
            found = self._meant_by(word, candidate, own)
            covered |= {name for one in found for name in _tasks(one)}
            side = next((one for one in found if task in _tasks(one)), None)
            if side is not None:
                holding[word] = side
        if len({(one.run.path.resolve(), one.model) for one in holding.values()}) > 1:
            names = " and ".join(holding)
            raise StoreError(f"{task} has several baselines, {names}: name one of them")
        if holding:
            return next(iter(holding.values()))
        if not covered & own:
            known = f"of {', '.join(sorted(covered))}" if covered else "of no task"
            what = f"{' and '.join(self.words)}: a baseline {known}"
            raise StoreError(f"{what}; {candidate.name} ran {', '.join(sorted(own))}")
        return None

    def _default(self, candidate: Side, task: str) -> Side | None:
        place = self.project / BASELINES / task
        recover(place)
        with one_line(f"{shown(place)}: cannot be read"):
            there = place.exists()
        if there:
            return _holding(self._baseline(place), task, place)
        infos = [one for one in candidate.run.manifest.models if one.model == candidate.model]
        base = infos[0].baseline if infos else None
        side = Side(candidate.run, base) if base else None
        return side if side is not None and task in _tasks(side) else None

    def _meant_by(self, word: str, candidate: Side, tasks: set[str]) -> list[Side]:
        key = (word, candidate.name)
        if key not in self._meant:
            self._meant[key] = self._of_word(word, candidate, tasks)
        return self._meant[key]

    def _of_word(self, word: str, candidate: Side, tasks: set[str]) -> list[Side]:
        """The sides that a word can mean, the likeliest first."""
        place = self._place(word)
        if place is not None and not _is_plain_run(place):
            return self._below(place)
        if find_named(self.runs, word) is None and word in candidate.run.manifest.model_names:
            return [Side(candidate.run, word), *self._newest(word, tasks)]
        run, models = find_models(self.runs, word)
        if run.manifest.kind == "baseline":
            return [read_baseline(run.path)]
        if len(models) > 1:
            models = [_same_model(run, models, candidate)]
        named = ":" in word or find_named(self.runs, word) is not None
        sides = [Side(run, models[0])]
        return sides if named else [*sides, *self._newest(models[0], tasks)]

    def _place(self, word: str) -> Path | None:
        """The folder that a word names; None if it can only be a run or a model."""
        for path in (Path(word), self.project / BASELINES / word):
            try:
                recover(path)
                if path.is_dir() and (os.sep in word or _holds_any(path)):
                    return path
            except PermissionError as error:
                raise StoreError(f"{shown(path)}: cannot be read: {error.strerror}") from None
            except (OSError, ValueError):  # too long, a NUL byte
                continue
        looks_like_one = os.sep in word and ":" not in word
        if looks_like_one:
            names = [path.name for path in find_baselines(self.project / BASELINES)]
            hint = known_or_near(Path(word).name, names)
            raise StoreError(f"no baseline {word}{hint}: 'harness baseline set RUN' makes one")
        return None

    def _below(self, place: Path) -> list[Side]:
        inside = [] if _has_manifest(place) else find_baselines(place)
        return [self._baseline(path) for path in inside or [place]]

    def _baseline(self, place: Path) -> Side:
        if place not in self._read:
            self._read[place] = read_baseline(place)
        return self._read[place]

    def _newest(self, model: str, tasks: set[str]) -> Iterator[Side]:
        """A model in older runs that have any of the tasks."""
        for path in whole_runs(self.runs):
            side = Side(RunReader(path), model)
            try:
                if tasks & _tasks(side):
                    yield side
            except StoreError:  # a damaged run must not hide the others
                continue


def _tasks(side: Side) -> set[str]:
    return {cell.task for cell in side.run.manifest.cells if cell.model == side.model}


def _holding(found: Side, task: str, place: Path) -> Side:
    """Raises StoreError for a baseline that lies where one of another task should."""
    if task not in _tasks(found):
        what = f"it holds {', '.join(sorted(_tasks(found))) or 'no task'}"
        raise StoreError(f"{shown(place)} is no baseline of {task}: {what}")
    return found


def _is_plain_run(place: Path) -> bool:
    """Whether a folder holds a run; a damaged manifest is told when it is read as one."""
    if not _has_manifest(place):
        return False
    return read_run(place).manifest.kind == "run"


def _holds_any(place: Path) -> bool:
    """Whether a folder is a run or baseline, or holds some; its name may also be a model's."""
    return _has_manifest(place) or bool(find_baselines(place))


def _has_manifest(place: Path) -> bool:
    """Raises StoreError if nobody may look."""
    with one_line(f"{shown(place)}: cannot be read"):
        return (place / manifests.FILE_NAME).is_file()


def _begun(place: Path) -> bool:
    """Whether a folder holds anything of a baseline; True, too, if nobody may look into it."""
    names = [manifests.FILE_NAME, *(f"{name}.parquet" for name in TABLES)]
    try:
        return any((place / name).is_file() for name in names)
    except PermissionError:
        return True


def _same_model(run: RunReader, models: Sequence[str], candidate: Side) -> str:
    """Whom of a run with several models a candidate is compared with."""
    infos = {one.model: one.baseline for one in candidate.run.manifest.models}
    base = infos.get(candidate.model)
    same_run = run.run_id == candidate.run.run_id
    for name in [base] if same_run else [candidate.model, base]:
        if name in models:
            return str(name)
    raise StoreError(
        f"run {run.run_id} holds {', '.join(models)}: say which one is the baseline, "
        f"as {run.run_id}:{models[0]}"
    )
