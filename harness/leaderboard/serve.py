"""The site on this machine alone, and what is running, for the page `live.html`.

`SiteServer` gives out the files below one folder, to a browser of this machine that has asked for
them under this machine's own name, and to no page of another site: not by a name that points here
(the host is checked), and not as a script of theirs (answers are for the same origin only).

The content of `/live.js`
-------------------------
A classic script that calls ``harness.put("live", {...})``; it is never a file of the site, even if
one has its name. The object, in which every text may be hostile and is only ever shown as text:

    schema    1
    version   when the site was built last, in milliseconds since 1970: another number than the one
              that a page saw first means that there are new results
    newest    id of the newest whole run that the site holds, or null
    runs      those that run, then those that have ended while the command looked on, newest first:
      id        a name that no other run has, and that stays the same
      state     "running"; "finished"; "stopped" (by Ctrl-C or an error); "killed"
      words     the state in words for people, with the way to go on if there is one
      href      where a finished run is on the site, relative to its top; null until it is built
      run       id of the finished run, or null
      started   time in UTC, as "2026-11-29T14:16:05.123+00:00"
      seconds   since then, until now or the end
      tasks     names of tasks
      models    names of models
      phase     what is done now, in words: "asking zeta", "judging"
      waiting   what a model's server makes us wait for, in words; or ""
      done      answers so far
      total     answers in all
      failed    of those that are there, how many are no answer
      cached    of those that are there, how many were known before
      rate      answers (while only judges are at work: verdicts) a second, or null
      left      seconds left at that rate, or null
      cells     [{task, model, variant, total, done, cached, failed}]
      judges    [{judge, total, done, failed, cost}]: verdicts, of them judge errors, US dollars
      answers   the latest, at most 20, oldest first: [{cell, sample, text, error}]; `cell` is the
                place in `cells`, `text` has at most 2,000 characters, `error` is null or says why
                there is no answer
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError
from harness.leaderboard.scripts import script

HOST = "127.0.0.1"
LIVE = "/live.js"
SCRIPT = "text/javascript; charset=utf-8"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": SCRIPT,
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".pdf": "application/pdf",
    ".woff2": "font/woff2",
}
"""Of anything else the browser is told that it is bytes, and guesses nothing."""
RULES = {
    ".html": "frame-ancestors 'none'",
    ".svg": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
"""What a page may do beside its own rules, which it brings along; a drawing runs no script."""


class SiteServer(ThreadingHTTPServer):
    """Serves ``site`` and, as LIVE, what ``live`` returns at that moment.

    ``port`` 0 is a free one. Raises HarnessError, in one line, if the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, site: Path, live: Callable[[], object], port: int = 0) -> None:
        self.site, self.live = site, live
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise HarnessError(_why(error, port)) from None

    @property
    def url(self) -> str:
        """The top of the site, with a slash at its end."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that went away is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def find_file(site: Path, path: str) -> Path | None:
    """The file that the path of an address means; None if there is none, or none of the site's.

    Names that begin with a dot, and links that lead out of the site, mean nothing.
    """
    names = unquote(path, errors="replace").split("/")[1:]
    if names and not names[-1]:
        names[-1] = "index.html"
    if not names or any(not _plain(name) for name in names):
        return None
    try:
        top = site.resolve(strict=True)
        file = top.joinpath(*names).resolve(strict=True)
        inside = file.is_relative_to(top) and file.is_file()
    except (OSError, ValueError, RuntimeError):
        return None
    # what a link within the site leads to has a name of its own
    return file if inside and all(map(_plain, file.relative_to(top).parts)) else None


def _plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not set(name) & set("\\:\0")


def _why(error: OSError, port: int) -> str:
    free = "; without --port a free one is taken"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use{free}"
    return f"port {port} cannot be had: {error.strerror or error}{free}"


class _Handler(BaseHTTPRequestHandler):
    server: SiteServer
    timeout = 60  # a connection that says nothing is closed
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        """A file of the site, or what is running."""
        if not self._ours():
            self._say(HTTPStatus.FORBIDDEN, "this site is for this machine's own browser")
            return
        path = urlsplit(self.path).path
        if path == LIVE:
            self._send(HTTPStatus.OK, SCRIPT, script("live", self.server.live()))
            return
        file = find_file(self.server.site, path)
        try:
            opened = None if file is None else file.open("rb")
        except OSError:  # gone, or not ours to read
            opened = None
        if file is None or opened is None:
            self._say(HTTPStatus.NOT_FOUND, "no such page")
            return
        with opened:
            self._file(opened, file.suffix.lower())

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self.close_connection = True
        more = {"Allow": "GET, HEAD"}
        self._send(HTTPStatus.METHOD_NOT_ALLOWED, TYPES[".txt"], b"only reading\n", more)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse

    def version_string(self) -> str:
        """Nobody needs to know more."""
        return "harness"

    def log_message(self, format: str, *args: object) -> None:
        """The terminal is the person's; requests are not worth a line."""

    def _ours(self) -> bool:
        """Whether it was asked for under this machine's own name, and by no other site's page.

        Browsers say who asks; a link that a person follows may stand anywhere.
        """
        port = self.server.server_port
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in (f"{HOST}:{port}", f"localhost:{port}"):
            return False
        asks = self.headers.get("Sec-Fetch-Site", "none")
        page = self.headers.get("Sec-Fetch-Dest", "") == "document"
        return asks in ("none", "same-origin") or page

    def _file(self, opened: BinaryIO, suffix: str) -> None:
        size = os.fstat(opened.fileno()).st_size
        kind = TYPES.get(suffix, "application/octet-stream")
        more = {"Content-Security-Policy": RULES[suffix]} if suffix in RULES else {}
        self._head(HTTPStatus.OK, kind, size, more)
        if self.command != "HEAD":
            shutil.copyfileobj(opened, self.wfile)

    def _say(self, status: HTTPStatus, why: str) -> None:
        self._send(status, TYPES[".txt"], f"{why}\n".encode())

    def _send(
        self, status: HTTPStatus, kind: str, body: bytes, more: dict[str, str] | None = None
    ) -> None:
        self._head(status, kind, len(body), more or {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, size: int, more: dict[str, str]) -> None:
        self.send_response(status)
        said = {
            "Content-Type": kind,
            "Content-Length": str(size),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            **more,
        }
        for name, value in said.items():
            self.send_header(name, value)
        self.end_headers()
