"""Verilog without initial values, so that simulation starts from unknown (X) registers.

Amaranth gives every register an initial value: on such Verilog a bench that never resets passes.
An ASIC has no initial values; without them, a simulation passes only if whatever the engine relies
on was reset.
"""

import re

# reg [7:0] name = 8'h00;   (an escaped name ends with a space; not those dummies of Yosys' own
# which make an always block run at time zero)
_REGISTER = re.compile(
    r"^( *reg (?:signed )?(?:\[[^\]]*\] )?(?!\\\$auto\$verilog_backend)\S+) +=[^;]+;", re.MULTILINE
)
# initial begin … end of memories that are written somewhere
_INITIAL = re.compile(r"^ *initial begin\n(?:.*\n)*? *end\n", re.MULTILINE)
_MEMORY = re.compile(r"^ *(\S+)\s*\[[^\]]+\]\s*=", re.MULTILINE)


def strip_init(verilog: str) -> str:
    """``verilog`` without initial values of registers and of memories that can be written.

    Memories that nothing writes (ROM) keep theirs.
    """
    stripped, n = _REGISTER.subn(r"\1 ;", verilog)
    if not n:
        raise ValueError("there is no initial value to strip: has the writer's style changed?")
    return _INITIAL.sub(lambda block: _without_memories(block[0], stripped), stripped)


def _without_memories(block: str, verilog: str) -> str:
    names = set(_MEMORY.findall(block))
    for name in names:
        written = re.search(rf"^\s*{re.escape(name)}\s*\[[^\]]+\](?:\[[^\]]+\])?\s*<=", verilog,
                            re.MULTILINE)  # fmt: skip
        if not written:
            return block
    return "" if names else block
