"""The pages: complete without scripts, hostile text only ever text, links that lead somewhere."""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.leaderboard.charts import Chart, ForestRow, forest
from harness.leaderboard.pages import CSP, PAGES, assets, render_live, render_pages
from harness.leaderboard.views import (
    Badge,
    CellView,
    Code,
    Column,
    Delta,
    Example,
    History,
    Link,
    ModelRow,
    ModelView,
    Nav,
    Overview,
    TaskView,
    TextTable,
    TradeOff,
)

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "' onfocus=alert(1) autofocus '",
    "<!-- --><svg/onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "javascript:alert(1)",
    "</textarea></title></style></pre><b>",
    "W" * 400,
    "\u202egnp.exe \u2066left\u2069 \u0627\u0644",
    "nul \x00 escape \x1b[31m half \ud83d end",
]
SENTENCE = "0.143 -> 0.296: +0.153 [+0.130, +0.170], p = 0.0001, n = 500"


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> Iterator[str]:
        return (found[attribute] for _, found in self.elements if attribute in found)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def scored(delta: Delta | None = None, failed: int = 0) -> CellView:
    return CellView(
        0.296,
        0.283,
        0.309,
        "0.296",
        "[0.283, 0.309]",
        500,
        failed,
        delta=delta,
        rank=1,
        ranks=(1, 2),
        href="samples.html#task=vad_approach&model=vad-tiny",
    )


def column(task: str, metric: str = "rouge_l", *, primary: bool = True) -> Column:
    return Column(
        f"{task}.{metric}", task, "", metric, "ROUGE-L F1", task, f"task-{task}.html", True,
        primary=primary, tags=("nlp",), note="F1 of the longest common subsequence",
    )  # fmt: skip


@functools.cache
def drawing() -> Chart:
    return forest("forest", "Differences", [ForestRow("ROUGE-L F1", 0.153, 0.13, 0.17, "better")])


def site(text: str = "vad-tiny", models: int = 2, tasks: int = 1) -> dict[str, bytes]:
    """A site whose names, answers, notes and files all hold ``text``."""
    delta = Delta(0.153, 0.13, 0.17, "+0.153", "real", "better", SENTENCE)
    badge = Badge(f"LoRA of {text}", "lora", text)
    columns = [
        column(f"t{i}", metric, primary=metric == "rouge_l")
        for i in range(tasks)
        for metric in ("rouge_l", "meteor")
    ]
    rows = tuple(
        ModelRow(
            f"m{i}",
            Link(f"{text} {i}", f"model-m{i}.html"),
            (badge,),
            Link(text, "model-m0.html") if i else None,
            tuple(scored(delta if i else None, failed=3 * (i == 1)) for _ in columns),
            tags=(text,),
            mean_rank=1.5,
            mean_ranks=(1.0, 2.0),
            scored=tasks,
        )
        for i in range(models)
    )
    nav = Nav(
        text or "Models",
        tuple(Link(text, f"task-t{i}.html") for i in range(tasks)),
        tuple(Link(text, f"model-m{i}.html") for i in range(models)),
        ("20261129-101500-ab12cd34",) if models else (),
    )
    overview = Overview(
        tuple(columns), rows, (f"{text} is best",), (drawing(), drawing()), (text,), {"failed": 3}
    )
    task_views = [
        task_view(f"t{i}", text, tuple(columns[2 * i : 2 * i + 2]), rows, 2 * i)
        for i in range(tasks)
    ]
    model_views = [model_view(row, text, tuple(columns)) for row in rows]
    empty = TextTable("", (), ())
    trade, history = TradeOff((), (), (), (), ()), History((), (), (), empty)
    return render_pages(nav, overview, task_views, model_views, trade, history)


def task_view(
    slug: str, text: str, columns: tuple[Column, ...], rows: tuple[ModelRow, ...], start: int
) -> TaskView:
    return TaskView(
        slug, text, slug, 3, text, (text,), (("Licence", text),),
        (Code(text, "\n" + text, text),), (Code("Judge", text),), text, columns,
        tuple(replace(row, cells=row.cells[start : start + 2]) for row in rows),
        (replace(drawing(), name="board", title=text, alt=text),),
        (TextTable(text, ("a", "n"), ((Link(text, "index.html"), "1"), (text, "2")), "lr", text),),
        (Example(Link(text, "samples.html#id=q1"), text, text, ((text, text, text),)),), (text,),
    )  # fmt: skip


def model_view(row: ModelRow, text: str, columns: tuple[Column, ...]) -> ModelView:
    return ModelView(
        row.id, row.model.text, row.id, text, row.badges, row.baseline, (("Base", text),),
        Code(text, text), Code(text, text), columns, row, (drawing(),),
        (TextTable("Profile", ("stage", "ms"), (("decode", "12.0"),), "lr"),), (text,),
    )  # fmt: skip


def test_the_overview_is_complete_without_scripts() -> None:
    words = Page(site()["index.html"]).words
    for part in ("0.296 [0.283, 0.309]", "+0.153, real", "rank 1 (1–2)", "n 500", "3 failed"):
        assert part in words
    assert "LoRA of vad-tiny" in words
    assert "vad-tiny is best" in words


def test_the_overview_prints_primary_columns_and_the_task_page_all() -> None:
    pages = site(tasks=2)
    overview, task = Page(pages["index.html"]), Page(pages["task-t1.html"])
    assert [i for i in overview.values("data-id") if "." in i] == ["t0.rouge_l", "t1.rouge_l"]
    assert [i for i in task.values("data-id") if "." in i] == ["t1.rouge_l", "t1.meteor"]


def test_the_whole_sentence_of_a_difference_stands_on_the_model_page_and_not_on_the_overview() -> (
    None
):
    pages = site()
    assert SENTENCE in Page(pages["model-m1.html"]).words
    assert b"p = 0.0001" not in pages["index.html"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    plain = {name: shape(Page(page)) for name, page in site("plain").items()}
    pages = site(text)
    assert {name: shape(Page(page)) for name, page in pages.items()} == plain
    for page in map(Page, pages.values()):
        assert not [name for _, found in page.elements for name in found if name.startswith("on")]
        assert not [href for href in page.values("href") if "script:" in href.lower()]


def shape(page: Page) -> Counter[str]:
    """How often each element stands in a page, with the names of its attributes."""
    return Counter(f"{tag} {sorted(found)}" for tag, found in page.elements)


def test_what_cannot_be_seen_is_written_out() -> None:
    for page in site("a\u202eb\x00c\x1bd\ud83de").values():
        assert not set("\u202e\x00\x1b") & set(page.decode())
    assert (
        r"a\u202eb\x00c\x1bd\ud83de" in Page(site("a\u202eb\x00c\x1bd\ud83de")["index.html"]).words
    )


def test_texts_keep_their_lines() -> None:
    page = site("first\n\n\tsecond")["task-t0.html"].decode()
    assert '<pre tabindex="0" data-language="first\n\n\tsecond">\n\nfirst\n\n\tsecond</pre>' in page


def test_scripts_are_files_and_data_are_json() -> None:
    for page in map(Page, site(HOSTILE[0]).values()):
        for script in page.all("script"):
            assert script.get("type") == "application/json" or re.fullmatch(
                r"assets/[a-z-]+\.js", script["src"]
            )
    page = site(HOSTILE[0])["task-t0.html"].decode()
    (spec,) = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert json.loads(spec) == json.loads(json.dumps(drawing().spec))


def test_every_page_is_whole() -> None:
    for name, page in (site(models=3, tasks=2) | {"live.html": render_live(nav())}).items():
        found = Page(page)
        assert found.all("html") == [{"lang": "en"}], name
        assert len(found.all("h1")) == len(found.all("main")) == len(found.all("title")) == 1, name
        assert CSP in [meta.get("content") for meta in found.all("meta")], name
        ids = Counter(found.values("id"))
        assert not [each for each, count in ids.items() if count > 1], name
        assert all("scope" in head for head in found.all("th")), name
        assert len(found.all("caption")) == len(found.all("table")), name


def nav() -> Nav:
    return Nav("Models", (), (), ())


def test_every_link_leads_to_a_page_of_the_site() -> None:
    pages = site(models=3, tasks=2)
    known = pages | assets() | {"data/board.csv": b"", "data/board.json": b""}
    for name, page in pages.items():
        found = Page(page)
        for href in (*found.values("href"), *found.values("src")):
            path, _, part = href.partition("#")
            if path.startswith("data:"):  # the icon
                continue
            assert not path or path in known or path == "assets/explore.js", f"{name}: {href}"
            if not path:
                assert part in set(found.values("id")), f"{name}: {href}"
        for name in ("aria-labelledby", "for"):
            assert set(found.values(name)) <= set(found.values("id"))


def test_the_same_views_make_the_same_bytes() -> None:
    assert site(models=3, tasks=2) == site(models=3, tasks=2)


def test_a_site_of_nothing_has_its_pages_and_says_so() -> None:
    pages = site(models=0, tasks=0)
    assert set(pages) == {path for _, path, _ in PAGES}
    assert "No run holds a score yet" in Page(pages["index.html"]).words
    assert not list(Page(pages["index.html"]).values("data-id"))


def test_a_task_without_models_and_a_model_without_scores() -> None:
    assert "No model was run on this task" in Page(site(models=0)["task-t0.html"]).words
    assert "No task was run with this model" in Page(site(tasks=0)["model-m0.html"]).words


def test_a_chart_has_words_a_table_and_an_id_of_its_own() -> None:
    pages = site()
    overview, task = Page(pages["index.html"]), Page(pages["task-t0.html"])
    assert [found["id"] for found in overview.all("figure")] == ["forest", "forest-2"]
    charts = [found for found in task.all("figure") if found["class"] == "chart"]
    assert [found["id"] for found in charts] == ["board-2"]  # "board" is the table of the page
    plots = [found for found in overview.all("div") if found.get("class") == "plot"]
    assert [plot["aria-label"] for plot in plots] == [drawing().alt] * 2
    assert "+0.153" not in drawing().columns
    assert "ROUGE-L F1" in overview.words


def test_fifty_models_and_twenty_tasks_travel_light() -> None:
    pages = site(models=50, tasks=20)
    files = [pages["index.html"], *assets().values()]
    assert sum(len(gzip.compress(file)) for file in files) < 400_000


def test_scripts_and_styles_come_from_the_library() -> None:
    found = assets()
    assert {"assets/boot.js", "assets/site.js", "assets/overview.js", "assets/site.css"} <= set(
        found
    )
    for path, content in found.items():
        text = content.decode()
        assert not re.search(
            r"\beval\b\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text
        )
        assert "http://" not in text, path
        assert "https://" not in text, path
