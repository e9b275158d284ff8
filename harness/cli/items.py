"""Cells as items of a test run: asked together, stored as one run, decided one by one.

It is what `pytest --harness` does that is not pytest's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.adapters.cache import Cache
from harness.cli.bench import make_judges
from harness.cli.session import cache_path, check_writable, near
from harness.collect.appoint import appoint
from harness.collect.library import Project
from harness.collect.plan import Cell
from harness.collect.specs import ModelSpec
from harness.errors import HarnessError, Interrupted
from harness.judges.budget import Budget
from harness.results.cell_words import answers_to, shortcomings
from harness.results.run import CellResult, Run
from harness.results.store import RunReader, read_run, write_run
from harness.runner.generate import Memory
from harness.runner.judging import RunProgress
from harness.runner.pipeline import Options, run
from harness.runner.work import Asking, Work, make_work

if TYPE_CHECKING:
    from harness.results.gate_by_task import ByTask
    from harness.results.rulings import Ruling


@dataclass(frozen=True)
class Decision:
    """What came out for a cell, in lines: what was shown, what kept it from being decided, and
    what the data cannot tell; ``folder`` is the run."""

    failed: Sequence[str] = ()
    errors: Sequence[str] = ()
    undecided: Sequence[str] = ()
    folder: str = ""


@dataclass(frozen=True)
class Terms:
    """On which terms cells are asked and decided; the same for a whole session."""

    project: Project
    runs: Path
    baselines: Sequence[str] = ()
    """Words of the command line; see `harness.results.baseline.find_references`."""
    compared_with: frozenset[str] = frozenset()
    """Models with which others are compared; with nobody else, they are with themselves."""
    limit: int | None = None
    judge_models: Sequence[ModelSpec] = ()
    budget: Budget = field(default_factory=lambda: Budget(None))
    allow_code: bool = False
    words: dict[str, str] = field(default_factory=dict)
    """The command's own words, for the manifest."""
    cache: Path | None = None
    """The cache's file, if it is not the project's."""


@dataclass
class Load:
    """The cells of models that share a base; ``told`` and ``notes`` are for the session's end."""

    terms: Terms
    cells: Sequence[Cell]
    told: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def decide(self, progress: RunProgress) -> dict[str, Decision]:
        """Ask all cells, store the run, and decide each; by the cells' ids.

        What the user can mend is an error of the cells that it concerns, and of no other. Raises
        Interrupted when stopped.
        """
        found: dict[str, Decision] = {}
        try:
            works = self._works(found)
            if works:
                found |= self._decide(*self._ask(works, progress))
        except Interrupted:
            raise
        except HarnessError as error:
            lost = Decision(errors=str(error).splitlines())
            found = {cell.id: found.get(cell.id, lost) for cell in self.cells}
        return found

    def ask(self, progress: RunProgress) -> RunReader:
        """Ask all cells, of whatever models, and store the run; raises what the user can mend."""
        return self._ask(self._work(self.cells), progress)[1]

    # ----------------------------------------------------------------- asking

    def _works(self, faults: dict[str, Decision]) -> list[Work]:
        """What is to be asked; cells whose data are wrong are put into ``faults``."""
        try:
            return self._work(self.cells)
        except HarnessError:
            sound = []
        for cell in self.cells:
            try:
                self._work([cell])
                sound.append(cell)
            except HarnessError as error:
                faults[cell.id] = Decision(errors=str(error).splitlines())
        return self._work(sound)

    def _work(self, cells: Sequence[Cell]) -> list[Work]:
        appointed = appoint(
            (cell.task for cell in cells), self.terms.project, self.terms.judge_models
        )
        judges = make_judges(appointed, self.terms.project)
        return make_work(cells, Asking(self.terms.limit), judges)

    def _ask(self, works: Sequence[Work], progress: RunProgress) -> tuple[Run, RunReader]:
        """The run, as it is in memory and as it was stored."""
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `harness run` does
        terms, root = self.terms, self.terms.project.root
        check_writable(terms.runs)
        cache = Cache(terms.cache or cache_path(root))
        memory = Memory(cache, allow_code=terms.allow_code)
        options = Options(memory, root, settings=terms.words, budget=terms.budget)
        try:
            done = run(works, options, progress)
        except KeyboardInterrupt:  # while scoring: the answers are all in the cache
            what = "interrupted: all answers are kept; run the same command again to score them"
            raise Interrupted(what) from None
        finally:
            cache.close()
        folder = write_run(terms.runs, done)
        models = ", ".join(dict.fromkeys(work.cell.model.model for work in works))
        count = "1 cell" if len(works) == 1 else f"{len(works)} cells"
        self.told.append(f"run {near(folder)}: {count} of {models}")
        return done, read_run(folder)

    # ----------------------------------------------------------------- deciding

    def _decide(self, done: Run, reader: RunReader) -> dict[str, Decision]:
        results = {result.cell_id: result for result in done.cells}
        found: dict[str, Decision] = {}
        for card in {cell.model.model: cell.model for cell in self.cells}.values():
            cells = [one for one in self.cells if one.model == card and one.id in results]
            gated = dict.fromkeys(cell.task.task for cell in cells if cell.task.gate)
            told = self._gates(reader, card, list(gated)) if gated else None
            for cell in cells:
                if told is None or cell.task.task not in gated:
                    decision = Decision(failed=shortcomings(results[cell.id]))
                else:
                    decision = _by_gate(cell, told, results[cell.id])
                found[cell.id] = replace(decision, folder=near(reader.path))
        return found

    def _gates(self, run: RunReader, card: ModelSpec, tasks: Sequence[str]) -> ByTask:
        from harness.results.baseline import find_references
        from harness.results.gate_by_task import Compared, gate_by_task
        from harness.results.pairs import Side

        terms, root = self.terms, self.terms.project.root
        own = [card.baseline] if card.baseline and not terms.baselines else []
        compared = Compared(
            find_references(root, terms.runs, terms.baselines),
            find_references(root, terms.runs, own) if own else None,
            itself=card.model in terms.compared_with,
        )
        told = gate_by_task(Side(run, card.model), tasks, terms.project, compared)
        self.notes += told.notes
        return told


def _by_gate(cell: Cell, told: ByTask, result: CellResult) -> Decision:
    """What the gate of a cell's task says of it."""
    task = cell.task.task
    if task in told.errors:
        return Decision(errors=told.errors[task].splitlines())
    failed: list[str] = []
    errors: list[str] = []
    undecided: list[str] = []
    for ruling in told.rulings[task]:
        other = ruling.task != task
        if not other and ruling.cell not in ("", cell.id):
            continue
        line = _words(ruling, other=other)
        if ruling.outcome == "ERROR":
            errors.append(line)
        elif ruling.stops:
            worst = f"  lost most: {', '.join(ruling.worst)}" if ruling.worst else ""
            answers = [] if other else answers_to(result, ruling.worst)
            failed += [line, *filter(None, [worst]), *answers]
        elif ruling.outcome == "INCONCLUSIVE" and ruling.on_inconclusive == "warn":
            undecided.append(line)
    if all(line.task not in (None, task) for line in cell.task.gate):
        failed += shortcomings(result)  # nobody else looks at its own samples
    return Decision(failed, errors, undecided)


def _words(ruling: Ruling, *, other: bool) -> str:
    from harness.results.gate_report import ruling_line

    outcome, _, rest = ruling_line(ruling).strip().partition(" ")
    return f"{outcome} {rest.strip()}" + f" (task {ruling.task})" * other
