"""The rows of a plan as token ids, by the tokenizer and the chat template of its base."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.adapters.locate import card_error, locate_base
from harness.adapters.tokenizer import TextTokenizer, encode_pair, load_tokenizer
from harness.errors import ModelError, SpecError
from harness.finetune.data import line_of, make_rows
from harness.finetune.plan import TrainPlan, TrainRows
from harness.records import Request


@dataclass(frozen=True)
class PairEncoder:
    """Prompt and answer to ids, exactly as the adapter does when it evaluates."""

    tokenizer: TextTokenizer

    def encode_pair(self, request: Request) -> tuple[list[int], list[int]]:
        """Ids of the prompt and ids of ``request.continuations[0]``."""
        chat = not isinstance(request.prompt, str)
        text = request.prompt if isinstance(request.prompt, str) else self._chat(request)
        context, answers = encode_pair(self.tokenizer, text, request.continuations, chat)
        return context, answers[0]

    def _chat(self, request: Request) -> str:
        try:
            return self.tokenizer.render([m for m in request.prompt if not isinstance(m, str)])
        except ValueError as error:
            raise ModelError(str(error)) from None


def with_rows(plan: TrainPlan) -> TrainPlan:
    """The plan with its rows as tokens, so that it knows what `max_length` takes from them.

    Raises ModelError without a tokenizer, SpecError if no row keeps a token of its answer or the
    best of the checkpoints is wanted and cannot be found out.
    """
    base, recipe = plan.base, plan.recipe
    tokenizer = load_tokenizer(base, locate_base(base, plan.allow_code).folder, None)
    eos = tokenizer.id_of("eos_token")
    if eos is None:
        raise card_error(base, "the tokenizer has no EOS token to learn to stop with")
    encoder, limit = PairEncoder(tokenizer), recipe.train.max_length
    train = make_rows(plan.task, plan.splits.train, encoder, eos, limit)
    watched = make_rows(plan.task, plan.splits.validation, encoder, eos, limit)
    if not train.rows:
        what = (
            f"max_length {limit} leaves no token of any answer: the shortest prompt has "
            f"{train.shortest_prompt} tokens, the longest row {train.longest}"
        )
        raise SpecError(recipe.path, line_of(recipe, ("train", "max_length")), what)
    made = replace(plan, rows=TrainRows(train, watched))
    _check_best(made, bool(watched.rows))
    return made


def _check_best(plan: TrainPlan, watched: bool) -> None:
    """The best checkpoint is one of those whose validation loss was measured."""
    if not plan.recipe.train.load_best_model_at_end:
        return
    what = ""
    if not watched:
        what = "there are no validation rows to find the best by"
    elif plan.save_steps % plan.eval_steps:
        what = f"save_steps {plan.save_steps} must be a multiple of eval_steps {plan.eval_steps}"
    if what:
        line = line_of(plan.recipe, ("train", "load_best_model_at_end"))
        raise SpecError(plan.recipe.path, line, f"load_best_model_at_end: {what}")
