"""`harness view`: the site on this machine, and the newest run while it is still running."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.named import NamedPath, none_empty
from harness.errors import HarnessError, printable

if TYPE_CHECKING:
    from harness.leaderboard.serve import SiteServer
    from harness.leaderboard.watch import Watch

POLL_S = 1.0


@click.command(context_settings={"max_content_width": 100})
@click.argument("names", nargs=-1, metavar="[RUN]...", callback=none_empty)
@click.option("--runs", type=NamedPath(), help="Where runs are (runs/).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port (without it, a free one).")
@click.option("--no-open", is_flag=True, help="Only print the address.")
@click.option("--to", type=NamedPath(), help="Where the site is built (.harness/site).")
def view(
    names: tuple[str, ...], runs: Path | None, port: int | None, no_open: bool, to: Path | None
) -> int:
    """Show all runs, or RUNs, in the browser, and what is running now; Ctrl-C ends.

    RUN is a folder, an id or its beginning, 'latest', or a model's name. While a run is at work,
    its page opens: progress, answers as they come, judges with their cost. The site is built anew
    whenever a run has finished. Only this machine's browser can read it.
    """
    from harness.collect.library import project_root
    from harness.leaderboard.serve import SiteServer
    from harness.leaderboard.watch import Watch
    from harness.results.pairs import runs_among
    from harness.results.store import find_run

    root = project_root(Path.cwd())
    folder = root / "runs" if runs is None else runs
    site = root / ".harness" / "site" if to is None else to
    if runs is not None and not folder.is_dir():
        raise HarnessError(f"no folder {folder}; 'harness run' makes one")
    named = list(dict.fromkeys(find_run(folder, name).path for name in runs_among(names)))
    watch = Watch(folder, named, lambda paths: build_site(paths, site), _say)
    with SiteServer(site, watch.live, port or 0) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        ).start()
        try:
            _watch(watch, server, opened=not no_open)
        except KeyboardInterrupt:
            click.echo()
        finally:
            server.shutdown()
            watch.finish()
    return 0


def build_site(runs: Sequence[Path], to: Path) -> None:
    """Publish the runs, for this machine only; raises HarnessError if that is not possible, and for
    a damaged run: `Watch` leaves it out."""
    from harness.leaderboard.publish import PublishOptions, publish, readable_project
    from harness.results.store import read_run

    options = PublishOptions(project=readable_project(), live=True)
    publish([read_run(path) for path in runs], to, options)


def _watch(watch: Watch, server: SiteServer, opened: bool) -> None:
    """Build, tell the address, and look on until Ctrl-C."""
    watch.build()
    watch.look()
    url = server.url + ("live.html" if watch.running else "index.html")
    click.echo(f"open {url} in a browser of this machine; Ctrl-C ends")
    if opened and has_display():
        import webbrowser

        webbrowser.open(url)
    while True:
        time.sleep(POLL_S)
        watch.look()


def has_display() -> bool:
    """Whether a browser has a place to open at."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in names)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # then nobody can be told
        click.echo(printable(line))
