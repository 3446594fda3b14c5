"""The library's full adder, found by its functions, and the mapping of Yosys's ``$fa`` to it."""

import functools
import itertools

from .boolean import truth
from .liberty import Cell, Library

_BITS = list(itertools.product((0, 1), repeat=3))
_SUM = tuple(sum(bits) & 1 for bits in _BITS)
_CARRY = tuple(sum(bits) >> 1 for bits in _BITS)


def full_adder(library: Library) -> tuple[Cell, str, str] | None:
    """The smallest usable cell with the sum and the carry of its three inputs, and its outputs."""
    return _full_adder(id(library), _Box(library))


class _Box:
    def __init__(self, library):
        self.library = library

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return self.library is other.library


@functools.lru_cache(maxsize=8)
def _full_adder(_, box):
    found = []
    for cell in box.library.cells.values():
        if cell.special or cell.sequential or len(cell.inputs) != 3 or len(cell.outputs) != 2:
            continue
        functions = {
            truth(pin.function, tuple(cell.inputs)): name
            for name, pin in cell.outputs.items()
            if pin.function
        }
        if _SUM in functions and _CARRY in functions:
            found.append((cell.area, cell.name, cell, functions[_SUM], functions[_CARRY]))
    return min(found)[2:] if found else None


def techmap(library: Library) -> str:
    """Verilog for Yosys's ``techmap``: every bit of a ``$fa`` as that cell."""
    cell, total, carry = full_adder(library)
    a, b, c = cell.inputs
    return f"""(* techmap_celltype = "$fa" *)
module _matweave_fa (A, B, C, X, Y);
  parameter WIDTH = 1;
  (* force_downto *) input [WIDTH-1:0] A, B, C;
  (* force_downto *) output [WIDTH-1:0] X, Y;
  genvar i;
  generate for (i = 0; i < WIDTH; i = i + 1) begin : bits
    {cell.name} adder (.{a}(A[i]), .{b}(B[i]), .{c}(C[i]), .{carry}(X[i]), .{total}(Y[i]));
  end endgenerate
endmodule
"""
