"""Liberty as text: groups, attributes and numbers, whatever they mean.

Plain or gzipped. Whatever is no Liberty ends in a :class:`UserError` of one line.
"""

import gzip
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from ....hw.errors import UserError
from .library import Library

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"((?:[^"\\]|\\.)*)"|([{}():;,])|(\\\s*\n)|([^\s{}():;,"\\]+)', re.DOTALL
)

_UNUSED = ("driver_waveform", "wire_load", "output_current", "receiver_capacitance",
           "leakage_power", "lut_template", "ccs", "normalized")  # fmt: skip
"""Groups (by a part of their name) that are skipped unread; they may be most of a file."""


@dataclass
class Group:
    kind: str
    arguments: list[str]
    values: dict = field(default_factory=dict)
    groups: list = field(default_factory=list)

    def get(self, name, default=None):
        return self.values.get(name, default)

    def all(self, kind):
        return [group for group in self.groups if group.kind == kind]


def text_of(path: Path) -> str:
    """The file's text, unpacked if it is gzipped."""
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        reason = getattr(error, "strerror", None) or "is not a whole gzip file"
        raise UserError(f"{path}: {reason}") from None
    try:
        return data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        try:
            text = data.decode("latin-1")
        except UnicodeDecodeError:  # pragma: no cover
            text = ""
        if "\0" in text:
            raise UserError(f"{path}: is not a Liberty file (it is not text)") from None
        return text


class Malformed(ValueError):
    """An attribute that is not what it must be; the message says which and how."""


def number(group: Group, name: str, default: float = 0.0) -> float:
    """Attribute ``name`` as a number."""
    given = group.get(name)
    if given is None:
        return default
    if isinstance(given, list):
        given = " ".join(given)
    try:
        return finite(given)
    except ValueError:
        raise Malformed(f"{name}: {given[:40]!r} is not a number") from None


def floats(texts, what: str) -> tuple[float, ...]:
    """All numbers of some strings of numbers."""
    found = []
    for text in texts if isinstance(texts, list) else [texts]:
        for word in text.replace(",", " ").split():
            try:
                found.append(finite(word))
            except ValueError:
                raise Malformed(f"{what}: {word[:40]!r} is not a number") from None
    return tuple(found)


def finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def pruned(library: Library) -> str:
    """The library's text without the cells that must not be used and without the groups that
    synthesis does not read: a fraction of the length, and read by ABC at every call."""
    text = text_of(library.path)
    drop = set(library.dont_use)
    pieces, kept = [], 0
    pattern = re.compile(
        r"^[ \t]*(?:cell\s*\(\s*\"?([^\")\s]+)\"?\s*\)|"
        r"(?:normalized_driver_waveform|driver_waveform\w*|leakage_power|internal_power|wire_load|"
        r"ccsn?_\w+|output_current_\w+|receiver_capacitance\w*)\s*\([^)]*\))\s*\{",
        re.MULTILINE,
    )
    position = 0
    while match := pattern.search(text, position):
        if match[1] is not None and match[1] not in drop:
            position = match.end()
            continue
        pieces.append(text[kept : match.start()])
        depth, position = 1, match.end()
        for brace in _BRACE.finditer(text, position):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                position = kept = brace.end()
                break
        else:
            raise UserError(f"{library.path}: the Liberty file ends inside a group")
    return "".join([*pieces, text[kept:]])


_BRACE = re.compile(r"[{}]")


def tree(text: str, path) -> Group:
    """The tree of groups. A stack machine: Liberty is ``name (arguments) { … }``,
    ``name : value ;`` and ``name (values) ;``."""
    root = Group("", [])
    stack, words = [root], []
    arguments = None  # of the parenthesis being read, or read last
    inside = False
    skip = 0
    for match in _TOKEN.finditer(text):
        string, mark, _, word = match.groups()
        if mark is None:
            if string is None and word is None:
                continue
            if not skip:
                (arguments if inside else words).append(string if string is not None else word)
            continue
        if skip:
            skip += (mark == "{") - (mark == "}")
            if skip == 0:
                words, arguments = [], None
            continue
        if mark == "(":
            if inside and arguments is not None:  # an expression, as in a value without quotes
                continue
            inside, arguments = True, []
        elif mark == ")":
            inside = False
        elif mark == "{":
            if not words:
                raise UserError(f"{path}: is not a Liberty file")
            if any(part in words[0] for part in _UNUSED) and not words[0].endswith("_template"):
                skip = 1
                continue
            group = Group(words[0], arguments or [])
            stack[-1].groups.append(group)
            stack.append(group)
            words, arguments = [], None
        elif mark == "}":
            if len(stack) == 1:
                raise UserError(f"{path}: is not a Liberty file (a closing brace too many)")
            _attribute(stack[-1], words, arguments)
            stack.pop()
            words, arguments = [], None
        elif mark == ";":
            _attribute(stack[-1], words, arguments)
            words, arguments = [], None
    libraries = root.all("library")
    if not libraries:
        raise UserError(f"{path}: is not a Liberty file (it has no library group)")
    if len(stack) > 1:
        raise UserError(f"{path}: the Liberty file ends inside {stack[-1].kind}")
    return libraries[0]


def _attribute(group, words, arguments):
    if not words:
        return
    if arguments is not None and len(words) == 1:
        group.values[words[0]] = arguments
    elif len(words) > 1:
        group.values[words[0]] = " ".join(words[1:])
