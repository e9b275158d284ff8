"""`harness doctor`: whether models can be asked, and whether a bridge keeps its promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.errors import ExitCode, printable

if TYPE_CHECKING:
    from harness.adapters.conformance import Check

WIDTH = 26  # of a check's name


@click.command(context_settings={"max_content_width": 100})
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--allow-code", is_flag=True,
              help="Permit trust_remote_code, and bridges of cards of your own.")  # fmt: skip
def doctor(models: tuple[str, ...], allow_code: bool) -> None:
    """Look whether models can be asked: files, fingerprint, one short question, the same again.

    A vision model is asked about four frames of a generated clip, too, and so is a model behind an
    API whose card has `video:`.

    For a bridge (docs/bridges.md): everything that a worker must do, from its greeting to its end,
    with the time that each took. A question to an API is sent, and paid for.

    Exit code 0: all is well; 1: something FAILED, and the line says what to do.
    """
    from harness.adapters.examine import examine
    from harness.collect.library import Project

    project = Project.here()
    names = dict.fromkeys(name for text in models for name in text.split(",") if name)
    cards = [project.get_model(name) for name in names]  # a misspelt name before anything starts
    failed = 0
    for card in cards:
        click.echo(f"{card.model} ({card.adapter})")
        count = 0
        for check in examine(card, allow_code):
            click.echo(printable(_line(check)))
            count += not check.ok
        click.echo(f"  {'all is well' if not count else f'{count} FAILED'}\n")
        failed += count
    raise SystemExit(int(ExitCode.FAILED if failed else ExitCode.OK))


def _line(check: Check) -> str:
    took = "" if check.seconds is None else f"{check.seconds:8.2f} s"
    word = "ok" if check.ok else "FAILED"
    return f"  {word:<7} {check.name:<{WIDTH}} {took:>10}  {check.said}"
