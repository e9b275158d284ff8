"""The page of running tests as a person sees it: the real command, a real run, a real browser."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from watching import Slow, Viewer, until, view
from watching import slow as slow

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class Page:
    """What can be read on the page."""

    def __init__(self, browser: WebDriver, viewer: Viewer) -> None:
        self.browser, self.viewer = browser, viewer
        browser.get_log("browser")
        browser.get(viewer.url + "live.html")

    def run(self, code: str) -> object:
        return self.browser.execute_script(f"return {code}")

    def text(self, where: str = "#live") -> str:
        return str(self.run(f"(document.querySelector({where!r}) || {{}}).innerText || ''"))

    @property
    def bars(self) -> list[tuple[str, float, float]]:
        """Label, value and maximum of each bar."""
        code = "[...document.querySelectorAll('#live progress')]"
        rows = self.run(f"{code}.map(one => [one.labels[0].innerText, one.value, one.max])")
        assert isinstance(rows, list)
        return [tuple(row) for row in rows]

    def said(self) -> list[str]:
        """What the page has said to the console."""
        return [line["message"] for line in self.browser.get_log("browser")]


@contextmanager
def looking(slow: Slow, browser: WebDriver) -> Iterator[Page]:
    with view(slow.project) as viewer:
        yield Page(browser, viewer)
        browser.get("about:blank")  # nobody asks a command that has ended


def test_progress_grows_and_the_finished_run_has_a_link(slow: Slow, browser: WebDriver) -> None:
    with looking(slow, browser) as page:
        until(lambda: "No run is at work." in page.text())
        slow.allow(2)
        with slow.running() as process:
            until(lambda: page.bars == [("sums on slow", 2, 6)])
            assert page.text(".live-state") == "asking slow"
            until(lambda: "a second" in page.text(".live-sum") and "left" in page.text(".live-sum"))
            slow.allow(5)
            until(lambda: page.bars == [("sums on slow", 5, 6)])
            assert "No run is at work." not in page.text()
            (first, *_) = page.text(".live-answers").splitlines()
            assert first == "s4, sums on slow"
            assert page.run("document.querySelectorAll('.live-answer').length") == 5
            slow.allow(1000)
            until(lambda: "show this run" in page.text(".live-state"))
            assert process.wait() == 0
        assert page.text(".live-state") == "finished show this run"
        assert page.text(".live-new") == "show the new results"
        assert page.said() == []
        browser.find_element("css selector", ".live-new a").click()
        until(lambda: browser.current_url == page.viewer.url + "index.html")


def test_what_a_model_wrote_is_text(slow: Slow, browser: WebDriver) -> None:
    slow.server.answer = lambda asked: ATTACK
    slow.allow(3)
    with looking(slow, browser) as page, slow.running():
        until(lambda: page.text(".live-text") == ATTACK)
        assert page.run("document.querySelectorAll('#live img, #live script').length") == 0
        assert "owned" not in browser.title
        assert page.said() == []


def test_failures_are_told_with_their_reason(slow: Slow, browser: WebDriver) -> None:
    slow.server.play = lambda asked: "refusal"
    slow.allow(2)
    with looking(slow, browser) as page, slow.running():
        until(lambda: "2 of 6, 2 failed" in page.text(".live-failing .live-count"))
        assert page.text(".live-error").startswith("no answer: refused")


def test_a_run_that_was_killed_says_how_to_go_on(slow: Slow, browser: WebDriver) -> None:
    slow.allow(2)
    with looking(slow, browser) as page:
        with slow.running() as process:
            until(lambda: page.bars == [("sums on slow", 2, 6)])
            process.kill()
        words = "killed; run the same command again to go on"
        until(lambda: page.text(".live-killed .live-state") == words)
        assert "2 of 6 answers" in page.text(".live-sum")


def test_news_are_told_politely_and_not_all_the_time(slow: Slow, browser: WebDriver) -> None:
    """What a screen reader reads out: the beginning and the end, not every answer between."""
    watch = """
    window.heard = [];
    const news = document.querySelector('[aria-live]');
    new MutationObserver(() => window.heard.push(news.textContent))
        .observe(news, {childList: true, characterData: true, subtree: true});
    """
    with looking(slow, browser) as page:
        assert page.run("document.querySelectorAll('[aria-live=polite]').length") == 1
        browser.execute_script(watch)
        with slow.running():
            for count in range(1, 6):
                slow.allow(count)
                until(lambda count=count: page.bars == [("sums on slow", count, 6)])
            slow.allow(1000)
            until(lambda: "show this run" in page.text())
        heard = page.run("window.heard")
        assert isinstance(heard, list)
        assert heard[0] == "sums on slow: running"
        assert {"sums on slow: finished", "There are new results."} <= set(heard)
        steps = [line for line in heard if " of 6" in line]
        assert len(steps) <= 3


def test_a_page_without_its_command_says_so_and_comes_back(slow: Slow, browser: WebDriver) -> None:
    with view(slow.project) as viewer:
        page = Page(browser, viewer)
        until(lambda: "No run is at work." in page.text())
        viewer.end(signal.SIGINT)
        until(lambda: "The command harness view has ended" in page.text(".live-note"))
        port = viewer.url.rsplit(":", 1)[1].strip("/")
    with view(slow.project, "--port", port):
        until(lambda: "No run is at work." in page.text(".live-note"))
        browser.get("about:blank")
