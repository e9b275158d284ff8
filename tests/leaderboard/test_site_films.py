"""Videos on the site: the frames that models saw, curves, matrices, and where the time goes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import browsers
import pytest
from browsers import Tab, axe_faults, bring_axe
from conftest import UserProject
from filmruns import FilmCell, Films
from playwright.sync_api import expect
from siteruns import site as publish

from harness.collect.library import Project
from harness.leaderboard.check import check_site
from harness.records import Sample, Score
from harness.results.run import ScorerInfo, StageRow

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHOTS = os.environ.get("HARNESS_SHOTS", "")
CLASSES = ("Arson", "Fighting", "Normal")
WAYS = [f"fps={fps},degrade={how}" for fps in (1, 6) for how in ("none", "blur:0.5", "noise:0.5")]
CHOICE = {"choice": ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)}
LOOK = "samples.html#task=films&variant={}&i={}"


def asked() -> list[Sample]:
    """Nine films; that of the last is missing."""
    return [
        Sample(
            f"v{n}", "Which of these is it?", "ABC"[n % 3], CLASSES,
            media=("a.mp4" if n < 8 else "gone.mp4",),
            row={"events": [[0.25, 0.35]], "event_unit": "second"},
        )
        for n in range(9)
    ]  # fmt: skip


def cell(films: Films, model: str, way: str) -> FilmCell:
    """Answers of a model, the tuned one with more of them right at 6 frames a second."""
    settings = dict(part.split("=") for part in way.split(","))
    times = films.times(fps=float(settings["fps"]))
    right = 3 + 2 * (model == "tuned") + (settings["fps"] == "6")
    said = ["ABC"[n % 3] if n < right else "ABC"[(n + 1) % 3] for n in range(9)]
    scores = [Score(float("ABC"[n % 3] == one), answer=one) for n, one in enumerate(said)]
    return FilmCell(
        model, "films", {"choice": scores}, way, CHOICE, samples=asked(),
        seen=dict.fromkeys(range(8), times),
    )  # fmt: skip


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of films."""
    browsers.need("chromium")
    project = UserProject(tmp_path_factory.mktemp("films"))
    films = Films(project)
    films.film()
    cells = [cell(films, model, way) for way in WAYS for model in ("base", "tuned")]
    profile = [
        StageRow(one.id, stage, ms, 2 * ms, 3 * ms, mean=ms)
        for n, one in enumerate(cells)
        for stage, ms in (
            ("decode", 20.0 + n),
            ("prefill", 30.0),
            ("generate", 9.0),
            ("total", 45.0),
        )
    ]
    run = films.run(*cells, profile=profile)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        publish([run], project.root / "site", project=Project.here())
    return project.root / "site"


@pytest.fixture
def tab(filmed: Path, chromium: Browser, open_tab: Callable[..., Tab]) -> Tab:
    """A tab on it."""
    return open_tab(filmed.as_uri())


def opened(tab: Tab, way: str, i: int) -> Tab:
    tab.open(LOOK.format(way.replace("=", "%3D").replace(",", "%2C").replace(":", "%3A"), i))
    expect(tab.find(".sample .answer").first).to_be_visible()
    return tab


def test_the_site_is_sound(filmed: Path) -> None:
    assert [str(one) for one in check_site(filmed).problems] == []


def test_a_sample_shows_what_its_variant_saw(tab: Tab) -> None:
    opened(tab, WAYS[0], 0)
    assert tab.texts(".frames figcaption") == ["0.00 s", "1.00 s"]
    assert tab.text(".strip p") == "a.mp4: 2 frames seen (fps=1, resolution=48)"
    assert tab.text(".events") == "Event from 0.25 s to 0.35 s: no frame that was seen lies in it"
    opened(tab, WAYS[3], 0)
    pictures = tab.find(".frames img")
    expect(pictures).to_have_count(8)
    expect(pictures.first).to_have_js_property("complete", True)
    assert pictures.first.evaluate("(e) => e.naturalWidth") == 72
    assert "8 of the 12 frames seen" in tab.text(".strip p")
    (inside,) = tab.texts(".frames li.event figcaption")
    assert re.fullmatch(r"0\.\d\d s\W+event", inside)
    assert tab.find(".frames li.event img").get_attribute("alt") == "a.mp4: 0.30 s, within an event"
    assert tab.text(".events").endswith("1 of the 12 frames seen lies in it")
    assert "12 frames seen" in tab.text(".answer p.muted")


def test_degraded_frames_are_other_pictures(tab: Tab) -> None:
    seen = [
        opened(tab, way, 0).find(".frames img").first.get_attribute("src")
        for way in (WAYS[0], WAYS[1], WAYS[2])
    ]
    assert len(set(seen)) == 3


def test_a_missing_film_is_told(tab: Tab) -> None:
    opened(tab, WAYS[0], 8)
    assert "gone.mp4" in tab.text(".strip")
    assert "no frame can be shown" in tab.text(".strip .empty")
    assert tab.find(".frames").count() == 0


def test_frames_stand_in_the_page_that_compares(tab: Tab) -> None:
    tab.open("compare.html#m=base&m=tuned&task=films")
    tab.find("#differences a").filter(has_text="samples").first.click()
    tab.find("#found a[data-i], #behind a[data-i]").first.click()
    expect(tab.find(".frames img").first).to_be_visible()


def test_curves_maps_matrices_and_stages(tab: Tab) -> None:
    tab.open("task-films.html").draw()
    titles = tab.texts("figure.chart figcaption h3")
    for title in (
        "choice over fps (degrade=none)",
        "base: choice over degrade (fps=1)",
        "What was taken for what [fps=6,degrade=none]",
        "tuned: what was taken for what, by variant",
        "Anomaly against normal: what was taken for what",
    ):
        assert title in titles
    assert tab.find("figure.chart .plot svg").count() == len(titles)
    tab.open("tradeoff.html").draw()
    (stages,) = [one for one in tab.texts("figure.chart") if "where the time goes" in one]
    assert "Mean milliseconds by stage of 12 bars" in stages
    tab.open("model-tuned.html").draw()
    assert "Where the time goes" in tab.texts("figure.chart figcaption h3")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("wide", [1280, 380])
def test_axe_finds_nothing_serious(
    open_tab: Callable[..., Tab], filmed: Path, mode: str, wide: int
) -> None:
    view = {"width": wide, "height": 900}
    tab = open_tab(filmed.as_uri(), color_scheme=mode, bypass_csp=True, viewport=view)
    bring_axe(tab)
    opened(tab, WAYS[4], 0)
    if SHOTS:
        tab.page.screenshot(path=f"{SHOTS}/films-{wide}-{mode}.png", full_page=True)
    assert axe_faults(tab) == []
    assert tab.run("() => document.documentElement.scrollWidth <= innerWidth")
    for page in ("task-films.html", "tradeoff.html"):
        tab.open(page).draw()
        if SHOTS:
            tab.page.screenshot(path=f"{SHOTS}/films-{page}-{wide}-{mode}.png", full_page=True)
        assert axe_faults(tab) == []
