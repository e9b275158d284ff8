"""What may make a judge's numbers mean something else."""

from __future__ import annotations

import math
import random

import pytest

from harness.collect.judge_spec import JudgeSpec
from harness.collect.specs import EmbeddingJudgeModel, OpenAIModel, ReplayModel, TransformersModel
from harness.judges.audit import irrelevance_rate, judge_errors, length_audit, same_family
from harness.judges.combine import Combined
from harness.records import Verdict


def spec_of(**fields: object) -> JudgeSpec:
    known = {"judge": "j", "version": 1, "model": "m", "template": "j.j2"}
    known["criteria"] = [{"name": "accuracy", "max": 80}, {"name": "relevance", "max": 20}]
    return JudgeSpec.model_validate({**known, **fields})


# --------------------------------------------------------------------------- length


def test_r10_a_judge_that_likes_length_is_warned_of_with_its_slope():
    rows = [("m", 0.1 * doublings, 2**doublings) for doublings in range(1, 11)]
    found = length_audit(spec_of(), rows)
    assert found.rho == pytest.approx(1.0)
    assert found.slope == pytest.approx(0.1)  # for every doubling of the answer
    assert (found.n, found.warn) == (10, True)


@pytest.mark.parametrize(("count", "warned"), [(2, False), (3, False), (9, False), (10, True)])
def test_r10_a_few_answers_that_happen_to_be_in_order_are_no_warning(count, warned):
    found = length_audit(spec_of(), [("m", 1 / n, n) for n in range(1, count + 1)])
    assert found.rho == pytest.approx(-1.0)
    assert found.warn is warned


def test_r10_short_answers_that_score_higher_are_warned_of_too():
    found = length_audit(spec_of(), [("m", 1 / n, n) for n in range(1, 20)])
    assert found.rho == pytest.approx(-1.0)
    assert found.warn


def test_r10_scores_that_do_not_depend_on_length_are_not_warned_of():
    draw = random.Random(3)
    rows = [("m", draw.random(), draw.randint(10, 500)) for _ in range(400)]
    found = length_audit(spec_of(), rows)
    assert found.rho is not None
    assert abs(found.rho) < 0.15
    assert not found.warn


def test_r10_the_limit_is_the_specs():
    pairs = list(zip([1, 3, 2, 4], [1, 2, 3, 4], strict=True)) * 3
    rows = [("m", value, tokens) for value, tokens in pairs]
    assert length_audit(spec_of(), rows).rho == pytest.approx(0.8)
    assert length_audit(spec_of(limits={"length_correlation": 0.79}), rows).warn
    assert not length_audit(spec_of(limits={"length_correlation": 0.81}), rows).warn


def test_r10_a_better_and_wordier_model_is_no_slope_within_a_model():
    short = [("base", 0.2, tokens) for tokens in (10, 20, 40)]
    long = [("tuned", 0.9, tokens) for tokens in (100, 200, 400)]
    found = length_audit(spec_of(), short + long)
    assert found.slope == pytest.approx(0.0)
    assert found.rho is None  # within each model, all answers score the same


def test_r10_the_correlation_is_that_within_each_task_and_model():
    """One model is better and wordier; within each, length costs points."""
    short = [("t::t[base]", 0.3 - tokens / 1000, tokens) for tokens in range(10, 20)]
    long = [("t::t[tuned]", 0.9 - tokens / 1000, tokens) for tokens in range(100, 110)]
    found = length_audit(spec_of(), short + long)
    assert (found.rho, found.warn, found.n) == (pytest.approx(-1.0), True, 20)


def test_r10_each_answer_counts_once_whatever_the_size_of_its_cell():
    rising = [("a", tokens / 100, tokens) for tokens in range(1, 41)]
    falling = [("b", 1 - tokens / 100, tokens) for tokens in range(1, 11)]
    # sums of squares of ranks over n^2 are (n^2 - 1) / 12n: 3.331 and 0.825
    expected = (1599 / 480 - 99 / 120) / (1599 / 480 + 99 / 120)
    assert length_audit(spec_of(), rising + falling).rho == pytest.approx(expected)


@pytest.mark.parametrize(
    "rows", [[], [("m", 0.5, 10)], [("m", 0.1, 10), ("m", 0.9, 10)], [("a", 0.1, 5), ("b", 0.1, 9)]]
)
def test_r10_without_spread_nothing_is_said(rows):
    found = length_audit(spec_of(), rows)
    assert (found.rho, found.slope, found.warn) == (None, None, False)


def test_r10_an_empty_answer_has_a_length_that_can_be_used():
    found = length_audit(spec_of(), [("m", 0.0, 0), ("m", 1.0, 2)])
    assert found.slope is not None
    assert math.isfinite(found.slope)


# --------------------------------------------------------------------------- kinship


def api(base: str, **fields: object) -> OpenAIModel:
    return OpenAIModel(model="judge", adapter="openai", base=base, **fields)


def local(base: str, name: str = "candidate", **fields: object) -> TransformersModel:
    return TransformersModel(model=name, adapter="transformers", base=base, **fields)


@pytest.mark.parametrize(
    ("judge", "candidate"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.2-3B"),
        ("llama-3.3-70b-versatile", "codellama/CodeLlama-7b-hf"),
        ("sonar-pro", "./weights/llama-3.2-3b"),
        ("gpt-4o-mini-2024-07-18", "openai/gpt-oss-20b"),
        ("o3-mini", "openai-community/gpt2"),
        ("Qwen/QwQ-32B", "Qwen/Qwen2.5-0.5B"),
        ("gemini-2.5-pro", "google/gemma-3-4b-it"),
        ("llama3.1:8b", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"),
        ("deepseek-chat", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"),
        ("my-own-thing", "somebody/my-own-thing"),
        ("mixtral-8x7b", "mistralai/Mistral-7B-v0.3"),
        ("internlm3-8b-instruct", "internlm/internlm2_5-7b-chat"),
        ("baichuan-inc/Baichuan2-13B-Chat", "baichuan-inc/Baichuan-7B"),
        ("nvidia/Nemotron-4-340B-Instruct", "nvidia/Mistral-NeMo-Minitron-8B-Base"),
        ("MiniMax-M2", "MiniMaxAI/MiniMax-Text-01"),
        ("stabilityai/stablelm-2-12b", "stabilityai/stablelm-zephyr-3b"),
        ("Qwen/Qwen2.5-72B-Instruct", "DAMO-NLP-SG/VideoLLaMA3-7B"),
        ("qwen-max", "Amshaker/Mobile-VideoGPT-1.5B"),
        ("acmelm2-chat", "acme/acmelm-7b"),  # a family that nobody listed
        ("pythia-12b", "EleutherAI/pythia-70m"),
    ],
)
def test_r11_a_judge_of_the_candidates_family_is_known_by_the_bases_name(judge, candidate):
    assert same_family(api(judge), local(candidate))


@pytest.mark.parametrize(
    ("judge", "candidate"),
    [
        ("gpt-4o-mini", "meta-llama/Llama-3.2-3B"),
        ("claude-sonnet-4", "Qwen/Qwen2.5-0.5B"),
        ("gpt-4o", "EleutherAI/gpt-neo-125m"),
        ("yi-34b-chat", "somebody/high-yield-model"),
        ("llama-3.1-8b", "ollama/gemma2"),
        ("my-own-thing", "another-thing"),
        ("command-r-plus", "somebody/commander"),
        ("video-xl", "somebody/video-understander"),
        ("mini-judge", "somebody/mini-writer"),
        ("meta-llama/Llama-3.3-70B-Instruct", "DAMO-NLP-SG/VideoLLaMA3-7B"),
        ("abc-7b", "somebody/abc-1b"),
    ],
)
def test_r11_other_families_are_others(judge, candidate):
    assert not same_family(api(judge), local(candidate))


def test_r11_what_a_card_says_of_its_family_goes_before_its_name():
    assert not same_family(api("llama-3-70b", family="inhouse"), local("meta-llama/Llama-3.2-3B"))
    assert same_family(api("inhouse-70b", family="Llama"), local("meta-llama/Llama-3.2-3B"))
    assert same_family(api("x", family="Our Own"), local("y", family="our own"))
    assert same_family(api("x", family="meta-llama"), local("y", family="llama"))


def test_r11_a_folder_that_says_nothing_leaves_the_word_to_the_models_name():
    assert same_family(api("llama-3.3-70b"), local("./weights", name="researcher-llama-3.2-3b"))
    assert same_family(api("llama-3.3-70b"), local(".", name="researcher-llama-3.2-3b"))
    assert not same_family(local("./weights", name="one"), local("./weights", name="another"))


def test_r11_recorded_answers_have_the_family_of_their_name():
    recorded = ReplayModel(model="gpt-4o-answers", adapter="replay", completions="x.jsonl")
    assert same_family(api("gpt-4o-mini"), recorded)
    assert not same_family(api("claude-sonnet-4"), recorded)


def test_r11_the_embedding_judge_is_of_no_family():
    embedding = EmbeddingJudgeModel(model="embedding-judge", adapter="embedding-judge")
    assert not same_family(embedding, local("embedding-judge"))


# --------------------------------------------------------------------------- relevance, errors


def said(relevance: float) -> Verdict:
    criteria = {"accuracy": 0.0, "relevance": relevance}
    return Verdict("j", "m", 0, "ok", criteria, total=relevance, value=relevance / 100)


def failed() -> Verdict:
    return Verdict("j", "m", 0, "error", error="no JSON")


def test_irrelevant_answers_are_counted_among_those_that_were_judged():
    assert irrelevance_rate(spec_of(), [said(0), said(4.9), said(5), said(20), failed()]) == 0.5
    strict = spec_of(limits={"irrelevant_below": 1.0})
    assert irrelevance_rate(strict, [said(19), said(20)]) == 0.5


def test_irrelevance_counts_from_the_lowest_score_of_the_scale():
    criteria = [{"name": "relevance", "min": 1, "max": 5}]
    spec = spec_of(criteria=criteria, scale="mean")
    assert irrelevance_rate(spec, [said(1), said(2)]) == 0.5


def test_irrelevance_of_a_yes_or_no_is_a_no():
    spec = spec_of(criteria=[{"name": "relevance", "kind": "yesno"}], scale="mean")
    assert irrelevance_rate(spec, [said(1), said(0), said(0)]) == pytest.approx(2 / 3)


def test_irrelevance_is_unknown_without_the_criterion_or_without_verdicts():
    other = spec_of(criteria=[{"name": "accuracy", "max": 100}])
    assert irrelevance_rate(other, [said(1)]) is None
    assert irrelevance_rate(spec_of(), [failed()]) is None


def test_r2_judge_errors_above_the_limit_fail_a_gate():
    fine = [Combined(0.5, 50.0)] * 98
    bad = Combined(None, None, status="error", error="no verdict")
    found = judge_errors(spec_of(), [*fine, bad, bad])
    assert (found.n, found.n_error, found.rate, found.too_many) == (100, 2, 0.02, False)
    assert judge_errors(spec_of(), [*fine, bad, bad, bad]).too_many


def test_r2_a_judge_that_judged_nothing_fails_a_gate():
    skipped = Combined(None, None, status="skipped")
    found = judge_errors(spec_of(), [skipped])
    assert (found.n, found.rate, found.too_many) == (0, None, True)
