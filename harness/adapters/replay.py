"""Answers that were recorded elsewhere, scored here: JSON lines of {id, text}."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from harness.collect.specs import ModelSpec, ReplayModel
from harness.collect.suggest import did_you_mean
from harness.errors import CollectError, DataError, HarnessError, ModelError, printable, shown
from harness.records import Completion, Request

BATCH = 512
SHOWN = 20  # bad lines of one file that are told
SHOWN_UNREAD = 3  # records of one file that belong to no sample
MOST_MEANT = 5000  # samples without an answer that are compared with such a record's id


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record of a file: the answer, and the line it stands in."""

    text: str
    line: int


@dataclass
class Asked:
    """What was looked for in one file: the samples' own ids, and the records that were found."""

    tasks: dict[str, None] = field(default_factory=dict)
    unanswered: dict[str, None] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


class ReplayAdapter:
    """Looks answers up by id; knows no model.

    A request's id is ``[cell/]sample[#epoch]``; a record's is the whole of it, or the sample's
    own. In a `completions` with ``{task}`` the cell part, up to any "[", names the file.
    """

    by_id = True
    """The reply depends on the request's id, not only on its prompt: not for a prompt's cache."""

    def __init__(self, allow_code: bool = False) -> None:
        self.notes: tuple[str, ...] = ()
        self._files: dict[Path, dict[str, Recorded]] = {}
        self._places: dict[str, Path] = {}
        self._asked: dict[Path, Asked] = {}

    def fingerprint(self, model: ModelSpec) -> str:
        """SHA-256 of the recorded files.

        Raises ModelError if there are none and, if the card names a single file, DataError or
        CollectError for its bad lines.
        """
        card = _card(model)
        files = _all_files(card)
        if "{task}" not in card.completions:
            self._records(card, files[0])  # of a pattern, files may be other tasks' or no answers
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """No tokens are read: zeros."""
        return [0] * len(requests)

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """Nothing is sent: None for each."""
        return [None] * len(requests)

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """The recorded text of each request; one without a record is a counted failure.

        Raises DataError for a line that is not {"id": ..., "text": ...} and for a second record
        with the same id; CollectError for several. ``notes`` tells of records left over, the
        first few with their lines.
        """
        card = _card(model)
        self._asked = {}
        for cell in dict.fromkeys(_cell(r) for r in requests if r.output_type == "generate"):
            self._places[cell] = _file_of(card, cell)
            self._records(card, self._places[cell])  # what is wrong with it, before any answer
        for start in range(0, len(requests), BATCH):
            yield [self._answer(card, request) for request in requests[start : start + BATCH]]
        self.notes = tuple(note for file in self._asked for note in self._left_over(file))
        if len({request.frames for request in requests if request.media}) > 1:
            what = "recorded answers know nothing of frames: those of all variants are the same"
            self.notes = (*self.notes, what)

    def close(self) -> None:
        """Forget the records."""
        self._files.clear()

    def _answer(self, card: ReplayModel, request: Request) -> Completion:
        if request.output_type != "generate":
            what = f"recorded text has no log-likelihood: output_type is {request.output_type}"
            return Completion.of_error(request, what)
        file = self._places[_cell(request)]
        records = self._records(card, file)
        known = [name for name in _names(request.id) if name in records]
        asked = self._asked.setdefault(file, Asked())
        asked.tasks[_cell(request)] = None
        asked.used.update(known)
        if known:
            return Completion(request.id, text=records[known[0]].text, completion_tokens=None)
        *_, bare = _names(request.id)
        asked.unanswered[bare] = None
        return Completion.of_error(request, f"no recorded answer in {file.name}")

    def _records(self, card: ReplayModel, file: Path) -> dict[str, Recorded]:
        if file not in self._files:
            self._files[file] = _read(card, file)
        return self._files[file]

    def _left_over(self, file: Path) -> Iterator[str]:
        """Notes on records that nobody asked for; they may have misspelt ids.

        What such an id may have meant is a sample of the run that has no answer: any other has.
        """
        records, asked = self._files[file], self._asked[file]
        odd = [name for name in records if name not in asked.used]
        tasks = " or ".join(f"'{task}'" for task in asked.tasks if task)
        what = f"is no sample of task {tasks} in this run" if tasks else "is no sample of this run"
        for name in odd[:SHOWN_UNREAD]:
            hint = did_you_mean(name, islice(asked.unanswered, MOST_MEANT))
            yield f"{shown(file)}:{records[name].line}: id '{printable(name)}' {what}{hint}"
        if len(odd) > SHOWN_UNREAD:
            yield f"{shown(file)}: and {len(odd) - SHOWN_UNREAD} more of {len(records)} records"


def _card(model: ModelSpec) -> ReplayModel:
    if not isinstance(model, ReplayModel):
        raise TypeError(f"{model.model} is not a replay model")
    return model


def _names(request_id: str) -> Iterator[str]:
    """What a record of this request may be called, the most exact first."""
    yield request_id
    sample = request_id.partition("/")[2]
    if sample:
        yield sample
    for name in (request_id, sample):
        bare, mark, epoch = name.rpartition("#")
        if mark and epoch.isdigit():
            yield bare


def _cell(request: Request) -> str:
    """What stands for ``{task}`` in the name of the file that holds a request's answer."""
    return request.id.partition("/")[0].partition("[")[0]


def _file_of(card: ReplayModel, cell: str) -> Path:
    """The file that a cell's answers are in; the first place looked at if there is none."""
    paths = _places(card, card.completions.replace("{task}", cell))
    return next((path for path in paths if path.is_file()), paths[0])


def _places(card: ReplayModel, path: str) -> list[Path]:
    """Beside the card for ``./x``, else in the card's project, and then beside the card."""
    beside = card.path.parent / path
    if path.startswith(("./", "../")):
        return [beside]
    return list(dict.fromkeys([card.root / path, beside]))


def _all_files(card: ReplayModel) -> list[Path]:
    places = _places(card, card.completions)
    for place in places:
        files = [place]
        if "{task}" in card.completions:
            files = sorted(place.parent.glob(place.name.replace("{task}", "*")))
        if files and all(file.is_file() for file in files):
            return files
    looked = " and ".join(str(shown(place)) for place in places)
    what = f"no recorded answers '{card.completions}': looked for {looked}"
    raise ModelError(f"{shown(card.path)}: {what}")


def _read(card: ReplayModel, file: Path) -> dict[str, Recorded]:
    """Text by id; every bad line of the file is told in one go, the first SHOWN of them."""
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{shown(card.path)}: cannot read {shown(file)}: {reason}") from None
    records: dict[str, Recorded] = {}
    errors: list[HarnessError] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            name, text = _record(line)
            if name in records:
                raise ValueError(f"a second record with id '{name}'")
            records[name] = Recorded(text, number)
        except ValueError as error:
            errors.append(DataError(file, number, str(error)))
    if len(errors) > SHOWN:
        more = len(errors) - SHOWN
        errors[SHOWN:] = [HarnessError(f"{shown(file)}: and {more} more bad lines")]
    if errors:
        raise errors[0] if len(errors) == 1 else CollectError(errors)
    return records


def _record(line: str) -> tuple[str, str]:
    """Id and text; raises ValueError with what is wrong."""
    try:
        record = json.loads(line)
        name, text = record["id"], record["text"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError('not a JSON object with "id" and "text"') from None
    if not isinstance(text, str):
        raise ValueError('"text" is not a string')
    return str(name), text
