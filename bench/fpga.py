"""What arrays of each processing element take of an ECP5, and how fast they run there.

Placed and routed out of context, every input behind a register, by Yosys and nextpnr. The plain
multiplier is tried in LUTs (Yosys' default multiplier and its Booth one) and in DSP blocks. Ratios
are throughput per LUT4 to the better plain multiplier in LUTs of the same array, in the same run;
where a device has DSP blocks left, the plain multiplier in them is the right choice, and the table
says by how much.

With ``--boards`` whole engines with their serial link, on the pins of boards: see fpga_boards.py.
"""

import sys

import arrays
import common
import fpga_boards

PES = ("mac", "booth", "ent", "opt1")
VARIANTS = {"mac": (("lut", {}), ("lut, Booth", {"booth": True}), ("DSP", {"dsp": True}))}


def array(kind: str, pe: str, side: int):
    """Verilog of the array, and multiply-accumulates per cycle."""
    from matweave.fpga.targets import out_of_context
    from matweave.hw import config as configuration
    from matweave.hw import emit
    from matweave.hw.engine import array_choice

    origin, pattern, _ = arrays.ARRAYS[kind]
    overrides = [*arrays.sizes(pattern, side), f"pe.kind='{pe}'"]
    preset = configuration.load(origin)
    for name in ("tile_rows", "tile_columns"):
        if hasattr(preset.array, name):
            overrides.append(f"array.{name}={min(getattr(preset.array, name), side)}")
    config = configuration.load(origin, overrides)
    choice = array_choice(config)
    component = out_of_context.Registered(choice.cls(**dict(choice.parameters)))
    return emit.verilog(component, "array"), config.geometry.macs


def measure(kind: str, pe: str, side: int) -> list[dict]:
    from matweave.fpga.targets import out_of_context

    verilog, macs = array(kind, pe, side)
    rows = []
    for name, options in VARIANTS.get(pe, (("lut", {}),)):
        print(f"{kind} {side} x {side}, {pe} ({name})", file=sys.stderr, flush=True)
        usage = out_of_context.implement(verilog, "array", **({"dsp": False} | options))
        gmacs = macs * usage.fmax / 1e3
        config = {"array": kind, "side": side, "pe": pe, "multiplier": name}
        figures = {"LUT4": usage.luts, "carry": usage.carries, "FF": usage.flops}
        figures |= {"DSP": usage.dsps, "MHz": round(usage.fmax, 1), "GMAC/s": round(gmacs, 3)}
        figures |= {"per kLUT": round(1e3 * gmacs / usage.luts, 3)}
        rows.append(common.row(config, **figures))
    return rows


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--side", type=int, default=4, help="SIDE x SIDE multipliers")
    parser.add_argument("--arrays", nargs="+", default=["os"],
                        choices=arrays.ARRAYS)  # fmt: skip
    parser.add_argument("--pes", nargs="+", default=PES, choices=PES)
    parser.add_argument("--boards", nargs="+", metavar="BOARD", help="whole engines on boards")
    parser.add_argument("--engines", nargs="+", default=[fpga_boards.BAR],
                        choices=fpga_boards.ENGINES, help="with --boards: which")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5, help="with --boards: placements of each")
    parser.add_argument("--clock", type=float, default=90, help="with --boards: MHz to aim at")
    arguments = parser.parse_args()
    if arguments.boards:
        rows, bars = fpga_boards.table(
            arguments.engines, arguments.boards, arguments.seeds, arguments.clock
        )
        return common.report("fpga", rows, bars, as_json=arguments.json)
    rows = []
    for kind in arguments.arrays:
        found = [row for pe in arguments.pes for row in measure(kind, pe, arguments.side)]
        plain = [row for row in found if row["config"]["pe"] == "mac" and not row["DSP"]]
        for row in found:
            if plain:
                row["ratio"] = round(row["per kLUT"] / max(item["per kLUT"] for item in plain), 2)
        rows += found
    return common.report("ECP5-85", rows, [], as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
