"""What pages are made from beside the runs, and small things that several of them show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.collect.library import Project
from harness.leaderboard.downloads import without_paths
from harness.leaderboard.rulings import Gated, Key
from harness.leaderboard.texts import Texts
from harness.results.run import StageRow


@dataclass(frozen=True)
class Sources:
    """The project around the runs (None: the runs alone), what texts are published, what gates
    say, and how fast each cell was: run and cell -> its stages."""

    texts: Texts = field(default_factory=Texts)
    project: Project | None = None
    home: tuple[Path, ...] = ()
    rulings: Mapping[Key, Gated] = field(default_factory=dict)
    stages: Mapping[tuple[str, str], list[StageRow]] = field(default_factory=dict)

    def clean(self, text: str) -> str:
        """A spec's text as it is published: without patterns to redact, without local folders."""
        return self.texts.clean(without_paths(text, self.home))
