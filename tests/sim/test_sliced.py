"""All products of a multiplier's gates, 512 at once."""

import numpy as np
import pytest

from matweave.hw.emit import verilog
from matweave.hw.formats import Format
from matweave.sim import sliced
from matweave.sim.exhaustive import Products, check_wide

pytestmark = pytest.mark.requires_tool("yosys", "g++")


@pytest.mark.parametrize("kind", ["mac", "opt1"])
@pytest.mark.parametrize(("a", "b"), [("int5", "uint10"), ("uint7", "int10"), ("int3", "int11")])
def test_right_products(kind, a, b):
    a, b = Format.parse(a), Format.parse(b)
    assert check_wide(kind, a, b) == (1 << (a.width + b.width), 0)


@pytest.mark.parametrize(("a", "b"), [("int5", "uint10"), ("uint7", "int10")])
def test_wrong_ones_are_counted(a, b):
    a, b = Format.parse(a), Format.parse(b)
    text = verilog(Products("mac", [(a, b)]), "products")
    wrong = text.replace(" * ", " + ")
    assert wrong != text
    values = [np.arange(format.min, format.max + 1) for format in (a, b)]
    differ = np.multiply.outer(*values) != np.add.outer(*values)
    assert sliced.check(wrong, "products", a, b, "o_0") == (differ.size, differ.sum())
