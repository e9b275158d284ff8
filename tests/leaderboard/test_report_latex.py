"""Tables as LaTeX, read as strictly as TeX would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportruns import check_latex

from harness.leaderboard.report.latex import escaped, table_text
from harness.leaderboard.report.paper import PaperCell, PaperTable, plain, value_cell


def table(*rows: tuple[PaperCell, ...], **more: object) -> PaperTable:
    size = len(rows[0])
    given = {"name": "t", "caption": "A caption", "notes": ("a note",), **more}
    return PaperTable(
        columns=[f"c{at}" for at in range(size)],
        align="l" + "r" * (size - 1),
        groups=[rows],
        records=[],
        **given,  # type: ignore[arg-type]
    )


def test_special_characters_are_set_as_they_are() -> None:
    assert escaped(r"a_b & 50% #1 {x} $5 ~ ^ \cmd") == (
        r"a\_b \& 50\% \#1 \{x\} \$5 \textasciitilde{} \textasciicircum{} \textbackslash{}cmd"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("café", r"caf\'{e}"),
        ("Åse", r"\r{A}se"),
        ("≤ 5 µm ± 1", r"$\leq$ 5 $\mu$m $\pm$ 1"),
        ("α ≈ Ω", r"$\alpha$ $\approx$ $\Omega$"),
        ("中", r"\texttt{U+4E2D}"),
        ("--x ''", r"-{}-x '{}'"),
        ("\x1b[31m", r"\textbackslash{}x1b[31m"),
    ],
)
def test_what_pdflatex_has_no_letter_for(text: str, wanted: str) -> None:
    assert escaped(text) == wanted


def test_a_table_has_caption_label_rules_and_notes() -> None:
    found = table_text(table(plain("model", "0.5"), plain("other", "-"), notes=("n is 5 % small",)))
    check_latex(found)
    assert "\\caption{A caption}\n\\label{tab:t}" in found
    for rule in ("\\toprule", "\\midrule", "\\bottomrule"):
        assert found.count(rule) == 1
    assert found.index("\\end{tabular}") < found.index("n is 5 \\% small")
    assert "other & -- \\\\" in found


def test_best_is_bold_reported_is_italic_and_explained() -> None:
    best = value_cell(0.5, (0.4, 0.6), "best")
    found = table_text(
        table((PaperCell("m"), best), (PaperCell("r"), PaperCell("0.4", "reported")))
    )
    check_latex(found)
    assert "m & \\textbf{0.500} [0.400, 0.600] \\\\" in found
    assert "r & \\textit{0.4} \\\\" in found
    assert "reported by the study's authors, not measured here" in found


def test_of_many_columns_the_intervals_stand_below_their_values() -> None:
    cells = [value_cell(0.5, (0.4, 0.6)) for _ in range(4)]
    found = table_text(table((PaperCell("m"), *cells)))
    check_latex(found)
    assert "m & 0.500 & 0.500 & 0.500 & 0.500 \\\\\n" in found
    assert " & \\scriptsize [0.400, 0.600] & " in found


def test_a_minus_is_no_hyphen_and_a_name_is_no_number() -> None:
    found = table_text(table((PaperCell("llama-3"), value_cell(-0.2, (-0.3, -0.1)))))
    assert "llama-3 & $-$0.200 [$-$0.300, $-$0.100] \\\\" in found


def test_a_long_table_becomes_several_floats_with_labels_of_their_own() -> None:
    found = table_text(table(*[plain(f"row {at}", "1") for at in range(120)]))
    check_latex(found)
    assert found.count("\\begin{table}") == 3
    assert "\\label{tab:t-3}" in found
    assert all(f"row {at} & 1" in found for at in range(120))


def test_a_wide_table_is_scaled_to_the_line_and_a_narrow_one_is_not() -> None:
    wide = table_text(table(plain("x" * 80, "y" * 80)))
    check_latex(wide)
    assert "\\resizebox{\\linewidth}" in wide
    assert "\\resizebox" not in table_text(table(plain("x", "y")))


def test_the_name_of_a_group_stands_above_its_rows() -> None:
    found = table_text(table(plain("task a", "m", "1"), plain("", "n", "2"), headed=True))
    check_latex(found)
    assert "\\multicolumn{2}{l}{task a} \\\\\nm & 1 \\\\\nn & 2 \\\\" in found


@given(st.lists(st.text(max_size=20), min_size=3, max_size=3), st.text(max_size=20))
def test_no_text_breaks_a_table(texts: list[str], caption: str) -> None:
    cells = [PaperCell(texts[0]), PaperCell(texts[1], "best"), PaperCell(texts[2], "reported")]
    check_latex(table_text(table(tuple(cells), caption=caption, notes=(texts[0],))))
