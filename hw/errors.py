"""Errors that the user can put right, and how a value is shown in them."""

import datetime
import difflib
from collections.abc import Iterable

_LONGEST = 60


class UserError(Exception):
    """Something that the user can put right; ``str()`` is one line without control characters."""


class OutputError(UserError):
    """A result that cannot be written where it was asked for."""


class ConfigError(UserError, ValueError):
    """A configuration that cannot be used.

    ``str()`` is one line, ``source: path.to.key: what is wrong, what is allowed``; where several
    things are wrong it tells the first and counts the others.
    """


def shown(value: object) -> str:
    """``value`` as it may stand in a one-line message: ASCII, without control characters, short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"  # str() of a huge one raises
    if isinstance(value, str):
        value = value if len(value) <= _LONGEST else value[: _LONGEST - 3] + "..."
        return ascii(value)
    if isinstance(value, int | float):
        return repr(value)
    return described(value)


def plain(text: object) -> str:
    """A path or message with control and non-ASCII characters escaped, without quotes."""
    return ascii(str(text))[1:-1].replace("\\'", "'").replace("\\\\", "\\")


def described(value: object) -> str:
    """The TOML type of ``value`` with its article."""
    for types, name in (
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a float"),
        (str, "a string"),
        (dict, "a table"),
        (list, "an array"),
        ((datetime.date, datetime.time), "a date or time"),
    ):
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"


def nearest(word: object, allowed: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest of ``allowed``, else nothing."""
    if not isinstance(word, str) or len(word) > _LONGEST:
        return ""
    close = difflib.get_close_matches(word.lower(), list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
