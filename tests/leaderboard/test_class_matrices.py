"""Confusion matrices side by side, and of an anomaly against what is normal."""

from __future__ import annotations

from pathlib import Path

from siteruns import Cell, store

from harness.leaderboard.class_matrices import matrix_charts, titled_by_variant
from harness.leaderboard.gather import gather
from harness.leaderboard.views import TextTable
from harness.scorers.choice import Confusion

CRIMES = Confusion(("Arson", "Fighting", "Normal"), ((3, 1, 2, 0), (0, 4, 1, 1), (1, 0, 5, 0)), 2)


def test_variants_stand_side_by_side_for_each_model(tmp_path: Path) -> None:
    cells = [Cell(m, variant=v) for v in ("fps=1", "media.fps=6", "") for m in ("base", "tuned")]
    benches = gather([store(tmp_path, *cells)]).benches
    one, six, plain = (
        next(b for b in benches if b.variant == v) for v in ("fps=1", "media.fps=6", "")
    )
    both = {"base": CRIMES, "tuned": CRIMES}
    found = matrix_charts([(one, both), (six, {"base": CRIMES}), (plain, {})], ["base", "tuned"])
    assert [chart.title for chart in found] == [
        "base: what was taken for what, by variant",
        "Anomaly against normal: what was taken for what",
    ]
    assert list(dict.fromkeys(row[0] for row in found[0].rows)) == ["fps=1", "fps=6"]
    assert [row[3] for row in found[0].rows[:4]] == [3, 1, 2, 0]
    panels = list(dict.fromkeys(row[0] for row in found[1].rows))
    assert panels == ["base [fps=1]", "tuned [fps=1]", "base [fps=6]"]
    assert "base [fps=1]: 13 of 18 right" in found[1].alt
    assert len({chart.name for chart in found}) == 2
    assert matrix_charts([(plain, {})], ["base"]) == []
    assert titled_by_variant(TextTable("T", (), ()), six).title == "T [fps=6]"
    assert titled_by_variant(TextTable("T", (), ()), plain).title == "T"
