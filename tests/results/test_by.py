"""Curves and maps of a run along the settings of its variants."""

from __future__ import annotations

from itertools import product

import pytest

from harness.errors import SelectionError
from harness.results.by import by_report, check_keys, known_keys, merged
from harness.results.render import FORMATS, render
from harness.results.run import ScorerInfo
from harness.results.store import RunReader, read_run
from harness.results.within import measurements

CHOICE = ScorerInfo("choice", kind="proportion", low=0.0, high=1.0)


def right(count: int, of: int = 20) -> list[float]:
    return [1.0] * count + [0.0] * (of - count)


@pytest.fixture
def swept(store, cell) -> RunReader:
    """Two models at 3 frame rates x 2 numbers of frames; one cell of the second is missing."""
    counts = {"1": 4, "2": 17, "10": 18}
    cells = [
        cell(model, "crime", f"fps={fps},frames={frames}", {"choice": right(n), "f1": right(n)})
        for model in ("small", "large")
        for (fps, n), frames in product(counts.items(), ("4", "16"))
        if (model, fps, frames) != ("large", "10", "16")
    ]
    for one in cells:
        one.infos = {"choice": CHOICE}
    return read_run(store(*cells, cell("small", "text", values={"choice": right(3)})))


def report(run: RunReader, *keys: str, metrics: tuple[str, ...] = ()):
    return by_report(run, measurements(run, run.manifest.cells, metrics), keys)


def test_one_key_is_a_curve_in_the_order_of_numbers(swept: RunReader) -> None:
    found = report(swept, "fps", metrics=("choice",))
    table = found.tables[0]
    assert table.title == "crime [frames=4]: small, choice by fps   ▁▇█"
    assert [row[:2] for row in table.rows] == [["1", "0.200"], ["2", "0.850"], ["10", "0.900"]]
    assert table.rows[0][3:6] == ["", "", ""]
    assert table.rows[1][3] == "+0.650"
    assert table.rows[1][5] == "better"
    assert len(found.tables) == 4  # models x frames; the task without the setting has none
    least = [(one["settings"], one["suffices"], one["best"]) for one in found.records["sufficient"]]
    assert least[0] == ("frames=4", "2", "10")
    assert "crime [frames=4]: small, choice: fps=2 suffices; to the best (fps=10)" in found.notes[0]


def test_differences_are_paired_to_the_first_value(swept: RunReader) -> None:
    rows = report(swept, "fps", metrics=("choice",)).records["by"]
    (row,) = (
        one
        for one in rows
        if (one["model"], one["settings"], one["fps"]) == ("small", "frames=4", "2")
    )
    # 13 wins in 20 pairs and no loss
    assert row["difference"] == pytest.approx(0.65)
    assert 0.35 < row["difference_low"] < 0.65 < row["difference_high"] < 0.85
    assert (row["against"], row["pairs"], row["verdict"]) == ("1", 20, "better")
    assert row["p"] == pytest.approx(0.5**13)  # McNemar's mid-p: 2 * 0.5^13 / 2


def test_two_keys_are_a_map_with_its_best_and_its_holes(swept: RunReader) -> None:
    found = report(swept, "fps", "frames")
    small, large = found.tables
    assert small.columns == ["fps \\ frames", "4", "16"]
    assert small.rows == [
        ["1", "0.200", "0.200"],
        ["2", "0.850 ~", "0.850 ~"],
        ["10", "0.900 *", "0.900 *"],
    ]
    assert large.rows[2] == ["10", "0.900 *", "missing"]
    assert "--metric shows another: f1." in found.notes
    least = [one["suffices"] for one in found.records["sufficient"]]
    assert least == ["2,4", "2,4"]


def test_models_can_be_a_key_and_keep_their_order(swept: RunReader) -> None:
    table = report(swept, "model", "fps", metrics=("choice",)).tables[0]
    assert table.title == "crime [frames=4], choice by model (down) and fps (across)"
    assert [row[0] for row in table.rows] == ["small", "large"]
    tasks = report(swept, "task", metrics=("choice",))
    assert tasks.records["by"][0]["difference"] is None  # other samples, nothing to pair


def test_clusters_widen_the_difference(store, cell) -> None:
    def of(variant: str, values: list[float], clusters):
        return cell("m", "crime", variant, {"choice": values}, clusters=clusters)

    values = [0.0] * 20, [1.0] * 8 + [0.0] * 12
    widths = []
    for after, clusters in enumerate(([None] * 20, [f"v{at // 4}" for at in range(20)])):
        cells = [of(f"fps={at}", value, clusters) for at, value in enumerate(values)]
        run = read_run(store(*cells, after=after))
        row = report(run, "fps").records["by"][1]
        widths.append(row["difference_high"] - row["difference_low"])
    assert widths[1] > 1.4 * widths[0]


def rates(store, cell, **counts: int) -> RunReader:
    cells = [
        cell(
            "m", "crime", f"fps={fps.replace('half', 'source/2').strip('_')}", {"choice": right(n)}
        )
        for fps, n in counts.items()
    ]
    for one in cells:
        one.infos = {"choice": CHOICE}
    return read_run(store(*cells))


def test_the_source_rate_is_no_number_and_the_best_does_not_suffice_for_itself(store, cell) -> None:
    found = report(rates(store, cell, half=18, _1=17), "fps")
    assert [row[0] for row in found.tables[0].rows] == ["1", "source/2"]
    assert "fps=source/2 is the best; fps=1, on another scale," in found.notes[0]
    assert "suffices in its place: -0.050 [" in found.notes[0]
    assert [one["suffices"] for one in found.records["sufficient"]] == ["1"]


def test_each_difference_says_which_alternative_it_is_of(store, cell) -> None:
    found = report(rates(store, cell, _1=17, _4=18, half=17), "fps")
    assert "fps=1 or fps=source/2 suffice; to the best (fps=4): fps=1 -0.050 [" in found.notes[0]
    assert "], fps=source/2 -0.050 [" in found.notes[0]
    alone = report(rates(store, cell, _1=1, half=18), "fps")
    assert "fps=source/2 is the best, and none in its place suffices." in alone.notes[0]


def test_words_keep_the_order_of_the_run_and_the_first_is_the_reference(store, cell) -> None:
    cells = [
        cell("m", "crime", f"answer={answer}", {"choice": right(n)})
        for answer, n in (("likelihood", 9), ("letter", 3), ("text", 5))
    ]
    table = report(read_run(store(*cells)), "answer").tables[0]
    assert [row[0] for row in table.rows] == ["likelihood", "letter", "text"]
    assert table.columns[3] == "vs answer=likelihood"


def test_clean_input_stands_before_the_kinds_in_the_order_of_the_run(store, cell) -> None:
    kinds = ("noise:2", "blur:9", "blur:1", "none")
    cells = [cell("m", "crime", f"degrade={kind}", {"choice": right(9)}) for kind in kinds]
    table = report(read_run(store(*cells)), "degrade").tables[0]
    assert [row[0] for row in table.rows] == ["none", "noise:2", "blur:1", "blur:9"]


def test_an_unknown_key_is_one_line_with_those_there_are(swept: RunReader) -> None:
    cells = swept.manifest.cells
    assert known_keys(cells) == ["fps", "frames", "model", "task"]
    with pytest.raises(SelectionError) as caught:
        check_keys(["fsp"], cells)
    assert str(caught.value) == (
        "--by: the run varies no 'fsp' (did you mean 'fps'?); "
        "it can be shown by fps, frames, model, task"
    )
    for keys in ([], ["fps", "fps"], ["fps", "frames", "model"]):
        with pytest.raises(SelectionError, match="one key or two different ones"):
            check_keys(keys, cells)


def test_failed_samples_are_counted_and_a_cell_without_scores_is_no_point(store, cell) -> None:
    run = read_run(
        store(
            cell(variant="fps=1", values={"choice": [1.0, 0.0, None]}),
            cell(variant="fps=2", values={"choice": [None, None, None]}),
        )
    )
    found = report(run, "fps")
    assert [row[-2:] for row in found.tables[0].rows] == [["2", "1"], ["0", "3"]]
    assert found.tables[0].rows[1][1:4] == ["-", "-", "-"]
    assert found.records["sufficient"] == []


def test_every_format_and_reports_of_several_keys(swept: RunReader) -> None:
    both = merged([report(swept, "fps"), report(swept, "frames", "model")])
    for form in FORMATS:
        assert "crime" in render(both, form)
    names = [set(row) for row in both.records["by"]]
    assert all(one == names[0] for one in names)


def test_nothing_suffices_where_all_values_are_equal(store, cell) -> None:
    found = report(rates(store, cell, _1=12, _2=12), "fps")
    assert found.records["sufficient"] == []
    assert not any("suffices" in note or "is the best" in note for note in found.notes)


def test_a_map_of_equal_values_has_no_best(store, cell) -> None:
    cells = [
        cell("m", "crime", f"fps={fps},frames={frames}", {"choice": right(12)})
        for fps in (1, 2)
        for frames in (4, 8)
    ]
    for one in cells:
        one.infos = {"choice": CHOICE}
    found = report(read_run(store(*cells)), "fps", "frames")
    assert found.tables[0].rows == [["1", "0.600", "0.600"], ["2", "0.600", "0.600"]]
    assert not any("missing" in note for note in found.notes)
