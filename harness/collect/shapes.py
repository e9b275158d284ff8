"""The shapes of specs: pydantic's word on plain data, put into a user's words.

Checking is strict and in JSON mode, so that "3" is not 3, `no` is not false, and a list is a tuple.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.collect.specs import METRICS, URL, FileSpec, Misplaced
from harness.collect.suggest import closest, did_you_mean, known_or_near
from harness.collect.yamlio import Loc, Value, get_in

S = TypeVar("S", bound=FileSpec)


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a place of the data; `text_line` is the line within a text, from 1."""

    loc: Loc
    what: str
    text_line: int = 0


def shape(spec_type: type[S], data: Value) -> tuple[S | None, list[Mistake]]:
    """The spec that the data is, or everything that is wrong with its shape."""
    try:
        return spec_type.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, in_words(spec_type, data, error.errors(include_url=False))


# --------------------------------------------------------------------------- words


def in_words(
    spec_type: type[BaseModel], data: Value, errors: Sequence[ErrorDetails]
) -> list[Mistake]:
    """Pydantic's errors as a user would put them, one for each place."""
    places: dict[Loc, list[ErrorDetails]] = {}
    for error in errors:
        if not _counted_short(error):
            places.setdefault(_place(data, error), []).append(error)
    misspelt = {
        (*loc[:-1], _meant(spec_type, loc))
        for loc, group in places.items()
        if group[0]["type"] in _UNKNOWN
    }
    return [
        Mistake(loc[:-1] if group[0]["type"] == "missing" else loc, _words(spec_type, loc, group))
        for loc, group in places.items()
        # a required key that is there with a slip in its name is one mistake, not two
        if not (group[0]["type"] == "missing" and loc in misspelt)
    ]


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_NUMBERS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
}


def _counted_short(error: ErrorDetails) -> bool:
    """A list that is long enough, and which pydantic calls short for the bad entries in it."""
    given = error["input"]
    if error["type"] != "too_short" or not isinstance(given, list):
        return False
    return len(given) >= int(error["ctx"]["min_length"])


def _place(data: Value, error: ErrorDetails) -> Loc:
    """The error's place in the data; pydantic adds the branch of a union, which nobody wrote."""
    loc = tuple(error["loc"])
    if error["type"] == "missing":
        return loc
    mistake = error.get("ctx", {}).get("error")
    if isinstance(mistake, Misplaced):
        return (*loc, *mistake.loc)
    for end in range(len(loc)):
        inside = get_in(data, loc[:end])
        step = loc[end]
        known = (isinstance(inside, dict) and step in inside) or (
            isinstance(inside, list) and isinstance(step, int) and step < len(inside)
        )
        if not known:
            return loc[:end]
    return loc


def _words(spec_type: type[BaseModel], loc: Loc, group: Sequence[ErrorDetails]) -> str:
    error = group[0]
    kind, name = error["type"], dotted(loc)
    if kind == "missing":
        inside = f" in '{dotted(loc[:-1])}'" if len(loc) > 1 else ""
        return f"missing key '{loc[-1]}'{inside}"
    if kind in _UNKNOWN:
        return _unknown_key(spec_type, loc)
    if kind == "value_error":
        return str(error["ctx"]["error"])
    given = error["input"]
    if len(group) > 1:  # all branches of a union failed
        expected = list(dict.fromkeys(_TYPES.get(each["type"], "") for each in group))
        return f"'{name}' must be {_or([word for word in expected if word])}, not {_given(given)}"
    if kind in _TYPES:
        return f"'{name}' must be {_TYPES[kind]}, not {_given(given)}{_way_out(kind, given)}"
    if kind in _NUMBERS:
        key, words = _NUMBERS[kind]
        return f"'{name}' must be {words} {error['ctx'][key]:g}, not {_given(given)}"
    return f"'{name}' {_other(error)}"


def _other(error: ErrorDetails) -> str:
    kind, given = error["type"], error["input"]
    if kind == "literal_error":
        allowed = [word.strip("'") for word in _literals(str(error["ctx"]["expected"]))]
        hint = did_you_mean(given, allowed) if isinstance(given, str) else ""
        return f"must be {_or(allowed)}, not {_given(given)}{hint}"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == URL:
        return _not_a_url(str(given))
    if kind == "string_pattern_mismatch":
        return (
            "must begin with a letter (a-z, A-Z) or digit and consist of such letters, digits, "
            f"'.', '_' and '-', not {_given(given)}"
        )
    if kind == "string_too_long":
        return f"must have at most {error['ctx']['max_length']} characters"
    if kind == "too_short":
        count = error["ctx"]["min_length"]
        return f"must have at least {count} {'entry' if count == 1 else 'entries'}"
    return f"is wrong: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _not_a_url(given: str) -> str:
    if "@" in given:  # a name and a password may stand before it
        return "must be a URL without a name and a password in it (see 'api_key_env')"
    if "?" in given or "#" in given:  # a key may stand behind it
        return "must be a URL without '?' and '#' in it (a key: see 'api_key_env')"
    if not given.startswith(("http://", "https://")):
        hint = "" if "://" in given or not given else f" (did you mean 'http://{given}'?)"
        return f"must begin with http:// or https://, not {_given(given)}{hint}"
    return f"must be a URL such as http://localhost:8000/v1, not {_given(given)}"


def _literals(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _given(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value, ensure_ascii=False).strip('"')  # a line break stays on one line
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return f"'{text}'" if isinstance(value, str) else text


def _way_out(kind: str, given: object) -> str:
    if kind == "string_type" and isinstance(given, (int, float)):
        return " (put it in quotes)"
    if kind == "bool_type" and isinstance(given, str):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(given.lower())
        return f" (did you mean {meant}?)" if meant else ""
    if kind in ("tuple_type", "list_type") and isinstance(given, (str, int, float)):
        return f" (did you mean [{json.dumps(given, ensure_ascii=False)}]?)"
    return ""


def dotted(loc: Loc) -> str:
    """A place in a user's words: `score[2].metric`; positions are counted from 1."""
    text = ""
    for step in loc:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"


# --------------------------------------------------------------------------- keys of a place


def _unknown_key(spec_type: type[BaseModel], loc: Loc) -> str:
    key = str(loc[-1])
    if key in METRICS and loc[:1] == ("score",):
        return f"unknown key '{key}' (write 'metric: {key}', its settings beside it)"
    return f"unknown key '{key}'{known_or_near(key, keys_at(spec_type, loc[:-1]))}"


def _meant(spec_type: type[BaseModel], loc: Loc) -> str:
    return closest(str(loc[-1]), keys_at(spec_type, loc[:-1])) or ""


def keys_at(spec_type: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    """The keys that a spec allows at a place."""
    return tuple(dict.fromkeys(key for each in types_at(spec_type, loc) for key in _fields(each)))


def types_at(spec_type: type[BaseModel], loc: Loc) -> list[Any]:
    """The types that can stand at a place."""
    types_here: list[Any] = [spec_type]
    for step in loc:
        types_here = [inner for outer in types_here for inner in _step(outer, step)]
    return types_here


def _fields(kind: Any) -> Iterable[str]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_fields
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return ()


def _step(kind: Any, step: str | int) -> list[Any]:
    """The types that can stand under a key or a position of a type."""
    if isinstance(step, int):
        arguments = get_args(kind)
        return _flat(arguments[0]) if get_origin(kind) in (tuple, list) and arguments else []
    if get_origin(kind) is dict:
        return _flat(get_args(kind)[1])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(step)
        return _flat(field.annotation) if field else []
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return _flat(hints[step]) if step in hints else []
    return []


def _flat(kind: Any) -> list[Any]:
    """A union's branches, without None and without annotations."""
    if get_origin(kind) is Annotated:
        return _flat(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [inner for branch in get_args(kind) for inner in _flat(branch)]
    return [] if kind is type(None) else [kind]
