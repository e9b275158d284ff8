"""The name of a request in the cache: the hash of all that determines its reply."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from functools import lru_cache

from harness.records import FrameSettings, GenerateSettings, Request

KEY_VERSION = 3  # raise it when the meaning of a key or a body changes


def request_key(fingerprint: str, request: Request) -> bytes:
    """SHA-256 of all that determines the reply to a request by the model with a fingerprint.

    The seed of a greedy request is left out: it cannot change the reply.
    """
    prompt = (
        request.prompt
        if isinstance(request.prompt, str)
        else [[m.role, m.content] for m in request.prompt]
    )
    parts = [KEY_VERSION, fingerprint, request.output_type, prompt, request.continuations]
    media = [_media_digest(path) for path in request.media]
    parts += [_settings_text(request.settings), media, request.epoch]
    if request.media and request.frames is not None:
        parts.append(_frames_text(request.frames, request.media))
    form = request.form  # by hand: `astuple` copies deeply, which is most of a key's time
    parts += [(form.name, form.schema, form.top_logprobs) if form else None]
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def _media_digest(path: str) -> str:
    """What a file holds, not where it lies; its name if it cannot be read."""
    try:
        state = os.stat(path)
        return _digest_of(path, state.st_size, state.st_mtime_ns)
    except (OSError, ValueError):  # a path with a zero byte is a ValueError
        return path


@lru_cache(maxsize=65536)
def _digest_of(path: str, _size: int, _changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=65536)
def _frames_text(frames: FrameSettings, media: tuple[str, ...]) -> str:
    """What is seen of the files. What is drawn at random is drawn by a file's name."""
    known = asdict(frames)
    if frames.degrade == "none":
        del known["seed"]
    else:
        known["names"] = [os.path.basename(path) for path in media]
    return json.dumps(known, sort_keys=True)


@lru_cache(maxsize=1024)
def _settings_text(settings: GenerateSettings) -> str:
    known = asdict(settings)
    if settings.temperature == 0:
        del known["seed"]
    return json.dumps(known, sort_keys=True)
