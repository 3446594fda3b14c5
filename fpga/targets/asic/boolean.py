"""Boolean functions as Liberty writes them: ``(A&!B) | C'``, ``A*B+C``, ``A^B``."""

import functools
import itertools
import re

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*(?:\[\d+\])?|[01]|[()!'&*|+^])")


@functools.lru_cache(maxsize=4096)
def python(text: str) -> str:
    """The function as a Python (and Verilog) expression over ``&``, ``|``, ``^`` and ``~``."""
    tokens = _TOKEN.findall(text)
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def primary():
        token = take()
        if token == "!":
            return f"~{primary()}"
        value = token
        if token == "(":
            value = f"({disjunction()})"
            take()
        while peek() == "'":
            take()
            value = f"(~{value})"
        return value

    def conjunction():
        terms = [exclusive()]
        while peek() is not None and peek() not in (")", "|", "+"):
            if peek() in ("&", "*"):
                take()
            terms.append(exclusive())
        return terms[0] if len(terms) == 1 else f"({' & '.join(terms)})"

    def exclusive():
        terms = [primary()]
        while peek() == "^":
            take()
            terms.append(primary())
        return terms[0] if len(terms) == 1 else f"({' ^ '.join(terms)})"

    def disjunction():
        terms = [conjunction()]
        while peek() in ("|", "+"):
            take()
            terms.append(conjunction())
        return terms[0] if len(terms) == 1 else f"({' | '.join(terms)})"

    return disjunction()


def truth(text: str, inputs) -> tuple[int, ...]:
    """The function's value for every assignment of ``inputs``, the first varying slowest."""
    code = compile(python(text), "function", "eval")
    return tuple(
        eval(code, {"__builtins__": {}}, dict(zip(inputs, values, strict=True))) & 1
        for values in itertools.product((0, 1), repeat=len(inputs))
    )
