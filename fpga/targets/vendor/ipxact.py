"""An engine as an IP-XACT component, IEEE 1685-2009, which Vivado reads.

Bus interfaces: AXI4-Stream a, b, c0 and c, AXI4-Lite ``s_axil``, clock and reset; the memory map
of the registers and channel tables; every port; the files.
"""

import xml.etree.ElementTree as ET

from ....hw.engine import regmap

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"
VENDOR, LIBRARY, VERSION = "matweave", "engine", "1.0"

FAMILIES = (
    "artix7", "kintex7", "spartan7", "virtex7", "zynq", "artixuplus", "kintexu", "kintexuplus",
    "virtexu", "virtexuplus", "zynquplus", "versal",
)  # fmt: skip
"""Vivado's names of those the engine is offered for: it holds nothing that is special to one."""

LEAST_RANGE = 0x1000
"""Bytes: AXI gives every slave at least 4 KiB (AMBA IHI 0022, A3.4.1)."""

ACCESS = {"RO": "read-only", "RW": "read-write", "WO": "write-only", "W1C": "read-write"}
AXI_LITE = (
    "AWADDR", "AWPROT", "AWVALID", "AWREADY", "WDATA", "WSTRB", "WVALID", "WREADY", "BRESP",
    "BVALID", "BREADY", "ARADDR", "ARPROT", "ARVALID", "ARREADY", "RDATA", "RRESP", "RVALID",
    "RREADY",
)  # fmt: skip
AXI_STREAM = ("TDATA", "TLAST", "TVALID", "TREADY")
TABLES = {
    "bias": "Signed 32 bits, added to channel n.",
    "multiplier": "0 to 2^31 - 1, of channel n.",
    "shift": "0 to 62, of channel n.",
    "zero": "Zero point of column n of B.",
}


def component(manifest: dict, constraints: str) -> str:
    """The XML text; ``constraints`` is the file for builds out of context."""
    name = manifest["name"]
    root = _e(
        "component",
        *_identifier(VENDOR, LIBRARY, name, VERSION),
        _e("busInterfaces", *_interfaces(manifest)),
        _e("memoryMaps", _memory_map(manifest)),
        _e(
            "model",
            _e(
                "views",
                _view("xilinx_anylanguagesynthesis", "synthesis", name, "rtl", "constraints"),
                _view("xilinx_anylanguagebehavioralsimulation", "simulation", name, "rtl"),
            ),
            _e("ports", *map(_port, manifest["ports"])),
        ),
        _e("fileSets", *_file_sets(name, constraints)),
        _e("description", _about(manifest)),
        _e("parameters", _parameter("Component_Name", f"{name}_v1_0")),
        _extensions(name),
    )
    ET.register_namespace("spirit", SPIRIT)
    ET.register_namespace("xilinx", XILINX)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _e(name: str, /, *content, space: str = SPIRIT, **attributes) -> ET.Element:
    """An element; ``content``: elements, or its text; attributes are of the same namespace."""
    element = ET.Element(f"{{{space}}}{name}")
    for key, value in attributes.items():
        element.set(f"{{{space}}}{key}", value)
    for each in content:
        if isinstance(each, ET.Element):
            element.append(each)
        else:
            element.text = str(each)
    return element


def _identifier(vendor: str, library: str, name: str, version: str) -> list[ET.Element]:
    values = {"vendor": vendor, "library": library, "name": name, "version": version}
    return [_e(key, value) for key, value in values.items()]


def _parameter(name: str, value) -> ET.Element:
    return _e("parameter", _e("name", name), _e("value", value))


def _interfaces(manifest: dict):
    streams = manifest["streams"]
    yield _interface(
        "s_axil",
        ("interface", "aximm"),
        _e("slave", _e("memoryMapRef", memoryMapRef="s_axil")),
        {port: f"s_axil_{port.lower()}" for port in AXI_LITE},
        {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": 32},
    )
    for stream in streams.values():
        prefix = stream["prefix"]
        yield _interface(
            prefix,
            ("interface", "axis"),
            _e("slave" if stream["role"] == "sink" else "master"),
            {port: f"{prefix}_{port.lower()}" for port in AXI_STREAM},
            {"TDATA_NUM_BYTES": stream["lanes"] * stream["lane_width"] // 8, "HAS_TLAST": 1},
        )
    associated = ":".join(["s_axil", *(stream["prefix"] for stream in streams.values())])
    clock, reset = manifest["clock"], manifest["reset"]["port"]
    yield _interface(
        clock,
        ("signal", "clock"),
        _e("slave"),
        {"CLK": clock},
        {"ASSOCIATED_BUSIF": associated, "ASSOCIATED_RESET": reset},
    )
    yield _interface(
        reset, ("signal", "reset"), _e("slave"), {"RST": reset}, {"POLARITY": "ACTIVE_HIGH"}
    )


def _interface(name, kind, mode, ports: dict[str, str], parameters: dict) -> ET.Element:
    library, bus = kind
    reference = {"vendor": "xilinx.com", "library": library, "version": "1.0"}
    maps = (
        _e(
            "portMap",
            _e("logicalPort", _e("name", logical)),
            _e("physicalPort", _e("name", physical)),
        )
        for logical, physical in ports.items()
    )
    return _e(
        "busInterface",
        _e("name", name),
        _e("busType", **reference, name=bus),
        _e("abstractionType", **reference, name=f"{bus}_rtl"),
        mode,
        _e("portMaps", *maps),
        _e("parameters", *(_parameter(key, value) for key, value in parameters.items())),
    )


def _memory_map(manifest: dict) -> ET.Element:
    registers = manifest["registers"]
    rows = [_register(register) for register in regmap.of_manifest(manifest)]
    for name, address in registers["tables"].items():
        entries = manifest["limits"]["n"]
        rows.append(
            _e(
                "register",
                _e("name", f"TABLE_{name.upper()}"),
                _e("description", TABLES[name]),
                *([_e("dim", entries)] if entries > 1 else []),
                _e("addressOffset", f"0x{address:X}"),
                _e("size", 32),
                _e("access", "write-only"),
            )
        )
    block = _e(
        "addressBlock",
        _e("name", "registers"),
        _e("baseAddress", "0x0"),
        _e("range", f"0x{max(LEAST_RANGE, 1 << registers['address_width']):X}"),
        _e("width", 32),
        _e("usage", "register"),
        *rows,
    )
    return _e("memoryMap", _e("name", "s_axil"), block, _e("addressUnitBits", 8))


def _register(register: regmap.Register) -> ET.Element:
    access = ACCESS[register.access]
    fields = []
    for field in register.fields:
        clears = [_e("modifiedWriteValue", "oneToClear")] if register.access == "W1C" else []
        fields.append(
            _e(
                "field",
                _e("name", field.name),
                _e("description", field.doc),
                _e("bitOffset", field.low),
                _e("bitWidth", field.width),
                _e("access", access),
                *clears,
            )
        )
    return _e(
        "register",
        _e("name", register.name),
        _e("description", register.doc),
        _e("addressOffset", f"0x{register.address:X}"),
        _e("size", 32),
        _e("volatile", "true" if register.access in ("RO", "W1C") else "false"),
        _e("access", access),
        *fields,
    )


def _view(name: str, purpose: str, model: str, *file_sets: str) -> ET.Element:
    references = (_e("fileSetRef", _e("localName", each)) for each in file_sets)
    return _e(
        "view",
        _e("name", name),
        _e("displayName", purpose.capitalize()),
        _e("envIdentifier", f":vivado.xilinx.com:{purpose}"),
        _e("language", "verilog"),
        _e("modelName", model),
        *references,
    )


def _port(port: dict) -> ET.Element:
    vector = []
    if port["width"] > 1:
        vector = [_e("vector", _e("left", port["width"] - 1), _e("right", 0))]
    direction = {"input": "in", "output": "out"}[port["direction"]]
    # An AXI4-Lite master may have no protection bits, and a stream no tlast; C0 is optional.
    driver = []
    if direction == "in" and port["name"] not in ("clk", "rst"):
        driver = [_e("driver", _e("defaultValue", 0))]
    return _e(
        "port", _e("name", port["name"]), _e("wire", _e("direction", direction), *vector, *driver)
    )


def _file_sets(name: str, constraints: str):
    yield _e("fileSet", _e("name", "rtl"), _file(f"{name}.v", "verilogSource"))
    clock = _file(constraints, "xdc")
    clock.append(_e("userFileType", "USED_IN_implementation"))
    clock.append(_e("userFileType", "USED_IN_out_of_context"))
    clock.append(_e("userFileType", "USED_IN_synthesis"))
    yield _e("fileSet", _e("name", "constraints"), clock)


def _file(name: str, kind: str) -> ET.Element:
    standard = kind != "xdc"
    return _e("file", _e("name", name), _e("fileType" if standard else "userFileType", kind))


def _about(manifest: dict) -> str:
    formats, macs = manifest["formats"], manifest["performance"]["macs_per_cycle"]
    return (
        f"Matrix-multiplication engine, {formats['a']} by {formats['b']}, {macs} "
        f"multiply-accumulates per cycle; configuration {manifest['configuration_sha256'][:16]}."
    )


def _extensions(name: str) -> ET.Element:
    """What Vivado's IP catalogue needs beyond the standard."""

    def x(tag, /, *content, **attributes):
        return _e(tag, *content, space=XILINX, **attributes)

    families = (x("family", each, lifeCycle="Pre-Production") for each in FAMILIES)
    return _e(
        "vendorExtensions",
        x(
            "coreExtensions",
            x("supportedFamilies", *families),
            x("taxonomies", x("taxonomy", "/UserIP")),
            x("displayName", name),
            x("definitionSource", "package_project"),
            x("coreRevision", 1),
        ),
    )
