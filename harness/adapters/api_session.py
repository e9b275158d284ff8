"""One client, its event loop in a thread of its own, and every request's way to its end."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.adapters.api_client import PATHS, Secret, host_of, open_client, post, urls
from harness.adapters.api_frames import Feed, Shown
from harness.adapters.api_limits import Outage, Pace, Pool, Refusals, Replica
from harness.adapters.api_retry import RENAMED, Failure, backoff, classify
from harness.adapters.api_wire import LADDERS, Way, estimate, make_body, read_reply
from harness.collect.specs import OpenAIModel
from harness.errors import ModelError
from harness.records import Completion, Request, Stages, Usage

if TYPE_CHECKING:
    from harness.media.source import MediaSource

Answers = list[Completion] | BaseException
Put = Callable[[Answers], None]
MayRepeat = Callable[[Request], bool]
"""Whether a request may be sent again whose last attempt may have been charged."""
GATHER_SECONDS = 0.01  # answers so close together are handed on, and committed, as one batch
LONG_WAIT = 3.0  # seconds after which it is said what is waited for
TELL_EVERY = 15.0
CLOSED = "the adapter was closed while it was asking"
TROUBLE = {
    "timeout": "does not answer in time",
    "broken connection": "breaks the connection",
    "no connection": "cannot be reached",
}

log = logging.getLogger(__name__)


@dataclass
class Job:
    """One request on its way: what is sent, how often it was, and until when it may be."""

    request: Request
    prompt_tokens: int  # an estimate
    shown: Shown = field(default_factory=Shown)
    attempts: int = 0
    uncertain: int = 0  # attempts that may have been charged, though no reply came
    refusals: int = 0  # attempts at which a server refused its form, not the request
    steps: dict[Replica, int] = field(default_factory=dict)  # ways of asking refused, by server
    deadline: float | None = None  # set when it is sent for the first time
    avoid: Replica | None = None
    pause: float = 0.0
    failure: Failure | None = None
    way: Way = field(default_factory=lambda: Way("off"))
    bodies: dict[Way, bytes] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What servers refuse alike: requests for one form, and those that show media."""
        return _kind(self.request)


@dataclass
class Outbox:
    """Hands answers on to the thread that waits for them."""

    put: Put
    _ready: list[Completion] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None

    def add(self, done: Completion) -> None:
        """One more, in a moment."""
        self._ready.append(done)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(GATHER_SECONDS, self.flush)

    def flush(self) -> None:
        """All, now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._ready:
            self.put(self._ready)
            self._ready = []

    def end(self, error: BaseException) -> None:
        """What has arrived, and why nothing more will."""
        self.flush()
        self.put(error)


class Session:
    """Asks for any number of `complete` calls at once, which share its limits."""

    def __init__(
        self, card: OpenAIModel, may_repeat: MayRepeat, source: Callable[[], MediaSource]
    ) -> None:
        self._card, self._secret, self._may_repeat = card, Secret.of(card), may_repeat
        self._source = source
        self._ladder = LADDERS[card.structured]
        self.repeated: Counter[str] = Counter()
        self.refused: dict[str, None] = {}  # what servers could not do, in the order of finding out
        self._reached = False  # whether a server has ever said anything
        self._outage, self._refusals = Outage(card.deadline_s), Refusals()
        self._told_at = -TELL_EVERY
        self._pool = Pool([Replica(url, card.max_concurrency) for url in urls(card)])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client, self._pace = self._wait_for(self._open())

    def submit(self, requests: Sequence[Request], put: Put) -> Future[None]:
        """Ask all; answers are put as they arrive, an exception if it cannot go on."""
        asking = asyncio.run_coroutine_threadsafe(self._ask_all(requests, put), self._loop)

        def tell(done: Future[None]) -> None:
            if done.cancelled():  # perhaps before it began: then it has told nobody
                put(RuntimeError(CLOSED))

        asking.add_done_callback(tell)
        return asking

    def close(self) -> None:
        """Stop everything and release the sockets."""
        self._wait_for(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> tuple[Any, Pace]:
        pace = Pace(self._card.requests_per_minute, self._card.tokens_per_minute)
        return open_client(self._card, self._secret, self._pool.most), pace

    async def _shut(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    async def _ask_all(self, requests: Sequence[Request], put: Put) -> None:
        feed, outbox = Feed(self._card, requests, self._source), Outbox(put)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._pool.most, len(requests))):
                    group.create_task(self._work(feed, outbox))
        except BaseExceptionGroup as failed:
            outbox.end(failed.exceptions[0])
        except asyncio.CancelledError:
            outbox.end(RuntimeError(CLOSED))
            raise
        finally:
            await feed.close()
        outbox.flush()

    async def _work(self, feed: Feed, outbox: Outbox) -> None:
        while (taken := await feed.next(self._why_not)) is not None:
            request, shown = taken
            if isinstance(shown, str):
                outbox.add(Completion.of_error(request, shown))
            else:
                if shown.note:
                    self.refused[shown.note] = None
                outbox.add(await self._ask(request, shown))

    def _why_not(self, request: Request) -> str | None:
        """Why a request need not be sent, nor its media be decoded."""
        why = self._outage.why_not_ask(time.monotonic()) or self._refusals.why_not_ask(
            _kind(request)
        )
        return why and self._secret.clean(why)

    # ----------------------------------------------------------------------- one request

    async def _ask(self, request: Request, shown: Shown) -> Completion:
        """One request to its answer or its counted failure, tried again where that can help."""
        job = Job(request, estimate(request) + shown.tokens, shown)
        while True:
            done = await self._attempt(job)
            if done is not None:
                return done
            if job.pause:
                await asyncio.sleep(job.pause)
                job.pause = 0.0

    async def _attempt(self, job: Job) -> Completion | None:
        """Send it once, at a replica that has room; None if it is to be tried again."""
        try:
            async with asyncio.timeout_at(job.deadline):
                replica = await self._pool.take(job.avoid)
        except TimeoutError:
            return self._give_up(job)
        try:
            began = time.monotonic()
            taken = await self._pace.admit(job.prompt_tokens, job.request.settings.max_new_tokens)
            now = time.monotonic()
            if job.deadline is not None:
                job.deadline += now - began  # keeping to the user's own limits is no failure
            if replica.paused_until > now:  # it said 429 to another one meanwhile
                return None
            return await self._send(job, replica, taken)
        finally:
            self._pool.give_back(replica)

    async def _send(self, job: Job, replica: Replica, taken: float) -> Completion | None:
        step = max(replica.ladder, job.steps.get(replica, 0))
        job.way = Way(self._ladder[step], replica.logprobs, replica.dropped)
        body = await self._body(job)
        sent_at = time.monotonic()
        job.attempts += 1
        job.deadline = job.deadline or sent_at + self._card.deadline_s
        try:
            async with asyncio.timeout_at(min(sent_at + self._card.timeout_s, job.deadline)):
                data = await post(self._client, replica.url + PATHS[self._card.api], body)
            done = read_reply(job.request, data)
        except Exception as error:
            failure = classify(error)
            if failure is None:
                raise  # a bug: shown with its traceback
            job.failure = failure
            job.uncertain += failure.uncertain
            self._note(replica, failure, sent_at)
            if self._does_without(job, replica) or self._steps_down(job, replica, step):
                return None
            if failure.declined:
                return self._finished(job, self._refusal(job, failure), time.monotonic() - sent_at)
            if failure.paid:
                return self._paid_for_nothing(job, time.monotonic() - sent_at)
            return self._retry_or_give_up(job, replica)
        self._reached, replica.unreachable = True, 0
        self._outage.heard()
        self._refusals.answered(job.kind)
        replica.answered()
        if job.request.form and step >= replica.ladder:
            self._remember(replica, step, job.failure)
            replica.proven = True
        self._pace.settle(taken, done.prompt_tokens, done.completion_tokens or 0)
        return self._finished(job, done, time.monotonic() - sent_at)

    async def _body(self, job: Job) -> bytes:
        way, wanted = job.way, (self._card, job.request, job.shown.parts, job.way)
        if way not in job.bodies:  # megabytes of frames are not written on the loop's thread
            write = asyncio.to_thread(make_body, *wanted) if job.shown.parts else None
            job.bodies = {way: await write if write else make_body(*wanted)}
        return job.bodies[way]

    def _finished(self, job: Job, done: Completion, seconds: float) -> Completion:
        usage = replace(done.usage or Usage(), attempts=job.attempts, uncertain=job.uncertain)
        if without := sorted(job.way.dropped - {RENAMED}):
            usage = replace(usage, served=f"{usage.served} (without {', '.join(without)})".strip())
        done = replace(done, usage=usage, latency_ms=seconds * 1e3)
        if job.request.media and job.request.frames:
            shown, took = job.shown, seconds * 1e3
            stages = Stages(shown.decode_ms, shown.encode_ms, 0.0, took, shown.frames)
            done = replace(done, stages=stages, frame_times=shown.times)
        return self._secret.without(done)

    # ----------------------------------------------------------------------- failures

    def _note(self, replica: Replica, failure: Failure, sent_at: float) -> None:
        """What a failed attempt says about the server."""
        self._reached |= not failure.unreachable
        if failure.unreachable:
            replica.refused(sent_at, time.monotonic())
        else:
            replica.unreachable = 0
        if failure.passing:
            self._outage.failed(sent_at, failure.what)
        else:
            self._outage.heard()
        if failure.limited:
            replica.limited(sent_at, time.monotonic())

    def _does_without(self, job: Job, replica: Replica) -> bool:
        """Whether the server refused a parameter that a request can do without.

        It is left out from now on, which is noted, and stands with each answer.
        """
        failure = job.failure
        name = failure.unsupported if failure and not failure.about_form else ""
        if not name or name in job.way.dropped:
            return False
        replica.dropped |= {name}
        job.refusals += 1
        kind = failure.kind if failure else ""
        self.refused[f"{host_of(replica.url)} takes no '{name}' ({kind})"] = None
        return True

    def _steps_down(self, job: Job, replica: Replica, step: int) -> bool:
        """Whether the server refused the form or the log-probabilities, not the request.

        What it names is remembered at once; a 400 that names nothing may mean the form as long as
        no other request was answered in this way, and is remembered if the next way succeeds.
        """
        form, failure = job.request.form, job.failure
        if form is None or failure is None:
            return False
        if job.way.logprobs and form.top_logprobs and failure.about_logprobs:
            replica.logprobs, job.refusals = False, job.refusals + 1
            what = f"{host_of(replica.url)} gives no log-probabilities ({failure.kind})"
            self.refused[what] = None
            return True
        enforced = bool(form.schema) and self._card.api == "chat"
        if not enforced or step + 1 >= len(self._ladder):
            return False
        if failure.about_form:
            self._remember(replica, step + 1, failure)
        elif not failure.bad_request or failure.too_long or replica.proven:
            return False
        job.steps[replica], job.refusals = step + 1, job.refusals + 1
        return True

    def _remember(self, replica: Replica, step: int, failure: Failure | None) -> None:
        """Ask this server no longer in the ways that stand before this step."""
        for way in self._ladder[replica.ladder : step]:
            kind = failure.kind if failure else ""
            what = f"{host_of(replica.url)} takes no reply form '{way}' ({kind})"
            self.refused[what] = None
            replica.ladder, replica.proven = step, False

    def _retry_or_give_up(self, job: Job, replica: Replica) -> Completion | None:
        failure = job.failure
        if failure is None:
            raise TypeError("no failure")
        now, tries = time.monotonic(), job.attempts - job.refusals
        tries_there = max(tries, replica.unreachable)
        job.avoid, job.pause = replica, backoff(tries_there, failure.retry_after, random.random())
        if failure.limited or failure.unreachable or failure.retry_after is not None:
            self._pool.pause(replica, job.pause)  # for all others as well; another may be free
            job.pause = 0.0
        if not failure.passing and failure.kind.startswith("HTTP 4") and not failure.too_long:
            self._refusals.refused(job.kind, failure.what)
        last = tries > self._card.max_retries or not failure.passing
        nobody = not self._reached and all(r.unreachable for r in self._pool.replicas)
        if failure.fatal or (last and nobody):
            raise ModelError(self._fatal(failure, replica))
        opens_at = max(now + job.pause, self._pool.opens_at)
        if last or (job.deadline is not None and opens_at >= job.deadline):
            return self._give_up(job)
        if failure.uncertain and not self._may_repeat(job.request):
            return self._give_up(job, "; another attempt could exceed --max-cost")
        self._tell(job, replica, opens_at - now)
        self.repeated[failure.kind] += 1
        return None

    def _refusal(self, job: Job, failure: Failure) -> Completion:
        """A reply that is no answer; nobody said what it cost."""
        done = Completion.of_error(job.request, f"refused: {self._secret.clean(failure.what)}")
        return replace(done, completion_tokens=None)

    def _tell(self, job: Job, replica: Replica, seconds: float) -> None:
        """Say what is waited for, now and then, so that it does not look like a hang."""
        now, longest = time.monotonic(), self._card.deadline_s
        began = now if job.deadline is None else job.deadline - longest
        if now < self._told_at + TELL_EVERY or max(seconds, now - began) < LONG_WAIT:
            return
        self._told_at, kind = now, job.failure.kind if job.failure else ""
        who = f"{self._card.model} ({host_of(replica.url)})"
        said = TROUBLE.get(kind, f"answers {kind}")
        limit = f"a request is given up after {longest:g} s (deadline_s)"
        log.warning("%s %s, waiting %.0f s; %s", who, said, max(1.0, seconds), limit)

    def _paid_for_nothing(self, job: Job, seconds: float) -> Completion:
        """A failure whose time tells that a reply came: it is remembered, as all that was paid."""
        done = replace(self._give_up(job), completion_tokens=None)
        return self._finished(job, done, seconds)

    def _give_up(self, job: Job, more: str = "") -> Completion:
        """A counted failure."""
        failure = job.failure or Failure("no server had room in time", "busy")
        skipped = failure.too_long and job.request.settings.truncate == "skip"
        tries = f" (asked {job.attempts} times)" if job.attempts > 1 else ""
        what = self._secret.clean(failure.what) + tries + more
        done = Completion.of_error(job.request, what, skipped=skipped)
        return replace(done, usage=Usage(attempts=job.attempts, uncertain=job.uncertain))

    def _fatal(self, failure: Failure, replica: Replica) -> str:
        variable = self._card.key_variable
        key = f"the key in {variable}" if variable else "api_key_env: no key was sent"
        hints = {"HTTP 401": f" (check {key})", "HTTP 403": f" (check {key})"}
        hints["HTTP 404"] = f" (check base '{self._card.base}' and base_url)"
        if failure.kind.startswith("HTTP 3"):
            hints[failure.kind] = " (the server has moved: check base_url)"
        where = f"model '{self._card.model}': {host_of(replica.url)}"
        return f"{where}: {self._secret.clean(failure.what)}{hints.get(failure.kind, '')}"


def _kind(request: Request) -> str:
    return f"{request.form.name if request.form else ''}{' media' if request.media else ''}"
