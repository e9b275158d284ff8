"""The charts in a real browser, by file and by http, under the strictest policy there is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from drawn import HOSTILE, every_kind, hostile

from harness.leaderboard.charts import CSP, bundle, theme

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{csp}">
<title>charts</title><link rel="stylesheet" href="style.css"></head>
<body><script src="vega.js"></script><script src="page.js"></script></body></html>
"""
OPTIONS = {
    "mode": "vega-lite",
    "renderer": "svg",
    "actions": False,
    "defaultStyle": False,
    "tooltip": {"disableDefaultStyle": True},
    "logLevel": 1,
}
SCRIPT = """\
window.wrong = [];
window.addEventListener("securitypolicyviolation", function (e) {
  wrong.push(e.violatedDirective + " " + e.blockedURI);
});
window.addEventListener("error", function (e) { wrong.push(String(e.message)); });
console.error = function () { wrong.push(Array.prototype.join.call(arguments, " ")); };
window.done = false;
Promise.all(SPECS.map(function (spec) {
  var box = document.createElement("div");
  box.style.width = "600px";
  document.body.appendChild(box);
  return vegaEmbed(box, spec, OPTIONS).catch(function (e) { wrong.push("failed: " + e); });
})).then(function () { done = true; });
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is the test's."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vega.js").write_text(bundle(), encoding="utf-8")
    (tmp_path / "style.css").write_text("body { margin: 0 }", encoding="utf-8")
    return tmp_path


@pytest.fixture(params=["file", "http"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "file":
        yield folder.as_uri()
        return
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def write_page(folder: Path, specs: list[Any], **more: object) -> None:
    config = {"config": theme("light"), "ast": True}
    data = {"SPECS": specs, "OPTIONS": {**OPTIONS, **config, **more}}
    lines = [f"var {name} = {json.dumps(value)};" for name, value in data.items()]
    script = "\n".join([*lines, SCRIPT])
    (folder / "page.js").write_text(script, encoding="utf-8")
    (folder / "index.html").write_text(PAGE.format(csp=CSP), encoding="utf-8")


def drawn(browser: WebDriver, address: str) -> list[str]:
    """Open the page, wait until all is drawn; what went wrong."""
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(f"{address}/index.html")
    WebDriverWait(browser, 60).until(lambda b: b.execute_script("return window.done"))
    found: list[str] = browser.execute_script("return window.wrong")
    return found


def test_every_kind_is_drawn_without_eval_or_inline_style(
    browser: WebDriver, folder: Path, address: str
) -> None:
    charts = every_kind()
    write_page(folder, [chart.spec for chart in charts])
    assert drawn(browser, address) == []
    script = "return [...document.querySelectorAll('.vega-embed')].map(e => [%s])"
    boxes = browser.execute_script(
        script % "e.ariaLabel, e.querySelectorAll('svg text').length, e.querySelector('svg').width"
        ".baseVal.value"
    )
    assert [label for label, _, _ in boxes] == [chart.alt for chart in charts]
    assert all(count > 5 for _, count, _ in boxes)
    widths = {chart.name: box[2] for chart, box in zip(charts, boxes, strict=True)}
    wide = [width for name, width in widths.items() if name not in ("confusion", "heat")]
    assert wide == [600.0] * len(wide)
    # only one name of ours is left in the page
    assert browser.execute_script("return [typeof vegaEmbed, typeof vegaLite, typeof n]") == [
        "function",
        "undefined",
        "undefined",
    ]


def test_the_policy_is_in_force(browser: WebDriver, folder: Path, address: str) -> None:
    """Without `ast` vega needs eval: had it been let, the test above would show nothing."""
    write_page(folder, [every_kind()[0].spec], ast=False)
    assert any("eval" in one for one in drawn(browser, address))


def test_other_rows_are_drawn_with_the_same_spec(
    browser: WebDriver, folder: Path, address: str
) -> None:
    spec = json.loads(json.dumps(every_kind()[0].spec))
    first = spec["data"]["values"][0]
    spec["data"]["values"] = [first | {"label": f"row {i}", "text": f"{i}"} for i in range(9)]
    write_page(folder, [spec])
    assert drawn(browser, address) == []
    text = browser.execute_script("return document.querySelector('svg').textContent")
    assert all(f"row {i}" in text for i in range(9))


def test_hostile_text_is_only_text(browser: WebDriver, folder: Path, address: str) -> None:
    charts = [chart for text in HOSTILE[:4] for chart in hostile(text)]
    write_page(folder, [chart.spec for chart in charts])
    assert drawn(browser, address) == []
    made = "img, iframe, script:not([src]), svg a, svg image"
    assert browser.execute_script(f"return document.querySelectorAll('{made}').length") == 0
