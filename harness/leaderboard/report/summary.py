"""SUMMARY.md: what was run, who is best at what and how sure that is, and what to keep in mind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.leaderboard.report.evidence import Entry, Evidence
from harness.leaderboard.report.markdown import escaped, grid, paragraph
from harness.leaderboard.report.master import by_place, metric_label, p_text
from harness.leaderboard.report.paper import PaperTable, listed, plain, plural
from harness.results.answers import task_label
from harness.results.compare import Comparison
from harness.results.render import interval, number
from harness.results.stats import Interval
from harness.results.within import verdict_words

SMALL = 100


@dataclass(frozen=True)
class Figure:
    """A figure of the report: its file's name without ending, its title, and what it shows."""

    name: str
    title: str
    alt: str


def summary_text(
    evidence: Evidence, tables: Sequence[PaperTable], figures: Sequence[Figure]
) -> str:
    """The whole summary as Markdown."""
    parts = [
        "# Summary",
        _what_was_run(evidence),
        _section("Who is best at what", _best(evidence)),
        _section("What changed against the baseline", _changes(evidence)),
        _section("What failed", _failures(evidence)),
        _section("What to keep in mind", _caveats(evidence, tables)),
        _where(tables, figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, lines: Iterator[str]) -> str:
    found = list(lines)
    return "\n".join([f"## {title}", "", *(f"- {line}" for line in found)]) if found else ""


# --------------------------------------------------------------------------- what was run


def _what_was_run(evidence: Evidence) -> str:
    rows = []
    for run in evidence.runs:
        manifest = run.manifest
        own = [one.cell for one in evidence.cells if one.side.run.run_id == run.run_id]
        revision = manifest.revision[:10] + ("+" if manifest.dirty else "")
        words = [run.run_id, manifest.started[:10]]
        words += [", ".join(dict.fromkeys(cell.model for cell in own))]
        words += [", ".join(dict.fromkeys(task_label(c.task, c.variant) for c in own))]
        words += [f"{sum(cell.completions for cell in own):,}", revision or "-"]
        rows.append(plain(*words))
    columns = ("run", "day", "models", "tasks", "answers", "revision")
    table = PaperTable("runs", "", columns, "llllrl", [rows], [])
    cells = [one.cell for one in evidence.cells]
    models = listed(escaped(name) for name in evidence.models)
    lead = (
        f"{plural(len(evidence.models), 'model')} ({models}) on "
        f"{_tasks(evidence)}, "
        f"{sum(cell.completions for cell in cells):,} answers in all."
    )
    bases = [f"{escaped(a)} against {escaped(b)}" for a, b in evidence.baselines.items()]
    none = " No model names another one as its baseline." if len(evidence.models) > 1 else ""
    held = f" Baselines: {listed(bases)}." if bases else none
    machines = dict.fromkeys(run.manifest.machine for run in evidence.runs)
    where = "; ".join(escaped(name) for name in machines if name)
    more = f"\n\nMachine: {where}." if where else ""
    notes = "".join(f"\n- {escaped(note)}." for note in evidence.notes)
    notes = f"\n\nNot counted:\n{notes}" if notes else ""
    return f"## What was run\n\n{lead}{held}\n\n{grid(table)}{more}{notes}"


def _tasks(evidence: Evidence) -> str:
    tasks = {task for task, _ in evidence.places}
    more = len(evidence.places) > len(tasks)
    variants = f" in {len(evidence.places)} variants" if more else ""
    return plural(len(tasks), "task") + variants


# --------------------------------------------------------------------------- results


def _best(evidence: Evidence) -> Iterator[str]:
    """A sentence on each task: the best model by the task's first metric, and how sure that is."""
    for group in by_place(evidence.primary):
        entry = group[0]
        where = f"**{escaped(task_label(*entry.key[:2]))}** ({escaped(metric_label(entry))})"
        lead = evidence.leads.get(entry.key[:3])
        valued = [one for one in group if one.row.value is not None]
        if not valued:
            yield f"{where}: no model has a score; every sample failed."
        elif lead is None:
            others = [escaped(one.cell.model) for one in group if one.row.value is None]
            why = f"of {listed(others)} every sample failed" if others else "no other model was run"
            yield f"{where}: {escaped(valued[0].cell.model)} has {_value(valued[0])}; {why}."
        else:
            best, second = (
                next(one for one in valued if one.cell.model == name)
                for name in (lead.best, lead.second)
            )
            sure = _sure(lead.comparison, best, second, shown=lead.shown)
            yield f"{where}: {sure}"


def _sure(row: Comparison, best: Entry, second: Entry, *, shown: bool) -> str:
    name, other = escaped(best.cell.model), escaped(second.cell.model)
    values = f"{name} has {_value(best)}, {other} {_value(second)}"
    if best.row.value == second.row.value:
        return f"no model leads: {values}, the same."
    if not shown:
        why = (
            "too few samples to tell"
            if row.verdict.startswith("too few")
            else (f"not shown to be a difference ({_tested(row)})")
        )
        return f"no model is shown to be best: {values}; {why}."
    content = "; its content is not shown to be better" if "content" in row.verdict else ""
    return f"**{name}**, and the lead is real: {values} ({_tested(row)}){content}."


def _tested(row: Comparison) -> str:
    """p=0.012 or p<0.001."""
    p = p_text(row)
    return f"p{p if p.startswith('<') else '=' + p}"


def _value(entry: Entry) -> str:
    row = entry.row
    around = interval(Interval(row.low, row.high, row.method))
    ends = "" if around == "-" else f" {around}"
    return f"{number(row.value)}{ends} (n={row.n})"


def _changes(evidence: Evidence) -> Iterator[str]:
    """A sentence on each model with a baseline and each task."""
    for entry in evidence.primary:
        row = evidence.delta(entry)
        if row is not None:
            yield _change(entry, row)
    others = [
        evidence.delta(one)
        for one in evidence.entries
        if not (one.primary or one.info.criterion or one.info.neutral)
    ]
    told = [one for one in others if one is not None]
    if told:
        better = sum(one.holds and one.verdict.startswith("better") for one in told)
        worse = sum(one.holds and one.verdict.startswith("worse") for one in told)
        rest = len(told) - better - worse
        yield (
            f"Of {plural(len(told), 'comparison')} by other metrics and judges, {better} show "
            f"better, {worse} worse and {rest} no difference, after correction "
            "([metrics](tables/metrics.md))."
        )


def _change(entry: Entry, row: Comparison) -> str:
    where = escaped(task_label(*entry.key[:2]))
    head = f"{escaped(row.b.model)} on {where}, {escaped(metric_label(entry))}"
    if not row.n:
        return f"{head}: no sample has a score on both sides."
    d = row.difference
    change = number(d.value, sign=True)
    around = interval(d.interval)
    ends = "" if around == "-" else f" {around}"
    star = " (not after correction)" if row.claimed and not row.holds else ""
    words = verdict_words(row).removesuffix(" *")
    sizes = "" if row.claimed or row.effect.mde is None else f"; {_mde(row)}"
    return f"{head}: {change}{ends}, **{words}**{star} ({_tested(row)}, n={row.n}){sizes}."


def _mde(row: Comparison) -> str:
    return f"a true difference below {number(row.effect.mde)} would mostly stay unseen here"


def _failures(evidence: Evidence) -> Iterator[str]:
    """Every cell with failed, skipped or cut samples, or one sentence that there is none."""
    quiet = True
    for chosen in evidence.cells:
        cell = chosen.cell
        said = [
            f"{cell.counts.get(status, 0)} {word}"
            for status, word in (("error", "failed"), ("skipped", "skipped"), ("truncated", "cut"))
            if cell.counts.get(status, 0)
        ]
        unjudged = [
            f"{one.row.n_judge_error} without a verdict of {escaped(one.info.judge)}"
            for one in evidence.entries
            if one.cell.cell == cell.cell
            and one.side.run.run_id == chosen.side.run.run_id
            and one.row.n_judge_error
            and not one.info.criterion
        ]
        if said or unjudged:
            quiet = False
            where = escaped(task_label(*chosen.place))
            about = f"of {plural(cell.completions, 'answer')}"
            yield f"{escaped(cell.model)} on {where}: {', '.join([*said, *unjudged])} {about}."
    if quiet:
        yield "Nothing: every sample was answered, scored and judged."
    else:
        yield "What failed stands in no value; differences are taken over samples that both have."


# --------------------------------------------------------------------------- caveats


def _caveats(evidence: Evidence, tables: Sequence[PaperTable]) -> Iterator[str]:
    yield from _about_samples(evidence)
    yield from _about_comparisons(evidence)
    yield from _about_judges(evidence)
    if any(table.reported for table in tables):
        yield (
            "Numbers marked as reported were measured by others, on other data, with other models "
            "and judges; standing beside ours they show what a study found, not who is better."
        )
    if len({run.manifest.machine for run in evidence.runs}) > 1:
        yield "The runs are of different machines: their latencies cannot be compared."
    if any(run.manifest.dirty for run in evidence.runs):
        yield "A run was made with uncommitted changes (+ behind the revision)."


def _about_samples(evidence: Evidence) -> Iterator[str]:
    sizes = {one.row.n for one in evidence.primary if one.row.value is not None}
    if sizes and min(sizes) < SMALL:
        rows = [evidence.delta(one) for one in evidence.primary]
        largest: dict[str, tuple[float, int]] = {}
        for one in rows:
            if one is not None and one.effect.mde is not None:
                where = task_label(one.task, one.variant)
                largest[where] = max(largest.get(where, (0.0, 0)), (one.effect.mde, one.n))
        parts = [f"{escaped(w)} {number(mde)} (n={n})" for w, (mde, n) in largest.items()]
        seen = (
            " The smallest true difference that would be found 80 % of the time: "
            f"{'; '.join(parts)}."
            if parts
            else ""
        )
        least = min(sizes)
        yield f"The samples are few ({least} in the smallest task): intervals are wide.{seen}"
    if any(not one.claimed for one in evidence.comparisons):
        yield '"No difference shown" is not "no difference": a smaller one may be there unseen.'
    yield (
        "Intervals say how far another draw of samples would move a number, not how far other "
        "prompts, seeds or trainings would."
    )


def _about_comparisons(evidence: Evidence) -> Iterator[str]:
    first, others = evidence.families
    if first + others > 1:
        yield (
            f"{first + others} comparisons were made: {first} by the first metrics of tasks, "
            f"{others} by all other metrics and criteria. p is corrected by Holm within each of "
            "the two, so that the chance of any false claim is at most 5 % in each; a claim of the "
            "latter is a hint, not a test that was planned."
        )
    if any("content" in one.verdict for one in evidence.comparisons):
        yield (
            "Content not shown: the answers are nearer to their references, but not surely more "
            "than to those of other samples. What was learned may be the form."
        )
    if len(evidence.models) > 2:
        yield (
            "The two best models of a task were picked by the same numbers that compare them, "
            "which flatters the first."
        )


def _about_judges(evidence: Evidence) -> Iterator[str]:
    infos = [one.info for one in evidence.entries if one.info.judge]
    totals = [one for one in infos if not one.criterion]
    embedding = dict.fromkeys(one.judge for one in infos if "not an LLM" in one.name)
    if embedding:
        names = listed(escaped(name) for name in embedding)
        yield (
            f"{names}: the embedding judge is no language model. It compares sentence embeddings, "
            "reads no rubric, and cannot tell a true sentence from a false one on the same thing."
        )
    unknown = dict.fromkeys(one.judge for one in totals if one.kappa is None)
    if unknown:
        names = listed(escaped(name) for name in unknown)
        them = "them" if len(unknown) > 1 else "it"
        yield f"{names}: nobody has measured how far people agree with {them} (no kappa)."
    kin = dict.fromkeys(one.judge for one in infos if one.same_family)
    if kin:
        names = listed(escaped(name) for name in kin)
        yield f"{names}: judged answers of its own model family, which judges are known to favour."


# --------------------------------------------------------------------------- where things are


def _where(tables: Sequence[PaperTable], figures: Sequence[Figure]) -> str:
    lines = ["## Where things are", "", "Each table is there as Markdown, LaTeX and CSV:", ""]
    lines += _table_list(tables)
    if figures:
        lines += ["", "Figures, all of them on one page with words: [figures](figures.md).", ""]
        for one in figures:
            files = [f"[{form}](figures/{one.name}.{form})" for form in ("pdf", "png", "svg")]
            lines.append(f"- {escaped(one.title)}: {', '.join(files)}")
    lines += ["", "The best and worst answers of every task: [examples](examples.md)."]
    lines += ["", "`pdflatex paper` sets every table and figure: [paper.tex](paper.tex)."]
    return "\n".join(lines)


def _table_list(tables: Sequence[PaperTable]) -> Iterator[str]:
    """A line for each table, or for all tables of a series."""
    told: set[str] = set()
    for table in tables:
        if table.series:
            if table.series not in told:
                own = [one for one in tables if one.series == table.series]
                links = [f"[{escaped(one.part)}](tables/{one.name}.md)" for one in own]
                yield f"- {escaped(table.series)}: {', '.join(links)}"
            told.add(table.series)
            continue
        files = [f"[{form}](tables/{table.name}.{form})" for form in ("md", "tex", "csv")]
        mark = ", with reported numbers" if table.reported else ""
        yield f"- {escaped(table.caption)}{mark}: {', '.join(files)}"


def figures_text(figures: Sequence[Figure]) -> str:
    """All figures below each other, each with its text alternative."""
    lines = ["# Figures"]
    for one in figures:
        lines += [
            "",
            f"## {escaped(one.title)}",
            "",
            f"![{escaped(one.title)}](figures/{one.name}.png)",
        ]
        lines += ["", paragraph(one.alt)]
    return "\n".join(lines) + "\n"
