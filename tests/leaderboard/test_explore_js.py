"""What the pages on which people dig compute themselves: in a real browser, against scipy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.collect.library import library_root

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

SCRIPTS = ("boot.js", "site.js", "explore.js", "explore-frames.js", "explore-answers.js")
PAGE = """<!doctype html><html lang="en"><title>explore</title>
<script src="boot.js"></script>{scripts}<body data-page="none"><p id="say"></p></body></html>"""


@pytest.fixture
def page(browser: WebDriver, tmp_path: Path) -> WebDriver:
    """A page of the site that shows nothing, with its functions."""
    for name in SCRIPTS:
        shutil.copy(library_root() / "leaderboard" / "site" / name, tmp_path / name)
    scripts = "".join(f'<script src="{name}" defer></script>' for name in SCRIPTS[1:])
    (tmp_path / "page.html").write_text(PAGE.format(scripts=scripts))
    browser.get((tmp_path / "page.html").as_uri())
    return browser


def ask(page: WebDriver, expression: str, *values: Any) -> Any:
    return page.execute_script(f"return harness.explore.{expression}", *values)


@pytest.mark.parametrize("df", [1, 2, 3, 7, 29, 179, 99_999])
@pytest.mark.parametrize("p", [0.025, 0.5, 0.9, 0.975, 0.9995])
def test_t_quantile_is_that_of_scipy(page: WebDriver, p: float, df: int) -> None:
    from scipy.stats import t

    assert ask(page, "tQuantile(arguments[0], arguments[1])", p, df) == pytest.approx(
        float(t.ppf(p, df)), rel=1e-8, abs=1e-12
    )


def test_paired_interval_is_that_of_the_t_test(page: WebDriver) -> None:
    from scipy.stats import ttest_rel

    before = [0.1, 0.5, 0.4, None, 0.9, 0.3]
    after = [0.3, 0.6, 0.2, 0.8, 0.9, None]
    found = ask(page, "paired(arguments[0], arguments[1], true)", before, after)
    low, high = ttest_rel([0.3, 0.6, 0.2, 0.9], [0.1, 0.5, 0.4, 0.9]).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert [found[name] for name in ("n", "wins", "ties", "losses")] == [4, 2, 1, 1]
    assert found["diff"] == pytest.approx(found["after"] - found["before"])


def test_samples_of_one_cluster_are_no_independent_evidence(page: WebDriver) -> None:
    """Every cluster twice: as much is known as from the clusters alone, but for the mean's n."""
    one, two = [0.0, 0.0, 0.0, 0.0], [0.4, -0.1, 0.3, 0.2]
    alone = ask(page, "paired(arguments[0], arguments[1], true)", one, two)
    clusters = ["a", "b", "c", "d"] * 2
    twice = ask(page, "paired(...arguments)", one * 2, two * 2, True, clusters)
    assert (twice["low"], twice["high"]) == pytest.approx((alone["low"], alone["high"]))


def test_less_is_better_turns_wins_but_not_the_difference(page: WebDriver) -> None:
    found = ask(page, "paired(arguments[0], arguments[1], false)", [3, 3, 3], [1, 2, 4])
    assert (found["wins"], found["losses"]) == (2, 1)
    assert found["diff"] == pytest.approx(-2 / 3)


def test_one_pair_has_no_interval(page: WebDriver) -> None:
    found = ask(page, "paired([0], [1], true)")
    assert (found["n"], found["low"], found["high"]) == (1, None, None)


def test_words_that_differ_are_found(page: WebDriver) -> None:
    a, b = "A man picks up a red bag.", "A man picks a blue bag up."
    left, right = ask(page, "difference(arguments[0], arguments[1])", a, b)
    assert "".join(part for part, _ in left) == a
    assert "".join(part for part, _ in right) == b
    assert [part.strip() for part, differs in left if differs] == ["up", "red"]
    assert [part.strip() for part, differs in right if differs] == ["blue", "up"]


def test_signs_of_a_script_without_spaces_are_compared_one_by_one(page: WebDriver) -> None:
    _, right = ask(page, "difference(arguments[0], arguments[1])", "他在跑步", "他在走步")
    assert right == [["他在", False], ["走", True], ["步", False]]


def test_long_texts_are_compared_in_bounded_time_and_keep_every_letter(page: WebDriver) -> None:
    a = "\n".join(f"line {i} of a" for i in range(9_000))
    b = "\n".join(f"line {i} of b" for i in range(9_000))
    left, right = ask(page, "difference(arguments[0], arguments[1])", a, b)
    assert "".join(part for part, _ in left) == a
    assert "".join(part for part, _ in right) == b


def test_a_sample_is_found_among_those_that_were_kept(page: WebDriver) -> None:
    assert ask(page, "position([3, 5, 8, 13], 8)") == 2
    assert ask(page, "position([3, 5, 8, 13], 4)") == -1


BOARD = 'harness.put("board",{"columns":[],"models":[],"cells":[],"tasks":[]})'
TRADE = """<!doctype html><html lang="en"><title>trade</title>
<script src="boot.js"></script>{scripts}<body data-page="tradeoff"><p id="say"></p>
<div id="choose"></div><div id="picks"></div><div id="result"></div></body></html>"""


@pytest.fixture
def trade_page(browser: WebDriver, tmp_path: Path) -> WebDriver:
    """The page trade-off of a site without models."""
    names = ("boot.js", "site.js", "explore.js", "tradeoff.js")
    for name in names:
        shutil.copy(library_root() / "leaderboard" / "site" / name, tmp_path / name)
    scripts = "".join(f'<script src="{name}" defer></script>' for name in names[1:])
    (tmp_path / "trade.html").write_text(TRADE.format(scripts=scripts))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "board.js").write_text(BOARD)
    (tmp_path / "data" / "trade.js").write_text('harness.put("trade",{"points":[],"costs":[]})')
    browser.get((tmp_path / "trade.html").as_uri())
    return browser


def test_front_and_recommendations_are_those_of_python(trade_page: WebDriver) -> None:
    """Whole numbers up to 5, so that many points are equal in one number or in both."""
    from random import Random

    from harness.leaderboard.pareto import Point, front, recommend

    chance = Random(7)
    for _ in range(60):
        numbers = [
            (chance.randrange(6), chance.randrange(6)) for _ in range(chance.randrange(1, 9))
        ]
        points = [Point(str(i), float(q), float(c)) for i, (q, c) in enumerate(numbers)]
        given = [{"i": i, "better": q, "cost": c} for i, (q, c) in enumerate(numbers)]
        on_front = "frontOf(arguments[0]).values().map((point) => point.i).toArray()"
        assert set(ask(trade_page, on_front, given)) == front(points), numbers
        taken = ask(trade_page, "recommended(arguments[0]).map((one) => one[1].i)", given)
        assert taken == list(recommend(points).values()), numbers


def test_a_site_without_points_says_so(trade_page: WebDriver) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    text = "return document.querySelector('#result').innerText"
    WebDriverWait(trade_page, 20).until(lambda page: page.execute_script(text))
    assert "both a quality and a cost" in trade_page.execute_script(text)
