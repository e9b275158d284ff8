"""`pytest --harness`: task files are collected beside a user's own tests; models pass or fail.

A thin view over collect, runner and gate. An item is a cell (task x model x variant) with the id
that `harness collect` prints; tags are marks. When the first cell of a model is due, all selected
cells of all models with which it shares a base are asked on one load and stored as one run, and
then each is decided: by its task's gate, or, without one, by whether every sample was answered,
scored and judged. What the data cannot tell is a warning, what keeps a gate from deciding is an
error at setup, and what is shown to be worse is a failure.

Without --harness there are only the options: nothing else of ours is imported.
"""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr, TracebackStyle

    from harness.cli.items import Decision, Terms
    from harness.collect.library import Project
    from harness.collect.plan import Cell
    from harness.collect.specs import ModelSpec

NO_MODEL = "no model named: --harness-model NAME,... (or the whole id of a cell)"
MARK = re.compile(r"[^\W_][\w.+/-]*")
GATE = re.compile(r"^gate:", re.MULTILINE)
OPTIONS = {
    "--baseline": "--harness-baseline",
    "--set": "--harness-set",
    "--runs": "--harness-runs",
    "--intersect": "'harness gate RUN --intersect'",
}
"""Options that messages of the core name -> what they are called here."""
TAKEN = frozenset({"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings"})
"""Marks with a meaning of pytest's own: a tag of that name must not take it on."""


class InconclusiveWarning(UserWarning):
    """The data are too few to tell whether a line of a gate is kept; the item passes."""


# --------------------------------------------------------------------------- hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all in one group."""
    add = parser.getgroup("harness", "models as tests (tune-harness)").addoption
    add("--harness", action="store_true", help="collect *.task.yaml files: models as tests")
    add("--harness-model", default="", metavar="NAME,...", help="model cards to run")
    add(
        "--harness-baseline",
        action="append",
        default=[],
        metavar="PATH|RUN|MODEL",
        help="whom gates compare with (leaderboard/baselines, or the baseline of the card)",
    )
    add("--harness-limit", type=int, metavar="N", help="at most so many samples a task")
    add(
        "--harness-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the tasks, as generate.max_new_tokens=64",
    )
    add("--harness-judge-model", metavar="NAME,...", help="who judges, instead")
    add("--harness-max-cost", type=float, metavar="USD", help="ask no judge beyond this sum")
    add("--harness-runs", metavar="DIR", help="where runs are stored (runs/)")
    add("--harness-allow-code", action="store_true", help="permit trust_remote_code of cards")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing without --harness."""
    if not config.getoption("harness"):
        return
    _refuse_xdist(config)
    config.addinivalue_line("markers", "harness: a cell, task x model x variant (tune-harness)")
    config.stash[MODELS] = models = Models(config)
    config.pluginmanager.register(models, "harness-models")


def _refuse_xdist(config: pytest.Config) -> None:
    """Every worker would load every model, and none would see the whole of a gate."""
    processes = config.getoption("numprocesses", None) or config.getoption("tx", None)
    if processes or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "--harness loads each model once, in one process, and cannot be spread by xdist: "
            "add -n 0"
        )


# --------------------------------------------------------------------------- a session


class Models:
    """The hooks with --harness, and what a session knows."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.paths_given = config.args_source == pytest.Config.ArgsSource.ARGS
        self.told: list[str] = []
        self._decided: dict[str, Decision] = {}
        self._files: dict[str, Path] = {}
        self._tags = set(TAKEN)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Mistakes on the command line, before a file is read; the tasks, if no path is given."""
        from harness.errors import HarnessError

        try:
            if not self.models and not self.ids:
                raise pytest.UsageError(NO_MODEL)
            _ = self.terms
        except HarnessError as error:
            raise pytest.UsageError(*_as_options(str(error)).splitlines()) from None
        if not self.paths_given and self.tasks.is_dir():
            self.config.args.append(str(self.tasks))

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> TaskFile | None:
        """A task's file below the paths given, or below tasks/ as `harness collect` finds it."""
        if not file_path.name.endswith(".task.yaml"):
            return None
        if not self.paths_given and not file_path.is_relative_to(self.tasks):
            return None
        file: TaskFile = TaskFile.from_parent(parent, path=file_path)
        return file

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Cells of one load stand together, so that -x stops before the next model is loaded;
        those with which others are compared come first."""
        cells = [item for item in items if isinstance(item, CellItem)]
        first = {one.load for one in cells if one.cell.model.model in self.terms.compared_with}
        loads = list(dict.fromkeys(item.load for item in cells))
        loads.sort(key=lambda load: load not in first)
        ordered = iter(sorted(cells, key=lambda item: loads.index(item.load)))
        items[:] = [next(ordered) if isinstance(item, CellItem) else item for item in items]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Where the runs are, and what a reader of the gates should know."""
        if self.told:
            terminalreporter.section("models")
        for line in dict.fromkeys(self.told):
            terminalreporter.line(line)

    # ----------------------------------------------------------------- what was asked for

    @functools.cached_property
    def project(self) -> Project:
        """The project around the present folder, as for `harness`; if that has no specs, the one
        around pytest's root, else around the first path given."""
        from harness.collect.library import KINDS, Project

        here = self.config.invocation_params.dir
        first = here / self.config.args[0].partition("::")[0] if self.config.args else here
        projects = [Project.here(folder) for folder in (here, self.config.rootpath, first)]
        for project in projects:
            own = [each for each in project.libraries if each.root == project.root]
            if any(library.names(kind) for library in own for kind in KINDS):
                return project
        return projects[0]

    @property
    def tasks(self) -> Path:
        """Where `harness collect` looks for the project's tasks."""
        return self.project.root / "tasks"

    @functools.cached_property
    def models(self) -> tuple[ModelSpec, ...]:
        """The cards after --harness-model; raises HarnessError for one that is not there."""
        names = [name.strip() for name in str(self._option("model")).split(",")]
        return tuple(self.project.get_model(name) for name in dict.fromkeys(filter(None, names)))

    @functools.cached_property
    def terms(self) -> Terms:
        """The options, checked; raises HarnessError or UsageError for a mistake in them."""
        from harness.cli.bench import models_named
        from harness.cli.items import Terms
        from harness.collect.plan import parse_setting
        from harness.judges.budget import Budget

        limit, runs = self._option("limit"), self._option("runs")
        if limit is not None and limit < 1:
            raise pytest.UsageError(f"--harness-limit {limit}: at least 1")
        for name in ("runs", "judge_model", "baseline"):
            given = self._option(name)
            words = [given] if isinstance(given, str) else given or ()
            if not all(word.strip() for word in words):
                raise pytest.UsageError(f"--harness-{name.replace('_', '-')} is empty")
        for text in self._option("set"):
            parse_setting(text)
        names = ("model", "limit", "judge_model", "max_cost")
        asked = {name: str(self._option(name) or "") for name in names}
        asked["set"] = " ".join(self._option("set"))
        baselines = self._option("baseline")
        where = self.project.root / "runs" if runs is None else Path(runs).absolute()
        self._check_baselines(baselines, where)
        return Terms(
            project=self.project,
            runs=where,
            baselines=baselines,
            compared_with=frozenset([*baselines, *(m.baseline for m in self.models if m.baseline)]),
            limit=limit,
            judge_models=models_named(self._option("judge_model") or "", self.project),
            budget=Budget(self._option("max_cost")),
            allow_code=self._option("allow_code"),
            words={name: value for name, value in asked.items() if value},
        )

    def _check_baselines(self, words: Sequence[str], runs: Path) -> None:
        """Before a model is loaded; raises HarnessError or UsageError for a word that names
        nothing."""
        from harness.collect.library import BASELINES, is_path
        from harness.results.references import find_references

        for text in words:
            # a run's folder may have a model behind it, a baseline's need not be written out
            names = filter(None, (text, text.rpartition(":")[0], str(Path(BASELINES, text))))
            if is_path(text) and not any(map(self.project.find_path, names)):
                raise pytest.UsageError(f"--harness-baseline {text}: no such file or folder")
        inside = [text.rpartition("[")[2].rstrip("]") for ids in self.ids.values() for text in ids]
        asked = [*(one.model for one in self.models), *(one.split(",")[0] for one in inside)]
        find_references(self.project.root, runs, words).check(asked)

    def _option(self, name: str) -> Any:
        return self.config.getoption(f"harness_{name}")

    @functools.cached_property
    def ids(self) -> dict[Path, list[str]]:
        """Whole ids of cells on the command line, by file: they name their models themselves."""
        found: dict[Path, list[str]] = {}
        for text in self.config.args:
            name, bracket, inside = text.partition("[")
            file, separator, task = name.partition("::")
            if bracket and separator and file.endswith(".task.yaml"):
                path = Path(os.path.abspath(self.config.invocation_params.dir / file))
                found.setdefault(path, []).append(f"{path}::{task}[{inside}")
        return found

    # ----------------------------------------------------------------- for files and items

    def cells_of(self, path: Path) -> Sequence[Cell]:
        """The cells of a task's file; raises HarnessError with all its mistakes."""
        from harness.collect.library import same_name
        from harness.collect.plan import make_plan
        from harness.collect.tree import collect, default_models
        from harness.errors import SelectionError

        first = self._files.setdefault(path.name, path)
        if first != path:
            raise same_name("task", path.name.removesuffix(".task.yaml"), first, path)
        words = [] if self.models else self.ids.get(path, [])
        if not self.models and not words:
            raise SelectionError(NO_MODEL)
        collected = collect(words or [str(path)], self.project).check()
        models = self.models or default_models(collected, self.project)[0]
        return make_plan(collected.tasks, models, self._option("set"))

    def mark(self, item: CellItem) -> None:
        """Give an item its tags as marks, registered, so that --strict-markers knows them."""
        item.add_marker("harness")
        for tag in dict.fromkeys((*item.cell.task.tags, *item.cell.model.tags)):
            item.extra_keyword_matches.add(tag)
            if tag in TAKEN or not MARK.fullmatch(tag):
                continue
            if tag not in self._tags:
                self.config.addinivalue_line("markers", f"{tag}: a tag of tasks or models")
                self._tags.add(tag)
            item.add_marker(tag)

    def decide(self, item: CellItem) -> Decision:
        """What came out for an item; the first of a load asks for all of them.

        Ends the session on Ctrl-C: running again goes on.
        """
        from harness.cli.in_pytest import in_the_open
        from harness.cli.items import Decision, Load
        from harness.errors import Interrupted

        if item.cell.id not in self._decided:
            due = [one for one in item.session.items if isinstance(one, CellItem)]
            due = [one for one in due if one.load == item.load and not one.skipped]
            load = Load(self.terms, list({one.cell.id: one.cell for one in (item, *due)}.values()))
            lost = Decision(errors=[f"not decided: asking stopped at {item.cell.id}"])
            self._decided |= {cell.id: lost for cell in load.cells}
            try:
                with in_the_open(item, self.told) as progress:
                    self._decided |= load.decide(progress)
            except Interrupted as error:
                pytest.exit(str(error), returncode=2)
            self.told += [*load.told, *(f"note: {note}" for note in load.notes)]
        return self._decided[item.cell.id]


# --------------------------------------------------------------------------- nodes


class TaskFile(pytest.File):
    """A task's file; its items are the task's cells with the models that were named."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each cell; raises CollectError with the mistakes of the file."""
        from harness.adapters.registry import load_key
        from harness.errors import HarnessError, printable

        models = self.config.stash[MODELS]
        try:
            cells = models.cells_of(self.path)
        except HarnessError as error:
            raise self.CollectError(printable(_as_options(str(error)))) from None
        for cell in cells:
            name = cell.id.partition("::")[2]
            # as text, which pytest takes apart as it will when --lf reads what failed
            item: CellItem = CellItem.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}")
            item.cell, item.load = cell, load_key(cell.model)
            models.mark(item)
            yield item


class CellItem(pytest.Item):
    """A cell; its id is the one of `harness collect`."""

    cell: Cell
    load: str
    """Equal for cells whose models are loaded together."""
    _decision: Decision

    @property
    def skipped(self) -> bool:
        """Whether somebody marked it so."""
        return self.get_closest_marker("skip") is not None

    def setup(self) -> None:
        """Ask, with all cells of the load; what keeps it from being decided is an error here."""
        from harness.errors import printable

        if self.config.getoption("setuponly", False):
            return
        self._decision = found = self.config.stash[MODELS].decide(self)
        if found.folder:
            self.user_properties.append(("harness_run", found.folder))
        if found.errors and not found.failed:
            lines = [f"ERROR {line.removeprefix('ERROR ')}" for line in found.errors]
            pytest.fail(printable(_as_options("\n".join(lines))), pytrace=False)

    def runtest(self) -> None:
        """Fail, warn or pass."""
        from harness.errors import printable

        found = self._decision
        if found.failed:
            text = "\n".join([*found.failed, *map(_as_options, found.errors)])
            pytest.fail(printable(text), pytrace=False)
        for line in found.undecided:
            # at the gate, which pytest shows below it; `warn` would show the file's first line
            warnings.warn_explicit(
                InconclusiveWarning(printable(line)), None, self.location[0], self._gate_line
            )

    @property
    def _gate_line(self) -> int:
        text = self.cell.task.text
        found = GATE.search(text)
        return text.count("\n", 0, found.start()) + 1 if found else 1

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """Lines for people; a warning that the user has made an error is one, too."""
        if isinstance(excinfo.value, InconclusiveWarning):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file, and the cell's name as the heading of its failure."""
        return self.path, 0, self.name


def _as_options(text: str) -> str:
    """What a message says of options of `harness gate` and `harness run`, for pytest."""
    for name, here in OPTIONS.items():
        text = re.sub(rf"(?<![\w-]){name}(?![\w-])", here, text)
    return text


MODELS = pytest.StashKey[Models]()
