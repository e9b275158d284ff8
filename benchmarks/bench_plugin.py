"""What our pytest plugin adds to the start of a `pytest` in which --harness is not given.

    python benchmarks/bench_plugin.py

Whole processes on an empty test file, with and without the plugin in turns; of each the least
disturbed of RUNS counts, as a difference of two busy moments would say nothing.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent)]
from process import Measured, measure  # noqa: E402
from table import Row, table  # noqa: E402

RUNS = 20
LIMIT_MS = 50
NOTHING_COLLECTED = 5


def started() -> list[Row]:
    """The row of the table."""
    # installed, it is loaded unless it is forbidden; in a bare checkout it has to be named
    installed = any(point.name == "harness" for point in entry_points(group="pytest11"))
    with_it = [] if installed else ["-p", "harness.pytest_plugin"]
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("")
        for number in range(RUNS + 1):
            pair = _pytest(folder, *with_it), _pytest(folder, "-p", "no:harness")
            if number:  # the first writes .pyc files and warms the disk
                ours.append(pair[0])
                bare.append(pair[1])
    mine, theirs = (min(run.wall_s for run in runs) * 1e3 for runs in (ours, bare))
    added = mine - theirs
    return [
        Row(
            "pytest plugin without --harness: added to the start",
            f"{mine:.0f} ms wall",
            f"{theirs:.0f} ms wall (without it)",
            f"{added:+.0f} ms",
            f"<= {LIMIT_MS} ms",
            added <= LIMIT_MS,
        )
    ]


def _pytest(folder: Path, *words: str) -> Measured:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *words, "test_nothing.py"]
    return measure(command, folder, {"PYTHONPATH": str(ROOT)}, (NOTHING_COLLECTED,))


if __name__ == "__main__":
    print(table(started()))
