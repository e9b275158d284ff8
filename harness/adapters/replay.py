"""Answers that were recorded elsewhere, scored here: JSON lines of {id, text}."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.collect.specs import ModelSpec, ReplayModel
from harness.errors import DataError, ModelError
from harness.records import Completion, Request

BATCH = 512


class ReplayAdapter:
    """Looks answers up by id; knows no model.

    A request's id is ``[cell/]sample[#epoch]``; a record's is the whole of it, or the sample's
    own. In a `completions` with ``{task}`` the cell part, up to any "[", names the file.
    """

    by_id = True
    """The reply depends on the request's id, not only on its prompt: not for a prompt's cache."""

    def __init__(self, allow_code: bool = False) -> None:
        self.notes: tuple[str, ...] = ()
        self._files: dict[Path, dict[str, str]] = {}

    def fingerprint(self, model: ModelSpec) -> str:
        """SHA-256 of the recorded files; raises ModelError if there are none."""
        card = _card(model)
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in _all_files(card)]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """No tokens are read: zeros."""
        return [0] * len(requests)

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """The recorded text of each request; one without a record is a counted failure.

        Raises DataError for a line that is not {"id": ..., "text": ...} and for a second record
        with the same id.
        """
        card = _card(model)
        for start in range(0, len(requests), BATCH):
            yield [self._answer(card, request) for request in requests[start : start + BATCH]]

    def close(self) -> None:
        """Forget the records."""
        self._files.clear()

    def _answer(self, card: ReplayModel, request: Request) -> Completion:
        if request.output_type != "generate":
            what = f"recorded text has no log-likelihood: output_type is {request.output_type}"
            return Completion.of_error(request, what)
        cell, _, _ = request.id.partition("/")
        file = _resolve(card, card.completions.replace("{task}", cell.partition("[")[0]))
        if file not in self._files:
            self._files[file] = _read(card, file)
        records = self._files[file]
        for name in _names(request.id):
            if name in records:
                return Completion(request.id, text=records[name])
        return Completion.of_error(request, f"no recorded answer in {file.name}")


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


def _resolve(card: ReplayModel, path: str) -> Path:
    """Beside the card for ``./x``, else in the card's project."""
    base = card.path.parent if path.startswith(("./", "../")) else card.root
    return base / path


def _all_files(card: ReplayModel) -> list[Path]:
    pattern = _resolve(card, card.completions)
    files = [pattern]
    if "{task}" in card.completions:
        files = sorted(pattern.parent.glob(pattern.name.replace("{task}", "*")))
    if not files or not all(file.is_file() for file in files):
        raise ModelError(f"{card.model}: no recorded answers at {card.completions}")
    return files


def _read(card: ReplayModel, file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{card.model}: cannot read {file}: {error}") from None
    records: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            name, text = record["id"], record["text"]
        except (ValueError, KeyError, TypeError):
            raise DataError(file, number, 'not a JSON object with "id" and "text"') from None
        if not isinstance(text, str):
            raise DataError(file, number, '"text" is not a string')
        if str(name) in records:
            raise DataError(file, number, f"a second record with id '{name}'")
        records[str(name)] = text
    return records
