"""`harness judge label RUN --page` as a person meets it: the real command, a real browser."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from harness.collect.library import Project
from harness.judges.labels import labels_path, read_items
from harness.records import Completion, Sample, Score
from harness.results.run import CellResult, CompletionRow, Run, ScorerInfo
from harness.results.store import write_run

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

    from tests.conftest import UserProject

JUDGE = """\
judge: strict
version: 1
description: Three questions to an answer.
model: embedding-judge
template: strict.j2
scale: mean
criteria:
  - {name: grade, min: 0, max: 10, description: How good is it?}
  - {name: polite, kind: yesno, description: Is it polite?}
  - {name: points, max: 60, description: How much of it is right?}
"""
TEMPLATE = "{{ question }}\n{{ reference }}\n{{ answer }}\n"
MODELS = ("zeta-7b-base", "zeta-7b-tuned")
ATTACK = "<script>document.title='owned'</script><b id=owned>bold</b> {{ 7 * 7 }} &amp;"


def write_answers(project: UserProject, texts: list[str]) -> None:
    """A run in which each model gives its share of the texts, judged by `strict`."""
    project.write("judges/strict.judge.yaml", JUDGE)
    project.write("judges/strict.j2", TEMPLATE)
    info = ScorerInfo(name="strict", version=1, higher_is_better=True, judge="strict")
    cells = []
    for number, model in enumerate(MODELS):
        given = texts[number :: len(MODELS)]
        names = [f"s{n}" for n in range(len(given))]
        cells.append(
            CellResult(
                cell_id=f"t[{model}]",
                cell_hash="h",
                task="t",
                task_hash="th",
                task_version=1,
                model=model,
                variant="",
                samples=tuple(Sample(one, f"Question {one}?", f"Model of {one}") for one in names),
                completions=[
                    CompletionRow(name, 0, Completion("", text=text))
                    for name, text in zip(names, given, strict=True)
                ],
                scores={"strict": [Score(1.0) for _ in given]},
                scorers=[info],
            )
        )
    now = datetime.now(UTC)
    write_run(project.root / "runs", Run(cells, now, now + timedelta(seconds=1)))


class Rater:
    """A person before the page."""

    def __init__(self, browser: WebDriver, url: str) -> None:
        self.browser, self.url = browser, url
        self.open()

    def open(self) -> None:
        """Load the page anew."""
        self.browser.get(self.url)
        self.until(lambda: self.text("#state") != "Loading")

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for what the page is about to do."""
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.browser, 20, poll_frequency=0.02).until(lambda _: holds())

    def text(self, where: str) -> str:
        """What can be read there, in one step: the page may change at any time."""
        look = "const found = document.querySelector(arguments[0]); return found && found.innerText"
        return str(self.browser.execute_script(look, where) or "")

    @property
    def done(self) -> int:
        return int(self.text("#state").split()[0])

    @property
    def answer(self) -> str:
        return self.text(".answer")

    def click(self, where: str) -> None:
        self.browser.find_element("css selector", where).click()

    def press(self, *keys: str) -> None:
        """Type at whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def pick(self, criterion: str, choice: str) -> None:
        """Click one of the buttons of a scale."""
        self.click(f"input[name={criterion}][value='{choice}']")

    def value(self, criterion: str) -> str:
        """What stands in the form for a criterion."""
        return str(
            self.browser.execute_script(
                "return new FormData(document.getElementById('form')).get(arguments[0]) || ''",
                criterion,
            )
        )

    def focused(self) -> str:
        """The criterion that has the focus."""
        return str(self.browser.execute_script("return document.activeElement.name || ''"))


@contextmanager
def label(project: UserProject) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command at work, and the address that it says."""
    words = project.command("judge", "label", "latest", "--rater", "anna", "--page")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=project.root, env=project.environment()
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[1]
        finally:
            process.kill()


def labelled(project: UserProject) -> dict[str, dict[str, float]]:
    """Answer -> ratings, as they were written down."""
    path = labels_path(project.root, "strict", "anna")
    if not path.exists():
        return {}
    items = read_items([path], Project.here().get_judge("strict"))
    return {item.material.answer: dict(item.labels[0].ratings) for item in items}


def rate(rater: Rater, keys: tuple[str, ...]) -> str:
    """Type a rating, and wait until it is kept; the answer that was rated."""
    answer, done = rater.answer, rater.done
    rater.press(*keys)
    rater.until(lambda: rater.done == done + 1)
    return answer


ENTER = "\ue007"


def test_answers_are_rated_with_the_mouse_and_kept_at_once(
    project: UserProject, browser: WebDriver
) -> None:
    write_answers(project, ["alpha", "beta"])
    with label(project) as (process, url):
        rater = Rater(browser, url)
        first = rater.answer
        rater.pick("grade", "7")
        rater.pick("polite", "no")
        rater.click("input[name=points]")
        rater.press("42")
        rater.click("button[type=submit]")
        rater.until(lambda: rater.done == 1)
        assert labelled(project) == {first: {"grade": 7, "polite": 0, "points": 42}}
        assert {first, rater.answer} == {"alpha", "beta"}
        assert [rater.value(name) for name in ("grade", "polite", "points")] == ["", "", ""]
        second = rate(rater, ("1", "0", ENTER, "y", "0", ENTER))
        assert labelled(project)[second] == {"grade": 10, "polite": 1, "points": 0}
        assert rater.text("#item") == "All is rated. This page may be closed."
        assert process.wait(20) == 0


def test_all_is_rated_without_a_mouse(project: UserProject, browser: WebDriver) -> None:
    """A digit picks, and goes on where it can mean nothing else; Enter goes on, and keeps."""
    write_answers(project, ["alpha"])
    with label(project) as (process, url):
        rater = Rater(browser, url)
        assert rater.focused() == "grade"
        rater.press("1")
        assert (rater.focused(), rater.value("grade")) == ("grade", "1")  # a 10 perhaps
        rater.press("0")
        assert (rater.focused(), rater.value("grade")) == ("polite", "10")
        rater.press("n")
        assert (rater.focused(), rater.value("polite")) == ("points", "no")
        rater.press(ENTER)  # what is missing is not kept
        assert (rater.focused(), rater.done) == ("points", 0)
        rater.press("61", ENTER)
        rater.until(lambda: rater.text("#fault"))
        assert rater.text("#fault") == "points: a whole number from 0 to 60"
        assert (rater.focused(), labelled(project)) == ("points", {})
        rater.press("59", ENTER)  # in place of what stood there
        rater.until(lambda: rater.done == 1)
        assert labelled(project) == {"alpha": {"grade": 10, "polite": 0, "points": 59}}
        assert process.wait(20) == 0


def test_r8_no_model_is_named_and_the_rubric_is_shown(
    project: UserProject, browser: WebDriver
) -> None:
    write_answers(project, ["alpha", "beta"])
    with label(project) as (_, url):
        rater = Rater(browser, url)
        for _ in range(2):
            told = "fetch('next').then(it => it.text()).then(arguments[0])"
            page = browser.page_source + browser.title + browser.execute_async_script(told)
            assert rater.answer in page
            assert not [word for word in (*MODELS, "zeta", "tuned", "latest") if word in page]
            page = rater.text("body")
            for shown in ("Three questions to an answer.", "How good is it?", "grade", "0 to 60"):
                assert shown in page
            rate(rater, ("5", ENTER, "y", "5", ENTER))


def test_what_a_model_wrote_is_text(project: UserProject, browser: WebDriver) -> None:
    write_answers(project, [ATTACK])
    with label(project) as (_, url):
        rater = Rater(browser, url)
        assert rater.answer == ATTACK
        assert browser.title == "0 of 1 rated"
        assert not browser.find_elements("css selector", "#owned, #item script, #item b")
        rate(rater, ("5", ENTER, "y", "5", ENTER))
    assert list(labelled(project)) == [ATTACK]


def test_a_reload_and_a_killed_command_go_on_where_one_was(
    project: UserProject, browser: WebDriver
) -> None:
    write_answers(project, ["alpha", "beta", "gamma", "delta"])
    with label(project) as (process, url):
        rater = Rater(browser, url)
        first = rate(rater, ("5", ENTER, "y", "5", ENTER))
        second = rater.answer
        rater.press("3")
        rater.open()
        assert (rater.done, rater.answer, rater.value("grade")) == (1, second, "")
        rate(rater, ("6", ENTER, "n", "6", ENTER))
        third = rater.answer
        process.send_signal(signal.SIGKILL)
        process.wait()
        rater.press("7", ENTER, "n", "7", ENTER)
        rater.until(lambda: rater.text("#fault"))
        assert "this rating was not kept" in rater.text("#fault")
    assert set(labelled(project)) == {first, second}
    with label(project) as (process, url):
        rater = Rater(browser, url)
        assert (rater.done, rater.answer) == (2, third)
        rate(rater, ("7", ENTER, "n", "7", ENTER))
        rate(rater, ("8", ENTER, "n", "8", ENTER))
        assert process.wait(20) == 0
    found = labelled(project)
    assert [found[answer]["points"] for answer in (first, second, third)] == [5, 6, 7]
    assert len(found) == 4


def test_an_answer_is_skipped_and_shown_again_when_all_others_are_rated(
    project: UserProject, browser: WebDriver
) -> None:
    write_answers(project, ["alpha", "beta"])
    with label(project) as (process, url):
        rater = Rater(browser, url)
        skipped = rater.answer
        rater.press("s")
        rater.until(lambda: rater.answer != skipped)
        rate(rater, ("5", ENTER, "y", "5", ENTER))
        assert rater.text("#item") == "The rest was skipped."
        rater.click("#again")
        rater.until(lambda: rater.text("#item") != "The rest was skipped.")
        assert rate(rater, ("5", ENTER, "y", "5", ENTER)) == skipped
        assert process.wait(20) == 0


def test_the_last_rating_can_be_changed(project: UserProject, browser: WebDriver) -> None:
    write_answers(project, ["alpha", "beta"])
    with label(project) as (_, url):
        rater = Rater(browser, url)
        first = rate(rater, ("5", ENTER, "y", "5", ENTER))
        second = rater.answer
        rater.click("#back")
        assert rater.answer == first
        assert [rater.value(name) for name in ("grade", "polite", "points")] == ["5", "yes", "5"]
        rater.pick("grade", "9")
        rater.click("button[type=submit]")
        rater.until(lambda: rater.answer == second)
        assert rater.done == 1
        assert labelled(project) == {first: {"grade": 9, "polite": 1, "points": 5}}


@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_fits_its_window_and_the_answer_is_seen_first(
    project: UserProject, browser: WebDriver, width: int
) -> None:
    write_answers(project, ["word " * 900 + "x" * 300])
    window = browser.get_window_size()
    with label(project) as (_, url):
        try:
            browser.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
            )
            rater = Rater(browser, url)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            assert browser.execute_script("return window.scrollY") == 0
            small = [
                box.rect
                for box in browser.find_elements("css selector", "button, .choices label")
                if box.is_displayed() and min(box.rect["width"], box.rect["height"]) < 40
            ]
            assert small == []  # a finger finds them
            beside = browser.find_element("css selector", "button[type=submit]").rect["y"] < 800
            assert beside is (width == 1100)  # in sight beside the answer where there is room
            assert rater.done == 0
        finally:
            browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            browser.set_window_size(window["width"], window["height"])


def test_the_page_says_nothing_to_the_browsers_console(
    project: UserProject, browser: WebDriver
) -> None:
    """No script error, nothing that the page's own rules of security had to stop."""
    write_answers(project, [ATTACK])
    browser.get_log("browser")
    with label(project) as (_, url):
        rate(Rater(browser, url), ("5", ENTER, "y", "5", ENTER))
        said = [line for line in browser.get_log("browser") if "favicon" not in line["message"]]
    assert json.dumps(said) == "[]"
