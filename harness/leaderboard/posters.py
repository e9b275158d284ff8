"""Poster frames: a few of the frames that models saw of a video, as small pictures.

They are made from what the run asked for (frames a second, resolution, degradation): decoded as
for a model, made worse as for a model, and only then made small. Which frames a model was given is
read from the run; if the file no longer has them, that is said in place of pictures.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import MediaError
from harness.leaderboard.frames_seen import Looks, Span, Times, events_of, row_of
from harness.leaderboard.media import is_video, own_file
from harness.leaderboard.names import short_hash
from harness.leaderboard.samples import SHARD, SampleTexts, Shown
from harness.leaderboard.scripts import script
from harness.leaderboard.texts import Texts
from harness.records import FrameSettings, Request

if TYPE_CHECKING:
    from harness.media.clip import Frame
    from harness.media.source import MediaSource, Seen

MOST = 8
"""Frames of a clip."""
WIDEST = 240
"""Pixels of the longer side; smaller ones are not enlarged."""
LARGEST = 12_000
"""Bytes of a JPEG."""
QUALITIES = (80, 65, 50, 35, 20)
BUDGET = 8000
"""Frames of a site (96 MB at most, a third of it mostly): with many samples each has fewer."""
SAME = 2e-3
"""Seconds that the stored time of a frame may be off."""
CHANGED = "the frames that the model saw are not in the file any more: it has changed since the run"
UNREADABLE = "no frame can be shown: the file is missing or cannot be decoded"
OVER = "frames left out: the site has those of other samples, and no more"


@dataclass(frozen=True)
class Strips:
    """The strips of a group of samples: ``clips[i]`` are those of sample i, one a file."""

    clips: Mapping[int, list[dict[str, Any]]]
    files: list[tuple[str, bytes]]


@dataclass
class Posters:
    """Makes strips of frames; the same file, seen in the same way, once for the whole site.

    ``cache`` is the folder of the clips that runs have decoded, if there is one; ``share`` is how
    many frames a group of samples may have.
    """

    cache: Path | None = None
    share: int = BUDGET
    _known: dict[tuple[object, ...], tuple[dict[str, Any], dict[str, bytes]]] = field(
        default_factory=dict
    )

    @cached_property
    def source(self) -> MediaSource:
        """What decodes; a site without videos does not load it."""
        from harness.media.cache import MediaCache
        from harness.media.source import MediaSource

        there = self.cache is not None and self.cache.is_dir()
        return MediaSource(MediaCache(self.cache) if there and self.cache else None)

    def of(
        self,
        found: SampleTexts,
        files: Mapping[int, Sequence[Path | None]],
        looks: Looks,
        seen: Mapping[str, Times],
    ) -> Strips:
        """The strips of the samples that have ``files``: their media in order, None for one that
        may not be published or is not there. ``seen`` are the times that a model was given."""
        each = min(MOST, max(1, self.share // max(1, len(files))))
        order = sorted(files)
        over = order[self.share :]
        asked = [self._ask(found, i, files[i], looks, seen) for i in order[: self.share]]
        self._make([one for one in asked if None not in one.files and one.is_possible], each)
        clips: dict[int, list[dict[str, Any]]] = {}
        bodies: dict[str, bytes] = {}
        for one in asked:
            entry, own = self._known.get(_key(one, each), ({"note": UNREADABLE, "frames": []}, {}))
            clips[one.place] = _told(entry, one, looks)
            bodies |= own
        for i in over:
            clips[i] = [{"name": _names(found, i), "frames": [], "note": OVER}]
        return Strips(clips, sorted(bodies.items()))

    def _ask(
        self,
        found: SampleTexts,
        i: int,
        files: Sequence[Path | None],
        looks: Looks,
        seen: Mapping[str, Times],
    ) -> _Asked:
        row = row_of(found.columns["row"][i])
        times = seen.get(found.columns["sample"][i], ())
        return _Asked(
            i, _names(found, i), tuple(files), looks.of(row), times, tuple(events_of(row))
        )

    def _make(self, asked: Sequence[_Asked], each: int) -> None:
        new = {_key(one, each): one for one in asked if _key(one, each) not in self._known}
        requests = [
            Request(str(n), "generate", "", media=tuple(map(str, one.files)), frames=one.frames)
            for n, one in enumerate(new.values())
        ]
        for (key, one), (_, seen) in zip(new.items(), self.source.clips(requests), strict=True):
            if isinstance(seen, MediaError):
                continue
            self._known[key] = _strip(seen, one, each)


@dataclass(frozen=True)
class _Asked:
    """One sample's media, and how they were looked at."""

    place: int
    name: str
    files: tuple[Path | None, ...]
    frames: FrameSettings
    times: Times
    events: tuple[Span, ...]

    @property
    def is_possible(self) -> bool:
        """Whether the settings make sense for this sample: its end may be before its start."""
        from harness.media.source import sampling_of

        try:
            sampling_of(self.frames)
        except MediaError:
            return False
        return True


def _key(one: _Asked, each: int) -> tuple[object, ...]:
    return (one.files, one.frames, one.times, one.events, each)


def _names(found: SampleTexts, i: int) -> str:
    return ", ".join(Path(path).name for path in found.columns["media"][i] or ())


def _told(entry: Mapping[str, Any], one: _Asked, looks: Looks) -> list[dict[str, Any]]:
    """What the page is told of a sample."""
    return [{"name": one.name, "how": looks.words, **entry}]


def _strip(seen: Seen, one: _Asked, most: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What is told of a clip, and the pictures."""
    times = seen.times
    frames = [(f, clip.source_frames > 1) for clip in seen.clips for f in clip.frames]
    places = matched(times, one.times) if one.times else range(len(times))
    events = [[*span, sum(_inside(times[p], [span]) for p in places or ())] for span in one.events]
    told: dict[str, Any] = {"frames": [], "seen": len(places or ())}
    if events:
        told["events"] = events
    if places is None:
        return {"frames": [], "note": CHANGED}, {}
    files: dict[str, bytes] = {}
    inside = [_inside(times[place], one.events) for place in places]
    for n in chosen(inside, most):
        pixels, moves = frames[places[n]]
        body = small(pixels)
        digest = hashlib.sha256(body).hexdigest()[:16]
        src = f"media/{short_hash(digest, 2)}/{digest}.jpg"
        files[src] = body
        time = round(times[places[n]], 3) if moves else None
        frame = {"src": src, "kind": "frame", "time": time, "name": one.name}
        told["frames"].append({**frame, "event": True} if inside[n] else frame)
    return told, files


def _inside(time: float, events: Sequence[Span]) -> bool:
    return any(first - SAME <= time <= last + SAME for first, last in events)


def matched(times: Times, seen: Times) -> list[int] | None:
    """The place of each frame that was seen among those that were decoded; None if one is not
    there. Both may begin anew, with another file."""
    places, at = [], 0
    for time in seen:
        following = (p for p in range(at, len(times)) if abs(times[p] - time) <= SAME)
        place = next(following, None)
        if place is None:
            return None
        places.append(place)
        at = place
    # one frame may be shown several times
    return list(range(len(times))) if len(seen) == len(times) else places


def chosen(inside: Sequence[bool], most: int) -> list[int]:
    """Places spread evenly over all; of those within an event one at least, if there is one."""
    count = len(inside)
    most = min(most, count)
    found = [int((k + 0.5) * count / most) for k in range(most)]
    if any(inside) and not any(inside[place] for place in found):
        hits = [place for place, hit in enumerate(inside) if hit]
        hit = hits[len(hits) // 2]
        nearest = min(range(most), key=lambda k: abs(found[k] - hit))
        found[nearest] = hit
    return sorted(set(found))


def small(frame: Frame) -> bytes:
    """A JPEG of at most LARGEST bytes: less fine, and at last smaller, until it is."""
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((WIDEST, WIDEST))
    while True:
        for quality in QUALITIES:
            out = io.BytesIO()
            image.save(out, "JPEG", quality=quality)
            if out.tell() <= LARGEST or max(image.size) <= 16:
                return out.getvalue()
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))


def wanted(found: SampleTexts, root: Path | None, looks: Looks) -> dict[int, list[Path | None]]:
    """The files of the samples that are shown and have a video, or pictures that were made worse;
    what is a picture and no more is shown as it is."""
    kept = range(found.shown.count) if found.shown.kept is None else found.shown.kept
    media = found.columns["media"]
    worse = looks.frames.degrade != "none"
    return {
        i: [own_file(root, path) for path in media[i]]
        for i in kept
        if media[i] and (worse or any(is_video(path) for path in media[i]))
    }


def strip_files(
    name: str, shown: Shown, strips: Strips, texts: Texts
) -> Iterator[tuple[str, bytes]]:
    """The pictures, and a script for each one of texts: ``{"i": samples, "clips": strips}``."""
    yield from strips.files
    places = range(shown.count) if shown.kept is None else shown.kept
    for number in range(1, shown.shards + 1):
        rows = [i for i in places[(number - 1) * SHARD : number * SHARD] if i in strips.clips]
        told = [[_cleaned(clip, texts) for clip in strips.clips[i]] for i in rows]
        value = {"i": rows, "clips": told}
        yield f"data/posters/{name}/{number:04d}.js", script(f"posters/{name}/{number}", value)


def _cleaned(clip: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """Names are texts."""
    name = texts.clean(clip["name"])
    return {**clip, "name": name, "frames": [{**one, "name": name} for one in clip["frames"]]}


def look_id(samples: str, looks: Looks) -> str:
    """The name of what was seen of some samples in one way."""
    return f"{samples}-{short_hash(repr(sorted(asdict(looks).items())))}"
