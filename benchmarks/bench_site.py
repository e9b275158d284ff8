"""How fast the published site is in a browser: the overview of 50 models x 20 tasks, and opening
one sample of 100,000, both from file:// in headless Chromium.

    python benchmarks/bench_site.py

Times are medians of REPEATS, each in a browser context of its own, so that nothing is cached; they
end with the frame in which what was waited for was painted. The bytes are those of every file that
the page loads until then, each packed with gzip as hosts of static pages do.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
import numpy as np  # noqa: E402
from bench_publish import write_big_run  # noqa: E402
from table import Row, table  # noqa: E402

from harness.leaderboard.publish import PublishOptions, publish  # noqa: E402
from harness.records import Completion, Sample, Score  # noqa: E402
from harness.results.run import CellResult, CompletionRow, ModelInfo, Run, ScorerInfo  # noqa: E402
from harness.results.store import read_run, write_run  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODELS, TASKS, SAMPLES = 50, 20, 30
COUNT = int(os.environ.get("BENCH_PUBLISH_COUNT", "100000"))
REPEATS = 5
PAINTED_S, GZIP_KB, OPENED_MS = 1.0, 400.0, 300.0
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server")

# resolves with performance.now() after the frame that shows what `holds` waits for
PAINTED = """
const painted = (holds) => new Promise((done) => {
  const look = () => (holds() ? requestAnimationFrame(() => {
    const channel = new MessageChannel(); // a task of its own, behind the painting
    channel.port1.onmessage = () => done(performance.now());
    channel.port2.postMessage(null);
  }) : requestAnimationFrame(look));
  look();
});
"""
SORTED = """async () => {
  %s
  const rows = () => document.querySelectorAll("#board tbody tr");
  const ready = () => document.querySelector("#board th button.sort");
  const shown = await painted(() => ready() && rows().length === MODELS);
  const button = document.querySelectorAll("#board th button.sort")[2];
  const head = button.closest("th");
  const begun = performance.now();
  button.click();
  const sorted = await painted(() => head.hasAttribute("aria-sort"));
  return [shown, sorted, sorted - begun, document.querySelectorAll("#board td").length];
}""".replace("MODELS", str(MODELS))
OPENED = """async (hash) => {
  %s
  const answered = () => document.querySelectorAll(".sample .text.reply").length >= MOST;
  if (!hash) return painted(answered); // the page was opened there
  await painted(() => document.querySelector("#found a[data-i]"));
  const begun = performance.now();
  location.hash = hash;
  return (await painted(answered)) - begun;
}"""


def write_board(root: Path) -> Path:
    """A run of MODELS models on TASKS tasks; the first model is the baseline of the others."""
    draw = np.random.default_rng(5)
    names = [f"model-{n:02d}-instruct" for n in range(MODELS)]
    samples = [Sample(f"s{n}", f"Question {n}?", f"Answer {n}") for n in range(SAMPLES)]
    cells = [
        board_cell(f"task_{task:02d}", name, samples, draw)
        for task in range(TASKS)
        for name in names
    ]
    infos = [
        ModelInfo(name, f"fp {name}", "transformers", "float32", "cpu", names[0] if n else None)
        for n, name in enumerate(names)
    ]
    when = datetime(2026, 11, 20, 12, tzinfo=UTC)
    return write_run(root, Run(cells, when, when, models=infos))


def board_cell(
    task: str, model: str, samples: list[Sample], draw: np.random.Generator
) -> CellResult:
    """Answers with two scores each."""
    rows = [
        CompletionRow(s.id, 0, Completion(s.id, f"said {s.id}", "stop", 9, 4, latency_ms=9.0))
        for s in samples
    ]
    hits = draw.random(len(samples)) < draw.uniform(0.2, 0.9)
    return CellResult(
        f"{task}[{model}]", f"hash {task} {model}", task, "task", 1, model, "", samples, rows,
        {
            "exact_match": [Score(float(hit)) for hit in hits],
            "rouge_l": [Score(float(value)) for value in draw.random(len(samples))],
        },
        [
            ScorerInfo("exact_match", kind="proportion", low=0.0, high=1.0),
            ScorerInfo("rouge_l", kind="number", low=0.0, high=1.0),
        ],
    )  # fmt: skip


def site_of(run: Path, to: Path) -> Path:
    """Publish one run."""
    with chdir(run):
        publish([read_run(run)], to, PublishOptions())
    return to


def fresh_pages(browser: Browser) -> Iterator[Page]:
    """REPEATS pages, each without a cache; the first, which warms up the browser, is not counted
    by ``median_of``."""
    for _ in range(REPEATS + 1):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        yield context.new_page()
        context.close()


def median_of(browser: Browser, measure: Callable[[Page], list[float]]) -> list[float]:
    """The median of each number."""
    found = [measure(page) for page in fresh_pages(browser)][1:]
    return [statistics.median(values) for values in zip(*found, strict=True)]


def overview(browser: Browser, site: Path) -> list[Row]:
    """The board's page, until it is painted and sorted."""
    asked: set[str] = set()

    def measure(page: Page) -> list[float]:
        page.on("request", lambda request: asked.add(request.url))
        page.goto((site / "index.html").as_uri(), wait_until="commit")
        found: list[float] = page.evaluate(SORTED % PAINTED)
        return found

    shown, done, sorting, cells = median_of(browser, measure)
    files = [Path(unquote(urlsplit(url).path)) for url in asked if url.startswith("file:")]
    later = [site / "assets/vega.js", site / "assets/themes.js"]  # when a chart comes near
    packed = kilobytes(files)
    all_ = kilobytes({*files, *later})
    what = f"overview of {MODELS} models x {TASKS} tasks ({cells:.0f} cells) from file://"
    return [
        Row(
            f"{what}: painted, then sorted by a click",
            f"{shown / 1000:.2f} s, {done / 1000:.2f} s (sorting {sorting:.0f} ms)",
            "", "", f"<= {PAINTED_S} s", done / 1000 <= PAINTED_S,
        ),
        Row(
            f"its {len(files)} files, gzip (and the charts further down)",
            f"{packed:.0f} kB ({all_:.0f} kB)", "", "", f"<= {GZIP_KB:.0f} kB", all_ <= GZIP_KB,
        ),
    ]  # fmt: skip


def kilobytes(files: Iterable[Path]) -> float:
    """What a host sends of these files."""
    return sum(len(gzip.compress(file.read_bytes(), 6)) for file in files) / 1000


def samples(browser: Browser, site: Path, models: int) -> list[Row]:
    """One sample in the middle of COUNT, opened from its list and from elsewhere."""
    chosen = "".join(f"&m=model-{n}" for n in range(models))
    script = OPENED.replace("MOST", str(models)) % PAINTED
    place = COUNT // 2 + 77

    def from_list(page: Page) -> list[float]:
        page.goto(f"{(site / 'samples.html').as_uri()}#task=many{chosen}")
        return [page.evaluate(script, f"task=many{chosen}&i={place}")]

    def from_link(page: Page) -> list[float]:
        page.goto(f"{(site / 'samples.html').as_uri()}#task=many{chosen}&i={place}")
        return [page.evaluate(script, None)]

    (clicked,) = median_of(browser, from_list)
    (linked,) = median_of(browser, from_link)
    many = f"{models} model{'s' if models > 1 else ''}"
    return [
        Row(
            f"opening a sample of {COUNT:,}, answers of {many} painted (by a link from outside)",
            f"{clicked:.0f} ms ({linked:.0f} ms)", "", "", f"<= {OPENED_MS:.0f} ms",
            clicked <= OPENED_MS,
        )
    ]  # fmt: skip


def browsed() -> list[Row]:
    """The rows of RESULTS.md."""
    program = shutil.which("chromium")
    if program is None:
        return [Row("the site in a browser", "no chromium here", "", "", "measured", False)]
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        board = site_of(write_board(folder / "board"), folder / "board-site")
        write_big_run(folder / "big", COUNT, 6)
        (run,) = (folder / "big").iterdir()
        big = site_of(run, folder / "big-site")
        with sync_playwright() as driver:
            browser: Any = driver.chromium.launch(executable_path=program, args=list(FLAGS))
            rows = [
                *overview(browser, board),
                *samples(browser, big, 1),
                *samples(browser, big, 6),
            ]
            browser.close()
    return rows


if __name__ == "__main__":
    print(table(browsed()))
