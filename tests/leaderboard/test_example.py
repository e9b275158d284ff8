"""The example in leaderboard/ is what `harness publish` makes of the run that lies beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.leaderboard.check import check_site

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "leaderboard/example"
STAMP = "published.json"
"""It says which code wrote the site."""


def test_the_example_is_the_site_of_the_published_run(tmp_path: Path) -> None:
    code = "import pathlib, sys; sys.path.insert(0, sys.argv[1]); import make_example as m; "
    code += "m.write_site(pathlib.Path(sys.argv[2]))"
    tools = str(ROOT / "tools")
    subprocess.run([sys.executable, "-c", code, tools, str(tmp_path / "site")], check=True)
    made, there = files(tmp_path / "site"), files(EXAMPLE)
    other = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    assert other == [], "python tools/make_example.py --site"


def test_the_example_tells_nothing_that_must_not_be_told() -> None:
    problems = [str(one) for one in check_site(EXAMPLE).problems]
    # the bundle that draws the charts is Vega's, and is not committed
    assert problems == ["assets/vega.js: is missing; 'harness publish' writes it anew"]


def files(root: Path) -> dict[str, bytes]:
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != STAMP}
