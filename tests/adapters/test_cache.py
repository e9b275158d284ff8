"""The only memory of a run: what is remembered, what is not, and what survives."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.keys import request_key
from harness.collect.specs import ModelSpec, ReplayModel
from harness.errors import ExitCode, Interrupted, StoreError
from harness.records import Completion, GenerateSettings, Message, Request

MODEL = ReplayModel(model="echo", adapter="replay", completions="none.jsonl")
ROOT = Path(harness.__file__).parents[1]


def asked(number: int, **parts: object) -> Request:
    return replace(Request(f"r{number}", "generate", f"prompt {number}"), **parts)


class Echo:
    """A model that answers with its prompt and remembers what it was asked."""

    def __init__(self, name: str = "v1", failing: Sequence[str] = ()) -> None:
        self.name, self.failing, self.asked = name, set(failing), list[str]()

    def fingerprint(self, model: ModelSpec) -> str:
        return self.name

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        return [len(str(request.prompt)) for request in requests]

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        for request in requests:
            self.asked.append(request.id)
            failed = request.id in self.failing
            yield [
                Completion.of_error(request, "broken")
                if failed
                else Completion(request.id, text=f"echo {request.prompt}", latency_ms=1.5)
            ]

    def close(self) -> None:
        self.asked.clear()


def ask(adapter: CachedAdapter, requests: Sequence[Request]) -> dict[str, Completion]:
    done = [c for batch in adapter.complete(MODEL, requests) for c in batch]
    assert sorted(c.id for c in done) == sorted(r.id for r in requests)
    return {c.id: c for c in done}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "deep" / "folder" / "cache.sqlite")
    yield opened
    opened.close()


# --------------------------------------------------------------------------- keys

TEXT = st.text(max_size=20)
REQUESTS = st.builds(
    Request,
    id=TEXT,
    output_type=st.sampled_from(["generate", "choices", "perplexity"]),
    prompt=TEXT
    | st.lists(
        st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=2
    ).map(tuple),
    continuations=st.lists(TEXT, max_size=3).map(tuple),
    settings=st.builds(
        GenerateSettings,
        max_new_tokens=st.integers(1, 9),
        stop=st.lists(TEXT, max_size=2).map(tuple),
        temperature=st.sampled_from([0.0, 0.5, 1.0]),
        top_p=st.sampled_from([0.5, 1.0]),
        top_k=st.integers(0, 3),
        seed=st.integers(0, 3),
        truncate=st.sampled_from(["error", "left", "right", "skip"]),
    ),
    media=st.lists(TEXT, max_size=2).map(tuple),
    epoch=st.integers(0, 3),
)


def meaning(request: Request) -> Request:
    """The request without what cannot change the reply: its id, the seed of a greedy one."""
    own = request.settings
    return replace(request, id="", settings=replace(own, seed=own.seed if own.temperature else 0))


@given(REQUESTS, REQUESTS)
def test_keys_are_equal_if_and_only_if_the_requests_mean_the_same(
    one: Request, other: Request
) -> None:
    same_key = request_key("model", one) == request_key("model", other)
    assert same_key == (meaning(one) == meaning(other))
    assert request_key("model", one) != request_key("other model", one)


@given(REQUESTS, REQUESTS, st.data())
def test_every_field_of_a_request_changes_its_key(
    request: Request, other: Request, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from([f.name for f in fields(Request) if f.name != "id"]))
    changed = replace(request, **{name: getattr(other, name)})
    same = meaning(changed) == meaning(request)
    assert (request_key("m", changed) == request_key("m", request)) == same
    setting = data.draw(st.sampled_from([f.name for f in fields(GenerateSettings)]))
    new = replace(request.settings, **{setting: getattr(other.settings, setting)})
    changed = replace(request, settings=new)
    same = meaning(changed) == meaning(request)
    assert (request_key("m", changed) == request_key("m", request)) == same


def test_the_seed_of_a_greedy_request_does_not_matter() -> None:
    greedy, sampled = GenerateSettings(seed=1), GenerateSettings(seed=1, temperature=0.7)
    for settings_, same in ((greedy, True), (sampled, False)):
        one, two = asked(1, settings=settings_), asked(1, settings=replace(settings_, seed=2))
        assert (request_key("m", one) == request_key("m", two)) is same


def test_text_that_looks_like_messages_is_another_prompt() -> None:
    chat = asked(1, prompt=(Message("user", "hi"),))
    text = asked(1, prompt='[["user", "hi"]]')
    assert request_key("m", chat) != request_key("m", text)


# --------------------------------------------------------------------------- what is remembered

COMPLETIONS = st.builds(
    Completion,
    id=st.just(""),
    text=st.text(st.characters(), max_size=30),  # even half of a surrogate pair
    finish_reason=st.sampled_from(["stop", "length", "scored"]),
    prompt_tokens=st.integers(0, 10**9),
    completion_tokens=st.none() | st.integers(0, 10**9),
    logprobs=st.lists(st.floats(allow_nan=False), max_size=4).map(tuple),
    logprob_tokens=st.lists(st.integers(0, 99), max_size=4).map(tuple),
    truncated=st.sampled_from(["", "left", "right"]),
    latency_ms=st.none() | st.floats(0, 1e9),
)
REFUSALS = st.builds(
    Completion,
    id=st.just(""),
    finish_reason=st.just("error"),
    prompt_tokens=st.integers(0, 10**9),
    completion_tokens=st.none() | st.integers(0, 10**9),
    latency_ms=st.floats(0, 1e9),  # a reply came
    error=st.text(st.characters(), max_size=30),
)


@given(done=COMPLETIONS | REFUSALS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_completion_comes_back_as_it_was(cache: Cache, done: Completion) -> None:
    cache.put({b"key": done})
    assert cache.get([b"key", b"unknown"]) == {b"key": done}


def test_what_was_answered_is_not_asked_again(cache: Cache) -> None:
    requests = [asked(n) for n in range(5)]
    first, second = Echo(), Echo()
    before = ask(CachedAdapter(first, cache), requests[:3])
    again = CachedAdapter(second, cache)
    assert [r.id for r in again.missing(MODEL, requests)] == ["r3", "r4"]
    after = ask(again, requests)
    assert (first.asked, second.asked) == (["r0", "r1", "r2"], ["r3", "r4"])
    assert again.hits == {"r0", "r1", "r2"}
    assert {name: after[name] for name in before} == before  # the first latency is kept too


def test_a_request_is_known_under_any_id(cache: Cache) -> None:
    ask(CachedAdapter(Echo(), cache), [asked(1)])
    silent = Echo()
    assert ask(CachedAdapter(silent, cache), [asked(1, id="other")])["other"].text
    assert silent.asked == []


def test_another_model_is_asked_anew(cache: Cache) -> None:
    ask(CachedAdapter(Echo("v1"), cache), [asked(1)])
    other = Echo("v2")
    ask(CachedAdapter(other, cache), [asked(1)])
    assert other.asked == ["r1"]


def test_identical_requests_are_asked_once_and_all_are_answered(cache: Cache) -> None:
    echo = Echo()
    adapter = CachedAdapter(echo, cache)
    same = [asked(1, id="a"), asked(2), asked(1, id="b"), asked(1, id="c")]
    assert [r.id for r in adapter.missing(MODEL, same)] == ["a", "r2"]
    done = ask(adapter, same)
    assert echo.asked == ["a", "r2"]
    assert done["a"].text == done["b"].text == done["c"].text == "echo prompt 1"
    assert adapter.hits == set()


def test_what_had_no_reply_is_never_remembered(cache: Cache) -> None:
    requests = [asked(1), asked(2), asked(2, id="twin")]
    done = ask(CachedAdapter(Echo(failing=["r2"]), cache), requests)
    assert [done[name].error for name in ("r1", "r2", "twin")] == [None, "broken", "broken"]
    mended = Echo()
    done = ask(CachedAdapter(mended, cache), requests)
    assert mended.asked == ["r2"]
    assert not any(c.failed for c in done.values())
    assert cache.stats().completions == 2


def test_fresh_asks_again_and_remembers_the_new_answer(cache: Cache) -> None:
    ask(CachedAdapter(Echo(), cache), [asked(1)])
    echo = Echo()
    fresh = CachedAdapter(echo, cache, fresh=True)
    assert len(fresh.missing(MODEL, [asked(1)])) == 1
    ask(fresh, [asked(1)])
    assert echo.asked == ["r1"]
    assert cache.stats().completions == 1


def test_with_bypass_every_request_is_asked_and_nothing_remembered(cache: Cache) -> None:
    ask(CachedAdapter(Echo(), cache), [asked(1)])
    echo = Echo()
    past = CachedAdapter(echo, cache, bypass=True)
    same = [asked(1), asked(2), asked(2, id="twin")]
    assert past.missing(MODEL, same) == same
    done = ask(past, same)
    assert (echo.asked, sorted(done)) == (["r1", "r2", "twin"], ["r1", "r2", "twin"])
    assert (past.hits, cache.stats().completions) == (set(), 1)


def test_a_batch_is_committed_before_it_is_handed_on(cache: Cache) -> None:
    running = CachedAdapter(Echo(), cache).complete(MODEL, [asked(n) for n in range(9)])
    for _ in range(4):
        next(running)
    other = Cache(cache.path)  # another run, now
    assert other.stats().completions == 4
    other.close()


def test_answers_that_belong_to_an_id_are_not_remembered_by_prompt(cache: Cache) -> None:
    class Recorded(Echo):
        by_id = True

    adapter = CachedAdapter(Recorded(), cache)
    requests = [asked(1), asked(1, id="twin")]
    assert set(ask(adapter, requests)) == {"r1", "twin"}
    assert len(adapter.missing(MODEL, requests)) == 2
    assert cache.stats().completions == 0


def test_more_keys_than_sqlite_takes_at_once(cache: Cache) -> None:
    rows = {f"key {n}".encode(): Completion("", text=str(n)) for n in range(2500)}
    cache.put(rows)
    assert cache.get(list(rows)) == rows


def test_vectors_share_the_file(cache: Cache) -> None:
    vectors = cache.vectors()
    vectors.put({b"a": b"\x00\xff", b"b": b""})
    assert vectors.get([b"a", b"b", b"a", b"c"]) == {b"a": b"\x00\xff", b"b": b""}
    assert cache.get([b"a"]) == {}
    assert cache.stats().vectors == 2


# --------------------------------------------------------------------------- prune


def age(cache: Cache, key: bytes, days: float) -> None:
    """As if a row had last been used some days ago."""
    with sqlite3.connect(cache.path) as db:
        used = int(time.time() - days * 86400)
        db.execute("UPDATE completions SET used=? WHERE key=?", (used, key))
    db.close()


def test_prune_forgets_what_no_run_has_used_for_long(cache: Cache) -> None:
    cache.put({name: Completion("", text="x") for name in (b"old", b"used", b"new")})
    age(cache, b"old", days=40)
    age(cache, b"used", days=40)
    cache.get([b"used"])  # using it makes it young again
    assert cache.unused(30) == 1
    assert cache.prune(30) == 1
    assert set(cache.get([b"old", b"used", b"new"])) == {b"used", b"new"}
    assert cache.prune(0) == 2
    assert cache.stats().completions == 0


def test_stats_of_an_empty_and_a_filled_cache(cache: Cache) -> None:
    assert cache.stats().oldest is None
    cache.put({b"a": Completion("", text="x" * 10_000)})
    age(cache, b"a", days=3)
    stats = cache.stats()
    assert (stats.path, stats.completions, stats.vectors) == (cache.path, 1, 0)
    assert stats.bytes > 10_000
    assert stats.oldest is not None
    assert 2.9 < (time.time() - stats.oldest) / 86400 < 3.1


def test_prune_gives_the_space_back(cache: Cache) -> None:
    cache.put({bytes([n]): Completion("", text="x" * 10_000) for n in range(100)})
    full = cache.stats().bytes
    cache.prune(0)
    assert cache.stats().bytes < full / 10


# --------------------------------------------------------------------------- processes

WRITER = """
import sys
from pathlib import Path
from harness.adapters.cache import Cache
from harness.records import Completion

cache, name = Cache(Path(sys.argv[1])), sys.argv[2]
first, count = map(int, sys.argv[3:])
for batch in range(first, first + count):
    keys = [f"{name} {batch} {row}".encode() for row in range(8)]
    cache.put({key: Completion("", text=key.decode() * 20) for key in keys})
    print(batch, flush=True)  # said only after the commit
"""


def writer(path: Path, name: str, first: int, count: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(path), name, str(first), str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def check_whole(path: Path, name: str, batches: int) -> None:
    """Every batch that was said to be committed is there, whole; the file is healthy."""
    opened = Cache(path)
    keys = [f"{name} {batch} {row}".encode() for batch in range(batches) for row in range(8)]
    assert {key: done.text for key, done in opened.get(keys).items()} == {
        key: key.decode() * 20 for key in keys
    }
    opened.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (rows,) = db.execute("SELECT count(*) FROM completions").fetchone()
    assert rows % 8 == 0  # no half of a batch
    db.close()


def test_a_writer_that_is_killed_loses_no_committed_batch(tmp_path: Path) -> None:
    path, done, moments = tmp_path / "cache.sqlite", 0, random.Random(7)
    for _ in range(5):
        with writer(path, "killed", done, 100_000) as process:
            assert process.stdout is not None
            done = int(process.stdout.readline()) + 1
            time.sleep(moments.uniform(0.0, 0.15))
            process.kill()
            said = process.stdout.read().splitlines()
        done = max([done, *(int(line) + 1 for line in said if line)])
        check_whole(path, "killed", done)
    assert done > 5


def test_two_runs_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cache.sqlite"  # both create it
    processes = [writer(path, name, 0, 60) for name in ("one", "two")]
    assert [process.communicate()[0].count("\n") for process in processes] == [60, 60]
    for name in ("one", "two"):
        check_whole(path, name, 60)


FULL = """
import resource, sys
from pathlib import Path
from harness.adapters.cache import Cache
from harness.errors import Interrupted
from harness.records import Completion

cache = Cache(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))  # "the disk is full" at 400 kB
try:
    for batch in range(1000):
        keys = [f"full {batch} {row}".encode() for row in range(8)]
        cache.put({key: Completion("", text=key.decode() * 20) for key in keys})
        print(batch, flush=True)
except Interrupted as error:
    print(error, file=sys.stderr)
"""


def test_a_full_disk_is_one_clear_line_and_keeps_what_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    batches = done.stdout.count("\n")
    assert 0 < batches < 1000
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"cannot write the cache {path}: ")
    assert line.endswith("make room and run the same command again")
    check_whole(path, "full", batches)
    assert Interrupted.exit_code == ExitCode.INTERRUPTED


# --------------------------------------------------------------------------- bad files


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / "cache.sqlite", tmp_path):
        with pytest.raises(StoreError, match=r"^cannot open the cache ") as caught:
            Cache(path)
        assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_text("my diary " * 500)
    with pytest.raises(StoreError, match=r"cannot open the cache .*: file is not a database"):
        Cache(path)
    assert path.read_text() == "my diary " * 500


def test_a_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    opened = Cache(path)
    opened.put({bytes([n]) * 32: Completion("", text="x" * 3000) for n in range(50)})
    opened.close()
    data = bytearray(path.read_bytes())
    data[3 * 4096 :] = b"\xaa" * (len(data) - 3 * 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"cache\.sqlite.*; delete the file to go on") as caught:
        Cache(path)
    assert "\n" not in str(caught.value)


def test_a_page_damaged_in_the_middle_is_noticed_though_nobody_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    opened = Cache(path)
    opened.put({bytes([n]) * 32: Completion("", text="x" * 3000) for n in range(50)})
    opened.close()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xaa" * 4096
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="delete the file to go on"):
        Cache(path)


def test_a_large_damaged_database_says_what_to_do_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.adapters import cache as module

    monkeypatch.setattr(module, "CHECKED_BYTES", 0)
    path = tmp_path / "cache.sqlite"
    opened = Cache(path)
    opened.put({bytes([n]) * 32: Completion("", text="x" * 3000) for n in range(50)})
    opened.close()
    data = bytearray(path.read_bytes())
    data[3 * 4096 :] = b"\xaa" * (len(data) - 3 * 4096)
    path.write_bytes(bytes(data))
    opened = Cache(path)
    with pytest.raises(StoreError, match="malformed; delete the file to go on"):
        opened.get([bytes([n]) * 32 for n in range(50)])
    opened.close()


def test_a_read_only_cache_reads_what_is_there_and_changes_nothing(tmp_path: Path) -> None:
    path, key = tmp_path / "cache.sqlite", b"k" * 32
    opened = Cache(path)
    opened.put({key: Completion("", text="known")})
    opened.close()
    with sqlite3.connect(path) as old:
        old.execute("UPDATE completions SET used=0")
    old.close()
    before = path.read_bytes()
    opened = Cache(path, read_only=True)
    assert opened.get([key])[key].text == "known"
    with pytest.raises(StoreError, match="readonly"):
        opened.put({b"n" * 32: Completion("", text="new")})
    opened.close()
    assert path.read_bytes() == before


def test_a_read_only_cache_without_a_file_is_empty_and_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "cache.sqlite"
    opened = Cache(path, read_only=True)
    assert opened.get([b"k" * 32]) == {}
    assert opened.stats().completions == 0
    opened.close()
    assert list(tmp_path.iterdir()) == []


def test_a_key_knows_what_an_image_holds_and_not_its_name(tmp_path: Path) -> None:
    def key(name: str, content: bytes) -> bytes:
        file = tmp_path / name
        file.write_bytes(content)
        return request_key("f", Request("r", "generate", "What is it?", media=(str(file),)))

    assert key("a.png", b"one") == key("b.png", b"one")
    assert key("a.png", b"one") != key("c.png", b"two")


def test_forget_deletes_a_reply_only_while_it_says_the_same(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    keys = [bytes([n]) * 32 for n in range(3)]
    cache.put({keys[n]: Completion("", text) for n, text in enumerate(("a", "new", "c"))})
    assert cache.forget({keys[0]: "a", keys[1]: "old", b"?" * 32: "a"}) == 1
    assert sorted(done.text for done in cache.get(keys).values()) == ["c", "new"]
    cache.close()
