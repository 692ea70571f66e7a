"""Sections of the configuration: validated, immutable, and explained in one line when they are wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from yuragi.errors import InputError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name in the configuration: it becomes part of file names."""


def _in_order(ranks: tuple[int, int]) -> tuple[int, int]:
    first, last = ranks
    if first < 1 or last < first + 2:
        raise ValueError(f"[{first}, {last}] is no range to fit: it needs 1 <= first and at least three ranks")
    return ranks


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"{list(values)} names a value twice; name each once")
    return values


Value = TypeVar("Value")

EachOnce = Annotated[tuple[Value, ...], AfterValidator(_each_once)]
"""A list without repeats."""

RankRange = Annotated[tuple[int, int], AfterValidator(_in_order), Field(description="first and last rank of the fit, 1-based and inclusive")]


class Settings(BaseModel):
    """A section of the configuration. Immutable; unknown keys are refused; infinite and undefined numbers too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def canonical(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return self.model_dump(mode="json")


def validate(model: type[BaseModel], values: object, where: str) -> Any:
    """An instance of ``model``, or an `InputError` of one line that names the place, the value and the remedy.

    where
        what is being read, for the message: a file's name, or ``"--spec"``
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, model, values)}") from None


def described(value: object) -> str:
    """What a value is, in words: what stands where keys with values are expected.

    >>> described([1, 2]), described("demo"), described(None)
    ('a list', 'a text', 'nothing')
    """
    kinds = {list: "a list", tuple: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def explain(error: ValidationError, model: type[BaseModel], values: object = None) -> str:
    """The first fault of a validation as one line, and how many more there are."""
    faults = error.errors(include_url=False)
    # A misspelt key makes its right form missing too: what was typed comes first, what is missing last.
    fault = min(faults, key=lambda item: (item["type"] != "extra_forbidden", item["type"] == "missing"))
    place = _place(fault["loc"], values)
    message = _message(fault, place, model)
    others = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{message}{others}"


def _message(fault: Any, place: str, model: type[BaseModel]) -> str:
    kind, value = fault["type"], fault.get("input")
    context = fault.get("ctx", {})
    if kind == "extra_forbidden":
        key = str(fault["loc"][-1])
        known = _known_keys(model, fault["loc"][:-1])
        close = difflib.get_close_matches(key, known, n=1)
        guess = f"; did you mean '{close[0]}'?" if close else ";"
        return f"{place}: this key does not exist{guess} Known: {', '.join(known) or 'none'}"
    if kind == "missing":
        return f"{place}: this key is missing; add it"
    if kind == "union_tag_invalid":
        close = difflib.get_close_matches(str(context.get("tag")), _tags(context), n=1)
        guess = f"; did you mean '{close[0]}'?" if close else ";"
        return f"{place}.kind: '{context.get('tag')}' does not exist{guess} Known: {', '.join(_tags(context))}"
    if kind == "union_tag_not_found":
        return f"{place}: the key 'kind' is missing; it says which one is meant"
    if kind == "value_error":
        told = str(context.get("error", fault["msg"]))
        # A check of the whole file names its keys itself.
        return f"{place}: {told}" if fault["loc"] else told
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{place} = {_short(value)}: it is {described(value)}, but keys with values are expected"
    if kind == "string_pattern_mismatch":
        return f"{place} = {value!r}: a name has lower-case letters, digits and underscores and begins with a letter"
    return f"{place} = {_short(value)}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _tags(context: Mapping[str, Any]) -> list[str]:
    return sorted(tag.strip().strip("'") for tag in str(context.get("expected_tags", "")).split(",") if tag.strip())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _place(location: tuple[int | str, ...], values: object) -> str:
    """The dotted key as a person wrote it: pydantic inserts the tag of a chosen plug-in, which is in no file."""
    parts: list[str] = []
    current: object = values
    for part in location:
        if isinstance(current, Mapping) and part not in current and current.get("kind") == part:
            continue
        parts.append(str(part))
        current = _step(current, part)
    return ".".join(parts) or "the whole"


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that exist at a place, found by following the annotations of the model."""
    annotations: list[Any] = [model]
    for part in location:
        annotations = [inner for annotation in annotations for inner in _inside(annotation, part)]
    return sorted({key for annotation in annotations for candidate in _models(annotation) for key in candidate.model_fields})


def _inside(annotation: Any, part: int | str) -> list[Any]:
    """What the annotation says of the value under one key, index or tag."""
    if get_origin(annotation) is Annotated:
        return _inside(get_args(annotation)[0], part)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return [field.annotation] if field else []
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        tagged = [choice for choice in _models(annotation) if "kind" in choice.model_fields and choice.model_fields["kind"].default == part]
        return tagged or [inner for argument in arguments for inner in _inside(argument, part)]
    return list(arguments[1:] or arguments) if arguments else []


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _step(current: object, part: int | str) -> object:
    if isinstance(current, Mapping):
        return current.get(part)
    if isinstance(current, list | tuple) and isinstance(part, int) and part < len(current):
        return current[part]
    return None
