"""Text and tables as LaTeX: booktabs, and nothing that pdflatex would stumble over."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from harness.leaderboard.report.paper import PaperCell, PaperTable, Row
from harness.results.render import visible

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
    '"': r"\textquotedblright{}",
    "`": r"\textasciigrave{}",
}
_KNOWN = {
    "\u00a0": "~", "\u2013": "--", "\u2014": "---", "\u2018": "`", "\u2019": "'",
    "\u201c": "``", "\u201d": "''", "\u2026": r"\ldots{}", "\u2020": r"\textdagger{}",
    "\u00d7": r"$\times$", "\u00b1": r"$\pm$", "\u2212": r"$-$", "\u00b0": r"$^{\circ}$",
    "\u2264": r"$\leq$", "\u2265": r"$\geq$", "\u2260": r"$\neq$", "\u2248": r"$\approx$",
    "\u2192": r"$\rightarrow$", "\u221e": r"$\infty$", "\u00b5": r"$\mu$", "\u00df": r"\ss{}",
    "\u00e6": r"\ae{}", "\u00c6": r"\AE{}", "\u00f8": r"\o{}", "\u00d8": r"\O{}",
    "\u0153": r"\oe{}", "\u0152": r"\OE{}", "\u0142": r"\l{}", "\u0141": r"\L{}",
    "\u0131": r"\i{}", "\u20ac": r"\texteuro{}", "\u00a7": r"\S{}", "\u2022": r"\textbullet{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=",
    "\u0307": ".", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0306": "u", "\u0327": "c",
}  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho "
    "varsigma sigma tau upsilon phi chi psi omega"
)
_GREEK_LETTERS = {chr(0x3B1 + at): name for at, name in enumerate(_GREEK.split())}
_CAPITALS = set("gamma delta theta lambda xi pi sigma upsilon phi psi omega".split())  # noqa: SIM905
LINE = 85
"""Characters of footnotesize in a line of the class article."""
PAGE = 50
"""Lines of a float."""
MOST_INLINE = 3
"""Columns with intervals beside their values; of more, the intervals go below."""
REPORTED = r"\textdagger{} reported by the study's authors, not measured here."
NEEDS = r"% needs \usepackage{booktabs}, \usepackage{textcomp} and \usepackage{graphicx}"
_PAIRS = re.compile(r"([-'])(?=\1)")
"""Two of these in a row would be set as one dash or one closing quote."""


def escaped(text: str) -> str:
    """Text that pdflatex sets as it stands, on one line.

    What it has no letter for stands there as its code point, U+4E2D.
    """
    parts = _PAIRS.sub("\\1\0", visible(text)).split("\0")
    return "{}".join("".join(map(_char, part)) for part in parts)


def table_text(table: PaperTable) -> str:
    """A float with caption and label, and the notes below; ends in a line end.

    A table that is longer than a page becomes several floats; one that is wider than a line of
    ``article`` is scaled down to it.
    """
    pages = _pages(table.groups, PAGE // 2 if _stacked(table) else PAGE)
    floats = [_float(table, groups, at) for at, groups in enumerate(pages, 1)]
    return "\n".join([NEEDS, *floats])


def paper_text(tables: Sequence[str], figures: Sequence[tuple[str, str, str]]) -> str:
    """A document that sets every table and every figure (name, title, words); run in the folder of
    the report, `pdflatex paper` makes paper.pdf."""
    packages = [rf"\usepackage{{{name}}}" for name in ("booktabs", "textcomp", "graphicx")]
    lines = [r"\documentclass{article}", *packages, r"\begin{document}"]
    lines += [rf"\input{{tables/{name}}}" for name in tables]
    for name, title, words in figures:
        lines += [
            r"\begin{figure}[tbp]",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{figures/{name}.pdf}}",
            rf"\caption{{{escaped(title)}. {escaped(words)}}}",
            rf"\label{{fig:{_label(name)}}}",
            r"\end{figure}",
        ]
    # LaTeX keeps at most 18 floats that have no place yet
    body = "\n".join(lines).replace("\\begin{figure}", "\\clearpage\n\\begin{figure}")
    body = body.replace("\\input{", "\\clearpage\n\\input{")
    return body + "\n\\end{document}\n"


def _float(table: PaperTable, groups: Sequence[Sequence[Row]], page: int) -> str:
    columns = table.columns[1:] if table.headed else table.columns
    align = table.align[1:] if table.headed else table.align
    stacked = _stacked(table)
    body: list[str] = []
    for group in groups:
        body.append(r"\midrule")
        if table.headed:
            name = escaped(group[0][0].text)
            body.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{{name}}} \\")
        for row in group:
            body += _lines(row[1:] if table.headed else row, stacked)
    wide = _width(table, stacked) > LINE
    continued = f", part {page}" if page > 1 else ""
    lines = [
        r"\begin{table}[tbp]",
        r"\centering",
        r"\footnotesize" if len(columns) > 5 else r"\small",
        rf"\caption{{{escaped(table.caption + continued)}}}",
        rf"\label{{tab:{_label(table.name)}{f'-{page}' if page > 1 else ''}}}",
        *([r"\resizebox{\linewidth}{!}{%"] if wide else []),
        rf"\begin{{tabular}}{{{_columns(align)}}}",
        r"\toprule",
        " & ".join(escaped(column) for column in columns) + r" \\",
        *body,
        r"\bottomrule",
        r"\end{tabular}" + ("}" if wide else ""),
        *_notes(table),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _pages(groups: Sequence[Sequence[Row]], most: int) -> list[list[Sequence[Row]]]:
    """The groups, so many at once as have at most ``most`` rows; a longer group is broken."""
    pages: list[list[Sequence[Row]]] = [[]]
    used = 0
    for group in groups:
        for at in range(0, len(group), most):
            part = group[at : at + most]
            if used and used + len(part) > most:
                pages.append([])
                used = 0
            pages[-1].append(part)
            used += len(part)
    return pages


def _width(table: PaperTable, stacked: bool) -> float:
    """About how wide a table is, in characters of its own size."""
    total = 0.0
    cells = [table.columns, *([cell.text for cell in row] for row in table.rows)]
    arounds = [[len(cell.around) for cell in row] for row in table.rows]
    for at, letter in enumerate(table.align):
        if (table.headed and at == 0) or letter == "p":
            continue
        text = max(len(row[at]) for row in cells)
        around = max((row[at] for row in arounds), default=0)
        total += max(text, 0.7 * around) if stacked else text + around
        total += 3  # between columns
    return total


def _notes(table: PaperTable) -> list[str]:
    notes = [*([REPORTED] if table.reported else []), *map(escaped, table.notes)]
    if not notes:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{0.95\linewidth}",
        r"\footnotesize",
        "\n".join(f"{note}\\par" for note in notes),
        r"\end{minipage}",
    ]


def _columns(align: str) -> str:
    long = align.count("p")
    width = f"p{{{0.8 / long:.2f}\\linewidth}}" if long else ""
    return "".join(width if letter == "p" else letter for letter in align)


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", name)


def _stacked(table: PaperTable) -> bool:
    """Whether intervals stand below their values, because there are too many side by side."""
    columns = zip(*table.rows, strict=True) if table.rows else ()
    count = sum(any(cell.around for cell in column) for column in columns)
    return count > MOST_INLINE or (count > 1 and _width(table, False) > LINE)


def _lines(row: Row, stacked: bool) -> list[str]:
    """The row, and a second one for intervals if they stand below."""
    if not stacked or not any(cell.around for cell in row):
        return [_joined([f"{_value(cell)} {_interval(cell)}".rstrip() for cell in row])]
    below = [rf"\scriptsize {_interval(cell)}" if cell.around else "" for cell in row]
    return [_joined([_value(cell) for cell in row]), _joined(below)]


def _joined(cells: list[str]) -> str:
    """One row of the table; no bracket stands at its beginning, where it would be an option."""
    first = f"{{{cells[0][0]}}}{cells[0][1:]}" if cells[0].startswith(("[", "*")) else cells[0]
    return " & ".join([first, *cells[1:]]) + r" \\"


def _value(cell: PaperCell) -> str:
    text = _minus(escaped(" ".join(cell.text.split("\n"))).strip())
    if not text or text == "-":
        return "--" if text else ""
    if cell.style == "best":
        return rf"\textbf{{{text}}}"
    return rf"\textit{{{text}}}" if cell.style == "reported" else text


def _interval(cell: PaperCell) -> str:
    return _minus(escaped(cell.around))


def _minus(text: str) -> str:
    """-0.25 is a number with a minus, not a hyphen."""
    return re.sub(r"(?<![\w{}.])-(?=\d)", "$-$", text)


def _char(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if " " <= char <= "~":
        return char
    if char in _KNOWN:
        return _KNOWN[char]
    if char.lower() in _GREEK_LETTERS:
        return _greek(char)
    base, *marks = list(unicodedata.normalize("NFD", char))
    if len(marks) == 1 and marks[0] in _ACCENTS and base.isascii() and base.isalpha():
        return rf"\{_ACCENTS[marks[0]]}{{{base}}}"
    return rf"\texttt{{U+{ord(char):04X}}}"


def _greek(char: str) -> str:
    name = _GREEK_LETTERS[char.lower()]
    if char.islower():
        return name if name == "o" else rf"$\{name}$"
    # capitals that look like Latin ones have no command of their own
    if name in _CAPITALS:
        return rf"$\{name.capitalize()}$"
    return rf"\texttt{{U+{ord(char):04X}}}"
