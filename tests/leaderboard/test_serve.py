"""The site on this machine: its files and nothing else, for this machine's browser and nobody."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from watching import read_live

from harness.errors import HarnessError
from harness.leaderboard.serve import SiteServer, find_file

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

HOSTILE = {"text": "</script><!-- \u2028\u2029 \ud800 ]]> \x00"}


class Client:
    """Asks a server, as no browser would if need be."""

    def __init__(self, server: SiteServer) -> None:
        self.server = server

    def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port)
        host = headers.pop("Host", f"127.0.0.1:{self.server.server_port}")
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in {"Host": host, **headers}.items():
                if value:
                    connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            reply = connection.getresponse()
            return reply.status, dict(reply.headers), reply.read()
        finally:
            connection.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    (site / "assets").mkdir(parents=True)
    (site / "index.html").write_text("<p>all</p>", encoding="utf-8")
    (site / "live.js").write_text("a file that is never served", encoding="utf-8")
    (site / "assets" / "site.js").write_text("1;", encoding="utf-8")
    (site / "assets" / "a b\u00e9.css").write_text("p{}", encoding="utf-8")
    (site / "assets" / "x.parquet").write_bytes(b"PAR1")
    (site / ".hidden").write_text("hidden", encoding="utf-8")
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("hidden", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "site-other").mkdir()
    (tmp_path / "site-other" / "x.txt").write_text("secret", encoding="utf-8")
    (site / "out.txt").symlink_to(tmp_path / "secret.txt")
    (site / "outside").symlink_to(tmp_path)
    (site / "around.txt").symlink_to(site / ".hidden")
    (site / "in.js").symlink_to(site / "assets" / "site.js")
    (site / "loop").symlink_to(site / "loop")
    return site


@pytest.fixture
def client(site: Path) -> Iterator[Client]:
    with SiteServer(site, lambda: HOSTILE) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Client(server)
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/", "text/html; charset=utf-8", b"<p>all</p>"),
        ("/index.html?x=1", "text/html; charset=utf-8", b"<p>all</p>"),
        ("/assets/site.js", "text/javascript; charset=utf-8", b"1;"),
        ("/in.js", "text/javascript; charset=utf-8", b"1;"),
        ("/assets/a%20b%C3%A9.css", "text/css; charset=utf-8", b"p{}"),
        ("/assets/x.parquet", "application/octet-stream", b"PAR1"),
    ],
)
def test_files_of_the_site_have_their_types(
    client: Client, path: str, kind: str, body: bytes
) -> None:
    status, headers, found = client.ask(path)
    assert (status, headers["Content-Type"], found) == (200, kind, body)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert int(headers["Content-Length"]) == len(body)
    assert client.ask(path, "HEAD") == (200, headers | client.ask(path, "HEAD")[1], b"")


TRAVERSALS = [
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/etc/passwd",
    "/file:///etc/passwd",
    "/../site-other/x.txt",
    "/out.txt",
    "/outside/secret.txt",
    "/around.txt",
    "/loop",
    "/.hidden",
    "/.git/config",
    "/assets/.%2e/.hidden",
    "/assets/./site.js",
    "/assets//site.js",
    "/assets",
    "/assets/",
    "/index.html/",
    "/index.html%00.js",
    "/nothing",
    "/" + "x" * 5000,
    "/" + "a/" * 3000,
    "/%",
    "/%ff%fe",
    "/?/../secret.txt/..",
    "secret.txt",
    "../secret.txt",
    "http://127.0.0.1/../secret.txt",
    "*",
]


@pytest.mark.parametrize("path", TRAVERSALS, ids=lambda path: path[:30])
def test_nothing_else_is_found(client: Client, path: str) -> None:
    status, headers, body = client.ask(path)
    if path.startswith("/?"):
        assert (status, body) == (200, b"<p>all</p>")
        return
    assert (status, body) == (404, b"no such page\n")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_site_that_is_not_there_yet_has_no_files(tmp_path: Path) -> None:
    assert find_file(tmp_path / "site", "/index.html") is None


def test_a_site_below_a_folder_with_a_dot_is_served(site: Path) -> None:
    hidden = site.parent / ".harness"
    hidden.mkdir()
    site.rename(hidden / "site")
    assert find_file(hidden / "site", "/index.html") == hidden / "site" / "index.html"


def test_a_file_that_may_not_be_read_is_not_found(client: Client, site: Path) -> None:
    (site / "index.html").unlink()
    os.mkfifo(site / "index.html")  # reading it would wait for ever
    assert client.ask("/")[0] == 404


def test_what_is_running_is_a_script_that_holds_no_markup(client: Client) -> None:
    status, headers, body = client.ask("/live.js?t=123")
    assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert not {b"<", "\u2028".encode(), "\u2029".encode()} & {body[i : i + 1] for i in range(999)}
    assert body.isascii()
    assert read_live(body.decode()) == HOSTILE
    assert client.ask("/live.js", "HEAD")[2] == b""


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "localhost.evil:PORT"],
)
def test_another_name_for_this_machine_is_refused(client: Client, host: str) -> None:
    host = host.replace("PORT", str(client.server.server_port))
    for path in ("/", "/live.js", "/assets/site.js"):
        status, _, body = client.ask(path, Host=host)
        assert (status, body) == (403, b"this site is for this machine's own browser\n")


def test_this_machine_has_two_names(client: Client) -> None:
    assert client.ask("/", Host=f"LocalHost:{client.server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_sent(client: Client, method: str) -> None:
    status, headers, _ = client.ask("/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert client.ask("/", "BREW")[0] == 501


def test_other_sites_pages_are_refused_and_links_are_followed(client: Client) -> None:
    for asks in ("cross-site", "same-site"):
        assert client.ask("/live.js", Sec_Fetch_Site=asks, Sec_Fetch_Dest="script")[0] == 403
        assert client.ask("/", Sec_Fetch_Site=asks, Sec_Fetch_Dest="iframe")[0] == 403
        assert client.ask("/", Sec_Fetch_Site=asks, Sec_Fetch_Dest="document")[0] == 200
    assert client.ask("/live.js", Sec_Fetch_Site="same-origin", Sec_Fetch_Dest="script")[0] == 200


def test_a_port_in_use_is_told_in_one_line(client: Client, site: Path) -> None:
    port = client.server.server_port
    with pytest.raises(HarnessError, match=f"^port {port} is in use; without --port a free one"):
        SiteServer(site, dict, port)


def test_another_sites_page_reads_no_answers(
    client: Client, tmp_path: Path, browser: WebDriver
) -> None:
    """A script of ours in a page of theirs would hand them all that the models wrote."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    page = (
        "<!doctype html><title>waiting</title><link rel=icon href=data:,><script>"
        "window.harness = {put: (name, value) => { document.title = JSON.stringify(value); }};"
        "function gone() { if (document.title === 'waiting') document.title = 'nothing'; }"
        f"</script><script src='{client.server.url}live.js' onerror=gone() onload=gone()></script>"
    )
    (theirs / "index.html").write_text(page, encoding="utf-8")
    with SiteServer(theirs, dict) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        for top in (other.url, other.url.replace("127.0.0.1", "localhost")):
            browser.get(top)
            assert browser.title == "nothing"
        other.shutdown()
