"""A published site and a browser to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import browsers
import pytest
from browsers import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of tests/browsed.py, written by the command."""
    browsers.need("chromium")
    from browsed import build_site
    from conftest import UserProject

    root = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HARNESS_CACHE", raising=False)
        return build_site(UserProject(root), root / "site")


@pytest.fixture(scope="module")
def chromium(site: Path) -> Iterator[Browser]:
    """After the site was written, which may need asyncio for itself."""
    with browsers.chromium() as running:
        yield running


@pytest.fixture(scope="module", params=["file", "http"])
def base(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """The address of the site's root, both ways in which people open it."""
    if request.param == "file":
        yield site.as_uri()
        return
    with browsers.served(site) as address:
        yield address


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens tabs, each with a storage of its own; in the end nothing may have gone wrong."""
    opened: list[Tab] = []
    with ExitStack() as stack:

        def make(base: str, **options: object) -> Tab:
            options.setdefault("viewport", {"width": 1280, "height": 900})
            context = chromium.new_context(**options)  # type: ignore[arg-type]
            context.set_default_timeout(20_000)
            stack.callback(context.close)
            opened.append(Tab(context, base))
            return opened[-1]

        yield make
    assert [one for tab in opened for one in tab.wrong] == []


@pytest.fixture
def tab(open_tab: Callable[..., Tab], base: str) -> Tab:
    """A tab on the site, by file and by http."""
    return open_tab(base)


@pytest.fixture
def file_tab(open_tab: Callable[..., Tab], site: Path) -> Tab:
    """A tab on the site by file, for what has nothing to do with how it came."""
    return open_tab(site.as_uri())
