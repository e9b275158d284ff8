"""Compare, samples, trade-off and history, as people use them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from browsed import CHOICES, REASONING
from browsers import Tab
from playwright.sync_api import expect

LINES = "#found table tbody tr"


def lines(tab: Tab) -> list[str]:
    """The ids of the samples in the list."""
    return tab.texts("#found a[data-i]")


def sample(tab: Tab) -> str:
    """The id of the sample that is open, once its answers are there."""
    expect(tab.find(".sample .answer").first).to_be_visible()
    return tab.text(".opened h2").removeprefix("Sample ")


# ------------------------------------------------------------------------------- compare


def test_two_models_are_compared(tab: Tab) -> None:
    tab.open("compare.html#m=base&m=other")
    expect(tab.find("#differences tbody tr")).to_have_count(4)
    first = tab.find("#differences tbody tr").first.inner_text()
    assert "+0.136" in first
    assert "real" in first
    assert "16 / 35 / 8" in re.sub(r"\s+", " ", first)
    expect(tab.find("#forest svg").first).to_be_visible()
    assert "+0.136 [0.057, 0.215]" in tab.find("#forest svg").first.text_content()
    assert "other minus base" in tab.text("#forest figcaption")


def test_models_are_chosen_and_the_address_says_which(tab: Tab) -> None:
    tab.open("compare.html")
    tab.find("#choose label").filter(has_text="other").click()
    expect(tab.find("#differences tbody tr")).to_have_count(8)
    tab.find("#choose select").first.select_option("colours")
    expect(tab.find("#differences tbody tr")).to_have_count(2)
    tab.page.reload()
    expect(tab.find("#differences tbody tr")).to_have_count(2)
    assert tab.run("() => harness.state.all('m')") == ["base", "tuned", "other"]
    tab.find("#differences th button").nth(1).click()
    tab.page.reload()
    expect(tab.find("#differences th[aria-sort]")).to_have_count(1)
    tab.find("#choose select").nth(2).select_option("all")  # all pairs
    expect(tab.find("#differences tbody tr")).to_have_count(3)


def test_what_publish_did_not_compare_the_page_computes(
    open_tab: Callable[..., Tab], site: Path, tmp_path: Path
) -> None:
    shutil.copytree(site, tmp_path / "site")
    empty = 'harness.put("comparisons", {"fields": [], "rows": []});'
    (tmp_path / "site/data/comparisons.js").write_text(empty)
    tab = open_tab((tmp_path / "site").as_uri()).open("compare.html#m=base&m=other&task=sums")
    row = tab.find("#differences tbody tr")
    expect(row).to_contain_text("computed in the page: Student's t, not corrected")
    assert "16 / 35 / 8" in row.inner_text()
    assert "+0.136" in row.inner_text()
    expect(tab.find("#forest svg").first).to_be_visible()


def test_wins_and_losses_down_to_two_answers(tab: Tab) -> None:
    tab.open("compare.html#m=base&m=tuned&task=sums")
    tab.find("#differences a").filter(has_text="samples").first.click()
    expect(tab.find(LINES)).to_have_count(10)  # A wrong, B right
    assert tab.run("() => document.activeElement.id") == "behind-title"
    tab.find("#filters button").filter(has_text="A right, B wrong").click()
    expect(tab.find(LINES)).to_have_count(18)
    assert tab.find('#filters [aria-pressed="true"]').text_content() == "A right, B wrong 18"
    assert "right" in tab.find(LINES).first.inner_text()
    tab.page.reload()
    expect(tab.find(LINES)).to_have_count(18)
    opened = lines(tab)[0]
    tab.find("#found a[data-i]").first.click()
    assert sample(tab) == opened
    cards = tab.find(".answers .card")
    expect(cards).to_have_count(2)
    assert "base" in cards.nth(0).inner_text()
    # "5" beside "It is 2, I think": what only one of them says is marked
    assert cards.nth(0).locator("del").count() == 1
    assert cards.nth(1).locator("ins").count() >= 1
    tab.page.go_back()
    expect(tab.find(LINES)).to_have_count(18)
    tab.page.go_forward()
    assert sample(tab) == opened


def test_marks_against_the_reference_or_none(file_tab: Tab) -> None:
    file_tab.open("compare.html#m=base&m=tuned&task=colours")
    file_tab.find("#differences a").filter(has_text="samples").first.click()
    file_tab.find("#found a[data-i]").first.click()
    sample(file_tab)
    assert "✓ reference" in file_tab.text(".choices")
    file_tab.find(".opened button").filter(has_text="nothing").click()
    expect(file_tab.find(".answers ins")).to_have_count(0)
    assert "marks=none" in file_tab.hash


# ------------------------------------------------------------------------------- samples


def test_a_sample_tells_all_that_is_known(tab: Tab) -> None:
    tab.open("samples.html#task=sums&sample=s7")
    assert sample(tab) == "s7"
    assert tab.text(".text.input") == "What is 7 and 8?"
    assert tab.text(".text.reference") == "15"
    card = tab.find(".answers .card").first
    assert "exact_match" in card.inner_text()
    assert "accuracy 27" in re.sub(r"\s+", " ", card.inner_text())
    expect(card.locator(".reasoning")).to_have_text(REASONING)
    raw = card.locator(".text.raw")
    assert not raw.is_visible()
    card.locator("summary").filter(has_text="Raw reply").click()
    assert json.loads(raw.inner_text())["reasoning"] == REASONING
    tab.find("summary").filter(has_text="All fields").click()
    assert "page 7" in tab.text(".sample dl")


def test_an_empty_answer_and_a_failure_are_told(file_tab: Tab) -> None:
    file_tab.open("samples.html#task=sums&sample=s2")
    assert sample(file_tab) == "s2"
    expect(file_tab.find(".answer > p.empty").first).to_have_text("(empty)")
    file_tab.open("samples.html#task=sums&sample=s4")
    assert sample(file_tab) == "s4"
    expect(file_tab.find(".answer .fault").first).to_have_text(
        "Error: no recorded answer in base.jsonl"
    )
    file_tab.open("samples.html#task=clips&variant=fps%3D6&sample=c11")
    expect(file_tab.find(".answer .fault").first).to_have_text("Skipped: the clip is too long")


def test_pictures_variants_and_epochs(tab: Tab) -> None:
    tab.open("samples.html#task=clips&variant=fps%3D1&i=4")
    assert sample(tab) == "c04"
    picture = tab.find(".media img").first
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("(e) => e.naturalWidth") > 0
    assert "clip1.png" in picture.get_attribute("alt")
    assert tab.texts(".answers .card:first-child h5") == ["Epoch 1", "Epoch 2"]


def test_choices_name_who_took_them(file_tab: Tab) -> None:
    file_tab.open("samples.html#task=colours&i=0")
    sample(file_tab)
    assert file_tab.find(".choices tbody tr").count() == len(CHOICES)
    right = file_tab.text(".choices .right")
    assert "red" in right
    assert "✓ reference" in right
    assert "base, tuned, other" in file_tab.text(".choices tbody tr:nth-child(2)")


def test_j_and_k_go_through_the_list(tab: Tab) -> None:
    tab.open("samples.html#task=sums&sort=data")
    expect(tab.find(LINES).first).to_be_visible()
    tab.press("j", "j")
    assert tab.run("() => document.activeElement.innerText") == "s1"
    tab.press("k", "Enter")
    assert sample(tab) == "s0"
    tab.press("j")
    expect(tab.find(".opened h2")).to_have_text("Sample s1")
    tab.press("j")
    expect(tab.find(".opened h2")).to_have_text("Sample s2")
    tab.press("k")
    expect(tab.find(".opened h2")).to_have_text("Sample s1")
    tab.press("Escape")
    expect(tab.find(LINES).first).to_be_visible()
    expect(tab.find('#found a[data-i="1"]')).to_be_focused()


def test_the_list_is_filtered_and_keeps_its_state(tab: Tab) -> None:
    tab.open("samples.html#task=sums")
    expect(tab.find(LINES)).to_have_count(50)
    tab.find(".pager button").filter(has_text="Next 50").first.click()
    expect(tab.find(LINES)).to_have_count(10)
    tab.find("#filters select").first.select_option("failed")
    expect(tab.find(LINES)).to_have_count(1)
    assert lines(tab) == ["s4"]
    tab.page.reload()
    expect(tab.find(LINES)).to_have_count(1)
    tab.find("#filters select").first.select_option("differ")
    expect(tab.find(LINES).nth(5)).to_be_visible()
    tab.find("#filters select").first.select_option("")
    tab.find('#filters input[type="search"]').fill("g5")
    expect(tab.find(LINES)).to_have_count(3)  # a cluster
    assert sorted(lines(tab)) == ["s15", "s16", "s17"]
    tab.find('#filters input[type="search"]').fill("What is 44 ")
    expect(tab.find(LINES)).to_have_count(1)
    assert lines(tab) == ["s44"]
    tab.page.reload()
    expect(tab.find(LINES)).to_have_count(1)


def test_what_is_not_there_is_said(file_tab: Tab) -> None:
    for state in ("task=nothing", "task=sums&i=999", "task=sums&sample=none", "task=sums&i=-1"):
        file_tab.open(f"samples.html#{state}")
        expect(file_tab.find("[role=alert]").first).to_contain_text("There is no")
    file_tab.find("button").filter(has_text="Back to the list").click()
    expect(file_tab.find(LINES).first).to_be_visible()


# ------------------------------------------------------------------- trade-off and history


def test_the_front_and_what_to_take(tab: Tab) -> None:
    tab.open("tradeoff.html")
    tab.find("#choose select").first.select_option(label="colours: choice")
    tab.find("#choose select").nth(1).select_option(label="latency, median (ms a sample)")
    rows = tab.texts("#points tbody tr")
    assert len(rows) == 3
    assert [("on the front" in row) for row in rows] == [True, True, True]
    assert tab.texts("#picks h3") == ["Low latency", "Best quality", "Balanced"]
    assert tab.texts("#picks strong")[:2] == ["base", "other"]
    expect(tab.find("#figure svg").first).to_be_visible()
    assert "colours: choice against latency" in tab.text("#figure figcaption")
    tab.page.reload()
    expect(tab.find("#points caption")).to_contain_text("colours: choice against latency")
    tab.find("#choose select").nth(1).select_option(label="peak memory (MB)")
    fronts = [("on the front" in row) for row in tab.texts("#points tbody tr")]
    assert fronts.count(True) == 1


def test_history_has_the_marks_of_gates(tab: Tab) -> None:
    tab.open("history.html")
    expect(tab.find("#charts svg")).to_have_count(3)
    expect(tab.find("#points tbody tr")).to_have_count(6)
    tuned = [row for row in tab.texts("#points tbody tr") if row.startswith("tuned")]
    assert "PASS" in tuned[0]
    assert "FAIL" in tuned[1]
    assert "it is worse" in tuned[1]
    assert (
        "FAIL" in tab.find("#charts figure").filter(has_text="tuned").locator("svg").text_content()
    )
    tab.find("#choose label").filter(has_text="base").locator("input").click()
    expect(tab.find("#charts figure")).to_have_count(2)
    tab.page.reload()
    expect(tab.find("#charts figure")).to_have_count(2)
    tab.find("#choose select").first.select_option(label="sums: rouge l")
    expect(tab.find("#points caption")).to_contain_text("rouge l")


@pytest.mark.parametrize("page", ["compare", "samples", "tradeoff", "history"])
def test_states_that_mean_nothing_do_no_harm(file_tab: Tab, page: str) -> None:
    file_tab.open(
        f"{page}.html#m=__proto__&m=constructor&c=toString&a=x&b=y&sort=z&s=%E0%A4%A&only=q&page=1e9"
        "&metric=__proto__&cost=valueOf&class=hasOwnProperty&q=%00&over=x&by=-1e400"
    )
    file_tab.find("#choose select").first.wait_for()
    assert file_tab.find("main").inner_text().strip()
