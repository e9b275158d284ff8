"""A judge at work: material to requests, replies to verdicts, asking again what cannot be read.

The id of a request is ``item#repeat``, and ``item#repeat~1`` when it is asked again for the first
time. Nothing here knows which model wrote what is judged, so that equal answers make equal prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.adapters.cache import CachedAdapter
from harness.adapters.keys import request_key
from harness.collect.judge_spec import JudgeSpec
from harness.collect.specs import ModelSpec
from harness.errors import ModelError, SpecError
from harness.judges.base import Material, Refused, Unreadable
from harness.judges.combine import quorum
from harness.judges.money import answered, cost_of
from harness.judges.parse import Parsed, parse
from harness.judges.prices import PriceTable
from harness.judges.render import JudgePrompt, marked
from harness.judges.rubric import Rubric
from harness.judges.weighted import Weighted, weigh
from harness.records import Completion, GenerateSettings, Message, Request, Usage, Verdict

TOP_LOGPROBS = 20  # the most that servers commonly give; a scale has at most ten labels
MAX_QUOTED = 4_000  # characters of an unreadable reply that the judge is shown again
UNANSWERED = "unanswered"  # flag of an error that is not the judge's: no reply came
MAX_RAW = 100_000  # characters of a reply that are kept; the cache has all of it

_AGAIN = (
    "Your reply could not be read: {why}. Judge the same material by the same rubric again, and "
    "reply with the one JSON object that was asked for and nothing else."
)


@dataclass(frozen=True, slots=True)
class ItemVerdict:
    """A verdict and the id of the item it is about.

    Tokens, cost, latency and attempts of the verdict are those of all replies together; it is
    ``cached`` if every one of them was.
    """

    item: str
    verdict: Verdict

    @property
    def reasks(self) -> int:
        """How often the judge was asked again."""
        return self.verdict.reasks


@dataclass(frozen=True)
class Judge:
    """A judge's spec with all that is made from it; ``models`` are its cards, the panel's too.

    ``prices`` say what a reply costs (default: the table of the project around the present
    folder).
    """

    spec: JudgeSpec
    rubric: Rubric
    prompt: JudgePrompt
    models: tuple[ModelSpec, ...]
    prices: PriceTable | None = None

    @classmethod
    def of(
        cls, spec: JudgeSpec, models: Sequence[ModelSpec], prices: PriceTable | None = None
    ) -> Judge:
        """The judge that a spec describes, with the cards of ``spec.models`` in their order.

        Raises SpecError if the template does not render, or two cards are the same model.
        """
        if len(models) != len(spec.models):
            raise ValueError(f"{len(models)} cards for {len(spec.models)} models of {spec.judge}")
        names = [model.model for model in models]
        if twice := [name for name in names if names.count(name) > 1]:
            raise SpecError(spec.path, 0, f"model '{twice[0]}' is named twice in the panel")
        rubric = Rubric.of(spec)
        prompt = JudgePrompt.of(spec, rubric)
        return cls(spec, rubric, prompt, tuple(models), prices or PriceTable.of())

    @property
    def template_hash(self) -> str:
        """Of the template, the rubric and the frame."""
        return self.prompt.template_hash

    def requests(self, items: Sequence[tuple[str, Material]]) -> dict[str, list[Request]]:
        """Name of each model -> its requests, one for every item and repeat.

        Raises SpecError, with the item's id, for an item that the template cannot show (the judge
        needs a reference and there is none), and ValueError for an id that stands there twice.
        """
        ids = [item for item, _ in items]
        if len(set(ids)) < len(ids):
            raise ValueError(f"an item of {self.spec.judge} stands there twice")
        made = [request for item, material in items for request in self._repeats(item, material)]
        return {model.model: list(made) for model in self.models}

    def read(
        self,
        model: ModelSpec,
        request: Request,
        completion: Completion,
        *,
        cached: bool,
        key: bytes | None,
    ) -> Verdict | Request:
        """What a reply says, or the request that asks again.

        A reply that cannot be read is asked again ``spec.reasks`` times, with the reply and what is
        wrong with it; after that it is an error, as is a completion that failed. Never a default.
        The verdict's tokens and cost are those of this reply alone; `ask` adds up.
        """
        _, repeat, asked = parts_of(request.id)
        took = _Spent.of(model, completion, cached, self.prices)
        blank = Verdict(
            judge=self.spec.judge,
            model=model.model,
            repeat=repeat,
            status="error",
            raw=_shortened(completion.text, MAX_RAW),
            prompt_tokens=took.prompt_tokens,
            completion_tokens=took.completion_tokens,
            usage=took.usage,
            cost_usd=took.cost_usd,
            latency_ms=took.latency_ms,
            cached=cached,
            key=key,
            reasks=asked,
        )
        if completion.failed:
            flags = () if answered(completion) else (UNANSWERED,)
            return replace(blank, error=completion.error, flags=flags)
        try:
            parsed = self._parsed(request, completion)
        except Unreadable as why:
            if asked < self.spec.reasks and not isinstance(why, Refused):
                return _again(request, completion, str(why), asked + 1)
            times = f" (asked {asked + 1} times)" if asked else ""
            return replace(blank, error=f"{why}{times}")
        try:
            marks = ("reasked",) if asked else ()
            return self._graded(blank, marks, completion, parsed)
        except Unreadable as why:  # no probabilities: asking again brings none
            return replace(blank, error=str(why))

    def _repeats(self, item: str, material: Material) -> Iterator[Request]:
        spec = self.spec
        try:
            prompt = self.prompt.render(material)
        except SpecError as fault:
            raise SpecError(fault.where, fault.line, f"{item}: {fault.what}") from None
        form = self.rubric.form(0 if spec.logprobs == "off" else TOP_LOGPROBS)
        for repeat in range(spec.repeats):
            settings = GenerateSettings(
                max_new_tokens=spec.max_new_tokens,
                temperature=spec.temperature,
                top_p=spec.top_p,
                seed=spec.seed + repeat,
            )
            yield Request(
                id=f"{item}#{repeat}",
                output_type="generate",
                prompt=prompt,
                settings=settings,
                media=material.paths if spec.media else (),
                epoch=repeat,
                form=form,
                material=_named(spec, material),
            )

    def _parsed(self, request: Request, completion: Completion) -> Parsed:
        """Raises Unreadable; a reply that was cut off is no verdict, whatever stands in it."""
        if completion.finish_reason == "length":
            limit = request.settings.max_new_tokens
            raise Unreadable(f"the reply was cut off at {limit} tokens; it must be shorter")
        texts = [text for _, text in request.material]
        return parse(completion.text, self.rubric, [*texts, *map(marked, texts)])

    def _graded(
        self, blank: Verdict, marks: tuple[str, ...], completion: Completion, parsed: Parsed
    ) -> Verdict:
        spec = self.spec
        found = Weighted(parsed.values, None, ())
        if spec.logprobs != "off":
            least = spec.limits.min_captured_mass
            found = weigh(completion, self.rubric, parsed, spec.logprobs, least)
        grade = parsed.grade if found.values is parsed.values else None
        grade = grade or self.rubric.grade(found.values, parsed.stated_total)
        flags = [*parsed.flags, *grade.flags, *found.flags, *marks]
        return replace(
            blank,
            status="ok",
            criteria=grade.criteria,
            total=grade.total,
            value=grade.value,
            reasoning=parsed.reasoning,
            mode=parsed.mode,
            flags=tuple(dict.fromkeys(flags)),
            captured_mass=found.mass,
        )


def parts_of(request_id: str) -> tuple[str, int, int]:
    """Item, repeat and number of the re-ask (0: asked for the first time) of a judge's request."""
    item, mark, rest = request_id.rpartition("#")
    repeat, _, asked = rest.partition("~")
    if not mark or not repeat.isdigit() or not (asked or "0").isdigit():
        raise ValueError(f"{request_id} is no request of a judge")
    return item, int(repeat), int(asked or 0)


def ask(
    judge: Judge,
    items: Sequence[tuple[str, Material]],
    open_adapter: Callable[[ModelSpec], CachedAdapter],
) -> Iterator[list[ItemVerdict]]:
    """All verdicts of a judge on items, as they arrive: one for every model, item and repeat.

    One model after the other. What cannot be read is asked again when all others are answered.
    Adapters belong to the caller: they are not closed. If a model of a panel cannot be used at all
    (ModelError) and the others still make the quorum, its verdicts are errors; otherwise the
    ModelError is raised. A limit of costs belongs into the adapter, below its cache.
    """
    requests = judge.requests(items)
    dead = 0
    for model in judge.models:
        asking = _Asking(judge, model, requests[model.model])
        try:
            yield from asking.run(open_adapter)
        except ModelError as error:
            dead += 1
            if len(judge.models) - dead < quorum(judge.spec):
                raise
            yield asking.give_up(str(error))


class _Asking:
    """One model's requests on their way to verdicts."""

    def __init__(self, judge: Judge, model: ModelSpec, requests: Sequence[Request]) -> None:
        self._judge, self._model = judge, model
        self._open: dict[str, Request] = {request.id: request for request in requests}
        self._spent: dict[str, _Spent] = {}  # by id of the request that asks again
        self._again: dict[str, Request] = {}

    def run(
        self, open_adapter: Callable[[ModelSpec], CachedAdapter]
    ) -> Iterator[list[ItemVerdict]]:
        """Ask, and ask again, until every request has its verdict."""
        if not self._open:
            return
        adapter = open_adapter(self._model)
        fingerprint = adapter.fingerprint(self._model)
        while self._open:
            for batch in adapter.complete(self._model, list(self._open.values())):
                found = [self._read(adapter, fingerprint, done) for done in batch]
                ready = [one for one in found if one is not None]
                if ready:
                    yield ready
            if self._open:
                left = len(self._open)
                raise RuntimeError(
                    f"adapter of {self._model.model} left {left} requests unanswered"
                )
            self._open, self._again = self._again, {}

    def give_up(self, why: str) -> list[ItemVerdict]:
        """Errors in place of all verdicts that are missing."""
        judge = self._judge.spec.judge
        missing = []
        for request in (*self._open.values(), *self._again.values()):
            item, repeat, asked = parts_of(request.id)
            verdict = Verdict(judge, self._model.model, repeat, "error", error=why)
            verdict = replace(verdict, usage=Usage(attempts=0), flags=(UNANSWERED,), reasks=asked)
            if request.id in self._spent:
                verdict = self._spent[request.id].on(verdict)
            missing.append(ItemVerdict(item, verdict))
        return missing

    def _read(
        self, adapter: CachedAdapter, fingerprint: str, done: Completion
    ) -> ItemVerdict | None:
        """The verdict of an answer; None if it must be asked again."""
        request = self._open.pop(done.id)
        cached = done.id in adapter.hits or done.id in adapter.shared
        key = adapter.keys.get(done.id) or request_key(fingerprint, request)
        found = self._judge.read(self._model, request, done, cached=cached, key=key)
        before = self._spent.pop(request.id, None)
        if isinstance(found, Request):
            spent = _Spent.of(self._model, done, cached, self._judge.prices)
            self._spent[found.id] = before.and_then(spent) if before else spent
            self._again[found.id] = found
            return None
        item, _, _ = parts_of(request.id)
        if before:
            spent = _Spent.of(self._model, done, cached, self._judge.prices)
            found = before.and_then(spent).on(found)
        return ItemVerdict(item, found)


@dataclass(frozen=True, slots=True)
class _Spent:
    """What one or several replies took."""

    prompt_tokens: int
    completion_tokens: int
    usage: Usage
    cost_usd: float | None
    latency_ms: float | None
    cached: bool

    @classmethod
    def of(
        cls, model: ModelSpec, done: Completion, cached: bool, prices: PriceTable | None
    ) -> _Spent:
        """What one reply took."""
        # a failure that names no attempts was never sent: too long, or too dear
        usage = done.usage or Usage(attempts=0 if done.failed else 1)
        cost = cost_of(model, done, prices)
        tokens = done.completion_tokens or 0
        return cls(done.prompt_tokens, tokens, usage, cost, done.latency_ms, cached)

    def and_then(self, other: _Spent) -> _Spent:
        """Both together. What is unknown of one is left out, for money that was spent stays
        spent."""
        usage = Usage(
            self.usage.cached_tokens + other.usage.cached_tokens,
            self.usage.reasoning_tokens + other.usage.reasoning_tokens,
            self.usage.attempts + other.usage.attempts,
            other.usage.served or self.usage.served,
            self.usage.uncertain + other.usage.uncertain,
        )
        return _Spent(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            usage,
            _known_sum((self.cost_usd, other.cost_usd)),
            _known_sum((self.latency_ms, other.latency_ms)),
            self.cached and other.cached,
        )

    def on(self, verdict: Verdict) -> Verdict:
        """The verdict with this as what it took."""
        return replace(
            verdict,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            usage=self.usage,
            cost_usd=self.cost_usd,
            latency_ms=self.latency_ms,
            cached=self.cached,
        )


def _known_sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _named(spec: JudgeSpec, material: Material) -> tuple[tuple[str, str], ...]:
    """The material by the names that the template knows it by; only what the judge may see."""
    texts = {"question": material.question}
    if spec.needs_reference and material.reference is not None:
        texts["reference"] = material.reference
    if material.answer_b is None:
        texts["answer"] = material.answer
    else:
        texts |= {"answer_a": material.answer, "answer_b": material.answer_b}
    return tuple(texts.items())


def _again(request: Request, done: Completion, why: str, number: int) -> Request:
    """The same prompt, the reply, and what is wrong with it."""
    if isinstance(request.prompt, str):
        raise TypeError("a judge's prompt is messages")
    # some servers take no empty turn, and some templates no two turns of the user in a row
    reply = _shortened(done.text, MAX_QUOTED) if done.text.strip() else "(empty reply)"
    turns = (Message("assistant", reply), Message("user", _AGAIN.format(why=why)))
    item, repeat, _ = parts_of(request.id)
    return replace(request, id=f"{item}#{repeat}~{number}", prompt=(*request.prompt, *turns))


def _shortened(text: str, most: int) -> str:
    """At most so many characters, and how many are left out; the last ones count most."""
    if len(text) <= most:
        return text
    left_out = f"\n[{len(text) - most:,} characters left out]\n"
    return text[: most // 4] + left_out + text[-(most - most // 4) :]
