"""Whatever strangers write into a run, in the site it is text: nothing runs, nothing is asked for
elsewhere, nothing is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import browsers
import hostile
import pytest
from browsers import Tab
from hostile import TASKS, TEXTS
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# what templates and scripts of the site never make; what they make has no such attributes
MADE = """() => ({
  xss: window.__xss,
  elements: [...document.querySelectorAll(
    "iframe, object, embed, math, base, animate, mglyph, frame, applet, portal, area," +
    "form:not(.vega-bindings)," +
    "head ~ * meta, head ~ * link, body style, body title, main script:not([type])," +
    "body script[src], img:not([src^='media/']), video:not([src^='media/'])"
  )].map((e) => e.outerHTML.slice(0, 99)),
  attributes: [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes]
    .filter((a) => /^on/i.test(a.name) || a.name === "srcdoc" || a.name === "autofocus" ||
      (["href", "src", "action", "xlink:href"].includes(a.name) &&
        !/^(#|data:image|media\\/|assets\\/|data\\/|[\\w.-]+\\.html(#|$))/.test(a.value)))
    .map((a) => `${e.tagName} ${a.name}=${a.value}`.slice(0, 99))),
})"""
READ = "(s) => [...document.querySelectorAll(s)].map((e) => e.textContent)"
NOTHING = {"xss": None, "elements": [], "attributes": []}


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of nothing else."""
    browsers.need("chromium")
    from harness.leaderboard.publish import PublishOptions, publish
    from harness.results.store import read_run

    root = tmp_path_factory.mktemp("hostile")
    with chdir(root):
        run = read_run(hostile.write_hostile_run(root / "runs"))
        publish([run], root / "site", PublishOptions(title=TEXTS[4]))
    return root / "site"


@pytest.fixture(scope="module")
def chromium(hostile_site: Path) -> Iterator[Browser]:
    """In the place of the fixture for the other site."""
    with browsers.chromium() as running:
        yield running


@pytest.fixture(params=["file", "http"])
def tab(
    request: pytest.FixtureRequest, open_tab: Callable[..., Tab], hostile_site: Path
) -> Iterator[Tab]:
    if request.param == "file":
        yield open_tab(hostile_site.as_uri())
        return
    with browsers.served(hostile_site) as address:
        yield open_tab(address)


def sound(tab: Tab) -> None:
    """Nothing came alive, and the page is still the site's."""
    found: dict[str, Any] = tab.run(MADE)
    assert found == NOTHING, tab.page.url
    assert tab.page.url.startswith(tab.base)
    assert tab.wrong == [], tab.page.url


def shown(text: str) -> str:
    """As pages of the site write what cannot be seen."""
    from harness.results.render import visible

    return "".join(one if one in "\n\t" else visible(one) for one in text)


def address(page: str, **state: object) -> str:
    from urllib.parse import quote

    return f"{page}#" + "&".join(f"{key}={quote(str(value))}" for key, value in state.items())


def test_every_page_is_read_and_nothing_happens(tab: Tab, hostile_site: Path) -> None:
    pages = sorted(path.name for path in hostile_site.glob("*.html"))
    assert len(pages) > 60
    every = 9 if tab.base.startswith("file:") else 30
    for at, page in enumerate(pages):
        if page.startswith("model-") and at % every:
            continue
        tab.open(page)
        if page in ("compare.html", "samples.html", "tradeoff.html", "history.html"):
            tab.find("#choose select").first.wait_for()
        tab.draw()
        for handle in ("summary", "th .sort"):
            tab.run("(s) => document.querySelectorAll(s).forEach((e) => e.click())", handle)
        assert tab.find("[data-fault]").count() == 0
        sound(tab)


def test_names_are_shown_as_they_are(tab: Tab) -> None:
    tab.open("index.html")
    names = tab.run(READ, "#board tbody th > a bdi")
    assert {shown(text) for text in TEXTS[:-1] if text.strip()} <= set(names)
    assert tab.text("h1") == TEXTS[4]
    tab.find("#find").fill("<svg onload")
    assert tab.texts("#board tbody th bdi")[0] == TEXTS[7]
    tab.page.reload()
    assert tab.texts("#board tbody th bdi")[0] == TEXTS[7]
    tab.find("#columns > summary").click()
    tab.find("#columns button").filter(has_text="All").click()
    sound(tab)


def test_every_sample_is_opened_and_says_what_it_says(tab: Tab) -> None:
    tab.open(address("samples.html", task="texts", i=0))
    tab.find(".sample .answer").first.wait_for()
    for at, text in enumerate(TEXTS):
        tab.run("(hash) => { location.hash = hash; }", f"task=texts&i={at}")
        expect(tab.find(".opened h2 bdi")).to_have_text(f"{at}-{text[:300]}".strip() or "x")
        tab.find(".sample .answer").first.wait_for()
        parts = {name: tab.run(READ, f".text.{name}") for name in ("input", "reply", "raw")}
        if text:
            whole = text if len(text) < 3000 else text[:3000] + "… show 2,000 more characters"
            assert parts["input"] == [whole]
            assert text in parts["reply"]  # whole, since what differs is marked
            assert set(parts["raw"]) == {whole}
        else:
            assert "(empty)" in tab.text(".sample .asked .empty")
        tab.run("() => document.querySelectorAll('summary, .more').forEach((e) => e.click())")
        sound(tab)


def test_hostile_tasks_choices_and_ids_have_lists_and_samples(tab: Tab) -> None:
    for task in (*TASKS, "choices", "names"):
        tab.open(address("samples.html", task=task))
        tab.find("#found a[data-i]").first.wait_for()
        assert tab.find("#choose select").first.input_value() == task
        for select in tab.find("#filters select").all():
            select.select_option(index=1)
        sound(tab)
        tab.open(address("samples.html", task=task, i=1))
        tab.find(".sample .answer").first.wait_for()
        tab.press("j", "k")
        sound(tab)
    tab.open(address("samples.html", task="choices", i=1))
    tab.find(".sample .answer").first.wait_for()
    taken = tab.run(READ, ".choices bdi")
    assert taken == [*TEXTS[:24]]


def test_hostile_models_are_compared(tab: Tab) -> None:
    tab.open("compare.html")
    tab.find("#differences tbody tr").first.wait_for()
    ids = tab.run("() => harness.get('board').models.map((m) => m.id)")
    tab.open("compare.html#" + "&".join(f"m={one}" for one in ids[:12]) + "&metrics=all&pairs=all")
    tab.find("#differences tbody tr").first.wait_for()
    expect(tab.page.get_by_text("computing", exact=True)).to_have_count(0)
    tab.find("#differences a").last.click()
    expect(tab.find("#filters button").first).to_be_visible()
    sound(tab)
    attack = tab.run(
        "(name) => harness.get('board').models.find((m) => m.name === name).id", TEXTS[4]
    )
    tab.open(address("compare.html", m="base") + f"&m={attack}&metrics=all")
    tab.find("#differences tbody tr").first.wait_for()
    links = tab.find("#differences tbody a")
    assert links.count() == 22
    for at in range(0, 22, 3):
        links.nth(at).click()
        tab.find("#filters button").filter(has_text="all").click()
        expect(tab.find("#found .found")).to_contain_text("samples: all,")
        tab.find("#found a[data-i]").first.click()
        tab.find(".sample .answer").first.wait_for()
        sound(tab)
        tab.find("button").filter(has_text="Back to the list").click()
        tab.find("#found a[data-i]").first.wait_for()


def test_every_column_of_trade_off_and_history(tab: Tab) -> None:
    for page in ("tradeoff.html", "history.html"):
        tab.open(page)
        select = tab.find("#choose select").first
        select.wait_for()
        for at in range(min(12, select.locator("option").count())):
            select.select_option(index=at)
            sound(tab)
        tab.run("() => harness.script('assets/vega.js')")
        expect(tab.find("figure.chart:not([hidden]) svg").first).to_be_visible()
        sound(tab)


def test_hostile_addresses_do_nothing(open_tab: Callable[..., Tab], hostile_site: Path) -> None:
    tab = open_tab(hostile_site.as_uri())
    keys = "sort find tag base badge more less theme at m task i sample only q c a b metric s cost"
    for at, text in enumerate([text for text in TEXTS if text.strip() and len(text) < 500][::2]):
        page = ("samples", "tradeoff", "compare", "history", "index", "samples", "history")[at % 7]
        tab.open(address(f"{page}.html", **dict.fromkeys(keys.split(), text)))
        sound(tab)
        raw = json.dumps(text)[1:-1]
        tab.run("(hash) => { location.hash = hash; }", "&".join(f"{k}={raw}" for k in keys.split()))
        sound(tab)
