"""A library for when there is none: a dozen gates, areas in NAND2 equivalents, delays in FO4-ish
units of one nominal 100 nm-class process. For ratios between designs, not for absolute figures.
"""

from ....sim import cache
from .liberty import load
from .library import Library

# name: (area, function, inputs, delay ns, ns per pF); an input is 2 fF.
_GATES = {
    "inv": (0.67, "!A", "A", 0.02, 4.0),
    "inv_4": (1.33, "!A", "A", 0.02, 1.0),
    "buf": (1.0, "A", "A", 0.05, 3.0),
    "buf_4": (2.0, "A", "A", 0.06, 0.8),
    "nand2": (1.0, "!(A&B)", "AB", 0.03, 4.5),
    "nand2_2": (1.67, "!(A&B)", "AB", 0.03, 2.2),
    "nor2": (1.0, "!(A|B)", "AB", 0.04, 6.0),
    "nor2_2": (1.67, "!(A|B)", "AB", 0.04, 3.0),
    "nand3": (1.33, "!(A&B&C)", "ABC", 0.04, 5.0),
    "nor3": (1.33, "!(A|B|C)", "ABC", 0.06, 8.0),
    "and2": (1.33, "A&B", "AB", 0.07, 3.0),
    "or2": (1.33, "A|B", "AB", 0.08, 3.0),
    "aoi21": (1.33, "!((A&B)|C)", "ABC", 0.05, 6.0),
    "oai21": (1.33, "!((A|B)&C)", "ABC", 0.05, 6.0),
    "xor2": (2.33, "A^B", "AB", 0.09, 5.0),
    "xnor2": (2.33, "!(A^B)", "AB", 0.09, 5.0),
    "mux2": (2.67, "(A&!S)|(B&S)", "ABS", 0.10, 4.0),
}
_INPUT = 0.002
_SLEWS, _LOADS = (0.01, 1.0), (0.0, 0.2)


def _table(kind, delay, slope, slew):
    rows = [
        ", ".join(f"{delay + slew * x + slope * y:.5f}" for y in _LOADS)
        for x in _SLEWS
    ]  # fmt: skip
    values = ", ".join(f'"{row}"' for row in rows)
    return f"        {kind} (t) {{ values({values}); }}\n"


def _tables(delay, slope):
    return "".join(
        _table(kind, delay, slope, 0.1) for kind in ("cell_rise", "cell_fall")
    ) + "".join(_table(f"{edge}_transition", 0.01, slope, 0.05) for edge in ("rise", "fall"))


def text() -> str:
    """The library as Liberty."""
    lines = [
        'library (generic) {\n  delay_model : table_lookup;\n  time_unit : "1ns";\n'
        '  voltage_unit : "1V";\n  current_unit : "1mA";\n  leakage_power_unit : "1nW";\n'
        '  pulling_resistance_unit : "1kohm";\n  capacitive_load_unit (1, pf);\n'
        "  nom_voltage : 1.2;\n  default_max_transition : 1.0;\n"
        "  lu_table_template (t) {\n    variable_1 : input_net_transition;\n"
        "    variable_2 : total_output_net_capacitance;\n"
        f'    index_1("{_SLEWS[0]}, {_SLEWS[1]}");\n'
        f'    index_2("{_LOADS[0]}, {_LOADS[1]}");\n  }}\n'
    ]
    for name, (area, function, inputs, delay, slope) in _GATES.items():
        lines.append(f"  cell ({name}) {{\n    area : {area};\n")
        for pin in inputs:
            lines.append(f"    pin ({pin}) {{ direction : input; capacitance : {_INPUT}; }}\n")
        lines.append(
            f'    pin (Y) {{\n      direction : output;\n      function : "{function}";\n'
            f"      max_capacitance : {0.4 / slope:.4f};\n"
        )
        binate = "^" in function
        for pin in inputs:
            sense = "negative_unate" if function.startswith("!") else "positive_unate"
            if binate or pin == "S":
                sense = "non_unate"
            lines.append(
                f"      timing () {{\n        related_pin : {pin};\n"
                f"        timing_sense : {sense};\n"
                f"{_tables(delay, slope)}      }}\n"
            )
        lines.append("    }\n  }\n")
    lines.append(
        "  cell (dff) {\n    area : 5.0;\n"
        '    ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }\n'
        f"    pin (CK) {{ direction : input; clock : true; capacitance : {_INPUT}; }}\n"
        f"    pin (D) {{\n      direction : input;\n      capacitance : {_INPUT};\n"
        "      timing () {\n        related_pin : CK;\n        timing_type : setup_rising;\n"
        '        rise_constraint (scalar) { values("0.08"); }\n'
        '        fall_constraint (scalar) { values("0.08"); }\n      }\n    }\n'
        '    pin (Q) {\n      direction : output;\n      function : "IQ";\n'
        "      timing () {\n        related_pin : CK;\n        timing_type : rising_edge;\n"
        f"{_tables(0.15, 4.0)}      }}\n    }}\n  }}\n}}\n"
    )
    return "".join(lines)


def library() -> Library:
    content = text()
    folder = cache.build(
        "liberty", cache.digest("generic", content),
        lambda folder: (folder / "generic.lib").write_text(content) and None,
    )  # fmt: skip
    return load(folder / "generic.lib")
