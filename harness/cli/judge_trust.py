"""`harness judge calibrate`, `selftest` and `label`: how far a judge's word can be trusted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.named import NamedPath, not_empty

if TYPE_CHECKING:
    from harness.cli.label_form import Form
    from harness.cli.trust_report import JudgedRate
    from harness.collect.judge_spec import JudgeSpec
    from harness.judges.base import Material
    from harness.judges.calibrate import Calibrated
    from harness.judges.judge import Judge
    from harness.records import Verdict
    from harness.results.render import Format, Report
    from harness.results.store import RunReader

FORMATS = ("table", "markdown", "latex", "csv", "json")
RATER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Command = TypeVar("Command", bound=Callable[..., object])


def _judge_options(command: Command) -> Command:
    """What both commands that ask a judge take."""
    for option in (
        click.option(
            "--judge-model", callback=not_empty, metavar="NAME,...", help="Who judges instead."
        ),
        click.option("--fresh", is_flag=True, help="Ask again what the cache already knows."),
        click.option("--max-cost", type=float, metavar="USD", help="Ask no judge beyond this sum."),
        click.option("--cache", type=NamedPath(), help="Cache file."),
        click.option(
            "--allow-code",
            is_flag=True,
            help="Permit trust_remote_code of model cards, and bridge cards of one's own.",
        ),
        click.option(
            "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True
        ),
    ):
        command = option(command)
    return command


# --------------------------------------------------------------------------- calibrate


@click.command(context_settings={"max_content_width": 100})
@click.argument("judge", metavar="JUDGE")
@click.argument("labels", nargs=-1, type=NamedPath())
@click.option("--threshold", type=float, help="What passes, in points; the middle by default.")
@click.option(
    "--run", callback=not_empty, metavar="RUN", help="Correct the pass rates of this run, too."
)
@click.option("--runs", type=NamedPath(), help="Where runs are (runs/).")
@_judge_options
def calibrate(
    judge: str,
    labels: tuple[Path, ...],
    threshold: float | None,
    run: str,
    runs: Path | None,
    **how: object,
) -> int:
    """Compare JUDGE with people's LABELS (JSON lines; several files may be several people's).

    Without LABELS, those that the judge's spec names and those that `harness judge label` wrote.
    The result is kept for this judge with this model, template and settings, and is shown beside
    its scores. --run shows a stored run's pass rates, corrected for what the judge passes and
    fails wrongly; the interval carries the noise of the labels.

    Exit code 1: too many answers without a verdict, or but one label (nothing is kept then), or a
    kappa below the spec's `min_kappa` (kept, so that gates refuse the judge).
    """
    from harness.cli.opened_judge import Asking, opened
    from harness.cli.trust_report import calibration_report
    from harness.judges.calibrate import calibrate as measure
    from harness.judges.calibrate import calibration_path, gather, pass_mark, save_calibration
    from harness.judges.combine import combine
    from harness.judges.labels import check_writable, outdated, read_items

    asking = Asking(**how)  # type: ignore[arg-type]
    with opened(judge, asking) as found:
        spec, path = found.judge.spec, calibration_path(found.judge.spec, found.project.root)
        pass_mark(spec, threshold)
        check_writable(path)
        files = labels or _known_labels(spec, found.project.root)
        items, old = read_items(files, spec), outdated(files, spec)
        reader = _run(run, runs, found.project.root) if run else None
        materials = [(item.id, item.material) for item in items]
        said = found.said(len(materials), partial(gather, found.judge, materials))
        verdicts = {id: combine(spec, given) for id, given in said.items()}
        done = measure(spec, items, verdicts, threshold)
        missing = _unanswered(said)
        faults, useless = _faults(spec, done.kappa), _unusable(spec, done, said)
        kept = [missing] if missing else useless
        if not kept:
            told = _replaced(path, found.binding(), done)
            kept = [*_kept(path, save_calibration(done, found.binding(), path)), *told]
        rates, notes = _rates(reader, found.judge, done.threshold) if reader else ([], [])
        report = calibration_report(found.name, done, rates, [*old, *notes, *faults, *kept])
        _print(report, asking.form)
    return 1 if faults or missing or useless else 0


def _unanswered(said: Mapping[str, Sequence[Verdict]]) -> str:
    """That, and why, some calls had no reply: then nothing was measured. "" if all had one."""
    from harness.judges.judge import UNANSWERED

    given = [one for verdicts in said.values() for one in verdicts]
    errors = [one.error or "no reason given" for one in given if UNANSWERED in one.flags]
    return _not_measured(errors, len(given), "calls")


def _not_measured(errors: Sequence[str], total: int, what: str) -> str:
    if not errors:
        return ""
    why = Counter(errors).most_common(1)[0][0]
    return (
        f"NOT MEASURED: {len(errors)} of {total} {what} had no reply, most often: {why}. Nothing "
        "was kept, an earlier result stays; the same command asks again for what is missing"
    )


def _unusable(
    spec: JudgeSpec, done: Calibrated, said: Mapping[str, Sequence[Verdict]]
) -> list[str]:
    """Why a calibration says nothing of a judge and is not kept; none if it does."""
    found, limit = [], spec.limits.max_judge_error_rate
    judged = done.n - done.n_judge_error
    if done.judge_error_rate > limit or not judged:
        share = f"{done.judge_error_rate:.1%} of the answers have no verdict"
        given = [one for verdicts in said.values() for one in verdicts]
        why = Counter(one.error for one in given if one.error).most_common(1)
        often = f", most often: {why[0][0]}" if why else ""
        again = "replies are remembered, --fresh asks again"
        found.append(f"FAILED {share}; {limit:.1%} may{often} ({again})")
    if judged == 1:
        found.append("FAILED one answer shows no agreement: label some more")
    return [*found, "nothing was kept, an earlier result stays"] if found else []


def _replaced(path: Path, key: str, done: Calibrated) -> list[str]:
    """That a calibration on more answers gives way, if it does."""
    from harness.judges.calibrate import Calibrated, load_or_warn
    from harness.results.render import number

    before = load_or_warn(Calibrated, path).get(key)
    if before is None or before.n <= done.n:
        return []
    return [f"it replaces one on {before.n} answers (kappa {number(before.kappa)})"]


def _faults(spec: JudgeSpec, kappa: float | None) -> list[str]:
    """Why a gate would not go by this judge; that is worth keeping, lest it go by an older word."""
    faults, least = [], spec.calibration.min_kappa
    if least is not None and (kappa is None or kappa < least):
        is_ = "unknown" if kappa is None else f"{kappa:.3f}"
        faults.append(f"FAILED kappa is {is_}; the judge's spec asks for {least:g}")
    return faults


def _known_labels(spec: JudgeSpec, root: Path) -> list[Path]:
    """The spec's own labels, and those that people gave in this project."""
    from harness.errors import SelectionError
    from harness.judges.labels import labels_path

    named = spec.calibration.labels
    found = [spec.path.parent / named] if named else []
    pattern = labels_path(root, spec.judge, "*")
    for path in sorted(pattern.parent.glob(pattern.name)):
        rater = path.name.removeprefix(f"{spec.judge}.").removesuffix(".jsonl")
        if RATER.fullmatch(rater):
            found.append(path)
    if not found:
        hint = f"harness judge label RUN --rater NAME --judge {spec.judge}"
        raise SelectionError(f"no labels for {spec.judge}: name a file, or make some with '{hint}'")
    return found


def _rates(reader: RunReader, judge: Judge, threshold: float) -> tuple[list[JudgedRate], list[str]]:
    """How many samples of each cell of a run the judge passed; only what this very judge said."""
    from harness.cli.trust_report import JudgedRate

    rates, strange = [], 0
    for cell in reader.manifest.cells:
        for info in cell.scorers:
            if info.judge != judge.spec.judge or info.name.partition("[")[0] != info.judge:
                continue
            if info.template != judge.template_hash or info.judged_by != " + ".join(
                judge.spec.models
            ):
                strange += 1
                continue
            where = {"cell": cell.cell, "scorer": info.name}
            rows = reader.table("scores", ["value", "status"], where).to_pylist()
            values = [row["value"] for row in rows if row["status"] == "ok"]
            passed = sum(value >= threshold for value in values)
            rates.append(JudgedRate(cell.task, cell.model, passed, len(values)))
    notes = []
    if strange:
        which = "a cell of the run was" if strange == 1 else f"{strange} cells of the run were"
        notes.append(f"{which} judged by another model or template: not corrected")
    elif not rates:
        notes.append(f"the run has no scores of {judge.spec.judge}")
    return rates, notes


# --------------------------------------------------------------------------- selftest


@click.command(context_settings={"max_content_width": 100})
@click.argument("judge", metavar="JUDGE")
@_judge_options
def selftest(judge: str, **how: object) -> int:
    """Try to fool JUDGE: empty answers, ":", "Thought process:", planted verdicts, and the like.

    Each must get no more than the `canary_ceiling` of the judge's limits, at least one good
    answer must get more, and half an answer no more than the whole. The result is kept beside the
    calibration: gates refuse a judge that failed. Exit code 1: it failed, or replies are missing;
    if they are and nothing else failed, nothing is kept.
    """
    from harness.cli.opened_judge import Asking, opened
    from harness.cli.trust_report import selftest_report
    from harness.judges.canaries import make_probes, save_selftest, selftest_path
    from harness.judges.canaries import selftest as try_to_fool
    from harness.judges.labels import check_writable

    asking = Asking(**how)  # type: ignore[arg-type]
    with opened(judge, asking) as found:
        spec, path = found.judge.spec, selftest_path(found.judge.spec, found.project.root)
        check_writable(path)
        count = len(make_probes(spec, found.judge.rubric))
        done = found.said(count, partial(try_to_fool, found.judge))
        errors = [one.error or "no reason given" for one in done.unmeasured]
        if errors and not done.failures:
            notes = [_not_measured(errors, len(done.outcomes), "probes")]
        else:  # one that failed has failed, whatever the missing replies would say
            notes = _kept(path, save_selftest(done, found.binding(), path))
        _print(selftest_report(found.name, done, notes), asking.form)
    return 0 if done.passed else 1


# --------------------------------------------------------------------------- label


@click.command(context_settings={"max_content_width": 100})
@click.argument("run", metavar="RUN|RUN:MODEL")
@click.option("--rater", required=True, metavar="NAME", help="Who rates.")
@click.option(
    "--judge",
    callback=not_empty,
    metavar="NAME",
    help="By whose criteria; needed if the run has several.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many answers.")
@click.option("--page", is_flag=True, help="A page for the browser, served to this machine alone.")
@click.option("--runs", type=NamedPath(), help="Where runs are (runs/).")
def label(
    run: str, rater: str, judge: str, limit: int | None, page: bool, runs: Path | None
) -> int:
    """Rate the answers of RUN by a judge's criteria, without knowing whose answers they are.

    The order depends on the run and the rater alone. Every rating is kept at once in
    judges/labels/<judge>.<rater>.jsonl; the same command goes on where it stopped.
    `harness judge calibrate JUDGE` then says how people agree with each other and with the judge.
    """
    from harness.cli.label_form import rate_in_terminal
    from harness.cli.label_page import rate_on_page
    from harness.judges.labels import check_writable

    form = _form((run, judge, runs), rater, limit)
    if form.left:
        check_writable(form.file.path)
    return int(rate_on_page(form) if page else rate_in_terminal(form))


def _form(where: tuple[str, str, Path | None], rater: str, limit: int | None) -> Form:
    """What is to be rated, in the rater's order."""
    from harness.cli.label_form import Form
    from harness.collect.library import Project
    from harness.errors import SelectionError
    from harness.judges.labels import LabelFile, blinded, labels_path, rubric_of
    from harness.results.pairs import find_one

    if not RATER.fullmatch(rater):
        raise SelectionError(f"--rater '{rater}': letters a-z and A-Z, digits, '-' and '_', please")
    (text, name, runs), project = where, Project.here()
    reader, model = find_one(runs or project.root / "runs", text)
    spec = project.get_judge(name or _only_judge(reader))
    rubric_of(spec)
    items = blinded(_materials(reader, model, spec, project.root), rater, reader.run_id)
    if not items:
        raise SelectionError(f"run {reader.run_id} has no answers to rate")
    file = LabelFile(labels_path(project.root, spec.judge, rater), spec, rater)
    return Form(spec, items[:limit], file, project.root)


def _only_judge(reader: RunReader) -> str:
    from harness.errors import SelectionError

    judged = [info.judge for cell in reader.manifest.cells for info in cell.scorers if info.judge]
    names = list(dict.fromkeys(judged))
    if len(names) == 1:
        return names[0]
    has = f"has the judges {', '.join(names)}" if names else "has no judges"
    raise SelectionError(f"run {reader.run_id} {has}: name one with --judge")


def _materials(reader: RunReader, model: str, spec: JudgeSpec, root: Path) -> Iterator[Material]:
    """What the judge was shown; all written answers if it judged none of the run."""
    from harness.results.restore import restore
    from harness.runner.material import View, stored_views

    stored = restore(reader)
    views = stored_views(stored, root)
    cells = [cell for cell in stored.cells if model in ("", cell.model)]
    judged = [cell for cell in cells if spec.judge in {info.judge for info in cell.scorers}]
    for cell in judged or cells:
        samples = {sample.id: sample for sample in cell.samples}
        for row in cell.completions:
            done, sample = row.completion, samples[row.sample]
            if done.failed or done.finish_reason == "scored":
                continue
            shown = views.get(cell.task, View()).material(spec, sample, done.text)
            if shown.reference != "":
                yield shown


def _run(text: str, runs: Path | None, root: Path) -> RunReader:
    from harness.results.store import find_run

    return find_run(runs or root / "runs", text)


# --------------------------------------------------------------------------- output


def _kept(path: Path, aside: Path | None) -> list[str]:
    from harness.errors import shown

    moved = [f"the file there was damaged: it is {shown(aside)} now"] if aside else []
    return [f"kept in {shown(path)}", *moved]


def _print(report: Report, form: Format) -> None:
    import shutil

    from harness.results.render import render

    click.echo(render(report, form, shutil.get_terminal_size((100, 24)).columns))
