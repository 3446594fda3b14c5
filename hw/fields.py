"""The types of a configuration's values: each checks its own range and words its own error.

An error's text is complete (what is wrong, what is allowed, the nearest valid word);
:mod:`.explain` only adds where.
"""

import functools
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from . import names
from .errors import described, nearest, shown
from .floats import NAMES as FLOATS
from .floats import FloatFormat
from .formats import MAX_WIDTH, MIN_WIDTH, Format
from .weights import NAMES as WEIGHTS
from .weights import WeightFormat


def wrong(message: str, path: str | None = None) -> PydanticCustomError:
    """An error whose text is complete; ``path`` is where it is if not at the field itself."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "path": path})


def _check_integer(value: object, low: int, high: int) -> object:
    allowed = f"allowed are {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"must be an integer, not {_typed(value)}; {allowed}")
    if not low <= value <= high:
        raise wrong(f"{shown(value)} is out of range; {allowed}")
    return value


def integer(low: int, high: int):
    """The type of an integer from ``low`` to ``high``; booleans and floats are not integers."""
    check = functools.partial(_check_integer, low=low, high=high)
    return Annotated[int, Field(ge=low, le=high), BeforeValidator(check)]


def one_of(what: str, values: Callable[[], Iterable[str | int]]):
    """A validator that lets through only the words (or integers) that ``values()`` gives."""

    def check(value: object) -> object:
        allowed = list(values())
        if isinstance(value, Enum):
            return value
        # True is 1 and 4.0 is 4 for Python; here they are not.
        if not any(type(value) is type(each) and value == each for each in allowed):
            words = [str(each) for each in allowed]
            raise wrong(
                f"{shown(value)} is not {what}; allowed are {', '.join(words)}"
                + nearest(value, words)
            )
        return value

    return check


def _check_name(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"must be a string, not {described(value)}")
    if reason := names.refusal(value):
        raise wrong(f"{shown(value)} {reason}")
    return value


def _check_format(value: object) -> Format:
    if isinstance(value, Format):
        value = str(value)
    if isinstance(value, str):
        try:
            return Format.parse(value)
        except ValueError:
            pass
    allowed = f"allowed are int{MIN_WIDTH} to int{MAX_WIDTH} and uint{MIN_WIDTH} to uint{MAX_WIDTH}"
    if isinstance(value, str) and value in FLOATS:
        raise wrong(
            f"{shown(value)} has floating-point numbers, which only A of a lookup engine (kind = "
            f"'lut') may have; {allowed}"
        )
    raise wrong(f"{shown(value)} is not a number format; {allowed}" + nearest(value, _FORMATS))


_FORMATS = [f"{u}int{width}" for u in ("", "u") for width in range(MIN_WIDTH, MAX_WIDTH + 1)]
FLOAT_ACTIVATIONS = ("fp16", "bf16")
_SIGNED = [name for name in _FORMATS if name[0] != "u"]
_SIGNS = ("binary", "ternary")

Name = Annotated[
    str,
    PlainValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": f"^{names.PATTERN}$"}),
]


def _format(check: Callable[[object], object], cls: type, allowed: list[str]):
    return Annotated[
        cls,
        PlainValidator(check),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "enum": allowed}),
    ]


def _check_signed(value: object) -> Format:
    found = _check_format(value)
    if not found.signed:
        raise wrong(f"{found} is not signed; allowed are int{MIN_WIDTH} to int{MAX_WIDTH}")
    return found


def _signed_or(others: tuple[str, ...], cls: type, what: str):
    """A check that lets through signed integers' formats, and those of ``cls`` called so."""

    def check(value: object) -> object:
        text = str(value) if isinstance(value, Format | cls) else value
        if text in others:
            return cls.parse(text)
        if text in _SIGNED:
            return Format.parse(text)
        raise wrong(
            f"{shown(text)} is not a format of {what}; allowed are int{MIN_WIDTH} to "
            f"int{MAX_WIDTH}, {', '.join(others)}" + nearest(text, [*_SIGNED, *others])
        )

    return check


def _check_sums(value: object) -> FloatFormat:
    text = str(value) if isinstance(value, FloatFormat) else value
    one_of("a format of sums of floats", lambda: FLOATS)(text)
    return FloatFormat.parse(text)


def _check_weights(value: object) -> WeightFormat:
    text = str(value) if isinstance(value, WeightFormat) else value
    one_of("a format of weights", lambda: WEIGHTS)(text)
    return WeightFormat.parse(text)


OperandFormat = _format(_check_format, Format, _FORMATS)
SignedOperandFormat = _format(_check_signed, Format, _SIGNED)
ActivationFormat = _format(
    _signed_or(FLOAT_ACTIVATIONS, FloatFormat, "activations"),
    Format | FloatFormat,
    [*_SIGNED, *FLOAT_ACTIVATIONS],
)
SumFormat = _format(_check_sums, FloatFormat, list(FLOATS))
LayerWeightFormat = _format(
    _signed_or(_SIGNS, WeightFormat, "weights"), Format | WeightFormat, [*_SIGNED, *_SIGNS]
)
WeightOperandFormat = _format(_check_weights, WeightFormat, list(WEIGHTS))


def choice(enum: type[Enum], what: str):
    """The type of a member of ``enum``, written as its value."""
    values = [member.value for member in enum]
    return Annotated[enum, Field(strict=False), BeforeValidator(one_of(what, lambda: values))]


def literal(what: str, *values: str | int):
    """The type of one of a few words or integers."""
    return Annotated[Literal[values], BeforeValidator(one_of(what, lambda: values))]


def integer_or(word: str, low: int, high: int):
    """The type of ``word`` or of an integer from ``low`` to ``high``."""

    def check(value: object) -> object:
        if value == word:
            return value
        allowed = f"allowed are {word!r} and {low} to {high}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(
                f"must be {word!r} or an integer, not {_typed(value)}; {allowed}"
                + nearest(value, [word])
            )
        if not low <= value <= high:
            raise wrong(f"{shown(value)} is out of range; {allowed}")
        return value

    return Annotated[Literal[word] | Annotated[int, Field(ge=low, le=high)], BeforeValidator(check)]


def _typed(value: object) -> str:
    """``the string '8'``: the type as well as the value, where the type is what is wrong."""
    if isinstance(value, str | float | bool):
        return f"the {described(value).split()[1]} {shown(value)}"
    return described(value)
