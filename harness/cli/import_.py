"""`harness import`: a data set as its authors distribute it, to the data of a task."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from harness.tasks.importers.registry import IMPORTERS


@click.command(
    "import",
    context_settings={"max_content_width": 100},
    epilog="\b\nData sets:\n"
    + "\n".join(f"  {n:<15} {what}" for n, (_, what) in IMPORTERS.items()),
)
@click.argument("name", metavar="NAME")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path),
              help="The task's folder (tasks/NAME); the data go to its data/.")  # fmt: skip
@click.option("--media", type=click.Path(path_type=Path), metavar="ROOT",
              help="What paths of media are written relative to (DIR).")  # fmt: skip
@click.option("--split", "splits", multiple=True, help="Only this split; repeatable.")
@click.option("--classes", metavar="A,B,...", help="Only these classes.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N",
              help="At most N records a split, drawn by --seed.")  # fmt: skip
@click.option("--one-per-cluster", is_flag=True,
              help="One record a source video or image, drawn by --seed.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True,
              help="What is drawn: records, and wrong options where there are none.")  # fmt: skip
@click.option("--no-checksums", is_flag=True, help="Do not read the media to hash them.")
@click.option("--force", is_flag=True, help="Overwrite files of other content.")
@click.option("--allow-outside", is_flag=True,
              help="Follow links out of DIR; media outside ROOT by absolute paths.")  # fmt: skip
def import_(name: str, folder: Path, to: Path | None, **options: object) -> None:
    """Write the JSON lines of a task out of the original folder of a data set.

    Reads annotations and names of files; media are hashed, never copied or changed. All records
    are written or none. What is left out is counted with its reason and listed in full in
    NAME.left-out.jsonl.
    """
    from harness.collect.library import Project
    from harness.tasks.importers.importing import Wanted, import_data
    from harness.tasks.importers.registry import get_importer
    from harness.tasks.importers.summary import told

    get_importer(name)  # a misspelt name is told before anything else
    classes = str(options["classes"] or "").split(",")
    wanted = Wanted(
        name=name,
        root=folder,
        to=to or Project.here().root / "tasks" / name,
        media=options["media"],  # type: ignore[arg-type]
        splits=tuple(options["splits"]),  # type: ignore[arg-type]
        classes=tuple(label.strip() for label in classes if label.strip()),
        limit=options["limit"],  # type: ignore[arg-type]
        seed=int(options["seed"]),  # type: ignore[call-overload]
        one_per_cluster=bool(options["one_per_cluster"]),
        checksums=not options["no_checksums"],
        force=bool(options["force"]),
        allow_outside=bool(options["allow_outside"]),
    )
    done = import_data(wanted, _progress() if sys.stderr.isatty() else None)
    for line in told(wanted, done):
        click.echo(line)


def _progress() -> Callable[[int, int], None]:
    """A line of a terminal that says how far hashing is; it is gone when all is done."""
    last = 0.0

    def tell(done: int, files: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == files:
            click.echo("\r\033[K", nl=False, err=True)
        elif now - last > 0.2:
            last = now
            click.echo(f"\rhashing {done:,} of {files:,} files", nl=False, err=True)

    return tell
