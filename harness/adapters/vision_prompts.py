"""Requests and their frames to what a vision-language model reads: ids, pixels, timestamps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.locate import first_words
from harness.adapters.prompts import Reader, Ready
from harness.adapters.tokenizer import TextTokenizer, encode_pair
from harness.adapters.vision_classes import VisionClass
from harness.errors import MediaError
from harness.records import Completion, Message, Request, Stages, Truncation

if TYPE_CHECKING:
    import torch
    from transformers import ProcessorMixin

    from harness.media.clip import Clip
    from harness.media.source import Seen

KINDS = ("image", "video")
TYPES = "mm_token_type_ids"
"""Of each token, whether it stands for text, an image or a video; some classes want it."""


class Refused(ValueError):
    """A request that cannot be asked; its text is the reason."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A request as the model will read and see it.

    ``inputs`` are the processor's tensors but for the token ids; all are concatenated along their
    first axis in a batch. ``types`` is one number a token, or empty. Sights of one ``key`` fit
    together.
    """

    ready: Ready
    inputs: Mapping[str, torch.Tensor]
    types: list[int]
    key: tuple[object, ...]
    stages: Stages
    times: tuple[float, ...]

    @property
    def size(self) -> int:
        """Tokens that the model will hold for this request at most."""
        return self.ready.size

    @property
    def bytes(self) -> int:
        """Memory that its pixels take."""
        return sum(one.numel() * one.element_size() for one in self.inputs.values())

    def seen(self, completion: Completion, prefill_ms: float, generate_ms: float) -> Completion:
        """The completion with what was seen for it and how long that took."""
        stages = replace(self.stages, prefill_ms=prefill_ms, generate_ms=generate_ms)
        return replace(completion, stages=stages, frame_times=self.times)


@dataclass
class VisionReader:
    """Turns requests and their clips into sights, with the class's own processor.

    ``template`` is the chat template for messages, None if there is none; ``system`` the system
    prompt of messages that have none. ``dtype`` is the pixels'.
    """

    how: VisionClass
    processor: ProcessorMixin
    tokenizer: TextTokenizer
    template: str | None
    system: str | None = None
    max_length: int = 0
    dtype: torch.dtype | None = None
    remarks: tuple[str, ...] = ()
    _for_videos: str | None = None
    _reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = Reader(self.tokenizer, self.max_length)
        self.tokens = {kind: str(getattr(self.processor, f"{kind}_token")) for kind in KINDS}

    def notes(self) -> tuple[str, ...]:
        """What the user should know about the prompts read so far."""
        return (*self._reader.notes(), *self.remarks)

    def use_class_template(self) -> None:
        """Take the chat template of the class for videos, as the class itself does."""
        self._for_videos = str(import_module(self.how.template).DEFAULT_CHAT_TEMPLATE)
        self.remarks = (
            f"the base's chat template has no place for videos: {self.how.title}'s own",
        )

    def text(self, request: Request) -> str:
        """The prompt with one placeholder for each image or video.

        Raises Refused if there is no chat template for messages, if it writes no placeholders, or
        if the prompt holds some of its own.
        """
        kinds = media_kinds(request)
        if isinstance(request.prompt, str):
            before, behind = self.how.around
            text = "".join(before + self.tokens[kind] + behind for kind in kinds) + request.prompt
        else:
            template = (self._for_videos if "video" in kinds else None) or self.template
            text = self._render(template, with_media(request.prompt, kinds, self.system))
        for kind, token in self.tokens.items():
            wanted, found = kinds.count(kind), text.count(token)
            if found > wanted:
                raise Refused(f"the prompt itself says {token}, which stands for {kind}s")
            if found < wanted:
                raise Refused(f"the chat template has no place for {kind}s ({token})")
        return text

    def count(self, request: Request) -> int:
        """Tokens of the prompt's text and of the continuations; a placeholder counts as written."""
        if not request.continuations:
            return len(self.tokenizer.encode([self.text(request)])[0])
        ids, tails = encode_pair(self.tokenizer, self.text(request), request.continuations)
        return len(ids) + sum(map(len, tails))

    def read(self, request: Request, seen: Seen | MediaError) -> Sight | Completion:
        """The request ready for the model, or a completion that says why it cannot be asked."""
        if isinstance(seen, MediaError):
            return Completion.of_error(request, str(seen))
        try:
            return self._read(request, seen)
        except Refused as error:
            return Completion.of_error(request, str(error))
        except Exception as error:  # whatever the processor stumbles over is this sample's
            return Completion.of_error(
                request, f"the processor of {self.how.title} failed: {first_words(error)}"
            )

    def _read(self, request: Request, seen: Seen) -> Sight | Completion:
        began = time.perf_counter()
        text = self.text(request)
        context, tails = self._encode(request, text)
        inputs: dict[str, Any] = {}
        types: list[int] = []
        if seen.clips:
            self._check(request, seen.clips)
            context, types, inputs = self._look(request, text, context, seen.clips)
        frames = sum(len(clip.frames) for clip in seen.clips)
        fitted = self._fit(Ready(request, context, tails), frames)
        if isinstance(fitted, Completion):
            return fitted
        took = (time.perf_counter() - began) * 1e3
        shapes = tuple((name, tuple(one.shape)) for name, one in sorted(inputs.items()))
        sizes = tuple((len(clip.frames), clip.frames[0].shape) for clip in seen.clips)
        return Sight(
            ready=fitted,
            inputs=inputs,
            types=types,
            key=(request.output_type == "generate", media_kinds(request), sizes, shapes),
            stages=Stages(decode_ms=seen.decode_ms, preprocess_ms=took, frames=frames),
            times=seen.times,
        )

    def _encode(self, request: Request, text: str) -> tuple[list[int], list[list[int]]]:
        """Ids of the prompt, placeholders as they stand, and of the continuations behind it.

        Unlike with language models, BOS stands also before a rendered chat template that does not
        say it: the templates of LLaVA and its kin leave it to the processor.
        """
        chat = not isinstance(request.prompt, str)
        self._reader.doubled += self.tokenizer.doubles(text, chat)
        if request.output_type == "generate":
            return self.tokenizer.encode([text])[0] or self.tokenizer.start(), []
        if not request.continuations:
            raise Refused(f"a {request.output_type} request without continuations")
        if not all(one.strip() for one in request.continuations):
            raise Refused("an empty continuation has no log-likelihood")
        ids, tails = encode_pair(self.tokenizer, text, request.continuations)
        ids = ids or self.tokenizer.start()
        if not ids:
            raise Refused("an empty prompt, and the tokenizer has neither BOS nor EOS")
        if not all(tails):
            raise Refused("a continuation without tokens has no log-likelihood")
        return ids, tails

    def _check(self, request: Request, clips: Sequence[Clip]) -> None:
        kinds = media_kinds(request)
        if not self.how.mixes and len(set(kinds)) > 1:
            raise Refused(f"{self.how.title} takes images or videos in one prompt, not both")
        counts = {len(c.frames) for c, kind in zip(clips, kinds, strict=True) if kind == "video"}
        if self.how.stacks and len(counts) > 1:
            told = " and ".join(map(str, sorted(counts)))
            raise Refused(f"videos of {told} frames in one prompt: {self.how.title} needs equal")

    def _look(
        self, request: Request, text: str, context: list[int], clips: Sequence[Clip]
    ) -> tuple[list[int], list[int], dict[str, Any]]:
        """Ids with the placeholders spread over the frames, the types of the tokens, the pixels.

        BOS is in front and the end is cut as in ``context``, which was split from its continuations
        before the placeholders were spread.
        """
        if request.continuations:
            text = text.rstrip()
        whole = self.tokenizer.encode([text])[0]
        front = len(whole) - len(self.tokenizer.encode_bare([text])[0])
        end = len(whole) - len(context)
        found = dict(self._process(text, clips, media_kinds(request)))
        ids = found.pop("input_ids")[0].tolist()
        types = found.pop(TYPES)[0].tolist() if TYPES in found else []
        found.pop("attention_mask", None)
        ids = whole[:front] + ids[max(0, -front) : len(ids) - end]
        types = types and [0] * front + types[max(0, -front) : len(types) - end]
        if self.dtype is not None:
            for name in found:
                if name.startswith("pixel_values"):
                    found[name] = found[name].to(self.dtype)
        return ids, types, found

    def _process(
        self, text: str, clips: Sequence[Clip], kinds: Sequence[str]
    ) -> Mapping[str, torch.Tensor]:
        import numpy as np
        from PIL import Image

        arguments: dict[str, Any] = {}
        pairs = list(zip(clips, kinds, strict=True))
        if "image" in kinds:
            images = [clip.frames[0] for clip, kind in pairs if kind == "image"]
            arguments["images"] = [Image.fromarray(one) for one in images]
        if "video" in kinds:
            shown = [self._shown(clip) for clip, kind in pairs if kind == "video"]
            arguments["videos"] = [np.stack(clip.frames) for clip in shown]
            arguments["videos_kwargs"] = {
                "do_sample_frames": False,
                "video_metadata": [metadata(clip) for clip in shown],
                "input_data_format": "channels_last",
                **self.how.videos,
            }
        # BOS is added by whoever called, who knows whether the text says it already
        found: Mapping[str, torch.Tensor] = self.processor(
            text=[text],
            return_tensors="pt",
            text_kwargs={"add_special_tokens": False},
            **arguments,
        )
        return found

    def _shown(self, clip: Clip) -> Clip:
        """The clip with its last frame again, if the class needs more than there are."""
        missing = self.how.least - len(clip.frames)
        if missing <= 0:
            return clip
        return replace(
            clip,
            frames=clip.frames + clip.frames[-1:] * missing,
            times=clip.times + clip.times[-1:] * missing,
        )

    def _fit(self, ready: Ready, frames: int) -> Ready | Completion:
        """A prompt with frames loses no tokens: it fits, or it fails and says how large it is."""
        request, settings = ready.request, ready.request.settings
        if request.output_type == "perplexity":  # of one piece here, unlike with text alone
            over = len(ready.ids) + len(ready.continuations[0]) - 1 - self.max_length
            if over > 0:
                what = f"prompt and target are {over} tokens over the context of {self.max_length}"
                return Completion.of_error(request, what, prompt_tokens=len(ready.ids))
        if not frames:
            return self._reader.fit(ready)
        policy: Truncation = "skip" if settings.truncate == "skip" else "error"
        strict = replace(request, settings=replace(settings, truncate=policy))
        fitted = self._reader.fit(replace(ready, request=strict))
        if isinstance(fitted, Ready):
            return ready
        share = self._frame_tokens(ready.ids)
        told = f"{fitted.error} ({frames} frames x {share / frames:.4g} tokens are {share} of it)"
        return replace(fitted, error=told)

    def _frame_tokens(self, ids: Sequence[int]) -> int:
        """How many of the ids stand for pixels."""
        numbers = {self.tokenizer.backend.token_to_id(token) for token in self.tokens.values()}
        return sum(token in numbers for token in ids)

    def _render(self, template: str | None, turns: list[dict[str, object]]) -> str:
        if template is None:
            raise Refused("the prompt is messages, and the model has no chat template")
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            texts, _ = render_jinja_template(
                [turns],
                chat_template=template,
                add_generation_prompt=True,
                **self.tokenizer.specials,
            )
        except (TemplateError, TypeError, KeyError, IndexError) as error:
            raise Refused(f"chat template: {first_words(error)}") from None
        return str(texts[0])

    def places_videos(self) -> bool:
        """Whether the chat template writes the placeholder of a video."""
        turns = with_media([Message("user", "x")], ("video",), None)
        try:
            return self.tokens["video"] in self._render(self.template, turns)
        except Refused:
            return False


def media_kinds(request: Request) -> tuple[str, ...]:
    """ "image" or "video" for each of the request's files, as they begin; nothing is decoded."""
    from harness.media.image import is_image

    def kind(path: Path) -> str:
        try:
            return "image" if is_image(path) else "video"
        except OSError:  # a missing file; whoever decodes it says so
            return "video"

    return tuple(kind(Path(path)) for path in request.media)


def with_media(
    messages: Sequence[Message], kinds: Sequence[str], system: str | None
) -> list[dict[str, object]]:
    """Turns as chat templates of vision models take them: content in parts, the media in front
    of the last user turn's text, and a system turn if there is none.

    Raises Refused if there are media and no turn of the user.
    """
    turns: list[dict[str, object]] = [
        {"role": one.role, "content": [{"type": "text", "text": one.content}]} for one in messages
    ]
    asking = [number for number, one in enumerate(messages) if one.role == "user"]
    if kinds:
        if not asking:
            raise Refused("the prompt has media and no user message to put them into")
        text = {"type": "text", "text": messages[asking[-1]].content}
        turns[asking[-1]]["content"] = [*({"type": kind} for kind in kinds), text]
    if system is not None and not any(one.role == "system" for one in messages):
        turns.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
    return turns


def metadata(clip: Clip) -> Any:
    """What transformers is told about a clip's times, so that it computes them as they are.

    It takes a frame's time to be its index over fps, and the distance of frames to be that of
    `total_num_frames` over all of the video. Neither is true where frame rates vary or where a
    part was cut out; so the indices are times in units of 1/fps, and the total is what makes the
    distance come out right.
    """
    from transformers.video_utils import VideoMetadata

    fps = round(clip.source_fps, 6) or 1.0  # 15.000000000000002 would put second 1 before 1
    count, span = len(clip.times), clip.times[-1] - clip.times[0]
    rate = (count - 1) / span if span > 0 else 1 / clip.duration if clip.duration > 0 else fps
    return VideoMetadata(
        total_num_frames=count / rate * fps,
        fps=fps,
        # rounded: a frame's number where the rate is constant, to the last bit
        frames_indices=[round(moment * fps, 6) for moment in clip.times],
        duration=clip.duration,
        width=clip.width,
        height=clip.height,
    )
