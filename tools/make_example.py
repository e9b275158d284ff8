"""Write leaderboard/results/demo/ and leaderboard/example/: a published run, and the site of it.

    make demo && python tools/make_example.py         # from the newest whole run below runs/
    python tools/make_example.py --site               # the site alone, of the run that is there

The site is made in an empty folder, so that it depends on nothing but the run and this repository.
The bundle that draws its charts is left out: it is Vega's, and `harness publish` writes it. Without
it the pages show each chart's table.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS, EXAMPLE = ROOT / "leaderboard/results/demo", ROOT / "leaderboard/example"
LEFT_OUT = "assets/vega.js"
TITLE = "tiny-llama before and after tuning"


def copy_run() -> None:
    """The newest whole run takes the place of the published one."""
    from harness.results.store import read_run, whole_runs

    run = read_run(whole_runs(ROOT / "runs")[0])
    run.verify()
    if run.manifest.dirty:
        raise SystemExit(f"{run.run_id} was made with uncommitted changes: commit, `make demo`")
    shutil.rmtree(RESULTS, ignore_errors=True)
    shutil.copytree(run.path, RESULTS / run.run_id)


def write_site(to: Path) -> None:
    """The site of the published run."""
    command = [sys.executable, "-m", "harness", "publish", "--runs", str(RESULTS)]
    command += ["--to", str(to), "--title", TITLE]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run(command, cwd=empty, env=environment, check=True, stdout=subprocess.DEVNULL)
    (to / LEFT_OUT).unlink()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if "--site" not in sys.argv[1:]:
        copy_run()
    shutil.rmtree(EXAMPLE, ignore_errors=True)
    write_site(EXAMPLE)
