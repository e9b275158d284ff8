"""What every worker of a bridge must do, checked against the worker itself: `harness doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.adapters.bridge_files import Files, find_files, fingerprint
from harness.adapters.bridge_protocol import (
    PROTOCOL,
    Hello,
    Reply,
    clip_message,
    line_of,
    request_message,
)
from harness.adapters.bridge_talk import Item, Talk, Told
from harness.collect.specs import BridgeModel
from harness.errors import ModelError
from harness.media.clip import Clip
from harness.records import GenerateSettings, Request
from harness.records import Message as Turn

QUESTION = "What moves in this video? Answer in a few words."
UNICODE = 'Was bewegt sich? 何が動いていますか "\\n\n{{ x }} 🏃'
SIZE, TOKENS, SHOWN, LEAVE_SECONDS = 96, 16, 60, 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a diagnosis: what was looked at, whether it is well, and what was found or is to
    be done. ``seconds`` is what it took, None where that says nothing."""

    name: str
    ok: bool
    said: str
    seconds: float | None = None


def examine_worker(card: BridgeModel, allow_code: bool) -> Iterator[Check]:
    """All checks, in their order; nothing that stands on a failed one is tried."""
    try:
        found = find_files(card, allow_code)
        yield Check("files", True, f"{found.python}, {found.script.name}, base {found.base}")
        began = time.perf_counter()
        printed = fingerprint(card, found)
        yield Check("fingerprint", True, printed[:16], time.perf_counter() - began)
    except ModelError as error:
        yield Check("files", False, str(error))
        return
    patient = Patient(card, found)
    try:
        yield from patient.checks()
    finally:
        patient.talk.close()


class Patient:
    """A worker under examination. No restart is allowed: a worker that dies has failed."""

    def __init__(self, card: BridgeModel, files: Files) -> None:
        self.card = card.model_copy(update={"max_restarts": 0})
        self.card.located(card.path, card.text, card.root)
        self.talk, self.told = Talk(self.card, files, told := Told()), told
        self._first = Reply(None)

    def checks(self) -> Iterator[Check]:
        """From the greeting to the farewell."""
        try:
            hello = self.talk.open()
        except ModelError as error:
            yield Check("start", False, str(error))
            return
        yield Check("start", True, _greeting(hello), self.talk.start_ms / 1e3)
        able = "generate" in hello.capabilities
        if able:
            yield self._answer()
            yield self._again()
            yield from self._kinds()
            yield self._pair()
        yield self._choices(hello)
        yield self._damaged()
        yield self._nonsense()
        if able:
            yield self._after_all()
        yield self._quiet()
        yield self._farewell()

    def _answer(self) -> Check:
        began = time.perf_counter()
        (self._first,) = self._ask(self.item())
        took = time.perf_counter() - began
        if self._first.error is None and not self._first.text.strip():
            return Check("question", False, "an empty answer to a question about 4 frames", took)
        return self._said("question", self._first, took)

    def _again(self) -> Check:
        began = time.perf_counter()
        (second,) = self._ask(self.item())
        took = time.perf_counter() - began
        if second.error is None and second.text != self._first.text:
            what = f"{_short(self._first.text)}, then {_short(second.text)}: at temperature 0 it"
            return Check("same again", False, f"{what} must be greedy (do_sample=False)", took)
        return self._said("same again", second, took)

    def _kinds(self) -> Iterator[Check]:
        """Questions of other shapes; each must be answered somehow."""
        for name, item in (
            ("other number of frames", self.item(frames=7)),
            ("a single frame", self.item(frames=1)),
            ("unicode prompt", self.item(UNICODE)),
            ("no system prompt", self.item(system="")),
        ):
            began = time.perf_counter()
            (reply,) = self._ask(item)
            yield self._said(name, reply, time.perf_counter() - began)

    def _pair(self) -> Check:
        """Two requests in one line: each its own id, in the order in which they were asked."""
        began = time.perf_counter()
        if self.talk.ready():
            return Check("two in one line", False, self.talk.spent)
        asked = {self.talk.name(): self.item(), self.talk.name(): self.item(UNICODE)}
        found = self._exchange(asked)
        took = time.perf_counter() - began
        if list(found) != list(asked):
            return Check("two in one line", False, "answered in another order than asked", took)
        first = next(iter(found.values()))
        if first.error is None and first.text != self._first.text:
            what = "another answer than alone: a batch must not change answers"
            return Check("two in one line", False, what, took)
        wrong = [reply for reply in found.values() if reply.error is not None]
        return self._said("two in one line", (wrong or [first])[0], took)

    def _choices(self, hello: Hello) -> Check:
        if "choices" not in hello.capabilities:
            return Check("choices", True, "not claimed: tasks need `answer: letter` or `text`")
        began = time.perf_counter()
        item = self.item()
        request = replace(item.request, output_type="choices", continuations=(" yes", " no"))
        (reply,) = self._ask(Item(request, item.clips))
        took = time.perf_counter() - began
        if reply.error is None and max(reply.logprobs) > 0:
            what = f"log-likelihoods above 0: {reply.logprobs}"
            return Check("choices", False, f"{what}; they are natural logarithms", took)
        return self._said("choices", replace(reply, text=str(reply.logprobs)), took)

    def _damaged(self) -> Check:
        """Frames that are none: an error for that id, and the worker lives on."""
        name = "damaged frames"
        if self.talk.ready():
            return Check(name, False, self.talk.spent)
        item = self.item()
        clip = {**item.clips[0], "png": ["bm90IGEgcG5n"] * 4}
        clip.pop("array", None)
        asked = {self.talk.name(): Item(item.request, (clip,))}
        (reply,) = self._exchange(asked).values()
        return self._refused(name, reply)

    def _nonsense(self) -> Check:
        """A request without its fields: an error, and the worker lives on."""
        name = "damaged request"
        if self.talk.ready():
            return Check(name, False, self.talk.spent)
        asked = {self.talk.name(): self.item()}
        line = line_of({"type": "ask", "requests": [{"id": each} for each in asked]})
        (reply,) = self.talk.exchange(line, asked).values()
        return self._refused(name, reply)

    def _after_all(self) -> Check:
        (reply,) = self._ask(self.item())
        if reply.error is None and reply.text != self._first.text:
            return Check("lives on", False, f"now answers {_short(reply.text)}: it keeps a state")
        return self._said("lives on", reply, None)

    def _quiet(self) -> Check:
        if self.told.rubbish or self.told.strays or self.told.late:
            hint = "print to standard error (worker.serve sees to that)"
            return Check("nothing but the protocol", False, f"{self.told.notes()[-1]}; {hint}")
        return Check("nothing but the protocol", True, "no other line on standard output")

    def _farewell(self) -> Check:
        grace = min(LEAVE_SECONDS, self.card.start_timeout_s)
        if self.talk.close(grace):
            return Check("ends with its input", True, "gone")
        what = f"still there {grace:g} s after its standard input ended, and was killed"
        return Check(
            "ends with its input", False, f"{what}: leave the loop when stdin is at its end"
        )

    def item(self, question: str = QUESTION, frames: int = 4, system: str | None = None) -> Item:
        """A question about the moving square; ``system`` in place of the card's."""
        turns = [Turn("user", question)]
        if system is not None:
            turns = [Turn("system", system), *turns]
        settings = GenerateSettings(max_new_tokens=TOKENS)
        request = Request("doctor", "generate", tuple(turns), settings=settings)
        return Item(request, (clip_message(moving_square(frames), self.card.frames_as),))

    def _ask(self, item: Item) -> list[Reply]:
        return self.talk.ask([item])

    def _exchange(self, asked: dict[str, Item]) -> dict[str, Reply]:
        requests = [
            request_message(name, item.request, item.clips, self.card.system)
            for name, item in asked.items()
        ]
        return self.talk.exchange(line_of({"type": "ask", "requests": requests}), asked)

    def _refused(self, name: str, reply: Reply) -> Check:
        if reply.error is None:
            return Check(name, False, f"was answered with {_short(reply.text)}, not with an error")
        if self.talk.running:
            return Check(name, True, f"refused: {_short(reply.error)}")
        what = "catch the exception and send a reply with 'error'"
        return Check(name, False, f"{reply.error}: {what}")

    def _said(self, name: str, reply: Reply, took: float | None) -> Check:
        if reply.error is not None:
            return Check(name, False, reply.error, took)
        return Check(name, True, _short(reply.text), took)


def moving_square(frames: int) -> Clip:
    """A clip of a bright square that crosses a dark field from left to right, 4 frames a second."""
    pictures = []
    for number in range(frames):
        picture = np.full((SIZE, SIZE, 3), 40, np.uint8)
        left = number * (SIZE - 24) // max(1, frames - 1)
        picture[36:60, left : left + 24] = (230, 200, 40)
        pictures.append(picture)
    times = tuple(number / 4 for number in range(frames))
    numbers = tuple(range(frames))
    return Clip(tuple(pictures), times, times, numbers, frames / 4, 4.0, frames, SIZE, SIZE)


def _greeting(hello: Hello) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in hello.versions.items())
    return f"{hello.worker}, protocol {PROTOCOL}, {' '.join(hello.capabilities)}; {versions}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= SHOWN else f"{line[:SHOWN]}...")
