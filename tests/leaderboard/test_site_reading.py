"""The site for everybody: colours, keyboard, phones, paper, no scripts, screen readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from browsed import MODELS
from browsers import RULES, Tab, axe_faults, bring_axe
from playwright.sync_api import expect

PAGES = (
    "index.html",
    "compare.html#m=base&m=tuned&c=sums-exact-match",
    "samples.html",
    "samples.html#task=sums&i=7",
    "samples.html#task=clips&variant=fps%3D1&i=4",
    "samples.html#task=colours&i=0&m=base&m=tuned",
    "tradeoff.html",
    "history.html",
    "task-sums.html",
    "task-colours.html",
    "model-tuned.html",
)
SHOTS = os.environ.get("HARNESS_SHOTS", "")
"""A folder: pictures of all pages for people to look at."""
SETTLED = """
() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))
"""


def settle(tab: Tab, draw: bool = True) -> None:
    """What a page loads by itself is there, and its charts are drawn."""
    if tab.find("#choose").count():
        tab.find("#choose select").first.wait_for()
    for loading in ("Loading", "computing"):
        expect(tab.page.get_by_text(loading, exact=True)).to_have_count(0)
    if "i=" in tab.hash:
        tab.find(".sample .answer").first.wait_for()
    if draw:
        tab.draw()
    tab.run(SETTLED)


# ------------------------------------------------------------------------------- colours


def test_dark_is_remembered_and_changes_the_colours(tab: Tab) -> None:
    def paper() -> list[str]:
        look = (
            "() => [getComputedStyle(document.body).backgroundColor,"
            "document.querySelector('#theme').getAttribute('aria-pressed')]"
        )
        found: list[str] = tab.run(look)
        return found

    tab.open("index.html").draw()
    mark = "() => getComputedStyle(document.querySelector('.plot svg text')).fill"
    light, ink = paper(), tab.run(mark)
    tab.find("#theme").click()
    dark = paper()
    assert (light[1], dark[1]) == ("false", "true")
    assert light[0] != dark[0]
    expect(tab.find(".plot svg text").first).not_to_have_css("fill", ink)  # the chart, too
    assert not tab.open("compare.html").wrong
    assert paper() == dark
    tab.find("#theme").click()
    assert paper() == light


def test_the_system_says_which_colours_at_first(open_tab: Callable[..., Tab], site: Path) -> None:
    tab = open_tab(site.as_uri(), color_scheme="dark").open("index.html")
    assert tab.run("() => harness.theme()") == "dark"
    assert tab.open("index.html#theme=light").run("() => harness.theme()") == "light"


# ------------------------------------------------------------------------------ keyboard

TABBED = """() => {
  const node = document.activeElement;
  const all = [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]')];
  const box = node.getBoundingClientRect();
  const styles = [node, node.parentElement].map((one) => getComputedStyle(one));
  return {
    at: all.indexOf(node),
    name: node.outerHTML.slice(0, 120),
    seen: styles.some((s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0),
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""
REACHABLE = """() => [...document.querySelectorAll(
  'a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .map((node, at) => [node, at])
  .filter(([node]) => node.checkVisibility() && !node.disabled)
  .map(([node, at]) => at)"""


@pytest.mark.parametrize("page", ["index.html", "samples.html#task=sums&i=7", "compare.html"])
def test_the_tab_key_reaches_everything(
    open_tab: Callable[..., Tab], site: Path, page: str
) -> None:
    tab = open_tab(site.as_uri()).open(page)
    settle(tab)
    tab.run("() => document.activeElement.blur()")
    tab.run("() => getSelection().removeAllRanges()")
    tab.run("() => { document.body.tabIndex = -1; document.body.focus(); }")
    wanted, reached = set(tab.run(REACHABLE)), set()
    for _ in range(3 * len(wanted)):
        tab.press("Tab")
        now = tab.run(TABBED)
        if now["at"] < 0 or now["at"] in reached:
            break  # round the page, and out of it
        assert now["seen"], now
        assert now["inside"], now
        reached.add(now["at"])
    else:
        pytest.fail("the focus never leaves the page")
    assert wanted - reached == set()


def test_the_first_tab_skips_to_the_content(tab: Tab) -> None:
    tab.open("index.html")
    tab.press("Tab")
    skip = tab.find(".skip")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["y"] >= 0
    tab.press("Enter")
    expect(tab.find("#main")).to_be_focused()


def test_menus_and_choices_work_without_a_mouse(tab: Tab) -> None:
    tab.open("compare.html#m=base&m=tuned")
    expect(tab.find("#differences tbody tr")).to_have_count(4)
    box = tab.find("#choose label").filter(has_text="other").locator("input")
    box.focus()
    tab.press("Space")
    expect(tab.find("#differences tbody tr")).to_have_count(8)
    expect(tab.find("#choose label").filter(has_text="other").locator("input")).to_be_focused()
    tab.find(".menu summary").first.focus()
    tab.press("Enter", "Tab")
    assert tab.run("() => document.activeElement.getAttribute('href')") == "task-sums.html"
    tab.press("Enter")
    tab.page.wait_for_url("**/task-sums.html")


# ------------------------------------------------------------------- phones, paper, motion


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_a_phone(open_tab: Callable[..., Tab], site: Path, page: str) -> None:
    tab = open_tab(site.as_uri(), viewport={"width": 380, "height": 800}).open(page)
    settle(tab)
    wide = tab.run("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], tab.run(
        "() => [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect()"
        ".right > innerWidth && !e.closest('.scroll, .plot, pre, .text'))"
        ".map((e) => e.outerHTML.slice(0, 90)).slice(0, 5)"
    )


@pytest.mark.parametrize("page", ["index.html", "task-sums.html", "samples.html#task=sums&i=7"])
def test_paper_shows_the_content_alone(open_tab: Callable[..., Tab], site: Path, page: str) -> None:
    tab = open_tab(site.as_uri(), color_scheme="dark").open(page)
    settle(tab)
    tab.page.emulate_media(media="print")
    for part in ("header", ".skip"):
        assert not tab.find(part).is_visible()
    assert tab.find("main h1").first.is_visible()
    look = "(s) => getComputedStyle(document.querySelector(s)).backgroundColor"
    assert tab.run(look, "body") == "rgb(255, 255, 255)"
    cut = (
        "() => [...document.querySelectorAll('.scroll, .text, pre')].filter((e) =>"
        "e.checkVisibility() && e.scrollHeight > e.clientHeight + 1 &&"
        "getComputedStyle(e).overflowY !== 'visible').length"
    )
    assert tab.run(cut) == 0
    assert tab.run("() => document.querySelector('main').innerText.length") > 200


def test_who_wants_no_motion_gets_none(open_tab: Callable[..., Tab], site: Path) -> None:
    moving = (
        "() => [...document.querySelectorAll('*')].map((e) => getComputedStyle(e)).filter((s) =>"
        "parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none' ||"
        "s.scrollBehavior === 'smooth').length"
    )
    still = open_tab(site.as_uri(), reduced_motion="reduce").open("index.html")
    assert still.run(moving) == 0
    assert open_tab(site.as_uri(), reduced_motion="no-preference").open("index.html").run(moving)


# -------------------------------------------------------------------------- without scripts


@pytest.fixture
def plain(open_tab: Callable[..., Tab], base: str) -> Tab:
    """A tab in which no script runs."""
    return open_tab(base, java_script_enabled=False)


def test_without_scripts_the_board_can_be_read(plain: Tab) -> None:
    plain.open("index.html")
    board = plain.find("#board").inner_text()
    for words in (*MODELS, "0.644", "[0.607, 0.681]", "rank 1", "n 59", "1 failed", "real"):
        assert words in board
    assert not plain.find("#tools").is_visible()
    assert not plain.find("#theme").is_visible()
    assert "Without scripts every table can be read" in plain.text("footer")


def test_without_scripts_all_tables_and_examples_can_be_read(plain: Tab) -> None:
    told = {
        "task-sums.html": ("What is", "exact match", "Question: {{ input }}"),
        "task-clips.html": ("fps=6", "0.773"),
        "task-colours.html": ("choice", "violet"),
        "model-tuned.html": ("difference includes zero", "Gate", "FAIL"),
        "history.html": ("tuned", "0.508", "FAIL"),
        "tradeoff.html": ("Which to take", "colours", "0.781"),
        "compare.html": ("Choosing models needs scripts",),
        "samples.html": ("Choosing samples needs scripts",),
    }
    for page, words in told.items():
        plain.open(page)
        closed = plain.find("main details:not([open]) > summary:visible")
        for _ in range(closed.count()):
            closed.first.click()
        text = plain.find("main").inner_text()
        assert [one for one in words if one not in text] == [], page
        assert "Loading" not in text
        for table in plain.find("main table").all():
            assert table.is_visible(), page


# ---------------------------------------------------------------------------- axe, pictures


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing_serious(open_tab: Callable[..., Tab], site: Path, mode: str) -> None:
    # bypassing the policy is for axe alone, which is no part of the site
    tab = open_tab(site.as_uri(), color_scheme=mode, bypass_csp=True)
    bring_axe(tab)
    # nothing but colours differs in the dark
    rules = RULES if mode == "light" else ("color-contrast",)
    found = [f"{page}: {one}" for page in PAGES for one in _faults(tab, page, rules)]
    assert found == []


def _faults(tab: Tab, page: str, rules: Sequence[str]) -> list[str]:
    tab.open(page)
    settle(tab, draw=len(rules) > 1)
    return axe_faults(tab, rules)


@pytest.mark.skipif(not SHOTS, reason="pictures are taken where HARNESS_SHOTS names a folder")
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("wide", [1280, 380])
def test_pictures_of_all_pages(
    open_tab: Callable[..., Tab], site: Path, mode: str, wide: int
) -> None:
    tab = open_tab(site.as_uri(), color_scheme=mode, viewport={"width": wide, "height": 900})
    for page in PAGES:
        tab.open(page)
        settle(tab)
        name = page.replace(".html", "").replace("#", "-").replace("&", "-")
        file = Path(SHOTS) / f"{name}-{wide}-{mode}.png"
        tab.page.screenshot(path=str(file), full_page=True)
        assert file.stat().st_size > 5000
