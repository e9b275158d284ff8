"""Samples to prompts: one pass, in a sandbox, the same for evaluation and fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collect.sandbox import MAX_PROMPT, environment
from harness.collect.specs import TaskSpec
from harness.errors import SpecError
from harness.records import Message, Sample
from harness.tasks.prompt import Prompt, make_requests

SAMPLE = Sample("s1", "What is 6 x 7?", "42", row={"question": "What is 6 x 7?", "topic": "sums"})
CHOICE = Sample("c1", "Which is red?", "B", choices=("sky", "blood", "grass"))


def make_task(prompt: Mapping[str, object], text: str = "", **parts: object) -> TaskSpec:
    words = {
        "task": "mine",
        "version": 1,
        "data": {"path": "d.jsonl"},
        "prompt": prompt,
        "score": ["exact_match"],
    }
    task = TaskSpec.model_validate(words | parts)
    task.located(Path("tasks/mine/mine.task.yaml"), text, Path("."))
    return task


def render(template: str, sample: Sample = SAMPLE) -> object:
    return Prompt.of(make_task({"template": template})).render(sample)


def problem(template: str, sample: Sample = SAMPLE, text: str = "") -> str:
    """The one line that a user reads about a bad template."""
    with pytest.raises(SpecError) as caught:
        Prompt.of(make_task({"template": template}, text)).render(sample)
    message = str(caught.value)
    assert message.startswith("tasks/mine/mine.task.yaml:")
    assert "\n" not in message
    return message


# --------------------------------------------------------------------------- rendering


def test_a_template_sees_the_sample_and_every_column() -> None:
    template = "{{ topic }}|{{ input }}|{{ target }}|{{ id }}|{{ row['topic'] }}"
    assert render(template) == "sums|What is 6 x 7?|42|s1|sums"


def test_a_part_of_the_sample_goes_before_a_column_of_its_name() -> None:
    sample = Sample("s1", "the question", "a", row={"input": "Alpaca's context"})
    assert render("{{ input }} {{ row.input }}", sample) == "the question Alpaca's context"


def test_choices_with_their_letters() -> None:
    template = "{{ input }}{% for c in choices %}\n{{ letters[loop.index0] }}. {{ c }}{% endfor %}"
    assert render(template, CHOICE) == "Which is red?\nA. sky\nB. blood\nC. grass"


def test_the_last_line_break_of_a_block_is_no_part_of_the_prompt() -> None:
    assert render("Q: {{ input }}\nA:\n") == "Q: What is 6 x 7?\nA:"


@given(st.text(max_size=60))
def test_a_sample_is_never_read_as_a_template_or_escaped(text: str) -> None:
    hostile = "{{ 7*7 }}{% raw %}{# #}<&>" + text
    assert render("{{ input }}", Sample("s", hostile, "t")) == hostile


def test_the_answer_follows_the_delimiter_and_its_own_template() -> None:
    plain = Prompt.of(make_task({"template": "{{ input }}"}))
    assert plain.answer(SAMPLE) == " 42"
    spec = {"template": "{{ input }}", "target_delimiter": "\n", "target_template": "= {{target}}"}
    assert Prompt.of(make_task(spec)).answer(SAMPLE) == "\n= 42"


def test_continuations_are_words_or_letters_behind_the_delimiter() -> None:
    prompt = Prompt.of(make_task({"template": "{{ input }}"}))
    assert prompt.continuations(CHOICE, "text") == (" sky", " blood", " grass")
    assert prompt.continuations(CHOICE, "letter") == (" A", " B", " C")
    chat = Prompt.of(make_task({"messages": [{"role": "user", "content": "{{ input }}"}]}))
    assert chat.continuations(CHOICE, "letter") == ("A", "B", "C")


# --------------------------------------------------------------------------- few shots

SHOTS = (Sample("t1", "1 + 1?", "2"), Sample("t2", "2 + 2?", "4"))


def test_few_shots_stand_in_front_with_their_answers() -> None:
    spec = {"template": "Q: {{ input }}\nA:", "num_fewshot": 2}
    prompt = Prompt.of(make_task(spec), SHOTS)
    assert prompt.render(SAMPLE) == "Q: 1 + 1?\nA: 2\n\nQ: 2 + 2?\nA: 4\n\nQ: What is 6 x 7?\nA:"


def test_a_chat_has_its_system_prompt_once() -> None:
    turns = [
        {"role": "system", "content": "Answer with a number."},
        {"role": "user", "content": "{{ input }}"},
    ]
    prompt = Prompt.of(make_task({"messages": turns, "num_fewshot": 2}), SHOTS)
    assert prompt.render(SAMPLE) == (
        Message("system", "Answer with a number."),
        Message("user", "1 + 1?"),
        Message("assistant", "2"),
        Message("user", "2 + 2?"),
        Message("assistant", "4"),
        Message("user", "What is 6 x 7?"),
    )


@pytest.mark.parametrize(
    "spec",
    [{"template": "{{ input }}"}, {"messages": [{"role": "user", "content": "{{ input }}"}]}],
)
def test_a_sample_is_shown_the_next_example_in_place_of_its_own(spec: Mapping[str, object]) -> None:
    task = make_task({**spec, "num_fewshot": 2})
    rows = (*SHOTS, Sample("t3", "3 + 3?", "6"))
    prompt = Prompt.of(task, rows)
    assert prompt.render(rows[0]) == Prompt.of(task, rows[1:]).render(rows[0])
    assert prompt.render(SAMPLE) == Prompt.of(task, SHOTS).render(SAMPLE)
    for sample in (SAMPLE, *rows):
        text = str(prompt.render(sample))
        assert sum(text.count(row.input) for row in rows if row != sample) == 2
        assert text.count(sample.input) == 1


def test_too_few_examples_beside_the_sample_are_refused_at_their_line() -> None:
    text = "task: mine\nprompt:\n  template: '{{ input }}'\n  num_fewshot: 2\n"
    task = make_task({"template": "{{ input }}", "num_fewshot": 2}, text)
    with pytest.raises(SpecError) as caught:
        Prompt.of(task, SHOTS).render(SHOTS[0])
    assert str(caught.value) == (
        "tasks/mine/mine.task.yaml:4: num_fewshot is 2, and only 1 of the rows of split "
        "'train' asks something else than sample 't1'"
    )


# --------------------------------------------------------------------------- mistakes


def test_an_undefined_name_gets_file_line_sample_and_the_names_there_are() -> None:
    text = "task: mine\nprompt:\n  template: |\n    Question:\n    {{ inptu }}\n"
    assert problem("Question:\n{{ inptu }}\n", text=text) == (
        "tasks/mine/mine.task.yaml:5: template: 'inptu' is undefined (did you mean 'input'?)"
        " (sample 's1' has: question, topic, input, target, choices, letters, id, row)"
    )


def test_an_undefined_name_in_the_answer_template() -> None:
    task = make_task({"template": "{{ input }}", "target_template": "{{ anser }}"})
    with pytest.raises(SpecError, match="template: 'anser' is undefined"):
        Prompt.of(task).answer(SAMPLE)


def test_a_name_is_undefined_even_if_it_is_only_tested() -> None:
    assert "'nowhere' is undefined" in problem("{% if nowhere %}x{% endif %}")


def test_a_syntax_error_points_at_its_line_in_the_task_file() -> None:
    text = "task: mine\nprompt:\n  template: |\n    fine\n    {% for x in %}\n"
    message = problem("fine\n{% for x in %}\n", text=text)
    assert message.startswith("tasks/mine/mine.task.yaml:5: template: Expected an expression")


def test_a_template_on_one_line_points_at_the_prompt() -> None:
    text = 'task: mine\nprompt:\n  template: "Q\\n{{ inptu }}"\n'
    assert problem("Q\n{{ inptu }}", text=text).startswith("tasks/mine/mine.task.yaml:3: ")
    assert problem("no such text\n{{ x }}", text=text).startswith("tasks/mine/mine.task.yaml:2: ")


@pytest.mark.parametrize(
    "template",
    [
        "{{ input | nofilter }}",
        "{% include '/etc/passwd' %}",
        "{{ choices[7] }}",
        "{{ input + 1 }}",
        "{{ 1 // 0 }}",
        "{{ '%d' % input }}",
        "{{ row.nothing.deeper }}",
        "{% set choices[0] = 1 %}",
        "{{ input ",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ " + "(" * 3000 + ")" * 3000 + " }}",
    ],
)
def test_every_other_mistake_is_one_line_too(template: str) -> None:
    assert ": template: " in problem(template)


def test_an_odd_id_cannot_break_the_line() -> None:
    sample = Sample("two\nlines\x1b[31m", "q", "t", row={"a\nb": 1})
    assert "(sample 'two lines [31m' has: a b, " in problem("{{ nowhere }}", sample)


# --------------------------------------------------------------------------- the sandbox


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ input | attr('__class__') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ joiner.__init__.__globals__.os }}",
        "{{ self.__init__.__globals__ }}",
        "{{ range.__class__ }}",
        "{{ dict.__base__.__subclasses__() }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ row.__class__ }}",
        "{{ row.update({'input': 'forged'}) }}",
        "{{ ().__class__.__base__.__subclasses__()[0] }}",
        "{% set f = namespace.__init__ %}{{ f.__globals__ }}",
    ],
)
def test_code_execution_is_refused_in_one_line(template: str) -> None:
    assert ": template: " in problem(template)


@pytest.mark.parametrize(
    "template",
    [
        "{% for x in range(10**9) %}{% endfor %}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 2.0 ** 9999 }}",
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * [1] }}",
        "{% for x in range(99999) %}{{ 'a' * 100000 }}{% endfor %}",
        "{% for x in range(99999) %}{{ input * 100 }}{% endfor %}",
    ],
)
def test_what_would_fill_the_memory_is_refused(template: str) -> None:
    assert ": template: not allowed: " in problem(template)


DOUBLING = "{% set n = namespace(x='a' * 100) %}{% for i in range(60) %}{% set n.x = STEP %}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x'|center(9999999999) }}",
        "{{ 'x'.center(9999999999) }}",
        "{{ ('x'|attr('center'))(9999999999) }}",
        "{{ 'x'.ljust(width) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%.999999999f' % 1 }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ '{:999999999d}'.format(1) }}",
        "{{ '{:{w}d}'.format(1, w=999999999) }}",
        "{{ ['x']|map('center', 9999999999)|list }}",
        "{{ ['x']|batch(9999999999, 'y')|list }}",
        "{{ 'x'|indent(9999999999, true) }}",
        "{{ [1]|tojson(9999999999) }}",
        "{{ (['a' * 10**7] * 1000)|join }}",
        "{{ ''.join(['a' * 10**7] * 1000) }}",
        "{{ ('a' * 10**6)|replace('a', 'b' * 10**6) }}",
        "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
        "{{ ['a' * 10**6] * 10**6 }}",
        "{% set x = 'a' * 10**6 %}{% set y = [x, x, x, x] %}{% set z = [y, y, y, y] %}{{ z }}",
        "{% set x = 'a' * 10**6 %}{% set y = [x, x, x, x] %}{{ '%s' % [y, y, y, y] }}",
        "{% set x = 'a' * 10**6 %}{% set y = [x, x, x, x] %}{{ '{}'.format([y, y, y, y]) }}",
        "{% set x = 'a' * 10**6 %}{% set y = [x, x, x, x] %}{{ [y, y, y, y] ~ 1 }}",
        "{% set x = 'a' * 10**6 %}{% set y = [x, x, x, x] %}{{ [y, y, y, y]|string|length }}",
        "{% set x = [{'k': 'a' * 10**6}] %}{{ (x * 1000)|join(attribute='k') }}",
        "{{ (1).to_bytes(9999999999, 'big') }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{{ (range(99999)|list|length) - 99999 }}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for i in [range(99999)] * 99 recursive %}{{ loop(i) if i is iterable }}{% endfor %}",
        DOUBLING.replace("STEP", "n.x ~ n.x") + "{% endfor %}",
        DOUBLING.replace("STEP", "n.x + n.x") + "{% endfor %}",
        DOUBLING.replace("'a' * 100", "9").replace("STEP", "n.x * n.x") + "{% endfor %}",
        DOUBLING.replace("'a' * 100", "[1]").replace("STEP", "n.x + n.x") + "{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set y %}{{ n.x }}{{ n.x }}"
        "{% endset %}{% set n.x = y %}{% endfor %}",
    ],
)
def test_a_bomb_is_refused_in_one_line(template: str) -> None:
    sample = Sample("s1", "q", "t", row={"width": 10**10})
    message = problem(template, sample)
    assert ": template: not allowed: " in message
    assert "\n" not in message


def test_each_prompt_has_a_budget_of_its_own() -> None:
    template = "{% for i in range(90000) %}{% endfor %}{{ input }}"
    prompt = Prompt.of(make_task({"template": template}))
    assert {prompt.render(SAMPLE) for _ in range(15)} == {SAMPLE.input}


def test_what_ordinary_templates_do_stays_allowed() -> None:
    template = (
        "{{ '%-5s|%03d' % ('a', 7) }} {{ '%s'|format(3) }} {{ '{:>4}'.format('b') }} "
        "{{ 'x'|center(5) }}{{ 'a' ~ 1 ~ 'b' }} {{ [1, 2]|join(', ') }} "
        "{{ 'aXa'|replace('X', 'y') }}"
        "{% for c in ['p', 'q'] if c != 'r' %} {{ loop.index }}/{{ loop.length }}{{ c }}"
        "{{ '' if loop.last else ';' }}{% else %}none{% endfor %}"
        "{{ input|truncate(200000) }}"
    )
    assert render(template, Sample("s", "!", "t")) == (
        "a    |007 3    b   x  a1b 1, 2 aya 1/2p; 2/2q!"
    )


def test_ordinary_arithmetic_stays_allowed() -> None:
    assert render("{{ 6 * 7 }} {{ 2 ** 10 }} {{ '-' * 5 }} {{ range(3) | list }}") == (
        "42 1024 ----- [0, 1, 2]"
    )


def test_a_prompt_may_be_long() -> None:
    long = "word " * (MAX_PROMPT // 10)
    assert render("{{ input }}", Sample("s", long, "t")) == long


def test_the_sandbox_has_no_globals_that_carry_python_functions() -> None:
    assert sorted(environment().globals) == ["dict", "namespace", "range"]


# --------------------------------------------------------------------------- requests


def test_one_request_for_each_sample_and_epoch() -> None:
    task = make_task({"template": "{{ input }}"})
    requests = make_requests(task, Prompt.of(task), [SAMPLE, SHOTS[0]], epochs=2)
    assert [r.id for r in requests] == ["s1#0", "s1#1", "t1#0", "t1#1"]
    assert [r.epoch for r in requests] == [0, 1, 0, 1]
    assert {r.settings for r in requests} == {task.generate}  # greedy: nothing to seed


def test_sampled_epochs_have_seeds_of_their_own() -> None:
    seeds = set()
    for seed in range(3):
        generate = {"temperature": 1.0, "seed": seed}
        task = make_task({"template": "{{ input }}"}, generate=generate)
        requests = make_requests(task, Prompt.of(task), [SAMPLE], epochs=4)
        assert requests[0].settings.seed == seed
        seeds |= {r.settings.seed for r in requests}
    assert len(seeds) == 12  # an epoch of one seed is never an epoch of the next


def test_choices_and_perplexity_carry_their_continuations() -> None:
    asked = make_task({"template": "{{ input }}"}, output_type="choices", choices="letter")
    (request,) = make_requests(asked, Prompt.of(asked), [CHOICE])
    assert (request.output_type, request.continuations) == ("choices", (" A", " B", " C"))
    read = make_task({"template": "{{ input }}"}, output_type="perplexity")
    (request,) = make_requests(read, Prompt.of(read), [SAMPLE])
    assert (request.prompt, request.continuations) == ("What is 6 x 7?", (" 42",))
