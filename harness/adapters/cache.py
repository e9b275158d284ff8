"""The only memory of a run: one SQLite file, and an adapter around an adapter that uses it.

Every answered request is committed, batch by batch, under the hash of all that determines its
reply. Resume is running again. Several runs may share the file at once (WAL). A request that got
no reply is not cached, so that the next run asks again; a reply that is no answer (a refusal, say)
has been paid for, and is cached with what is wrong with it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from harness.adapters.base import Adapter
from harness.adapters.keys import request_key
from harness.collect.specs import ModelSpec
from harness.errors import Interrupted, StoreError
from harness.records import Completion, Request, Stages, TokenLogprobs, Usage

_TABLE = "CREATE TABLE IF NOT EXISTS {} (key BLOB PRIMARY KEY, body, used INTEGER) WITHOUT ROWID"
_TABLES = ("completions", "vectors")
BUSY_SECONDS = 60.0  # how long a run waits for another that is writing
CHECKED_BYTES = 64 << 20  # a file up to this size is checked whole when it is opened: ~70 ms
CHUNK = 500  # keys in one SELECT; SQLite's limit of variables was 999 for long
_FIELDS = (
    "text",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "logprobs",
    "logprob_tokens",
    "truncated",
    "latency_ms",
    "usage",
    "token_logprobs",
)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the cache holds."""

    path: Path
    completions: int
    vectors: int
    bytes: int
    oldest: float | None
    """Unix time at which the longest unused row was last used, to within a day."""


class Cache:
    """Completions and text vectors by key, in one file.

    Raises StoreError if the file cannot be opened and Interrupted if the disk is full: what was
    committed before stays. ``read_only`` makes and changes no file, for a project that may not be
    written: what is there can be read, nothing can be put. A connection serves the thread that
    opened it; ``checked`` says that another one has looked for damage already.
    """

    def __init__(self, path: Path, *, read_only: bool = False, checked: bool = False) -> None:
        self.path, self._read_only = path, read_only
        try:
            self._db = _open_only(path) if read_only else _open(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the cache {path}: {error}") from None
        try:
            self._set_up()
            damage = "" if checked else self._damage()
        except sqlite3.Error as error:
            self._db.close()
            hint = "; delete the file to go on" if "malformed" in str(error) else ""
            raise StoreError(f"cannot open the cache {path}: {error}{hint}") from None
        if damage:
            self._db.close()
            raise StoreError(f"the cache {path} is damaged ({damage}); delete the file to go on")

    def _damage(self) -> str:
        """What SQLite finds wrong with a file that is not too large to look at; empty if nothing.

        A damaged page that a run does not happen to read would lose answers unnoticed.
        """
        if not self.path.exists() or self.path.stat().st_size > CHECKED_BYTES:
            return ""
        found = str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])
        return "" if found == "ok" else " ".join(found.split())

    def _set_up(self) -> None:
        if self._read_only:
            return
        # WAL with NORMAL survives kill -9 of the process whole; FULL would only add an fsync
        # a batch against a power cut, after which the lost batch is simply asked again
        self._db.execute("PRAGMA synchronous=NORMAL")
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                # two runs that create the file at once: SQLite does not wait for this lock
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        for name in _TABLES:
            self._db.execute(_TABLE.format(name))

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """The completions that are known, with id '' (a key does not know who asks)."""
        return {key: _completion(body) for key, body in self._select("completions", keys)}

    def put(self, rows: Mapping[bytes, Completion]) -> None:
        """Commit replies; failures that no reply came for are left out."""
        bodies = {key: _body(done) for key, done in rows.items() if done.replied}
        self._insert("completions", bodies)

    def forget(self, texts: Mapping[bytes, str]) -> int:
        """Delete the replies with these keys that still are these texts; returns how many.

        What has been asked again meanwhile, and says something else, stays.
        """
        known = self.get(list(texts))
        gone = [key for key, done in known.items() if done.text == texts[key]]
        with self._guard():
            self._write("DELETE FROM completions WHERE key=?", [(key,) for key in gone])
        return len(gone)

    def vectors(self) -> VectorCache:
        """The same file as a store of embeddings."""
        return VectorCache(self)

    def stats(self) -> CacheStats:
        """Rows, bytes and age."""
        rows = {name: int(self._one(f"SELECT count(*) FROM {name}") or 0) for name in _TABLES}
        oldest = [self._one(f"SELECT min(used) FROM {name}") for name in _TABLES]
        files = [self.path, self.path.with_name(self.path.name + "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        known = [float(value) for value in oldest if value is not None]
        return CacheStats(
            self.path, rows["completions"], rows["vectors"], size, min(known, default=None)
        )

    def unused(self, days: float) -> int:
        """How many rows `prune` would delete."""
        before = int(time.time() - days * 86400)
        counts = (f"SELECT count(*) FROM {name} WHERE used <= {before}" for name in _TABLES)
        return sum(int(self._one(count) or 0) for count in counts)

    def prune(self, unused_days: float) -> int:
        """Delete what no run has used for so many days (0: all); returns the number of rows."""
        before = int(time.time() - unused_days * 86400)
        with self._guard():
            gone = sum(
                self._db.execute(f"DELETE FROM {name} WHERE used <= ?", (before,)).rowcount
                for name in _TABLES
            )
            self._db.execute("VACUUM")  # writes the small new file into the WAL ...
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # ... which shrinks both
        return gone

    def again(self) -> Cache:
        """Another connection to the same file, for the thread that calls this."""
        return Cache(self.path, read_only=self._read_only, checked=True)

    def close(self) -> None:
        """Close the file; what was put is committed already."""
        self._db.close()

    def _select(self, table: str, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        stale = int(time.time()) - 86400  # touching a row once a day is enough for `prune`
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            with self._guard():
                rows = self._db.execute(
                    f"SELECT key, body, used FROM {table} WHERE key IN ({marks})", part
                ).fetchall()
                old = [(int(time.time()), key) for key, _, used in rows if used < stale]
                if old and not self._read_only:
                    self._write(f"UPDATE {table} SET used=? WHERE key=?", old)
            yield from ((key, body) for key, body, _ in rows)

    def _insert(self, table: str, bodies: Mapping[bytes, str | bytes]) -> None:
        now = int(time.time())
        rows = [(key, body, now) for key, body in bodies.items()]
        with self._guard():
            self._write(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", rows)

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _one(self, statement: str) -> int | None:
        with self._guard():
            value: int | None = self._db.execute(statement).fetchone()[0]
        return value

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "full" in text or "disk I/O" in text:
                raise Interrupted(
                    f"cannot write the cache {self.path}: {text}; what was answered before is "
                    "kept, make room and run the same command again"
                ) from None
            raise StoreError(f"cache {self.path}: {text}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"cache {self.path}: {error}; delete the file to go on") from None


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)


def _open_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; to an empty cache in memory if there is no file."""
    if not path.exists():
        opened = sqlite3.connect(":memory:", isolation_level=None)
        for name in _TABLES:
            opened.execute(_TABLE.format(name))
        opened.execute("PRAGMA query_only=1")
        return opened
    address = f"{path.resolve().as_uri()}?mode=ro"
    opened = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        opened.execute("SELECT 1 FROM completions LIMIT 1")
    except sqlite3.OperationalError:
        # WAL wants a file beside the database; where none can be made, nobody writes either
        opened.close()
        opened = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
    return opened


class VectorCache:
    """Embeddings by key in the same SQLite file; the store that scorers are given."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The vectors that are known."""
        return dict(self._cache._select("vectors", list(dict.fromkeys(keys))))

    def put(self, rows: Mapping[bytes, bytes]) -> None:
        """Commit vectors."""
        self._cache._insert("vectors", rows)


class CachedAdapter:
    """An adapter that asks only for what the cache does not know.

    Requests with the same key are asked once: what determines the reply is equal, so the reply is.
    ``fresh`` reads nothing but what it asked itself, and still remembers. An adapter whose replies
    depend on a request's id (``by_id``: recorded answers) is asked as it is: its replies do not
    belong to a prompt. So is any adapter with ``bypass``: every request is asked, and nothing read
    or remembered, as one must where time is measured.
    """

    def __init__(
        self, inner: Adapter, cache: Cache, *, fresh: bool = False, bypass: bool = False
    ) -> None:
        self.inner, self._cache, self._fresh = inner, cache, fresh
        self._by_id = bypass or bool(getattr(inner, "by_id", False))
        self._own: set[bytes] = set()  # keys of what was asked here, which is fresh
        self.hits: set[str] = set()
        """Ids of the requests that were answered from memory."""
        self.keys: dict[str, bytes] = {}
        """Keys, by id, of the requests that were asked last."""
        self.shared: set[str] = set()
        """Ids of those that asked the same as another one just now, and cost nothing more."""

    def fingerprint(self, model: ModelSpec) -> str:
        """As the inner adapter's."""
        return self.inner.fingerprint(model)

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """As the inner adapter's."""
        return self.inner.count_tokens(model, requests)

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """As the inner adapter's."""
        return self.inner.prompts(model, requests)

    def missing(self, model: ModelSpec, requests: Sequence[Request]) -> list[Request]:
        """The requests that the model would really be asked."""
        if self._by_id:
            return list(requests)
        first: dict[bytes, Request] = {}
        for key, request in zip(self._keys(model, requests), requests, strict=True):
            first.setdefault(key, request)
        known = {} if self._fresh else self._cache.get(list(first))
        return [request for key, request in first.items() if key not in known]

    def known(self, model: ModelSpec, requests: Sequence[Request]) -> dict[str, Completion]:
        """The answers, by request id, that need not be asked for."""
        if self._by_id:  # recorded answers: to ask for them costs nothing
            told = self.inner.complete(model, requests)
            return {done.id: done for batch in told for done in batch}
        if self._fresh:
            return {}
        keys = self._keys(model, requests)
        found = self._cache.get(list(dict.fromkeys(keys)))
        pairs = zip(keys, requests, strict=True)
        return {r.id: replace(found[key], id=r.id) for key, r in pairs if key in found}

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Known answers first, as one batch; then the inner adapter's batches, committed each."""
        if self._by_id:
            yield from self.inner.complete(model, requests)
            return
        keys = self._keys(model, requests)
        self.keys = {request.id: key for request, key in zip(requests, keys, strict=True)}
        known = self._cache.get([key for key in dict.fromkeys(keys) if self._may_read(key)])
        asking: dict[bytes, list[Request]] = {}
        answered: list[Completion] = []
        for key, request in zip(keys, requests, strict=True):
            if key in known:
                answered.append(replace(known[key], id=request.id))
            else:
                asking.setdefault(key, []).append(request)
        self.hits.update(done.id for done in answered)
        if answered:
            yield answered
        first = {same[0].id: (key, same) for key, same in asking.items()}
        if not first:
            return
        for batch in self.inner.complete(model, [same[0] for same in asking.values()]):
            self._cache.put({first[done.id][0]: done for done in batch})
            self._own.update(first[done.id][0] for done in batch)
            self.shared.update(r.id for done in batch for r in first[done.id][1][1:])
            yield [replace(done, id=r.id) for done in batch for r in first[done.id][1]]

    def close(self) -> None:
        """Close the inner adapter; the cache belongs to the run."""
        self.inner.close()

    def _may_read(self, key: bytes) -> bool:
        return not self._fresh or key in self._own

    def _keys(self, model: ModelSpec, requests: Sequence[Request]) -> list[bytes]:
        fingerprint = self.inner.fingerprint(model)
        return [request_key(fingerprint, request) for request in requests]


def _body(done: Completion) -> str:
    values = [getattr(done, name) for name in _FIELDS]
    plain = [astuple(value) if isinstance(value, Usage) else value for value in values]
    plain[-1] = [astuple(token) for token in done.token_logprobs]
    if done.error is not None:
        plain.append(done.error)
    if done.stages is None and not done.frame_times:
        return json.dumps(plain, ensure_ascii=True)
    seen = {"frame_times": done.frame_times, "stages": done.stages and astuple(done.stages)}
    return json.dumps({"plain": plain, **seen}, ensure_ascii=True)


def _completion(body: str | bytes) -> Completion:
    plain = json.loads(body)
    seen: dict[str, Any] = {}
    if isinstance(plain, dict):  # of a request with media
        stages, times = plain["stages"], plain["frame_times"]
        seen = {"stages": stages and Stages(*stages), "frame_times": tuple(times)}
        plain = plain["plain"]
    names = (*_FIELDS, "error") if len(plain) > len(_FIELDS) else _FIELDS
    values = dict(zip(names, plain, strict=True))
    for name in ("logprobs", "logprob_tokens"):
        values[name] = tuple(values[name])
    values["usage"] = values["usage"] and Usage(*values["usage"])
    values["token_logprobs"] = tuple(
        TokenLogprobs(token, start, tuple((text, logprob) for text, logprob in others))
        for token, start, others in values["token_logprobs"]
    )
    return Completion(id="", **values, **seen)
