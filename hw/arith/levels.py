"""How many ranks of registers a sum takes; free of Amaranth, for who only counts cycles."""

RADIX = 8
"""Numbers that are added up between two registers."""


def levels(terms: int) -> int:
    """Ranks of registers in a sum of so many terms, ``RADIX`` between two; at least one."""
    count = 1
    while terms > RADIX:
        terms, count = -(-terms // RADIX), count + 1
    return count
