"""Draw and encode the clips of the offline video and image tasks: python tools/render_clips.py

Writes tasks/<name>/media/ and tasks/<name>/data/. The same bytes on every run with the same
versions of FFmpeg, x264 and Pillow. All of it is simple shapes that move: stand-ins which show
that the tool works, from which nothing can be learnt about what their questions speak of.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from clips.draw import write_mp4, write_png
from clips.records import TASKS, Row

ROOT = Path(__file__).resolve().parent.parent


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """All tasks, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=Path, default=ROOT / "tasks")
    parser.add_argument("--only", nargs="*", default=sorted(TASKS))
    given = parser.parse_args()
    total = 0
    for name in given.only:
        folder, stem = given.tasks / name.partition("/")[0], name.rpartition("/")[2]
        made = TASKS[name]()
        for file, film in made.films.items():
            path = folder / "media" / file
            (write_png if file.endswith(".png") else write_mp4)(film, path)
            total += path.stat().st_size
        write_rows(folder / "data" / f"{stem}.jsonl", made.rows)
        print(
            f"{name}: {len(made.films)} files, {len(made.rows)} rows, {total:,} bytes so far",
            flush=True,
        )


if __name__ == "__main__":
    main()
