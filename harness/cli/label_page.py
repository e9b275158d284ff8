"""A page of this machine for rating answers: one file, no resource from anywhere else.

It is served on 127.0.0.1 alone, at a port and below a path that nobody else knows; a page of
another site can neither read it nor post to it (the host's name is checked, posts must be JSON).
"""

from __future__ import annotations

import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from harness.cli.label_form import Form, Item, range_of, read_rating, said, wanted
from harness.cli.label_media import media_part, send_medium
from harness.collect.judge_spec import Criterion
from harness.errors import ExitCode, HarnessError, StoreError

PAGE = Path(__file__).with_name("label_page.html")
MAX_BODY = 100_000  # bytes of one post
FEW = 11  # numbers of a scale that are shown as buttons
HOST = "127.0.0.1"


class LabelServer(ThreadingHTTPServer):
    """Serves one person's form; it stops by itself when all is rated."""

    daemon_threads = True

    def __init__(self, form: Form) -> None:
        super().__init__((HOST, 0), _Handler)
        self.form, self.token = form, secrets.token_urlsafe(16)
        self._skipped: set[str] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def state(self) -> dict[str, object]:
        """What the page shows: how far it is, the next answer, and what is asked about it."""
        left = self.form.left
        item = next((one for one in left if one[0] not in self._skipped), None)
        return {
            "done": self.form.done,
            "total": len(self.form.items),
            "left": len(left),
            "about": self.form.spec.description,
            "item": _shown(item) if item else None,
            "criteria": [_field(one) for one in self.form.spec.criteria],
        }

    def rate(self, id: str, ratings: dict[str, Any]) -> dict[str, object]:
        """Keep a rating; raises HarnessError if it is none, KeyError if the id is unknown."""
        material = dict(self.form.items)[id]
        numbers = {}
        for criterion in self.form.spec.criteria:
            text = str(ratings.get(criterion.name, "")).strip().lower()
            number = read_rating(criterion, text)
            if number is None:
                raise HarnessError(f"{criterion.name}: {wanted(criterion)}")
            numbers[criterion.name] = number
        with self._lock:
            self.form.file.add(id, material, numbers)
            return self.state()

    def skip(self, id: str) -> dict[str, object]:
        """Show another one; the next start shows it again."""
        self._skipped.add(id)
        return self.state()

    def again(self) -> dict[str, object]:
        """Show what was skipped once more."""
        self._skipped.clear()
        return self.state()

    def stop_soon(self) -> None:
        """End `serve_forever` from within one of its requests."""
        threading.Thread(target=self.shutdown, daemon=True).start()


def rate_on_page(form: Form) -> ExitCode:
    """Serve the page until all is rated or Ctrl-C; every rating is stored at once."""
    if not form.left:
        return said(form)
    with LabelServer(form) as server:
        click.echo(f"open {server.url} in a browser of this machine; Ctrl-C ends")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            click.echo()
    return said(form)


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = 60  # a connection that says nothing is closed

    def do_GET(self) -> None:
        """The page, or its state."""
        if not self._ours():
            return
        place = self.path.removeprefix(f"/{self.server.token}/")
        if place == "":
            self._page()
        elif place == "next":
            self._json(HTTPStatus.OK, self.server.state())
        elif not (place.startswith("media/") and send_medium(self, self.server.form, place)):
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        """A rating, or a wish to see another one, or the skipped ones again."""
        if not self._ours():
            return
        place = self.path.removeprefix(f"/{self.server.token}/")
        body = self._body()
        if body is None or place not in ("rate", "skip", "again"):
            self._refuse(HTTPStatus.BAD_REQUEST, "not understood")
            return
        try:
            state = self._done(place, body)
        except KeyError:
            self._refuse(HTTPStatus.NOT_FOUND, "no such answer")
        except StoreError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
        except HarnessError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        else:
            self._json(HTTPStatus.OK, state)
            if not state["left"]:
                self.server.stop_soon()

    def _done(self, wish: str, body: dict[str, Any]) -> dict[str, object]:
        """The state after a wish; raises as `LabelServer.rate`."""
        if wish == "again":
            return self.server.again()
        id, ratings = str(body.get("id")), body.get("ratings")
        if wish == "skip":
            return self.server.skip(id)
        return self.server.rate(id, ratings if isinstance(ratings, dict) else {})

    def log_message(self, format: str, *args: object) -> None:
        """The terminal is the person's; requests are not worth a line."""

    def _ours(self) -> bool:
        """Whether the request is for this page, under this machine's own name."""
        host = self.headers.get("Host", "")
        token = self.path.split("/")[1] if "/" in self.path else ""
        known = secrets.compare_digest(token.encode(), self.server.token.encode())
        if known and host in (f"{HOST}:{self.server.server_port}",):
            return True
        self._refuse(HTTPStatus.NOT_FOUND, "no such page")
        return False

    def _body(self) -> dict[str, Any] | None:
        """The JSON object that was posted; None if it is none."""
        length = self.headers.get("Content-Length", "")
        typed = self.headers.get_content_type() == "application/json"
        if not typed or not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            return None
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        text = PAGE.read_text(encoding="utf-8").replace("NONCE", nonce)
        rules = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        rules += "img-src 'self'; media-src 'self'; "
        rules += "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        headers = {"Content-Security-Policy": rules, "X-Content-Type-Options": "nosniff"}
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", text.encode(), headers)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._json(status, {"error": why})

    def _json(self, status: HTTPStatus, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), {})

    def _send(self, status: HTTPStatus, kind: str, body: bytes, more: dict[str, str]) -> None:
        self.send_response(status)
        sizes = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in {**sizes, "Cache-Control": "no-store", **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _shown(item: Item) -> dict[str, object]:
    id, material = item
    parts = [("question", material.question), ("reference", material.reference)]
    parts += [media_part(id, material, number) for number in range(len(material.media))]
    parts += [("answer", material.answer)]
    return {"id": id, "parts": [[name, text] for name, text in parts if text is not None]}


def _field(criterion: Criterion) -> dict[str, object]:
    choices: list[str] = []
    if criterion.kind == "yesno":
        choices = ["yes", "no"]
    elif criterion.kind == "score" and criterion.max - criterion.min < FEW:
        choices = [str(number) for number in range(criterion.min, criterion.max + 1)]
    return {
        "name": criterion.name,
        "description": criterion.description,
        "range": range_of(criterion),
        "choices": choices,
        "digits": criterion.kind == "score" and criterion.min >= 0,
    }
