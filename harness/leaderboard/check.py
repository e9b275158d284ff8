"""Whether a site may be published: what is linked is there, ids are unique, nothing is too large
for a host, and no page tells a secret or a path of this machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harness.errors import StoreError, shown
from harness.leaderboard.folder import STATE, SiteFolder
from harness.results.arrays import values_of
from harness.results.store import one_line

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST_FILE = 25_000_000
"""Bytes; above, Cloudflare Pages takes no file (GitHub takes 100 MB)."""
LARGEST_DOWNLOAD = 100_000_000
"""Bytes; above, GitHub takes no file of any kind."""
LARGEST_SITE = 1_000_000_000
"""Bytes; GitHub Pages' limit."""
SECRETS = (
    ("an OpenAI key", rb"(?<![A-Za-z0-9])sk-(?=[a-z_-]*[A-Z0-9])[A-Za-z0-9_-]{20,}"),
    ("a Groq key", rb"gsk_[A-Za-z0-9]{20,}"),
    ("a Hugging Face token", rb"hf_[A-Za-z0-9]{30,}"),
    ("a GitHub token", rb"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
    ("a Google key", rb"AIza[0-9A-Za-z_-]{35}"),
    ("an AWS key", rb"(?:AKIA|ASIA)[0-9A-Z]{16}"),
    ("a Slack token", rb"xox[abpr]-[A-Za-z0-9-]{10,}"),
    ("a private key", rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
)  # fmt: skip
UNIX = rb"/(?:home|Users|root|mnt|workspace|content)/[\w.-]+(?:/[\w.-]+)*"
WINDOWS = rb"[A-Za-z]:\\\\?(?:[Uu]sers|home)\\\\?[\w.-]+"
PATHS = rb"(?:(?<![\w./:-])|(?<=file://))(?:%s|%s)" % (UNIX, WINDOWS)
TEXT = (".html", ".js", ".css", ".json", ".csv")
LIBRARIES = ("assets/vega.js",)
"""Files of others, which name nobody's machine and are too long to search."""


@dataclass(frozen=True)
class Problem:
    """Something that must not be published, and where it stands."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


@dataclass(frozen=True)
class Checked:
    """What was found; ``notes`` do not stand in the way."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    summary: str


def check_site(root: Path) -> Checked:
    """Check a site. Raises StoreError if there is none."""
    if not (root / STATE).is_file():
        raise StoreError(f"{shown(root)} is no site: 'harness publish' writes one")
    with one_line(f"{shown(root)}: cannot be read"):
        return _checked(root)


def _checked(root: Path) -> Checked:
    files = {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}
    pages = {name: _read(path) for name, path in files.items() if name.endswith(".html")}
    problems = [*_missing(root, files), *_links(pages, files), *_sizes(files)]
    for name, path in files.items():
        if name.endswith(TEXT) and name not in LIBRARIES and name != STATE:
            problems += _told(name, path)
        elif name.endswith(".parquet"):
            problems += _stored(name, path)
    total = sum(path.stat().st_size for path in files.values())
    notes = []
    if total > LARGEST_SITE:
        notes.append(f"{total / 1e9:.1f} GB: GitHub Pages takes 1 GB; --max-samples makes it less")
    count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
    summary = f"{shown(root)}: {len(files):,} files, {total / 1e6:,.1f} MB, {count}"
    return Checked(tuple(problems), tuple(notes), summary)


# --------------------------------------------------------------------------- links and ids


class _Page(HTMLParser):
    """Ids and local addresses of a page, with their lines."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: Counter[str] = Counter()
        self.links: list[tuple[int, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an element is called and what it points to."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids[value] += 1
            elif name in ("href", "src", "data") and value:
                self.links.append((self.getpos()[0], value))


def _links(pages: dict[str, str], files: dict[str, Path]) -> Iterator[Problem]:
    parsed = {name: _Page(text) for name, text in pages.items()}
    for name, page in parsed.items():
        for id, count in page.ids.items():
            if count > 1:
                yield Problem(name, 0, f"the id '{id}' stands there {count} times")
        for line, link in page.links:
            what = _dead(name, link, parsed, files)
            if what:
                yield Problem(name, line, what)


def _dead(page: str, link: str, parsed: dict[str, _Page], files: dict[str, Path]) -> str:
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return f"is no address ({error}): {link}"
    if parts.scheme or parts.netloc:
        return "" if parts.scheme in ("data", "mailto") else f"points to the network: {link}"
    target = unquote(parts.path) or page
    if target.startswith("/"):
        return f"an absolute address, which works on no other host: {link}"
    if target not in files:
        return f"points to {target}, which is not there"
    anchor = unquote(parts.fragment)
    # state of a page, "task=...&m=...", is no anchor
    if anchor and "=" not in anchor and target in parsed and not parsed[target].ids[anchor]:
        return f"points to #{anchor} of {target}, which is not there"
    return ""


# --------------------------------------------------------------------------- sizes and secrets


def _sizes(files: dict[str, Path]) -> Iterator[Problem]:
    for name, path in files.items():
        size = path.stat().st_size
        most = LARGEST_DOWNLOAD if name.endswith(".parquet") else LARGEST_FILE
        if size > most:
            yield Problem(name, 0, f"{size / 1e6:.0f} MB: hosts take files of {most / 1e6:.0f} MB")


_SECRET = re.compile(b"|".join(b"(?:%s)" % pattern for _, pattern in SECRETS))
_PATH = re.compile(PATHS)


def _told(name: str, path: Path) -> Iterator[Problem]:
    body = path.read_bytes()
    for pattern in (_SECRET, _PATH):
        found = pattern.search(body)
        if found:
            yield Problem(name, body.count(b"\n", 0, found.start()) + 1, _what(found[0]))


def _stored(name: str, path: Path) -> Iterator[Problem]:
    """Texts of a table, column by column; the first of each kind that must not be told."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    left = [_SECRET, _PATH]
    try:
        with pq.ParquetFile(path) as opened:
            for batch in opened.iter_batches(1 << 14):
                for column in batch.schema.names:
                    body = "\n".join(_texts(batch.column(column))).encode()
                    for pattern in list(left):
                        found = pattern.search(body)
                        if found:
                            left.remove(pattern)
                            yield Problem(name, 0, f"column {column}: {_what(found[0])}")
    except (OSError, pa.ArrowException):
        yield Problem(name, 0, "is damaged or cut short")


def _texts(column: pa.Array) -> Iterator[str]:
    """The texts of a column, of lists and of those that stand in a dictionary, too."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _texts(column.dictionary)
    elif pa.types.is_list(kind):
        yield from _texts(column.flatten())
    elif pa.types.is_string(kind):
        yield from (value for value in values_of(column) if value)


def _what(found: bytes) -> str:
    """What was found; of a secret, no more than who gives such."""
    for words, pattern in SECRETS:
        if re.match(pattern, found):
            return f"looks like {words}; --redact '{pattern.decode()}' hides it"
    return f"a path of this machine: {found.decode('utf-8', 'replace')[:80]}"


def _missing(root: Path, files: dict[str, Path]) -> Iterator[Problem]:
    """Files that the site is made of and that are not there, or not whole."""
    site = SiteFolder.read(root)
    for name, size in sorted(site.items()):
        if name not in files:
            yield Problem(name, 0, "is missing; 'harness publish' writes it anew")
        elif files[name].stat().st_size != size:
            yield Problem(name, 0, f"is not the file of {size:,} bytes that was written")
    if not site:
        yield Problem(STATE, 0, "the site is not finished; 'harness publish' goes on with it")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
