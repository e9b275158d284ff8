"""Hatch build hook: the spec folders travel in the wheel as harness/_library/.

An editable install gets no copy: there `library_root()` is the repository itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("tasks", "judges", "adapters", "finetune", "leaderboard")
LEFT_OUT = {"__pycache__", ".DS_Store", ".gitkeep"}
OURS = ("leaderboard/example/", "leaderboard/results/demo/")
"""To be looked at in the repository; nothing reads them."""


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds every file of the spec folders to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        for folder in FOLDERS:
            for path in sorted((root / folder).rglob("*")):
                if path.is_file() and not LEFT_OUT.intersection(path.parts):
                    inside = path.relative_to(root).as_posix()
                    if inside.startswith(OURS):
                        continue
                    build_data["force_include"][str(path)] = f"harness/_library/{inside}"
