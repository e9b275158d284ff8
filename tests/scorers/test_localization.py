from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from harness.collect.specs import ScoreSpec
from harness.errors import HarnessError
from harness.records import Completion, Sample
from harness.scorers.base import ScorerContext
from harness.scorers.localization import Positions, match, mean_offset, read_positions
from harness.scorers.registry import make_scorer


def run(pairs, tolerance=None):
    spec = ScoreSpec(metric="frame_localization", tolerance=tolerance)
    scorer = make_scorer(spec, ScorerContext())
    samples = [Sample(str(i), "q", "", row=row) for i, (row, _) in enumerate(pairs)]
    return scorer.score(samples, [Completion(str(i), text) for i, (_, text) in enumerate(pairs)])


def one(row, answer, tolerance=None):
    return run([(row, answer)], tolerance)[0]


TIMES = {
    "at 1.2 s": (1.2,),
    "1.2s, 3.4s": (1.2, 3.4),
    "1, 2 and 3.5 seconds": (1, 2, 3.5),
    "between 1 and 2 sec": (1, 2),
    "3 s, 1 s, 3 s": (1, 3),
    "at 1200 ms": (1.2,),
    "at second 4": (4,),
    "00:01 and 00:07.5": (1, 7.5),
    "01:02:03": (3723,),
    '{"times": [1.2, "00:03"]}': (1.2, 3),
    '{"errors": ["x"], "error_times": [0.4]}': (0.4,),
    '["00:01", "00:04"]': (1, 4),
    "[0.5s]": (0.5,),
}
FRAMES = {
    "frame 12": (12,),
    "Frames 12, 15 and 20.": (12, 15, 20),
    "frame #7": (7,),
    "frames: [3, 4]": (3, 4),
    "the 12th frame": (12,),
    "frames 12-15": (12, 15),
    '```json\n{"frames": [1, 2]}\n```': (1, 2),
}


@pytest.mark.parametrize(("text", "expected"), TIMES.items())
def test_times_are_read(text, expected):
    assert read_positions(text) == Positions(s=expected)


@pytest.mark.parametrize(("text", "expected"), FRAMES.items())
def test_frames_are_read(text, expected):
    assert read_positions(text) == Positions(frames=expected)


@pytest.mark.parametrize("text", ["[12, 15]", "12, 15", "12 and 15."])
def test_bare_numbers_have_the_unit_of_the_row(text):
    assert read_positions(text) == Positions(bare=(12, 15))
    assert one({"error_frames": [12, 15]}, text).value == 1.0
    assert one({"error_times": [12, 15]}, text).value == 1.0


@pytest.mark.parametrize(
    "text", ["no error", "3 squats in 2 sets", "5 steps", "1.2.3 s", '{"times": [NaN, -1, true]}']
)
def test_other_numbers_are_no_positions(text):
    assert read_positions(text) == Positions()


def test_both_units_in_one_answer():
    assert read_positions("frame 12 at 0.4 s") == Positions(s=(0.4,), frames=(12,))
    both = {"error_times": [0.4], "error_frames": [99]}
    assert one(both, "frame 12 at 0.4 s").value == 1.0
    assert one(both, "frame 99").value == 1.0


def test_matched_within_half_a_second_or_five_frames():
    found = one({"error_times": [1.0, 4.0]}, "at 1.4 s and 4.6 s")
    assert found.detail == pytest.approx((1, 2, 2, 0.4))
    assert found.value == 0.5
    assert found.explanation == "mean offset of the matched: 0.4 s"
    assert found.answer == "1.4, 4.6 s"
    assert one({"error_frames": [10]}, "frame 15").value == 1.0
    assert one({"error_frames": [10]}, "frame 16").value == 0.0


def test_the_tolerance_can_be_given_and_is_in_the_name():
    spec = ScoreSpec(metric="frame_localization", tolerance=1)
    scorer = make_scorer(spec, ScorerContext())
    assert scorer.name == "frame_localization[1]"
    assert "within 1 (s or frames)" in scorer.method
    assert one({"error_times": [1.0]}, "2.0 s", 1).value == 1.0
    assert one({"error_times": [1.0]}, "1.1 s", 0).value == 0.0


def test_two_positions_do_not_share_one():
    assert one({"error_times": [1.0]}, "1.0 s, 1.1 s").detail == pytest.approx((1, 2, 1, 0.0))
    assert one({"error_times": [1.0, 1.1]}, "1.0 s").value == pytest.approx(2 / 3)


def test_nothing_there_and_nothing_told():
    assert one({"error_times": []}, "I see no error").value == 1.0
    assert one({"error_times": []}, "at 1 s").value == 0.0
    assert one({"error_times": [1]}, "I see no error").value == 0.0
    assert one({"error_times": []}, "").value == 0.0


def test_the_other_unit_is_wrong_and_says_why():
    found = one({"error_frames": [12]}, "at 0.5 s")
    assert (found.value, found.answer) == (0.0, None)
    assert found.explanation == "the answer tells times, the row the other"


def test_rows_without_the_columns():
    with pytest.raises(HarnessError, match="'error_times' or 'error_frames', which no row has"):
        one({}, "at 1 s")
    scores = run([({}, "at 1 s"), ({"error_times": [1]}, "at 1 s")])
    assert [score.value for score in scores] == [None, 1.0]


BROKEN = {
    "x": "'x'",
    "5": "'5'",
    5: "5",
    "[Infinity]": "'[Infinity]'",
    (-1,): "[-1]",
    (float("inf"),): "[inf]",
    (1, None): "[1, None]",
    ("0:05",): "['0:05']",
    ((1, 2),): "[(1, 2)]",
}


@pytest.mark.parametrize(("value", "shown"), BROKEN.items(), ids=map(str, BROKEN))
@pytest.mark.parametrize("text", ["", "no error", "at 5 s, at frame 5"])
def test_a_column_that_is_no_list_of_numbers_is_an_error_of_its_sample(value, shown, text):
    value = list(value) if isinstance(value, tuple) else value
    found = run([({"error_times": value}, text), ({"error_times": [5]}, "at 5 s")])
    assert [(one.value, one.status) for one in found] == [(None, "error"), (1.0, "ok")]
    what = f"sample '0': 'error_times' is {shown}, and should be a list of seconds from 0"
    assert found[0].explanation == what
    both = one({"error_times": [5], "error_frames": value}, text)
    what = f"sample '0': 'error_frames' is {shown}, and should be a list of frame numbers from 0"
    assert (both.status, both.explanation) == ("error", what)


def test_a_csv_column_holds_numbers_as_json():
    assert one({"error_times": "[1, 2.5]", "error_frames": ""}, "1 s, 2.5 s").value == 1.0
    assert one({"error_times": "[]"}, "no error").value == 1.0


def test_mean_offset_of_all_matched():
    scores = run([({"error_times": [1]}, "1.2 s"), ({"error_times": [1, 2]}, "1.1 s, 2.3 s")])
    assert mean_offset(scores) == pytest.approx((0.2 + 0.1 + 0.3) / 3)
    assert mean_offset(run([({"error_times": [1]}, "9 s")])) is None


TENTHS = st.lists(st.integers(0, 40).map(lambda n: n / 10), max_size=5)


@given(TENTHS, TENTHS)
def test_the_matching_is_the_best_there_is(told, true):
    """Against every assignment, and against scipy's with a price on pairs too far apart."""
    matched, offset = match(told, true, 0.5)
    short, long = sorted((told, true), key=len)
    best = (0, 0.0)
    for chosen in permutations(long, len(short)):
        gaps = [abs(a - b) for a, b in zip(short, chosen, strict=True) if abs(a - b) <= 0.5 + 1e-9]
        best = min(best, (-len(gaps), round(sum(gaps), 6)))
    assert (-matched, round(offset, 6)) == best
    far = 1000.0
    costs = [[abs(a - b) if abs(a - b) <= 0.5 + 1e-9 else far for b in true] for a in told]
    if told and true:
        rows, columns = linear_sum_assignment(costs)
        near = [c for c in (costs[i][j] for i, j in zip(rows, columns, strict=True)) if c < far]
        assert matched == len(near)
        assert offset == pytest.approx(sum(near))


@given(TENTHS, TENTHS, st.randoms())
def test_order_does_not_matter(told, true, rng):
    found = match(told, true, 0.5)
    again = match(rng.sample(told, len(told)), rng.sample(true, len(true)), 0.5)
    assert (found[0], round(found[1], 9)) == (again[0], round(again[1], 9))
    assert found[0] == match(true, told, 0.5)[0]


@given(st.text('0123456789:.,- sframe[]{}"', max_size=60))
def test_any_answer_has_a_value(text):
    found = one({"error_times": [1.0]}, text)
    assert found.status == "ok"
    assert 0.0 <= found.value <= 1.0


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=6, unique=True))
def test_what_is_written_is_read(frames):
    assert read_positions(f"frames {', '.join(map(str, frames))}").frames == tuple(sorted(frames))
    clock = " ".join(f"{n // 60:02d}:{n % 60:02d}" for n in frames)
    assert read_positions(clock).s == tuple(sorted(frames))
