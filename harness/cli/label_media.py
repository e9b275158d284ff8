"""Images and videos on the page for rating answers, under names that tell nothing.

Only what the form shows can be asked for, by its number; it must lie in the project or beside the
data, and be of a kind that a browser can show.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from harness.cli.label_form import Form
from harness.judges.base import Material
from harness.runner.material import lies_in

KINDS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}
"""Suffix -> type, of what browsers show; no SVG, which may hold scripts."""
CHUNK = 1 << 16
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")


def media_part(id: str, material: Material, number: int) -> tuple[str, str]:
    """A medium as a part of the page: "image" or "video" with its address below the page, or
    "media" with words. No name of a file is told: it may say what the answer should have said."""
    suffix = Path(material.media[number]).suffix.lower()
    if suffix in KINDS:
        return KINDS[suffix].partition("/")[0], f"media/{id}/{number}"
    return (
        "media",
        f"{number + 1}: a browser cannot show files of this kind ({suffix or 'no suffix'})",
    )


def send_medium(handler: BaseHTTPRequestHandler, form: Form, place: str) -> bool:
    """Answer a request for media/<id>/<number>; False, with nothing sent, if there is no such."""
    path = _find(form, place)
    if path is None:
        return False
    try:
        file = path.open("rb")
    except OSError:
        return False
    with file, suppress(ConnectionError):  # a browser that has seen enough hangs up
        size = os.fstat(file.fileno()).st_size
        part = _part(handler.headers.get("Range", ""), size)
        start, end = part or (0, size)
        handler.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
        if part:
            handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        headers = {"Content-Type": KINDS[path.suffix.lower()], "Content-Length": str(end - start)}
        headers |= {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}
        for name, value in {**headers, "Cache-Control": "no-store"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        file.seek(start)
        while start < end and (read := file.read(min(CHUNK, end - start))):
            handler.wfile.write(read)
            start += len(read)
    return True


def _find(form: Form, place: str) -> Path | None:
    """The file of media/<id>/<number>, if it may be shown."""
    _, _, rest = place.partition("/")
    id, _, number = rest.partition("/")
    material = dict(form.items).get(id)
    if material is None or not number.isdecimal() or int(number) >= len(material.media):
        return None
    path = Path(material.paths[int(number)])
    allowed = lies_in(path, (form.root, Path(material.folder))) and path.is_file()
    return path if allowed and path.suffix.lower() in KINDS else None


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last of a Range header; None for the whole.

    A video's player asks for parts, to jump.
    """
    found = _RANGE.fullmatch(asked.strip())
    if not found:
        return None
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    return (start, end) if start < end else None
