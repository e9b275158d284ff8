"""A conversation with one worker: started when needed, restarted when it fails, never confused.

Every request gets an id of its own that is never used again, so an answer that comes late, or for
an id that nobody knows, is counted and thrown away.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.adapters.bridge_files import Files, environment
from harness.adapters.bridge_process import GRACE_SECONDS, Gone, Late, WorkerProcess
from harness.adapters.bridge_protocol import (
    Hello,
    Message,
    NotProtocol,
    Reply,
    error_of,
    line_of,
    read_hello,
    read_line,
    read_reply,
    request_message,
    start_message,
)
from harness.adapters.locate import card_error
from harness.collect.specs import BridgeModel
from harness.records import Request

MAX_RUBBISH = 20
"""Lines that are no messages, of one worker, before it is restarted."""


@dataclass(frozen=True, slots=True)
class Item:
    """A request and its clips as they go over the pipe."""

    request: Request
    clips: tuple[Message, ...]


@dataclass
class Told:
    """What happened beside answers, for the run's notes."""

    faults: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    last: str = ""
    rubbish: int = 0
    strays: int = 0
    late: int = 0
    first_rubbish: str = ""
    first_stray: str = ""

    def notes(self) -> tuple[str, ...]:
        """A line each."""
        lines = [f"{count} times: {what}" for what, count in self.faults.most_common()]
        if self.restarts:
            lines.append(f"the worker was restarted {self.restarts} times; last: {self.last}")
        if self.rubbish:
            lines.append(f"{self.rubbish} lines were no messages; first: {self.first_rubbish}")
        if self.strays:
            lines.append(f"{self.strays} answers were nobody's; first: {self.first_stray}")
        if self.late:
            lines.append(f"{self.late} answers came too late and were thrown away")
        return tuple(lines)


class Talk:
    """One card's worker. ``told`` outlives it; ``spent`` says why no more is asked, once it is."""

    def __init__(self, card: BridgeModel, files: Files, told: Told) -> None:
        self.card, self.files, self.told = card, files, told
        self.hello: Hello | None = None
        self.start_ms = 0.0
        self.spent = ""
        self._process: WorkerProcess | None = None
        self._number = self._restarts = 0
        self._rubbish: list[str] = []  # of the present worker
        self._strange: list[str] = []  # what came in place of answers since the last question
        self._asked: dict[str, Item] = {}
        self._expired: set[str] = set()

    @property
    def start(self) -> Message:
        """What is loaded; a card that says something else needs another worker."""
        return start_message(self.card, self.files.base, self.files.lora)

    @property
    def running(self) -> bool:
        """Whether a worker is there that has not been given up."""
        return self._process is not None

    def open(self) -> Hello:
        """Start the worker if none ever ran; raises ModelError with its last words."""
        if self.hello is None:
            try:
                self._begin()
            except Gone as gone:
                name = self.card.worker
                what = f"worker '{name}' did not start: {gone}"
                raise card_error(self.card, f"{what} (harness doctor {self.card.model})") from None
        assert self.hello is not None
        return self.hello

    def ask(self, items: Sequence[Item]) -> list[Reply]:
        """A reply to each, in their order; what failed is a reply with an error."""
        why = self.ready()
        if why:
            return [Reply(None, why) for _ in items]
        asked = {self.name(): item for item in items}
        requests = [
            request_message(name, item.request, item.clips, self.card.system)
            for name, item in asked.items()
        ]
        found = self.exchange(line_of({"type": "ask", "requests": requests}), asked)
        return [found[name] for name in asked]

    def close(self, grace: float = GRACE_SECONDS) -> bool:
        """End the worker; it is started again if it is asked again. Whether it ended by itself."""
        process, self._process = self._process, None
        return process is None or process.stop(grace)

    # ----------------------------------------------------------------- one exchange

    def exchange(self, line: bytes, asked: Mapping[str, Item]) -> dict[str, Reply]:
        """Send a line and wait until each id in ``asked`` has a reply, in the order they came."""
        process, found = self._process, dict[str, Reply]()
        assert process is not None
        self._asked, missing = dict(asked), dict.fromkeys(asked)
        allowed = self.card.timeout_s * len(missing)
        deadline = time.monotonic() + allowed
        self._strange.clear()
        process.send(line)
        try:
            while missing:
                reply = self._next(process, deadline)
                if reply is not None and reply.id in missing:
                    found[reply.id] = reply
                    del missing[reply.id]
        except Late:
            but = f", but {self._strange[-1]}" if self._strange else ""
            why = f"no answer in {allowed:g} s{but}{process.last_words()}"
            if len(self._strange) < len(missing):  # else it has answered, in its own way
                self._expired = set(missing)
            found.update({name: self._fault(why) for name in missing})
        except Gone as gone:
            self._lost(str(gone))
            found.update({name: self._fault(f"the worker {gone}") for name in missing})
        except BaseException:  # Ctrl-C: nobody knows what the worker is at
            self.close(grace=0.0)
            raise
        finally:
            self._asked = {}
        return found

    def _next(self, process: WorkerProcess, deadline: float) -> Reply | None:
        """One line: a reply to what is asked just now, or None. Raises Late and Gone."""
        line = process.receive(deadline)
        try:
            message = read_line(line)
            if message["type"] != "reply":
                raise NotProtocol(f"a message of type '{message['type'][:40]}'")
        except NotProtocol as wrong:
            self._count_rubbish(str(wrong), process)
            return None
        name = message.get("id")
        item = self._asked.get(name) if isinstance(name, str) else None
        try:
            reply = read_reply(message, item.request if item else None)
        except NotProtocol as wrong:
            return Reply(str(name), f"the worker sent {wrong}")
        if reply.id is None and len(self._asked) == 1:  # it could not even read the id
            return Reply(next(iter(self._asked)), reply.error)
        if reply.id in self._expired:
            self._expired.discard(str(reply.id))
            self.told.late += 1
            return None
        if reply.id not in self._asked:
            self._count_stray(f"an answer for the unknown id {reply.id!r}"[:100])
            return None
        return reply

    def _count_stray(self, what: str) -> None:
        self.told.strays += 1
        self.told.first_stray = self.told.first_stray or what
        self._strange = [*self._strange[-MAX_RUBBISH:], what]

    def _count_rubbish(self, what: str, process: WorkerProcess) -> None:
        self.told.rubbish += 1
        self.told.first_rubbish = self.told.first_rubbish or what
        self._strange = [*self._strange[-MAX_RUBBISH:], what]
        self._rubbish.append(what)
        if len(self._rubbish) > MAX_RUBBISH:
            what = f"wrote {len(self._rubbish)} lines that are no messages"
            raise Gone(f"{what}, first: {self._rubbish[0]}{process.last_words()}")

    def _fault(self, why: str) -> Reply:
        self.told.faults[why.partition("; stderr:")[0]] += 1
        return Reply(None, why)

    def name(self) -> str:
        """An id that no request of this conversation had before."""
        self._number += 1
        return f"q{self._number}"

    # ----------------------------------------------------------------- starting and restarting

    def ready(self) -> str:
        """Make sure that a worker waits for a request; else why there is none."""
        if self._process is not None and self._expired:
            self._catch_up(self._process)
        while self._process is None and not self.spent:
            if self._restarts >= self.card.max_restarts:
                count = f"restarted {self._restarts} times" if self._restarts else "not restarted"
                self.spent = f"the worker is gone and was {count}; last: {self.told.last}"
                break
            self._restarts += 1
            self.told.restarts += 1
            try:
                self._begin()
            except Gone as gone:
                self._lost(str(gone))
        return self.spent

    def _catch_up(self, process: WorkerProcess) -> None:
        """Wait for answers that are late, as long as starting the worker again would take."""
        patience = min(self.card.timeout_s, self.start_ms / 1e3)
        deadline = time.monotonic() + patience
        try:
            while self._expired:
                self._next(process, deadline)
        except Late:
            self._lost(f"did not come back from a request{process.last_words()}")
        except Gone as gone:
            self._lost(str(gone))

    def _lost(self, why: str) -> None:
        self.told.last = why
        self.close(grace=0.0)

    def _begin(self) -> None:
        """Start, greet, load; raises Gone with the reason."""
        began = time.monotonic()
        deadline = began + self.card.start_timeout_s
        self._expired, self._rubbish = set(), []
        try:
            process = WorkerProcess(self.files.command, environment(), str(self.card.root))
        except OSError as error:
            raise Gone(f"could not be run: {error.strerror or error}") from None
        self._process = process
        try:
            self.hello = self._greet(process, deadline)
        except Late:
            self.close(grace=0.0)
            waited = f"was not ready in {self.card.start_timeout_s:g} s (start_timeout_s)"
            raise Gone(waited + process.last_words()) from None
        except BaseException:
            self.close(grace=0.0)
            raise
        self.start_ms = (time.monotonic() - began) * 1e3

    def _greet(self, process: WorkerProcess, deadline: float) -> Hello:
        hello: Hello | None = None
        while True:
            line = process.receive(deadline)
            try:
                message = read_line(line)
            except NotProtocol as wrong:
                self._count_rubbish(str(wrong), process)
                continue
            try:
                if hello is None:
                    hello = read_hello(message)
                    process.send(line_of(self.start))
                elif message["type"] == "ready":
                    return hello
                else:
                    raise NotProtocol(error_of(message))
            except NotProtocol as wrong:
                raise Gone(f"{wrong}") from None
