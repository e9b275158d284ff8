"""A static site out of runs: gather, compare, write what has changed.

    runs -> board -> deltas, rulings -> pages
                `-> data scripts, downloads

The same runs and options make the same bytes; nothing in a site says when it was made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.collect.library import BASELINES, Project, library_root
from harness.errors import HarnessError, StoreError
from harness.leaderboard.folder import FORMAT, SiteFolder
from harness.leaderboard.texts import Texts
from harness.results.manifest import FILE_NAME
from harness.results.store import RunReader

if TYPE_CHECKING:
    from harness.leaderboard.gather import Board


SHOWN = (
    "tasks/**/README.md",
    "tasks/**/*.task.yaml",
    "adapters/**/*.model.yaml",
    "finetune/**/*.recipe.yaml",
    "runs/finetune/*/curve.parquet",
    "runs/finetune/*/recipe.json",
    "judges/calibration/**/*",
    f"{BASELINES}/*/{FILE_NAME}",
)
"""Files of a project, beside its runs, that pages are made of; and what samples name as media."""
DECODED = Path(".harness/media")
"""Of a project: the clips that its runs have decoded."""


@dataclass(frozen=True)
class PublishOptions:
    """``max_samples`` of a task keep their texts (None: all); failures and disagreements always.
    ``project`` gives what runs do not hold: READMEs, training curves, gates, baselines, media."""

    title: str = "Leaderboard"
    texts: Texts = field(default_factory=Texts)
    max_samples: int | None = None
    project: Project | None = None
    fresh: bool = False
    """Write everything anew, whatever is there."""
    live: bool = False
    """With the page of what is running, which only `harness view` can fill; no run at all makes the
    site of none."""
    lenient: bool = False
    """Leave out runs that are damaged, in place of ending with the first."""


@dataclass(frozen=True)
class Published:
    """What was done. ``written`` files are new or changed; ``current`` says that none had to be
    looked at, since nothing had changed at all."""

    to: Path
    runs: int
    models: int
    tasks: int
    files: int
    bytes: int
    written: int = 0
    changed_runs: tuple[str, ...] = ()
    gone_runs: tuple[str, ...] = ()
    """Runs that the site held before."""
    left_out: tuple[str, ...] = ()
    """Why runs were left out, a line each."""
    current: bool = False


def publish(runs: Sequence[RunReader], to: Path, options: PublishOptions) -> Published:
    """Write the site of some runs to a folder.

    Raises StoreError for no runs, for a damaged one, for a folder that holds something else, and
    for a disk that refuses; the old site stays as it is until the pages are written.
    """
    if not runs and not options.live:
        raise StoreError("no runs to publish: 'harness run' makes one")
    runs = list({run.run_id: run for run in runs}.values())
    site = SiteFolder.open(to)
    stamp = site_stamp(runs, options)
    if not options.fresh and site.is_current(stamp):
        return _unchanged(site)
    return _write(runs, site, stamp, options)


def _write(
    runs: Sequence[RunReader], site: SiteFolder, stamp: str, options: PublishOptions
) -> Published:
    before = {name for name in site.known.get("groups", {}) if name.startswith("runs/")}
    if options.fresh:
        site.forget()
    sound, left_out = _sound(runs, options, site.known.get("groups", {}))
    try:
        board, changed = _fill(sound, site, options)
    except StoreError:
        # a run that was whole when it was published may be so no more: who is to blame?
        whole, left_out = _sound(runs, options, ())
        if len(whole) == len(sound):
            raise
        board, changed = _fill(whole, site, options)
    if left_out:
        stamp = ""  # who mends a run need not change its manifest
    summary = {"runs": len(board.runs), "models": len(board.models), "tasks": len(board.tasks)}
    site.finish(stamp, summary)
    sizes = site.files
    return Published(
        site.root,
        len(board.runs),
        len(board.models),
        len(board.tasks),
        files=len(sizes),
        bytes=sum(sizes.values()),
        written=site.written,
        changed_runs=changed,
        gone_runs=tuple(sorted(name.removeprefix("runs/") for name in before - site.groups.keys())),
        left_out=tuple(left_out),
    )


def _fill(
    runs: Sequence[RunReader], site: SiteFolder, options: PublishOptions
) -> tuple[Board, tuple[str, ...]]:
    """Write all that runs make up; the board, and the runs whose data were written."""
    from harness.leaderboard.data_files import DataFiles
    from harness.leaderboard.gather import gather
    from harness.leaderboard.media import Pictures, media_roots
    from harness.leaderboard.posters import Posters
    from harness.leaderboard.site_pages import site_pages

    site.groups.clear()
    board = gather(runs)
    roots = media_roots(board, options.project)
    home = local_folders(options.project)
    data = DataFiles(
        board,
        site,
        options.texts,
        options.max_samples,
        home,
        Pictures(roots, site.whole),
        Posters(options.project.root / DECODED if options.project is not None else None),
    )
    data.write()
    site.write("pages", "", site_pages(board, options, home, data))
    return board, tuple(data.changed)


def _sound(
    runs: Sequence[RunReader], options: PublishOptions, published: Collection[str]
) -> tuple[list[RunReader], list[str]]:
    """The runs whose files are those that were written, and why the others are left out. Runs that
    are ``published`` already are not read again."""
    sound, trouble = [], []
    for run in runs:
        try:
            if f"runs/{run.run_id}" not in published:
                run.verify()
            sound.append(run)
        except StoreError as error:
            if not options.lenient:
                raise
            trouble.append(str(error))
    if trouble and not sound:  # a site that is there is worth more than none
        raise StoreError(f"no run can be published: {trouble[0]}")
    return sound, trouble


def _unchanged(site: SiteFolder) -> Published:
    groups = site.known["groups"].values()
    sizes = {path: size for group in groups for path, size in group["files"].items()}
    counts = site.known.get("summary", {})
    runs, models, tasks = (int(counts.get(name, 0)) for name in ("runs", "models", "tasks"))
    return Published(
        site.root,
        runs,
        models,
        tasks,
        files=len(sizes),
        bytes=sum(sizes.values()),
        current=True,
    )


def site_stamp(runs: Sequence[RunReader], options: PublishOptions) -> str:
    """A hash of everything that determines the site: runs, options, templates, and the files of the
    project that the pages show."""
    digest = hashlib.sha256()
    words = [FORMAT, harness.__version__, options.title, options.max_samples, options.live]
    digest.update(json.dumps([*words, options.texts.words], default=str).encode())
    ordered = sorted(runs, key=lambda one: one.path.as_posix())
    for run in ordered:
        digest.update(_digest(run.path / FILE_NAME))
    folders: dict[Path, tuple[str, ...]] = {library_root(): ("leaderboard/site/*",)}
    folders[Path(harness.__file__).parent] = ("leaderboard/**/*.py",)
    if options.project is not None:
        folders[options.project.root] = folders.get(options.project.root, ()) + SHOWN
    for root, patterns in folders.items():
        for file in sorted({one for pattern in patterns for one in root.glob(pattern)}):
            if file.is_file():
                digest.update(file.relative_to(root).as_posix().encode() + _digest(file))
    if options.project is not None:
        for run in ordered:
            digest.update(_media(run, options.project))
    return digest.hexdigest()


def _media(run: RunReader, project: Project) -> bytes:
    """What tells that a picture or a video of a run's samples has changed."""
    from harness.leaderboard.media import media_stamp

    try:
        return json.dumps(media_stamp(run, project)).encode()
    except StoreError as error:  # a damaged run: whoever reads it next says so
        return str(error).encode("utf-8", "backslashreplace")


def _digest(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}") from None


def local_folders(project: Project | None) -> tuple[Path, ...]:
    """Folders of this machine that no page is to name."""
    found = [Path.cwd(), library_root()]
    if project is not None:
        found.append(project.root)
    with contextlib.suppress(RuntimeError):  # nobody's
        found.append(Path.home())
    return tuple(dict.fromkeys(found))


def readable_project() -> Project | None:
    """The project around the present folder; None if there is none that can be read."""
    try:
        return Project.here()
    except HarnessError:
        return None
