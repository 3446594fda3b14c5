"""Dependencies point one way: formats, config <- hw <- sim <- zoo <- fpga <- matweave."""

import ast
import importlib
from pathlib import Path

import pytest

ROOTS = {
    name: Path(importlib.import_module(name).__file__).parent
    for name in ("matweave.hw", "matweave.sim", "matweave.zoo", "matweave.fpga", "matweave")
}
LAYERS = ["matweave.hw", "matweave.sim", "matweave.zoo", "matweave.fpga", "matweave"]
FILES = [
    (layer, path)
    for layer, root in ROOTS.items()
    for path in sorted(root.rglob("*.py"))
    if "__pycache__" not in path.parts
]

SHARED = ("config", "fixed", "floats", "formats", "geometry", "weights")
"""What golden models may take from the RTL's side: how numbers are written, and sizes."""

WITHOUT_AMARANTH_OR_NUMPY = [
    "catalog", "config", "cost", "errors", "explain", "fields", "fixed", "floats", "formats",
    "gemm_config", "geometry", "lut_config", "names", "output", "source", "weights",
]  # fmt: skip


def label(item):
    return f"{item[0]}:{item[1].relative_to(ROOTS[item[0]])}"


def imports(layer, path):
    """Every module that the file imports, absolute, functions' own imports included."""
    module = [layer, *path.relative_to(ROOTS[layer]).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(".".join(module).split(".")[: -node.level]) if node.level else ""
            source = ".".join(filter(None, [base, node.module]))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def layer_of(module):
    for layer in LAYERS[:-1]:
        if module == layer or module.startswith(layer + "."):
            return layer
    return "matweave" if module.startswith("matweave.") else None


@pytest.mark.parametrize("item", FILES, ids=map(label, FILES))
def test_no_file_imports_from_a_layer_above(item):
    layer, path = item
    for module in imports(layer, path):
        used = layer_of(module)
        if used and module != "matweave.__version__":
            assert LAYERS.index(used) <= LAYERS.index(layer), f"imports {module}"


@pytest.mark.parametrize("item", FILES, ids=map(label, FILES))
def test_the_folders_are_never_imported_by_their_bare_names(item):
    for module in imports(*item):
        assert module.split(".")[0] not in ("hw", "sim", "zoo", "fpga"), f"imports {module}"


HW = [item for item in FILES if item[0] == "matweave.hw"]


@pytest.mark.parametrize("item", HW, ids=map(label, HW))
def test_hw_has_no_postponed_annotations(item):
    """They break annotated components and make data.Struct zero bits wide."""
    assert "__future__.annotations" not in set(imports(*item))


@pytest.mark.parametrize("name", WITHOUT_AMARANTH_OR_NUMPY)
def test_the_configuration_side_of_hw_imports_neither_amaranth_nor_numpy(name):
    used = {
        module.split(".")[0]
        for module in imports("matweave.hw", ROOTS["matweave.hw"] / f"{name}.py")
    }
    assert not used & {"amaranth", "numpy"}


GOLDEN = [item for item in FILES if "golden" in item[1].parts and item[0] == "matweave.sim"]


@pytest.mark.parametrize("item", GOLDEN, ids=map(label, GOLDEN))
def test_golden_models_share_only_formats_and_geometry_with_the_rtl(item):
    for module in imports(*item):
        assert not module.startswith("amaranth"), f"imports {module}"
        if module.startswith("matweave.hw."):
            assert module.split(".")[2] in SHARED, f"imports {module}"


ZOO = [item for item in FILES if item[0] == "matweave.zoo"]
LEAVES = ("matweave.hw.errors", "matweave.hw.output", "matweave.sim.cache", "matweave.sim.progress")


@pytest.mark.parametrize("item", ZOO, ids=map(label, ZOO))
def test_the_zoo_uses_only_leaves_of_the_layers_below(item):
    for module in imports(*item):
        if layer_of(module) in ("matweave.hw", "matweave.sim"):
            package = module in ("matweave.hw", "matweave.sim")
            assert package or module.startswith(LEAVES), f"imports {module}"


def test_only_the_generator_of_jets_imports_what_is_gpl():
    gpl = {
        path.name
        for layer, path in FILES
        if b"fastjet" in path.read_bytes()
        for module in imports(layer, path)
        if module.split(".")[0] in ("pythia8mc", "fastjet")
    }
    assert gpl == {"block.py"}


def test_there_are_files_to_look_at():
    assert len(FILES) > 40
    assert GOLDEN
    assert HW
    assert ZOO
