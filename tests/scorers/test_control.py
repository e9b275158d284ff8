from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.control import make_controls

TEXTS = st.lists(st.text(max_size=3), min_size=1, max_size=30)


@given(TEXTS, st.integers(0, 5), st.randoms())
def test_controls_are_other_texts_and_do_not_depend_on_order(texts, seed, random):
    controls = make_controls(texts, seed)
    distinct = set(texts)
    for text in distinct:
        others = controls.others[text]
        assert text not in others
        assert len(set(others)) == len(others) == min(5, len(distinct) - 1)
    shuffled = texts * 2
    random.shuffle(shuffled)
    assert make_controls(shuffled, seed) == controls


def test_every_text_serves_equally_often():
    controls = make_controls([str(i) for i in range(201)], seed=1)
    used = [other for others in controls.others.values() for other in others]
    assert sorted(used) == sorted(controls.others)


def test_the_seed_decides():
    texts = [str(i) for i in range(50)]
    assert make_controls(texts, 0) != make_controls(texts, 1)


def test_one_reference_has_no_control():
    assert make_controls(["yes", "yes"], 0).others == {"yes": ()}
