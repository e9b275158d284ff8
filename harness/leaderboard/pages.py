"""The pages of the site: views in, HTML out. Every page is complete without scripts.

Templates escape whatever they print; on the way control characters and marks that turn the
direction of writing are written out, so that no text can hide or rearrange another.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.collect.library import library_root
from harness.leaderboard.jsontext import json_text
from harness.leaderboard.views import (
    CellView,
    Column,
    History,
    Link,
    ModelRow,
    ModelView,
    Nav,
    Overview,
    TaskView,
    TradeOff,
)
from harness.results.render import number, visible

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.leaderboard.charts import Chart

PAGES = (
    ("overview", "index.html", "Overview"),
    ("compare", "compare.html", "Compare"),
    ("samples", "samples.html", "Samples"),
    ("tradeoff", "tradeoff.html", "Trade-off"),
    ("history", "history.html", "History"),
)
"""(name, file, title) of the pages that every site has; the name is the template's."""

CSP = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data: file:; media-src 'self' file:; "
    "base-uri 'none'; form-action 'none'"
)
"""What a page may do: scripts, styles and media of the site itself; no request to elsewhere.

"file:" is for browsers to which a page on file:// has no self. Style attributes
only place whiskers.
"""

_TEMPLATES = {"overview": "index.html.j2"}
# ids that templates use themselves
_TAKEN = (
    "main", "theme", "say", "tools", "board", "find", "tag", "base", "badge", "columns", "reset",
    "shown", "scores", "metrics", "every", "live",
)  # fmt: skip


def render_pages(
    nav: Nav,
    overview: Overview,
    tasks: Sequence[TaskView],
    models: Sequence[ModelView],
    trade: TradeOff,
    history: History,
) -> dict[str, bytes]:
    """All pages by their path in the site. The same views make the same bytes."""
    site = _Site(nav, _scales([overview, *tasks]), {model.name: model.slug for model in models})
    views = {
        "tables": overview.differences,
        "overview": overview,
        "tasks": tasks,
        "models": models,
        "trade": trade,
        "history": history,
        "forest": _forest(),
    }
    pages = {path: site.page(name, views) for name, path, _ in PAGES}
    for task in tasks:
        pages[f"task-{task.slug}.html"] = site.page("task", {"task": task})
    for model in models:
        pages[f"model-{model.slug}.html"] = site.page("model", {"model": model})
    return pages


def render_live(nav: Nav) -> bytes:
    """The page of a run that is still going on; live.js fills it."""
    return _Site(nav, {}, {}).page("live", {})


def assets() -> dict[str, bytes]:
    """Scripts and styles by their path in the site, as they lie in the library."""
    files = sorted(path for path in _folder().iterdir() if path.suffix in (".js", ".css"))
    return {f"assets/{path.name}": path.read_bytes() for path in files}


def _forest() -> Chart:
    """The chart that the page compare draws the differences of any models with."""
    from harness.leaderboard.charts import ForestRow, forest

    title = "Paired differences"
    return forest("forest", title, [ForestRow(title, 0.0, -1.0, 1.0, "no difference shown")])


def _folder() -> Path:
    return library_root() / "leaderboard" / "site"


@dataclass(frozen=True)
class _Site:
    """What every page needs; its methods are what templates call."""

    nav: Nav
    scales: Mapping[str, _Scale]
    """By the id of a column."""
    slugs: Mapping[str, str]
    """Of the models that have a page, by name."""

    def page(self, name: str, views: Mapping[str, object]) -> bytes:
        template = _environment().get_template(_TEMPLATES.get(name, f"{name}.html.j2"))
        text = template.render(
            nav=self.nav,
            page=name,
            pages=PAGES,
            csp=CSP,
            anchor=_anchors(),
            whisker=self.whisker,
            compared=self.compared,
            **views,
        )
        return text.encode()

    def whisker(self, column: Column, cell: CellView) -> str:
        """The style of a cell's whisker, "" for none."""
        scale = self.scales.get(column.id)
        return scale.place(cell) if scale else ""

    def compared(self, baseline: Link | None, model: str) -> str:
        """Where a model is compared with its baseline; "" if the site holds only one of them."""
        base = self.slugs.get(baseline.text) if baseline else None
        own = self.slugs.get(model)
        return f"compare.html#m={_hash(base)}&m={_hash(own)}" if base and own else ""


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_clean,
    )
    environment.filters.update(
        json=lambda value: Markup(json_text(value)), sortable=_sortable, words=_words, hash=_hash
    )
    environment.globals.update(primary=_primary, scored_columns=_scored_columns)
    return environment


# --------------------------------------------------------------------------- what templates call


def _clean(value: object) -> object:
    """Text with what cannot be seen written out; line ends and tabs stay."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    parts = re.split(r"([\n\t])", value)
    return "".join(part if part in ("\n", "\t") else visible(part) for part in parts)


def _hash(value: str) -> str:
    """A text as a value in a link's #key=value."""
    return quote(str(_clean(value)), safe="")


def _sortable(value: float | None) -> str:
    """What `data-v` of a cell holds: a number to six figures, "" for none."""
    return "" if value is None else f"{value:.6g}"


def _words(value: object) -> str:
    """A cell of a chart's table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return number(value)
    return str(value)


def _primary(columns: Sequence[Column]) -> list[int]:
    """Places of the columns that the overview prints; scripts add the others when asked."""
    return [place for place, column in enumerate(columns) if column.primary]


def _scored_columns(model: ModelView) -> list[tuple[Column, CellView]]:
    pairs = zip(model.columns, model.row.cells, strict=True)
    return [(column, cell) for column, cell in pairs if cell is not None]


def _anchors() -> Callable[[str], str]:
    """Makes names into ids of one page: no two are alike, none is a template's own."""
    taken = set(_TAKEN)

    def anchor(name: str) -> str:
        plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-") or "part"
        found, count = plain, 1
        while found in taken or found.startswith("part-"):
            count += 1
            found = f"{plain.removeprefix('part-') or 'x'}-{count}"
        taken.add(found)
        return found

    return anchor


# --------------------------------------------------------------------------- whiskers


@dataclass(frozen=True)
class _Scale:
    """From the lowest to the highest end of an interval in a column."""

    low: float
    high: float

    def place(self, cell: CellView) -> str:
        """Where interval and value lie, 0 to 1, as CSS variables; "" where nothing can be drawn."""
        if cell.value is None or cell.low is None or cell.high is None:
            return ""
        ends = (("a", cell.low), ("b", cell.high), ("v", cell.value))
        return ";".join(f"--{name}:{self._share(value)}" for name, value in ends)

    def _share(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{min(max(share, 0.0), 1.0):.3f}".rstrip("0").rstrip(".")


def _scales(tables: Iterable[Overview | TaskView]) -> dict[str, _Scale]:
    """The scale of each column, by its id, from all tables that have it."""
    ends: dict[str, list[float]] = {}
    for table in tables:
        for row in table.rows:
            _collect_ends(ends, table.columns, row)
    return {
        name: _Scale(min(found), max(found)) for name, found in ends.items() if len(set(found)) > 1
    }


def _collect_ends(ends: dict[str, list[float]], columns: Sequence[Column], row: ModelRow) -> None:
    for column, cell in zip(columns, row.cells, strict=True):
        if cell is None:
            continue
        found = (cell.low, cell.value, cell.high)
        ends.setdefault(column.id, []).extend(value for value in found if value is not None)
