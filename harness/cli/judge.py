"""`harness judge RUN`: judge a finished run; and what says how far a judge can be believed."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli.named import NamedPath, none_empty, not_empty

COMMANDS = {
    "calibrate": ("harness.cli.judge_trust:calibrate", "Compare a judge with people's labels."),
    "selftest": ("harness.cli.judge_trust:selftest", "Try to fool a judge."),
    "label": ("harness.cli.judge_trust:label", "Rate a run's answers yourself, blinded."),
}
"""What may stand in place of a run; imported when it is called."""


@dataclass(frozen=True)
class JudgeArguments:
    """The command line of `harness judge RUN`, as it was typed."""

    run: str
    judges: tuple[str, ...]
    judge_model: str
    max_cost: float | None
    fresh: bool
    retry: bool
    dry_run: bool
    runs: Path | None
    cache: Path | None
    allow_code: bool


class JudgeGroup(click.Group):
    """Its commands by name; any other first word is the run that is to be judged."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*COMMANDS, *ctx.help_option_names):
            if len(args) > 1 and not args[1].startswith("-"):
                _check_command(ctx, args[0])
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "run":
            return judge_run
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        command.context_settings.setdefault("help_option_names", ["-h", "--help"])
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        judge_run.format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _check_command(ctx: click.Context, word: str) -> None:
    """Fail if the first of several words is most likely a misspelt command: a run stands alone."""
    from harness.collect.suggest import closest

    meant = closest(word, COMMANDS)
    if meant and word != "latest" and not word[0].isdigit():
        ctx.fail(f"no command '{word}' (did you mean '{meant}'?)")


class RunContext(click.Context):
    """Of the command that has no name: RUN follows `harness judge`."""

    @property
    def command_path(self) -> str:
        """As the user types it."""
        return self.parent.command_path if self.parent else super().command_path


class RunCommand(click.Command):
    """Judge a run; see `RunContext`."""

    context_class = RunContext


@click.command(cls=RunCommand, context_settings={"max_content_width": 100})
@click.argument("run", metavar="RUN")
@click.option(
    "--judge",
    "judges",
    multiple=True,
    callback=none_empty,
    metavar="NAME",
    help="Only this; repeatable.",
)
@click.option("--judge-model", callback=not_empty, metavar="NAME,...", help="Who judges instead.")
@click.option("--max-cost", type=float, metavar="USD", help="Ask no judge beyond this sum.")
@click.option("--fresh", is_flag=True, help="Ask again what the cache already knows.")
@click.option("--retry", is_flag=True, help="Ask once more where RUN has no verdict.")
@click.option("--dry-run", is_flag=True, help="Count calls, tokens and cost; ask no one.")
@click.option("--runs", type=NamedPath(), help="Where runs are (runs/).")
@click.option("--cache", type=NamedPath(), help="Cache file.")
@click.option(
    "--allow-code",
    is_flag=True,
    help="Permit trust_remote_code of model cards, and bridge cards of one's own.",
)
def judge_run(**arguments: object) -> int:
    """Judge RUN."""
    from harness.cli.rejudge import execute

    return int(execute(JudgeArguments(**arguments)))  # type: ignore[arg-type]


@click.group(
    cls=JudgeGroup,
    subcommand_metavar="RUN | COMMAND [ARGS]...",
    context_settings={"max_content_width": 100},
)
def judge() -> None:
    """Judge a finished RUN, again or for the first time; or look after a judge.

    The model under test is not loaded: its stored answers are judged by the judges that the run's
    tasks name, or by those after --judge, and the result is a new run with all that the old one
    has. Verdicts that are known already cost nothing, and so do replies that could not be
    read: --retry asks once more for those alone. Several names after --judge-model are a panel.

    Exit code 1: some answers have no verdict; 2: interrupted, run it again to go on.
    """
