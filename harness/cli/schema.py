"""`harness schema`: the shapes of the files, for editors."""

from __future__ import annotations

import json
from typing import cast

import click

from harness.collect.schema import json_schema
from harness.collect.specs import SPEC_KINDS
from harness.collect.validate import Kind


@click.command(context_settings={"max_content_width": 100})
@click.argument("kind", type=click.Choice(list(SPEC_KINDS)))
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file.

    Editors with the YAML language server complete and check a file that names its schema in the
    first line:

    \b
        harness schema task > task.schema.json
        # yaml-language-server: $schema=../../task.schema.json
    """
    click.echo(json.dumps(json_schema(cast(Kind, kind)), ensure_ascii=False, indent=2))
