"""What the tests of the importers share: import a small tree, read what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.tasks.importers.importing import Imported, Wanted, import_data


class Import:
    """`harness import` without the command line, into a folder beside the data set."""

    def __init__(self, folder: Path) -> None:
        self.root, self.to = folder / "original", folder / "task"

    def __call__(self, name: str, **more: Any) -> Imported:
        return import_data(Wanted(name, self.root, self.to, **more))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of the file of that name, without its ending."""
        text = (self.to / "data" / f"{name}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def row(self, name: str, key: str) -> dict[str, Any]:
        """The row with that id."""
        return next(row for row in self.rows(name) if row["id"] == key)

    def files(self) -> dict[str, bytes]:
        """Everything below the task's folder."""
        found = sorted(path for path in self.to.rglob("*") if path.is_file())
        return {path.relative_to(self.to).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def importing(tmp_path: Path) -> Import:
    return Import(tmp_path)


@pytest.fixture
def refused(importing: Import) -> Callable[..., str]:
    """The message of an import that must fail and leave nothing behind."""
    from harness.errors import HarnessError

    def refused(name: str, **more: Any) -> str:
        before = importing.files()
        with pytest.raises(HarnessError) as told:
            importing(name, **more)
        assert importing.files() == before
        assert before or not importing.to.exists()
        return str(told.value)

    return refused
