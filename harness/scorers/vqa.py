"""Soft accuracy of VQA v2 and VizWiz: ten people answered, and agreement with three is enough.

Antol et al. 2015 and Goyal et al. 2017; computed as by the authors' `vqaEval.py` (the repository
GT-Vision-Lab/VQA). An answer gets min(n / 3, 1), where n of the other nine people gave the same,
averaged over the ten ways to leave one person out.

Answers are normalised as there, in this order: line ends and tabs are spaces; punctuation goes, or
becomes a space where it stands between two letters; a point goes unless a digit follows; lower
case; number words up to ten are digits, "none" is 0; a, an and the go; contractions get their
apostrophe ("dont" is "don't"). The authors' oddities are kept, since results are compared: a comma
between digits anywhere takes all punctuation out without a space, and only 32 points go.

People's answers are normalised only if they are not all the same, as there. What is done with the
model's answer in that case differs between versions of the authors' file: c4e6a0e normalises it,
later copies compare it as written. Here either counts, because the study's systems normalise
before they hand in, and a unanimous "two" would otherwise be right for neither "two" nor "2".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.collect.specs import ScoreSpec
from harness.records import Completion, Sample, Score
from harness.scorers.base import SHARE, ScorerContext
from harness.scorers.columns import has, listed, unusable
from harness.scorers.text import SampleScorer

ENOUGH = 3
"""So many people with the same answer make it right."""
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_POINT = re.compile(r"\.(?!\d)")
_POINTS = 32  # re.UNICODE, which the authors' code hands over as the count
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBERS)}}
_ARTICLES = frozenset(("a", "an", "the"))

# what is read without its apostrophe
_ONE = """ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's
how'd how'll how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock
oughtn't shan't should've shouldn't somebody'll somebody's someone'd someone'll someone's
something'd something'll that's there'd there're there's they'd they'll they're they've 'twas wasn't
we've weren't what'll what're what's what've when's where'd where's where've who'd who'll who's
who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've"""
# what is read without one of its apostrophes
_MORE = """couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've
someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll y'all'd've
you'd've 'ow's'at"""


def _contractions() -> dict[str, str]:
    """Misspelling -> spelling. Those of "I" are left out: the authors' have a capital, which a
    text in lower case never has."""
    found = {form.replace("'", ""): form for form in _ONE.split()}
    for form in _MORE.split():
        places = [at for at, char in enumerate(form) if char == "'"]
        found |= {form[:at] + form[at + 1 :]: form for at in places}
    return found | {"somebody'd": "somebodyd"}  # this one is the wrong way round there, too


_CONTRACTIONS = _contractions()


def vqa_accuracy(spec: ScoreSpec, context: ScorerContext) -> SampleScorer:
    """Share of the ways to leave one person out in which three of the others agree; see above.

    People's answers are the column `answers`, texts or objects with an `answer`; one that holds
    anything else is an error. A sample without the column, or with one answer alone, gets 1 if the
    answer is that one (or the target) after normalisation.
    """

    def rule(sample: Sample, completion: Completion) -> Score:
        answer = normalise_vqa(completion.text)
        people = people_of(sample.row) if has(sample.row, "answers") else [sample.target]
        if people is None:
            return unusable(sample, "answers")
        if len(people) < 2:
            only = people[0]
            same = answer == normalise_vqa(only)
            return Score(float(same), answer=answer, explanation="one reference, exact match")
        return Score(soft_accuracy(completion.text, people), answer=answer)

    method = (
        "mean over people left out of min(same answers of the others / 3, 1), VQA normalisation; "
        "without 'answers', exact match with the target"
    )
    return SampleScorer("vqa_accuracy", method, rule, scale=SHARE)


def people_of(row: Mapping[str, object]) -> list[str] | None:
    """The answers of the column `answers`: at least one, all told alike; else None."""
    found = listed(row, "answers") or []
    if all(isinstance(item, Mapping) for item in found):
        found = [item.get("answer") for item in found if isinstance(item, Mapping)]
    answers = [answer for answer in found if isinstance(answer, str)]
    return answers if answers and len(answers) == len(found) else None


def soft_accuracy(answer: str, people: Sequence[str]) -> float:
    """The accuracy of one answer given those of at least two people, in any order."""
    said = [_plain(one) for one in people]
    if len(set(said)) > 1:
        mine, said = {normalise_vqa(answer)}, [normalise_vqa(one) for one in said]
    else:
        mine = {_plain(answer), normalise_vqa(answer)}
    same = sum(one in mine for one in said)
    agreed = same * min((same - 1) / ENOUGH, 1.0)  # who is left out gave the same answer
    return (agreed + (len(said) - same) * min(same / ENOUGH, 1.0)) / len(said)


def normalise_vqa(text: str) -> str:
    """The text as the authors' evaluation compares it."""
    text = _plain(text)
    bare = text
    in_number = _COMMA_IN_NUMBER.search(text) is not None
    for mark in _PUNCTUATION:
        apart = in_number or f"{mark} " in text or f" {mark}" in text
        bare = bare.replace(mark, "" if apart else " ")
    words = _POINT.sub("", bare, count=_POINTS).lower().split()
    kept = [_DIGITS.get(word, word) for word in words]
    return " ".join(_CONTRACTIONS.get(word, word) for word in kept if word not in _ARTICLES)


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
