"""Whether there is a browser, what follows if not, and Chromium with a site in it.

    paths = browsers.need("chromium", "chromedriver")      # skips, or fails where CI counts on it
    with browsers.served(folder) as address, ...

A `Tab` is a page whose every console message, request, dialog and breach of the page's policy is
written down; whoever opened it asserts that nothing of it was wrong.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # CI is root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",  # the pages are this machine's
    "--window-size=1100,900",
)
MISSING = "NO BROWSER: "
"""How the reason begins why a test did not look at a page."""


def required() -> bool:
    """Whether tests must look at pages: CI cannot pass without having looked."""
    return bool(os.environ.get("HARNESS_REQUIRE_BROWSER")) or os.environ.get("CI", "") in (
        "true",
        "1",
    )


def need(*programs: str) -> list[str]:
    """Where the programs are. Without one of them the test is skipped; it fails where a browser
    is required."""
    found = [shutil.which(program) for program in programs]
    missing = [name for name, path in zip(programs, found, strict=True) if path is None]
    if missing:
        why = f"{MISSING}{' and '.join(missing)} not on this machine, so no page was looked at"
        hint = "Debian: apt-get install chromium chromium-driver"
        if required():
            pytest.fail(f"{why} ({hint})", pytrace=False)
        pytest.skip(f"{why} ({hint})")
    return [path for path in found if path is not None]


def summary(reports: Mapping[str, list[Any]]) -> str:
    """What must not be overlooked at the end of a test run: "" if every page was looked at."""
    count = sum(MISSING in str(getattr(one, "longrepr", "")) for one in reports.get("skipped", ()))
    if not count:
        return ""
    return (
        f"{count} tests of pages were SKIPPED: there is no browser on this machine.\n"
        "Nothing is known of the site and of the judge's page. Install one (Debian: apt-get "
        "install chromium chromium-driver);\nwith CI=true or HARNESS_REQUIRE_BROWSER=1 this fails."
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium of the system, driven by playwright, which downloads nothing.

    While it runs, asyncio thinks that this thread has a loop: no other test may need one then.
    """
    (program,) = need("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is the test's."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on the loopback interface, as a host of static pages has it."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


WATCH = """
window.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


class Tab:
    """A page of the site below ``base``; ``wrong`` is all that should not have happened."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page: Page = context.new_page()
        self.page.add_init_script(WATCH)
        listen = self.page.on
        listen("console", lambda m: m.type in ("error", "warning") and self._note(m.type, m.text))
        listen("pageerror", lambda error: self._note("exception", error))
        listen("request", self._requested)
        listen("requestfailed", self._failed)
        listen("response", lambda r: r.status >= 400 and self._note("response", r.url))
        listen("popup", lambda other: self._note("window", other.url))
        listen("dialog", self._dialog)

    def _note(self, what: str, words: object) -> None:
        self.wrong.append(f"{what}: {str(words)[:400]}")

    def _requested(self, request: Request) -> None:
        self.asked.append(request.url)
        if not request.url.startswith((f"{self.base}/", "data:image/")):
            self._note("request", request.url)

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # of a page that was left meanwhile
            self._note("failed", f"{request.url} {request.failure}")

    def _dialog(self, dialog: Any) -> None:
        self._note("dialog", dialog.message)
        dialog.dismiss()

    def open(self, path: str) -> Tab:
        """Load a page anew, also if only its hash differs from the one that is open."""
        if self.page.url.partition("#")[0] == f"{self.base}/{path.partition('#')[0]}":
            self.page.goto("about:blank")
        self.page.goto(f"{self.base}/{path}")
        return self

    def find(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def text(self, selector: str) -> str:
        """What can be read there."""
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        """What can be read of all that are shown."""
        script = (
            "(s) => [...document.querySelectorAll(s)].filter((e) => e.checkVisibility())"
            ".map((e) => e.innerText.trim())"
        )
        found: list[str] = self.page.evaluate(script, selector)
        return found

    def run(self, script: str, argument: object = None) -> Any:
        """What a script finds in the page."""
        return self.page.evaluate(script, argument)

    @property
    def hash(self) -> str:
        """What a permalink holds."""
        return self.page.url.partition("#")[2]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def draw(self) -> None:
        """Every chart of the page, and wait for it: else one is drawn when it is about to be
        seen."""
        self.run(
            "() => Promise.all([...document.querySelectorAll('figure.chart')]"
            ".filter((f) => !f.hidden && !('later' in f.dataset)).map((f) => harness.chart(f)))"
        )


RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


def bring_axe(tab: Tab) -> None:
    """axe-core in every page that the tab opens from now on; nothing of it is in the site."""
    import axe_playwright_python

    program = Path(axe_playwright_python.__file__).parent / "axe.min.js"
    tab.page.add_init_script(path=program)


def axe_faults(tab: Tab, rules: Sequence[str] = RULES) -> list[str]:
    """What axe finds serious in the page as it stands, all of its details open."""
    tab.run("() => document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
    result: dict[str, Any] = tab.run(
        "(rules) => axe.run(document,"
        "{resultTypes: ['violations'], preload: false, runOnly: rules})",
        list(rules),
    )
    return [
        f"{one['impact']} {one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:2]
    ]
