"""The overview and the pages of tasks and models, as people use them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browsers import Tab
from playwright.sync_api import expect

SUMS = 'th[data-id="sums-exact-match-{}"]'
ROWS = "#board tbody tr"


def models(tab: Tab) -> list[str]:
    """The rows that are shown, from above."""
    return [text.split("\n")[0] for text in tab.texts(f"{ROWS} > th")]


def heads(tab: Tab) -> list[str]:
    """The columns of metrics that are shown: task and metric."""
    return [text.split("\n")[0] for text in tab.texts("#board thead th[data-first]")]


def sorter(tab: Tab, task: str) -> Callable[[], None]:
    """Presses the head of a task's column."""
    button = tab.find("#board thead th").filter(has_text=task).locator("button").first
    return lambda: button.click()


@pytest.fixture
def board(tab: Tab) -> Tab:
    """The overview, by file and by http."""
    return tab.open("index.html")


@pytest.fixture
def file_board(file_tab: Tab) -> Tab:
    return file_tab.open("index.html")


def test_the_board_is_sorted_by_a_click(board: Tab) -> None:
    press = sorter(board, "sums")
    head = board.find("#board thead th").filter(has_text="sums")
    assert models(board) == ["base", "tuned", "other"]
    press()
    assert models(board) == ["other", "base", "tuned"]  # 0.780, 0.644, 0.508
    assert head.get_attribute("aria-sort") == "descending"
    assert ":down" in board.run("decodeURIComponent(location.hash)")
    board.page.reload()
    assert models(board) == ["other", "base", "tuned"]
    press()
    assert models(board) == ["tuned", "base", "other"]
    assert head.get_attribute("aria-sort") == "ascending"
    press()
    assert models(board) == ["base", "tuned", "other"]
    assert head.get_attribute("aria-sort") is None
    assert board.hash == ""


def test_the_board_is_sorted_by_the_keyboard(file_board: Tab) -> None:
    file_board.find("#board thead th button").first.focus()
    file_board.press("Enter")
    assert models(file_board) == ["base", "other", "tuned"]
    file_board.press("Space")
    assert models(file_board) == ["tuned", "other", "base"]
    expect(file_board.find("#say")).to_have_text("sorted by Model, largest first")
    assert file_board.run("() => document.activeElement.innerText") == "Model"


def test_search_finds_models_or_tasks(board: Tab) -> None:
    board.find("#find").fill("tun")
    assert models(board) == ["tuned"]
    assert board.text("#shown") == "1 of 3 models, 4 columns"
    board.find("#find").fill("clips")
    assert models(board) == ["base", "tuned", "other"]
    assert heads(board) == ["clips [fps=1]", "clips [fps=6]"]
    board.page.reload()
    assert board.find("#find").input_value() == "clips"
    assert heads(board) == ["clips [fps=1]", "clips [fps=6]"]
    board.find("#find").fill("no such thing")
    assert models(board) == []
    board.find("#reset").click()
    assert len(models(board)) == 3
    assert board.hash == ""


def test_filters_stand_in_the_address(file_board: Tab) -> None:
    file_board.find("#base").select_option("base")
    file_board.find("#tag").select_option("arithmetic")
    file_board.find("#badge").select_option("baseline")
    assert heads(file_board) == ["sums"]
    assert models(file_board) == ["base"]
    file_board.page.reload()
    assert heads(file_board) == ["sums"]
    assert models(file_board) == ["base"]
    assert file_board.find("#tag").input_value() == "arithmetic"


def test_columns_are_chosen(board: Tab) -> None:
    board.find("#columns > summary").click()
    box = board.find("#columns fieldset").filter(has_text="colours").locator("input").first
    box.uncheck()
    assert heads(board) == ["sums", "clips [fps=1]", "clips [fps=6]"]
    more = board.find("#columns fieldset").filter(has_text="sums").locator("label")
    more.filter(has_text="rouge").first.locator("input").check()
    assert heads(board)[-1] == "sums"
    added = board.find("#board thead th").last
    assert "rouge" in added.inner_text().lower()
    assert board.find(f"{ROWS} >> nth=0").locator("td").last.inner_text().startswith("0.")
    board.page.reload()
    expect(board.find("#board thead th")).to_have_count(7)
    assert heads(board) == ["sums", "clips [fps=1]", "clips [fps=6]", "sums"]
    added.locator("button").click()
    assert added.get_attribute("aria-sort") == "descending"
    board.find("#columns > summary").click()
    board.find("#columns button").filter(has_text="As at first").click()
    assert heads(board) == ["sums", "colours", "clips [fps=1]", "clips [fps=6]"]


def test_a_menu_closes_on_escape_and_gives_the_focus_back(file_board: Tab) -> None:
    file_board.find("#columns > summary").click()
    file_board.find("#columns input").first.focus()
    file_board.press("Escape")
    assert file_board.run("() => document.querySelector('#columns').open") is False
    assert file_board.run("() => document.activeElement.innerText").startswith("Columns")


def test_back_and_forward_bring_states_back(board: Tab) -> None:
    board.open("index.html#find=tun")
    board.run("() => { location.hash = 'find=other&view=compact'; }")
    expect(board.find("#find")).to_have_value("other")
    assert models(board) == ["other"]
    board.page.go_back()
    expect(board.find("#find")).to_have_value("tun")
    assert models(board) == ["tuned"]
    assert "compact" not in board.find("#board").get_attribute("class").split()
    board.page.go_forward()
    expect(board.find("#find")).to_have_value("other")
    assert "compact" in board.find("#board").get_attribute("class").split()


def test_states_that_mean_nothing_do_no_harm(file_board: Tab) -> None:
    file_board.open(
        "index.html#sort=nothing:down&tag=%E0%A4%A&base=__proto__&more=constructor&less=x&=&a"
    )
    assert models(file_board) == ["base", "tuned", "other"]
    assert len(heads(file_board)) == 4


def test_charts_are_drawn_and_told(board: Tab) -> None:
    for page in ("index.html", "task-sums.html", "task-colours.html", "task-clips.html"):
        board.open(page).draw()
        plots = board.find("figure.chart .plot")
        assert plots.count() > 0
        for plot in plots.all():
            assert plot.locator("svg text").count() > 3
            assert len(plot.get_attribute("aria-label")) > 20
        assert board.find("figure.chart details table").count() == plots.count()
        assert board.find("[data-fault]").count() == 0


def test_from_the_board_down_to_a_sample(board: Tab) -> None:
    board.find(f'{ROWS} >> nth=1 >> text="compare"').click()
    expect(board.find("#differences tbody tr")).to_have_count(4)
    board.open("index.html").find(f"{ROWS} >> nth=1 >> td >> nth=1 >> a").click()
    expect(board.find("#found table tbody tr").first).to_be_visible()
    board.find("#found a[data-i]").first.click()
    expect(board.find(".sample .answer").first).to_be_visible()


def test_a_task_page_links_to_its_parts_and_samples(file_tab: Tab) -> None:
    file_tab.open("task-sums.html")
    file_tab.find('.toc a[href="#part-asks"]').click()
    assert file_tab.run("() => document.activeElement.id") == "part-asks"
    assert file_tab.hash == "at=part-asks"
    assert "Question: {{ input }}" in file_tab.text("figure.code")
    assert "Made for tests." in file_tab.text(".readme")
    file_tab.find("#part-examples ~ article h3 a").first.click()
    expect(file_tab.find(".sample .input")).to_contain_text("What is")


def test_a_model_page_holds_all_tasks(file_tab: Tab) -> None:
    file_tab.open("model-tuned.html")
    assert file_tab.find("#scores tbody tr").count() == 4
    file_tab.find("#scores thead th button").nth(1).click()
    first = file_tab.find("#scores tbody tr").first.inner_text()
    assert "clips" in first
    assert "fps=6" in first
    assert "difference includes zero" in file_tab.text("#scores")
