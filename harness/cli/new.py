"""`harness new`: a starter that is valid and says in comments what can be changed."""

from __future__ import annotations

from pathlib import Path

import click

from harness.collect.library import Library, Project, library_root
from harness.collect.specs import SPEC_KINDS
from harness.collect.starter import starter_files, write_starter
from harness.errors import shown

NEXT = {
    "task": ("harness collect {name}", "harness run {name} -m tiny-llama"),
    "model": ("harness collect {file}", "harness run vad_approach -m {name} --dry-run"),
    "recipe": ("harness collect {file}", "harness finetune {file} --dry-run"),
    "judge": ("harness collect {file}", "harness schema judge"),
}
"""Kind -> the two commands to go on with."""


@click.command(context_settings={"max_content_width": 100})
@click.argument("kind", type=click.Choice(list(SPEC_KINDS)))
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Root of the project; the present project's if not given.",
)
def new(kind: str, name: str, folder: Path | None) -> None:
    """Write a commented starter that is valid as it stands; nothing is overwritten."""
    root = folder.resolve() if folder else Project.here().root
    files = starter_files(kind, name)
    write_starter(root, files)
    for path in files:
        click.echo(f"wrote {shown(root / path)}")
    if Library(library_root(), "bundled").files(kind, name):
        click.echo(f"note: in this project it stands in place of the bundled {kind} '{name}'")
    click.echo("\nnext:")
    if folder and root != Path.cwd():
        click.echo(f"  cd {folder}")
    base = root if not folder and Path.cwd().is_relative_to(root) else None
    first = shown(base / next(iter(files))) if base else str(next(iter(files)))
    for command in NEXT[kind]:
        click.echo(f"  {command.format(name=name, file=first)}")
