"""`harness judge RUN` as a whole process against a server on this machine.

    python benchmarks/bench_judge.py [speed resume reparse faults]      # default: all

The run that is judged comes from a replay card, so nothing is loaded; the judge is `vad_rubric`.
JUDGED and REPARSED (environment) make it smaller: then the limits are scaled where that makes
sense, and the numbers are for a look only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
import models  # noqa: E402
from process import Measured, measure  # noqa: E402
from table import Row, table  # noqa: E402

HOME = ROOT / ".benchmarks" / "judge"
COUNT = int(os.environ.get("JUDGED", "2000"))
REPARSED = int(os.environ.get("REPARSED", "100000"))
REPEATS = int(os.environ.get("BENCH_REPEATS", "2"))
DELAY_S = 0.05
CONCURRENCY = (64, 256)
HARNESS = [sys.executable, "-m", "harness"]
PEERS = {
    64: "12.1 s (lm-eval, requests alone), 42-45 s (Inspect, graded); November 2026",
    256: "10.9 s (lm-eval, requests alone), 42-45 s (Inspect, graded); November 2026",
}
"""Measured once on a machine with two cores, against such a server; not run here."""

TASK = """\
task: NAME
version: 1
data: {path: data/NAME.jsonl, fields: {input: question, target: approach}}
prompt: {template: "Question: {{ input }}\\nApproach:"}
generate: {max_new_tokens: 64}
score: [exact_match]
"""
SERVER = """\
model: NAME
adapter: openai
base: loopback-judge
base_url: http://127.0.0.1:PORT/v1
api_key_env: null
max_concurrency: CONCURRENCY
timeout_s: TIMEOUT
deadline_s: 20
price: {input: 0.15, output: 0.60}
"""


# --------------------------------------------------------------------------- the server


class Server:
    """The loopback server, a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def stats(self) -> dict[str, Any]:
        """What it has seen."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats") as reply:
            found: dict[str, Any] = json.load(reply)
        return found

    def reset(self) -> None:
        """Forget what it has seen."""
        address = f"http://127.0.0.1:{self.port}/reset"
        urllib.request.urlopen(urllib.request.Request(address, method="POST")).close()


@contextmanager
def serving(delay_s: float = DELAY_S, faults: float = 0.0) -> Iterator[Server]:
    """A server for as long as it is needed."""
    script = str(Path(__file__).with_name("loopback.py"))
    words = [sys.executable, script, "--delay-ms", str(delay_s * 1e3), "--faults", str(faults)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


# --------------------------------------------------------------------------- the project


class Project:
    """A task with recorded answers, and cards of judges; every scenario has a cache of its own."""

    def __init__(self) -> None:
        shutil.rmtree(HOME, ignore_errors=True)
        self.folder = HOME

    def recorded(self, task: str, count: int) -> str:
        """The folder of a finished run of so many samples, no two of them alike."""
        known, rows, answers = models.words(3000, 0), [], []
        for number in range(count):
            asked, wanted, given = (
                " ".join([str(number), *known[start : start + 40]])
                for start in (number % 900, 1000 + number % 900, 2000 + number % 900)
            )
            rows.append({"id": f"s{number}", "question": asked, "approach": wanted})
            answers.append({"id": f"s{number}", "text": given})
        self._write(f"tasks/{task}/{task}.task.yaml", TASK.replace("NAME", task))
        self._write_rows(f"tasks/{task}/data/{task}.jsonl", rows)
        self._write_rows(f"adapters/{task}-recorded.jsonl", answers)
        card = f"model: recorded-{task}\nadapter: replay\ncompletions: ./{task}-recorded.jsonl\n"
        self._write(f"adapters/recorded-{task}.model.yaml", card)
        self.harness("run", task, "-m", f"recorded-{task}")
        return str(self.newest_run().relative_to(self.folder))

    def card(self, server: Server, concurrency: int, timeout_s: float = 60) -> str:
        """The card of the server; its name."""
        name = f"loopback-{concurrency}"
        text = SERVER.replace("NAME", name).replace("PORT", str(server.port))
        text = text.replace("CONCURRENCY", str(concurrency)).replace("TIMEOUT", str(timeout_s))
        self._write(f"adapters/{name}.model.yaml", text)
        return name

    def harness(self, *words: str, cache: str = "", allowed: Sequence[int] = (0,)) -> Measured:
        """The command in the project."""
        return measure([*HARNESS, *words], self.folder, self.environment(cache), allowed)

    def judge(self, run: str, card: str, cache: str, allowed: Sequence[int] = (0,)) -> Measured:
        """`harness judge RUN`."""
        return self.harness(*judging(run, card), cache=cache, allowed=allowed)

    def environment(self, cache: str) -> dict[str, str]:
        """Nothing on a network, and a cache of the scenario's own."""
        own = {"HARNESS_CACHE": str(self.folder / ".harness" / f"{cache}.sqlite")} if cache else {}
        return {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **own}

    def newest_run(self) -> Path:
        """The folder that was written last."""
        folders = [path for path in (self.folder / "runs").iterdir() if path.name[0] != "."]
        return max(folders, key=lambda path: path.stat().st_mtime_ns)

    def verdicts(self) -> list[dict[str, Any]]:
        """The verdicts of the newest run."""
        import pyarrow.parquet as pq

        rows: list[dict[str, Any]] = pq.read_table(
            self.newest_run() / "verdicts.parquet"
        ).to_pylist()
        return rows

    def _write_rows(self, path: str, rows: Sequence[object]) -> None:
        self._write(path, "".join(json.dumps(row) + "\n" for row in rows))

    def _write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def judging(run: str, card: str) -> list[str]:
    """The words of `harness judge`."""
    return ["judge", run, "--judge", "vad_rubric", "--judge-model", card]


# --------------------------------------------------------------------------- speed


def speed(project: Project) -> list[Row]:
    """2,000 samples at each concurrency: the whole process, and what the server saw of it."""
    run = project.recorded("judged", COUNT)
    rows: list[Row] = []
    with serving() as server:
        for concurrency in CONCURRENCY:
            card = project.card(server, concurrency)
            best: tuple[Measured, float, int] | None = None
            for repeat in range(REPEATS):
                server.reset()
                taken = project.judge(run, card, f"speed-{concurrency}-{repeat}")
                stats = server.stats()
                good(project.verdicts(), COUNT, stats)
                span = stats["last_reply"] - stats["first_request"]
                if best is None or taken.wall_s < best[0].wall_s:
                    best = taken, span, stats["most_in_flight"]
            assert best is not None
            rows += _speed_rows(concurrency, *best)
        rows.append(_light(project, server))
    return rows


def _speed_rows(concurrency: int, taken: Measured, span: float, most: int) -> list[Row]:
    what = f"{COUNT} judged samples, server answers after 50 ms, concurrency {concurrency}"
    floor = COUNT / concurrency * DELAY_S
    ratio, a_sample = span / floor, taken.cpu_s / COUNT * 1e3
    span_words = f"{span:.2f} s for a floor of {floor:.2f} s ({most} in flight at most)"
    tight = concurrency == CONCURRENCY[0]
    return [
        Row(f"{what}: wall", taken.words(), PEERS[concurrency], "", "<= 6 s", taken.wall_s <= 6),
        Row(f"{what}: CPU a sample", f"{a_sample:.2f} ms", "", "", "<= 2 ms", a_sample <= 2),
        Row(f"{what}: peak memory", f"{taken.peak_mb:.0f} MB", "", "", "<= 300 MB",
            taken.peak_mb <= 300),
        Row(f"{what}: first request to last reply", span_words, "", f"{ratio:.2f}x",
            "<= 1.4x" if tight else "", ratio <= 1.4 or not tight),
    ]  # fmt: skip


def good(verdicts: Sequence[dict[str, Any]], count: int, stats: dict[str, Any]) -> None:
    """Every sample has its verdict, and the server was asked once for each."""
    ok = sum(one["status"] == "ok" for one in verdicts)
    if (ok, len(verdicts), stats["attempts"]) != (count, count, count):
        said = f"{ok} good of {len(verdicts)} verdicts, {stats['attempts']} requests"
        raise SystemExit(f"{count} samples: {said}; {stats['outcomes']}")


def _light(project: Project, server: Server) -> Row:
    """What a process that judges imports."""
    run = project.recorded("few", 20)
    words = judging(run, project.card(server, CONCURRENCY[0]))
    command = [sys.executable, "-X", "importtime", "-m", "harness", *words]
    done = subprocess.run(
        command, cwd=project.folder, env={**os.environ, **project.environment("few")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.split("\n")}
    heavy = sorted(
        names & {"torch", "transformers", "sentence_transformers", "scipy", "sklearn", "pandas"}
    )
    return Row(
        "heavy packages that `harness judge RUN` imports", ", ".join(heavy) or "none", "", "",
        "no torch", "torch" not in heavy,
    )  # fmt: skip


# --------------------------------------------------------------------------- resume


def resume(project: Project) -> list[Row]:
    """kill -9 in the middle, and the same command again."""
    run = project.recorded("killed", COUNT)
    with serving() as server:
        card = project.card(server, CONCURRENCY[0])
        environment = {**os.environ, **project.environment("killed")}
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(
            [*HARNESS, *judging(run, card)], cwd=project.folder, env=environment,
            stdout=nothing, stderr=nothing,
        )  # fmt: skip
        while server.stats()["verdicts"] < COUNT // 2 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
        time.sleep(5 * DELAY_S)
        before = server.stats()["attempts"]
        project.judge(run, card, "killed")
        stats = server.stats()
    verdicts = project.verdicts()
    if before >= COUNT or sum(one["status"] == "ok" for one in verdicts) != COUNT:
        raise SystemExit(f"resume: {before} requests before the kill, {len(verdicts)} verdicts")
    # what was on its way back when the process died was never received
    repeated = [when for when in stats["asked_again"] if when < killed - DELAY_S]
    lost = stats["attempts"] - COUNT
    what = f"killed (-9) after {before} of {COUNT} requests, the same command again: asked twice"
    said = f"{len(repeated)} of those answered, {lost} with those in flight"
    met = not repeated and lost <= 2 * CONCURRENCY[0]
    return [Row(what, said, "", "", "0 of those answered", met)]


# --------------------------------------------------------------------------- cached replies


def reparse(project: Project) -> list[Row]:
    """100,000 replies that are all in the cache: read again, and judged again as a whole."""
    run = project.recorded("many", REPARSED)
    with serving(delay_s=0.0) as server:
        card = project.card(server, CONCURRENCY[0])
        project.judge(run, card, "many")
        server.reset()
        runs = [project.judge(run, card, "many") for _ in range(REPEATS)]
        again = server.stats()["attempts"]
    if again or len(project.verdicts()) != REPARSED:
        raise SystemExit(f"reparse: {again} requests, {len(project.verdicts())} verdicts")
    read = min((_reread(project, card) for _ in range(REPEATS)), key=lambda one: one["wall_s"])
    if read["good"] != REPARSED:
        raise SystemExit(f"reparse: {read}")
    best = min(runs, key=lambda one: one.wall_s)
    limit = 10 * REPARSED / 100_000
    words = f"{read['wall_s']:.1f} s wall, {read['cpu_s']:.1f} CPU-s"
    return [
        Row(f"{REPARSED:,} cached replies: looked up, parsed, graded", words, "", "",
            f"<= {limit:g} s", read["wall_s"] <= limit),
        Row(f"{REPARSED:,} cached replies: `harness judge RUN` as a whole, rendering and Parquet "
            "included", best.words(), "", "", "", True),
    ]  # fmt: skip


def _reread(project: Project, card: str) -> dict[str, Any]:
    """What benchmarks/reread.py says of the newest run."""
    cache = project.environment("many")["HARNESS_CACHE"]
    script = str(Path(__file__).with_name("reread.py"))
    words = [sys.executable, script, str(project.newest_run()), cache, card]
    found: dict[str, Any] = json.loads(
        measure(words, project.folder, project.environment("many")).stdout
    )
    return found


# --------------------------------------------------------------------------- failures


def faults(project: Project) -> list[Row]:
    """A server that fails 30 % of all attempts in sixteen ways."""
    run = project.recorded("faulty", COUNT)
    with serving(faults=0.3) as server:
        card = project.card(server, CONCURRENCY[0], timeout_s=1)
        taken = project.judge(run, card, "faulty", allowed=(0, 1))
        stats = server.stats()
    verdicts = project.verdicts()
    samples = {one["sample"] for one in verdicts}
    ended = [one for one in verdicts if one["status"] == "ok" or one["error"]]
    kinds = len(stats["outcomes"]) - ("verdict" in stats["outcomes"])
    ok = sum(one["status"] == "ok" for one in verdicts)
    what = f"{COUNT} judged samples, 30 % of attempts fail in {kinds} ways"
    counts = f"{ok} verdicts, {len(verdicts) - ok} counted errors"
    all_there = len(samples) == len(verdicts) == len(ended) == COUNT
    twice = len(stats["asked_again"])
    return [
        Row(f"{what}: every sample ends", counts, "", "", f"{COUNT} in all", all_there),
        Row(f"{what}: good replies charged twice", str(twice), "", "", "0", twice == 0),
        Row(f"{what}: no hang", taken.words(), "", "", "ends", True),
    ]


PARTS: dict[str, Callable[[Project], list[Row]]] = {
    "speed": speed,
    "resume": resume,
    "reparse": reparse,
    "faults": faults,
}


def judged(names: Sequence[str] = ()) -> list[Row]:
    """All rows of the parts named, all by default."""
    project, rows = Project(), list[Row]()
    for name in names or PARTS:
        print(f"judge: {name} ...", file=sys.stderr, flush=True)
        rows += PARTS[name](project)
    return rows


if __name__ == "__main__":
    found = judged(sys.argv[1:])
    print(table(found))
    sys.exit(0 if all(row.met for row in found) else 1)
