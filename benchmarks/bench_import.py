"""How long `harness import` takes on 100,000 files, without checksums and with them.

    python benchmarks/bench_import.py

The files are a few bytes each, so that what is measured is the walk, the annotations and the
writing; hashing real videos is bound by the disk. The command is measured as a whole process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
from process import measure  # noqa: E402
from table import Row, table  # noqa: E402

COUNT = int(os.environ.get("BENCH_IMPORT_COUNT", "100000"))
SECONDS, MEGABYTES = 60.0, 1000.0


def ucf_crime(root: Path, count: int) -> None:
    """So many videos of two classes, all named in the lists."""
    names = [
        f"{label}/{label}{n:06d}_x264.mp4"
        for label in ("Abuse", "Arson")
        for n in range(count // 2)
    ]
    for label in ("Abuse", "Arson"):
        (root / "Videos" / label).mkdir(parents=True)
    for name in names:
        (root / "Videos" / name).write_bytes(b"video")
    (root / "Anomaly_Train.txt").write_text("\n".join(names[: count * 3 // 4]) + "\n")
    (root / "Anomaly_Test.txt").write_text("\n".join(names[count * 3 // 4 :]) + "\n")


def scienceqa(root: Path, count: int) -> None:
    """So many problems, each with an image of the same name in a folder of its own."""
    problem = {"question": "Which?", "choices": ["one", "two"], "answer": 1, "image": "image.png"}
    problem |= {"hint": "", "subject": "natural science", "lecture": "x " * 200}
    for n in range(count):
        folder = root / "images" / "test" / str(n)
        folder.mkdir(parents=True)
        (folder / "image.png").write_bytes(b"image")
    (root / "problems.json").write_text(json.dumps({str(n): problem for n in range(count)}))
    splits = {"train": [], "val": [], "test": [str(n) for n in range(count)]}
    (root / "pid_splits.json").write_text(json.dumps(splits))


SETS: dict[str, Callable[[Path, int], None]] = {"ucf-crime": ucf_crime, "scienceqa": scienceqa}


def imported() -> list[Row]:
    """The rows of RESULTS.md."""
    rows = []
    for name, make in SETS.items():
        with tempfile.TemporaryDirectory() as where:
            folder = Path(where)
            make(folder / "original", COUNT)
            command = [sys.executable, "-m", "harness", "import", name, "original", "--to", "task"]
            for what, more in (
                ("without checksums", ["--no-checksums"]),
                ("with them", ["--force"]),
            ):
                done = measure([*command, *more], folder, {"PYTHONPATH": str(ROOT)})
                met = done.wall_s <= SECONDS and done.peak_mb <= MEGABYTES
                target = f"<= {SECONDS:.0f} s, <= {MEGABYTES:.0f} MB"
                label = f"`harness import {name}`, {COUNT:,} files, {what}"
                rows.append(Row(label, done.words(), "", "", target, met))
    return rows


if __name__ == "__main__":
    print(table(imported()))
